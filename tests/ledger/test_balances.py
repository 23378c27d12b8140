"""Balances on both time axes, and that they are answered from indexes (invariant 4)."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ledger import errors
from ledger.accounts import BANK, CLEARING, FEES_RECEIVABLE, SUSPENSE
from ledger.balances import ONE_BALANCE, balance, trial_balance
from ledger.days import checkpoint
from ledger.listing import (
    ACCOUNT_PAGE,
    LineCursor,
    Range,
    StatementRow,
    account_statement,
    entries,
)
from tests.ledger.making import entry, line, posted, proven

pytestmark = pytest.mark.anyio

MANY = 63_000
AFTER_THE_CHECKPOINT = 3_001  # the rest is in six segments that are summed
BULK = """
    insert into ledger.entry (book_id, id, posting_id, source, kind, happened_at, value_date,
        recorded_at, day, segment, line_count, parts, hash)
    select 1, uuidv7(), uuidv7(), 'bulk:' || n, 'payment', now(), date '2026-11-02', now(),
        date '2026-11-02', 1 + n / 10000, 1,
        '\\x0000000000000000', sha256(cast(cast(n as text) as bytea))
    from generate_series(1, {many}) as n
"""
BULK_LINES = """
    insert into ledger.line (book_id, entry_id, position, debit, credit, amount_vnd, segment,
        value_date, recorded_at)
    select book_id, id, 1, '1130', '1383', 1000, segment, value_date, recorded_at
    from ledger.entry where book_id = 1
"""


def plan_nodes(plan: dict[str, object]) -> list[dict[str, object]]:
    """Every node of a plan."""
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return [plan, *(node for child in below for node in plan_nodes(child))]


async def explain(
    engine: AsyncEngine, statement: sa.TextClause, key: dict[str, object]
) -> list[dict[str, object]]:
    """The nodes of the plan that the app role gets for a statement, with real row counts."""
    async with engine.begin() as connection:
        asked = sa.text(f"explain (analyze, buffers off, format json) {statement.text}")
        told = (await connection.execute(asked, key)).scalar_one()
    return plan_nodes(told[0]["Plan"])


async def fill(owner_engine: AsyncEngine) -> None:
    """Write MANY lines on two accounts over seven segments, six of them summed."""
    async with owner_engine.begin() as connection:
        await connection.execute(sa.text(BULK.format(many=MANY)))
        await connection.execute(sa.text(BULK_LINES))
        await connection.execute(
            sa.text("""
                insert into ledger.segment (book_id, segment, day, closed_at)
                select 1, n, date '2026-11-02', now() from generate_series(1, 6) as n
            """)
        )
        await connection.execute(
            sa.text("update ledger.open_day set segment = 7 where book_id = 1")
        )
    async with owner_engine.begin() as connection:
        assert await checkpoint(connection, 1) is not None
    async with owner_engine.connect() as plain:
        outside = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await outside.execute(sa.text("vacuum analyze ledger.line, ledger.entry"))


async def test_a_balance_and_a_page_over_many_lines_are_answered_from_indexes(
    engine: AsyncEngine, owner_engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A balance reads a checkpoint and index-only scans of the lines after it, a page its rows."""
    await fill(owner_engine)
    key: dict[str, object] = {
        "book_id": 1,
        "account": CLEARING,
        "at": None,
        "value_date": date(2026, 11, 3),
    }
    nodes = await explain(engine, ONE_BALANCE, key)
    lines = [node for node in nodes if node.get("Relation Name") == "line"]
    assert {node["Node Type"] for node in lines} == {"Index Only Scan"}
    assert {node["Index Name"] for node in lines} == {"line_debit", "line_credit"}
    assert sum(float(str(node["Actual Rows"])) for node in lines) == AFTER_THE_CHECKPOINT
    async with engine.connect() as connection:
        assert (await balance(connection, 1, CLEARING)).balance_vnd == MANY * 1000

    page: dict[str, object] = {
        "book_id": 1,
        "account": CLEARING,
        "segment": 4,
        "entry_id": uuid7(),
        "position": 1,
        "rows": 51,
        "recorded_from": None,
        "recorded_until": None,
        "value_from": None,
        "value_until": None,
    }
    nodes = await explain(engine, ACCOUNT_PAGE, page)
    kinds = {node["Node Type"] for node in nodes if node.get("Relation Name") is not None}
    assert "Seq Scan" not in kinds
    assert max(float(str(node["Actual Rows"])) for node in nodes) <= 102


