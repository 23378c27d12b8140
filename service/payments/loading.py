"""Read, under lock, everything that a group of sightings may change.

Locks are taken in one order by everybody: advisory locks on what could be joined, then notices in
(book, id) order, then money states in (book, id) order, then (in the ledger) the open days. So two
groups never wait for each other in a circle.
"""

import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.payments.sightings import Sighting
from service.payments.state import Item, Movement, Notice, NoticeKey, Placed, Request, Seen, World

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DAYS_AROUND: Final = timedelta(days=1)
REVERSAL_DAYS: Final = timedelta(days=90)
"""How far back an outgoing transfer may point to the credit it reverses."""

SIBLINGS_READ_MAX: Final = 500
"""For each notice that is asked for; a group reads as many as its members would."""

# Two windows may tell of one transfer at the same moment: whoever holds the lock joins first.
LOCK = sa.text("""
    select pg_advisory_xact_lock(told.key)
    from (select key from unnest(cast(:keys as bigint[])) as told (key) order by key) as told
""")

REQUESTS = """
    select request.book_id, request.reference, request.amount_vnd, request.expires_at,
           asked.notice_id
    from unnest($1::integer[], $2::text[]) as told (book_id, reference)
    join service.payment_request as request
      on request.book_id = told.book_id and request.reference = told.reference
    join service.payment_request_notice as asked
      on asked.book_id = request.book_id and asked.reference = request.reference
    order by request.book_id, request.reference, asked.position
"""

BOOK_CODES = """select code, book_id from ledger.book"""

SERVES = """select id, serves from service.merchant where id = any($1::integer[])"""

# Other open notices of the same dossier or of the same payer; with $4 also those that owe nothing
# now, for money that goes out in the same group may open them again.
SIBLINGS = """
    with asked as (
        select notice.book_id, notice.id, notice.dossier_key, notice.payer_key
        from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
        join service.notice on notice.book_id = told.book_id and notice.id = told.id
    ), near as (
        select asked.id as of_id, other.book_id, other.id
        from asked join service.notice as other
          on other.book_id = asked.book_id and other.dossier_key = asked.dossier_key
        union
        select asked.id, other.book_id, other.id
        from asked join service.notice as other
          on other.book_id = asked.book_id and other.payer_key = asked.payer_key
    )
    select of_id, book_id, id
    from (
        select near.of_id, near.book_id, near.id, row_number() over (
                   partition by near.of_id
                   order by state.outstanding_vnd = 0, near.book_id, near.id) as place
        from near
        join service.notice_state as state
          on state.book_id = near.book_id and state.notice_id = near.id
        where near.id <> near.of_id and (state.outstanding_vnd > 0 or $4::boolean)
    ) as other
    where place <= $3
    order by book_id, id
"""

NOTICES = """
    select state.book_id, state.notice_id, notice.dossier_code, state.amount_vnd,
           state.exempted_vnd, state.written_off_vnd, state.paid_vnd, state.refunded_vnd,
           state.held_vnd, state.cancelled_at is not null as cancelled, state.version
    from (select distinct book_id, id from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
          order by 1, 2) as told
    join service.notice_state as state
      on state.book_id = told.book_id and state.notice_id = told.id
    join service.notice on notice.book_id = told.book_id and notice.id = told.id
    order by state.book_id, state.notice_id
    for no key update of state
"""

ITEMS = """
    select item.book_id, item.notice_id, item.id, item.position, item.amount_vnd,
           item.exempted_vnd, item.paid_vnd, item.budget_subsection
    from unnest($1::integer[], $2::uuid[]) as told (book_id, notice_id)
    join service.notice_item as item
      on item.book_id = told.book_id and item.notice_id = told.notice_id
    order by item.book_id, item.notice_id, item.position
"""

BY_TRACE = """
    select movement.book_id, movement.id
    from unnest($1::integer[], $2::text[], $3::text[]) as told (book_id, origin, trace)
    join service.movement
      on movement.book_id = told.book_id and movement.origin = told.origin
     and movement.trace = told.trace
"""

BY_AMOUNT = """
    select distinct sighting.book_id, sighting.movement_id as id
    from unnest($1::integer[], $2::text[], $3::bigint[], $4::date[], $5::date[])
        as told (book_id, origin, amount_vnd, from_on, to_on)
    join service.sighting
      on sighting.book_id = told.book_id and sighting.origin = told.origin
     and sighting.amount_vnd = told.amount_vnd
     and sighting.happened_on between told.from_on and told.to_on
     and sighting.view in ('feed', 'statement')
    where sighting.movement_id is not null
"""

