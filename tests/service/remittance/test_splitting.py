"""Splits in the database, for all amounts and shares, paid in parts."""

import asyncio

import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import Book, open_book
from service.database import create_engine, transaction
from tests.conftest import BOOKS_OPENED_AT
from tests.databases import Database, Databases
from tests.makers import transfer
from tests.service.refunds.making import Office
from tests.service.remittance.making import Treasurer

PERCENT = sa.text("""
    update service.notice_item set retained_percent = :percent
    where notice_id = :notice_id and position = :position
""")
ITEMS = sa.text("""
    select item.amount_vnd, item.retained_percent, sum(split.retained_vnd)::bigint as retained_vnd,
           sum(split.budget_vnd)::bigint as budget_vnd
    from service.notice_item as item
    join service.item_split as split on split.book_id = item.book_id and split.item_id = item.id
    group by item.id, item.amount_vnd, item.retained_percent
""")


async def split_twice(
    engine: AsyncEngine, owner: AsyncEngine, items: list[tuple[int, int]], cut: int
) -> None:
    """Pay items in two parts, with a remittance after each."""
    async with transaction(engine) as connection:
        for book_id, code in ((1, "01"), (2, "02")):
            book = Book(book_id=book_id, code=code, name="Sở Tư pháp", agency_code="H57.23")
            await open_book(connection, book, BOOKS_OPENED_AT)
    office = Office(engine)
    await office.open()
    treasurer = Treasurer(office)
    amounts = [amount_vnd for amount_vnd, _ in items]
    owed = await office.owed(1, *amounts)
    async with transaction(owner) as connection:  # a fact: the app may not change it
        for position, (_, percent) in enumerate(items, 1):
            told = {"notice_id": owed.notice_id, "position": position, "percent": percent}
            await connection.execute(PERCENT, told)
    first = sum(amounts) * cut // 100
    for number, amount_vnd in enumerate((first, sum(amounts) - first)):
        if amount_vnd:
            paid = transfer(
                office.account, amount_vnd, reference=owed.reference, traces=[f"FT{number}"]
            )
            await office.book(paid)
            await treasurer.approved()
    async with engine.connect() as connection:
        rows = (await connection.execute(ITEMS)).all()
    assert len(rows) == len(items)
    for row in rows:
        assert row.retained_vnd == row.amount_vnd * row.retained_percent // 100
        assert row.budget_vnd == row.amount_vnd - row.retained_vnd
    assert await treasurer.balance("3373") == 0
    assert await office.proven() == []


@settings(max_examples=5, phases=[Phase.generate])
@given(
    items=st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 100)), min_size=1, max_size=8),
    cut=st.integers(0, 99),
)
def test_splits_add_up_for_all_amounts_and_shares(
    databases: Databases, items: list[tuple[int, int]], cut: int
) -> None:
    """Paid in two parts, split twice: retained is A x r % rounded down, the budget has the rest."""

    async def work(database: Database) -> None:
        engine = create_engine(database.app_url, pool_size=3)
        owner = create_engine(database.owner_url, pool_size=2)
        try:
            await split_twice(engine, owner, items, cut)
        finally:
            await engine.dispose()
            await owner.dispose()

    with databases.clone() as database:
        asyncio.run(work(database))