async def test_both_time_axes(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """What was recorded by an instant and what belongs to days until a date are told apart."""
    days = [date(2026, 10, 30), date(2026, 11, 2), date(2026, 11, 1)]
    instants: list[datetime] = []
    for number, day in enumerate(days):
        await posted(engine, entry(f"s{number}", line(10**number), value_date=day))
        async with engine.begin() as connection:
            if number == 1:
                await checkpoint(connection, 1)
            now = sa.text("select clock_timestamp()")
            instants.append((await connection.execute(now)).scalar_one())

    async with engine.connect() as connection:

        async def known(at: datetime | None, value_date: date | None) -> int:
            found = await balance(connection, 1, CLEARING, at, value_date)
            assert found == next(
                row
                for row in (await trial_balance(connection, 1, at, value_date)).rows
                if row.account == CLEARING
            )
            return found.balance_vnd

        assert [await known(at, None) for at in instants] == [1, 11, 111]
        assert await known(None, None) == 111
        assert [await known(None, day) for day in sorted(days)] == [1, 101, 111]
        assert [await known(instants[1], day) for day in sorted(days)] == [1, 1, 11]
        assert await known(instants[0] - timedelta(days=9), None) == 0
        receivable = await balance(connection, 1, FEES_RECEIVABLE)
        assert (receivable.debit_vnd, receivable.credit_vnd) == (0, 111)
        assert receivable.balance_vnd == -111
        assert (await balance(connection, 2, CLEARING)).balance_vnd == 0
    assert await proven(engine) == []


async def test_what_cannot_be_asked_is_refused(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Unknown accounts and books, instants without a zone and page sizes out of bounds."""
    instant = datetime(2026, 11, 2, tzinfo=UTC).replace(tzinfo=None)
    async with engine.connect() as connection:
        with pytest.raises(errors.UnknownAccount):
            await balance(connection, 1, "9999")
        with pytest.raises(errors.UnknownBook):
            await trial_balance(connection, 404)
        with pytest.raises(errors.MalformedEntry):
            await balance(connection, 1, CLEARING, instant)
        for limit in (0, 501):
            with pytest.raises(errors.MalformedEntry):
                await entries(connection, 1, limit=limit)
        with pytest.raises(errors.MalformedEntry):
            await entries(connection, 1, notice_id=uuid7(), movement_id=uuid7())


async def test_an_account_is_listed_page_by_page(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Pages join without a gap or an overlap, and the running sum goes on from page to page."""
    told = [
        entry("in", line(1), line(2), value_date=date(2026, 11, 1)),
        entry("out", line(4, BANK, CLEARING)),
        entry("elsewhere", line(8, BANK, SUSPENSE)),
        entry("in again", line(16)),
    ]
    await posted(engine, *told[:2])
    async with engine.begin() as connection:
        await checkpoint(connection, 1)
    await posted(engine, *told[2:])
    rows: list[StatementRow] = []
    after: LineCursor | None = None
    async with engine.connect() as connection:
        for _ in range(4):
            page = await account_statement(connection, 1, CLEARING, after=after, limit=1)
            rows.extend(page.rows)
            after = page.next
        assert after is None
        whole = await account_statement(connection, 1, CLEARING, limit=4)
        assert (tuple(rows), None) == (whole.rows, whole.next)
        one_day = Range(value_from=date(2026, 11, 1), value_until=date(2026, 11, 1))
        dated = await account_statement(connection, 1, CLEARING, within=one_day)
    assert [(row.side, row.amount_vnd, row.running_vnd) for row in rows] == [
        ("debit", 1, 1),
        ("debit", 2, 3),
        ("credit", 4, -1),
        ("debit", 16, 15),
    ]
    assert [(row.source, row.counter_account) for row in rows[2:]] == [
        ("out", BANK),
        ("in again", FEES_RECEIVABLE),
    ]
    assert [row.amount_vnd for row in dated.rows] == [1, 2]


async def test_entries_are_listed_newest_first_and_filtered(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Pages by id; of a notice, of a movement, of a kind; never those of another book."""
    told = [entry(f"s{number}", line(), line()) for number in range(5)]
    await posted(engine, *told, entry("other", book_id=2))
    notice, movement = told[3].lines[1].notice_id, told[2].lines[0].movement_id
    async with engine.connect() as connection:
        first = await entries(connection, 1, limit=3)
        second = await entries(connection, 1, limit=3, before=first.next)
        found = [*first.entries, *second.entries]
        assert [one.entry for one in found] == told[::-1]
        assert second.next is None
        of_notice = await entries(connection, 1, notice_id=notice)
        of_movement = await entries(connection, 1, movement_id=movement)
        assert [one.entry for one in of_notice.entries] == [told[3]]
        assert [one.entry for one in of_movement.entries] == [told[2]]
        assert (await entries(connection, 1, kind="refund")).entries == ()
        assert len((await entries(connection, 1, kind="payment")).entries) == 5
