"""Give feed positions to events that have committed: one relay per book at a time.

Commit order is not id order. A row that is not visible yet keeps its null position and is placed
by a later turn, behind everything placed before: a reader who remembers a position misses nothing.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

EVENTS_PER_TURN: Final = 2_000

OPEN_FEED = sa.text("""
    insert into service.feed_position (book_id, position) values (:book_id, 0)
    on conflict (book_id) do nothing
""")

# Whoever holds the row is the relay of this book; a second one leaves at once.
TAKE_FEED = sa.text("""
    select position from service.feed_position where book_id = :book_id for update skip locked
""")

# Ids of two processes whose clocks differ may be in another order than a notice's versions, which
# its lock made one after the other: no event goes before an earlier version of its notice.
PLACE = sa.text("""
    with waiting as (
        select id, coalesce(notice_id, id) as about,
               cast(payload ->> 'version' as integer) as version
        from service.outbox
        where book_id = :book_id and position is null
        order by id limit :limit
    ), ordered as (
        select id, version, max(cast(id as text)) over (
                   partition by about order by version rows unbounded preceding) as after
        from waiting
    ), placed as (
        select id, :start + row_number() over (order by after, version, id) as position
        from ordered
    )
    update service.outbox as event set position = placed.position
    from placed where event.book_id = :book_id and event.id = placed.id
""")

REMEMBER = sa.text("""
    update service.feed_position set position = :position where book_id = :book_id
""")


async def place(connection: AsyncConnection, book_id: int) -> int:
    """Place the events of a book that have committed; how many were placed.

    At most EVENTS_PER_TURN in one call: call again while it gives that many. Zero when nothing
    waits or another relay is at work. The positions count once the caller commits.
    """
    start = await connection.scalar(TAKE_FEED, {"book_id": book_id})
    if start is None:
        opened = await connection.execute(OPEN_FEED, {"book_id": book_id})
        if not opened.rowcount:
            return 0  # another relay holds the row
        start = await connection.scalar(TAKE_FEED, {"book_id": book_id})
        if start is None:
            return 0
    result = await connection.execute(
        PLACE, {"book_id": book_id, "start": start, "limit": EVENTS_PER_TURN}
    )
    placed = int(result.rowcount)
    if placed:
        await connection.execute(REMEMBER, {"book_id": book_id, "position": start + placed})
    return placed
