"""Signed provider traffic of every kind over a small, known set of notices.

`prepare` fills an empty database; `Messages` turns short descriptions into deliveries that the
real adapters have read from calls that were signed as the providers sign them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from ledger.accounts import Book, open_book
from providers import Call, Status
from providers.acting import Acts, Payment
from providers.catalog import CATALOG
from providers.sepay import API_KEY
from service import merchants
from service.database import transaction
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.merchants import Merchant, NewMerchant
from service.payments import assessments, loading
from service.sealing import Sealer
from tests.makers import ADD_ACCOUNT, NOW, make_notice, make_owed, make_request

MASTER_KEY: Final = bytes(range(32))
ACCOUNTS: Final = ("0161000000101", "0161000000202")
"""Own accounts of the books 1 and 2."""
STRANGE_ACCOUNT: Final = "9990000000000"
GATEWAY: Final = ("vnpay", "HUETRAFFIC")
FEED: Final = ("sepay", "FEED1")
WEAK_FEED: Final = ("sepay", "WEAK1")
"""A feed that proves only a key, and pays alone only up to WEAK_VND."""
WEAK_VND: Final = 30_000
POISONED: Final = ("vnpay", "NOBOOK")
"""A merchant whose book was never opened: whatever it sends is believed and cannot be booked."""

OPENED_AT: Final = NOW - timedelta(days=1)
UNKNOWN_ORDER: Final = -1

Amount: TypeAlias = Literal["exact", "less", "more", "sibling", "broken"]


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What was prepared: references with what each asks for."""

    references: tuple[str, ...]
    amounts_vnd: tuple[int, ...]


class Ipn(msgspec.Struct, frozen=True, kw_only=True):
    """A VNPAY call about an order (by index)."""

    order: int
    amount: Amount = "exact"
    transaction: int = 1
    status: Status = "paid"
    poisoned: bool = False
    minutes: int = 0


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A SePay call about a transfer; `order` None: the memo names nothing."""

    id: int
    order: int | None
    amount: Amount = "exact"
    account: int | None = 0
    direction: Literal["in", "out"] = "in"
    bank_reference: str = ""
    days_later: int = 0
    weak: bool = False
    asked: bool = False
    """The bank's list, as we asked for it."""


Message: TypeAlias = Ipn | Transfer


async def prepare(engine: AsyncEngine) -> Orders:
    """Two books, merchants, accounts, and notices of every state, each with a payment request."""
    sealer = Sealer(MASTER_KEY)
    async with transaction(engine) as connection:
        for number, code in ((1, "01"), (2, "02")):
            book = Book(book_id=number, code=code, name=f"Đơn vị {code}", agency_code=f"H57.{code}")
            await open_book(connection, book, OPENED_AT)
        await sealer.prepare(connection, [1, 2], NOW)
        for owner, account in enumerate(ACCOUNTS, 1):
            row = {"book_id": owner, "number": account, "now": NOW}
            await connection.execute(ADD_ACCOUNT, row)
        for (provider, name), book_id, serves, mode in (
            (GATEWAY, 1, (2,), ""),
            (FEED, 1, (), API_KEY),
            (WEAK_FEED, 1, (), API_KEY),
            (POISONED, 99, (), ""),
        ):
            new = NewMerchant(
                provider=provider,
                merchant=name,
                book_id=book_id,
                serves=serves,
                mode=mode,
                secrets=["s3cret-" + name],
                settings={"weak_limit_vnd": WEAK_VND} if (provider, name) == WEAK_FEED else {},
            )
            await merchants.add(connection, sealer, new, NOW)
        return await _orders(connection)


async def _orders(connection: AsyncConnection) -> Orders:
    made = [
        await make_owed(connection, 1, 50_000),
        await make_owed(connection, 1, 30_000, 20_000),
        await make_owed(connection, 1, 40_000, payer_key=b"payer"),
        await make_owed(connection, 1, 15_000, payer_key=b"payer"),
        await make_owed(connection, 1, 60_000),
        await make_owed(connection, 1, 50_000, expires_at=NOW - timedelta(hours=1)),
        await make_owed(connection, 2, 50_000),
    ]
    driver = await loading.raw(connection)
    key = (1, made[4].notice_id)
    notice = (await loading.lock_notices(driver, [key]))[key]
    await assessments.cancel(connection, notice, NOW)
    pair = [(await make_notice(connection, 1, [amount_vnd]))[0] for amount_vnd in (25_000, 35_000)]
    both = await make_request(connection, 1, [(pair[0], 25_000), (pair[1], 35_000)])
    return Orders(
        references=(*(one.reference for one in made), both),
        amounts_vnd=(*(one.amount_vnd for one in made), 60_000),
    )


