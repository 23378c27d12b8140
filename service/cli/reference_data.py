"""`doisoat reference-data`: load the published agencies and procedures to begin with."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from service.cli._place import ForPeople, in_transaction, place


@click.command("reference-data")
@click.option(
    "--collects",
    multiple=True,
    metavar="AGENCY=BOOK",
    help="This agency collects into this book, such as H57.08=1; may be repeated.",
)
def command(collects: tuple[str, ...]) -> None:
    """Add agencies and procedures that are not there yet; say who collects into which book.

    The book may be opened later: `open-book` with notices asks for the agency first.
    """
    from datetime import UTC, datetime

    from ledger.accounts import business_day
    from service import reference_data
    from service.reference_data import Loaded

    try:
        books = {agency: int(book) for agency, _, book in (one.partition("=") for one in collects)}
    except ValueError:
        raise ForPeople("--collects is an agency and a book number, such as H57.08=1") from None
    today = business_day(datetime.now(UTC))

    async def work(connection: AsyncConnection) -> tuple[Loaded, list[str]]:
        loaded = await reference_data.load(connection, {})
        missing = [
            agency
            for agency, book_id in books.items()
            if not await reference_data.collects(connection, agency, book_id, today)
        ]
        return loaded, missing

    with place() as settings:
        loaded, missing = in_transaction(settings, work)
    click.echo(f"{loaded.agencies} agencies, {loaded.procedures} procedures added", err=True)
    if missing:
        told = ", ".join(missing)
        raise ForPeople(f"no such agency, or it was given a book today already: {told}")
