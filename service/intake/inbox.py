"""Book one group of believed calls in one transaction: keep, tell repeats, join, book.

A group's outcome equals that of its members one by one, in order of arrival. Never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers import UNKNOWN_ASKED_MAX, Outcome
from service.intake.deliveries import (
    OUTCOMES,
    Delivery,
    Event,
    call_row,
    event_row,
    events_of,
    gravest,
    repeated,
)
from service.intake.directory import Directory
from service.intake.timelines import Known, Timelines
from service.payments import loading, writing
from service.payments.booking import confirm, take
from service.payments.effects import Effects
from service.payments.loading import Asked, lock, lock_key
from service.payments.sightings import Case, FieldVerdict, Sighting
from service.payments.state import World
from service.sealing import Sealer

ASKED_AGAIN: Final = sa.text("""
    insert into service.unknown_order (book_id, event_id, asked)
    select told.book_id, told.event_id, told.asked
    from unnest(cast(:book_ids as integer[]), cast(:event_ids as uuid[]),
                cast(:asked as integer[])) as told (book_id, event_id, asked)
    on conflict (book_id, event_id) do update set asked = excluded.asked
""")


GIVEN_BACK: Final = frozenset({"refund_processing", "refunded"})
"""What a provider says of money that goes back to the payer, asked by us or not."""


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the group: heard for the first time, or a repeat of what is known."""

    event: Event
    known: Known
    new: bool
    sighting: Sighting | None = None
    """Of a new event; also of a repeat by which the provider, asked, proves a weak word."""


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
    payments = {event.payment for event in events}
    # Two processes that hear of one payment take turns here; the second one sees a repeat.
    await lock(connection, (lock_key("payment", *payment) for payment in payments))
    await sealer.prepare(connection, books, now)
    timelines = await Timelines.read(connection, payments)
    effects = Effects(calls=[call_row(one, sealer, now) for one in deliveries])
    turns = [_turn(event, timelines, effects, directory) for event in events]
    await _book(connection, turns, timelines, effects, sealer=sealer, now=now)
    by_delivery, counted = _outcomes(turns)
    await _count(connection, counted)
    return [
        gravest(by_delivery[id(one)]) if id(one) in by_delivery else Outcome.TEST
        for one in deliveries
    ]


def _turn(event: Event, timelines: Timelines, effects: Effects, directory: Directory) -> _Turn:
    known = timelines.find(event.key)
    if known is None:
        known, sighting, cases = timelines.hear(event)
        effects.cases += cases
        return _Turn(event=event, known=known, new=True, sighting=sighting)
    return _Turn(event=event, known=known, new=False, sighting=_proof(event, directory))


def _proof(event: Event, directory: Directory) -> Sighting | None:
    """What an answer to our question says again of much money that a weak channel told."""
    limit_vnd = event.delivery.merchant.weak_above_vnd(directory.weak_limit_vnd)
    sighting = event.sighting
    if limit_vnd is None or sighting is None or not event.delivery.asked:
        return None
    return sighting if sighting.amount_vnd > limit_vnd else None


async def _book(
    connection: AsyncConnection,
    turns: Sequence[_Turn],
    timelines: Timelines,
    effects: Effects,
    *,
    sealer: Sealer,
    now: datetime,
) -> None:
    """Decide every turn in order, and write the sum of it."""
    new = [turn for turn in turns if turn.new]
    sightings = [turn.sighting for turn in new if turn.sighting is not None]
    proofs = [turn for turn in turns if not turn.new and turn.sighting is not None]
    world = await loading.load(
        connection,
        sightings,
        _asked([turn.event for turn in new if turn.sighting is None] + [t.event for t in proofs]),
        [(turn.event.book_id, m) for turn in proofs if (m := turn.known.movement_id)]
        + [
            (turn.event.book_id, one.movement_id)
            for turn in new
            if turn.event.claim.status in GIVEN_BACK
            for one in timelines.said_before(turn.event)
            if one.movement_id
        ],
    )
    for turn in turns:
        if not turn.new:
            _confirm(turn, world, effects)
            continue
        event, known = turn.event, turn.known
        if turn.sighting is not None:
            result = take(turn.sighting, world, effects, now)
            known.outcome, known.movement_id = OUTCOMES[result.became], result.movement_id
        else:
            known.outcome = _without_money(event, world, effects)
            effects.cases += _given_back(event, timelines, world)
        effects.events.append(event_row(event, known.outcome, known.movement_id, sealer, now))
    await writing.write(connection, world, effects, now=now)


