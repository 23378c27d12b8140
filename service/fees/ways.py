"""Ways to pay a request: a VietQR payload, a link that we sign, or an order to be opened.

Pure but for reading who serves a book; nothing is sent from here.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers import CheckoutOrder, MakesCheckout, NamesOrders, OpensCheckout, vietqr
from providers.catalog import CATALOG
from service import merchants
from service.errors import ProviderNotServing
from service.fees.messages import NewPaymentRequest
from service.merchants import Merchant
from service.references import payment_reference
from service.sealing import Sealer
from service.settings import Settings

NO_CLIENT_IP: Final = "127.0.0.1"

ACCOUNT = sa.text("""
    select id, bin, number from service.bank_account where book_id = :book_id order by id limit 1
""")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The notices of a request with what each still owes, all of one book."""

    book_id: int
    ids: list[UUID]
    amounts_vnd: list[int]
    dossier_code: str
    procedure_code: str
    """Of the first notice: some platforms want to know what a payment is for."""

    @property
    def total_vnd(self) -> int:
        """What is asked for."""
        return sum(self.amounts_vnd)


class Minted(msgspec.Struct, frozen=True, kw_only=True):
    """What the row of a request says of its order."""

    reference: str
    order_code: str
    amount_vnd: int
    dossier_code: str
    procedure_code: str
    ordered_at: datetime
    expires_at: datetime


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Where the money is to go, and the merchant or bank account behind it."""

    link: str | None
    """None: the provider is asked for one once the request is committed."""
    expires_at: datetime
    order_code: str
    merchant: Merchant | None = None
    bank_account_id: int | None = None


async def by_transfer(
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
        order_code=reference,
        bank_account_id=account.id,
    )


async def by_gateway(  # noqa: PLR0917 # what an order is made of
    connection: AsyncConnection,
    sealer: Sealer,
    settings: Settings,
    wanted: tuple[NewPaymentRequest, Asked],
    reference: str,
    now: datetime,
) -> Way:
    """An order at the merchant that serves the book, with a signed link or still to be opened.

    Raises ProviderNotServing, and ValueError for an order that the provider would refuse.
    """
    new, asked = wanted
    adapter = CATALOG[new.provider]
    merchant = await merchants.serving(connection, sealer, new.provider, asked.book_id)
    if merchant is None:
        raise ProviderNotServing
    order_code = reference
    if isinstance(adapter, NamesOrders):
        order_code = adapter.order_code(reference, payment_reference.numeric(reference), now)
    minted = Minted(
        reference=reference,
        order_code=order_code,
        amount_vnd=asked.total_vnd,
        dossier_code=asked.dossier_code,
        procedure_code=asked.procedure_code,
        ordered_at=now,
        expires_at=now + timedelta(minutes=settings.gateway_expiry_minutes),
    )
    order = order_of(minted, new, settings, merchant)
    link = None
    if isinstance(adapter, MakesCheckout):
        link = adapter.checkout_url(order, merchant.terms, now)
    elif isinstance(adapter, OpensCheckout):
        adapter.checkout_request(order, merchant.terms, now)  # refuses now what it would later
    else:
        raise ProviderNotServing
    return Way(link=link, expires_at=order.expires_at, order_code=order_code, merchant=merchant)


def order_of(
    minted: Minted, new: NewPaymentRequest, settings: Settings, merchant: Merchant
) -> CheckoutOrder:
    """The order of a request: from the same call and the same row, the same order again.

    Its request id is the reference, so a provider that hears it twice opens it once.
    """
    return CheckoutOrder(
        reference=minted.reference,
        order_code=minted.order_code,
        request_id=minted.reference,
        amount_vnd=minted.amount_vnd,
        description=f"Nop phi le phi {minted.reference}",
        return_url=new.return_url or f"{settings.base_url}/",
        callback_url=f"{settings.base_url}/callbacks/{merchant.provider}/{merchant.merchant}",
        client_ip=new.client_ip or NO_CLIENT_IP,
        ordered_at=minted.ordered_at,
        expires_at=minted.expires_at,
        locale=new.locale,
        dossier_code=minted.dossier_code,
        procedure_code=minted.procedure_code,
    )
