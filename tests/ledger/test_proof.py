"""prove() names the row that somebody with all rights has changed (invariants 1, 2, 4, 8, 12)."""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ledger import errors
from ledger.accounts import (
    BANK,
    CLEARING,
    DUE_FROM_UNITS,
    DUE_TO_UNITS,
    FEES_RECEIVABLE,
    SUSPENSE,
)
from ledger.days import checkpoint, turn_day
from ledger.proof import prove
from ledger.reversal import mirror, reverse
from service.database import create_engine
from tests.databases import Database
from tests.ledger.making import HAPPENED_AT, VALUE_DATE, entry, line, posted, proven

pytestmark = pytest.mark.anyio

VICTIM = entry("victim", line(5), line(7, CLEARING, SUSPENSE), line(9, BANK, SUSPENSE))
SHARED = uuid7()


@pytest.fixture
async def superuser(fresh_database: Database) -> AsyncIterator[AsyncEngine]:
    """Give a superuser's pool on the test's own database."""
    pool = create_engine(fresh_database.superuser_url, pool_size=1)
    yield pool
    await pool.dispose()


@pytest.fixture
async def books(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Fill two books: a victim among neighbours, a reversal, a shared payment, checkpoints."""
    undone = entry("undone")
    await posted(engine, entry("before"), undone, entry("elsewhere", book_id=2))
    await posted(engine, VICTIM, entry("beside"))
    async with engine.begin() as connection:
        await reverse(
            connection,
            1,
            undone.id,
            source="undo",
            happened_at=HAPPENED_AT,
            value_date=VALUE_DATE,
        )
    for book_id in (1, 2):
        async with engine.begin() as connection:
            await checkpoint(connection, book_id)
    await posted(
        engine,
        entry("lent", line(30, CLEARING, DUE_TO_UNITS), shared_id=SHARED),
        entry("borrowed", line(30, DUE_FROM_UNITS, FEES_RECEIVABLE), book_id=2, shared_id=SHARED),
        entry("after"),
    )


Found = set[tuple[int, str, str]]


async def found_after(superuser: AsyncEngine, *statements: str) -> Found:
    """Change rows with every constraint out of the way, prove, and take the change back."""
    snapshot = superuser.execution_options(isolation_level="REPEATABLE READ")
    found: Found = set()
    async with snapshot.connect() as connection:
        await connection.execute(sa.text("set local session_replication_role = replica"))
        for statement in statements:
            done = await connection.execute(sa.text(statement), {"id": VICTIM.id})
            assert done.rowcount > 0
        for book_id in (1, 2):
            async for finding in prove(connection, book_id):
                found.add((finding.invariant, finding.table, finding.row))
        await connection.rollback()
    return found


def line_change(change: str, position: int) -> str:
    """An update of one line of the victim."""
    which = f"entry_id = :id and position = {position}"
    return f"update ledger.line set {change} where {which}"  # noqa: S608 - a test's own words


def entry_change(change: str) -> str:
    """An update of the victim."""
    return f"update ledger.entry set {change} where id = :id"  # noqa: S608 - a test's own words


def posting_change(change: str) -> str:
    """An update of the victim's posting."""
    which = "id = (select posting_id from ledger.entry where id = :id)"
    return f"update ledger.posting set {change} where {which}"  # noqa: S608 - a test's own words


async def test_honest_books_hold(engine: AsyncEngine, books: None) -> None:
    """Nothing is found in books that only this package has written."""
    assert await proven(engine) == []


LINE_CHANGES = [
    "amount_vnd = 6",
    "debit = '1121'",
    "credit = '3381'",
    "debit = credit, credit = debit",
    "notice_id = null",
    "item_id = notice_id",
    "movement_id = uuidv7()",
    "bank_account_id = 1",
    "merchant = 'OTHER'",
    "merchant = null",
    "budget_subsection = ''",
]


async def test_a_changed_line_is_named(superuser: AsyncEngine, books: None) -> None:
    """Another amount, account or dimension on one of three lines: that line is named."""
    for change in LINE_CHANGES:
        found = await found_after(superuser, line_change(change, 2))
        of_lines = {one for one in found if one[0] == 1}
        assert (change, of_lines) == (change, {(1, "ledger.line", f"{VICTIM.id}/2")})


async def test_a_line_apart_from_its_entry_is_named(superuser: AsyncEngine, books: None) -> None:
    """A line's times and segment, which balances read, are those of its entry."""
    for change in (
        "segment = 2",
        "value_date = value_date + 1",
        "recorded_at = recorded_at - interval '1 s'",
    ):
        found = await found_after(superuser, line_change(change, 3))
        assert (1, "ledger.line", f"{VICTIM.id}/3") in found, change


ENTRY_CHANGES = [
    "source = 'other'",
    "kind = 'refund'",
    "happened_at = happened_at + interval '1 microsecond'",
    "value_date = value_date - 1",
    "recorded_at = recorded_at - interval '1 h'",
    "day = day - 1",
    "segment = 2",
    "concerns_day = day",
    "shared_id = uuidv7()",
    "posting_id = uuidv7()",
    "hash = sha256(hash)",
    "parts = substring(parts from 5) || substring(parts for 4)",
    "line_count = 2, parts = substring(parts for 12)",
]


async def test_a_changed_entry_is_named(superuser: AsyncEngine, books: None) -> None:
    """Another time, day, source or link of an entry: that entry is named."""
    for change in ENTRY_CHANGES:
        found = await found_after(superuser, entry_change(change))
        assert (1, "ledger.entry", str(VICTIM.id)) in found, change


async def test_a_deleted_line_is_named(superuser: AsyncEngine, books: None) -> None:
    """The place where a line was is named, also when it was the last one."""
    for position in (1, 3):
        gone = f"delete from ledger.line where entry_id = :id and position = {position}"  # noqa: S608 - a test's own words
        found = {one for one in await found_after(superuser, gone) if one[0] == 1}
        assert found == {(1, "ledger.line", f"{VICTIM.id}/{position}")}


async def test_an_inserted_line_is_named(superuser: AsyncEngine, books: None) -> None:
    """A line more than the entry was hashed with, and a line of no entry."""
    more = """
        insert into ledger.line (book_id, entry_id, position, debit, credit, amount_vnd, segment,
                                 value_date, recorded_at)
        select book_id, entry_id, 4, debit, credit, amount_vnd, segment, value_date, recorded_at
        from ledger.line where entry_id = :id and position = 1
    """
    found = {one for one in await found_after(superuser, more) if one[0] == 1}
    assert found == {(1, "ledger.line", f"{VICTIM.id}/4")}
    stray = uuid7()
    found = await found_after(superuser, more, line_change(f"entry_id = '{stray}'", 4))
    assert {one for one in found if one[0] < 4} == {(2, "ledger.line", f"{stray}/4")}


async def test_a_deleted_entry_is_named(superuser: AsyncEngine, books: None) -> None:
    """Its posting still names it; lines left behind are named too."""
    entry_gone = "delete from ledger.entry where id = :id"
    lines_gone = "delete from ledger.line where entry_id = :id"
    lines = {(2, "ledger.line", f"{VICTIM.id}/{position}") for position in (1, 2, 3)}
    named = {(2, "ledger.entry", str(VICTIM.id))}
    found = await found_after(superuser, entry_gone)
    assert {one for one in found if one[0] < 4} == named | lines
    found = await found_after(superuser, entry_gone, lines_gone)
    assert {one for one in found if one[0] < 4} == named


async def test_an_entry_slipped_in_is_named(superuser: AsyncEngine, books: None) -> None:
    """A copy with another id has no posting that names it, and a hash that is not its own."""
    copy = uuid7()
    found = await found_after(
        superuser,
        "create temporary table copy on commit drop as select * from ledger.entry where id = :id",
        f"update copy set id = '{copy}', source = 'copy'",  # noqa: S608 - a test's own words
        "insert into ledger.entry select * from copy",
    )
    assert {(1, "ledger.entry", str(copy)), (2, "ledger.entry", str(copy))} <= found


async def test_a_changed_posting_is_named(superuser: AsyncEngine, books: None) -> None:
    """A posting names exactly the entries it made."""
    for change in (
        "digest = sha256(digest)",
        "entry_ids = array_remove(entry_ids, cast(:id as uuid))",
        "entry_ids = '{}'",
    ):
        found = await found_after(superuser, posting_change(change))
        assert "ledger.posting" in {one[1] for one in found}, change


async def test_a_deleted_posting_leaves_its_entries_named(
    superuser: AsyncEngine, books: None
) -> None:
    """An entry that no posting names is one that post() did not make."""
    gone = (
        "delete from ledger.posting where id = (select posting_id from ledger.entry where id = :id)"
    )
    assert (2, "ledger.entry", str(VICTIM.id)) in await found_after(superuser, gone)


SUM_CHANGES = [
    ("update ledger.checkpoint_balance set debit_vnd = debit_vnd + 1", "checkpoint_balance"),
    ("delete from ledger.checkpoint_balance", "checkpoint_balance"),
    ("update ledger.checkpoint_day set credit_vnd = credit_vnd + 1", "checkpoint_day"),
    ("delete from ledger.checkpoint_day", "checkpoint_day"),
    ("update ledger.checkpoint set line_count = line_count + 1", "checkpoint"),
    ("update ledger.checkpoint set closed_at = closed_at + interval '1 h'", "checkpoint"),
    ("update ledger.summed set segment = segment + 1", "summed"),
    ("delete from ledger.segment", "segment"),
    ("update ledger.segment set segment = segment + 9", "segment"),
]


async def test_a_changed_sum_is_named(superuser: AsyncEngine, books: None) -> None:
    """Checkpoints equal the sums of the lines before them, and segments have no gap."""
    for change, table in SUM_CHANGES:
        found = await found_after(superuser, f"{change} where book_id = 1")
        assert f"ledger.{table}" in {one[1] for one in found}, change
        assert {one[0] for one in found} <= {4, 8}, change


async def test_an_entry_in_another_day_than_its_segment_is_named(
    engine: AsyncEngine, superuser: AsyncEngine, books: None
) -> None:
    """Nothing is recorded into a closed day (invariant 8)."""
    async with engine.begin() as connection:
        await turn_day(connection, 1, VALUE_DATE.replace(day=3))
    assert await proven(engine) == []
    found = await found_after(superuser, entry_change("day = day + 1"))
    assert (8, "ledger.entry", str(VICTIM.id)) in found


@pytest.mark.parametrize("kept", [2, 3])
async def test_a_reversal_that_is_no_mirror_is_named(
    engine: AsyncEngine, books: None, kept: int
) -> None:
    """An entry that names what it reverses has the same lines turned round, and all of them."""
    lines = VICTIM.lines if kept == len(VICTIM.lines) else mirror(VICTIM.lines[:kept])
    false = msgspec.structs.replace(entry("false", *lines), reverses=VICTIM.id)
    await posted(engine, false)
    (finding,) = await proven(engine)
    assert (finding.table, finding.row) == ("ledger.entry", str(false.id))


async def test_money_between_units_that_one_side_forgot_is_named(
    engine: AsyncEngine, books: None
) -> None:
    """1389 and 3389 mirror by shared id, seen from either book (invariant 12)."""
    lonely: UUID = uuid7()
    await posted(
        engine,
        entry("lonely", line(8, CLEARING, DUE_TO_UNITS), shared_id=lonely),
        bare := entry("bare", line(8, CLEARING, DUE_TO_UNITS)),
    )
    found = {(one.invariant, one.table, one.row) for one in await proven(engine)}
    assert found == {
        (12, "ledger.entry", f"shared id {lonely}"),
        (12, "ledger.entry", str(bare.id)),
    }


async def test_a_proof_needs_one_snapshot(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Under READ COMMITTED its parts would see different books; it refuses."""
    async with engine.connect() as connection:
        with pytest.raises(errors.SnapshotNeeded):
            [finding async for finding in prove(connection, 1)]
