"""Payment requests: one reference over one or several notices of a book, and how to pay it.

Nothing is booked here: a request asks, and what arrives is decided in service.payments.
"""

import io
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import segno
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access import Principal
from service.asking.opening import open_question
from service.errors import (
    AmountNotPayable,
    Busy,
    FieldError,
    InvalidRequest,
    NotFound,
    NothingOutstanding,
    NoticeCancelled,
    SeveralBooks,
)
from service.fees.messages import QR_PROVIDER, NewPaymentRequest, PaymentRequest
from service.fees.ways import Asked, by_gateway, by_transfer
from service.payments import payment_states
from service.references import payment_reference
from service.sealing import Sealer
from service.settings import Settings
from service.web.idempotency import Done

MINTS_MAX: Final = 5
QR_SCALE: Final = 4

NOTICES = sa.text("""
    select notice.book_id, notice.id, notice.dossier_code, notice.procedure_code,
           state.outstanding_vnd,
           state.cancelled_at is not null as cancelled
    from unnest(cast(:ids as uuid[])) with ordinality as asked (id, position)
    join service.notice as notice
      on notice.book_id = any(cast(:books as integer[])) and notice.id = asked.id
    join service.notice_state as state
      on state.book_id = notice.book_id and state.notice_id = notice.id
    order by asked.position
""")

BOOK_CODE = sa.text("select code from ledger.book where book_id = :book_id")

ADD = sa.text("""
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        merchant_id, bank_account_id, order_code, amount_vnd, link, expires_at, created_at)
    values (:book_id, :reference, :numeric_reference, :scheme, :provider, :merchant_id,
        :bank_account_id, nullif(:order_code, :reference), :amount_vnd, :link, :expires_at, :now)
    on conflict do nothing
    returning reference
""")

ADD_NOTICES = sa.text("""
    insert into service.payment_request_notice
        (book_id, reference, notice_id, position, amount_vnd)
    select :book_id, :reference, told.notice_id, told.position, told.amount_vnd
    from unnest(cast(:ids as uuid[]), cast(:amounts as bigint[]))
        with ordinality as told (notice_id, amount_vnd, position)
""")

FIND = sa.text("""
    select request.book_id, request.reference, request.numeric_reference, request.provider,
           request.amount_vnd, request.link, opened.url, opened.qr_payload, request.expires_at,
           request.created_at, request.order_code,
           array_agg(asked.notice_id order by asked.position) as notice_ids,
           sum(state.outstanding_vnd) as outstanding_vnd,
           bool_or(state.paid_vnd > 0) as any_paid
    from service.payment_request as request
    join service.payment_request_notice as asked
      on asked.book_id = request.book_id and asked.reference = request.reference
    join service.notice_state as state
      on state.book_id = asked.book_id and state.notice_id = asked.notice_id
    left join service.payment_link as opened
      on opened.book_id = request.book_id and opened.reference = request.reference
    where request.book_id = any(cast(:books as integer[])) and request.reference = :reference
    group by request.book_id, request.reference, opened.url, opened.qr_payload
""")


async def ask(connection: AsyncConnection, books: Sequence[int], ids: Sequence[UUID]) -> Asked:
    """The notices asked for; those that owe nothing are left out.

    Raises InvalidRequest for unknown or repeated ones, SeveralBooks, NoticeCancelled, and
    NothingOutstanding where none owes anything.
    """
    if len(set(ids)) < len(ids):
        raise InvalidRequest(errors=[FieldError(field="notice_ids", message="repeats an id")])
    rows = (await connection.execute(NOTICES, {"books": list(books), "ids": list(ids)})).all()
    known = {row.id for row in rows}
    errors = [
        FieldError(field=f"notice_ids[{position}]", message="there is no such notice")
        for position, notice_id in enumerate(ids)
        if notice_id not in known
    ]
    if errors:
        raise InvalidRequest(errors=errors)
    if len({row.book_id for row in rows}) > 1:
        raise SeveralBooks
    if any(row.cancelled for row in rows):
        raise NoticeCancelled
    owing = [row for row in rows if row.outstanding_vnd > 0]
    if not owing:
        raise NothingOutstanding
    return Asked(
        book_id=rows[0].book_id,
        ids=[UUID(str(row.id)) for row in owing],
        amounts_vnd=[row.outstanding_vnd for row in owing],
        dossier_code=owing[0].dossier_code,
        procedure_code=owing[0].procedure_code,
    )


