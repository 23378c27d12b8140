"""`doisoat staff`: accounts of people."""

from datetime import UTC, datetime

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from service.cli._place import ForPeople, in_transaction, numbers, place, words


@click.group("staff")
def command() -> None:
    """Accounts of people and their roles: viewer, maker, checker, admin, auditor."""


@command.command("add")
@click.argument("username")
@click.option("--roles", required=True, callback=words, help="Roles with commas.")
@click.option("--books", required=True, callback=numbers, help="Book numbers, such as 1,2.")
@click.password_option(help="Asked for where it is not given.")
def add(username: str, roles: list[str], books: list[int], password: str) -> None:
    """Open an account."""
    from service.access import staff
    from service.access.api_keys import NotGrantable

    async def work(connection: AsyncConnection) -> None:
        await staff.add(
            connection,
            username=username,
            password=password,
            roles=roles,  # type: ignore[arg-type] # `add` refuses what is no role
            books=books,
            now=datetime.now(UTC),
        )

    with place() as settings:
        try:
            in_transaction(settings, work)
        except NotGrantable as refusal:
            raise ForPeople(str(refusal)) from None
    click.echo(f"{username} added", err=True)


@command.command("list")
def list_staff() -> None:
    """List all accounts."""
    from service.access import staff

    with place() as settings:
        found = in_transaction(settings, staff.listing)
    for one in found:
        state = "open" if one.disabled_at is None else f"disabled {one.disabled_at:%Y-%m-%d}"
        click.echo(f"{one.username:24}  {state:20}  {','.join(one.roles)}  books {one.books}")


@command.command("disable")
@click.argument("username")
def disable(username: str) -> None:
    """Close an account and end its sessions."""
    from service.access import staff

    async def work(connection: AsyncConnection) -> bool:
        return await staff.disable(connection, username, datetime.now(UTC))

    with place() as settings:
        if not in_transaction(settings, work):
            raise ForPeople("there is no open account of this name")
    click.echo("disabled", err=True)


@command.command("password")
@click.argument("username")
@click.password_option(help="Asked for where it is not given.")
def set_password(username: str, password: str) -> None:
    """Give an account a new password, unlock it, and end its sessions."""
    from service.access import staff
    from service.access.api_keys import NotGrantable

    async def work(connection: AsyncConnection) -> bool:
        return await staff.set_password(connection, username, password, datetime.now(UTC))

    with place() as settings:
        try:
            known = in_transaction(settings, work)
        except NotGrantable as refusal:
            raise ForPeople(str(refusal)) from None
    if not known:
        raise ForPeople("there is no account of this name")
    click.echo("changed", err=True)
