"""post(): once per source, in any number of books, refusing what is out of shape."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import errors
from ledger.accounts import BANK, CHART, CLEARING, SUSPENSE, Book, list_accounts, open_book
from ledger.days import close_segment
from ledger.entries import Entry
from ledger.listing import entries
from ledger.posting import AMOUNT_VND_MAX, LINES_PER_ENTRY_MAX, hold_days, post
from tests.ledger.making import entry, line, posted, proven

pytestmark = pytest.mark.anyio

COUNTS = sa.text("""
    select (select count(*) from ledger.entry), (select count(*) from ledger.line),
           (select count(*) from ledger.posting)
""")


async def counts(engine: AsyncEngine) -> tuple[int, int, int]:
    """How many entries, lines and postings there are."""
    async with engine.connect() as connection:
        row = (await connection.execute(COUNTS)).one()
    return row[0], row[1], row[2]


async def test_an_entry_is_read_back_as_it_was_told(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """All facts of an entry and its lines survive, in order, with what the ledger added."""
    full = msgspec.structs.replace(line(), bank_account_id=0)
    told = msgspec.structs.replace(
        entry("một:1", full, line(7, BANK, SUSPENSE)), concerns_day=date(2026, 11, 1)
    )
    (answer,) = await posted(engine, told)
    assert (answer.entry_id, answer.new) == (told.id, True)
    async with engine.connect() as connection:
        (found,) = (await entries(connection, 1)).entries
    assert found.entry == told
    assert (found.segment, found.day, found.line_count) == (1, date(2026, 11, 2), 2)
    assert await proven(engine) == []


async def test_a_repeated_source_is_passed_over(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A source told again, in one call or in another, is answered with the first entry's id."""
    first = entry("a")
    answers = await posted(engine, first, entry("a"), entry("b"))
    assert [answer.new for answer in answers] == [True, False, True]
    assert answers[1].entry_id == first.id
    again = await posted(engine, entry("c"), entry("a"), first)
    assert [answer.new for answer in again] == [True, False, False]
    assert {answer.entry_id for answer in again[1:]} == {first.id}
    assert await counts(engine) == (3, 3, 2)
    assert await proven(engine) == []


