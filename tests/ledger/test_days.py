"""Segments, checkpoints and days: what is closed is complete."""

import asyncio
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import errors
from ledger.accounts import CLEARING
from ledger.balances import balance
from ledger.days import checkpoint, close_segment, sum_closed, turn_day
from ledger.posting import hold_days, post
from tests.ledger.making import entry, line, posted, proven

pytestmark = pytest.mark.anyio


async def test_a_checkpoint_waits_for_open_transactions(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A transaction held open across a checkpoint is in it, never missed (must show 6)."""
    async with engine.begin() as slow, engine.begin() as closer:
        await post(slow, [entry("slow", line(3))])
        await posted(engine, entry("quick", line(4)))
        waiting = asyncio.ensure_future(checkpoint(closer, 1))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await slow.commit()
        made = await waiting
        assert made is not None
        assert made.line_count == 2
        await closer.commit()
    async with engine.connect() as connection:
        assert (await balance(connection, 1, CLEARING, made.closed_at)).balance_vnd == 7
    assert await proven(engine) == []


async def test_writers_go_on_while_a_closed_segment_is_summed(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Closing is its own short transaction; lines that come before the sum are not in it."""
    await posted(engine, entry("a", line(1)))
    async with engine.begin() as connection:
        closed = await close_segment(connection, 1)
    await posted(engine, entry("b", line(2)))
    async with engine.begin() as connection:
        made = await sum_closed(connection, 1)
        await posted(engine, entry("c", line(4)))
    assert made is not None
    assert (made.segment, made.closed_at, made.line_count) == (closed.segment, closed.closed_at, 1)
    async with engine.begin() as connection:
        assert await sum_closed(connection, 1) is None
        assert (await balance(connection, 1, CLEARING)).balance_vnd == 7
    assert await proven(engine) == []


async def test_a_checkpoint_with_nothing_new_writes_nothing(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Only segments with postings are closed by a checkpoint."""
    async with engine.begin() as connection:
        assert await checkpoint(connection, 1) is None
    await posted(engine, entry("a"))
    async with engine.begin() as connection:
        assert await checkpoint(connection, 1) is not None
        assert await checkpoint(connection, 1) is None
        assert (await hold_days(connection, [1]))[1].segment == 2


async def test_a_day_moves_forward_only(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """The open day of a book can be turned to a later one; its segment ends with it."""
    await posted(engine, entry("a"))
    async with engine.begin() as connection:
        closed = await turn_day(connection, 1, date(2026, 11, 3))
        assert closed is not None
        assert (closed.segment, closed.day) == (1, date(2026, 11, 2))
        assert await turn_day(connection, 1, date(2026, 11, 3)) is None
    async with engine.begin() as connection:
        with pytest.raises(errors.DayIsOver):
            await turn_day(connection, 1, date(2026, 11, 2))
        held = await hold_days(connection, [1, 2])
    assert (held[1].day, held[1].segment) == (date(2026, 11, 3), 2)
    assert (held[2].day, held[2].segment) == (date(2026, 11, 2), 1)
    await posted(engine, entry("b"))
    async with engine.begin() as connection:
        made = await checkpoint(connection, 1)
    assert made is not None
    assert (made.segment, made.day, made.line_count) == (2, date(2026, 11, 3), 2)
    assert await proven(engine) == []


async def test_a_clock_that_was_set_back_breaks_no_order(
    engine: AsyncEngine, owner_engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Recording times keep following the ends of segments when the server's clock does not."""
    async with owner_engine.begin() as connection:
        ahead = "update ledger.open_day set raised_at = now() + interval '1 day'"
        await connection.execute(sa.text(ahead))
    await posted(engine, entry("a"))
    async with engine.begin() as connection:
        await checkpoint(connection, 1)
    await posted(engine, entry("b"))
    async with engine.begin() as connection:
        made = await checkpoint(connection, 1)
    assert made is not None
    assert made.line_count == 1
    assert await proven(engine) == []


async def test_an_unknown_book_has_no_day(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Each of these refuses a book that was never opened."""
    async with engine.begin() as connection:
        with pytest.raises(errors.UnknownBook):
            await checkpoint(connection, 404)
        with pytest.raises(errors.UnknownBook):
            await sum_closed(connection, 404)
        with pytest.raises(errors.UnknownBook):
            await close_segment(connection, 404)
        with pytest.raises(errors.UnknownBook):
            await turn_day(connection, 404, date(2026, 11, 3))