async def create(  # noqa: PLR0917 # what a transaction is given
    connection: AsyncConnection,
    sealer: Sealer,
    settings: Settings,
    caller: Principal,
    new: NewPaymentRequest,
    now: datetime,
) -> Done:
    """Make a payment request over all that its notices owe now.

    Where its provider must be asked for a checkout, it has no link yet: see `checkouts.complete`.
    Raises what `ask` raises, ProviderNotServing, and AmountNotPayable.
    """
    asked = await ask(connection, caller.book_list, new.notice_ids)
    code = str(await connection.scalar(BOOK_CODE, {"book_id": asked.book_id}))
    for _ in range(MINTS_MAX):
        reference = payment_reference.mint(
            code, secrets.token_bytes(payment_reference.RANDOM_BYTES)
        )
        try:
            if new.provider == QR_PROVIDER:
                way = await by_transfer(connection, settings, asked, reference, now)
            else:
                way = await by_gateway(connection, sealer, settings, (new, asked), reference, now)
        except ValueError as refusal:  # the adapter's own limits of amount and text
            raise AmountNotPayable(str(refusal)) from None
        row = {
            "book_id": asked.book_id,
            "reference": reference,
            "numeric_reference": payment_reference.numeric(reference),
            "scheme": "HUE",
            "provider": new.provider,
            "merchant_id": way.merchant.id if way.merchant else None,
            "bank_account_id": way.bank_account_id,
            "order_code": way.order_code,
            "amount_vnd": asked.total_vnd,
            "link": way.link,
            "expires_at": way.expires_at,
            "now": now,
        }
        if await connection.scalar(ADD, row) is None:
            continue  # one in 2^35: the reference is taken
        parts = {"ids": asked.ids, "amounts": asked.amounts_vnd}
        key = {"book_id": asked.book_id, "reference": reference}
        await connection.execute(ADD_NOTICES, key | parts)
        if way.merchant is not None:
            await open_question(
                connection,
                way.merchant,
                asked.book_id,
                reference,
                way.order_code,
                way.expires_at,
                now=now,
            )
        shown = await find(connection, [asked.book_id], reference, now)
        return Done(book_id=asked.book_id, status=201, body=msgspec.json.encode(shown))
    raise Busy


async def find(
    connection: AsyncConnection, books: Sequence[int], text: str, now: datetime
) -> PaymentRequest:
    """The request of a reference in any spelling; raises NotFound."""
    parsed = payment_reference.parse(text)
    if parsed is None:
        raise NotFound
    wanted = {"books": list(books), "reference": parsed.text}
    row = (await connection.execute(FIND, wanted)).one_or_none()
    if row is None:
        raise NotFound
    outstanding_vnd = int(row.outstanding_vnd)
    state: Literal["open", "paid", "expired", "closed"] = "open"
    if not outstanding_vnd:
        state = "paid" if row.any_paid else "closed"
    elif row.expires_at is not None and row.expires_at <= now:
        state = "expired"
    by_transfer = row.provider == QR_PROVIDER
    names = (row.reference, row.order_code)
    told = await payment_states.of_request(connection, row.book_id, names)
    return PaymentRequest(
        reference=row.reference,
        reference_shown=payment_reference.grouped(row.reference),
        numeric_reference=row.numeric_reference,
        provider=row.provider,
        notice_ids=[UUID(str(one)) for one in row.notice_ids],
        amount_vnd=row.amount_vnd,
        outstanding_vnd=outstanding_vnd,
        state=state,
        redirect_url=row.url if by_transfer else row.link or row.url,
        qr_payload=row.link if by_transfer else row.qr_payload,
        expires_at=row.expires_at,
        created_at=row.created_at,
        provider_state=told.state,
        history=told.history,
    )


def draw(request: PaymentRequest) -> bytes:
    """The QR picture (SVG) of what the payer's app or camera is to read."""
    picture = io.BytesIO()
    code = segno.make(request.qr_payload or request.redirect_url or request.reference, error="m")
    code.save(
        picture, kind="svg", scale=QR_SCALE, title=request.reference, desc=f"QR {request.reference}"
    )
    return picture.getvalue()
