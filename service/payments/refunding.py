"""What a refund books at each step: approved, paid by the provider, recorded, failed.

Each step is one entry per book and part, told once by its source. The liability to the payer
stands on 3382 from the approval until the money is gone (entries of the accounting page). Money
sent by the unit's own transfer is booked in `dues`, when the bank shows it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger import accounts
from ledger.accounts import business_day
from ledger.entries import Entry, Line
from service.payments import refund_loading, writing
from service.payments.effects import Effects
from service.payments.giving_back import TREASURY, Taken, take
from service.payments.sightings import Candidate, Case
from service.payments.state import Movement, NoticeKey, World

Kind: TypeAlias = Literal["held", "suspense", "fee"]
Route: TypeAlias = Literal["provider", "transfer", "treasury"]

CERTAIN: Final = 100
SOURCES: Final[Mapping[Kind, str]] = MappingProxyType(
    {"held": accounts.OVERPAID, "suspense": accounts.SUSPENSE}
)


class NotEnough(Exception):
    """There is less to give back than was asked for; `there_vnd` is what there is."""

    def __init__(self, there_vnd: int) -> None:
        super().__init__(f"{there_vnd} đồng can be given back")
        self.there_vnd = there_vnd


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as people decide it: which money of which movement, and of which notice."""

    book_id: int
    id: UUID
    kind: Kind
    movement_id: UUID
    amount_vnd: int
    notice: NoticeKey | None = None
    item_id: UUID | None = None
    over_notice: bool = False

    @property
    def of_fee(self) -> bool:
        """Whether a paid fee is reversed."""
        return self.kind == "fee"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One way by which an approved refund goes, and what it is made of."""

    part: int
    route: Route
    amount_vnd: int
    taken: tuple[Taken, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one part, and when."""

    part: int
    amount_vnd: int
    name: Literal["approved", "paid", "recorded", "failed"]
    at: datetime
    on: date | None = None

    def source(self, refund: Refund) -> str:
        """The entry's source: each step of a part is told once."""
        return f"refund:{refund.id}:{self.part}:{self.name}"


async def available_vnd(
    connection: AsyncConnection, refund: Refund, world: World, movement: Movement
) -> int:
    """How much of what `refund` names can be given back now; both are locked.

    The payer has a chargeback already: of what is left of the movement, no more than the rest.
    """
    there_vnd = await _there_vnd(connection, refund, world, movement)
    disputed_vnd = await refund_loading.disputed_vnd(connection, movement)
    if not disputed_vnd:
        return there_vnd
    left_vnd = movement.amount_vnd - movement.refund_vnd - movement.fee_refund_vnd
    return max(min(there_vnd, left_vnd - disputed_vnd), 0)


async def _there_vnd(
    connection: AsyncConnection, refund: Refund, world: World, movement: Movement
) -> int:
    if refund.kind == "suspense":
        # What only a weak channel has told may never have come.
        return 0 if movement.awaits_proof else movement.suspense_vnd
    if refund.kind == "held":
        return sum(
            p.amount_vnd for p in movement.placed if _is_source(refund, p.notice_id, p.account)
        )
    if refund.notice is None:
        return 0
    items = await refund_loading.refundable(connection, world, movement.id, refund.notice)
    chosen = [item for item in items if refund.item_id in {None, item.item_id}]
    return sum(item.reachable_vnd for item in chosen)


def _is_source(refund: Refund, notice_id: UUID | None, account: str) -> bool:
    over = refund.notice[1] if refund.over_notice and refund.notice else None
    return account == accounts.OVERPAID and notice_id == over


async def approve(
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    route: Route,
    now: datetime,
) -> list[Part]:
    """Book an approved refund onto 3382; the parts by which it goes. Raises NotEnough.

    `route` is where money that is not the budget's goes; what is remitted goes by the Treasury.
    """
    world, movement = locked
    there_vnd = await available_vnd(connection, refund, world, movement)
    if there_vnd < refund.amount_vnd:
        raise NotEnough(there_vnd)
    effects = Effects()
    if refund.of_fee and refund.notice is not None:
        items = await refund_loading.refundable(connection, world, movement.id, refund.notice)
        chosen = [item for item in items if refund.item_id in {None, item.item_id}]
        parts = _parts(take(chosen, refund.amount_vnd), route)
        await refund_loading.save_splits(connection, refund.notice[0], chosen)
        movement.fee_refund_vnd += refund.amount_vnd
    else:
        parts = [Part(part=1, route=route, amount_vnd=refund.amount_vnd)]
        _move(refund, movement, refund.amount_vnd)
        if not movement.suspense_vnd and not movement.held_vnd:
            effects.resolve(movement.book_id, movement.id, "refund approved")
    movement.dirty = True
    for part in parts:
        step = Step(part=part.part, amount_vnd=part.amount_vnd, name="approved", at=now)
        effects.entries += _entries(refund, step, _pairs(refund, part, up=True))
    await writing.write(connection, world, effects, now=now)
    return parts


