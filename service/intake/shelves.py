"""Where calls that are not believed, or cannot be booked, are kept: three lanes of one table.

Each function works in the caller's transaction. What is kept is sealed like every other call.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from providers import Call, Hint
from service.intake import figures
from service.merchants import Merchant
from service.payments.cases import open_cases
from service.payments.sightings import Case
from service.references import memo as memos
from service.references import payment_reference
from service.sealing import Sealer

ORDER_CALLS_MAX: Final = 20
ORDER_KEPT_FOR: Final = timedelta(days=60)
RING_BYTES_MAX: Final = 1_000_000
CALL_BYTES_MAX: Final = 65_536
"""More of an unbelieved call is not kept."""
HEADERS_MAX: Final = 100
NAMES_MAX: Final = 4
"""Names of orders that are looked up for one call."""

Lane: TypeAlias = Literal["order", "ring", "stuck"]

# Open orders that unbelieved calls name, with how many such calls are kept and the first of them.
ORDERS = sa.text("""
    with named as (
        select told.name, request.* from unnest(cast(:names as text[])) as told (name)
        join service.payment_request as request
          on request.book_id = any(cast(:serves as integer[])) and request.reference = told.name
        union
        select told.name, request.* from unnest(cast(:names as text[])) as told (name)
        join service.payment_request as request
          on request.book_id = any(cast(:serves as integer[])) and request.order_code = told.name
    )
    select named.name, named.reference, named.amount_vnd, shelf.kept, shelf.first_id
    from named
    cross join lateral (
        select count(*) as kept, (array_agg(kept.id order by kept.id))[1] as first_id
        from service.quarantine as kept
        where kept.book_id = :book_id and kept.reference = named.reference
          and kept.lane = 'order' and kept.replayed_at is null and kept.received_at > :since
    ) as shelf
    where exists (
        select from service.payment_request_notice as asked
        join service.notice_state as state
          on state.book_id = asked.book_id and state.notice_id = asked.notice_id
        where asked.book_id = named.book_id and asked.reference = named.reference
          and state.outstanding_vnd > 0)
""")

KEEP = sa.text("""
    insert into service.quarantine
        (book_id, id, merchant_id, lane, reference, why, received_at, size_bytes, digest, sealed)
    select :book_id, told.id, :merchant_id, told.lane, told.reference, told.why, told.received_at,
           length(told.sealed), told.digest, told.sealed
    from unnest(cast(:ids as uuid[]), cast(:lanes as text[]), cast(:references as text[]),
                cast(:whys as text[]), cast(:times as timestamptz[]), cast(:digests as bytea[]),
                cast(:sealed as bytea[]))
        as told (id, lane, reference, why, received_at, digest, sealed)
    on conflict (book_id, merchant_id, digest) where lane = 'stuck' and replayed_at is null
        do nothing
    returning id
""")

# The ring may lose its newest calls with the machine: it loses its oldest all the time.
NO_HURRY = sa.text("set local synchronous_commit = off")

TURN = sa.text("""
    delete from service.quarantine as old
    using (select id from (
               select id, sum(size_bytes) over (order by id desc) as total
               from service.quarantine
               where book_id = :book_id and merchant_id = :merchant_id and lane = 'ring') as ring
           where total > :bytes_max) as gone
    where old.book_id = :book_id and old.id = gone.id
""")


class Unbelieved(msgspec.Struct, frozen=True, kw_only=True):
    """A call with what the adapter said against it."""

    merchant: Merchant
    call: Call
    why: str
    hint: Hint | None
    authentic: bool
    received_at: datetime
    names: tuple[str, ...] = ()
    """What it may call an order of ours (see `names_of`)."""


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """A call with the lane it is to be kept in, and the order it names."""

    unbelieved: Unbelieved
    lane: Lane
    reference: str | None = None


class Shelf(msgspec.Struct, kw_only=True):
    """An open order that calls name, and how many of them are kept."""

    reference: str
    amount_vnd: int
    kept: int
    first_id: UUID | None

    @property
    def full(self) -> bool:
        """Whether no more calls about the order are kept."""
        return self.kept >= ORDER_CALLS_MAX


def names_of(hint: Hint | None) -> tuple[str, ...]:
    """What a call may call an order of ours: as it says, and as our own references in it.

    None where it can be about no order: then it surely belongs to the ring.
    """
    if hint is None or hint.amount_vnd is None:
        return ()
    names: dict[str, None] = {}
    parsed = None
    if hint.reference:
        names[hint.reference] = None
        parsed = payment_reference.parse(hint.reference)
        if parsed is not None:
            names[parsed.text] = None
    if parsed is None and hint.memo:
        names |= dict.fromkeys(memos.scan(hint.memo).references)
    return tuple(names)[:NAMES_MAX]


async def find_orders(
    connection: AsyncConnection, merchant: Merchant, names: Iterable[str], now: datetime
) -> Mapping[str, Shelf]:
    """The open orders of a merchant's books that are called so, by name."""
    found = await connection.execute(
        ORDERS,
        {
            "book_id": merchant.book_id,
            "serves": sorted(merchant.serves),
            "names": sorted(set(names)),
            "since": now - ORDER_KEPT_FOR,
        },
    )
    by_reference: dict[str, Shelf] = {}
    by_name: dict[str, Shelf] = {}
    for row in found:
        by_name[row.name] = by_reference.setdefault(
            row.reference,
            Shelf(
                reference=row.reference,
                amount_vnd=row.amount_vnd,
                kept=row.kept,
                first_id=row.first_id,
            ),
        )
    return by_name