MOVEMENTS = """
    select movement.book_id, movement.id, movement.direction, movement.origin,
           movement.amount_vnd, movement.entry_id, money.allocated_vnd, money.suspense_vnd,
           money.held_vnd, money.unexplained_vnd, money.reversed_vnd, money.clearing_vnd
    from (select distinct book_id, id from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
          order by 1, 2) as told
    join service.movement on movement.book_id = told.book_id and movement.id = told.id
    join service.money_state as money
      on money.book_id = told.book_id and money.movement_id = told.id
    order by movement.book_id, movement.id
    for no key update of money
"""

SEEN = """
    select sighting.book_id, sighting.movement_id, sighting.seen_by, sighting.traces,
           sighting.reference, sighting.happened_on
    from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
    join service.sighting
      on sighting.book_id = told.book_id and sighting.movement_id = told.id
    order by sighting.id
"""

# Where the money of a movement stands now: the net of its lines on the accounts that hold it.
PLACED = """
    select line.book_id, line.movement_id, side.account, line.notice_id, line.item_id,
           line.budget_subsection, sum(side.amount_vnd)::bigint as amount_vnd
    from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
    join ledger.line on line.book_id = told.book_id and line.movement_id = told.id
    cross join lateral (values (line.credit, line.amount_vnd), (line.debit, -line.amount_vnd))
        as side (account, amount_vnd)
    where side.account in ('1383', '3380', '3381', '3389')
    group by 1, 2, 3, 4, 5, 6
    having sum(side.amount_vnd) <> 0
    order by 1, 2, 3, 4, 5
"""


async def raw(connection: AsyncConnection) -> Driver:
    """The asyncpg connection underneath, for the hottest statements; its transaction is open."""
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, asyncpg.Connection) or not driver.is_in_transaction():
        message = "the hot path needs asyncpg and an open transaction"
        raise RuntimeError(message)
    return driver


def lock_key(*parts: object) -> int:
    """A stable 64-bit key for an advisory lock; two names that collide only wait for each other."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


async def lock(connection: AsyncConnection, keys: Iterable[int]) -> None:
    """Take advisory locks until the end of the transaction, in one order for everybody."""
    await connection.execute(LOCK, {"keys": sorted(set(keys))})


def join_keys(sightings: Iterable[Sighting]) -> set[int]:
    """The locks that keep two windows from booking one movement at the same moment."""
    keys: set[int] = set()
    for seen in sightings:
        if seen.view == "callback":
            keys.update(lock_key("trace", seen.book_id, seen.origin, t) for t in seen.traces)
        elif seen.view != "counter":
            keys.add(lock_key("amount", seen.book_id, seen.origin, seen.amount_vnd))
    return keys


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A reference that a message without money names."""

    book_id: int
    reference: str
    merchant_id: int | None


async def load(
    connection: AsyncConnection, sightings: Sequence[Sighting], also: Sequence[Asked] = ()
) -> World:
    """Lock and read what `sightings` may touch; see the order of locks above.

    The requests that `also` names are read as well.
    """
    world = World()
    await lock(connection, join_keys(sightings))
    driver = await raw(connection)
    named = [
        *also,
        *(
            Asked(book_id=s.book_id, reference=s.reference, merchant_id=s.merchant_id)
            for s in sightings
            if s.reference
        ),
    ]
    merchants = sorted({one.merchant_id for one in named if one.merchant_id is not None})
    if merchants:
        rows = await driver.fetch(SERVES, merchants)
        world.serves = {row["id"]: frozenset(row["serves"]) for row in rows}
    movements = await _find_movements(driver, sightings)
    by_feed = {s.reference for s in sightings if s.view == "feed" and s.reference}
    outgoing = any(s.direction == "out" for s in sightings)
    asked, siblings = await _find_requests(driver, named, by_feed, world, outgoing=outgoing)
    wanted: set[NoticeKey] = {key for keys in asked.values() for key in keys}
    wanted |= {key for keys in siblings.values() for key in keys}
    wanted |= {(s.book_id, s.notice_id) for s in sightings if s.notice_id is not None}
    if outgoing and movements:
        wanted |= {
            (row["book_id"], row["notice_id"])
            for row in await driver.fetch(PLACED, *_columns(movements, 2))
            if row["notice_id"] is not None
        }
    world.notices = await lock_notices(driver, wanted)
    for reference, keys in asked.items():
        request = world.requests[reference]
        request.notices = [world.notices[key] for key in keys]
        near = {key for own in keys for key in siblings.get(own, ())} - set(keys)
        request.siblings = [world.notices[key] for key in sorted(near)]
    if movements:
        for movement in await lock_movements(driver, movements):
            world.add(movement)
    return world