def _parts(taken: Sequence[Taken], route: Route) -> list[Part]:
    """What the budget has already goes by the Treasury, everything else by `route`."""
    here = [one for one in taken if one.account != accounts.PROVIDER_RECEIVABLE]
    there = [one for one in taken if one.account == accounts.PROVIDER_RECEIVABLE]
    ways: list[tuple[Route, list[Taken]]] = [(route, here), ("treasury", there)]
    return [
        Part(part=number, route=way, amount_vnd=sum(t.amount_vnd for t in own), taken=tuple(own))
        for number, (way, own) in enumerate([w for w in ways if w[1]], 1)
    ]


def _move(refund: Refund, movement: Movement, amount_vnd: int) -> None:
    """From what is held or in suspense to what is being refunded; back for a negative amount."""
    movement.refund_vnd += amount_vnd
    if refund.kind == "held":
        movement.held_vnd -= amount_vnd
    else:
        movement.suspense_vnd -= amount_vnd


Pair: TypeAlias = tuple[str, str, int, Taken | None]
"""Debit, credit, amount, and the item that it is of."""


def _pairs(refund: Refund, part: Part, *, up: bool) -> list[Pair]:
    """Where the money stood / 3382; the other way round when it goes back.

    A fee that is not refunded after all is held again (3373), and split with the next remittance.
    """
    if not refund.of_fee:
        sides = (SOURCES[refund.kind], accounts.REFUND_PAYABLE)
        debit, credit = sides if up else sides[::-1]
        return [(debit, credit, part.amount_vnd, None)]
    if up:
        return [(t.account, accounts.REFUND_PAYABLE, t.amount_vnd, t) for t in part.taken]
    return [(accounts.REFUND_PAYABLE, back_on(t), t.amount_vnd, t) for t in part.taken]


def back_on(taken: Taken) -> str:
    """Where a share that is not refunded after all stands: what the budget has, it keeps."""
    claimed = taken.account == accounts.PROVIDER_RECEIVABLE
    return taken.account if claimed else accounts.FEES_HELD


def _entries(refund: Refund, step: Step, pairs: Sequence[Pair]) -> list[Entry]:
    """The step in the refund's book, and in the notice's where that is another.

    Between books 3382 stands in the one where the money came in, and 1389 / 3389 between them.
    """
    payable = accounts.REFUND_PAYABLE
    if refund.notice is None or not refund.of_fee or refund.notice[0] == refund.book_id:
        return [_entry(refund, step, refund.book_id, [_line(refund, pair) for pair in pairs])]
    there = [
        _line(
            refund,
            (
                accounts.DUE_FROM_UNITS if debit == payable else debit,
                accounts.DUE_FROM_UNITS if credit == payable else credit,
                amount_vnd,
                taken,
            ),
        )
        for debit, credit, amount_vnd, taken in pairs
    ]
    total = sum(amount_vnd for _, _, amount_vnd, _ in pairs)
    up = pairs[0][1] == payable
    sides = (accounts.DUE_TO_UNITS, payable)
    debit, credit = sides if up else sides[::-1]
    here = [Line(debit=debit, credit=credit, amount_vnd=total, movement_id=refund.movement_id)]
    shared = refund.id
    return [
        _entry(refund, step, refund.notice[0], there, shared),
        _entry(refund, step, refund.book_id, here, shared),
    ]


def _line(refund: Refund, pair: Pair) -> Line:
    debit, credit, amount_vnd, taken = pair
    of_notice = refund.of_fee or refund.over_notice
    return Line(
        debit=debit,
        credit=credit,
        amount_vnd=amount_vnd,
        notice_id=refund.notice[1] if refund.notice and of_notice else None,
        item_id=taken.item_id if taken else None,
        budget_subsection=taken.budget_subsection if taken else None,
        movement_id=refund.movement_id,
        merchant=TREASURY if accounts.PROVIDER_RECEIVABLE in {debit, credit} else None,
    )


