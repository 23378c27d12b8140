"""Join a sighting to the movement it reports, if it is one that another window already told.

Within one window two sightings are two movements, unless it goes by the bank's numbers and tells
one of them twice. Between windows they are joined by own account, direction, amount, bank reference
and date (a day either way), with multiplicity: as many in one window as in the other. Where that is
not one-to-one the answer is "unsure", and nothing is credited a second time until a person decides
(outcome table of DESIGN; MATCHING 2.0).
"""

import re
from datetime import timedelta
from typing import Literal

from service.payments.sightings import Sighting
from service.payments.state import Movement, World

DAYS_APART_MAX = timedelta(days=1)

KIND_OF_TRACE = re.compile(r"^[A-Z]{2,12}(?=[.\-/]?[0-9])")


def join(sighting: Sighting, world: World) -> Movement | Literal["new", "unsure"]:
    """The movement this sighting reports, or "new", or "unsure".

    A gateway's own transaction number names its movement whatever the amount says: two amounts of
    one transaction are one movement, and the caller sees the difference. So does the number of a
    transfer by which its window would tell it again.
    """
    if sighting.is_by_transaction and sighting.direction == "out":
        return "new"  # it names the payment that it takes back
    if sighting.is_by_transaction:
        traced = (world.traced(sighting.book_id, sighting.origin, t) for t in sighting.traces)
        return next((movement for movement in traced if movement is not None), "new")
    if sighting.view == "counter":
        return "new"
    told = _told_by_itself(sighting, world) if sighting.known_as else None
    if told is not None:
        return told
    like = world.like(sighting.book_id, sighting.origin, sighting.direction, sighting.amount_vnd)
    return _among(sighting, [movement for movement in like if _may_be(sighting, movement)])


def is_named(sighting: Sighting, world: World) -> bool:
    """Whether a statement line bears the bank reference of a movement that it may be of.

    Always true of calls and receipts, so that a stable sort by it leaves them where they are.
    """
    if sighting.view != "statement":
        return True
    like = world.like(sighting.book_id, sighting.origin, sighting.direction, sighting.amount_vnd)
    return any(_may_be(sighting, m) and m.traces.intersection(sighting.traces) for m in like)


def _told_by_itself(sighting: Sighting, world: World) -> Movement | Literal["unsure"] | None:
    """What this very window told before of the transfer with this number; None: nothing.

    The same number under the same scope is the same money, whatever the amount says. Under another
    scope it is the same where amount and day agree too: two connections of a feed to one account.
    On the day before or after nobody can be sure.
    """
    number, _, _ = (sighting.known_as or "").rpartition("@")
    known = world.traced(sighting.book_id, sighting.origin, sighting.known_as or "")
    if known is not None and _days_apart(sighting, known) <= DAYS_APART_MAX:
        return known if known.direction == sighting.direction else "unsure"
    like = world.like(sighting.book_id, sighting.origin, sighting.direction, sighting.amount_vnd)
    days = {
        seen.happened_on: movement
        for movement in reversed(like)
        for seen in movement.seen
        if seen.seen_by == sighting.seen_by
        and number in seen.traces
        and abs(seen.happened_on - sighting.happened_on) <= DAYS_APART_MAX
    }
    return days.get(sighting.happened_on, "unsure") if days else None


def _among(sighting: Sighting, others: list[Movement]) -> Movement | Literal["new", "unsure"]:
    """One of `others`, which only other windows have told so far."""
    traced = [m for m in others if m.traces.intersection(sighting.traces)]
    if traced:
        same = [m for m in traced if _same_reference(sighting, m)]
        return (same or traced)[0]
    undecided = [m for m in others if not _differs(sighting, m)]
    named = [m for m in undecided if _same_code(sighting, m)]
    if len(named) == 1:
        return named[0]
    on_the_day = [m for m in undecided if _days_apart(sighting, m) == timedelta()]
    like = on_the_day or undecided
    if not like:
        return "new"
    # One that names something may be any of those that name nothing, but nobody can be sure.
    alike = all(_kinds_named(m) == _kinds_named(sighting) for m in like)
    return like[0] if alike and len(like) == sighting.peers else "unsure"


def _may_be(sighting: Sighting, movement: Movement) -> bool:
    """Whether the movement could be this one: near in date, not yet seen by this window."""
    return (
        all(seen.seen_by != sighting.seen_by for seen in movement.seen)
        and _days_apart(sighting, movement) <= DAYS_APART_MAX
    )


def _days_apart(sighting: Sighting, movement: Movement) -> timedelta:
    return min(
        (abs(seen.happened_on - sighting.happened_on) for seen in movement.seen),
        default=timedelta.max,
    )


def _same_reference(sighting: Sighting, movement: Movement) -> bool:
    return any(seen.reference == sighting.reference for seen in movement.seen)


def _same_code(sighting: Sighting, movement: Movement) -> bool:
    """Whether both texts hold one payment reference, or one whole dossier code."""
    return bool(
        (sighting.reference and _same_reference(sighting, movement))
        or sighting.dossiers & movement.dossiers
    )


def _kinds_named(told: Sighting | Movement) -> tuple[bool, bool]:
    """Whether a payment reference, and whether a whole dossier code is told."""
    if isinstance(told, Sighting):
        return bool(told.reference), bool(told.dossiers)
    return any(seen.reference for seen in told.seen), bool(told.dossiers)


def _differs(sighting: Sighting, movement: Movement) -> bool:
    """Two traces of one kind that are unequal, two references, or two dossiers tell two apart."""
    told = {seen.reference for seen in movement.seen if seen.reference}
    if sighting.reference and told and sighting.reference not in told:
        return True
    if sighting.dossiers and movement.dossiers and sighting.dossiers.isdisjoint(movement.dossiers):
        return True
    theirs = {kind for trace in movement.traces if (kind := _kind(trace))}
    return any(_kind(trace) in theirs for trace in sighting.traces)


def _kind(trace: str) -> str | None:
    """The kind of a bank reference that names itself: `MBVCB.123` and `MBVCB.456` compare."""
    found = KIND_OF_TRACE.match(trace)
    return found.group() if found else None
