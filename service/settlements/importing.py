"""Import kept settlement files: hold the whole against itself and the books, then take it.

An import that is killed goes on where it was and doubles nothing. One import per merchant at a
time: what one file has told is what the next is judged by.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.settlements import UnreadableSettlement
from service.import_queue import ImportQueue, Kept, Outcome, when_free
from service.sealing import Sealer
from service.settlements.gates import Contradiction
from service.settlements.keeping import Payee
from service.settlements.taking import Progress, Taking

CHUNK_LINES: Final = 500
CHUNK_LINES_MAX: Final = 1_000
"""What one call of `book` takes."""
QUEUE: Final = ImportQueue("settlement", lock=0x5345544C)
"""Its owners are merchants."""

FIND = sa.text("""
    select file.status, merchant.id, merchant.book_id, merchant.provider, merchant.merchant,
           merchant.serves, merchant.settings
    from service.settlement as file
    join service.merchant as merchant on merchant.id = file.merchant_id
    where file.book_id = :book_id and file.id = :id
""")

BEGUN = sa.text("""
    select id from service.settlement
    where book_id = :book_id and merchant_id = :merchant_id and status = 'importing' and id <> :id
    order by id
""")


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


async def import_waiting(engine: AsyncEngine, sealer: Sealer, book_id: int) -> int:
    """Import the settlements that wait in a book; how many were finished. For the worker's turn."""
    return await QUEUE.finish(engine, book_id, lambda kept: import_kept(engine, sealer, kept))


async def import_when_free(
    engine: AsyncEngine, sealer: Sealer, kept: Kept, progress: Progress | None = None
) -> Outcome:
    """Import a settlement, waiting for the merchant as long as another import has it."""
    return await when_free(lambda: import_kept(engine, sealer, kept, progress))


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

    Raises OwnerBusy. Cancelled or killed at any point, it leaves what it has finished, and the
    next call goes on.
    """
    if not 0 < chunk_lines <= CHUNK_LINES_MAX:
        message = f"a chunk has 1 to {CHUNK_LINES_MAX} lines"
        raise ValueError(message)
    whose, _ = await _find(engine, kept)
    async with QUEUE.alone(engine, whose.id):
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
