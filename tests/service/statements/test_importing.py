"""Statement files: taken whole or refused, each line once however often and in whatever order."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import Book, open_book
from service.database import create_engine
from service.import_queue import OwnerBusy
from service.sealing import Sealer
from service.statements.importing import import_kept, import_waiting
from tests.databases import Databases
from tests.service.statements.making import (
    MAPPING,
    MASTER_KEY,
    Row,
    add_account,
    balance,
    csv,
    every,
    import_bytes,
    keep_bytes,
    one,
    row_of,
    tables,
)

pytestmark = pytest.mark.anyio
BOOK_OPENED_AT = datetime(2026, 11, 2, 1, tzinfo=UTC)

ROWS = [
    Row(amount_vnd=200_000, memo="nop phi a", reference="FT1"),
    Row(amount_vnd=200_000, memo="nop phi b", reference="FT2"),
    Row(amount_vnd=-50_000, memo="phi dich vu", reference="FT3"),
    Row(amount_vnd=70_000, memo="nop phi c", day=1, reference="FT4"),
]


async def test_a_file_with_balances_is_proven_and_ties(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """1121 is the opening and the signed lines: what the bank says at the end (invariant 13)."""
    account = await add_account(engine)
    kept = await import_bytes(engine, account, csv(ROWS, opening_vnd=1_000_000))
    row = await row_of(engine, kept)
    assert (row["status"], row["proven"], row["lines_new"]) == ("done", True, 4)
    assert row["closing_vnd"] == 1_420_000
    assert await balance(engine, "1121") == 1_420_000
    assert await balance(engine, "9990") == -1_000_000
    assert await balance(engine, "3380") == -470_000
    assert await balance(engine, "1380") == 50_000


async def test_a_file_without_balances_is_shown_as_unproven(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Its lines are booked, and it says that nothing proves them complete."""
    account = await add_account(engine)
    kept = await import_bytes(engine, account, csv(ROWS))
    row = await row_of(engine, kept)
    assert (row["status"], row["proven"]) == ("done", False)
    assert await balance(engine, "1121") == 420_000
    assert await balance(engine, "9990") == 0


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("1.420.000", "1.420.001", "off by 1 đồng"),
        ("1.350.000", "1.350.00", "column Balance"),
        ("03/11/2026", "31/11/2026", "column TNXDate"),
        (";70.000;", ";70,5;", "row 6, column Credit"),
    ],
)
async def test_a_file_that_contradicts_itself_books_nothing(
    engine: AsyncEngine, two_books: tuple[int, int], right: str, wrong: str, says: str
) -> None:
    """It is refused, the row and column are named where there is one, and no line is booked."""
    account = await add_account(engine)
    text = csv(ROWS, opening_vnd=1_000_000).decode()
    assert right in text
    kept = await import_bytes(engine, account, text.replace(right, wrong).encode())
    row = await row_of(engine, kept)
    assert row["status"] == "refused"
    assert says in row["problem"]
    assert await every(engine, "select id from service.statement_line") == []
    assert await every(engine, "select id from ledger.entry") == []


