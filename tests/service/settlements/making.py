"""Payments at any provider, the settlement file of them, and what became of both."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from providers import Call, Claim, Status
from providers.settlements import MAPPINGS, Fact, SettlementMapping
from providers.settlements.writing import payouts_of, write_csv
from service import merchants
from service.import_queue import Kept
from service.intake import inbox
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.merchants import NewMerchant
from service.proof.proving import prove
from service.sealing import Sealer
from service.settlements.importing import import_kept
from service.settlements.keeping import keep, payee
from tests.makers import NOW, Made, make_owed

MASTER_KEY: Final = bytes(range(32))
ACCOUNT: Final = "0161000000777"
PAID_ON: Final = date(2026, 11, 4)
FEE_VND: Final = 550


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant with its mapping, and where its money goes."""

    provider: str
    merchant: str = "HUE1"
    book_id: int = 1

    @property
    def mapping(self) -> SettlementMapping:
        """How its files are written."""
        return MAPPINGS[self.provider]

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.provider}/{self.merchant}"


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as its provider knows it."""

    owed: Made
    number: int
    amount_vnd: int

    @property
    def transaction(self) -> str:
        """The provider's number, and the bank's reference where there is no provider between."""
        return f"FT26{self.number:08d}"


async def open_shop(
    engine: AsyncEngine,
    provider: str = "sandbox",
    *,
    merchant: str = "HUE1",
    serves: Sequence[int] = (2,),
    settings: dict[str, str] | None = None,
) -> Shop:
    """A merchant of the first book."""
    async with engine.begin() as connection:
        new = NewMerchant(
            provider=provider,
            merchant=merchant,
            book_id=1,
            serves=serves,
            secrets=["s3cret"],
            settings=dict(settings or {}),
        )
        await merchants.add(connection, Sealer(MASTER_KEY), new, NOW)
        await connection.execute(
            sa.text(
                "insert into service.bank_account (book_id, bin, number, holder_name, opened_at)"
                " values (1, '970436', :number, 'DON VI THU', :now) on conflict do nothing"
            ),
            {"number": ACCOUNT, "now": NOW},
        )
    return Shop(provider=provider, merchant=merchant)


async def owe(engine: AsyncEngine, *amounts: int, book_id: int = 1) -> list[Made]:
    """Notices with a payment request each."""
    async with engine.begin() as connection:
        return [await make_owed(connection, book_id, one) for one in amounts]


def paid(owed: Sequence[Made], first: int = 1) -> list[Paid]:
    """A payment of each request in full."""
    return [
        Paid(owed=one, number=number, amount_vnd=one.amount_vnd)
        for number, one in enumerate(owed, first)
    ]


def scope_of(shop: Shop, one: Paid) -> str:
    """What the provider's number is unique within, as its calls have it."""
    links = {"order": one.owed.reference, "column": f"link{one.number}", "none": ""}
    return links[shop.mapping.scope]


async def call(
    engine: AsyncEngine, shop: Shop, payments: Sequence[Paid], *, status: Status = "paid"
) -> None:
    """Book the provider's calls about payments, believed."""
    sealer = Sealer(MASTER_KEY)
    directory = Directory(engine, sealer)
    merchant = await directory.merchant(shop.provider, shop.merchant)
    assert merchant is not None
    feed = shop.mapping.money == "account"
    deliveries = [
        Delivery(
            id=uuid7(),
            merchant=merchant,
            call=Call(method="POST", path="/"),
            claims=(
                Claim(
                    transaction=one.transaction,
                    status="credit" if feed else status,
                    reference=one.owed.reference,
                    amount_vnd=one.amount_vnd,
                    amount_text=str(one.amount_vnd),
                    happened_at=NOW,
                    kind="feed" if feed else "gateway",
                    scope=scope_of(shop, one),
                    bank_reference=one.transaction if feed else None,
                    own_account=ACCOUNT if feed else None,
                ),
            ),
            received_at=NOW,
        )
        for one in payments
    ]
    async with engine.begin() as connection:
        await inbox.commit_group(
            connection, deliveries, directory=directory, sealer=sealer, now=NOW
        )


def facts(shop: Shop, payments: Sequence[Paid], *, batch: str = "7") -> list[Fact]:
    """What the provider's file says of payments."""
    daily = (NOW + timedelta(hours=7)).date().isoformat()
    return [
        Fact(
            kind="payment",
            transaction=one.transaction,
            order=one.owed.reference,
            scope=scope_of(shop, one),
            gross_vnd=one.amount_vnd,
            fee_vnd=FEE_VND if shop.mapping.money == "provider" else 0,
            batch=daily if shop.mapping.batches == "daily" else batch,
            happened_at=NOW,
        )
        for one in payments
    ]


def other(fact: Fact, **changes: object) -> Fact:
    """The same with something else in it."""
    return msgspec.structs.replace(fact, **changes)


def file_of(shop: Shop, told: Sequence[Fact], *, payouts: bool = True) -> bytes:
    """The provider's file of facts, closed by the payouts of its batches."""
    announced = payouts_of(told, paid_on=PAID_ON) if payouts else []
    if shop.mapping.batches == "daily":
        announced = []
    return write_csv(shop.mapping, [*told, *announced])


async def keep_file(engine: AsyncEngine, shop: Shop, data: bytes, mapping: str = "") -> Kept:
    """Keep a file."""
    file = io.BytesIO(data)

    async def read(size: int) -> bytes:
        return file.read(size)

    async with engine.connect() as connection:
        whose = await payee(connection, [1, 2], shop.name)
    return await keep(engine, Sealer(MASTER_KEY), whose, mapping, read)


async def bring(
    engine: AsyncEngine,
    shop: Shop,
    data: bytes,
    *,
    mapping: str = "",
    chunk_lines: int = 500,
    day: int = 4,
) -> sa.RowMapping:
    """Keep a file and import it on a day of November 2026; the settlement's row."""
    kept = await keep_file(engine, shop, data, mapping)
    await import_kept(
        engine, Sealer(MASTER_KEY), kept, chunk_lines=chunk_lines, clock=lambda: at(day)
    )
    async with engine.connect() as connection:
        found = await connection.execute(
            sa.text("select * from service.settlement where id = :id"), {"id": kept.id}
        )
        return found.mappings().one()


async def verdicts(engine: AsyncEngine) -> list[str]:
    """What was judged of the lines, in the order of their files."""
    async with engine.connect() as connection:
        found = await connection.scalars(
            sa.text("select verdict from service.settlement_line order by id")
        )
        return [str(one) for one in found]


async def cases(engine: AsyncEngine) -> list[tuple[str, str, int | None]]:
    """Live cases: side, reason, amount."""
    async with engine.connect() as connection:
        found = await connection.execute(
            sa.text(
                "select side, reason, amount_vnd from service.unmatched"
                " where status <> 'resolved' order by 1, 2, 3"
            )
        )
        return [(row.side, row.reason, row.amount_vnd) for row in found]


async def nothing_breaks(engine: AsyncEngine) -> None:
    """Every invariant holds in both books."""
    assert [finding async for finding in prove(engine)] == []


def at(day: int, hour: int = 3) -> datetime:
    """An instant of November 2026."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)
