"""By which way a refund goes: back through the provider that took the money, or by a transfer.

Money that a gateway took and that it can be told to give back goes back there, also when it has
paid it out meanwhile: its next payout is less by that. Everything else the unit pays itself.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.abilities import Refunds
from providers.catalog import CATALOG
from service import merchants
from service.sealing import Sealer

MERCHANT: Final = "merchant:"

# The believed message that told of the money, and the order that it was for.
ORDER = sa.text("""
    select event.provider_txn, event.reference as told, event.happened_at,
           request.order_code, request.reference, request.created_at
    from service.sighting as sighting
    join service.event as event
      on event.book_id = sighting.book_id and event.id = sighting.id
    left join service.payment_request as request
      on request.book_id = any(cast(:serves as integer[]))
     and (request.reference = event.reference or request.order_code = event.reference)
    where sighting.book_id = :book_id and sighting.movement_id = :movement_id
      and event.reference is not null
    order by sighting.id limit 1
""")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider has to be told to find the payment."""

    merchant_id: int
    provider: str
    order_code: str
    transaction_no: str
    ordered_at: datetime


def refunder(provider: str) -> Refunds | None:
    """The adapter of a provider that can be told to give money back."""
    adapter: object = CATALOG.get(provider)
    return adapter if isinstance(adapter, Refunds) else None


async def order_of(
    connection: AsyncConnection, sealer: Sealer, book_id: int, movement_id: UUID, origin: str
) -> Order | None:
    """The order at a provider that can give the money back; None: the unit has to pay itself."""
    if not origin.startswith(MERCHANT):
        return None
    provider, _, name = origin.removeprefix(MERCHANT).partition("/")
    if refunder(provider) is None:
        return None
    merchant = await merchants.find(connection, sealer, provider, name)
    if merchant is None:
        return None
    wanted = {
        "serves": sorted(merchant.serves),
        "book_id": book_id,
        "movement_id": movement_id,
    }
    row = (await connection.execute(ORDER, wanted)).one_or_none()
    if row is None:
        return None
    return Order(
        merchant_id=merchant.id,
        provider=provider,
        order_code=row.order_code or row.reference or row.told,
        transaction_no=row.provider_txn,
        ordered_at=row.created_at or row.happened_at,
    )