def _entry(
    refund: Refund,
    step: Step,
    book_id: int,
    lines: Sequence[Line],
    shared_id: UUID | None = None,
) -> Entry:
    return Entry(
        book_id=book_id,
        id=uuid7(),
        source=step.source(refund),
        kind=f"refund_{step.name}",
        happened_at=step.at,
        value_date=step.on or business_day(step.at),
        shared_id=shared_id,
        lines=tuple(lines),
    )


async def pay_by_provider(
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    step: Step,
    now: datetime,
) -> None:
    """The provider has given the money back: 3382 / 1130, which its next payout is less by."""
    world, movement = locked
    effects = Effects()
    name = movement.origin.partition(":")[2]
    line = Line(
        debit=accounts.REFUND_PAYABLE,
        credit=accounts.CLEARING,
        amount_vnd=step.amount_vnd,
        notice_id=refund.notice[1] if refund.notice and refund.over_notice else None,
        movement_id=movement.id,
        merchant=name,
    )
    effects.entries.append(_entry(refund, step, refund.book_id, [line]))
    movement.clearing_vnd -= step.amount_vnd
    movement.dirty = True
    _count(refund, step.amount_vnd, world, effects)
    effects.resolve(refund.book_id, refund.id, "paid")
    await writing.write(connection, world, effects, now=now)


async def pay_by_debit(
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    step: Step,
    now: datetime,
) -> None:
    """People say which unexplained debit has paid the refund: 3382 / 1380 of that debit.

    `locked` holds the debit. Raises NotEnough unless it is unexplained and of this amount.
    """
    world, debit = locked
    if debit.direction != "out" or debit.unexplained_vnd != step.amount_vnd:
        raise NotEnough(debit.unexplained_vnd)
    effects = Effects()
    kind, _, name = debit.origin.partition(":")
    line = Line(
        debit=accounts.REFUND_PAYABLE,
        credit=accounts.OUTGOING_UNEXPLAINED,
        amount_vnd=step.amount_vnd,
        notice_id=refund.notice[1] if refund.notice and refund.over_notice else None,
        movement_id=debit.id,
        bank_account_id=int(name) if kind == "account" else None,
    )
    effects.entries.append(_entry(refund, step, refund.book_id, [line]))
    debit.unexplained_vnd = 0
    debit.refund_vnd = step.amount_vnd
    debit.dirty = True
    _count(refund, step.amount_vnd, world, effects)
    effects.resolve(debit.book_id, debit.id, "paid a refund")
    effects.resolve(refund.book_id, refund.id, "paid")
    await writing.write(connection, world, effects, now=now)


async def record_treasury(
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    step: tuple[Step, Part],
    now: datetime,
) -> None:
    """The Treasury has paid by its own decision: 3382 / 1388 of the budget."""
    world, _ = locked
    effects = Effects()
    told, part = step
    pairs: list[Pair] = [
        (accounts.REFUND_PAYABLE, accounts.PROVIDER_RECEIVABLE, t.amount_vnd, t) for t in part.taken
    ]
    effects.entries += _entries(refund, told, pairs)
    _count(refund, part.amount_vnd, world, effects)
    effects.resolve(refund.book_id, refund.id, "recorded")
    await writing.write(connection, world, effects, now=now)


async def fail(
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    step: tuple[Step, Part],
    now: datetime,
) -> None:
    """The money was not given back: it stands where it stood, and people look at it again."""
    world, movement = locked
    effects = Effects()
    told, part = step
    if refund.of_fee:
        movement.fee_refund_vnd -= part.amount_vnd
    else:
        _move(refund, movement, -part.amount_vnd)
    movement.dirty = True
    effects.entries += _entries(refund, told, _pairs(refund, part, up=False))
    effects.resolve(refund.book_id, refund.id, "failed")
    effects.cases.append(
        Case(
            book_id=movement.book_id,
            subject_kind="refund" if refund.of_fee else "movement",
            subject_id=refund.id if refund.of_fee else movement.id,
            side="ledger",
            reason="REFUND_FAILED",
            provider=movement.origin.partition(":")[2].partition("/")[0],
            external_id=str(refund.id),
            amount_vnd=part.amount_vnd,
            happened_at=now,
            candidates=()
            if refund.notice is None
            else (Candidate(id=refund.notice[1], kind="fee_notice", score=CERTAIN),),
        )
    )
    await writing.write(connection, world, effects, now=now)


def _count(refund: Refund, amount_vnd: int, world: World, effects: Effects) -> None:
    if refund.notice is None:
        return
    notice = world.notices[refund.notice]
    if notice.give_back(amount_vnd, of_fee=refund.of_fee, over_notice=refund.over_notice):
        effects.tell(notice, "fee_notice.refunded")
