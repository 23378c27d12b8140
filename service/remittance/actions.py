"""Propose remittances and what happens to them, and decide. Each is one transaction's work."""

import secrets
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger.accounts import business_day
from service import decisions
from service.access import Principal
from service.decisions import Decision, Proposal, Verdict
from service.decisions.errors import AlreadyProposed
from service.errors import NotFound
from service.payments import loading, refund_loading, remitting
from service.payments.remitting import Shares, When
from service.payments.state import Due, Movement, World
from service.references import payment_reference
from service.remittance import calendar, queries, splitting
from service.remittance.errors import NothingToRemit, PeriodOpen, RemittanceState
from service.remittance.messages import NewRecord, NewRemittance
from service.remittance.splitting import Named, Wanted
from service.settings import Settings
from service.web.idempotency import Done

DECISION: Final = "remittance"
RECORD: Final = "remittance_record"

BOOK_CODE = sa.text("select code from ledger.book where book_id = :book_id")

FIND = sa.text("""
    select book_id, status, rule, way, until, swept_vnd, reference from service.remittance
    where book_id = any(cast(:books as integer[])) and id = :id
""")
LOCK = sa.text("""
    select status from service.remittance where book_id = :book_id and id = :id for no key update
""")

SHARES = sa.text("""
    select nullif(budget_subsection, '') as budget_subsection,
           sum(retained_vnd)::bigint as retained_vnd,
           sum(budget_vnd - back_vnd)::bigint as budget_vnd
    from service.remittance_line where book_id = :book_id and remittance_id = :id
    group by 1 order by 1
""")

MOVE = sa.text("""
    update service.remittance
    set status = :status, updated_at = :now, arrived_on = coalesce(:arrived_on, arrived_on),
        slip_no = coalesce(:slip_no, slip_no), slip_on = coalesce(:slip_on, slip_on),
        remitted_on = coalesce(:remitted_on, remitted_on)
    where book_id = :book_id and id = :id
""")


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for something, when, and by which settings."""

    caller: Principal
    settings: Settings
    now: datetime

    @property
    def today(self) -> date:
        """The day in Vietnam."""
        return business_day(self.now)

    @property
    def rules(self) -> calendar.Rules:
        """The calendars in force."""
        return calendar.rules(self.settings.remittance_rules)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A remittance, locked."""

    book_id: int
    id: UUID
    status: str
    way: str
    rule: calendar.Rule
    until: date
    swept_vnd: int
    reference: str


async def propose(
    connection: AsyncConnection, desk: Desk, book_id: int, new: NewRemittance
) -> Done:
    """Take apart what is paid and due, as a proposal.

    Raises BookNotCovered, NotAPerson, PeriodOpen, NothingToRemit, AlreadyProposed.
    """
    desk.caller.cover(book_id)
    until = new.until or calendar.last_complete(new.rule, desk.today)
    if until >= desk.today:
        raise PeriodOpen
    await loading.lock(connection, [refund_loading.apart_key(book_id)])
    code = str(await connection.scalar(BOOK_CODE, {"book_id": book_id}))
    wanted = Wanted(book_id=book_id, rule=new.rule, until=until, rules=desk.rules)
    named = Named(
        id=uuid7(),
        reference=payment_reference.mint(code, secrets.token_bytes(payment_reference.RANDOM_BYTES)),
        due_on=calendar.due_on(new.rule, until),
        way=new.way,
    )
    try:
        async with connection.begin_nested():
            split = await splitting.split(connection, wanted, named, desk.now)
    except IntegrityError as error:
        if "remittance_proposed" in str(error.orig):
            raise AlreadyProposed from None
        raise
    if split is None:
        raise NothingToRemit
    proposal = Proposal(
        book_id=book_id,
        kind=DECISION,
        subject_id=named.id,
        amount_vnd=split.split_vnd,
        detail={"rule": new.rule, "until": until.isoformat()},
    )
    await decisions.propose(connection, desk.caller, proposal, desk.now)
    return await _shown(connection, desk, named.id, 201)


