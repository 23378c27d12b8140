"""Judge kept calls again, by the way of a live call: with today's secrets, at their own time.

A call that is believed now is booked, or known already; one that is not stays as it was. Whatever
is done twice is a repeat.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from providers import Call, Outcome, Rejected
from service.database import transaction
from service.intake.deliveries import Delivery, believe
from service.intake.directory import Directory
from service.intake.group_commit import Committer, utc_now
from service.intake.shelves import ORDER_KEPT_FOR, Lane, context_of
from service.payments.cases import resolve_cases
from service.sealing import KeyDropped, SealBroken, Sealer
from service.settings import WEAK_LIMIT_VND

LANES: Final[tuple[Lane, ...]] = ("order", "ring", "stuck")
PAGE: Final = 200
STUCK_TRIES_MAX: Final = 30
STUCK_AFTER_MAX_S: Final = 21_600
"""A stuck call is tried after 1, 2, 4, … minutes, then every six hours: for about a week."""
STUCK_EVERY_S: Final = 30.0
FORGET_EVERY_S: Final = 3_600.0
FORGOTTEN_AT_ONCE: Final = 1_000

log = structlog.get_logger(__name__)

_PAGE_OF_CALLS: Final = """
    select kept.book_id, kept.id, kept.lane, kept.received_at, kept.sealed, merchant.provider,
           merchant.merchant
    from service.quarantine as kept
    join service.merchant as merchant on merchant.id = kept.merchant_id
    where (kept.book_id, kept.id) > (:after_book, :after_id) and kept.replayed_at is null
      and kept.lane = LANES and merchant.disabled_at is null
      and (cast(:provider as text) is null or merchant.provider = :provider)
      and (cast(:merchant as text) is null or merchant.merchant = :merchant)
      and (cast(:since as timestamptz) is null or kept.received_at >= :since)
      and (not :due or (kept.tries < :tries_max and coalesce(kept.tried_at, kept.received_at)
           + least(60 * power(2, kept.tries), :after_max) * interval '1 second' <= :now))
    order by kept.book_id, kept.id limit :page
"""
PAGE_OF_CALLS = sa.text(_PAGE_OF_CALLS.replace("= LANES", "= any(cast(:lanes as text[]))"))
# Said literally, so that the small index of stuck calls is enough.
PAGE_OF_STUCK = sa.text(
    _PAGE_OF_CALLS.replace("= LANES", "= 'stuck' and 'stuck' = any(cast(:lanes as text[]))")
)

CAME_BACK = sa.text("""
    update service.quarantine as kept set replayed_at = :now, tries = tries + 1
    from unnest(cast(:books as integer[]), cast(:ids as uuid[])) as told (book_id, id)
    where kept.book_id = told.book_id and kept.id = told.id
""")

TRIED = sa.text("""
    update service.quarantine as kept set tried_at = :now, tries = tries + 1
    from unnest(cast(:books as integer[]), cast(:ids as uuid[])) as told (book_id, id)
    where kept.book_id = told.book_id and kept.id = told.id
""")

# The ring turns by itself; what came back is kept as a believed call.
FORGET = sa.text("""
    delete from service.quarantine as old
    using (select book_id, id from service.quarantine
           where received_at < :before and (lane = 'order' or replayed_at is not null)
           order by received_at limit :limit) as gone
    where old.book_id = gone.book_id and old.id = gone.id
    returning old.id
""")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to judge again; None: all. `due`: only stuck ones whose next try has come."""

    provider: str | None = None
    merchant: str | None = None
    since: datetime | None = None
    lanes: tuple[Lane, ...] = LANES
    due: bool = False


class Replayed(msgspec.Struct, kw_only=True):
    """What came of it so far."""

    judged: int = 0
    booked: int = 0
    """Believed, and not known before."""
    repeats: int = 0
    """Believed, and known already."""
    unbelieved: int = 0
    """Still not believed, or not readable: as they were."""
    waiting: int = 0
    """Believed, and cannot be booked yet: as they were."""
    erased: int = 0
    """Their month's key was dropped: nobody can read them any more."""

    @property
    def came_back(self) -> int:
        """Calls that count now."""
        return self.booked + self.repeats


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    book_id: int
    id: UUID
    lane: Lane
    received_at: datetime
    sealed: bytes
    provider: str
    merchant: str


REPEATED: Final = frozenset({Outcome.REPEAT, Outcome.REPEAT_OF_PAID, Outcome.UNKNOWN_AGAIN})


