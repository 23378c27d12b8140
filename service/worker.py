"""The loop beside the calls: places events, turns days, sums books, asks, takes up what was left.

Several workers may run at once: whoever holds a book's row does its work, the others pass on.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import days
from ledger.accounts import business_day
from ledger.errors import DayIsOver, LedgerError
from service import outbox
from service.asking.asker import Asker, askable
from service.asking.pulling import Puller, pullable
from service.intake import replaying
from service.intake.intake import Intake
from service.outbound import Outbound
from service.outbox.relay import EVENTS_PER_TURN
from service.reconciliation import leftovers
from service.refunds import sending
from service.remittance import calendar, lateness
from service.sealing import Sealer
from service.settings import WEAK_LIMIT_VND, Settings
from service.web import idempotency

PLACE_EVERY_S: Final = 0.2
TURN_DAY_EVERY_S: Final = 5.0
CHECKPOINT_EVERY_S: Final = 120.0
PURGE_EVERY_S: Final = 600.0
ASK_EVERY_S: Final = 5.0
HEAR_LATE_EVERY_S: Final = 60.0
PULL_EVERY_S: Final = 30.0
"""How often it is looked whether a list is due; see service.asking.pulling.PULL_EVERY."""
AFTER_FAILURE_S: Final = 2.0
TURNS_MAX: Final = 100
"""Groups of events placed for one book before the next book has its turn."""
BOOKS_MAX: Final = 10_000
STOP_WITHIN_S: Final = 20.0

WAITING = sa.text("""
    select distinct book_id from service.outbox where position is null
    order by book_id limit :limit
""")

BEHIND = sa.text("""
    select book_id from ledger.open_day where day < :today order by book_id limit :limit
""")

# A book whose open segment has postings, or whose closed segments are not summed yet.
UNSUMMED = sa.text("""
    select book.book_id from ledger.book as book
    where exists (
        select from ledger.entry as entry
        where entry.book_id = book.book_id and entry.segment > coalesce((
            select max(checkpoint.segment) from ledger.checkpoint as checkpoint
            where checkpoint.book_id = book.book_id), 0))
    order by book.book_id limit :limit
""")

log = structlog.get_logger(__name__)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do again and again; `do` gives how much was done."""

    name: str
    every_s: float
    do: Callable[[], Awaitable[int]]


def errands(
    settings: Settings, engine: AsyncEngine, intake: Intake, outbound: Outbound
) -> tuple[Task, ...]:
    """What needs a way to the providers; one loop for each, so that none waits for another's."""
    found: list[Task] = []
    if settings.ask_providers:
        asker = Asker(engine, intake, outbound)
        found += [
            Task(name=f"ask {name}", every_s=ASK_EVERY_S, do=partial(asker.ask_due, name))
            for name in askable()
        ]
        found.append(Task(name="hear late", every_s=HEAR_LATE_EVERY_S, do=asker.hear_late))
    if settings.pull_feeds:
        puller = Puller(engine, intake, outbound)
        found += [
            Task(name=f"pull {name}", every_s=PULL_EVERY_S, do=partial(puller.pull_due, name))
            for name in pullable()
        ]
    return tuple(found)