async def decide(
    connection: AsyncConnection,
    desk: Desk,
    remittance_id: UUID,
    verdict: Verdict,
    reason: str | None,
) -> Done:
    """Approve or reject what was proposed: the remittance, or what happened to it.

    Raises NotFound, NothingProposed, SamePerson, RemittanceState.
    """
    book_id = int((await _row(connection, desk, remittance_id)).book_id)
    pending = await decisions.live(connection, book_id, remittance_id, locked=False)
    debit = await _named_debit(connection, book_id, pending.detail.get("movement_id"))
    found = await _locked(connection, desk, remittance_id)
    decision = await decisions.live(connection, found.book_id, remittance_id)
    status = await decisions.vote(connection, desk.caller, decision, verdict, reason, desk.now)
    if decision.kind == RECORD:
        if status == "approved" and decision.detail["what"] == "debit":
            if decision.id != pending.id:
                raise RemittanceState("something else is proposed meanwhile")
            await _paid_by_debit(connection, desk, found, debit)
        elif status == "approved":
            await _record(connection, desk, found, decision)
    elif status == "rejected":
        await _move(connection, desk, found, "rejected")
    elif status == "approved":
        await _approve(connection, desk, found)
    return await _shown(connection, desk, remittance_id, 200)


async def _row(
    connection: AsyncConnection, desk: Desk, remittance_id: UUID
) -> sa.Row[tuple[Any, ...]]:
    wanted = {"books": desk.caller.book_list, "id": remittance_id}
    row = (await connection.execute(FIND, wanted)).one_or_none()
    if row is None:
        raise NotFound
    return row


async def _named_debit(
    connection: AsyncConnection, book_id: int, named: object
) -> tuple[World, Movement | None]:
    """The debit that a proposal names, locked before the remittance as everybody does."""
    if named is None:
        return World(), None
    return await remitting.locked_debit(connection, book_id, UUID(str(named)))


async def _locked(connection: AsyncConnection, desk: Desk, remittance_id: UUID) -> Found:
    row = await _row(connection, desk, remittance_id)
    await loading.lock(connection, [refund_loading.apart_key(row.book_id)])
    key = {"book_id": row.book_id, "id": remittance_id}
    status = str(await connection.scalar(LOCK, key))
    row = await _row(connection, desk, remittance_id)
    return Found(
        book_id=row.book_id,
        id=remittance_id,
        status=status,
        way=row.way,
        rule=row.rule,
        until=row.until,
        swept_vnd=row.swept_vnd,
        reference=row.reference,
    )


async def _shares(connection: AsyncConnection, found: Found) -> list[Shares]:
    rows = await connection.execute(SHARES, {"book_id": found.book_id, "id": found.id})
    return [
        Shares(
            budget_subsection=row.budget_subsection,
            retained_vnd=row.retained_vnd,
            budget_vnd=row.budget_vnd,
        )
        for row in rows
    ]


async def _approve(connection: AsyncConnection, desk: Desk, found: Found) -> None:
    """Book the split, on the last day of what it is of; with no share of the budget it is done."""
    shares = await _shares(connection, found)
    when = When(at=desk.now, on=found.until)
    await remitting.split(connection, found.book_id, found.id, shares, when)
    nothing_due = not sum(share.budget_vnd for share in shares)
    on = desk.today if nothing_due else None
    await _move(connection, desk, found, "remitted" if nothing_due else "approved", remitted_on=on)


