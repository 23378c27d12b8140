"""Keep calls we do not believe in a bounded lane of their own, so that they cost little.

A call that looks like an open order with the right amount may be true and signed with a secret we
do not know yet: it is kept before it is answered. What surely is about no order of ours turns in a
ring; of a flood of those, no more is written than the ring is for.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.database import transaction
from service.intake import figures, shelves
from service.intake.shelves import Shelf, Shelved, Unbelieved
from service.merchants import Merchant
from service.payments.loading import lock, lock_key
from service.sealing import Sealer

QUEUE_MAX: Final = 2_000
BATCH_MAX: Final = 200
LINGER_S: Final = 0.02
"""How long the writer gathers calls when they come one upon another."""
KEPT_WITHIN_S: Final = 5.0
RING_CALLS_PER_S: Final = 50
"""Calls of one merchant that one process puts into the ring in a second; the rest of a flood is
answered, counted and forgotten: the ring would have turned it out again."""
MERCHANTS_REMEMBERED: Final = 10_000
ALARMS_REMEMBERED: Final = 10_000

Kept: TypeAlias = Literal["kept", "dropped", "full"]

log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    unbelieved: Unbelieved
    kept: asyncio.Future[Kept]


class _Allowance:
    """How many calls of each merchant the ring still takes in this second."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._second = 0
        self._used: dict[int, int] = {}

    def take(self, merchant_id: int) -> bool:
        second = int(self._clock().timestamp())
        if second != self._second or len(self._used) > MERCHANTS_REMEMBERED:
            self._second = second
            self._used.clear()
        used = self._used.get(merchant_id, 0)
        if used >= RING_CALLS_PER_S:
            figures.DROPPED.inc()
            return False
        self._used[merchant_id] = used + 1
        return True


class Quarantine:
    """The lane: one writer and one short queue, so that a flood cannot take connections."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._ring = _Allowance(clock)
        self._alarmed: set[tuple[int, str]] = set()
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE_MAX)
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the lane; needs a running loop."""
        self._writer = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what waits, then stop."""
        await self._queue.join()
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer

    async def keep(self, unbelieved: Unbelieved) -> Kept:
        """Keep a call, committed on return, unless it is one of a flood ("dropped").

        "full" where it may be a true one and there is no room to keep it, or no database.
        """
        surely_ring = not unbelieved.authentic and not unbelieved.names
        if surely_ring and not self._ring.take(unbelieved.merchant.id):
            return "dropped"
        waiting = _Waiting(unbelieved, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            return "full"
        try:
            return await asyncio.wait_for(waiting.kept, KEPT_WITHIN_S)
        except TimeoutError:
            return "full"

    async def _run(self) -> None:
        ended_at = -LINGER_S
        while True:
            batch = [await self._queue.get()]
            if asyncio.get_running_loop().time() - ended_at < LINGER_S:
                await asyncio.sleep(LINGER_S)  # a flood: one look-up for many
            while len(batch) < BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                answers = await self._write([waiting.unbelieved for waiting in batch])
            except Exception as error:  # noqa: BLE001 - the lane must outlive what it is thrown
                log.warning("quarantine.not_kept", size=len(batch), error=type(error).__name__)
                answers = ["full"] * len(batch)
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.kept.done():
                    waiting.kept.set_result(answer)
                self._queue.task_done()
            ended_at = asyncio.get_running_loop().time()

    async def _write(self, batch: Sequence[Unbelieved]) -> list[Kept]:
        answers: list[Kept] = ["kept"] * len(batch)
        by_merchant: dict[int, list[int]] = {}
        for position, one in enumerate(batch):
            by_merchant.setdefault(one.merchant.id, []).append(position)
        for positions in by_merchant.values():
            calls = [batch[position] for position in positions]
            async with transaction(self._engine) as connection:
                found = await self._write_merchant(connection, calls[0].merchant, calls)
            for position, answer in zip(positions, found, strict=True):
                answers[position] = answer
        return answers

    async def _write_merchant(
        self, connection: AsyncConnection, merchant: Merchant, calls: Sequence[Unbelieved]
    ) -> list[Kept]:
        now = self._clock()
        names = {name for one in calls for name in one.names}
        orders = await shelves.find_orders(connection, merchant, names, now) if names else {}
        about = [None if one.authentic else shelves.shelf_of(one, orders) for one in calls]
        if any(shelf is not None for shelf in about):
            # Counted again under a lock: two processes fill the shelf of one order by turns.
            await lock(connection, [lock_key("quarantine", merchant.id)])
            orders = await shelves.find_orders(connection, merchant, names, now)
            about = [None if one.authentic else shelves.shelf_of(one, orders) for one in calls]
        answers: list[Kept] = []
        rows: list[Shelved] = []
        full: dict[str, Shelf] = {}
        for one, shelf in zip(calls, about, strict=True):
            if shelf is not None and shelf.full:
                full[shelf.reference] = shelf
                answers.append("full")
            elif shelf is not None:
                shelf.kept += 1
                rows.append(Shelved(unbelieved=one, lane="order", reference=shelf.reference))
                answers.append("kept")
            elif one.authentic:
                rows.append(Shelved(unbelieved=one, lane="stuck"))
                answers.append("kept")
            elif not one.names or self._ring.take(merchant.id):
                rows.append(Shelved(unbelieved=one, lane="ring"))
                answers.append("kept")
            else:
                answers.append("dropped")
        if rows and all(row.lane == "ring" for row in rows):
            await connection.execute(shelves.NO_HURRY)
        await shelves.keep(connection, self._sealer, merchant, rows, now)
        await self._alarm(connection, merchant, full, now)
        return answers

    async def _alarm(
        self,
        connection: AsyncConnection,
        merchant: Merchant,
        full: dict[str, Shelf],
        now: datetime,
    ) -> None:
        """A case for each order whose shelf is full; asked for once, whatever still comes."""
        fresh = [one for one in full.values() if (merchant.id, one.reference) not in self._alarmed]
        if not fresh:
            return
        log.error("quarantine.order_full", merchant=merchant.merchant, orders=len(fresh))
        await shelves.alarm(connection, merchant, fresh, now)
        if len(self._alarmed) > ALARMS_REMEMBERED:
            self._alarmed.clear()
        self._alarmed |= {(merchant.id, one.reference) for one in fresh}