def shelf_of(unbelieved: Unbelieved, orders: Mapping[str, Shelf]) -> Shelf | None:
    """The order a call may truly be about: it names it, with the right amount."""
    amount_vnd = unbelieved.hint.amount_vnd if unbelieved.hint else None
    shelves = (orders.get(name) for name in unbelieved.names)
    return next((one for one in shelves if one and one.amount_vnd == amount_vnd), None)


async def keep(
    connection: AsyncConnection,
    sealer: Sealer,
    merchant: Merchant,
    rows: Sequence[Shelved],
    now: datetime,
) -> None:
    """Keep calls of one merchant; a stuck one once, with a case for people. Turns the ring."""
    if not rows:
        return
    book_id = merchant.book_id
    await sealer.prepare(connection, [book_id], now)
    ids = [uuid7() for _ in rows]
    calls = [row.unbelieved for row in rows]
    kept = await connection.scalars(
        KEEP,
        {
            "book_id": book_id,
            "merchant_id": merchant.id,
            "ids": ids,
            "lanes": [row.lane for row in rows],
            "references": [row.reference for row in rows],
            "whys": [one.why for one in calls],
            "times": [one.received_at for one in calls],
            "digests": [digest_of(one.call) for one in calls],
            "sealed": [
                sealer.seal(book_id, now, context_of(call_id), _bytes(one.call))
                for call_id, one in zip(ids, calls, strict=True)
            ],
        },
    )
    added = set(kept)
    for row in rows:
        figures.QUARANTINED.labels(row.lane).inc()
    stuck = [
        _stuck_case(merchant, call_id, row.unbelieved)
        for call_id, row in zip(ids, rows, strict=True)
        if row.lane == "stuck" and call_id in added
    ]
    await open_cases(connection, stuck, now)
    if any(row.lane == "ring" for row in rows):
        ring = {"book_id": book_id, "merchant_id": merchant.id, "bytes_max": RING_BYTES_MAX}
        await connection.execute(TURN, ring)


async def keep_stuck(
    connection: AsyncConnection,
    sealer: Sealer,
    merchant: Merchant,
    call: Call,
    *,
    why: str,
    now: datetime,
) -> None:
    """Keep a proven call that could not be read or booked, once, with a case for people."""
    unbelieved = Unbelieved(
        merchant=merchant, call=call, why=why, hint=None, authentic=True, received_at=now
    )
    row = Shelved(unbelieved=unbelieved, lane="stuck")
    await keep(connection, sealer, merchant, [row], now)


async def alarm(
    connection: AsyncConnection, merchant: Merchant, shelves: Iterable[Shelf], now: datetime
) -> None:
    """Open a case about each order of which no more calls are kept; it ends when they are replayed.

    It is about the first call on the shelf.
    """
    cases = [
        Case(
            book_id=merchant.book_id,
            subject_kind="call",
            subject_id=shelf.first_id,
            side="callback",
            reason="CALLS_NOT_BELIEVED",
            provider=merchant.provider,
            external_id=shelf.reference,
            amount_vnd=shelf.amount_vnd,
            happened_at=now,
        )
        for shelf in shelves
        if shelf.first_id is not None
    ]
    await open_cases(connection, cases, now)


def _stuck_case(merchant: Merchant, call_id: UUID, unbelieved: Unbelieved) -> Case:
    hint = unbelieved.hint
    return Case(
        book_id=merchant.book_id,
        subject_kind="call",
        subject_id=call_id,
        side="callback",
        reason="CALL_NOT_BOOKED",
        provider=merchant.provider,
        external_id=(hint.transaction if hint else None) or "",
        amount_vnd=None,
        happened_at=unbelieved.received_at,
    )


def context_of(call_id: UUID) -> bytes:
    """What a kept call is sealed with."""
    return b"service.quarantine:" + call_id.bytes


def digest_of(call: Call) -> bytes:
    """What a repeat of a call has in common with it: not its headers, which may be signed anew."""
    told = (call.method, call.path, call.raw_query, call.body)
    return hashlib.sha256(msgspec.msgpack.encode(told)).digest()


def _bytes(call: Call) -> bytes:
    """The call as it came, cut where it is longer than an honest one ever is."""
    return msgspec.msgpack.encode(
        msgspec.structs.replace(
            call,
            raw_query=call.raw_query[:CALL_BYTES_MAX],
            body=call.body[:CALL_BYTES_MAX],
            headers=call.headers[:HEADERS_MAX],
        )
    )
