"""Many writers at once: nothing lost, nothing doubled (invariants 2, 4 and 8)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.accounts import CLEARING
from ledger.balances import balance
from ledger.days import checkpoint, close_segment, sum_closed, turn_day
from ledger.entries import Entry, Posted
from ledger.posting import post
from tests.ledger.making import entry, line, proven

pytestmark = pytest.mark.anyio

SOURCES = 60
WRITERS = 5
CALLS = 12


async def write(engine: AsyncEngine, dice: random.Random) -> list[Posted]:
    """Post random sources of both books, some of them again and again; sometimes roll back."""
    made: list[Posted] = []
    for _ in range(CALLS):
        told: list[Entry] = []
        for number in dice.choices(range(SOURCES), k=dice.randint(1, 12)):
            book_id = 1 + number % 2
            told.append(entry(f"s{number}", line(1 + number), book_id=book_id))
        async with engine.connect() as connection:
            answers = await post(connection, told)
            await asyncio.sleep(dice.random() / 100)
            if dice.random() < 0.2:
                await connection.rollback()
                continue
            await connection.commit()
        made.extend(answer for answer in answers if answer.new)
    return made


async def keep_closing(engine: AsyncEngine, done: asyncio.Event) -> int:
    """Close, sum and turn days in every way until the writers are done; count the checkpoints."""
    ways: list[Callable[[AsyncConnection, int], Awaitable[object]]] = [
        checkpoint,
        close_segment,
        sum_closed,
        turn,
    ]
    count = 0
    while not done.is_set():
        for way in ways:
            for book_id in (2, 1):
                async with engine.begin() as connection:
                    count += await way(connection, book_id) is not None
        await asyncio.sleep(0.002)
    return count


async def turn(connection: AsyncConnection, book_id: int) -> object:
    """Turn the day of a book by one."""
    held = await close_segment(connection, book_id)
    return await turn_day(connection, book_id, held.day + timedelta(days=1))


async def test_nothing_is_lost_and_nothing_doubled(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Writers repeat each other's sources while two others close and sum: every source is once."""
    done = asyncio.Event()
    closing = [asyncio.ensure_future(keep_closing(engine, done)) for _ in range(2)]
    made = await asyncio.gather(
        *(write(engine, random.Random(number)) for number in range(WRITERS))
    )
    done.set()
    assert all(await asyncio.gather(*closing))
    new = [(one.book_id, one.source) for writer in made for one in writer]
    assert len(new) == len(set(new))
    expected = {1: 0, 2: 0}
    for book_id, source in new:
        expected[book_id] += 1 + int(source.removeprefix("s"))
    async with engine.connect() as connection:
        found = {
            book_id: (await balance(connection, book_id, CLEARING)).balance_vnd
            for book_id in (1, 2)
        }
        assert found == expected
        later = await balance(connection, 1, CLEARING, value_date=date(2026, 11, 2))
        assert later.balance_vnd == expected[1]
    assert await proven(engine) == []
