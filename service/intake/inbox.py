"""Book one group of believed calls in one transaction: keep, tell repeats, join, book.

A group's outcome equals that of its members one by one, in order of arrival. Never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from providers import Outcome
from service.intake.deliveries import (
    OUTCOMES,
    Delivery,
    Event,
    EventKey,
    call_row,
    event_row,
    events_of,
    gravest,
    repeated,
)
from service.intake.directory import Directory
from service.payments import loading, writing
from service.payments.booking import fold
from service.payments.effects import Effects
from service.payments.loading import Asked, lock, lock_key, raw
from service.payments.sightings import Booked, Case, FieldVerdict
from service.payments.state import World
from service.sealing import Sealer

KNOWN = """
    select told.position, event.outcome
    from unnest($1::integer[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
        with ordinality
        as told (book_id, merchant_id, scope, provider_txn, status, amount_key, position)
    join service.event
      on event.book_id = told.book_id and event.merchant_id = told.merchant_id
     and event.scope = told.scope and event.provider_txn = told.provider_txn
     and event.status = told.status and event.amount_key = told.amount_key
"""


async def commit_group(
    connection: AsyncConnection,
    deliveries: Sequence[Delivery],
    *,
    directory: Directory,
    sealer: Sealer,
    now: datetime,
) -> list[Outcome]:
    """Keep and book `deliveries` in the caller's transaction; the outcome of each, in order."""
    events = [event for one in deliveries for event in events_of(one, directory, sealer)]
    books = {one.merchant.book_id for one in deliveries} | {event.book_id for event in events}
    first_of: dict[EventKey, Event] = {}
    for event in events:
        first_of.setdefault(event.key, event)
    # Two processes that hold the same event take turns here; the second one sees a repeat.
    await lock(connection, (lock_key("event", *key) for key in first_of))
    await sealer.prepare(connection, books, now)
    known = await _known(connection, list(first_of))
    new = [event for key, event in first_of.items() if key not in known]
    effects = Effects(calls=[call_row(one, sealer, now) for one in deliveries])
    outcomes = await _book(connection, new, effects, sealer=sealer, now=now)
    outcomes |= known
    seen: set[EventKey] = set(known)
    by_delivery: dict[int, list[Outcome]] = {}
    for event in events:
        outcome = outcomes[event.key]
        told = by_delivery.setdefault(id(event.delivery), [])
        told.append(repeated(outcome) if event.key in seen else outcome)
        seen.add(event.key)
    return [
        gravest(by_delivery[id(one)]) if id(one) in by_delivery else Outcome.TEST
        for one in deliveries
    ]


async def _known(connection: AsyncConnection, keys: Sequence[EventKey]) -> dict[EventKey, Outcome]:
    """Events that were committed before, with what came of them."""
    if not keys:
        return {}
    driver = await raw(connection)
    rows = await driver.fetch(KNOWN, *map(list, zip(*keys, strict=True)))
    return {keys[row["position"] - 1]: Outcome(row["outcome"]) for row in rows}


async def _book(
    connection: AsyncConnection,
    new: Sequence[Event],
    effects: Effects,
    *,
    sealer: Sealer,
    now: datetime,
) -> dict[EventKey, Outcome]:
    sightings = [event.sighting for event in new if event.sighting is not None]
    world = await loading.load(connection, sightings, _asked(new))
    booked = iter(fold(sightings, world, effects, now))
    outcomes: dict[EventKey, Outcome] = {}
    for event in new:
        result: Booked | None = None
        if event.sighting is not None:
            result = next(booked)
            outcome = OUTCOMES[result.became]
        else:
            outcome = _without_money(event, world, effects)
        outcomes[event.key] = outcome
        movement_id = result.movement_id if result else None
        effects.events.append(event_row(event, outcome, movement_id, sealer, now))
    await writing.write(connection, world, effects, now=now)
    return outcomes


def _asked(new: Sequence[Event]) -> list[Asked]:
    """What messages without money are about."""
    return [
        Asked(
            book_id=event.book_id,
            reference=event.claim.reference,
            merchant_id=event.delivery.merchant.id,
        )
        for event in new
        if event.sighting is None and event.claim.reference
    ]


def _without_money(event: Event, world: World, effects: Effects) -> Outcome:
    """A failed or pending payment is noted; an amount that is no whole đồng is for a person."""
    claim = event.claim
    if claim.amount_vnd is None:
        effects.cases.append(_unreadable(event))
        return Outcome.HELD
    if claim.kind == "feed":
        return Outcome.NOTED
    request = world.requests.get(claim.reference or "")
    serves: Mapping[int, frozenset[int]] = world.serves
    if request is None or request.book_id not in serves.get(event.key[1], frozenset()):
        return Outcome.UNKNOWN_ORDER
    if request.amount_vnd != claim.amount_vnd:
        return Outcome.AMOUNT_DIFFERS
    return Outcome.NOTED


def _unreadable(event: Event) -> Case:
    return Case(
        book_id=event.book_id,
        subject_kind="event",
        subject_id=event.id,
        side="callback",
        reason="AMOUNT_UNREADABLE",
        provider=event.delivery.merchant.provider,
        external_id=event.key[3],
        amount_vnd=None,
        happened_at=event.happened_at,
        fields=(
            FieldVerdict(
                name="amount_vnd",
                expected=None,
                found=event.claim.amount_text[:40],
                verdict="differs",
            ),
        ),
    )