async def test_only_repeats_write_nothing(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """A call that tells nothing new leaves no row at all."""
    await posted(engine, entry("a"))
    before = await counts(engine)
    assert [one.new for one in await posted(engine, entry("a"), entry("a"))] == [False, False]
    assert await posted(engine) == []
    assert await counts(engine) == before


async def test_one_source_in_two_books_is_two_entries(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Sources are of their book; one call may write into several, with a posting for each."""
    answers = await posted(engine, entry("a"), entry("a", book_id=2), entry("b", book_id=2))
    assert [(answer.book_id, answer.new) for answer in answers] == [(1, True), (2, True), (2, True)]
    assert await counts(engine) == (3, 3, 2)
    assert await proven(engine) == []


REFUSED: dict[str, tuple[type[errors.LedgerError], Callable[[], Entry]]] = {
    "zero": (errors.MalformedEntry, lambda: entry("x", line(0))),
    "negative": (errors.MalformedEntry, lambda: entry("x", line(-1))),
    "huge": (errors.MalformedEntry, lambda: entry("x", line(AMOUNT_VND_MAX + 1))),
    "truth": (errors.MalformedEntry, lambda: entry("x", line(amount_vnd=True))),
    "itself": (errors.MalformedEntry, lambda: entry("x", line(1, CLEARING, CLEARING))),
    "debit": (errors.UnknownAccount, lambda: entry("x", line(1, "9999", CLEARING))),
    "credit": (errors.UnknownAccount, lambda: entry("x", line(1, CLEARING, "113"))),
    "no zone": (
        errors.MalformedEntry,
        lambda: msgspec.structs.replace(entry("x"), happened_at=datetime(2026, 1, 1)),  # noqa: DTZ001 - the fault
    ),
    "time for a day": (
        errors.MalformedEntry,
        lambda: entry("x", value_date=datetime(2026, 1, 1, tzinfo=UTC)),
    ),
    "no lines": (errors.MalformedEntry, lambda: msgspec.structs.replace(entry("x"), lines=())),
    "many lines": (
        errors.MalformedEntry,
        lambda: entry("x", *[line()] * (LINES_PER_ENTRY_MAX + 1)),
    ),
    "empty source": (errors.MalformedEntry, lambda: entry("")),
    "long source": (errors.MalformedEntry, lambda: entry("x" * 201)),
    "nul": (errors.MalformedEntry, lambda: entry("a\x00b")),
    "half a character": (errors.MalformedEntry, lambda: entry("a\ud800")),
    "unknown book": (errors.UnknownBook, lambda: entry("x", book_id=404)),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_out_of_shape_is_refused_by_name(
    engine: AsyncEngine, two_books: tuple[int, int], case: str
) -> None:
    """A bad entry is refused before the database has to, and its good neighbours with it."""
    refusal, make = REFUSED[case]
    async with engine.begin() as connection:
        with pytest.raises(refusal):
            await post(connection, [entry("good"), make()])
    assert await counts(engine) == (0, 0, 0)


async def test_an_id_is_used_once(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Two sources with one entry id are refused, told together or one after the other."""
    first = entry("a")
    clash = msgspec.structs.replace(entry("b"), id=first.id)
    with pytest.raises(errors.EntryIdTaken):
        await posted(engine, first, clash)
    await posted(engine, first)
    with pytest.raises(errors.EntryIdTaken):
        await posted(engine, clash)


async def test_days_of_another_book_are_refused(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Held days must cover every book that is written."""
    async with engine.begin() as connection:
        days = await hold_days(connection, [2])
        with pytest.raises(errors.DayNotHeld):
            await post(connection, [entry("a")], days)


async def test_the_clock_is_read_after_the_wait(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A writer that waited for the end of a segment records after that end, in the next one."""
    async with engine.begin() as closer, engine.begin() as writer:
        ended = await close_segment(closer, 1)
        waiting = asyncio.ensure_future(hold_days(writer, [2, 1]))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await closer.commit()
        held = (await waiting)[1]
        assert held.segment == ended.segment + 1
        assert held.recorded_at > ended.closed_at
        now = (await writer.execute(sa.text("select clock_timestamp()"))).scalar_one()
        start = (await writer.execute(sa.text("select now()"))).scalar_one()
        assert start < held.recorded_at <= now


async def test_a_wait_for_one_that_gave_up_is_not_before_the_clock_either(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Recording begins when the day is held, also when the one waited for rolled back."""
    async with engine.connect() as closer, engine.begin() as writer:
        await close_segment(closer, 1)
        waiting = asyncio.ensure_future(hold_days(writer, [1]))
        await asyncio.sleep(0.1)
        clock = sa.text("select clock_timestamp()")
        before = (await closer.execute(clock)).scalar_one()
        await closer.rollback()
        held = (await waiting)[1]
        assert (held.segment, held.recorded_at > before) == (1, True)


async def test_a_book_has_the_whole_chart_and_is_opened_once(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The chart of a new book is the chart; a used id or code is refused."""
    async with engine.connect() as connection:
        assert await list_accounts(connection, 2) == sorted(CHART, key=lambda one: one.code)
        assert await list_accounts(connection, 404) == []
    now = datetime(2026, 11, 2, tzinfo=UTC)
    for book_id, code in ((1, "0Z"), (3, "01")):
        book = Book(book_id=book_id, code=code, name="Lại", agency_code="H57")
        async with engine.begin() as connection:
            with pytest.raises(errors.BookExists):
                await open_book(connection, book, now)
    book = Book(book_id=3, code="03", name="Giờ không múi", agency_code="H57")
    async with engine.begin() as connection:
        with pytest.raises(errors.MalformedEntry):
            await open_book(connection, book, now.replace(tzinfo=None))
