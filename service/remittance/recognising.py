"""Retained shares become revenue at the end of a period, by two people: 3370 to 5140."""

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service import decisions
from service.decisions import Proposal, Verdict
from service.decisions.errors import AlreadyProposed
from service.errors import NotFound
from service.payments import loading, refund_loading, remitting
from service.payments.remitting import Shares, When
from service.remittance.actions import Desk
from service.remittance.errors import NothingToRemit, PeriodOpen, RemittanceState
from service.remittance.messages import NewRecognition, Recognition
from service.web.idempotency import Done

DECISION: Final = "recognition"

# What was taken apart up to that day, less what of it was given back; by remittances, each once.
WAITING: Final = """
    select nullif(coalesce(item.budget_subsection, ''), '') as budget_subsection,
           sum(split.retained_vnd - split.back_retained_vnd)::bigint as retained_vnd
    from service.remittance as remittance
    join service.item_split as split
      on split.book_id = remittance.book_id and split.remittance_id = remittance.id
    join service.notice_item as item
      on item.book_id = split.book_id and item.notice_id = split.notice_id
     and item.id = split.item_id
    where remittance.book_id = :book_id and remittance.until <= :until
      and remittance.status in ('approved', 'swept', 'arrived', 'remitted')
      and remittance.recognition_id is null
    group by 1 having sum(split.retained_vnd - split.back_retained_vnd) > 0 order by 1
"""
SHARES = sa.text(WAITING)

ADD = sa.text("""
    insert into service.recognition (book_id, id, until, amount_vnd, proposed_at, updated_at)
    values (:book_id, :id, :until, :amount_vnd, :now, :now)
""")
FIND = sa.text("""
    select book_id, id, until, amount_vnd, status, proposed_at from service.recognition
    where book_id = any(cast(:books as integer[])) and id = :id
""")
MOVE = sa.text("""
    update service.recognition set status = :status, updated_at = :now
    where book_id = :book_id and id = :id
""")
MARK = sa.text("""
    update service.remittance set recognition_id = :id, updated_at = :now
    where book_id = :book_id and until <= :until and recognition_id is null
      and status in ('approved', 'swept', 'arrived', 'remitted')
""")


async def propose(
    connection: AsyncConnection, desk: Desk, book_id: int, new: NewRecognition
) -> Done:
    """Work out what is retained up to a day and not revenue yet, as a proposal.

    Raises BookNotCovered, NotAPerson, PeriodOpen, NothingToRemit, AlreadyProposed.
    """
    desk.caller.cover(book_id)
    if new.until >= desk.today:
        raise PeriodOpen
    await loading.lock(connection, [refund_loading.apart_key(book_id)])
    shares = await _shares(connection, book_id, new)
    amount_vnd = sum(share.retained_vnd for share in shares)
    if not amount_vnd:
        raise NothingToRemit
    recognition_id = uuid7()
    row = {"book_id": book_id, "id": recognition_id, "until": new.until}
    try:
        async with connection.begin_nested():
            await connection.execute(ADD, row | {"amount_vnd": amount_vnd, "now": desk.now})
    except IntegrityError as error:
        if "recognition_proposed" in str(error.orig):
            raise AlreadyProposed from None
        raise
    proposal = Proposal(
        book_id=book_id,
        kind=DECISION,
        subject_id=recognition_id,
        amount_vnd=amount_vnd,
        detail={"until": new.until.isoformat()},
    )
    await decisions.propose(connection, desk.caller, proposal, desk.now)
    return await _shown(connection, desk, recognition_id, 201)


async def decide(
    connection: AsyncConnection,
    desk: Desk,
    recognition_id: UUID,
    verdict: Verdict,
    reason: str | None,
) -> Done:
    """Approve or reject it; raises RemittanceState where refunds have changed the amount."""
    found = await read(connection, desk, recognition_id)
    await loading.lock(connection, [refund_loading.apart_key(found.book_id)])
    decision = await decisions.live(connection, found.book_id, recognition_id)
    status = await decisions.vote(connection, desk.caller, decision, verdict, reason, desk.now)
    key = {"book_id": found.book_id, "id": recognition_id, "now": desk.now}
    if status == "approved":
        new = NewRecognition(until=found.until)
        shares = await _shares(connection, found.book_id, new)
        if sum(share.retained_vnd for share in shares) != found.amount_vnd:
            raise RemittanceState("the amount has changed: reject this and propose it anew")
        when = When(at=desk.now, on=found.until)
        await remitting.recognise(connection, found.book_id, recognition_id, shares, when)
        await connection.execute(MARK, key | {"until": found.until})
    if status != "proposed":
        await connection.execute(MOVE, key | {"status": status})
    return await _shown(connection, desk, recognition_id, 200)


async def _shares(connection: AsyncConnection, book_id: int, new: NewRecognition) -> list[Shares]:
    rows = await connection.execute(SHARES, {"book_id": book_id, "until": new.until})
    return [
        Shares(budget_subsection=row.budget_subsection, retained_vnd=row.retained_vnd)
        for row in rows
    ]


async def read(connection: AsyncConnection, desk: Desk, recognition_id: UUID) -> Recognition:
    """One recognition of the caller's books; raises NotFound."""
    wanted = {"books": desk.caller.book_list, "id": recognition_id}
    row = (await connection.execute(FIND, wanted)).mappings().one_or_none()
    if row is None:
        raise NotFound
    return Recognition(**{**row, "id": recognition_id})


async def _shown(connection: AsyncConnection, desk: Desk, wanted: UUID, status: int) -> Done:
    found = await read(connection, desk, wanted)
    return Done(book_id=found.book_id, status=status, body=msgspec.json.encode(found))
