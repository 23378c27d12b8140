"""Read the lists of bank feeds that have one: what a webhook did not tell, and each day's end.

How far a list was read is a row per merchant, moved on only after what was read is committed. A
transaction that a webhook told already is a repeat.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import BUSINESS_ZONE, business_day
from providers import Call, Claim, Outcome, Pulled, PullsTransactions
from providers.catalog import CATALOG
from service.asking import figures, unread
from service.asking.answering import NoAnswer, ask, part_of, parts
from service.asking.questions import LEASE, PROBLEM_CHARS_MAX
from service.database import transaction
from service.intake.group_commit import utc_now
from service.intake.intake import Intake
from service.merchants import Merchant
from service.outbound import Outbound

PULL_EVERY: Final = timedelta(minutes=5)
"""Webhooks come within seconds where they come; this is how late a lost one may be."""
AFTER_MIDNIGHT: Final = timedelta(minutes=10)
"""One more pull soon after a day in Vietnam has ended, so that it can be closed."""
UNREAD_AFTER: Final = timedelta(hours=2)
"""How long a list may stay unread before somebody is told."""
PAGES_MAX: Final = 50
"""Pages of one merchant in one go; the next one goes on from there."""
CLAIMS_AT_ONCE: Final = 200
"""Transactions of a page that are booked together."""
AT_ONCE_MAX: Final = 4
DIGEST_BYTES: Final = 16

ADD: Final = sa.text("""
    insert into service.pull (book_id, merchant_id, next_at)
    select book_id, merchant_id, :now
    from unnest(cast(:books as integer[]), cast(:merchants as integer[]))
        as told (book_id, merchant_id)
    on conflict do nothing
""")

TAKE: Final = sa.text("""
    update service.pull as pull set leased_until = :until
    from (select own.book_id, own.merchant_id from service.pull as own
          where own.book_id = :book_id and own.merchant_id = :merchant_id and own.next_at <= :now
            and (own.leased_until is null or own.leased_until <= :now)
          for no key update skip locked) as free
    where pull.book_id = free.book_id and pull.merchant_id = free.merchant_id
    returning pull.position, pull.told
""")

MOVE: Final = sa.text("""
    update service.pull set position = :position, told = :told, leased_until = :until
    where book_id = :book_id and merchant_id = :merchant_id and position = :before
    returning merchant_id
""")

# Since when the list is unread: one that never was, since there is the merchant.
DONE: Final = sa.text("""
    update service.pull as pull
    set next_at = :next_at, leased_until = null, last_problem = :problem, told = :told,
        pulled_at = case when cast(:problem as text) is null then :now else pull.pulled_at end
    from service.merchant as merchant
    where pull.book_id = :book_id and pull.merchant_id = :merchant_id
      and merchant.id = pull.merchant_id
    returning coalesce(pull.pulled_at, merchant.created_at)
""")

OPENED: Final = sa.text("select opened_at from ledger.book where book_id = :book_id")

log = structlog.get_logger(__name__)


def pullable() -> list[str]:
    """The providers of the catalogue that have a list."""
    return [name for name, adapter in CATALOG.items() if isinstance(adapter, PullsTransactions)]


def next_pull(now: datetime) -> datetime:
    """When a list is read next: before long, and in any case soon after the day's end."""
    ends = business_day(now - AFTER_MIDNIGHT) + timedelta(days=1)
    soon_after_it = datetime.combine(ends, time(), BUSINESS_ZONE) + AFTER_MIDNIGHT
    return min(now + PULL_EVERY, soon_after_it.astimezone(UTC))


