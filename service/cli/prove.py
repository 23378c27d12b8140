"""`doisoat prove`: hold every invariant against the live books, and name what breaks one."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from service.cli._place import ForPeople, place
from service.settings import Settings


@click.command("prove")
@click.option("--book", type=int, help="One book by its number; without it, all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def command(book: int | None, as_json: bool) -> None:  # noqa: FBT001 # click gives options so
    """Prove the invariants on the live books: one line each, exit status 1 where one is broken."""
    from service.proof.report import as_lines, examined, in_json

    async def work(settings: Settings) -> bool:
        async with _patient_pool(settings) as engine:
            try:
                verdicts = await examined(engine, book, watched=sys.stderr.isatty())
            except LookupError as unknown:
                raise ForPeople(str(unknown)) from None
        click.echo(in_json(verdicts) if as_json else as_lines(verdicts))
        return all(verdict.holds for verdict in verdicts)

    with place() as settings:
        holds = asyncio.run(work(settings))
    if not holds:
        sys.exit(1)


@asynccontextmanager
async def _patient_pool(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """A pool whose statements may take as long as those of a large book do."""
    from service.database import create_engine
    from service.proof.proving import STATEMENT_TIMEOUT_S

    engine = create_engine(
        settings.database_url, pool_size=2, statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    try:
        yield engine
    finally:
        await engine.dispose()
