"""A database with a merchant for every provider of the catalogue in each of its modes, and orders.

Each merchant has a bank account of its own: what two feeds tell of one account is one movement.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.accounts import Book, open_book
from providers import NamesOrders
from service import merchants
from service.database import transaction
from service.merchants import NewMerchant
from service.references import payment_reference
from service.sealing import Sealer
from tests.makers import ADD_ACCOUNT, NOW, make_owed
from tests.providers.spoken import SPOKEN, Spoken
from tests.traffic import MASTER_KEY

BOOK: Final = 1
FIRST_MERCHANT: Final = 57_020_001
FIRST_ACCOUNT: Final = 161_000_000_101
FIRST_VND: Final = 20_000
STEP_VND: Final = 1_000

NAME_ORDER = sa.text("""
    update service.payment_request set order_code = :order_code
    where book_id = :book_id and reference = :reference
""")


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours, as the provider calls it."""

    reference: str
    order_code: str
    amount_vnd: int


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant at a provider in one mode, with its account and its orders."""

    spoken: Spoken
    account: str
    orders: Sequence[Ordered]

    @property
    def merchant(self) -> str:
        """What the merchant is called at the provider."""
        return self.spoken.terms.merchant


async def furnish(engine: AsyncEngine, owner: AsyncEngine, orders_each: int) -> list[Seat]:
    """Open the book, add the merchants, and ask for `orders_each` payments at each of them."""
    sealer = Sealer(MASTER_KEY)
    async with transaction(engine) as connection:
        book = Book(book_id=BOOK, code="01", name="Đơn vị 01", agency_code="H57.01")
        await open_book(connection, book, NOW - timedelta(days=1))
        await sealer.prepare(connection, [BOOK], NOW)
        seats = [
            await _seat(connection, sealer, spoken, number, orders_each)
            for number, spoken in enumerate(SPOKEN)
        ]
    async with transaction(owner) as connection:
        for seat in seats:
            for order in seat.orders:
                if order.order_code != order.reference:
                    row = {"book_id": BOOK, "reference": order.reference}
                    await connection.execute(NAME_ORDER, row | {"order_code": order.order_code})
    return seats


async def _seat(
    connection: AsyncConnection, sealer: Sealer, spoken: Spoken, number: int, orders_each: int
) -> Seat:
    account = str(FIRST_ACCOUNT + number)
    await connection.execute(ADD_ACCOUNT, {"book_id": BOOK, "number": account, "now": NOW})
    terms = msgspec.structs.replace(spoken.terms, merchant=str(FIRST_MERCHANT + number))
    new = NewMerchant(
        provider=spoken.provider,
        merchant=terms.merchant,
        book_id=BOOK,
        mode=terms.mode,
        secrets=[str.__str__(secret) for secret in terms.secrets],
        credentials={name: str.__str__(text) for name, text in terms.credentials.items()},
    )
    await merchants.add(connection, sealer, new, NOW)
    orders = []
    for place in range(orders_each):
        amount_vnd = FIRST_VND + STEP_VND * (number * orders_each + place)
        owed = await make_owed(connection, BOOK, amount_vnd)
        code = owed.reference
        if isinstance(spoken.adapter, NamesOrders):
            numeric = payment_reference.numeric(owed.reference)
            code = spoken.adapter.order_code(owed.reference, numeric, datetime.now(UTC))
        orders.append(Ordered(reference=owed.reference, order_code=code, amount_vnd=amount_vnd))
    return Seat(spoken=msgspec.structs.replace(spoken, terms=terms), account=account, orders=orders)
