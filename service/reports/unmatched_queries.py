"""Read the unmatched list: pages by keyset over the caller's books, and totals. Changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import business_day
from service.reports.unmatched_messages import (
    ReasonTotal,
    Side,
    UnmatchedPage,
    UnmatchedTransaction,
)
from service.statements.lines import instant
from service.web import paging

CURSOR: Final = "unmatched"
NO_ID: Final = UUID(int=0)
AGE_DAYS_MAX: Final = 36_500
BUCKETS: Final = ((1, "0-1"), (3, "2-3"), (7, "4-7"), (30, "8-30"), (90, "31-90"))
"""Ages in days, up to and including; older ones are `>90`."""

COLUMNS: Final = """
    id, book_id, side, provider, external_id, amount_vnd, happened_at, reason, fields, candidates,
    status, opened_at, subject_kind, subject_id, owner, due_at
"""
FILTER: Final = """
    (cast(:side as text) is null or side = :side)
    and (cast(:before as timestamptz) is null or happened_at < :before)
"""


def _page(of_reason: str) -> sa.TextClause:
    # Each book gives at most a page of its own live cases, from its index of live ones.
    return sa.text(f"""
        select found.* from unnest(cast(:books as integer[])) as book (book_id)
        cross join lateral (
            select {COLUMNS} from service.unmatched
            where unmatched.book_id = book.book_id and unmatched.status <> 'resolved'
              and unmatched.id > case when book.book_id = :after_book then cast(:after as uuid)
                     else :no_id end
              and {FILTER} {of_reason}
            order by unmatched.id limit :limit
        ) as found
        where book.book_id >= :after_book
        order by found.book_id, found.id limit :limit
    """)  # noqa: S608 # constants


PAGE = _page("")
PAGE_OF_REASON = _page("and unmatched.reason = :reason")

# Cases of one age of the calendar fall together, so a bucket is a range of instants.
TOTALS = sa.text(f"""
    select reason, age, count(*) as count, coalesce(sum(amount_vnd), 0)::bigint as amount_vnd
    from (
        select reason, amount_vnd,
               (select count(*) from unnest(cast(:starts as timestamptz[])) as start (at)
                where happened_at < start.at) as age
        from service.unmatched
        where book_id = any(cast(:books as integer[])) and status <> 'resolved'
          and {FILTER} and (cast(:reason as text) is null or reason = :reason)
    ) as aged
    group by reason, age order by reason, age
""")  # noqa: S608 # constants


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which unmatched items are wanted, and as of when their age is counted."""

    books: list[int]
    now: datetime
    limit: int = paging.PAGE_DEFAULT
    side: Side | None = None
    reason: str | None = None
    min_age_days: int = 0
    cursor: str | None = None

    @property
    def _filters(self) -> dict[str, object]:
        before = None
        if self.min_age_days:
            before = instant(business_day(self.now) - timedelta(days=self.min_age_days - 1))
        return {"books": self.books, "side": self.side, "reason": self.reason, "before": before}


async def page(connection: AsyncConnection, question: Question) -> UnmatchedPage:
    """A page of live cases in order of book and of opening; raises InvalidCursor."""
    after_book, after = 0, NO_ID
    if question.cursor is not None:
        after_book, after = paging.decode(CURSOR, question.cursor, tuple[int, UUID])
    values = question._filters | {  # noqa: SLF001 # of this module
        "after_book": after_book,
        "after": after,
        "no_id": NO_ID,
        "limit": question.limit + 1,
    }
    if question.reason is None:
        del values["reason"]
    statement = PAGE if question.reason is None else PAGE_OF_REASON
    rows = (await connection.execute(statement, values)).mappings().all()
    items = [_shown(row, question.now) for row in rows[: question.limit]]
    more = len(rows) > question.limit
    return UnmatchedPage(
        items=items,
        next_cursor=paging.encode(CURSOR, [items[-1].book_id, items[-1].id]) if more else None,
    )


async def totals(connection: AsyncConnection, question: Question) -> list[ReasonTotal]:
    """Counts and sums of live cases by reason and age."""
    today = business_day(question.now)
    # An item is older than n days if it happened before the day that is n days ago.
    starts = [instant(today - timedelta(days=days)) for days, _ in BUCKETS]
    names = [*(name for _, name in BUCKETS), ">90"]
    values = question._filters | {"starts": starts}  # noqa: SLF001 # of this module
    rows: Sequence[sa.Row[tuple[object, ...]]] = (await connection.execute(TOTALS, values)).all()
    return [
        msgspec.convert(
            {
                "reason": row.reason,
                "age": names[row.age],
                "count": row.count,
                "amount_vnd": row.amount_vnd,
            },
            ReasonTotal,
        )
        for row in rows
    ]


def _shown(row: sa.RowMapping, now: datetime) -> UnmatchedTransaction:
    days = (business_day(now) - business_day(row["happened_at"])).days
    ids = {name: UUID(str(row[name])) for name in ("id", "subject_id")}
    return msgspec.convert({**row, **ids, "age_days": max(days, 0)}, UnmatchedTransaction)
