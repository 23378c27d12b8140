"""Undoing by the opposite, at most once (invariant 2)."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ledger import errors
from ledger.accounts import CLEARING, SUSPENSE
from ledger.balances import trial_balance
from ledger.entries import Posted
from ledger.listing import entries
from ledger.reversal import mirror, reverse
from tests.ledger.making import HAPPENED_AT, VALUE_DATE, entry, line, posted, proven

pytestmark = pytest.mark.anyio


async def undo(engine: AsyncEngine, entry_id: UUID, source: str, book_id: int = 1) -> Posted:
    """Reverse in a transaction of its own."""
    async with engine.begin() as connection:
        return await reverse(
            connection,
            book_id,
            entry_id,
            source=source,
            happened_at=HAPPENED_AT,
            value_date=VALUE_DATE,
        )


async def test_a_reversal_mirrors_every_line(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Debit and credit change places, dimensions and shared id stay, and all balances are zero."""
    told = entry("a", line(5), line(7, CLEARING, SUSPENSE), shared_id=uuid7())
    await posted(engine, told)
    undone = await undo(engine, told.id, "undo:a")
    async with engine.connect() as connection:
        found = (await entries(connection, 1)).entries[0].entry
        sums = await trial_balance(connection, 1)
    assert (found.id, found.reverses, found.shared_id) == (
        undone.entry_id,
        told.id,
        told.shared_id,
    )
    assert mirror(found.lines) == told.lines
    assert (sums.debit_vnd, sums.credit_vnd) == (24, 24)
    assert {row.balance_vnd for row in sums.rows} == {0}
    assert await proven(engine) == []


async def test_an_entry_is_reversed_at_most_once(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The same source again is a repeat; another source is refused; a reversal can be undone."""
    told = entry("a")
    await posted(engine, told)
    first = await undo(engine, told.id, "undo:a")
    again = await undo(engine, told.id, "undo:a")
    assert (again.new, again.entry_id) == (False, first.entry_id)
    with pytest.raises(errors.AlreadyReversed):
        await undo(engine, told.id, "undo:b")
    assert (await undo(engine, first.entry_id, "undo:undo:a")).new
    assert await proven(engine) == []


async def test_only_an_entry_of_the_book_is_reversed(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """An entry of another book is as unknown as one that never was."""
    told = entry("a")
    await posted(engine, told)
    for book_id, entry_id in ((2, told.id), (1, uuid7())):
        with pytest.raises(errors.UnknownEntry):
            await undo(engine, entry_id, "undo:a", book_id)


async def test_of_racing_reversals_one_wins(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Eight transactions reverse one entry under eight sources: one is made, seven are refused."""
    told = entry("a")
    await posted(engine, told)
    outcomes = await asyncio.gather(
        *(undo(engine, told.id, f"undo:{number}") for number in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, Posted) for one in outcomes) == 1
    assert sum(isinstance(one, errors.AlreadyReversed) for one in outcomes) == 7
    assert await proven(engine) == []