async def _find_requests(
    driver: Driver,
    named: Sequence[Asked],
    by_feed: AbstractSet[str],
    world: World,
    *,
    outgoing: bool,
) -> tuple[dict[str, list[NoticeKey]], dict[NoticeKey, set[NoticeKey]]]:
    """The requests that references name, their notices in order, and those notices' siblings."""
    if not named:
        return {}, {}
    codes = {row["code"]: row["book_id"] for row in await driver.fetch(BOOK_CODES)}
    told: set[tuple[int, str]] = set()
    for one in named:
        code = one.reference[3:5] if one.reference.startswith("HUE") else ""
        books = {codes[code]} if code in codes else {one.book_id}
        if code not in codes and one.merchant_id is not None:
            books |= world.serves.get(one.merchant_id, frozenset())
        told |= {(book_id, one.reference) for book_id in books}
    asked: dict[str, list[NoticeKey]] = {}
    rows = await driver.fetch(REQUESTS, *_columns(sorted(told), 2))
    # A code of the older system could stand in two books: then it names nothing.
    books_of: dict[str, set[int]] = {}
    for row in rows:
        books_of.setdefault(row["reference"], set()).add(row["book_id"])
    for row in rows:
        reference = row["reference"]
        if len(books_of[reference]) > 1:
            continue
        if reference not in world.requests:
            world.requests[reference] = Request(
                book_id=row["book_id"],
                reference=reference,
                amount_vnd=row["amount_vnd"],
                expires_at=row["expires_at"],
            )
        asked.setdefault(reference, []).append((row["book_id"], row["notice_id"]))
    own = sorted({key for ref, keys in asked.items() if ref in by_feed for key in keys})
    siblings: dict[NoticeKey, set[NoticeKey]] = {}
    if own:
        found = await driver.fetch(SIBLINGS, *_columns(own, 2), SIBLINGS_READ_MAX, outgoing)
        for row in found:
            near = siblings.setdefault((row["book_id"], row["of_id"]), set())
            near.add((row["book_id"], row["id"]))
    return asked, siblings


async def lock_notices(driver: Driver, keys: Iterable[NoticeKey]) -> dict[NoticeKey, Notice]:
    """Lock notices in (book, id) order and read their counters and items."""
    columns = _columns(sorted(keys), 2)
    if not columns[0]:
        return {}
    notices: dict[NoticeKey, Notice] = {}
    for row in await driver.fetch(NOTICES, *columns):
        book_id, notice_id, *counters = row
        notices[book_id, notice_id] = Notice(book_id, notice_id, *counters)
    # Read after the lock: a row that waited sees what the one before it wrote.
    for row in await driver.fetch(ITEMS, *_columns(sorted(notices), 2)):
        book_id, notice_id, *item = row
        notices[book_id, notice_id].items.append(Item(*item))
    return notices


async def _find_movements(driver: Driver, sightings: Sequence[Sighting]) -> list[tuple[int, UUID]]:
    traced = [
        (s.book_id, s.origin, trace)
        for s in sightings
        if s.view == "callback"
        for trace in s.traces
    ]
    near = [
        (
            s.book_id,
            s.origin,
            s.amount_vnd,
            s.happened_on - (DAYS_AROUND if s.direction == "in" else REVERSAL_DAYS),
            s.happened_on + DAYS_AROUND,
        )
        for s in sightings
        if s.view in {"feed", "statement"}
    ]
    found: set[tuple[int, UUID]] = set()
    if traced:
        found |= {
            (r["book_id"], r["id"]) for r in await driver.fetch(BY_TRACE, *_columns(traced, 3))
        }
    if near:
        found |= {
            (r["book_id"], r["id"]) for r in await driver.fetch(BY_AMOUNT, *_columns(near, 5))
        }
    return sorted(found)


async def lock_movements(
    driver: Driver,
    keys: Sequence[tuple[int, UUID]],
) -> list[Movement]:
    """Lock movements' money in (book, id) order; read their sightings and where it stands."""
    columns = _columns(keys, 2)
    known: dict[tuple[int, UUID], Movement] = {}
    for row in await driver.fetch(MOVEMENTS, *columns):
        known[row["book_id"], row["id"]] = Movement(*row)
    for row in await driver.fetch(SEEN, *columns):
        known[row["book_id"], row["movement_id"]].seen.append(
            Seen(row["seen_by"], frozenset(row["traces"]), row["reference"], row["happened_on"])
        )
    for row in await driver.fetch(PLACED, *columns):
        known[row["book_id"], row["movement_id"]].placed.append(
            Placed(
                row["account"],
                row["book_id"],
                row["amount_vnd"],
                row["notice_id"],
                row["item_id"],
                row["budget_subsection"],
            )
        )
    return list(known.values())


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows as `width` parallel arrays, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
