"""Pages of entries and of one account's lines, by keyset.

Lines are paged in order of (segment, entry, position): within closed segments that order never
gains a row in the middle; in the open segment a transaction that commits late may.
"""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import MalformedEntry
from ledger.reading import Recorded, read_entries

PAGE_MAX = 500

_SIDE = """
    (select '{side}' as side, {other} as counter, segment, entry_id, position, amount_vnd,
            value_date, recorded_at
     from ledger.line
     where book_id = :book_id and {side} = :account
       and (segment, entry_id, position)
           > (:segment, cast(:entry_id as uuid), cast(:position as smallint))
       and (cast(:recorded_from as timestamptz) is null
            or recorded_at >= cast(:recorded_from as timestamptz))
       and (cast(:recorded_until as timestamptz) is null
            or recorded_at <= cast(:recorded_until as timestamptz))
       and (cast(:value_from as date) is null or value_date >= cast(:value_from as date))
       and (cast(:value_until as date) is null or value_date <= cast(:value_until as date))
     order by segment, entry_id, position
     limit :rows)
"""
ACCOUNT_PAGE = sa.text(f"""
    with page as materialized (
        select * from (
            {_SIDE.format(side="debit", other="credit")}
            union all
            {_SIDE.format(side="credit", other="debit")}
        ) as both_sides
        order by segment, entry_id, position
        limit :rows
    )
    select page.*, entry.source, entry.kind, entry.happened_at, entry.reverses,
           line.notice_id, line.movement_id
    from page
    join ledger.entry as entry on entry.book_id = :book_id and entry.id = page.entry_id
    join ledger.line as line on line.book_id = :book_id and line.entry_id = page.entry_id
     and line.position = page.position
    order by page.segment, page.entry_id, page.position
""")  # noqa: S608 - joined from constants

_NEWEST = """
    select id from ledger.entry
    where book_id = :book_id and (cast(:before as uuid) is null or id < cast(:before as uuid))
      and (cast(:kind as text) is null or kind = cast(:kind as text))
"""
_OF_LINES = """
      and id in (select entry_id from ledger.line where book_id = :book_id and {column} = :{column})
"""
_PAGE = " order by id desc limit :rows"
_ENTRY_IDS = sa.text(_NEWEST + _PAGE)
_ENTRY_IDS_OF_NOTICE = sa.text(_NEWEST + _OF_LINES.format(column="notice_id") + _PAGE)
_ENTRY_IDS_OF_MOVEMENT = sa.text(_NEWEST + _OF_LINES.format(column="movement_id") + _PAGE)


class LineCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page of an account ended, and the sum so far (debit less credit)."""

    segment: int = 0
    entry_id: UUID = UUID(int=0)
    position: int = 0
    running_vnd: int = 0


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line seen from one account; `running_vnd` sums the rows listed so far, debit positive."""

    entry_id: UUID
    position: int
    side: Literal["debit", "credit"]
    counter_account: str
    amount_vnd: int
    running_vnd: int
    source: str
    kind: str
    happened_at: datetime
    value_date: date
    recorded_at: datetime
    reverses: UUID | None
    notice_id: UUID | None
    movement_id: UUID | None


class StatementPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, and where the next page begins; None on the last."""

    rows: tuple[StatementRow, ...]
    next: LineCursor | None


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, newest first, and the id the next page begins before; None on the last."""

    entries: tuple[Recorded, ...]
    next: UUID | None


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are asked for, ends included; nothing given means all."""

    recorded_from: datetime | None = None
    recorded_until: datetime | None = None
    value_from: date | None = None
    value_until: date | None = None


async def account_statement(
    connection: AsyncConnection,
    book_id: int,
    account: str,
    *,
    after: LineCursor | None = None,
    limit: int = 100,
    within: Range | None = None,
) -> StatementPage:
    """A page of the lines that touch an account, oldest first; 1 to PAGE_MAX rows.

    Raises MalformedEntry for another limit.
    """
    rows_asked = _page_size(limit)
    start = after or LineCursor()
    within = within or Range()
    key = {
        "book_id": book_id,
        "account": account,
        "segment": start.segment,
        "entry_id": start.entry_id,
        "position": start.position,
        "rows": rows_asked + 1,
    }
    found = (await connection.execute(ACCOUNT_PAGE, key | msgspec.structs.asdict(within))).all()
    running = start.running_vnd
    rows = []
    for row in found[:rows_asked]:
        running += row.amount_vnd if row.side == "debit" else -row.amount_vnd
        rows.append(
            StatementRow(
                entry_id=row.entry_id,
                position=row.position,
                side=row.side,
                counter_account=row.counter,
                amount_vnd=row.amount_vnd,
                running_vnd=running,
                source=row.source,
                kind=row.kind,
                happened_at=row.happened_at,
                value_date=row.value_date,
                recorded_at=row.recorded_at,
                reverses=row.reverses,
                notice_id=row.notice_id,
                movement_id=row.movement_id,
            )
        )
    if len(found) <= rows_asked:
        return StatementPage(rows=tuple(rows), next=None)
    last = found[rows_asked - 1]
    end = LineCursor(
        segment=last.segment, entry_id=last.entry_id, position=last.position, running_vnd=running
    )
    return StatementPage(rows=tuple(rows), next=end)


async def entries(
    connection: AsyncConnection,
    book_id: int,
    *,
    before: UUID | None = None,
    limit: int = 100,
    notice_id: UUID | None = None,
    movement_id: UUID | None = None,
    kind: str | None = None,
) -> EntryPage:
    """A page of entries with their lines, newest first; of a notice, or a movement, or a kind.

    Raises MalformedEntry for a limit outside 1 to PAGE_MAX, or for a notice and a movement at once.
    """
    rows_asked = _page_size(limit)
    key = {"book_id": book_id, "before": before, "kind": kind, "rows": rows_asked + 1}
    if notice_id is not None and movement_id is not None:
        raise MalformedEntry("entries are listed of a notice or of a movement, not of both")
    if notice_id is not None:
        found = await connection.execute(_ENTRY_IDS_OF_NOTICE, key | {"notice_id": notice_id})
    elif movement_id is not None:
        found = await connection.execute(_ENTRY_IDS_OF_MOVEMENT, key | {"movement_id": movement_id})
    else:
        found = await connection.execute(_ENTRY_IDS, key)
    ids = [row.id for row in found]
    page = ids[:rows_asked]
    whole = await read_entries(connection, book_id, page)
    return EntryPage(
        entries=tuple(whole[entry_id] for entry_id in page),
        next=page[-1] if len(ids) > rows_asked else None,
    )


def _page_size(limit: int) -> int:
    if not 1 <= limit <= PAGE_MAX:
        raise MalformedEntry(f"a page has 1 to {PAGE_MAX} rows, not {limit}")
    return limit
