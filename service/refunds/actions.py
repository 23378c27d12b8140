"""Wish for a refund, propose it, and decide it. Each function is one transaction's work."""

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service import decisions
from service.access import Principal
from service.decisions import Decision, Proposal, Verdict
from service.decisions.errors import NotAPerson
from service.errors import NotFound
from service.payments import refund_loading, refunding
from service.payments.refunding import NotEnough, Refund
from service.payments.state import Movement, NoticeKey, World
from service.references import payment_reference
from service.refunds import finding, outcomes, queries, routing, rows
from service.refunds.errors import NothingToRefund, RefundExceeds, RefundState
from service.refunds.messages import NewOutcome, NewRefund, NewReturn, RefundDetails
from service.sealing import Sealer
from service.settings import Settings
from service.web.idempotency import Done

DECISION: Final = "refund"
OUTCOME: Final = "refund_outcome"

NOTICE = sa.text("""
    select book_id from service.notice
    where book_id = any(cast(:books as integer[])) and id = :id
""")
BOOK_CODE = sa.text("select code from ledger.book where book_id = :book_id")


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for something, when, and what is needed to do it."""

    caller: Principal
    sealer: Sealer
    settings: Settings
    now: datetime

    @property
    def may_propose(self) -> bool:
        """Whether the caller is a maker; a key can only wish."""
        return self.caller.kind == "staff"


async def ask(connection: AsyncConnection, desk: Desk, notice_id: UUID, new: NewRefund) -> Done:
    """Write down what is to be given back: a person's proposal, a machine's wish.

    Raises NotFound, BookNotCovered, NothingToRefund, SeveralMoneys, NotAPerson, RefundExceeds.
    """
    caller = desk.caller
    wanted = {"books": caller.book_list, "id": notice_id}
    notice_book = await connection.scalar(NOTICE, wanted)
    if notice_book is None:
        raise NotFound
    notice: NoticeKey = (int(str(notice_book)), notice_id)
    money = await finding.money(connection, caller, new.of, notice, new.movement_id)
    refund = Refund(
        book_id=money.book_id,
        id=uuid7(),
        kind=new.of,
        movement_id=money.movement_id,
        amount_vnd=new.amount_vnd or 1,
        notice=notice,
        item_id=new.item_id,
        over_notice=money.over_notice,
    )
    return await _ask(connection, desk, refund, new)


async def give_back(connection: AsyncConnection, desk: Desk, new: NewReturn) -> Done:
    """Propose to give back money that belongs to no notice.

    Raises NotAPerson, NotFound, BookNotCovered, NothingToRefund, RefundExceeds.
    """
    if not desk.may_propose:
        raise NotAPerson
    refund = Refund(
        book_id=await finding.book_of(connection, desk.caller, new.movement_id),
        id=uuid7(),
        kind=new.of,
        movement_id=new.movement_id,
        amount_vnd=new.amount_vnd or 1,
    )
    desk.caller.cover(refund.book_id)
    return await _ask(connection, desk, refund, new)


async def _ask(connection: AsyncConnection, desk: Desk, refund: Refund, new: RefundDetails) -> Done:
    money = (refund.book_id, refund.movement_id)
    locked = await refund_loading.load(connection, money, refund.notice)
    there_vnd = await _left_vnd(connection, refund, locked)
    if there_vnd <= 0:
        raise NothingToRefund
    if new.amount_vnd is None:
        refund = msgspec.structs.replace(refund, amount_vnd=there_vnd)
    elif new.amount_vnd > there_vnd:
        raise RefundExceeds(f"{there_vnd} can be given back")
    decision_id = await _propose(connection, desk, refund) if desk.may_propose else None
    await _add(connection, desk, refund, new, decision_id)
    name = "proposed" if decision_id else "asked"
    await rows.step(connection, refund, name, desk.caller.actor, desk.now)
    return await _shown(connection, desk, refund.id, 201)


async def _left_vnd(
    connection: AsyncConnection, refund: Refund, locked: tuple[World, Movement]
) -> int:
    there_vnd = await refunding.available_vnd(connection, refund, *locked)
    return there_vnd - await rows.proposed_vnd(connection, refund)


async def _propose(connection: AsyncConnection, desk: Desk, refund: Refund) -> UUID:
    proposal = Proposal(
        book_id=refund.book_id,
        kind=DECISION,
        subject_id=refund.id,
        amount_vnd=refund.amount_vnd,
        detail={"of": refund.kind},
    )
    return await decisions.propose(
        connection,
        desk.caller,
        proposal,
        desk.now,
        second_checker_from_vnd=desk.settings.second_checker_from_vnd,
    )


async def _add(  # one row of facts
    connection: AsyncConnection,
    desk: Desk,
    refund: Refund,
    new: RefundDetails,
    decision_id: UUID | None,
) -> None:
    code = str(await connection.scalar(BOOK_CODE, {"book_id": refund.book_id}))
    sealed = None
    if new.payee is not None:
        await desk.sealer.prepare(connection, [refund.book_id], desk.now)
        plain = msgspec.json.encode(new.payee)
        context = queries.payee_context(refund.id)
        sealed = desk.sealer.seal(refund.book_id, desk.now, context, plain)
    random = secrets.token_bytes(payment_reference.RANDOM_BYTES)
    await connection.execute(
        rows.ADD,
        {
            "book_id": refund.book_id,
            "id": refund.id,
            "kind": refund.kind,
            "movement_id": refund.movement_id,
            "notice_book_id": refund.notice[0] if refund.notice else None,
            "notice_id": refund.notice[1] if refund.notice else None,
            "item_id": refund.item_id,
            "over_notice": refund.over_notice,
            "amount_vnd": refund.amount_vnd,
            "reason": new.reason,
            "note": new.note,
            "payee_sealed": sealed,
            "by_transfer": new.by_transfer,
            "reference": payment_reference.mint(code, random),
            "asked_by": desk.caller.actor,
            "status": "proposed" if decision_id else "asked",
            "decision_id": decision_id,
            "now": desk.now,
        },
    )


async def take_up(connection: AsyncConnection, desk: Desk, refund_id: UUID) -> Done:
    """A person makes a machine's wish a proposal; raises RefundState, RefundExceeds."""
    row, refund, locked = await _locked(connection, desk, refund_id)
    if row.status != "asked":
        raise RefundState(f"it is {row.status}")
    there_vnd = await _left_vnd(connection, refund, locked)
    if refund.amount_vnd > there_vnd:
        raise RefundExceeds(f"{max(there_vnd, 0)} can be given back")
    decision_id = await _propose(connection, desk, refund)
    await rows.move(connection, refund, "proposed", desk.now, decision_id)
    await rows.step(connection, refund, "proposed", desk.caller.actor, desk.now)
    return await _shown(connection, desk, refund_id, 200)