class Messages:
    """Makes deliveries for one database."""

    def __init__(self, engine: AsyncEngine, orders: Orders) -> None:
        self.sealer = Sealer(MASTER_KEY)
        self.directory = Directory(engine, self.sealer)
        self._orders = orders

    async def deliveries(self, messages: Sequence[Message]) -> list[Delivery]:
        """The deliveries of `messages`, as the callback address would hand them on."""
        found = []
        for message in messages:
            if isinstance(message, Transfer):
                where = WEAK_FEED if message.weak else FEED
            else:
                where = POISONED if message.poisoned else GATEWAY
            merchant = await self.directory.merchant(*where)
            assert merchant is not None
            found.append(self._delivery(message, merchant))
        return found

    def _delivery(self, message: Message, merchant: Merchant) -> Delivery:
        call = self.call(message, merchant)
        claims = tuple(CATALOG[merchant.provider].read(call, merchant.terms, NOW))
        return Delivery(
            id=uuid7(),
            merchant=merchant,
            call=call,
            claims=claims,
            received_at=NOW,
            asked=isinstance(message, Transfer) and message.asked,
        )

    def call(self, message: Message, merchant: Merchant) -> Call:
        """The signed call."""
        acts = CATALOG[merchant.provider]
        assert isinstance(acts, Acts)
        payment = self._paid(message) if isinstance(message, Ipn) else self._moved(message)
        return acts.call_as_provider(payment, merchant.terms, datetime.now(UTC))

    def _paid(self, ipn: Ipn) -> Payment:
        known = 0 <= ipn.order < len(self._orders.references)
        amount_vnd = self._amount(ipn.order if known else 0, ipn.amount)
        return Payment(
            order_code=self._orders.references[ipn.order] if known else "HUE01ZZZZZZZZZ",
            transaction=str(14_000_000 + ipn.transaction),
            amount_vnd=amount_vnd,
            amount_text=f"{amount_vnd}55" if ipn.amount == "broken" else "",
            paid_at=NOW + timedelta(minutes=ipn.minutes),
            status=ipn.status,
        )

    def _moved(self, transfer: Transfer) -> Payment:
        named = transfer.order is not None
        memo = self._orders.references[transfer.order or 0] if named else "nop le phi"
        return Payment(
            order_code=None,
            transaction=str(transfer.id),
            amount_vnd=self._amount(transfer.order or 0, transfer.amount),
            paid_at=NOW + timedelta(days=transfer.days_later),
            status="credit" if transfer.direction == "in" else "debit",
            memo=f"NGUYEN VAN A {memo} chuyen tien",
            own_account=STRANGE_ACCOUNT if transfer.account is None else ACCOUNTS[transfer.account],
            bank_reference=transfer.bank_reference,
        )

    def _amount(self, order: int, amount: Amount) -> int:
        exact = self._orders.amounts_vnd[order]
        more = {"exact": 0, "less": -10_000, "more": 7_000, "sibling": 15_000, "broken": 0}
        return exact + more[amount]


ORDER_COUNT: Final = 8

IPNS = st.builds(
    Ipn,
    order=st.integers(UNKNOWN_ORDER, ORDER_COUNT - 1),
    amount=st.sampled_from(["exact", "exact", "exact", "less", "broken"]),
    transaction=st.integers(1, 3),
    status=st.sampled_from(["paid", "paid", "paid", "held", "cancelled"]),
    minutes=st.sampled_from([0, 0, 0, -5, 5]),
)
TRANSFERS = st.builds(
    Transfer,
    id=st.integers(1, 6),
    order=st.none() | st.integers(0, ORDER_COUNT - 1),
    amount=st.sampled_from(["exact", "exact", "less", "more", "sibling"]),
    account=st.sampled_from([0, 0, 0, 1, None]),
    direction=st.sampled_from(["in", "in", "in", "out"]),
    bank_reference=st.sampled_from(["", "FT26001", "FT26002"]),
    days_later=st.sampled_from([0, 0, 1, 100]),
    weak=st.sampled_from([False, False, True]),
    asked=st.sampled_from([False, False, True]),
)
TRAFFIC = st.lists(IPNS | TRANSFERS, min_size=1, max_size=14)
