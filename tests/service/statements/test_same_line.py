"""One line of an account is one line, whether a file of it states running balances or not."""

import asyncio
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.accounts import Book, open_book
from service.database import create_engine
from tests.databases import Databases
from tests.service.statements.making import Row, add_account, csv, every, import_bytes
from tests.service.statements.test_importing import BOOK_OPENED_AT

DAYS = 3
ROWS = st.lists(
    st.builds(
        Row,
        amount_vnd=st.sampled_from([20_000, -20_000]),
        day=st.integers(0, DAYS - 1),
        reference=st.sampled_from(["", "FT1"]),
    ),
    min_size=1,
    max_size=8,
).map(lambda rows: sorted(rows, key=lambda row: row.day))
FILES = st.lists(
    st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1), st.booleans()), max_size=3
)


@settings(max_examples=15)
@given(
    rows=ROWS,
    files=FILES,
    whole=st.booleans(),
    order=st.randoms(use_true_random=False),
    chunk=st.integers(1, 4),
)
@example(
    rows=[Row(amount_vnd=20_000), Row(amount_vnd=20_000)],
    files=[(0, DAYS - 1, True)],
    whole=False,
    order=Random(0),
    chunk=1,
)
def test_files_with_and_without_balances_double_no_line(
    databases: Databases,
    rows: list[Row],
    files: list[tuple[int, int, bool]],
    whole: bool,  # noqa: FBT001 - drawn
    order: Random,
    chunk: int,
) -> None:
    """Overlapping files of whole days, some with balances, in any order are the whole account."""
    told = []
    for first, last, balances in [(0, DAYS - 1, whole), *files]:
        part = [row for row in rows if first <= row.day <= last]
        before_vnd = sum(row.amount_vnd for row in rows if row.day < first)
        if part:
            told.append(csv(part, opening_vnd=1_000_000 + before_vnd if balances else None))
    order.shuffle(told)

    async def check(url: str) -> None:
        engine = create_engine(url)
        try:
            async with engine.begin() as connection:
                book = Book(book_id=1, code="01", name="Sở Tư pháp", agency_code="H57.23")
                await open_book(connection, book, BOOK_OPENED_AT)
            account = await add_account(engine)
            for file in told:
                await import_bytes(engine, account, file, chunk_lines=chunk)
            lines = await every(
                engine,
                "select value_date, case direction when 'in' then amount_vnd else -amount_vnd end"
                " from service.statement_line",
            )
        finally:
            await engine.dispose()
        assert sorted(int(str(vnd)) for _, vnd in lines) == sorted(row.amount_vnd for row in rows)

    with databases.clone() as database:
        asyncio.run(check(database.app_url))
