"""Entries as the books hold them, with their lines.

Rows become the same words that callers post, so that what was hashed can be hashed again.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.entries import Entry, Line

ENTRY_COLUMNS = (
    "entry.book_id, entry.id, entry.source, entry.kind, entry.happened_at, entry.value_date, "
    "entry.concerns_day, entry.reverses, entry.shared_id, entry.posting_id, entry.day, "
    "entry.segment, entry.recorded_at, entry.line_count, entry.parts, entry.hash"
)
LINE_COLUMNS = (
    "line.debit, line.credit, line.amount_vnd, line.notice_id, line.item_id, line.movement_id, "
    "line.bank_account_id, line.merchant, line.budget_subsection"
)

_ENTRIES = sa.text(f"""
    select {ENTRY_COLUMNS} from ledger.entry as entry
    where book_id = :book_id and id = any(cast(:ids as uuid[]))
""")  # noqa: S608 - joined from constants
_LINES = sa.text(f"""
    select line.entry_id, {LINE_COLUMNS} from ledger.line as line
    where book_id = :book_id and entry_id = any(cast(:ids as uuid[]))
    order by entry_id, position
""")  # noqa: S608 - joined from constants


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An entry and what the ledger added when it took it."""

    entry: Entry
    posting_id: UUID
    day: date
    segment: int
    recorded_at: datetime
    line_count: int
    parts: bytes
    hash: bytes


def line_from(row: Row[tuple[object, ...]]) -> Line:
    """A line from a row that has LINE_COLUMNS."""
    return Line(
        debit=row.debit,
        credit=row.credit,
        amount_vnd=row.amount_vnd,
        notice_id=row.notice_id,
        item_id=row.item_id,
        movement_id=row.movement_id,
        bank_account_id=row.bank_account_id,
        merchant=row.merchant,
        budget_subsection=row.budget_subsection,
    )


def recorded_from(row: Row[tuple[object, ...]], lines: Sequence[Line]) -> Recorded:
    """An entry from a row that has ENTRY_COLUMNS, and its lines in order of position."""
    entry = Entry(
        book_id=row.book_id,
        id=row.id,
        source=row.source,
        kind=row.kind,
        happened_at=row.happened_at,
        value_date=row.value_date,
        concerns_day=row.concerns_day,
        reverses=row.reverses,
        shared_id=row.shared_id,
        lines=tuple(lines),
    )
    return Recorded(
        entry=entry,
        posting_id=row.posting_id,
        day=row.day,
        segment=row.segment,
        recorded_at=row.recorded_at,
        line_count=row.line_count,
        parts=row.parts,
        hash=row.hash,
    )


async def read_entries(
    connection: AsyncConnection, book_id: int, ids: Sequence[UUID]
) -> Mapping[UUID, Recorded]:
    """The entries of a book that have these ids, whole; ids that are not there are left out."""
    key = {"book_id": book_id, "ids": list(ids)}
    rows = (await connection.execute(_ENTRIES, key)).all()
    lines: dict[UUID, list[Line]] = {row.id: [] for row in rows}
    for row in await connection.execute(_LINES, key):
        if row.entry_id in lines:
            lines[row.entry_id].append(line_from(row))
    return {row.id: recorded_from(row, lines[row.id]) for row in rows}
