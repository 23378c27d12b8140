"""Cash or card taken at the counter: so that the cashless share has an honest denominator."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger.accounts import business_day
from service.access import Principal
from service.errors import (
    AboveOutstanding,
    FieldError,
    InvalidRequest,
    NothingOutstanding,
    NoticeCancelled,
    ReceiptRepeated,
)
from service.fees.actions import lock
from service.fees.messages import CounterReceipt, NewCounterReceipt
from service.payments.booking import book
from service.payments.sightings import Sighting
from service.web.idempotency import Done

EARLIEST: Final = timedelta(days=366)
"""How long ago a receipt may have been given when it reaches us."""
AHEAD: Final = timedelta(hours=1)
"""How far ahead of ours the counter's clock may be."""

ADD = sa.text("""
    insert into service.counter_receipt (book_id, id, notice_id, movement_id, method, amount_vnd,
        receipt_no, cashier, received_at, recorded_at)
    values (:book_id, :id, :notice_id, :movement_id, :method, :amount_vnd, :receipt_no, :cashier,
        :received_at, :now)
    on conflict (book_id, receipt_no) do nothing
    returning id
""")

STATE = sa.text("""
    select status, outstanding_vnd from service.notice_state
    where book_id = :book_id and notice_id = :notice_id
""")


async def take(
    connection: AsyncConnection, caller: Principal, new: NewCounterReceipt, now: datetime
) -> Done:
    """Record a receipt and book its money: cash to 1110, card to 1130, at most what is open.

    Raises NotFound, NoticeCancelled, NothingOutstanding, AboveOutstanding, ReceiptRepeated.
    """
    received_at = now if new.received_at is None else new.received_at
    if not now - EARLIEST <= received_at <= now + AHEAD:
        error = FieldError(field="received_at", message="is too long ago, or in the future")
        raise InvalidRequest(errors=[error])
    notice = await lock(connection, caller, new.notice_id)
    if notice.cancelled:
        raise NoticeCancelled
    if not notice.outstanding_vnd:
        raise NothingOutstanding
    if new.amount_vnd > notice.outstanding_vnd:
        raise AboveOutstanding(f"{notice.outstanding_vnd} is outstanding")
    sighting = Sighting(
        id=uuid7(),
        book_id=notice.book_id,
        view="counter",
        seen_by="counter",
        origin=f"counter:{new.method}",
        direction="in",
        amount_vnd=new.amount_vnd,
        happened_at=received_at,
        happened_on=business_day(received_at),
        provider="counter",
        external_id=new.receipt_no,
        notice_id=notice.id,
    )
    (booked,) = await book(connection, [sighting], now=now)
    row = {
        "book_id": notice.book_id,
        "id": sighting.id,
        "notice_id": notice.id,
        "movement_id": booked.movement_id,
        "method": new.method,
        "amount_vnd": new.amount_vnd,
        "receipt_no": new.receipt_no,
        "cashier": caller.actor,
        "received_at": received_at,
        "now": now,
    }
    if await connection.scalar(ADD, row) is None:
        raise ReceiptRepeated
    return await _shown(connection, notice.book_id, sighting.id, new, (received_at, now))


async def _shown(
    connection: AsyncConnection,
    book_id: int,
    receipt_id: UUID,
    new: NewCounterReceipt,
    times: tuple[datetime, datetime],
) -> Done:
    wanted = {"book_id": book_id, "notice_id": new.notice_id}
    state = (await connection.execute(STATE, wanted)).one()
    shown = CounterReceipt(
        id=receipt_id,
        notice_id=new.notice_id,
        method=new.method,
        amount_vnd=new.amount_vnd,
        receipt_no=new.receipt_no,
        received_at=times[0],
        recorded_at=times[1],
        notice_status=state.status,
        outstanding_vnd=state.outstanding_vnd,
    )
    return Done(book_id=book_id, status=201, body=msgspec.json.encode(shown))
