"""Book money that was seen: a group at once, with the outcome its members would have one by one.

`book` is the only door by which money comes in. It locks what the group may touch, lets each
sighting in order of arrival read and change that state in memory, and writes the sum of it once.
It never commits: whoever calls answers "done" only after COMMIT returned.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger import accounts
from ledger.entries import OpenDay
from service.payments import dues, finding, joining, loading, outcomes, writing
from service.payments.effects import Effects
from service.payments.entries import Booking, dimensions, money_account
from service.payments.loading import TraceKey
from service.payments.outcomes import Decision
from service.payments.sightings import (
    Became,
    Booked,
    FieldVerdict,
    Sighting,
)
from service.payments.state import Due, Movement, Seen, World

UNEXPLAINING: Final = frozenset({"UNIDENTIFIED_CREDIT", "HELD_BY_PROVIDER", "ORPHAN_SETTLEMENT"})
"""Reasons by which another window's word leaves waiting money where it is."""

Then: TypeAlias = Callable[[World, Sequence[Booked], Effects], None]

GROUP_MAX: Final = 1_000
"""Sightings in one call of `book`; a longer list is the caller's to cut."""


async def book(
    connection: AsyncConnection,
    sightings: Sequence[Sighting],
    *,
    now: datetime,
    effects: Effects | None = None,
    days: Mapping[int, OpenDay] | None = None,
    traces: Sequence[TraceKey] = (),
    then: Then | None = None,
) -> list[Booked]:
    """Join, book and allocate `sightings` in the caller's transaction, in their order.

    Gives one `Booked` for each, in order. `effects` may carry rows (calls, events) that the caller
    wants written in the same statement. `then` may add to what is written, with the movements of
    `traces` locked as well. Raises ValueError for more than GROUP_MAX sightings; any
    error leaves nothing behind once the caller rolls back.
    """
    if len(sightings) > GROUP_MAX:
        message = f"{len(sightings)} sightings in one group; at most {GROUP_MAX}"
        raise ValueError(message)
    effects = effects or Effects()
    world = await loading.load(connection, sightings, traces=traces)
    booked = fold(sightings, world, effects, now)
    if then is not None:
        then(world, booked, effects)
    await writing.write(connection, world, effects, now=now, days=days)
    return booked


def fold(
    sightings: Iterable[Sighting], world: World, effects: Effects, now: datetime
) -> list[Booked]:
    """Let each sighting, in order, read and change `world`; collect what is to be written.

    Of a statement the lines that name their movement go first: what is left is then unsure less
    often. (Calls keep their order of arrival; a file has none.) The results are in the order given.
    """
    told = list(sightings)
    turns = sorted(range(len(told)), key=lambda turn: not joining.is_named(told[turn], world))
    booked: dict[int, Booked] = {}
    for turn in turns:
        booked[turn] = take(told[turn], world, effects, now)
    return [booked[turn] for turn in range(len(told))]


def take(sighting: Sighting, world: World, effects: Effects, now: datetime) -> Booked:
    """Let one sighting read and change `world`."""
    sighting = _by_our_reference(sighting, world)
    booked = _take(sighting, world, effects, now)
    effects.saw(sighting, booked)
    return booked


def _by_our_reference(sighting: Sighting, world: World) -> Sighting:
    """The sighting with our reference where it names an order as its provider calls it.

    Another window's text holds our reference: by that the two are compared.
    """
    request = world.requests.get(sighting.reference) if sighting.reference else None
    if request is None or request.reference == sighting.reference:
        return sighting
    world.requests.setdefault(request.reference, request)
    return msgspec.structs.replace(sighting, reference=request.reference)


def _take(sighting: Sighting, world: World, effects: Effects, now: datetime) -> Booked:
    found = joining.join(sighting, world)
    if found == "unsure":
        return _unsure(sighting, effects)
    if found == "new":
        return _new(sighting, world, effects, now)
    if found.amount_vnd != sighting.amount_vnd:
        return _other_amount(sighting, found, world, effects)
    return _again(sighting, found, world, effects)