def _confirm(turn: _Turn, world: World, effects: Effects) -> None:
    if turn.sighting is None or turn.known.movement_id is None:
        return
    for movement in world.movements:
        if movement.id == turn.known.movement_id:
            confirm(turn.sighting, movement, world, effects)


def _outcomes(turns: Sequence[_Turn]) -> tuple[dict[int, list[Outcome]], dict[UUID, _Turn]]:
    """What each delivery (by identity) is told, and the events whose deliveries were counted."""
    by_delivery: dict[int, list[Outcome]] = {}
    counted: dict[UUID, _Turn] = {}
    last: dict[UUID, int] = {}
    for turn in turns:
        known, delivery = turn.known, turn.event.delivery
        first = known.outcome or Outcome.NOTED
        told = by_delivery.setdefault(id(delivery), [])
        if turn.new:
            told.append(first)
        else:
            if _is_counted(turn) and last.get(known.id) != id(delivery):
                known.delivered += 1
                counted[known.id] = turn
            told.append(repeated(first, known.delivered))
        last[known.id] = id(delivery)
    return by_delivery, counted


def _is_counted(turn: _Turn) -> bool:
    """Whether a repeat is one that may be answered otherwise after some more of them."""
    unknown = turn.known.outcome is Outcome.UNKNOWN_ORDER
    return unknown and not turn.event.delivery.asked and turn.known.delivered <= UNKNOWN_ASKED_MAX


async def _count(connection: AsyncConnection, counted: Mapping[UUID, _Turn]) -> None:
    """Remember how often unknown orders were asked about; nothing for any other call."""
    if not counted:
        return
    rows = sorted(counted.items())
    await connection.execute(
        ASKED_AGAIN,
        {
            "book_ids": [turn.event.book_id for _, turn in rows],
            "event_ids": [event_id for event_id, _ in rows],
            "asked": [turn.known.delivered for _, turn in rows],
        },
    )


def _asked(events: Sequence[Event]) -> list[Asked]:
    """What messages without money are about, and what proofs name."""
    return [
        Asked(
            book_id=event.book_id,
            reference=reference,
            merchant_id=event.delivery.merchant.id,
        )
        for event in events
        if (reference := event.sighting.reference if event.sighting else event.claim.reference)
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


def _given_back(event: Event, timelines: Timelines, world: World) -> list[Case]:
    """A case where the provider gives back more of booked money than anybody here has approved.

    The clearing shows it only once a settlement tells of it, and until then the fee looks paid.
    """
    claim, before = event.claim, timelines.said_before(event)
    if claim.status not in GIVEN_BACK or any(one.status in GIVEN_BACK for one in before):
        return []
    booked = {one.movement_id for one in before}
    return [
        Case(
            book_id=event.book_id,
            subject_kind="event",
            subject_id=event.id,
            side="callback",
            reason="REFUND_NOT_BOOKED",
            provider=event.delivery.merchant.provider,
            external_id=event.key[3],
            amount_vnd=claim.amount_vnd,
            happened_at=event.happened_at,
            fields=(
                FieldVerdict(
                    name="refund_vnd",
                    expected=movement.refund_vnd + movement.fee_refund_vnd,
                    found=claim.amount_vnd,
                    verdict="differs",
                ),
            ),
        )
        for movement in world.movements
        if movement.id in booked
        and (claim.amount_vnd or 0) > movement.refund_vnd + movement.fee_refund_vnd
    ]


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
