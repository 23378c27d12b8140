"""Import kept settlement files: hold the whole against itself and the books, then take it.

An import that is killed goes on where it was and doubles nothing. One import per merchant at a
time: what one file has told is what the next is judged by.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.settlements import UnreadableSettlement
from service.database import connection_apart
from service.sealing import Sealer
from service.settlements.gates import Contradiction
from service.settlements.keeping import Kept, Payee
from service.settlements.taking import Progress, Taking

CHUNK_LINES: Final = 500
CHUNK_LINES_MAX: Final = 1_000
"""What one call of `book` takes."""
PAUSE_S: Final = 0.2
MERCHANT_LOCK: Final = 0x5345544C
"""First half of the advisory lock's key; the second is the merchant."""

Outcome: TypeAlias = Literal["done", "refused", "elsewhere"]

log = structlog.get_logger(__name__)

TAKE_MERCHANT = sa.text("select pg_try_advisory_lock(:lock, :merchant_id)")
LEAVE_MERCHANT = sa.text("select pg_advisory_unlock(:lock, :merchant_id)")

FIND = sa.text("""
    select file.status, merchant.id, merchant.book_id, merchant.provider, merchant.merchant,
           merchant.serves, merchant.settings
    from service.settlement as file
    join service.merchant as merchant on merchant.id = file.merchant_id
    where file.book_id = :book_id and file.id = :id
""")

WAITING = sa.text("""
    select id from service.settlement
    where book_id = :book_id and status in ('received', 'importing')
    order by received_at, id limit :limit
""")


BEGUN = sa.text("""
    select id from service.settlement
    where book_id = :book_id and merchant_id = :merchant_id and status = 'importing' and id <> :id
    order by id
""")


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


class MerchantBusy(Exception):
    """Another process imports a settlement of this merchant; what it leaves is taken later."""


async def import_waiting(engine: AsyncEngine, sealer: Sealer, book_id: int) -> int:
    """Import what waits in a book, also what a killed process left; how many were finished.

    For the worker's turn. A file whose merchant is being imported elsewhere is passed over.
    """
    async with engine.connect() as connection:
        found = await connection.scalars(WAITING, {"book_id": book_id, "limit": 100})
        waiting = [UUID(str(one)) for one in found]
    finished = 0
    for settlement_id in waiting:
        kept = Kept(book_id=book_id, id=settlement_id, new=False)
        try:
            finished += await import_kept(engine, sealer, kept) != "elsewhere"
        except MerchantBusy:
            continue
        except Exception:  # one that cannot be imported keeps no other waiting
            log.exception("settlement_not_imported", settlement_id=str(settlement_id))
    return finished


async def import_when_free(
    engine: AsyncEngine, sealer: Sealer, kept: Kept, progress: Progress | None = None
) -> Outcome:
    """Import a settlement, waiting for the merchant as long as another import has it."""
    while True:
        try:
            return await import_kept(engine, sealer, kept, progress)
        except MerchantBusy:
            await asyncio.sleep(PAUSE_S)


async def import_kept(
    engine: AsyncEngine,
    sealer: Sealer,
    kept: Kept,
    progress: Progress | None = None,
    *,
    chunk_lines: int = CHUNK_LINES,
    clock: Callable[[], datetime] = utc_now,
) -> Outcome:
    """Import a kept settlement, or go on with it; "elsewhere" when it was finished before.

    Raises MerchantBusy. Cancelled or killed at any point, it leaves what it has finished, and the
    next call goes on.
    """
    if not 0 < chunk_lines <= CHUNK_LINES_MAX:
        message = f"a chunk has 1 to {CHUNK_LINES_MAX} lines"
        raise ValueError(message)
    whose, _ = await _find(engine, kept)
    async with _alone(engine, whose):
        # What a killed process had begun goes first: the next file is judged by all of it.
        for left in await _begun(engine, whose, kept):
            await _work(
                Taking(engine, sealer, left, whose, chunk_lines, clock=clock), "importing", _silent
            )
        _, status = await _find(engine, kept)
        if status not in {"received", "importing"}:
            return "elsewhere"
        work = Taking(engine, sealer, kept, whose, chunk_lines, clock=clock)
        return await _work(work, status, progress or _silent)


async def _work(work: Taking, status: str, progress: Progress) -> Outcome:
    try:
        # What was begun was held against the others before; its own lines are known by now.
        read = await work.read_whole(gates_too=status == "received")
    except (UnreadableSettlement, Contradiction) as error:
        await work.refuse(str(error))
        return "refused"
    await work.begin(read)
    await work.take(read, progress)
    await work.finish(read)
    return "done"


async def _begun(engine: AsyncEngine, whose: Payee, kept: Kept) -> list[Kept]:
    """Other files of the merchant whose import was begun and not finished."""
    key = {"book_id": whose.book_id, "merchant_id": whose.id, "id": kept.id}
    async with engine.connect() as connection:
        found = await connection.scalars(BEGUN, key)
        return [Kept(book_id=whose.book_id, id=UUID(str(one)), new=False) for one in found]


def _silent(_taken: int, _total: int) -> None:
    """Nobody watches."""


async def _find(engine: AsyncEngine, kept: Kept) -> tuple[Payee, str]:
    async with engine.connect() as connection:
        found = await connection.execute(FIND, {"book_id": kept.book_id, "id": kept.id})
        row = found.mappings().one_or_none()
    if row is None:
        message = f"no settlement {kept.id} in book {kept.book_id}"
        raise LookupError(message)
    values = dict(row)
    status = str(values.pop("status"))
    return msgspec.convert(values, Payee), status


@asynccontextmanager
async def _alone(engine: AsyncEngine, whose: Payee) -> AsyncIterator[None]:
    """Hold the merchant for this import on a connection of its own; raises MerchantBusy."""
    key = {"lock": MERCHANT_LOCK, "merchant_id": whose.id}
    async with connection_apart(engine) as connection:
        if not await connection.scalar(TAKE_MERCHANT, key):
            raise MerchantBusy
        try:
            yield
        finally:
            await asyncio.shield(connection.execute(LEAVE_MERCHANT, key))
