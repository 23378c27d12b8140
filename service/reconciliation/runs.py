"""Reconciliation runs: one per book at a time, planned over one snapshot, applied in chunks.

A run goes in rounds: what can be posted is planned and posted, until a plan finds nothing to post;
then cases are opened and changed, so that they say how things stand after the run. Each plan is
written whole, in one transaction, before its first chunk: a run that was killed while it planned
plans again, one that was killed while it applied goes on. A dry run writes no plan and rolls every
chunk back; all it leaves is its own row.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from service.database import connection_apart
from service.errors import NotFound
from service.reconciliation.counting import Counts
from service.reconciliation.messages import Run
from service.reconciliation.working import Progress, Work, checkpoint
from service.sealing import Sealer

PAUSE_S: Final = 0.2
RUN_LOCK: Final = 0x52554E00
"""First half of the advisory lock's key; the second is the book."""

TAKE_BOOK = sa.text("select pg_try_advisory_lock(:lock, :book_id)")
LEAVE_BOOK = sa.text("select pg_advisory_unlock(:lock, :book_id)")

BEGIN = sa.text("""
    insert into service.run (book_id, id, business_date, dry_run, started_at)
    values (:book_id, :id, :business_date, :dry_run, :now)
""")

FIND = sa.text("""
    select book_id, id, business_date, dry_run, status, started_at, finished_at, counts
    from service.run where book_id = any(cast(:books as integer[])) and id = :id
""")

UNFINISHED = sa.text("""
    select id from service.run
    where book_id = :book_id and status in ('planned', 'applying') order by id
""")

LEFT_APPLYING = sa.text("""
    select id from service.run
    where book_id = :book_id and status = 'applying' and id <> :id order by id
""")


async def begin(
    engine: AsyncEngine, book_id: int, business_date: date, *, dry_run: bool = False
) -> UUID:
    """Write down that a run is wanted; its id, for `execute`."""
    run_id = uuid7()
    async with engine.begin() as connection:
        await connection.execute(
            BEGIN,
            {
                "book_id": book_id,
                "id": run_id,
                "business_date": business_date,
                "dry_run": dry_run,
                "now": datetime.now(UTC),
            },
        )
    return run_id


async def find(connection: AsyncConnection, books: Sequence[int], run_id: UUID) -> Run:
    """A run of these books; raises NotFound."""
    row = (
        (await connection.execute(FIND, {"books": list(books), "id": run_id}))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound
    counts = msgspec.convert(row["counts"], Counts)
    return Run(**{**row, "id": UUID(str(row["id"])), "counts": counts})


async def reconcile(
    engine: AsyncEngine,
    book_id: int,
    business_date: date,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    sealer: Sealer | None = None,
) -> Run:
    """Begin a run and execute it; `sealer` lets it read the words of the merchants' payouts."""
    run_id = await begin(engine, book_id, business_date, dry_run=dry_run)
    return await execute(engine, book_id, run_id, progress, sealer=sealer)


async def resume(engine: AsyncEngine, book_id: int, sealer: Sealer | None = None) -> int:
    """Execute what a killed process left of a book's runs; how many. For the worker's turn."""
    async with engine.connect() as connection:
        left = [
            UUID(str(one)) for one in await connection.scalars(UNFINISHED, {"book_id": book_id})
        ]
    for run_id in left:
        await execute(engine, book_id, run_id, sealer=sealer)
    return len(left)


async def execute(
    engine: AsyncEngine,
    book_id: int,
    run_id: UUID,
    progress: Progress | None = None,
    *,
    sealer: Sealer | None = None,
) -> Run:
    """Plan and apply a run, or go on with it; waits while another run of the book is at work.

    A run that was killed while it applied is finished first. A finished run is given back as it
    is. Whatever goes wrong marks the run failed and is raised.
    """
    tell = progress or _silent
    async with _alone(engine, book_id):
        run = await _read(engine, book_id, run_id)
        if run.status in {"done", "failed"}:
            return run
        work = Work(engine, run, tell, sealer)
        try:
            if run.dry_run:
                await work.rehearse()
            else:
                for left in await _left(engine, book_id, run_id):
                    await Work(engine, await _read(engine, book_id, left), tell, sealer).go()
                await checkpoint(engine, book_id)
                await work.go()
        except Exception:
            if (await _read(engine, book_id, run_id)).status == "planned":
                await work.set("failed")
            raise
        return await _read(engine, book_id, run_id)


def _silent(_counts: Counts) -> None:
    """Nobody watches."""


async def _read(engine: AsyncEngine, book_id: int, run_id: UUID) -> Run:
    async with engine.connect() as connection:
        return await find(connection, [book_id], run_id)


async def _left(engine: AsyncEngine, book_id: int, run_id: UUID) -> list[UUID]:
    """Other runs of the book that were killed while they applied."""
    async with engine.connect() as connection:
        found = await connection.scalars(LEFT_APPLYING, {"book_id": book_id, "id": run_id})
        return [UUID(str(one)) for one in found]


@asynccontextmanager
async def _alone(engine: AsyncEngine, book_id: int) -> AsyncIterator[None]:
    """Hold the book for this run on a connection of its own; waits for a run that has it."""
    key = {"lock": RUN_LOCK, "book_id": book_id}
    async with connection_apart(engine) as connection:
        while not await connection.scalar(TAKE_BOOK, key):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(PAUSE_S)
        try:
            yield
        finally:
            await asyncio.shield(connection.execute(LEAVE_BOOK, key))
