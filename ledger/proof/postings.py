"""Postings name all their entries, reversals mirror, segments are in order."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import hashing
from ledger.proof import queries
from ledger.proof.findings import Finding, rows_of


async def posting_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Entries that were deleted or slipped in, and postings that were changed (invariant 2)."""
    key = {"book_id": book_id}
    members: list[Row[tuple[object, ...]]] = []
    async for row in rows_of(connection, queries.POSTINGS, key):
        if members and row.id != members[0].id:
            for finding in _findings_of(book_id, members):
                yield finding
            members = []
        members.append(row)
    if members:
        for finding in _findings_of(book_id, members):
            yield finding
    counts = (await connection.execute(queries.COUNTS, key)).one()
    if counts.entries != counts.listed:
        async for row in rows_of(connection, queries.UNPOSTED, key):
            yield Finding(
                invariant=2,
                book_id=book_id,
                table="ledger.entry",
                row=str(row.id),
                expected=f"named by posting {row.posting_id}",
                found="no posting names it",
            )


def _findings_of(book_id: int, members: Sequence[Row[tuple[object, ...]]]) -> list[Finding]:
    posting = members[0]
    findings = []
    pairs = []
    for member in members:
        if member.entry_id is None:
            continue  # a posting without members; its digest says so
        if member.hash is None:
            found = f"posting {posting.id} names it, but it is not there"
            findings.append(_finding(book_id, "ledger.entry", member.entry_id, "an entry", found))
            continue
        pairs.append((member.entry_id, member.hash))
        place = (posting.id, posting.day, posting.segment, posting.recorded_at)
        found_place = (
            member.posting_id,
            member.entry_day,
            member.entry_segment,
            member.entry_recorded_at,
        )
        if found_place != place:
            findings.append(
                _finding(
                    book_id, "ledger.entry", member.entry_id, _place(place), _place(found_place)
                )
            )
    if len(pairs) == len(members):
        digest = hashing.posting_digest(book_id, posting.id, pairs)
        if digest != posting.digest:
            expected = posting.digest.hex()
            findings.append(_finding(book_id, "ledger.posting", posting.id, expected, digest.hex()))
    elif not findings:
        findings.append(
            _finding(book_id, "ledger.posting", posting.id, "at least one entry", "none")
        )
    return findings


def _place(place: tuple[object, ...]) -> str:
    posting_id, day, segment, recorded_at = place
    return f"posting {posting_id}, day {day}, segment {segment}, recorded {recorded_at}"


def _finding(book_id: int, table: str, row: object, expected: str, found: str) -> Finding:
    return Finding(
        invariant=2, book_id=book_id, table=table, row=str(row), expected=expected, found=found
    )


async def reversal_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Reversals that are not the mirror of one original, or not the only one (invariant 2)."""
    key = {"book_id": book_id}
    async for row in rows_of(connection, queries.UNLIKE_REVERSALS, key):
        expected = f"the mirror of entry {row.reverses}"
        if row.missing:
            found = "that entry is not there"
        elif row.position is not None:
            found = f"line {row.position} is not its mirror"
        else:
            found = "it has another shared id"
        yield _finding(book_id, "ledger.entry", row.id, expected, found)
    async for row in rows_of(connection, queries.TWICE_REVERSED, key):
        found = f"reversed {row.times} times"
        yield _finding(book_id, "ledger.entry", row.reverses, "reversed at most once", found)


async def segment_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Entries outside the day or the time of their segment, and gaps (invariant 8)."""
    key = {"book_id": book_id}
    async for row in rows_of(connection, queries.MISPLACED, key):
        yield Finding(
            invariant=8,
            book_id=book_id,
            table="ledger.entry",
            row=str(row.id),
            expected=f"day {row.expected_day}, recorded after {row.begun} until {row.closed_at}",
            found=f"segment {row.segment}, day {row.day}, recorded {row.recorded_at}",
        )
    async for row in rows_of(connection, queries.BROKEN_SEGMENTS, key):
        yield Finding(
            invariant=8,
            book_id=book_id,
            table="ledger.segment",
            row=str(row.segment),
            expected="every segment before the open one, and no other",
            found="it is not there" if row.missing else "it is not before the open one",
        )