async def propose_record(
    connection: AsyncConnection, desk: Desk, remittance_id: UUID, new: NewRecord
) -> Done:
    """Say what happened to it; another person confirms it. Raises RemittanceState."""
    book_id = int((await _row(connection, desk, remittance_id)).book_id)
    debit = await _named_debit(connection, book_id, new.movement_id)
    found = await _locked(connection, desk, remittance_id)
    _check(found, new.what)
    if (new.what == "debit") != (new.movement_id is not None):
        raise RemittanceState("name the bank debit that paid it, and only then")
    if new.what == "debit":
        await _fitting(connection, found, debit)
    elif new.on is None:
        raise RemittanceState("say on which day")
    if new.what == "payment" and new.slip_no is None:
        raise RemittanceState("a payment has the number of its slip")
    proposal = Proposal(
        book_id=found.book_id,
        kind=RECORD,
        subject_id=found.id,
        amount_vnd=max(found.swept_vnd, 1),
        detail={
            "what": new.what,
            "on": None if new.on is None else new.on.isoformat(),
            "slip_no": new.slip_no,
            "movement_id": None if new.movement_id is None else str(new.movement_id),
        },
    )
    await decisions.propose(connection, desk.caller, proposal, desk.now)
    return await _shown(connection, desk, remittance_id, 200)


def _check(found: Found, what: str) -> None:
    """What may follow what: swept, arrived, paid; a slip of money sent directly at any time."""
    if what == "debit":
        fits = found.status == "approved"
    elif found.way == "direct":
        fits = what == "payment" and found.status in {"approved", "remitted"}
    else:
        fits = found.status == {"arrival": "swept", "payment": "arrived"}[what]
    if not fits:
        raise RemittanceState(f"it is {found.status}")


async def _fitting(
    connection: AsyncConnection, found: Found, debit: tuple[World, Movement | None]
) -> tuple[Due, tuple[World, Movement]]:
    """What is due and the debit that is to have paid it; raises RemittanceState."""
    world, movement = debit
    due = await remitting.due_of(connection, found.book_id, found.reference)
    if due is None:
        raise RemittanceState("nothing of it is waited for")
    if movement is None or movement.direction != "out":
        raise RemittanceState("there is no such debit in this book")
    if movement.unexplained_vnd != due.amount_vnd:
        raise RemittanceState(
            f"{movement.unexplained_vnd} of the debit is unexplained, {due.amount_vnd} is due"
        )
    return due, (world, movement)


async def _paid_by_debit(
    connection: AsyncConnection, desk: Desk, found: Found, debit: tuple[World, Movement | None]
) -> None:
    _check(found, "debit")
    due, locked = await _fitting(connection, found, debit)
    await remitting.pay_by_debit(connection, due, locked, desk.now)


async def _record(
    connection: AsyncConnection, desk: Desk, found: Found, decision: Decision
) -> None:
    what, slip_no = str(decision.detail["what"]), decision.detail["slip_no"]
    _check(found, what)
    on = date.fromisoformat(str(decision.detail["on"]))
    when = When(at=desk.now, on=on)
    slip = None if slip_no is None else str(slip_no)
    if what == "arrival":
        await remitting.arrive(connection, found.book_id, found.id, found.swept_vnd, when)
        await _move(connection, desk, found, "arrived", arrived_on=on)
    elif found.way == "direct":
        # The bank's debit books it; the slip is its paper.
        await _move(connection, desk, found, found.status, slip_no=slip, slip_on=on)
    else:
        shares = await _shares(connection, found)
        await remitting.remit(connection, found.book_id, found.id, shares, when)
        await _move(connection, desk, found, "remitted", slip_no=slip, slip_on=on, remitted_on=on)


async def _move(  # one row of facts
    connection: AsyncConnection,
    desk: Desk,
    found: Found,
    status: str,
    *,
    arrived_on: date | None = None,
    slip_no: str | None = None,
    slip_on: date | None = None,
    remitted_on: date | None = None,
) -> None:
    told = {
        "status": status,
        "arrived_on": arrived_on,
        "slip_no": slip_no,
        "slip_on": slip_on,
        "remitted_on": remitted_on,
        "now": desk.now,
    }
    await connection.execute(MOVE, {"book_id": found.book_id, "id": found.id} | told)


async def _shown(connection: AsyncConnection, desk: Desk, wanted: UUID, status: int) -> Done:
    (found,) = await queries.remittances(connection, desk.caller, [wanted])
    return Done(book_id=found.book_id, status=status, body=queries.encoded(found))


__all__: Sequence[str] = ["Desk", "decide", "propose", "propose_record"]
