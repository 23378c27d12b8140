"""The file of each simulated provider ties line by line to the calls that it signed."""

import csv
import io
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from providers import NamesOrders
from providers.acting import Order, Payment
from providers.acting import Shop as Memory
from providers.catalog import CATALOG
from service import merchants
from service.dev.provider import agreed, settlement
from service.dev.provider.actor import acting, money_status
from service.intake import inbox
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.merchants import NewMerchant
from service.references import payment_reference
from service.sealing import Sealer
from tests.makers import NOW, Made
from tests.service.settlements.making import (
    ACCOUNT,
    MASTER_KEY,
    Shop,
    bring,
    cases,
    nothing_breaks,
    owe,
    verdicts,
)

pytestmark = pytest.mark.anyio
AMOUNTS = (50_000, 70_000, 1_250_000)
DAY = date(2026, 11, 3)
BIND = sa.text("""
    update service.payment_request set order_code = :code where reference = :reference
""")
ADD_ACCOUNT = sa.text("""
    insert into service.bank_account (book_id, bin, number, holder_name, opened_at)
    values (1, '970436', :number, 'DON VI THU', :now)
""")


async def open_merchant(engine: AsyncEngine, provider: str) -> Shop:
    """A merchant with keys as this provider writes them, and the account its money may land on."""
    drawn = agreed.fresh(provider)
    async with engine.begin() as connection:
        new = NewMerchant(
            provider=provider,
            merchant=drawn.merchant,
            book_id=1,
            serves=[2],
            mode=drawn.mode,
            secrets=drawn.secrets,
            credentials=drawn.credentials,
        )
        await merchants.add(connection, Sealer(MASTER_KEY), new, NOW)
        await connection.execute(ADD_ACCOUNT, {"number": ACCOUNT, "now": NOW})
    return Shop(provider=provider, merchant=drawn.merchant)


async def happen(
    engine: AsyncEngine, owner_engine: AsyncEngine, shop: Shop, owed: list[Made]
) -> Memory:
    """Let each notice be paid at the provider, whose signed call is read and booked."""
    adapter, acts = acting(shop.provider)
    directory = Directory(engine, Sealer(MASTER_KEY))
    merchant = await directory.merchant(shop.provider, shop.merchant)
    assert merchant is not None
    money = money_status(adapter, acts, merchant.terms, NOW)
    feed = shop.mapping.money == "account"
    memory = Memory()
    deliveries = []
    for number, one in enumerate(owed, 1):
        code = one.reference
        if isinstance(adapter, NamesOrders):
            code = adapter.order_code(code, payment_reference.numeric(code), NOW)
            async with owner_engine.begin() as connection:
                await connection.execute(BIND, {"code": code, "reference": one.reference})
        memory.orders[code] = Order(order_code=code, amount_vnd=one.amount_vnd, opened_at=NOW)
        bank_reference = f"FT2611{number:08d}"
        payment = Payment(
            order_code=code,
            transaction=bank_reference
            if shop.provider in {"payos", "casso"}
            else f"14{number:06d}",
            amount_vnd=one.amount_vnd,
            paid_at=NOW,
            status=money,
            scope=f"{9000 + number}" if shop.mapping.scope == "column" else code,
            memo=one.reference,
            bank_reference=bank_reference,
            own_account=ACCOUNT if feed else "",
        )
        memory.payments.append(payment)
        call = acts.call_as_provider(payment, merchant.terms, NOW)
        claims = tuple(adapter.read(call, merchant.terms, NOW))
        deliveries.append(
            Delivery(id=uuid7(), merchant=merchant, call=call, claims=claims, received_at=NOW)
        )
    async with engine.begin() as connection:
        await inbox.commit_group(
            connection, deliveries, directory=directory, sealer=Sealer(MASTER_KEY), now=NOW
        )
    return memory


@pytest.mark.parametrize("provider", sorted(CATALOG))
async def test_a_simulators_file_ties_to_its_calls_line_by_line(
    engine: AsyncEngine, owner_engine: AsyncEngine, two_books: tuple[int, int], provider: str
) -> None:
    """Each payment is tied; one changed đồng is named by row and column, or with its line."""
    shop = await open_merchant(engine, provider)
    memory = await happen(engine, owner_engine, shop, await owe(engine, *AMOUNTS))
    file = settlement.of_day(memory, provider, shop.merchant, DAY)
    rows = list(
        csv.reader(
            io.StringIO(file.decode(shop.mapping.encoding)), delimiter=shop.mapping.delimiter
        )
    )
    at = list(shop.mapping.columns).index("gross")
    mark = shop.mapping.thousands
    plain = int(rows[1][at].replace(mark, "")) if mark else int(rows[1][at])
    rows[1][at] = f"{plain + 1:,}".replace(",", mark)
    text = io.StringIO()
    csv.writer(text, delimiter=shop.mapping.delimiter).writerows(rows)
    off = await bring(engine, shop, text.getvalue().encode(shop.mapping.encoding))
    assert off["status"] == "refused"
    assert "row" in off["problem"]
    assert "1 đồng" in off["problem"] or str(plain + 1) in off["problem"]
    row = await bring(engine, shop, file)
    assert (row["status"], row["problem"], row["proven"]) == ("done", None, True)
    tied = "settled" if shop.mapping.money == "provider" else "tied"
    told = await verdicts(engine)
    assert told[: len(AMOUNTS)] == [tied] * len(AMOUNTS)
    assert await cases(engine) == []
    await nothing_breaks(engine)
