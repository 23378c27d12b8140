"""Hash every entry again and name the part of it that was changed."""

import struct
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import hashing
from ledger.entries import Line
from ledger.proof import queries
from ledger.proof.findings import Finding, rows_of
from ledger.reading import Recorded, line_from, recorded_from

_SUM_BYTES = 4


class _Position(msgspec.Struct, frozen=True):
    """A line as stored, with the columns that repeat its entry's."""

    position: int
    line: Line
    repeated: tuple[object, object, object]


async def entry_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Entries whose hash does not recompute, with the part that changed (invariant 1)."""
    key = {"book_id": book_id}
    codes = set((await connection.execute(queries.ACCOUNTS, key)).scalars())
    head: Row[tuple[object, ...]] | None = None
    lines: list[_Position] = []
    async for row in rows_of(connection, queries.ENTRIES, key):
        if head is not None and row.id != head.id:
            for finding in _findings_of(head, lines, codes):
                yield finding
            lines = []
        head = row
        if row.position is not None:
            repeated = (row.line_segment, row.line_value_date, row.line_recorded_at)
            lines.append(_Position(row.position, line_from(row), repeated))
    if head is not None:
        for finding in _findings_of(head, lines, codes):
            yield finding


def _findings_of(
    row: Row[tuple[object, ...]], lines: list[_Position], codes: set[str]
) -> list[Finding]:
    lines.sort(key=lambda one: one.position)
    recorded = recorded_from(row, [one.line for one in lines])
    findings = [] if _recomputes(recorded, lines) else _locate(recorded, lines)
    repeated = (recorded.segment, recorded.entry.value_date, recorded.recorded_at)
    for one in lines:
        if one.repeated != repeated:
            findings.append(
                _line_finding(recorded, one.position, _times(repeated), _times(one.repeated))
            )
        line = one.line
        if not {line.debit, line.credit} <= codes or line.debit == line.credit:
            accounts = f"debit {line.debit}, credit {line.credit}"
            expected = "two different accounts of the book"
            findings.append(_line_finding(recorded, one.position, expected, accounts))
        if line.amount_vnd <= 0:
            expected = "a positive amount"
            findings.append(_line_finding(recorded, one.position, expected, str(line.amount_vnd)))
    return findings


def _head_bytes(recorded: Recorded) -> bytes:
    return hashing.head_bytes(
        recorded.entry,
        recorded.posting_id,
        hashing.microseconds(recorded.recorded_at),
        recorded.day.toordinal(),
        recorded.segment,
        recorded.line_count,
    )


def _recomputes(recorded: Recorded, lines: Sequence[_Position]) -> bool:
    if len(lines) != recorded.line_count:
        return False
    try:
        head = _head_bytes(recorded)
        bodies = [hashing.line_bytes(one.position, one.line) for one in lines]
        digest, parts = hashing.seal_entry(head, bodies)
    except (struct.error, OverflowError):
        return False  # a value that no caller could have posted
    return digest == recorded.hash and parts == recorded.parts


def _locate(recorded: Recorded, lines: Sequence[_Position]) -> list[Finding]:
    """Name the part of an entry that was changed, by the small sums kept beside the hash."""
    entry = recorded.entry
    sums = [
        recorded.parts[start : start + _SUM_BYTES]
        for start in range(0, len(recorded.parts), _SUM_BYTES)
    ]
    findings = []
    if not sums or _small_sum(lambda: _head_bytes(recorded)) != sums[0]:
        told = f"{entry.source} {entry.kind}, happened {entry.happened_at}, day {entry.value_date}"
        findings.append(_entry_finding(recorded, "the entry as it was hashed", told))
    stored = {one.position: one.line for one in lines}
    for position in range(1, len(sums)):
        line = stored.pop(position, None)
        if line is None:
            findings.append(_line_finding(recorded, position, "a line", "nothing"))
        elif _line_sum(position, line) != sums[position]:
            told = f"{line.amount_vnd} from {line.credit} to {line.debit}"
            findings.append(_line_finding(recorded, position, "the line as it was hashed", told))
    findings.extend(_line_finding(recorded, position, "no line", "a line") for position in stored)
    if not findings:
        found = "another hash recomputes"
        findings.append(_entry_finding(recorded, recorded.hash.hex(), found))
    return findings


def _line_sum(position: int, line: Line) -> bytes | None:
    return _small_sum(lambda: hashing.line_bytes(position, line))


def _small_sum(encode: Callable[[], bytes]) -> bytes | None:
    try:
        return hashing.part_sum(encode())
    except (struct.error, OverflowError):
        return None


def _times(repeated: tuple[object, object, object]) -> str:
    segment, value_date, recorded_at = repeated
    return f"segment {segment}, value date {value_date}, recorded {recorded_at}"


def _entry_finding(recorded: Recorded, expected: str, found: str) -> Finding:
    return Finding(
        invariant=1,
        book_id=recorded.entry.book_id,
        table="ledger.entry",
        row=str(recorded.entry.id),
        expected=expected,
        found=found,
    )


def _line_finding(recorded: Recorded, position: int, expected: str, found: str) -> Finding:
    return Finding(
        invariant=1,
        book_id=recorded.entry.book_id,
        table="ledger.line",
        row=f"{recorded.entry.id}/{position}",
        expected=expected,
        found=found,
    )


async def orphan_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Lines whose entry was deleted (invariant 2)."""
    key = {"book_id": book_id}
    async for row in rows_of(connection, queries.ORPHAN_LINES, key):
        yield Finding(
            invariant=2,
            book_id=book_id,
            table="ledger.line",
            row=f"{row.entry_id}/{row.position}",
            expected="a line of an entry",
            found="its entry is not there",
        )