def _new(sighting: Sighting, world: World, effects: Effects, now: datetime) -> Booked:
    """Money no window told before: one movement and its one booking (invariant 3)."""
    movement = Movement(
        book_id=sighting.book_id,
        id=uuid7(),
        direction=sighting.direction,
        origin=sighting.origin,
        amount_vnd=sighting.amount_vnd,
        entry_id=uuid7(),
        new=True,
        dirty=True,
    )
    booking = Booking(movement.entry_id, dimensions(sighting), movement, effects)
    if sighting.direction == "out":
        became = _money_out(sighting, movement, booking, world)
    elif (back := dues.comes_back(sighting, world)) is not None:
        lines = [booking.line(money_account(sighting), accounts.SUSPENSE, sighting.amount_vnd)]
        booking.finish(movement.book_id, f"movement:{movement.id}", "money_in", lines)
        _come_back(sighting, back, movement, world, effects)
        became = Became.KEPT
    else:
        decision = outcomes.decide(sighting, sighting.amount_vnd, world)
        lines = booking.place(movement, decision, money_account(sighting))
        booking.finish(movement.book_id, f"movement:{movement.id}", "money_in", lines)
        finding.of_decision(sighting, movement, decision, effects)
        became = decision.became
    if money_account(sighting) == accounts.CLEARING:
        sign = 1 if sighting.direction == "in" else -1
        movement.clearing_vnd += sign * sighting.amount_vnd
    movement.seen.append(_seen(sighting, weak=became is Became.UNPROVEN))
    movement.dossiers |= sighting.dossiers
    world.add(movement)
    effects.movements.append((sighting, movement, now))
    return Booked(
        sighting_id=sighting.id, became=became, movement_id=movement.id, new_movement=True
    )


def _come_back(
    sighting: Sighting, back: Due, movement: Movement, world: World, effects: Effects
) -> None:
    """A refund that the payer's bank has sent back: it waits to be paid again, with a case."""
    dues.come_back(sighting, back, movement, world, effects)
    effects.cases.append(
        finding.about(sighting, "REFUND_RETURNED", subject_kind="refund", subject_id=back.id)
    )


def _money_out(sighting: Sighting, movement: Movement, booking: Booking, world: World) -> Became:
    """Outgoing money: the reversal of the one credit it names, or unexplained on 1380."""
    money = money_account(sighting)
    original = _reversed_credit(sighting, world)
    due = dues.pays(sighting, world) if original is None and not sighting.weak else None
    if due is not None:
        lines = [booking.line(accounts.OUTGOING_UNEXPLAINED, money, sighting.amount_vnd)]
        booking.finish(movement.book_id, f"movement:{movement.id}", "money_out", lines)
        dues.pay(sighting, due, movement, world, booking.effects)
        booking.effects.resolve(due.book_id, due.id, "paid")
        return Became.KEPT
    told: tuple[FieldVerdict, ...] = ()
    if original is None or sighting.weak:
        told = dues.fields(sighting, world)
        movement.unexplained_vnd = sighting.amount_vnd
        lines = [booking.line(accounts.OUTGOING_UNEXPLAINED, money, sighting.amount_vnd)]
        unknown = sighting.reason or "OUT_OF_SCOPE"
        kind, reason = "money_out", "WEAK_PROOF" if original else unknown
    else:
        movement.reversed_vnd = sighting.amount_vnd
        lines = booking.give_back(original, money, world)
        kind, reason = "bank_reversal", "BANK_REVERSAL"
        if sighting.view == "settlement":
            kind, reason = "payment_reversed", "PAYMENT_REVERSED"
    booking.finish(movement.book_id, f"movement:{movement.id}", kind, lines)
    booking.effects.cases.append(
        finding.about(
            sighting, reason, subject_kind="movement", subject_id=movement.id, fields=told
        )
    )
    return Became.KEPT


def _reversed_credit(sighting: Sighting, world: World) -> Movement | None:
    """The one earlier credit with this trace and amount, if its money is all in this book."""
    like = world.like(sighting.book_id, sighting.origin, "in", sighting.amount_vnd)
    fitting = [
        movement
        for movement in like
        if movement.traces.intersection(sighting.traces)
        and not movement.reversed_vnd
        and not movement.fee_refund_vnd  # given back already
        # A group knows more movements than its members would have looked at.
        and any(
            -loading.DAYS_AROUND <= sighting.happened_on - seen.happened_on <= loading.REVERSAL_DAYS
            for seen in movement.seen
        )
    ]
    if len(fitting) != 1:
        return None
    movement = fitting[0]
    at_home = all(placed.account != accounts.DUE_TO_UNITS for placed in movement.placed)
    whole = sum(placed.amount_vnd for placed in movement.placed) == movement.amount_vnd
    return movement if at_home and whole else None


