"""Commit calls that arrive together in one transaction, and answer each with its own outcome.

While one group commits the next one gathers: under load a commit is shared, at rest nobody waits.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Outcome
from service.database import sqlstate, transaction
from service.intake import figures, inbox, shelves
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.sealing import Sealer

GROUP_MAX: Final = 256
QUEUE_MAX: Final = 4_096
"""Calls that may wait; the next one is told to try again at once."""
ANSWER_WITHIN_S: Final = 5.0
LANES: Final = 2
"""Groups of one process that may be under way at once: one commits while another computes."""

AWAY: Final = re.compile(r"^(08|53|57P)")
"""No connection, no room, shutting down (SQLSTATE)."""
LOCKED: Final = re.compile(r"^(55P03|40001|40P01)")
"""Somebody else held a row for too long, or waited for us in a circle."""

log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    delivery: Delivery
    outcome: asyncio.Future[Outcome]


def _is_away(error: Exception) -> bool:
    gone = sa.exc.InterfaceError | sa.exc.OperationalError | sa.exc.TimeoutError
    return isinstance(error, gone | asyncpg.InterfaceError | OSError) or bool(
        AWAY.match(sqlstate(error))
    )


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


class Committer:
    """The queue before the books; one per process."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        directory: Directory,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._directory = directory
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE_MAX)
        self._lanes: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        """Open the lanes; needs a running loop."""
        self._lanes = [asyncio.create_task(self._lane()) for _ in range(LANES)]

    async def close(self) -> None:
        """Finish what waits, then stop; later calls are told to try again."""
        self._closing = True
        await self._queue.join()
        for lane in self._lanes:
            lane.cancel()
        for lane in self._lanes:
            with contextlib.suppress(asyncio.CancelledError):
                await lane

    async def take(self, delivery: Delivery) -> Outcome:
        """The outcome of a call, after the group it joined has committed.

        TRY_AGAIN where the queue is full, the database is away, the fate of the commit is unknown,
        or no answer is there within ANSWER_WITHIN_S (the call may be booked all the same: its
        repeat will be told so).
        """
        if self._closing:
            return Outcome.TRY_AGAIN
        waiting = _Waiting(delivery, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            return Outcome.TRY_AGAIN
        try:
            return await asyncio.wait_for(waiting.outcome, ANSWER_WITHIN_S)
        except TimeoutError:
            return Outcome.TRY_AGAIN

    async def _lane(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP_MAX and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                outcomes = await self._outcomes([waiting.delivery for waiting in group])
            except Exception:  # the lane must outlive whatever one group holds
                log.exception("intake.group_failed", size=len(group))
                outcomes = [Outcome.TRY_AGAIN] * len(group)
            for waiting, outcome in zip(group, outcomes, strict=True):
                if not waiting.outcome.done():
                    waiting.outcome.set_result(outcome)
                self._queue.task_done()

    async def _outcomes(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        figures.GROUP_SIZE.observe(len(deliveries))
        try:
            return await self._commit(deliveries)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must not suffer
            if _is_away(error):
                log.warning("intake.database_away", error=type(error).__name__)
                return [Outcome.TRY_AGAIN] * len(deliveries)
            if len(deliveries) == 1:
                if LOCKED.match(sqlstate(error)):  # nothing is wrong with the call
                    log.warning("intake.locked", error=type(error).__name__)
                    return [Outcome.TRY_AGAIN]
                return [await self._isolate(deliveries[0], error)]
            log.warning("intake.group_split", size=len(deliveries), error=type(error).__name__)
        # Something in this group cannot be booked: alone, each of the others can.
        return [(await self._outcomes([one]))[0] for one in deliveries]

    async def _commit(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        async with transaction(self._engine) as connection:
            return await inbox.commit_group(
                connection,
                deliveries,
                directory=self._directory,
                sealer=self._sealer,
                now=self._clock(),
            )

    async def _isolate(self, delivery: Delivery, error: Exception) -> Outcome:
        """A believed call that cannot be booked is kept, seen by people, and asked for again."""
        log.error("intake.call_stuck", call=str(delivery.id), error=type(error).__name__)
        now = self._clock()
        try:
            async with transaction(self._engine) as connection:
                await shelves.keep_stuck(
                    connection,
                    self._sealer,
                    delivery.merchant,
                    delivery.call,
                    why=type(error).__name__,
                    now=now,
                )
        except Exception:  # what cannot even be kept must not keep the others from being booked
            log.exception("intake.call_not_kept", call=str(delivery.id))
        return Outcome.TRY_AGAIN