class Puller:
    """Reads lists; one per process. The clock is injected: nothing here sleeps."""

    def __init__(
        self,
        engine: AsyncEngine,
        intake: Intake,
        outbound: Outbound,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._outbound = outbound
        self._clock = clock

    async def pull_due(self, provider: str) -> int:
        """Read what is new in the lists of all merchants of `provider`; how many transactions."""
        adapter = CATALOG[provider]
        if not isinstance(adapter, PullsTransactions):
            return 0
        every = await self._intake.directory.every(provider)
        if not every:
            return 0
        async with transaction(self._engine) as connection:
            row = {
                "books": [one.book_id for one in every],
                "merchants": [one.id for one in every],
                "now": self._clock(),
            }
            await connection.execute(ADD, row)
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def in_turn(merchant: Merchant) -> int:
            async with slots:
                return await self._pull(merchant, adapter)

        found = await asyncio.gather(*map(in_turn, every), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in found if isinstance(one, int))

    async def _pull(self, merchant: Merchant, adapter: PullsTransactions) -> int:
        """Read one merchant's list from where it was left, page by page."""
        key = {"book_id": merchant.book_id, "merchant_id": merchant.id}
        now = self._clock()
        async with transaction(self._engine) as connection:
            row = key | {"now": now, "until": now + LEASE}
            taken = (await connection.execute(TAKE, row)).one_or_none()
            since = await connection.scalar(OPENED, {"book_id": merchant.book_id})
        if taken is None:
            return 0  # not due, or another worker reads it
        reading = _Reading(merchant, adapter, since, str(taken.position), bytes(taken.told))
        problem, agreed = None, True
        try:
            for _ in range(PAGES_MAX):
                following = await self._page(reading)
                if following is None or following == reading.position:
                    break
                if not await self._moved(key, reading, following):
                    return reading.count  # our lease had ended, and another worker went on
                reading.position = following
        except NoAnswer as why:
            problem = why.why[:PROBLEM_CHARS_MAX]
            # Such as SePay's token: where there is none, there is no list to read.
            agreed = not (why.unmade and merchant.absent_keys)
            figures.PULL_PROBLEMS.labels(merchant.provider).inc()
        now = self._clock()
        done = {"now": now, "next_at": next_pull(now), "problem": problem, "told": reading.told}
        async with transaction(self._engine) as connection:
            read_at = await connection.scalar(DONE, key | done)
            if problem is None or not agreed:
                await unread.end(connection, merchant.book_id, merchant.id, "read again", now)
            elif read_at is not None and now - read_at >= UNREAD_AFTER:
                await unread.tell(connection, merchant, problem, read_at, now)
        figures.PULLED.labels(merchant.provider).inc(reading.count)
        log.info("pulled", provider=merchant.provider, told=reading.count, problem=problem)
        return reading.count

    async def _page(self, reading: "_Reading") -> str | None:
        """Book what is new on one page; where the next one begins."""
        merchant, adapter = reading.merchant, reading.adapter
        page, call = await ask(
            self._outbound,
            merchant.provider,
            lambda: adapter.pull_request(reading.position, merchant.terms, self._clock()),
            lambda body: _Page(adapter.read_pull(body, merchant.terms)),
            repeatable=True,
        )
        known = set(_pieces(reading.told))
        named = {_digest(one): one for one in page.pulled.claims if _concerns(one, reading.since)}
        news = [one for digest, one in named.items() if digest not in known]
        await self._tell(merchant, call, news)
        reading.told = b"".join(named)
        reading.count += len(news)
        return page.pulled.next_position

    async def _tell(self, merchant: Merchant, call: Call, claims: Sequence[Claim]) -> None:
        for number, part in enumerate(parts(claims, CLAIMS_AT_ONCE)):
            outcome = await self._intake.tell(merchant, part_of(call, number), part)
            if outcome is Outcome.TRY_AGAIN:
                raise NoAnswer("the answer could not be booked yet")

    async def _moved(self, key: dict[str, int], reading: "_Reading", position: str) -> bool:
        row = {
            "before": reading.position,
            "position": position,
            "told": reading.told,
            "until": self._clock() + LEASE,
        }
        async with transaction(self._engine) as connection:
            return await connection.scalar(MOVE, key | row) is not None


@dataclass(slots=True)
class _Reading:
    """One merchant's list while it is read."""

    merchant: Merchant
    adapter: PullsTransactions
    since: datetime | None
    position: str
    told: bytes
    """Digests of the page that was read last: a last page grows, and pages may overlap."""
    count: int = 0


class _Page(msgspec.Struct, frozen=True):
    """A page that was read; one of no transactions is still an answer."""

    pulled: Pulled


def _digest(claim: Claim) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(claim), digest_size=DIGEST_BYTES).digest()


def _pieces(told: bytes) -> list[bytes]:
    return [told[first : first + DIGEST_BYTES] for first in range(0, len(told), DIGEST_BYTES)]


def _concerns(claim: Claim, since: datetime | None) -> bool:
    """Whether a transaction is of the time of the book: what was before stands in its opening."""
    if claim.happened_at is None or since is None:
        return True
    return business_day(claim.happened_at) >= business_day(since)
