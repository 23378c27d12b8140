"""A database in which everything has happened, made through the service's own rooms."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ledger.days import checkpoint
from service import outbox
from service.access.principals import Principal
from service.database import create_engine, transaction
from service.fees import actions, counter
from service.fees.messages import AddedItems, Exemption, NewCounterReceipt, NewFeeItem
from service.intake import inbox
from service.sealing import Sealer
from service.statements.keeping import Account
from tests.databases import Database
from tests.makers import NOW, make_notice
from tests.service.statements.making import FIRST_DAY, Row, csv, import_bytes
from tests.traffic import ACCOUNTS, MASTER_KEY, Ipn, Message, Messages, Orders, Transfer

CALLER: Final = Principal(
    kind="api_key", id=uuid7(), name="one-stop", books=frozenset({1, 2}), scopes=frozenset()
)
DAY: Final = (NOW + timedelta(hours=7)).date().toordinal() - FIRST_DAY.toordinal()
"""The day of the traffic, as statement rows count days."""

TRAFFIC: Final[tuple[Message, ...]] = (
    Ipn(order=0),
    Ipn(order=0),
    Ipn(order=0, transaction=2),
    Ipn(order=1, amount="less", transaction=3),
    Ipn(order=5, transaction=4),
    Ipn(order=6, transaction=5),
    Ipn(order=2, transaction=6, amount="broken"),
    Ipn(order=2, transaction=7, status="held"),
    Transfer(id=1, order=1, amount="less", bank_reference="FT26001"),
    Transfer(id=2, order=7, amount="more", bank_reference="FT26002"),
    Transfer(id=3, order=None, bank_reference="FT26003"),
    Transfer(id=4, order=3, bank_reference="FT26004"),
    Transfer(id=5, order=3, direction="out", bank_reference="FT26004"),
    Transfer(id=6, order=4, direction="out"),
)
ROWS: Final = (
    Row(amount_vnd=40_000, memo="HUE chuyen tien", reference="FT26001", day=DAY),
    Row(amount_vnd=15_000, reference="FT26004", day=DAY),
    Row(amount_vnd=99_000, memo="khong ro", reference="FT26009", day=DAY),
    Row(amount_vnd=-15_000, reference="FT26004", day=DAY),
)


@asynccontextmanager
async def pool(url: str) -> AsyncIterator[AsyncEngine]:
    """Give a pool on a database."""
    engine = create_engine(url, pool_size=4)
    try:
        yield engine
    finally:
        await engine.dispose()


async def send(engine: AsyncEngine, orders: Orders, traffic: Sequence[Message]) -> None:
    """Book calls as one group."""
    messages = Messages(engine, orders)
    deliveries = await messages.deliveries(traffic)
    async with transaction(engine) as connection:
        await inbox.commit_group(
            connection,
            deliveries,
            directory=messages.directory,
            sealer=messages.sealer,
            now=NOW,
        )


async def bring_statement(engine: AsyncEngine, rows: Sequence[Row], opening_vnd: int) -> None:
    """Import a statement of the first book's account."""
    account = Account(id=1, book_id=1, bin="970436", number=ACCOUNTS[0])
    await import_bytes(
        engine, account, csv(rows, opening_vnd=opening_vnd), sealer=Sealer(MASTER_KEY)
    )


async def change_notices(engine: AsyncEngine) -> UUID:
    """A notice with one more item, a part waived, a part paid in cash; its id."""
    sealer = Sealer(MASTER_KEY)
    async with transaction(engine) as connection:
        notice_id, _ = await make_notice(connection, 1, [30_000, 0])
        item = NewFeeItem(code="F9", kind="phi", name="Phí", amount_vnd=5_000, retained_percent=0)
        notice = await actions.lock(connection, CALLER, notice_id)
        await actions.add_items(connection, sealer, notice, AddedItems(items=[item]), NOW)
        told = actions.Decided(caller=CALLER, now=NOW)
        why = Exemption(reason="hộ nghèo", decided_by="Lê Thị B", amount_vnd=10_000)
        await actions.exempt(connection, sealer, notice, why, told)
        receipt = NewCounterReceipt(
            notice_id=notice_id, method="cash", amount_vnd=20_000, receipt_no=str(uuid7())
        )
        await counter.take(connection, CALLER, receipt, NOW)
    return notice_id


async def place(engine: AsyncEngine) -> None:
    """Give positions to what waits, and sum what is closed."""
    for book_id in (1, 2):
        async with transaction(engine) as connection:
            await outbox.place(connection, book_id)
        async with transaction(engine) as connection:
            await checkpoint(connection, book_id)


async def fill(engine: AsyncEngine, orders: Orders) -> None:
    """Everything once."""
    await send(engine, orders, TRAFFIC)
    await change_notices(engine)
    await bring_statement(engine, ROWS, 1_000_000)
    await place(engine)
    await send(engine, orders, [Ipn(order=7, transaction=9), Ipn(order=1, transaction=10)])
    await change_notices(engine)


async def tamper(database: Database, statement: str) -> list[str]:
    """Change rows as a superuser whom no trigger and no foreign key holds; what it returns."""
    async with pool(database.superuser_url) as engine, transaction(engine) as connection:
        await connection.execute(sa.text("set local session_replication_role = replica"))
        return [str(row[0]) for row in await connection.execute(sa.text(statement))]
