"""Take up what a killed process has left half done, and say what has become overdue."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.reconciliation import runs
from service.sealing import Sealer
from service.settlements import due
from service.settlements import importing as settlements
from service.statements.importing import import_waiting

EVERY_S: Final = 15.0
OVERDUE_EVERY_S: Final = 600.0
BOOKS_MAX: Final = 1_000

UNFINISHED = sa.text("""
    select book_id from service.statement where status in ('received', 'importing')
    union
    select book_id from service.settlement where status in ('received', 'importing')
    union
    select book_id from service.run where status in ('planned', 'applying')
    order by book_id limit :limit
""")


async def take_up(engine: AsyncEngine, sealer: Sealer) -> int:
    """Finish what is unfinished in any book, unless another process is at it; how much was."""
    async with engine.connect() as connection:
        books = list(await connection.scalars(UNFINISHED, {"limit": BOOKS_MAX}))
    finished = 0
    for book_id in books:
        finished += await import_waiting(engine, sealer, int(str(book_id)))
        finished += await settlements.import_waiting(engine, sealer, int(str(book_id)))
        finished += await runs.resume(engine, int(str(book_id)), sealer)
    return finished


async def tell_overdue(engine: AsyncEngine, now: datetime) -> int:
    """Open cases for what providers have not settled or paid out in time; how many."""
    return await due.look(engine, now)
