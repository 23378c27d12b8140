"""`doisoat keys`: make, list and revoke the keys of machines."""

from datetime import UTC, datetime
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from service.cli._place import ForPeople, in_transaction, numbers, place, words


@click.group("keys")
def command() -> None:
    """Keys of machines: bound to books and scopes, shown once, stored hashed."""


@command.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--books", required=True, callback=numbers, help="Book numbers, such as 1,2.")
@click.option("--scopes", required=True, callback=words, help="Scopes with commas, or `all`.")
def create(name: str, books: list[int], scopes: list[str]) -> None:
    """Make a key and print it, this once."""
    from service.access import api_keys
    from service.access.principals import KEY_SCOPES

    wanted = list(KEY_SCOPES) if scopes == ["all"] else scopes

    async def work(connection: AsyncConnection) -> tuple[UUID, str]:
        return await api_keys.create(
            connection,
            name=name,
            books=books,
            scopes=wanted,  # type: ignore[arg-type] # `create` refuses what is no scope
            now=datetime.now(UTC),
        )

    with place() as settings:
        try:
            key_id, key = in_transaction(settings, work)
        except api_keys.NotGrantable as refusal:
            raise ForPeople(str(refusal)) from None
    click.echo(f"{key_id}", err=True)
    click.echo(key)


@command.command("list")
def list_keys() -> None:
    """List all keys, revoked ones too."""
    from service.access import api_keys

    with place() as settings:
        found = in_transaction(settings, api_keys.listing)
    for key in found:
        state = "live" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        books = ",".join(map(str, key.books))
        click.echo(f"{key.id}  {state:24}  {key.name}  books {books}  {' '.join(key.scopes)}")


@command.command("revoke")
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """End a key; every process refuses it within seconds."""
    from service.access import api_keys

    async def work(connection: AsyncConnection) -> bool:
        return await api_keys.revoke(connection, key_id, datetime.now(UTC))

    with place() as settings:
        if not in_transaction(settings, work):
            raise ForPeople("there is no live key with this id")
    click.echo("revoked", err=True)