async def _locked(
    connection: AsyncConnection, desk: Desk, refund_id: UUID, *also: tuple[int, UUID]
) -> tuple[rows.Row, Refund, tuple[World, Movement]]:
    """A refund with its notice and its money, locked in everybody's order."""
    row = await rows.find(connection, desk.caller.book_list, refund_id)
    refund = row.refund
    if refund.notice is not None:
        desk.caller.cover(refund.notice[0])
    money = (refund.book_id, refund.movement_id)
    locked = await refund_loading.load(connection, money, refund.notice, also=also)
    status = await rows.lock(connection, refund)
    return msgspec.structs.replace(row, status=status), refund, locked


async def decide(
    connection: AsyncConnection, desk: Desk, refund_id: UUID, verdict: Verdict, reason: str | None
) -> Done:
    """A checker approves or rejects what was proposed about a refund: itself, or its outcome.

    Raises NotFound, NothingProposed, SamePerson, RefundExceeds, RefundState.
    """
    found = await rows.find(connection, desk.caller.book_list, refund_id)
    if found.status == "asked" and verdict == "rejected":
        return await _turn_down(connection, desk, refund_id, reason)
    pending = await decisions.live(connection, found.refund.book_id, refund_id, locked=False)
    also = outcomes.named_debit(pending, found.refund.book_id)
    row, refund, locked = await _locked(connection, desk, refund_id, *also)
    decision = await decisions.live(connection, refund.book_id, refund_id)
    now_it_is = await decisions.vote(connection, desk.caller, decision, verdict, reason, desk.now)
    await rows.step(connection, refund, verdict, desk.caller.actor, desk.now, detail=reason)
    if decision.kind == OUTCOME:
        if now_it_is == "approved":
            await outcomes.apply(connection, refund, locked, decision, desk.caller.actor, desk.now)
    elif now_it_is == "rejected":
        await rows.move(connection, refund, "rejected", desk.now)
    elif now_it_is == "approved":
        await _approve(connection, desk, row, locked)
    return await _shown(connection, desk, refund_id, 200)


