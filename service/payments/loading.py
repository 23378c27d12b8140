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
from sqlalchemy.ext.asyncio import AsyncConnection

from service.payments import queries
from service.payments.sightings import Sighting
from service.payments.state import Item, Movement, Notice, NoticeKey, Placed, Request, Seen, World

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DAYS_AROUND: Final = timedelta(days=1)
REVERSAL_DAYS: Final = timedelta(days=90)
"""How far back an outgoing transfer may point to the credit it reverses."""

SIBLINGS_READ_MAX: Final = 500
"""For each notice that is asked for; a group reads as many as its members would."""


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
    await connection.execute(queries.LOCK, {"keys": sorted(set(keys))})


def join_keys(sightings: Iterable[Sighting]) -> set[int]:
    """The locks that keep two windows from booking one movement at the same moment."""
    keys: set[int] = set()
    for seen in sightings:
        if seen.is_by_transaction:
            keys.update(lock_key("trace", seen.book_id, seen.origin, t) for t in seen.traces)
        elif seen.view != "counter":
            keys.add(lock_key("amount", seen.book_id, seen.origin, seen.amount_vnd))
            if seen.known_as:  # it may be told once more with another amount
                keys.add(lock_key("trace", seen.book_id, seen.origin, seen.known_as))
    return keys


TraceKey: TypeAlias = tuple[int, str, str]
"""Book, origin and transaction of a movement."""


