"""Payment requests: one reference over one or several notices of a book, and how to pay it.

Nothing is booked here: a request asks, and what arrives is decided in service.payments.
"""

import io
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import segno
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers import vietqr
from providers.abilities import CheckoutOrder
from providers.vnpay import Vnpay
from service import merchants
from service.access import Principal
from service.errors import (
    AmountNotPayable,
    Busy,
    FieldError,
    InvalidRequest,
    NotFound,
    NothingOutstanding,
    NoticeCancelled,
    ProviderNotServing,
    SeveralBooks,
)
from service.fees.messages import NewPaymentRequest, PaymentRequest
from service.payments import payment_states
from service.references import payment_reference
from service.sealing import Sealer
from service.settings import Settings
from service.web.idempotency import Done

MINTS_MAX: Final = 5
QR_PROVIDER: Final = "vietqr"
NO_CLIENT_IP: Final = "127.0.0.1"
QR_SCALE: Final = 4

NOTICES = sa.text("""
    select notice.book_id, notice.id, notice.dossier_code, state.outstanding_vnd,
           state.cancelled_at is not null as cancelled
    from unnest(cast(:ids as uuid[])) with ordinality as asked (id, position)
    join service.notice as notice
      on notice.book_id = any(cast(:books as integer[])) and notice.id = asked.id
    join service.notice_state as state
      on state.book_id = notice.book_id and state.notice_id = notice.id
    order by asked.position
""")

BOOK_CODE = sa.text("select code from ledger.book where book_id = :book_id")

ACCOUNT = sa.text("""
    select id, bin, number from service.bank_account where book_id = :book_id order by id limit 1
""")

ADD = sa.text("""
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        merchant_id, bank_account_id, amount_vnd, link, expires_at, created_at)
    values (:book_id, :reference, :numeric_reference, :scheme, :provider, :merchant_id,
        :bank_account_id, :amount_vnd, :link, :expires_at, :now)
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
           request.amount_vnd, request.link, request.expires_at, request.created_at,
           request.order_code,
           array_agg(asked.notice_id order by asked.position) as notice_ids,
           sum(state.outstanding_vnd) as outstanding_vnd,
           bool_or(state.paid_vnd > 0) as any_paid
    from service.payment_request as request
    join service.payment_request_notice as asked
      on asked.book_id = request.book_id and asked.reference = request.reference
    join service.notice_state as state
      on state.book_id = asked.book_id and state.notice_id = asked.notice_id
    where request.book_id = any(cast(:books as integer[])) and request.reference = :reference
    group by request.book_id, request.reference
""")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The notices of a request with what each still owes, all of one book."""

    book_id: int
    ids: list[UUID]
    amounts_vnd: list[int]

    @property
    def total_vnd(self) -> int:
        """What is asked for."""
        return sum(self.amounts_vnd)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Where the money is to go: a link, and the merchant or bank account behind it."""

    link: str
    expires_at: datetime
    merchant_id: int | None = None
    bank_account_id: int | None = None


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
                way = await _by_transfer(connection, settings, asked, reference, now)
            else:
                way = await _by_gateway(connection, sealer, settings, (new, asked), reference, now)
        except ValueError as refusal:  # the adapter's own limits of amount and text
            raise AmountNotPayable(str(refusal)) from None
        row = {
            "book_id": asked.book_id,
            "reference": reference,
            "numeric_reference": payment_reference.numeric(reference),
            "scheme": "HUE",
            "provider": new.provider,
            "merchant_id": way.merchant_id,
            "bank_account_id": way.bank_account_id,
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
        shown = await find(connection, [asked.book_id], reference, now)
        return Done(book_id=asked.book_id, status=201, body=msgspec.json.encode(shown))
    raise Busy


async def _by_transfer(
    connection: AsyncConnection, settings: Settings, asked: Asked, reference: str, now: datetime
) -> Way:
    """A VietQR payload of the book's own bank account; the memo is the reference alone."""
    account = (await connection.execute(ACCOUNT, {"book_id": asked.book_id})).one_or_none()
    if account is None:
        raise ProviderNotServing
    transfer = vietqr.Transfer(
        bin=account.bin, account=account.number, amount_vnd=asked.total_vnd, purpose=reference
    )
    return Way(
        link=vietqr.write(transfer),
        expires_at=now + timedelta(days=settings.transfer_expiry_days),
        bank_account_id=account.id,
    )


async def _by_gateway(  # noqa: PLR0917 # what an order is made of
    connection: AsyncConnection,
    sealer: Sealer,
    settings: Settings,
    wanted: tuple[NewPaymentRequest, Asked],
    reference: str,
    now: datetime,
) -> Way:
    """A checkout address signed with the secret of the merchant that serves the book."""
    new, asked = wanted
    merchant = await merchants.serving(connection, sealer, new.provider, asked.book_id)
    if merchant is None:
        raise ProviderNotServing
    order = CheckoutOrder(
        reference=reference,
        order_code=reference,
        request_id=reference,
        amount_vnd=asked.total_vnd,
        description=f"Nop phi le phi {reference}",
        return_url=new.return_url or f"{settings.base_url}/",
        callback_url=f"{settings.base_url}/callbacks/{merchant.provider}/{merchant.merchant}",
        client_ip=new.client_ip or NO_CLIENT_IP,
        ordered_at=now,
        expires_at=now + timedelta(minutes=settings.gateway_expiry_minutes),
        locale=new.locale,
    )
    return Way(
        link=Vnpay().checkout_url(order, merchant.terms, now),
        expires_at=order.expires_at,
        merchant_id=merchant.id,
    )


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
        redirect_url=None if by_transfer else row.link,
        qr_payload=row.link if by_transfer else None,
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
