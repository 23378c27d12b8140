"""Import kept statements: read the whole, hold it against itself, then book it chunk by chunk.

One transaction per chunk: lines, their sightings and how far the file is are written together, so
an import that is killed goes on where it was and doubles nothing. One import per account at a time.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.statements import UnreadableStatement
from service.import_queue import ImportQueue, Kept, Outcome, when_free
from service.sealing import Sealer
from service.statements import gates
from service.statements.keeping import Account
from service.statements.taking import Progress, Taking

CHUNK_LINES: Final = 500
CHUNK_LINES_MAX: Final = 1_000
"""What one call of `book` takes."""
QUEUE: Final = ImportQueue("statement", lock=0x53544D54)
"""Its owners are bank accounts."""

FIND = sa.text("""
    select statement.status, statement.layout, statement.lines_new + statement.lines_known as taken,
           account.id, account.book_id, account.bin, account.number
    from service.statement
    join service.bank_account as account on account.id = statement.bank_account_id
    where statement.book_id = :book_id and statement.id = :id
""")


async def import_waiting(engine: AsyncEngine, sealer: Sealer, book_id: int) -> int:
    """Import the statements that wait in a book; how many were finished. For the worker's turn."""
    return await QUEUE.finish(engine, book_id, lambda kept: import_kept(engine, sealer, kept))


async def import_when_free(
    engine: AsyncEngine, sealer: Sealer, kept: Kept, progress: Progress | None = None
) -> Outcome:
    """Import a statement, waiting for the account as long as another import has it."""
    return await when_free(lambda: import_kept(engine, sealer, kept, progress))


async def import_kept(
    engine: AsyncEngine,
    sealer: Sealer,
    kept: Kept,
    progress: Progress | None = None,
    *,
    chunk_lines: int = CHUNK_LINES,
) -> Outcome:
    """Import a kept statement, or go on with it; "elsewhere" when it was finished before.

    Raises OwnerBusy. Cancelled or killed at any point, it leaves what it has finished, and the
    next call goes on.
    """
    if not 0 < chunk_lines <= CHUNK_LINES_MAX:
        message = f"a chunk has 1 to {CHUNK_LINES_MAX} lines"
        raise ValueError(message)
    account, _ = await _find(engine, kept)
    async with QUEUE.alone(engine, account.id):
        _, status = await _find(engine, kept)
        if status not in {"received", "importing"}:
            return "elsewhere"
        work = Taking(engine, sealer, kept, account, chunk_lines)
        try:
            read = await work.read_whole()
        except UnreadableStatement as error:
            await work.refuse(str(error))
            return "refused"
        if (problem := gates.contradiction(read.totals)) is not None:
            await work.refuse(problem)
            return "refused"
        await work.begin(read.totals)
        await work.take(read, progress or _silent)
        await work.finish(read.totals)
    return "done"


def _silent(_taken: int, _total: int) -> None:
    """Nobody watches."""


async def _find(engine: AsyncEngine, kept: Kept) -> tuple[Account, str]:
    async with engine.connect() as connection:
        row = (
            await connection.execute(FIND, {"book_id": kept.book_id, "id": kept.id})
        ).one_or_none()
    if row is None:
        message = f"no statement {kept.id} in book {kept.book_id}"
        raise LookupError(message)
    account = Account(id=row.id, book_id=row.book_id, bin=row.bin, number=row.number)
    return account, str(row.status)