class Replay:
    """One pass over the kept calls; `async with` opens and ends its own way to the books."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        *,
        weak_limit_vnd: int = WEAK_LIMIT_VND,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._directory = Directory(engine, sealer, weak_limit_vnd=weak_limit_vnd)
        self._committer = Committer(engine, sealer, self._directory, clock)

    async def run(
        self,
        wanted: Wanted,
        *,
        dry_run: bool = False,
        told: Callable[[Replayed], None] = lambda _: None,
    ) -> Replayed:
        """Judge what is `wanted`, page by page; `told` hears how far it is.

        Each page is committed by itself: a pass that was killed is simply run again.
        """
        done = Replayed()
        self._committer.start()
        try:
            after = (0, UUID(int=0))
            while True:
                page = await self._page(wanted, after)
                if not page:
                    return done
                after = (page[-1].book_id, page[-1].id)
                await self._judge(page, done, dry_run=dry_run)
                told(done)
        finally:
            await self._committer.close()

    async def _page(self, wanted: Wanted, after: tuple[int, UUID]) -> list[_Kept]:
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                PAGE_OF_STUCK if wanted.lanes == ("stuck",) else PAGE_OF_CALLS,
                {
                    "after_book": after[0],
                    "after_id": after[1],
                    "lanes": list(wanted.lanes),
                    "provider": wanted.provider,
                    "merchant": wanted.merchant,
                    "since": wanted.since,
                    "due": wanted.due,
                    "tries_max": STUCK_TRIES_MAX,
                    "after_max": STUCK_AFTER_MAX_S,
                    "now": self._clock(),
                    "page": PAGE,
                },
            )
            page = [msgspec.convert(row._asdict(), _Kept) for row in rows]
            await self._sealer.prepare_open(connection, [(one.book_id, one.sealed) for one in page])
        return page

    async def _judge(self, page: Sequence[_Kept], done: Replayed, *, dry_run: bool) -> None:
        believed: list[tuple[_Kept, Delivery]] = []
        failed: list[_Kept] = []
        for one in page:
            done.judged += 1
            try:
                delivery = await self._believe(one)
            except (KeyDropped, SealBroken):
                done.erased += 1
                continue
            except Rejected:
                delivery = None
            if delivery is None:
                done.unbelieved += 1
                failed.append(one)
            else:
                believed.append((one, delivery))
        if dry_run:
            done.booked += len(believed)
            return
        outcomes = await asyncio.gather(*(self._committer.take(each) for _, each in believed))
        back: list[_Kept] = []
        for (one, _), outcome in zip(believed, outcomes, strict=True):
            if outcome is Outcome.TRY_AGAIN:
                done.waiting += 1
                failed.append(one)
                continue
            back.append(one)
            if outcome in REPEATED:
                done.repeats += 1
            else:
                done.booked += 1
        await self._remember(back, [one for one in failed if one.lane == "stuck"])

    async def _believe(self, one: _Kept) -> Delivery | None:
        """The call as a delivery; None where nobody of that name may call. Raises Rejected."""
        raw = self._sealer.open(one.book_id, context_of(one.id), one.sealed)
        merchant = await self._directory.merchant(one.provider, one.merchant)
        if merchant is None:
            return None
        return believe(merchant, msgspec.msgpack.decode(raw, type=Call), one.received_at)

    async def _remember(self, back: Sequence[_Kept], stuck: Sequence[_Kept]) -> None:
        now = self._clock()
        async with transaction(self._engine) as connection:
            for statement, rows in ((CAME_BACK, back), (TRIED, stuck)):
                if rows:
                    await connection.execute(
                        statement,
                        {
                            "books": [one.book_id for one in rows],
                            "ids": [one.id for one in rows],
                            "now": now,
                        },
                    )
            ended = [(one.book_id, one.id, "replayed") for one in back]
            await resolve_cases(connection, ended, now)


async def retry_stuck(engine: AsyncEngine, sealer: Sealer, weak_limit_vnd: int) -> int:
    """Try again what could not be booked and is due; how many came back."""
    replay = Replay(engine, sealer, weak_limit_vnd=weak_limit_vnd)
    done = await replay.run(Wanted(lanes=("stuck",), due=True))
    if done.judged:
        log.info("intake.stuck_tried", judged=done.judged, came_back=done.came_back)
    return done.came_back


async def forget_old(connection: AsyncConnection, now: datetime) -> int:
    """Remove unbelieved calls about orders after ORDER_KEPT_FOR; at most FORGOTTEN_AT_ONCE."""
    before: datetime = now - ORDER_KEPT_FOR
    rows = await connection.scalars(FORGET, {"before": before, "limit": FORGOTTEN_AT_ONCE})
    return len(rows.all())
