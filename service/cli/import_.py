"""`doisoat import`: take a bank statement into the books, in the foreground."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli._place import ForPeople, place
from service.settings import Settings

if TYPE_CHECKING:
    from service.statements.messages import Statement

POOL_SIZE = 4
BOOKS_MAX = 10_000


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--account", required=True, help="Bank and number, as 970436-0071001234567, or id.")
@click.option("--layout", default="vietcombank", show_default=True, help="A known layout.")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A column mapping in JSON, instead of a known layout.",
)
def command(file: Path, account: str, layout: str, mapping: Path | None) -> None:
    """Import the bank statement FILE; the same file again changes nothing.

    An import that was interrupted goes on when the command is given again.
    """
    from service.errors import Refusal

    with place() as settings:
        chosen = layout if mapping is None else mapping.read_text(encoding="utf-8-sig")
        try:
            found = asyncio.run(work(settings, file, account, chosen))
        except Refusal as refusal:
            raise ForPeople(f"{refusal.title_en}. {refusal.detail}".strip()) from None
    tell(found)
    if found.status == "refused":
        raise ForPeople(f"refused, nothing was booked: {found.problem}")


async def work(settings: Settings, file: Path, account_name: str, layout: str) -> "Statement":
    """Keep and import; the statement as it is afterwards."""
    import sqlalchemy as sa
    from rich.console import Console
    from rich.progress import Progress

    from service.database import create_engine
    from service.sealing import Sealer
    from service.settings import master_key
    from service.statements import queries
    from service.statements.importing import import_when_free
    from service.statements.keeping import keep

    engine = create_engine(settings.database_url, pool_size=POOL_SIZE)
    sealer = Sealer(master_key(settings))
    try:
        async with engine.connect() as connection:
            every = sa.text("select book_id from ledger.book order by 1 limit :limit")
            rows = await connection.scalars(every, {"limit": BOOKS_MAX})
            books = [int(str(one)) for one in rows]
            account = await queries.account(connection, books, account_name)
        with file.open("rb") as source:

            async def read(size: int) -> bytes:
                return await asyncio.to_thread(source.read, size)

            kept = await keep(
                engine, sealer, account, layout, read, size_max=settings.file_size_max_bytes
            )
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("Nhập sao kê / importing", total=None)
            await import_when_free(
                engine,
                sealer,
                kept,
                lambda taken, total: progress.update(bar, completed=taken, total=total),
            )
        async with engine.connect() as connection:
            found = await queries.statement(connection, [kept.book_id], kept.id)
    finally:
        await engine.dispose()
    if found is None:
        raise ForPeople("the statement is gone")
    return found


def tell(found: "Statement") -> None:
    """What the import came to."""
    proven = {True: "đã khớp số dư (proven)", False: "chưa chứng minh được số dư (unproven)"}
    click.echo(f"{found.id}  {found.status}  {proven.get(bool(found.proven), '')}".rstrip())
    click.echo(
        f"dòng / lines: {found.lines_read}, mới / new: {found.lines_new},"
        f" đã có / known: {found.lines_known}"
    )
    click.echo(f"có / in: {found.credits_vnd:,} đ   nợ / out: {found.debits_vnd:,} đ")