def _again(sighting: Sighting, movement: Movement, world: World, effects: Effects) -> Booked:
    """Another window tells of known money: settle it at the bank, explain it if it waited."""
    became = Became.ATTACHED
    waits = movement.awaits_proof and bool(movement.suspense_vnd)
    due = dues.pays(sighting, world) if movement.unexplained_vnd else None
    if due is not None:
        # The window before did not tell the reference.
        effects.resolve(movement.book_id, movement.id, "paid")
        effects.resolve(due.book_id, due.id, "paid")
        dues.pay(sighting, due, movement, world, effects)
    if sighting.view == "statement":
        _seen_at_the_bank(sighting, movement, effects)
    if movement.direction == "in" and (waits or sighting.view != "statement"):
        told = {seen.reference for seen in movement.seen if seen.reference}
        contradicts = bool(sighting.reference and told and sighting.reference not in told)
        contradicts = contradicts or _names_another(sighting, movement, world)
        held = sighting.held_by_provider and not sighting.overtaken
        if contradicts or (held and movement.allocated_vnd):
            effects.cases.append(finding.contested(sighting, movement))
        elif waits and not sighting.weak:
            became = _proven(sighting, movement, world, effects)
        elif movement.suspense_vnd and not waits:
            became = _explain(_supported(sighting, movement), movement, world, effects)
        if sighting.view == "callback" and not _called(movement):
            effects.ended.append((movement.book_id, movement.id, "MISSING_CALLBACK", "it came"))
    if sighting.weak and movement.awaits_proof:
        became = Became.UNPROVEN
    movement.seen.append(_seen(sighting, weak=became is Became.UNPROVEN))
    movement.dossiers |= sighting.dossiers
    world.learn(movement)
    return Booked(
        sighting_id=sighting.id, became=became, movement_id=movement.id, new_movement=False
    )


def _proven(sighting: Sighting, movement: Movement, world: World, effects: Effects) -> Became:
    """What only a weak channel had told is true: it is explained now, or a refund come back."""
    back = dues.comes_back(sighting, world)
    if back is not None and movement.suspense_vnd == movement.amount_vnd:
        effects.resolve(movement.book_id, movement.id, "a refund that came back")
        _come_back(sighting, back, movement, world, effects)
        return Became.ATTACHED
    became = _explain(_agreeing(sighting, movement), movement, world, effects)
    if sighting.view == "statement" and became is not Became.ALLOCATED:
        return Became.ATTACHED
    return became


def _supported(sighting: Sighting, movement: Movement) -> Sighting:
    """A weak channel's word, with what another window has said of the same money before it."""
    if any(one.weak_at is None and one.seen_by != sighting.seen_by for one in movement.seen):
        return msgspec.structs.replace(sighting, weak=False)
    return sighting


def _agreeing(sighting: Sighting, movement: Movement) -> Sighting:
    """What a weak channel told of the money, now that `sighting` agrees: no longer weak."""
    weak = next((one for one in movement.seen if one.weak_at and one.reference), movement.seen[0])
    return msgspec.structs.replace(
        sighting,
        view="feed" if sighting.view == "statement" else sighting.view,
        reference=sighting.reference or weak.reference,
        happened_at=weak.weak_at or sighting.happened_at,
        weak=False,
    )


def confirm(sighting: Sighting, movement: Movement, world: World, effects: Effects) -> None:
    """The provider, asked by us, says again what a weak channel of it told: that is a proof.

    Nothing new is seen: the event is known. Money that waited for a proof is explained by it.
    """
    waits = any(one.weak_at for one in movement.seen) and bool(movement.suspense_vnd)
    if movement.direction == "in" and waits:
        _explain(_agreeing(sighting, movement), movement, world, effects)
        movement.seen.append(_seen(sighting))


def _called(movement: Movement) -> bool:
    """Whether the provider has told of the money by a call before."""
    return any(seen.seen_by.startswith("callback:") for seen in movement.seen)


