"""`doisoat open-book`: bring a unit in from an older system."""

from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from service.cli._place import ForPeople, in_transaction, place


@click.command("open-book")
@click.option(
    "--file",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="opening.json: the book, its bank accounts, balances and open notices.",
)
def command(path: Path) -> None:
    """Open a book with balances and open notices as one entry; the same file twice is once."""
    from service.access.audit import Deed, record
    from service.errors import InvalidRequest
    from service.fees import opening
    from service.fees.opening import Opened
    from service.sealing import Sealer
    from service.settings import master_key

    body = path.read_bytes()
    with place() as settings:
        sealer = Sealer(master_key(settings))

        async def work(connection: AsyncConnection) -> Opened:
            now = datetime.now(UTC)
            asked = opening.read(body)
            opened = await opening.bring_in(connection, sealer, asked, now)
            deed = Deed(
                actor_kind="system",
                actor="open-book",
                action="open-book",
                outcome="allowed",
                book_id=asked.book.book_id,
                detail={"new": opened.new, "lines": opened.lines, "notices": opened.notices},
            )
            await record(connection, deed, now)
            return opened

        try:
            opened = in_transaction(settings, work)
        except opening.OpeningRefused as refusal:
            raise ForPeople(str(refusal)) from None
        except InvalidRequest as refusal:
            told = "; ".join(f"{error.field}: {error.message}" for error in refusal.errors)
            raise ForPeople(told) from None
    word = "brought in" if opened.new else "had been brought in before"
    click.echo(f"{word}: {opened.notices} notices, {opened.owed_vnd} đồng owed", err=True)
