"""Import kept statements: read the whole, hold it against itself, then book it chunk by chunk.

One transaction per chunk: lines, their sightings and how far the file is are written together, so
an import that is killed goes on where it was and doubles nothing. One import per account at a time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.statements import UnreadableStatement
from service.database import connection_apart
from service.sealing import Sealer
from service.statements import gates
from service.statements.keeping import Account, Kept
from service.statements.taking import Progress, Taking

CHUNK_LINES: Final = 500
CHUNK_LINES_MAX: Final = 1_000
"""What one call of `book` takes."""
PAUSE_S: Final = 0.2
ACCOUNT_LOCK: Final = 0x53544D54
"""First half of the advisory lock's key; the second is the account."""

Outcome: TypeAlias = Literal["done", "refused", "elsewhere"]

log = structlog.get_logger(__name__)

TAKE_ACCOUNT = sa.text("select pg_try_advisory_lock(:lock, :account_id)")
LEAVE_ACCOUNT = sa.text("select pg_advisory_unlock(:lock, :account_id)")

FIND = sa.text("""
    select statement.status, statement.layout, statement.lines_new + statement.lines_known as taken,
           account.id, account.book_id, account.bin, account.number
    from service.statement
    join service.bank_account as account on account.id = statement.bank_account_id
    where statement.book_id = :book_id and statement.id = :id
""")

WAITING = sa.text("""
    select id from service.statement
    where book_id = :book_id and status in ('received', 'importing')
    order by received_at, id limit :limit
""")


class AccountBusy(Exception):
    """Another process imports a statement of this account; what it leaves is taken later."""


async def waiting(engine: AsyncEngine, book_id: int, limit: int = 100) -> list[UUID]:
    """Statements of a book that are kept and not yet imported, the oldest first."""
    async with engine.connect() as connection:
        found = await connection.scalars(WAITING, {"book_id": book_id, "limit": limit})
        return [UUID(str(one)) for one in found]


async def import_waiting(engine: AsyncEngine, sealer: Sealer, book_id: int) -> int:
    """Import what waits in a book, also what a killed process left; how many were finished.

    For the worker's turn. A statement whose account is being imported elsewhere is passed over.
    """
    finished = 0
    for statement_id in await waiting(engine, book_id):
        kept = Kept(book_id=book_id, id=statement_id, new=False)
        try:
            finished += await import_kept(engine, sealer, kept) != "elsewhere"
        except AccountBusy:
            continue
        except Exception:  # one that cannot be imported keeps no other waiting
            log.exception("statement_not_imported", statement_id=str(statement_id))
    return finished


async def import_when_free(
    engine: AsyncEngine, sealer: Sealer, kept: Kept, progress: Progress | None = None
) -> Outcome:
    """Import a statement, waiting for the account as long as another import has it."""
    while True:
        try:
            return await import_kept(engine, sealer, kept, progress)
        except AccountBusy:
            await asyncio.sleep(PAUSE_S)


async def import_kept(
    engine: AsyncEngine,
    sealer: Sealer,
    kept: Kept,
    progress: Progress | None = None,
    *,
    chunk_lines: int = CHUNK_LINES,
) -> Outcome:
    """Import a kept statement, or go on with it; "elsewhere" when it was finished before.

    Raises AccountBusy. Cancelled or killed at any point, it leaves what it has finished, and the
    next call goes on.
    """
    if not 0 < chunk_lines <= CHUNK_LINES_MAX:
        message = f"a chunk has 1 to {CHUNK_LINES_MAX} lines"
        raise ValueError(message)
    account, _ = await _find(engine, kept)
    async with _alone(engine, account):
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


@asynccontextmanager
async def _alone(engine: AsyncEngine, account: Account) -> AsyncIterator[None]:
    """Hold the account for this import on a connection of its own; raises AccountBusy."""
    key = {"lock": ACCOUNT_LOCK, "account_id": account.id}
    async with connection_apart(engine) as connection:
        if not await connection.scalar(TAKE_ACCOUNT, key):
            raise AccountBusy
        try:
            yield
        finally:
            await asyncio.shield(connection.execute(LEAVE_ACCOUNT, key))