def _names_another(sighting: Sighting, movement: Movement, world: World) -> bool:
    """Whether the money pays notices of this book, none of which the sighting's request asks for.

    A run may have matched it by a dossier code that the other window's text did not hold.
    """
    request = world.requests.get(sighting.reference) if sighting.reference else None
    paid = {p.notice_id for p in movement.placed if p.account == accounts.FEES_RECEIVABLE}
    return request is not None and bool(paid) and paid.isdisjoint(n.id for n in request.notices)


def _explain(sighting: Sighting, movement: Movement, world: World, effects: Effects) -> Became:
    """Money waits in suspense and a better window now says what it is for: reclassify 3380."""
    decision = outcomes.decide(sighting, movement.suspense_vnd, world)
    if decision.suspense_vnd and decision.reason in UNEXPLAINING:
        return decision.became
    effects.resolve(movement.book_id, movement.id, "explained")
    finding.of_decision(sighting, movement, decision, effects)
    if not decision.suspense_vnd:
        reclassify(
            Booking(uuid7(), dimensions(sighting), movement, effects),
            movement,
            decision,
            source=f"explained:{sighting.id}",
        )
    return decision.became


def reclassify(booking: Booking, movement: Movement, decision: Decision, *, source: str) -> None:
    """Move a movement's suspense (3380) to where a decision puts it, in one entry."""
    explained_vnd = decision.held_vnd + sum(amount_vnd for _, amount_vnd in decision.shares)
    if decision.suspense_vnd or explained_vnd != movement.suspense_vnd:
        message = f"movement {movement.id}: {explained_vnd} explains {movement.suspense_vnd} đồng"
        raise ValueError(message)
    movement.suspense_vnd = 0
    movement.placed = [p for p in movement.placed if p.account != accounts.SUSPENSE]
    lines = booking.place(movement, decision, accounts.SUSPENSE)
    booking.finish(movement.book_id, source, "explained", lines)


def _seen_at_the_bank(sighting: Sighting, movement: Movement, effects: Effects) -> None:
    """The statement shows the money: it leaves clearing for the bank account, or comes off it."""
    if abs(movement.clearing_vnd) != sighting.amount_vnd:
        message = f"movement {movement.id} has {movement.clearing_vnd} đồng on clearing"
        raise ValueError(message)
    booking = Booking(uuid7(), dimensions(sighting), movement, effects)
    _to_the_bank(sighting, booking, "seen_at_bank")
    movement.clearing_vnd = 0
    movement.dirty = True


def _to_the_bank(sighting: Sighting, booking: Booking, kind: str) -> None:
    """A statement line of money that has, or may have, its credit elsewhere: 1121 / 1130."""
    pair = (accounts.BANK, accounts.CLEARING)
    debit, credit = pair if sighting.direction == "in" else pair[::-1]
    line = booking.line(debit, credit, sighting.amount_vnd)
    booking.finish(sighting.book_id, f"sighting:{sighting.id}", kind, [line])


def _unsure(sighting: Sighting, effects: Effects) -> Booked:
    """It may be money already told: nobody is credited twice until a person decides.

    A statement line still moves the bank account (invariant 13); its other side stays on clearing,
    as an open item of its own.
    """
    if sighting.view == "statement":
        booking = Booking(uuid7(), dimensions(sighting), None, effects)
        _to_the_bank(sighting, booking, "unsure")
    effects.cases.append(finding.about(sighting, "SAME_MOVEMENT_UNSURE"))
    return Booked(
        sighting_id=sighting.id, became=Became.UNSURE, movement_id=None, new_movement=False
    )


def _other_amount(sighting: Sighting, movement: Movement, world: World, effects: Effects) -> Booked:
    """One transaction, two amounts: the first is booked, the second is for a person."""
    request = world.requests.get(sighting.reference) if sighting.reference else None
    differs = request is not None and request.amount_vnd != sighting.amount_vnd
    effects.cases.append(finding.contested(sighting, movement))
    return Booked(
        sighting_id=sighting.id,
        became=Became.AMOUNT_DIFFERS if differs else Became.KEPT,
        movement_id=None,
        new_movement=False,
    )


def _seen(sighting: Sighting, *, weak: bool = False) -> Seen:
    return Seen(
        seen_by=sighting.seen_by,
        traces=frozenset(sighting.traces),
        reference=sighting.reference,
        happened_on=sighting.happened_on,
        weak_at=sighting.happened_at if weak else None,
    )