async def test_sums_that_do_not_reach_the_closing_are_refused(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Opening + lines = closing is a gate on the whole file, also without running balances."""
    account = await add_account(engine)
    text = csv(ROWS, opening_vnd=1_000_000, balances=False).decode()
    kept = await import_bytes(engine, account, text.replace("1.420.000", "1.420.100").encode())
    row = await row_of(engine, kept)
    assert row["status"] == "refused"
    assert "off by 100 đồng" in row["problem"]


async def test_the_same_file_twice_is_one_statement(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The second copy is the first one's resource and writes nothing."""
    account = await add_account(engine)
    data = csv(ROWS, opening_vnd=5)
    first = await import_bytes(engine, account, data)
    before = await tables(engine)
    second = await import_bytes(engine, account, data)
    assert (second.id, second.new) == (first.id, False)
    assert await tables(engine) == before


async def test_a_refused_file_is_read_again_with_another_layout(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A wrong mapping is mended by sending the file again with the right one."""
    account = await add_account(engine)
    sealer = Sealer(MASTER_KEY)
    data = csv(ROWS, opening_vnd=5)
    wrong = await keep_bytes(engine, sealer, account, data, "vietcombank")
    assert await import_kept(engine, sealer, wrong) == "refused"
    again = await keep_bytes(engine, sealer, account, data, MAPPING)
    assert again.id == wrong.id
    assert await import_kept(engine, sealer, again) == "done"


async def test_what_is_personal_is_sealed(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Neither the file, nor a memo, nor a name stands in clear in any table."""
    account = await add_account(engine)
    memo = "TRAN THI XUYENCHI nop phi 000.00.24.H57-261101-1316"
    await import_bytes(engine, account, csv([Row(amount_vnd=1, memo=memo)], opening_vnd=0))
    names = await every(
        engine,
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('ledger', 'service')",
    )
    for (name,) in names:
        told = await every(engine, f"select t::text from {name} as t")  # noqa: S608
        assert "XUYENCHI" not in str(told)
        assert b"XUYENCHI".hex() not in str(told)


async def test_equal_honest_lines_of_one_file_are_all_taken(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Two equal transfers in one minute are two, and a longer copy adds only what is more."""
    account = await add_account(engine)
    twice = [Row(amount_vnd=200_000, memo="nop phi")] * 2
    await import_bytes(engine, account, csv(twice))
    assert await balance(engine, "1121") == 400_000
    await import_bytes(engine, account, csv(twice + twice[:1]))
    assert await balance(engine, "1121") == 600_000
    row = await one(engine, "select count(*) as count from service.movement")
    assert row["count"] == 3


class _Killed(Exception):
    """The process is gone."""


async def test_a_killed_import_goes_on_where_it_was(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Killed between chunks, before or after a commit, the next start ends with the same books."""
    account = await add_account(engine)
    sealer = Sealer(MASTER_KEY)
    rows = [Row(amount_vnd=1_000 + n % 3, memo=f"nop phi {n % 5}", day=n // 7) for n in range(40)]
    kept = await keep_bytes(engine, sealer, account, csv(rows, opening_vnd=70))
    starts = 0
    while True:
        starts += 1
        told = 0

        def die(taken: int, _total: int) -> None:
            nonlocal told
            told += 1
            if told == 2:
                raise _Killed

        with contextlib.suppress(_Killed):
            if await import_kept(engine, sealer, kept, die, chunk_lines=4) == "done":
                break
        assert starts < 30
    assert starts > 2
    row = await row_of(engine, kept)
    assert (row["lines_new"], row["lines_known"]) == (40, 0)
    assert await balance(engine, "1121") == 70 + sum(row.amount_vnd for row in rows)


async def test_a_cancelled_task_is_finished_by_the_worker(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Cancelled in the middle of a chunk, nothing of the chunk stays, and nothing is doubled."""
    account = await add_account(engine)
    sealer = Sealer(MASTER_KEY)
    rows = [Row(amount_vnd=1_000 + n, memo=f"nop phi {n}") for n in range(60)]
    kept = await keep_bytes(engine, sealer, account, csv(rows, opening_vnd=0))
    begun = asyncio.Event()
    task = asyncio.create_task(
        import_kept(engine, sealer, kept, lambda *_: begun.set(), chunk_lines=5)
    )
    await begun.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await _finish(engine, sealer)
    assert await balance(engine, "1121") == sum(row.amount_vnd for row in rows)
    assert (await row_of(engine, kept))["status"] == "done"


async def _finish(engine: AsyncEngine, sealer: Sealer) -> None:
    """The worker's turns, until one finishes something."""
    for _ in range(100):
        if await import_waiting(engine, sealer, 1):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was finished")


async def test_one_import_per_account_at_a_time(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """While one runs, another of the same account is told to come later."""
    account = await add_account(engine)
    sealer = Sealer(MASTER_KEY)
    kept = await keep_bytes(engine, sealer, account, csv(ROWS))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        key = {"lock": 0x53544D54, "account_id": account.id}
        await connection.execute(sa.text("select pg_advisory_lock(:lock, :account_id)"), key)
        with pytest.raises(OwnerBusy):
            await import_kept(engine, sealer, kept)
        await connection.execute(sa.text("select pg_advisory_unlock(:lock, :account_id)"), key)
    assert await import_kept(engine, sealer, kept) == "done"


async def test_racing_overlapping_files_double_no_line(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Three overlapping files imported at once are the whole account."""
    account = await add_account(engine)
    sealer = Sealer(MASTER_KEY)
    rows = [Row(amount_vnd=1_000 + n % 4, memo=f"nop phi {n}") for n in range(30)]
    parts = [csv(rows[:20]), csv(rows[10:]), csv(rows[5:25])]
    kept = [await keep_bytes(engine, sealer, account, part) for part in parts]

    async def run(index: int) -> None:
        while True:
            try:
                await import_kept(engine, sealer, kept[index], chunk_lines=3)
            except OwnerBusy:
                await asyncio.sleep(0.01)
            else:
                return

    await asyncio.gather(*(run(index) for index in range(3)))
    assert await balance(engine, "1121") == sum(row.amount_vnd for row in rows)


async def test_a_missing_day_is_a_gap_until_its_file_comes(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A case stands on the later statement, and ends when the file between them is imported."""
    account = await add_account(engine)
    days = [[Row(amount_vnd=100 + day, day=day * 2)] for day in range(3)]
    opening = [1_000, 1_100, 1_201]
    await import_bytes(engine, account, csv(days[0], opening_vnd=opening[0]))
    await import_bytes(engine, account, csv(days[2], opening_vnd=opening[2]))
    live = "select reason, amount_vnd from service.unmatched where status <> 'resolved'"
    live += " and subject_kind = 'statement'"
    assert await every(engine, live) == [("STATEMENT_GAP", 101)]
    await import_bytes(engine, account, csv(days[1], opening_vnd=opening[1]))
    assert await every(engine, live) == []
    assert await balance(engine, "1121") == 1_303


async def test_an_older_statement_moves_the_opening_back(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """However late it comes, 1121 stays what the newest statement closes with (invariant 13)."""
    account = await add_account(engine)
    await import_bytes(engine, account, csv([Row(amount_vnd=50, day=5)], opening_vnd=900))
    await import_bytes(engine, account, csv([Row(amount_vnd=-100, day=1)], opening_vnd=1_000))
    assert await balance(engine, "1121") == 950
    assert await balance(engine, "9990") == -1_000
    cases = await every(
        engine,
        "select reason from service.unmatched where side = 'bank' and subject_kind = 'statement'",
    )
    assert cases == []


async def test_the_vietcombank_layout_is_read(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The masked sample, with balances added and labelled as made, is imported whole."""
    account = await add_account(engine)
    data = (Path(__file__).parents[2] / "data" / "vietcombank_with_balances.csv").read_bytes()
    sealer = Sealer(MASTER_KEY)
    kept = await keep_bytes(engine, sealer, account, data, "vietcombank")
    assert await import_kept(engine, sealer, kept) == "done"
    row = await row_of(engine, kept)
    assert row["proven"] is True
    assert row["lines_new"] == row["lines_read"] > 0
    assert await balance(engine, "1121") == row["closing_vnd"]


PIECES = st.lists(
    st.tuples(st.integers(0, 11), st.integers(1, 8)).map(lambda cut: (cut[0], sum(cut))),
    max_size=4,
)
LINES = st.lists(
    st.builds(
        Row,
        amount_vnd=st.sampled_from([1_000, 2_000, -500]),
        memo=st.sampled_from(["nop phi", "le phi"]),
        day=st.just(0),
    ),
    min_size=1,
    max_size=12,
)


@given(rows=LINES, pieces=PIECES, order=st.randoms(use_true_random=False), chunk=st.integers(1, 5))
@settings(max_examples=15)
def test_pieces_in_any_order_are_the_whole(
    databases: Databases, rows: list[Row], pieces: list[tuple[int, int]], order: Random, chunk: int
) -> None:
    """A file cut into overlapping pieces with the whole among them, in any order, is the whole."""
    files = [csv(rows), *(csv(rows[a:b]) for a, b in pieces if rows[a:b])]
    order.shuffle(files)

    async def check(url: str) -> None:
        engine = create_engine(url)
        try:
            async with engine.begin() as connection:
                book = Book(book_id=1, code="01", name="Sở Tư pháp", agency_code="H57.23")
                await open_book(connection, book, BOOK_OPENED_AT)
            account = await add_account(engine)
            for file in files:
                await import_bytes(engine, account, file, chunk_lines=chunk)
            assert await balance(engine, "1121") == sum(row.amount_vnd for row in rows)
            row = await one(engine, "select count(*) as count from service.statement_line")
            assert row["count"] == len(rows)
        finally:
            await engine.dispose()

    with databases.clone() as database:
        asyncio.run(check(database.app_url))