async def _turn_down(
    connection: AsyncConnection, desk: Desk, refund_id: UUID, reason: str | None
) -> Done:
    """A wish moves no money: one person may say no."""
    row, refund, _ = await _locked(connection, desk, refund_id)
    if row.status != "asked":
        raise RefundState(f"it is {row.status}")
    await rows.move(connection, refund, "rejected", desk.now)
    await rows.step(connection, refund, "rejected", desk.caller.actor, desk.now, detail=reason)
    return await _shown(connection, desk, refund_id, 200)


async def _approve(
    connection: AsyncConnection, desk: Desk, row: rows.Row, locked: tuple[World, Movement]
) -> None:
    """Book it, and write down by which ways it goes."""
    refund, movement = row.refund, locked[1]
    order = None
    if not row.by_transfer:
        order = await routing.order_of(
            connection, desk.sealer, refund.book_id, movement.id, movement.origin
        )
    before_vnd = movement.refund_vnd + movement.fee_refund_vnd
    whole = refund.amount_vnd == movement.amount_vnd and not before_vnd
    try:
        parts = await refunding.approve(
            connection, refund, locked, "provider" if order else "transfer", desk.now
        )
    except NotEnough as less:
        raise RefundExceeds(f"{less.there_vnd} can be given back") from None
    await rows.move(connection, refund, "approved", desk.now)
    for part in parts:
        how = (order, uuid4().hex, whole and part.amount_vnd == movement.amount_vnd)
        await rows.add_part(connection, refund, part, how, desk.now)


async def propose_outcome(
    connection: AsyncConnection, desk: Desk, refund_id: UUID, new: NewOutcome
) -> Done:
    """People know how a part ended; another person has to confirm it. Raises RefundState."""
    _, refund, _ = await _locked(connection, desk, refund_id)
    part = await rows.lock_part(connection, refund, new.part)
    if part is None:
        raise NotFound
    await outcomes.check(connection, refund, part, new)
    proposal = Proposal(
        book_id=refund.book_id,
        kind=OUTCOME,
        subject_id=refund.id,
        amount_vnd=part.amount_vnd,
        detail=outcomes.detail_of(new),
    )
    await decisions.propose(
        connection,
        desk.caller,
        proposal,
        desk.now,
        second_checker_from_vnd=desk.settings.second_checker_from_vnd,
    )
    told = f"{new.outcome} {new.treasury_no or new.movement_id or ''}".strip()
    await rows.step(
        connection, refund, "proposed", desk.caller.actor, desk.now, part=new.part, detail=told
    )
    return await _shown(connection, desk, refund_id, 200)


async def _shown(connection: AsyncConnection, desk: Desk, refund_id: UUID, status: int) -> Done:
    (found,) = await queries.refunds(connection, desk.sealer, desk.caller, [refund_id])
    return Done(book_id=found.book_id, status=status, body=msgspec.json.encode(found))


__all__ = ["Decision", "Desk", "ask", "decide", "give_back", "propose_outcome", "take_up"]
