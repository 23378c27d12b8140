"""Every payment request at a provider that can be asked has a question from its first moment on."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from providers import AsksStatus
from providers.catalog import CATALOG
from service.asking.ladder import next_rung
from service.merchants import Merchant

ADD: Final = sa.text("""
    insert into service.question (book_id, reference, id, provider, merchant_id, merchant_book_id,
                                  order_code, opened_at, expires_at, next_at)
    values (:book_id, :reference, :id, :provider, :merchant_id, :merchant_book_id, :order_code,
            :now, :expires_at, :next_at)
""")


async def open_question(  # noqa: PLR0917 # what a question is about
    connection: AsyncConnection,
    merchant: Merchant,
    book_id: int,
    reference: str,
    order_code: str,
    expires_at: datetime,
    *,
    now: datetime,
) -> None:
    """Add the question of a new request, in the request's own transaction.

    Adds nothing where the provider cannot be asked.
    """
    if not isinstance(CATALOG[merchant.provider], AsksStatus):
        return
    await connection.execute(
        ADD,
        {
            "book_id": book_id,
            "reference": reference,
            "id": uuid7(),
            "provider": merchant.provider,
            "merchant_id": merchant.id,
            "merchant_book_id": merchant.book_id,
            "order_code": order_code,
            "now": now,
            "expires_at": expires_at,
            "next_at": next_rung(merchant.provider, now, expires_at, now),
        },
    )
