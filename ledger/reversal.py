"""Undo an entry by its opposite, never by an edit; at most once (invariant 2)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.entries import Entry, Line, OpenDay, Posted
from ledger.errors import UnknownEntry
from ledger.posting import post
from ledger.reading import read_entries


def mirror(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The same lines in the same order, debit and credit exchanged, dimensions kept."""
    return tuple(
        msgspec.structs.replace(line, debit=line.credit, credit=line.debit) for line in lines
    )


async def reverse(  # noqa: PLR0913 - an event has this many facts, all named by keyword
    connection: AsyncConnection,
    book_id: int,
    entry_id: UUID,
    *,
    source: str,
    happened_at: datetime,
    value_date: date,
    kind: str = "reversal",
    concerns_day: date | None = None,
    days: Mapping[int, OpenDay] | None = None,
) -> Posted:
    """Post the mirror of an entry of the book, linked to it, inside the caller's transaction.

    The same `source` again is passed over. The shared id is kept: what belongs together must be
    reversed in every book. Raises UnknownEntry; AlreadyReversed when another source was first,
    also when both race; and what post() raises.
    """
    found = (await read_entries(connection, book_id, [entry_id])).get(entry_id)
    if found is None:
        raise UnknownEntry(book_id, entry_id)
    opposite = Entry(
        book_id=book_id,
        source=source,
        kind=kind,
        happened_at=happened_at,
        value_date=value_date,
        concerns_day=concerns_day,
        reverses=entry_id,
        shared_id=found.entry.shared_id,
        lines=mirror(found.entry.lines),
    )
    return (await post(connection, [opposite], days))[0]