def trace_keys(traces: Iterable[TraceKey]) -> set[int]:
    """The locks on transactions, as `join_keys` has them for their sightings."""
    return {lock_key("trace", *one) for one in traces}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A reference that a message without money names."""

    book_id: int
    reference: str
    merchant_id: int | None


async def load(
    connection: AsyncConnection,
    sightings: Sequence[Sighting],
    also: Sequence[Asked] = (),
    traces: Sequence[TraceKey] = (),
) -> World:
    """Lock and read what `sightings` may touch; see the order of locks above.

    The requests that `also` names and the movements of `traces` are read as well.
    """
    world = World()
    await lock(connection, join_keys(sightings) | trace_keys(traces))
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
        rows = await driver.fetch(queries.SERVES, merchants)
        world.serves = {row["id"]: frozenset(row["serves"]) for row in rows}
    movements = await _find_movements(driver, sightings, traces)
    by_feed = {s.reference for s in sightings if s.view == "feed" and s.reference}
    outgoing = any(s.direction == "out" for s in sightings)
    asked, siblings = await _find_requests(driver, named, by_feed, world, outgoing=outgoing)
    wanted: set[NoticeKey] = {key for keys in asked.values() for key in keys}
    wanted |= {key for keys in siblings.values() for key in keys}
    wanted |= {(s.book_id, s.notice_id) for s in sightings if s.notice_id is not None}
    if outgoing and movements:
        wanted |= {
            (row["book_id"], row["notice_id"])
            for row in await driver.fetch(queries.PLACED, *_columns(movements, 2))
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
    codes = {row["code"]: row["book_id"] for row in await driver.fetch(queries.BOOK_CODES)}
    told: set[tuple[int, str]] = set()
    for one in named:
        code = one.reference[3:5] if one.reference.startswith("HUE") else ""
        books = {codes[code]} if code in codes else {one.book_id}
        if code not in codes and one.merchant_id is not None:
            books |= world.serves.get(one.merchant_id, frozenset())
        told |= {(book_id, one.reference) for book_id in books}
    asked: dict[str, list[NoticeKey]] = {}
    rows = await driver.fetch(queries.REQUESTS, *_columns(sorted(told), 2))
    # A code of the older system could stand in two books: then it names nothing.
    named_by: dict[str, set[tuple[int, str]]] = {}
    for row in rows:
        named_by.setdefault(row["told"], set()).add((row["book_id"], row["reference"]))
    known: dict[str, Request] = {}
    for row in rows:
        name = row["told"]
        if len(named_by[name]) > 1:
            continue
        if name not in world.requests:
            # One request, by whichever of its names it is told.
            world.requests[name] = known.setdefault(
                row["reference"],
                Request(
                    book_id=row["book_id"],
                    reference=row["reference"],
                    amount_vnd=row["amount_vnd"],
                    expires_at=row["expires_at"],
                ),
            )
        asked.setdefault(name, []).append((row["book_id"], row["notice_id"]))
    own = sorted({key for ref, keys in asked.items() if ref in by_feed for key in keys})
    siblings: dict[NoticeKey, set[NoticeKey]] = {}
    if own:
        found = await driver.fetch(queries.SIBLINGS, *_columns(own, 2), SIBLINGS_READ_MAX, outgoing)
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
    for row in await driver.fetch(queries.NOTICES, *columns):
        book_id, notice_id, *counters = row
        notices[book_id, notice_id] = Notice(book_id, notice_id, *counters)
    # Read after the lock: a row that waited sees what the one before it wrote.
    for row in await driver.fetch(queries.ITEMS, *_columns(sorted(notices), 2)):
        book_id, notice_id, *item = row
        notices[book_id, notice_id].items.append(Item(*item))
    return notices


async def _find_movements(
    driver: Driver, sightings: Sequence[Sighting], traces: Sequence[TraceKey]
) -> list[tuple[int, UUID]]:
    """Movements that a sighting may be of, or may reverse: by transaction, reference, or amount.

    A like amount is looked at only where no bank reference fits: on a busy day thousands are alike.
    """
    traced = [
        (s.book_id, s.origin, trace) for s in sightings if s.is_by_transaction for trace in s.traces
    ]
    traced += traces
    referring = [
        (
            position,
            s.book_id,
            s.origin,
            trace,
            s.happened_on - (DAYS_AROUND if s.direction == "in" else REVERSAL_DAYS),
            s.happened_on + DAYS_AROUND,
            s.amount_vnd,
            s.direction,
            s.seen_by,
        )
        for position, s in enumerate(sightings)
        if s.view in {"feed", "statement"}
        for trace in s.traces
    ]
    found: set[tuple[int, UUID]] = set()
    if traced:
        rows = await driver.fetch(queries.BY_TRACE, *_columns(traced, 3))
        found |= {(row["book_id"], row["id"]) for row in rows}
    fitting: set[int] = set()
    if referring:
        rows = await driver.fetch(queries.BY_BANK_REFERENCE, *_columns(referring, 9))
        found |= {(row["book_id"], row["id"]) for row in rows}
        fitting = {row["position"] for row in rows if row["fits"]}
    like = [
        (s.book_id, s.origin, s.amount_vnd, s.seen_by, s.happened_on)
        for position, s in enumerate(sightings)
        if s.view in {"feed", "statement"} and position not in fitting
    ]
    if like:
        rows = await driver.fetch(queries.BY_AMOUNT, *_columns(like, 5))
        found |= {(row["book_id"], row["id"]) for row in rows}
    return sorted(found)


async def lock_movements(
    driver: Driver,
    keys: Sequence[tuple[int, UUID]],
) -> list[Movement]:
    """Lock movements' money in (book, id) order; read their sightings and where it stands."""
    columns = _columns(keys, 2)
    known: dict[tuple[int, UUID], Movement] = {}
    for row in await driver.fetch(queries.MOVEMENTS, *columns):
        movement = known[row["book_id"], row["id"]] = Movement(*row)
        movement.dossiers = frozenset(row["dossiers"])
    for row in await driver.fetch(queries.SEEN, *columns):
        known[row["book_id"], row["movement_id"]].seen.append(
            Seen(row["seen_by"], frozenset(row["traces"]), row["reference"], row["happened_on"])
        )
    for row in await driver.fetch(queries.PLACED, *columns):
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