class Worker:
    """Start it in a running loop; close it to finish what is under way and end."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        errands: Sequence[Task] = (),
        weak_limit_vnd: int = WEAK_LIMIT_VND,
        outbound: Outbound | None = None,
        remittance_rules: str = "",
    ) -> None:
        self._errands = tuple(errands)
        self._weak_limit_vnd = weak_limit_vnd
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._outbound = outbound
        self._remittance_rules = remittance_rules
        self._stop = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What this worker does, each in a loop of its own."""
        return (
            Task(name="place events", every_s=PLACE_EVERY_S, do=self.place),
            Task(name="turn days", every_s=TURN_DAY_EVERY_S, do=self.turn_days),
            Task(name="sum books", every_s=CHECKPOINT_EVERY_S, do=self.checkpoint),
            Task(name="forget answers", every_s=PURGE_EVERY_S, do=self.purge),
            Task(name="take up leftovers", every_s=leftovers.EVERY_S, do=self.take_up),
            Task(name="refund", every_s=sending.EVERY_S, do=self.refund),
            Task(name="look for late remittances", every_s=lateness.EVERY_S, do=self.late),
            Task(name="tell overdue", every_s=leftovers.OVERDUE_EVERY_S, do=self.tell_overdue),
            Task(name="try stuck calls", every_s=replaying.STUCK_EVERY_S, do=self.try_stuck),
            Task(name="forget calls", every_s=replaying.FORGET_EVERY_S, do=self.forget_calls),
            *self._errands,
        )

    def start(self) -> None:
        """Begin all loops."""
        self._running = [
            asyncio.create_task(self._loop(task), name=f"worker: {task.name}")
            for task in self.tasks
        ]

    async def close(self) -> None:
        """Let each loop finish what it is doing; cancel what takes longer than STOP_WITHIN_S."""
        self._stop.set()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=STOP_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._running = []

    async def wait(self) -> None:
        """Until the loops have ended."""
        await asyncio.gather(*self._running)

    async def _loop(self, task: Task) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            pause_s = task.every_s
            try:
                done = await task.do()
            except (SQLAlchemyError, LedgerError, OSError, TimeoutError) as error:
                log.warning("worker failed", task=task.name, exc_info=error)
                pause_s = max(pause_s, AFTER_FAILURE_S)
            except Exception:  # a loop that ends is missed by nobody until money is
                log.exception("worker defect", task=task.name)
                pause_s = max(pause_s, AFTER_FAILURE_S)
            else:
                if done:
                    spent_ms = round((time.monotonic() - started) * 1000, 1)
                    log.debug("worker", task=task.name, done=done, duration_ms=spent_ms)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)

    async def _books(self, statement: sa.TextClause, **parameters: object) -> list[int]:
        async with self._engine.connect() as connection:
            found = await connection.scalars(statement, {"limit": BOOKS_MAX, **parameters})
            return [int(book_id) for book_id in found]

    async def place(self) -> int:
        """Give positions to all events that have committed; how many."""
        placed = 0
        for book_id in await self._books(WAITING):
            for _ in range(TURNS_MAX):
                async with self._engine.begin() as connection:
                    count = await outbox.place(connection, book_id)
                placed += count
                if count < EVENTS_PER_TURN or self._stop.is_set():
                    break
        return placed

    async def turn_days(self) -> int:
        """Open the calendar's day in every book that is behind; how many days were closed."""
        today = business_day(self._clock())
        turned = 0
        for book_id in await self._books(BEHIND, today=today):
            with contextlib.suppress(DayIsOver):  # another worker was first
                async with self._engine.begin() as connection:
                    turned += await days.turn_day(connection, book_id, today) is not None
        return turned

    async def checkpoint(self) -> int:
        """Sum what was posted since the last checkpoint, book by book; how many books."""
        summed = 0
        for book_id in await self._books(UNSUMMED):
            async with self._engine.begin() as connection:
                summed += await days.checkpoint(connection, book_id) is not None
        return summed

    async def refund(self) -> int:
        """Tell providers to give back what was approved, or ask what became of it; how many."""
        if self._outbound is None:
            return 0
        sender = sending.Sender(self._engine, self._sealer, self._outbound, self._clock)
        return await sender.work()

    async def late(self) -> int:
        """Open and end cases of fees that should be with the budget; how many are late."""
        rules = calendar.rules(self._remittance_rules)
        return await lateness.look(self._engine, rules, self._clock())

    async def take_up(self) -> int:
        """Finish imports and runs that a killed process left; how many."""
        return await leftovers.take_up(self._engine, self._sealer)

    async def try_stuck(self) -> int:
        """Judge stuck calls again whose time has come; how many came back."""
        return await replaying.retry_stuck(self._engine, self._sealer, self._weak_limit_vnd)

    async def forget_calls(self) -> int:
        """Remove unbelieved calls after their time; how many."""
        forgotten = 0
        for _ in range(TURNS_MAX):
            async with self._engine.begin() as connection:
                count = await replaying.forget_old(connection, self._clock())
            forgotten += count
            if count < replaying.FORGOTTEN_AT_ONCE:
                break
        return forgotten

    async def tell_overdue(self) -> int:
        """Name what providers owe beyond its due day; how many new cases."""
        return await leftovers.tell_overdue(self._engine, self._clock())

    async def purge(self) -> int:
        """Forget answers that nobody will ask for again; how many."""
        forgotten = 0
        for _ in range(TURNS_MAX):
            async with self._engine.begin() as connection:
                count = await idempotency.purge(connection, self._clock())
            forgotten += count
            if count < idempotency.PURGED_AT_ONCE:
                break
        return forgotten
