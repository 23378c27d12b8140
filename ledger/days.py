"""Segments, checkpoints and the open day of a book.

Ids and clocks are taken before commit, so neither says what is complete. A segment does: writers
hold the open day FOR SHARE and name its segment; whoever raises the segment holds it FOR UPDATE,
so that every line of a closed segment is committed and none is added to it.

Call these in a transaction that has posted nothing: one that already holds the day FOR SHARE may
wait in a ring with another of its kind.
"""

from datetime import date, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import DayIsOver, UnknownBook

_HOLD_ALONE = sa.text(
    "select day, segment from ledger.open_day where book_id = :book_id for update"
)

# After the lock: all writers of the segment are done, so their times are seen here. The clock of
# the server may have been set back since; a segment still ends after its last posting.
_RAISE = sa.text("""
    with ended as (
        select book_id, day, segment, greatest(clock_timestamp(), raised_at, (
            select max(recorded_at) from ledger.posting
            where posting.book_id = open_day.book_id and posting.segment = open_day.segment
        )) as closed_at
        from ledger.open_day where book_id = :book_id
    ), closed as (
        insert into ledger.segment (book_id, segment, day, closed_at)
        select book_id, segment, day, closed_at from ended
    )
    update ledger.open_day
    set segment = ended.segment + 1, raised_at = ended.closed_at,
        day = coalesce(cast(:day as date), ended.day)
    from ended where open_day.book_id = :book_id
    returning ended.segment, ended.day, ended.closed_at
""")

_ANY_POSTING = sa.text("""
    select exists (
        select from ledger.posting where book_id = :book_id and segment = :segment
    )
""")

_HOLD_SUMS = sa.text("select segment from ledger.summed where book_id = :book_id for update")
_LAST_CLOSED = sa.text("""
    select segment, day, closed_at from ledger.segment
    where book_id = :book_id order by segment desc limit 1
""")

# Account by account, since the indexes of lines begin with it; no line is read from the table.
_SUM = sa.text("""
    with turnover as materialized (
        select account.code as account, side.value_date, sum(side.debit_vnd) as debit_vnd,
               sum(side.credit_vnd) as credit_vnd, sum(side.debits) as debits
        from ledger.account as account cross join lateral (
            select value_date, sum(amount_vnd) as debit_vnd, 0 as credit_vnd, count(*) as debits
            from ledger.line
            where book_id = :book_id and debit = account.code
              and segment > :after and segment <= :segment
            group by value_date
            union all
            select value_date, 0, sum(amount_vnd), 0
            from ledger.line
            where book_id = :book_id and credit = account.code
              and segment > :after and segment <= :segment
            group by value_date
        ) as side
        where account.book_id = :book_id
        group by account.code, side.value_date
    ), by_day as (
        insert into ledger.checkpoint_day
            (book_id, account, value_date, segment, debit_vnd, credit_vnd)
        select :book_id, account, value_date, :segment, debit_vnd, credit_vnd from turnover
    ), balances as (
        insert into ledger.checkpoint_balance (book_id, account, segment, debit_vnd, credit_vnd)
        select :book_id, account, :segment, sum(debit_vnd), sum(credit_vnd)
        from (
            select account, debit_vnd, credit_vnd from turnover
            union all
            select account.code, before.debit_vnd, before.credit_vnd
            from ledger.account as account join ledger.checkpoint_balance as before
              on before.book_id = account.book_id and before.account = account.code
             and before.segment = :after
            where account.book_id = :book_id
        ) as parts
        group by account
    ), head as (
        update ledger.summed set segment = :segment where book_id = :book_id
    )
    insert into ledger.checkpoint (book_id, segment, day, closed_at, line_count)
    select :book_id, :segment, :day, :closed_at, coalesce(sum(debits), 0) from turnover
    returning line_count
""")


class ClosedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of writing that is complete."""

    book_id: int
    segment: int
    day: date
    closed_at: datetime


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Every line up to `segment` is summed; `line_count` are those since the checkpoint before."""

    book_id: int
    segment: int
    day: date
    closed_at: datetime
    line_count: int


async def close_segment(
    connection: AsyncConnection, book_id: int, next_day: date | None = None
) -> ClosedSegment:
    """End the open segment once all its writers have ended, and begin the next one.

    Writers wait until the caller commits: commit at once. Raises UnknownBook.
    """
    await _hold_alone(connection, book_id)
    key = {"book_id": book_id, "day": next_day}
    row = (await connection.execute(_RAISE, key)).one()
    return ClosedSegment(book_id=book_id, segment=row.segment, day=row.day, closed_at=row.closed_at)


async def sum_closed(connection: AsyncConnection, book_id: int) -> Checkpoint | None:
    """Sum the closed segments since the last checkpoint into a new one; None when there is none.

    No writer waits for this. Two that sum the same book take turns. Raises UnknownBook.
    """
    key: dict[str, object] = {"book_id": book_id}
    after = (await connection.execute(_HOLD_SUMS, key)).scalar_one_or_none()
    if after is None:
        raise UnknownBook(book_id)
    last = (await connection.execute(_LAST_CLOSED, key)).one_or_none()
    if last is None or last.segment <= after:
        return None
    stretch = {"after": after, "segment": last.segment}
    mark = {"day": last.day, "closed_at": last.closed_at}
    count = (await connection.execute(_SUM, key | stretch | mark)).scalar_one()
    return Checkpoint(
        book_id=book_id,
        segment=last.segment,
        day=last.day,
        closed_at=last.closed_at,
        line_count=count,
    )


async def checkpoint(connection: AsyncConnection, book_id: int) -> Checkpoint | None:
    """Close the open segment if anything was posted in it, and sum what is closed.

    Writers wait until the caller commits. Where the sum may be long, call close_segment in one
    transaction and sum_closed in the next: a closed segment gets no more lines. None when nothing
    was posted since the last checkpoint. Raises UnknownBook.
    """
    _, segment = await _hold_alone(connection, book_id)
    key = {"book_id": book_id, "segment": segment}
    if (await connection.execute(_ANY_POSTING, key)).scalar_one():
        await close_segment(connection, book_id)
    return await sum_closed(connection, book_id)


async def turn_day(connection: AsyncConnection, book_id: int, day: date) -> ClosedSegment | None:
    """Move the open day of a book forward to `day`; None when it is open already.

    Writers wait until the caller commits. Raises DayIsOver for a day before the open one, and
    UnknownBook.
    """
    open_day, _ = await _hold_alone(connection, book_id)
    if day < open_day:
        raise DayIsOver(f"{day} of book {book_id} is over: {open_day} is open")
    if day == open_day:
        return None
    return await close_segment(connection, book_id, day)


async def _hold_alone(connection: AsyncConnection, book_id: int) -> tuple[date, int]:
    row = (await connection.execute(_HOLD_ALONE, {"book_id": book_id})).one_or_none()
    if row is None:
        raise UnknownBook(book_id)
    return row.day, row.segment
