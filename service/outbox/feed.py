"""The outbox as a feed: everything after a cursor, book by book, in the order of positions.

The cursor remembers one position for each book of the caller, so that neither a late commit nor a
new book is missed. Reads only what a relay has placed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.outbox.writing import EventType
from service.web import paging

CURSOR: Final = "events"

READ = sa.text("""
    select book.book_id, found.id, found.type, found.notice_id, found.dossier_code, found.payload,
           found.recorded_at, found.position
    from unnest(cast(:books as integer[]), cast(:positions as bigint[]))
        as book (book_id, position)
    cross join lateral (
        select event.id, event.type, event.notice_id, event.dossier_code, event.payload,
               event.recorded_at, event.position
        from service.outbox as event
        where event.book_id = book.book_id and event.position > book.position
        order by event.position limit :limit
    ) as found
    order by found.recorded_at, book.book_id, found.position
""")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a notice; the same id may come again, and means the same."""

    id: UUID
    type: EventType
    notice_id: UUID | None
    dossier_code: str | None
    data: dict[str, str | int | bool | None]
    recorded_at: datetime


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events in order per dossier; ask again with `next_after`, at once while `more` is true."""

    items: list[Event]
    next_after: str
    more: bool


async def read(
    connection: AsyncConnection, books: Sequence[int], after: str | None, limit: int
) -> EventPage:
    """At most `limit` events after a cursor; raises InvalidCursor."""
    known: Mapping[int, int] = {}
    if after is not None:
        known = paging.decode(CURSOR, after, dict[int, int])
    positions = {book_id: max(0, min(known.get(book_id, 0), 2**62)) for book_id in books}
    rows = (
        await connection.execute(
            READ,
            {
                "books": list(positions),
                "positions": list(positions.values()),
                "limit": limit + 1,
            },
        )
    ).all()
    # Rows of a book must leave in the order of its positions, whatever their times say.
    queues: dict[int, list[sa.Row[tuple[object, ...]]]] = {}
    for row in rows:
        queues.setdefault(row.book_id, []).append(row)
    for queue in queues.values():
        queue.sort(key=lambda row: row.position, reverse=True)
    shown = [queues[row.book_id].pop() for row in rows[:limit]]
    for row in shown:
        positions[row.book_id] = row.position
    # What the cursor knew of books that the caller covers no longer stays in it.
    remembered = dict(known) | positions
    return EventPage(
        items=[
            Event(
                id=UUID(str(row.id)),
                type=row.type,
                notice_id=row.notice_id,
                dossier_code=row.dossier_code,
                data=row.payload,
                recorded_at=row.recorded_at,
            )
            for row in shown
        ],
        next_after=paging.encode(CURSOR, dict(sorted(remembered.items()))),
        more=len(rows) > limit,
    )
