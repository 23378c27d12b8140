"""What an entry is, as bytes: the hash that proves it and the small sums that locate a change.

The encoding is versioned and length-prefixed, so that no two entries share one. Whoever changes
it adds a version; entries keep the one they were written with.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ledger.entries import Entry, Line

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_ID = bytes(16)
_NO_TEXT = 0xFFFF
_NO_DAY = 0

# version, book, entry, posting, happened µs, recorded µs, value day, day, segment, concerns day,
# reverses, shared, number of lines, length of source, length of kind
_HEAD = struct.Struct("!Bi16s16sqqiiqi16s16sHHH")
# position, amount, notice, item, movement, has a bank account, bank account,
# lengths of debit, credit, merchant, budget subsection
_LINE = struct.Struct("!Hq16s16s16s?iHHHH")
_SUM = struct.Struct("!I")
_POSTING = struct.Struct("!Bi16sI")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time; exact, as the database keeps them."""
    return (moment - _EPOCH) // _MICROSECOND


def line_bytes(position: int, line: Line) -> bytes:
    """One line, encoded."""
    debit = line.debit.encode()
    credit = line.credit.encode()
    merchant = b"" if line.merchant is None else line.merchant.encode()
    budget = b"" if line.budget_subsection is None else line.budget_subsection.encode()
    bank = line.bank_account_id
    return (
        _LINE.pack(
            position,
            line.amount_vnd,
            _NO_ID if line.notice_id is None else line.notice_id.bytes,
            _NO_ID if line.item_id is None else line.item_id.bytes,
            _NO_ID if line.movement_id is None else line.movement_id.bytes,
            bank is not None,
            bank or 0,
            len(debit),
            len(credit),
            _NO_TEXT if line.merchant is None else len(merchant),
            _NO_TEXT if line.budget_subsection is None else len(budget),
        )
        + debit
        + credit
        + merchant
        + budget
    )


def head_bytes(  # noqa: PLR0917 - called for every entry; keywords would double its cost
    entry: Entry, posting_id: UUID, recorded_us: int, day: int, segment: int, line_count: int
) -> bytes:
    """An entry apart from its lines, encoded; `day` is a proleptic ordinal."""
    source = entry.source.encode()
    kind = entry.kind.encode()
    return (
        _HEAD.pack(
            VERSION,
            entry.book_id,
            entry.id.bytes,
            posting_id.bytes,
            microseconds(entry.happened_at),
            recorded_us,
            entry.value_date.toordinal(),
            day,
            segment,
            _NO_DAY if entry.concerns_day is None else entry.concerns_day.toordinal(),
            _NO_ID if entry.reverses is None else entry.reverses.bytes,
            _NO_ID if entry.shared_id is None else entry.shared_id.bytes,
            line_count,
            len(source),
            len(kind),
        )
        + source
        + kind
    )


def part_sum(part: bytes) -> bytes:
    """Four bytes that tell whether an encoded head or line is the one that was hashed."""
    return _SUM.pack(zlib.crc32(part))


def seal_entry(head: bytes, lines: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The hash and the parts of an encoded entry.

    The hash is the proof. The parts, four bytes each for the head and every line, only tell
    `prove` which of them to name when the hash does not recompute.
    """
    if len(lines) == 1:
        line = lines[0]
        parts = part_sum(head) + part_sum(line)
        return hashlib.sha256(head + line).digest(), parts
    parts = b"".join([part_sum(part) for part in (head, *lines)])
    return hashlib.sha256(head + b"".join(lines)).digest(), parts


def posting_digest(book_id: int, posting_id: UUID, entries: Iterable[tuple[UUID, bytes]]) -> bytes:
    """The digest of a posting over (entry id, entry hash), in order of id."""
    ordered = sorted((entry_id.bytes, entry_hash) for entry_id, entry_hash in entries)
    pairs = [entry_id + entry_hash for entry_id, entry_hash in ordered]
    head = _POSTING.pack(VERSION, book_id, posting_id.bytes, len(pairs))
    return hashlib.sha256(head + b"".join(pairs)).digest()
