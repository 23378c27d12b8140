"""Write entries into the books, one or many, each once per source.

Everything happens in the caller's transaction; nothing here commits, and no balance is locked.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger import hashing
from ledger.accounts import NORMAL_SIDE
from ledger.entries import Entry, Line, OpenDay, Posted
from ledger.errors import (
    AlreadyReversed,
    DayNotHeld,
    EntryIdTaken,
    MalformedEntry,
    UnknownAccount,
    UnknownBook,
)

AMOUNT_VND_MAX = 10**15
"""A million billion đồng on one line: more is a mistake of units."""
LINES_PER_ENTRY_MAX = 30_000
"""Room for the opening balances of a large unit as one entry."""
LINES_PER_CALL_MAX = 100_000
SOURCE_CHARACTERS_MAX = 200
KIND_CHARACTERS_MAX = 60
DIMENSION_CHARACTERS_MAX = 200

# The clock is read above the lock: in one plain select it would be read before a wait for it.
_HOLD = sa.text("""
    with held as materialized (
        select book_id, day, segment, raised_at from ledger.open_day
        where book_id = any(cast(:book_ids as integer[]))
        order by book_id
        for share
    )
    select book_id, day, segment,
           greatest(clock_timestamp(), raised_at + interval '1 microsecond') as recorded_at
    from held
""")

_ADD_ENTRIES = sa.text("""
    insert into ledger.entry (
        book_id, id, posting_id, source, kind, happened_at, value_date, recorded_at, day, segment,
        concerns_day, reverses, shared_id, line_count, parts, hash)
    select * from unnest(
        cast(:book_ids as integer[]), cast(:ids as uuid[]), cast(:posting_ids as uuid[]),
        cast(:sources as text[]), cast(:kinds as text[]), cast(:happened_at as timestamptz[]),
        cast(:value_dates as date[]), cast(:recorded_at as timestamptz[]), cast(:days as date[]),
        cast(:segments as bigint[]), cast(:concerns as date[]), cast(:reverses as uuid[]),
        cast(:shared_ids as uuid[]), cast(:line_counts as smallint[]), cast(:parts as bytea[]),
        cast(:hashes as bytea[]))
    on conflict do nothing
    returning book_id, source
""")

_ADD_LINES = sa.text("""
    with added as (
        insert into ledger.line (
            book_id, entry_id, position, debit, credit, amount_vnd, segment, value_date,
            recorded_at, notice_id, item_id, movement_id, bank_account_id, merchant,
            budget_subsection)
        select * from unnest(
            cast(:book_ids as integer[]), cast(:entry_ids as uuid[]),
            cast(:positions as smallint[]), cast(:debits as text[]), cast(:credits as text[]),
            cast(:amounts as bigint[]), cast(:segments as bigint[]),
            cast(:value_dates as date[]), cast(:recorded_at as timestamptz[]),
            cast(:notice_ids as uuid[]), cast(:item_ids as uuid[]), cast(:movement_ids as uuid[]),
            cast(:bank_account_ids as integer[]), cast(:merchants as text[]),
            cast(:budgets as text[]))
    )
    insert into ledger.posting (book_id, id, day, segment, recorded_at, entry_ids, digest)
    select book_id, id, day, segment, recorded_at, (cast(:members as uuid[]))[first:last], digest
    from unnest(
        cast(:posting_books as integer[]), cast(:posting_ids as uuid[]),
        cast(:posting_days as date[]), cast(:posting_segments as bigint[]),
        cast(:posting_times as timestamptz[]), cast(:firsts as integer[]),
        cast(:lasts as integer[]), cast(:digests as bytea[]))
        as told (book_id, id, day, segment, recorded_at, first, last, digest)
""")

_FIND_SOURCES = sa.text("""
    select told.book_id, told.source, entry.id
    from unnest(cast(:book_ids as integer[]), cast(:sources as text[])) as told (book_id, source)
    join ledger.entry as entry
      on entry.book_id = told.book_id and entry.source = told.source
""")


_Key = tuple[int, str]  # book and source


class _Sealed(msgspec.Struct, frozen=True):
    """An entry ready to be written."""

    entry: Entry
    held: OpenDay
    posting_id: UUID
    parts: bytes
    hash: bytes


async def hold_days(connection: AsyncConnection, book_ids: Sequence[int]) -> dict[int, OpenDay]:
    """Hold the open day of each book (FOR SHARE, in order of book) until the transaction ends.

    `recorded_at` is read after the lock is held, so that it lies before the `closed_at` of the
    segment it names. Raises UnknownBook.
    """
    wanted = sorted(set(book_ids))
    rows = await connection.execute(_HOLD, {"book_ids": wanted})
    days = {
        row.book_id: OpenDay(
            book_id=row.book_id, day=row.day, segment=row.segment, recorded_at=row.recorded_at
        )
        for row in rows
    }
    for book_id in wanted:
        if book_id not in days:
            raise UnknownBook(book_id)
    return days


async def post(
    connection: AsyncConnection,
    entries: Sequence[Entry],
    days: Mapping[int, OpenDay] | None = None,
) -> list[Posted]:
    """Append `entries`, of any books, inside the caller's transaction; answers in their order.

    A source told before, here or by another transaction, is passed over (`new` is false). `days`
    are those this transaction holds (hold_days); without them they are held here.

    Raises MalformedEntry, UnknownAccount, UnknownBook, DayNotHeld, AlreadyReversed, EntryIdTaken.
    """
    if not entries:
        return []
    _check(entries)
    firsts: dict[_Key, Entry] = {}
    for entry in entries:
        firsts.setdefault((entry.book_id, entry.source), entry)
    books = {book_id for book_id, _ in firsts}
    if days is None:
        days = await hold_days(connection, tuple(books))
    elif not books <= days.keys():
        raise DayNotHeld(f"no day is held for books {sorted(books - days.keys())}")
    # One order for all writers: two that tell the same sources never wait in a ring.
    sealed = _seal([firsts[key] for key in sorted(firsts)], days)
    rows = await connection.execute(_ADD_ENTRIES, _entry_columns(sealed))
    made = {(row.book_id, row.source) for row in rows}
    if len(made) == len(sealed):
        ids = {key: entry.id for key, entry in firsts.items()}
    else:
        sealed = [one for one in sealed if (one.entry.book_id, one.entry.source) in made]
        ids = await _ids_told(connection, firsts, made)
    if sealed:
        await connection.execute(_ADD_LINES, _line_columns(sealed) | _posting_columns(sealed))
    return [_answer(entry, firsts, ids, made) for entry in entries]


def _answer(
    entry: Entry,
    firsts: Mapping[_Key, Entry],
    ids: Mapping[_Key, UUID],
    made: AbstractSet[_Key],
) -> Posted:
    key = (entry.book_id, entry.source)
    new = key in made and firsts[key] is entry
    return Posted(entry_id=ids[key], book_id=entry.book_id, source=entry.source, new=new)


async def _ids_told(
    connection: AsyncConnection, firsts: Mapping[_Key, Entry], made: AbstractSet[_Key]
) -> dict[_Key, UUID]:
    """The entry id of every source, new or told before; refuses what was passed over otherwise."""
    ids = {key: firsts[key].id for key in made}
    missed = [key for key in firsts if key not in ids]
    columns = {"book_ids": [key[0] for key in missed], "sources": [key[1] for key in missed]}
    for row in await connection.execute(_FIND_SOURCES, columns):
        ids[row.book_id, row.source] = row.id
    for key in missed:
        if key not in ids:
            entry = firsts[key]
            if entry.reverses is not None:
                raise AlreadyReversed(entry.book_id, entry.reverses)
            raise EntryIdTaken(entry.book_id, entry.id)
    return ids


def _seal(entries: Sequence[Entry], days: Mapping[int, OpenDay]) -> list[_Sealed]:
    """Hash the entries; those of one book share a posting."""
    postings = {
        book_id: (held, uuid7(), hashing.microseconds(held.recorded_at), held.day.toordinal())
        for book_id, held in days.items()
    }
    line_bytes, seal_entry = hashing.line_bytes, hashing.seal_entry
    sealed = []
    for entry in entries:
        held, posting_id, recorded_us, day = postings[entry.book_id]
        lines = entry.lines
        head = hashing.head_bytes(entry, posting_id, recorded_us, day, held.segment, len(lines))
        digest, parts = seal_entry(
            head, [line_bytes(position, line) for position, line in enumerate(lines, 1)]
        )
        sealed.append(_Sealed(entry, held, posting_id, parts, digest))
    return sealed


def _entry_columns(sealed: Sequence[_Sealed]) -> dict[str, object]:
    entries = [one.entry for one in sealed]
    return {
        "book_ids": [entry.book_id for entry in entries],
        "ids": [entry.id for entry in entries],
        "posting_ids": [one.posting_id for one in sealed],
        "sources": [entry.source for entry in entries],
        "kinds": [entry.kind for entry in entries],
        "happened_at": [entry.happened_at for entry in entries],
        "value_dates": [entry.value_date for entry in entries],
        "recorded_at": [one.held.recorded_at for one in sealed],
        "days": [one.held.day for one in sealed],
        "segments": [one.held.segment for one in sealed],
        "concerns": [entry.concerns_day for entry in entries],
        "reverses": [entry.reverses for entry in entries],
        "shared_ids": [entry.shared_id for entry in entries],
        "line_counts": [len(entry.lines) for entry in entries],
        "parts": [one.parts for one in sealed],
        "hashes": [one.hash for one in sealed],
    }


def _line_columns(sealed: Sequence[_Sealed]) -> dict[str, object]:
    rows = [
        (one, position, line) for one in sealed for position, line in enumerate(one.entry.lines, 1)
    ]
    lines = [line for _, _, line in rows]
    return {
        "book_ids": [one.entry.book_id for one, _, _ in rows],
        "entry_ids": [one.entry.id for one, _, _ in rows],
        "positions": [position for _, position, _ in rows],
        "debits": [line.debit for line in lines],
        "credits": [line.credit for line in lines],
        "amounts": [line.amount_vnd for line in lines],
        "segments": [one.held.segment for one, _, _ in rows],
        "value_dates": [one.entry.value_date for one, _, _ in rows],
        "recorded_at": [one.held.recorded_at for one, _, _ in rows],
        "notice_ids": [line.notice_id for line in lines],
        "item_ids": [line.item_id for line in lines],
        "movement_ids": [line.movement_id for line in lines],
        "bank_account_ids": [line.bank_account_id for line in lines],
        "merchants": [line.merchant for line in lines],
        "budgets": [line.budget_subsection for line in lines],
    }


def _posting_columns(sealed: Sequence[_Sealed]) -> dict[str, object]:
    """One posting for each book; its entries are a slice of `members`, in order of id."""
    groups: dict[UUID, list[_Sealed]] = {}
    for one in sealed:
        groups.setdefault(one.posting_id, []).append(one)
    members: list[UUID] = []
    firsts: list[int] = []
    lasts: list[int] = []
    digests: list[bytes] = []
    for posting_id, group in groups.items():
        firsts.append(len(members) + 1)
        members.extend(sorted(one.entry.id for one in group))
        lasts.append(len(members))
        hashes = [(one.entry.id, one.hash) for one in group]
        digests.append(hashing.posting_digest(group[0].entry.book_id, posting_id, hashes))
    held = [group[0].held for group in groups.values()]
    return {
        "members": members,
        "posting_books": [day.book_id for day in held],
        "posting_ids": list(groups),
        "posting_days": [day.day for day in held],
        "posting_segments": [day.segment for day in held],
        "posting_times": [day.recorded_at for day in held],
        "firsts": firsts,
        "lasts": lasts,
        "digests": digests,
    }


def _check(entries: Sequence[Entry]) -> None:
    """Refuse what the database would refuse, and what it could not see."""
    count = 0
    for entry in entries:
        count += len(entry.lines)
        if not 0 < len(entry.lines) <= LINES_PER_ENTRY_MAX:
            raise MalformedEntry(f"an entry has 1 to {LINES_PER_ENTRY_MAX} lines: {entry.source!r}")
        if entry.happened_at.tzinfo is None:
            raise MalformedEntry(f"happened_at needs a zone: {entry.source!r}")
        # A datetime is a date to isinstance, but not to the database.
        if type(entry.value_date) is not date or type(entry.concerns_day) is datetime:
            raise MalformedEntry(f"value_date and concerns_day are plain dates: {entry.source!r}")
        if entry.reverses == entry.id:
            raise MalformedEntry(f"an entry cannot reverse itself: {entry.source!r}")
        _check_text("source", entry.source, SOURCE_CHARACTERS_MAX)
        _check_text("kind", entry.kind, KIND_CHARACTERS_MAX)
        for line in entry.lines:
            _check_line(line)
    if count > LINES_PER_CALL_MAX:
        raise MalformedEntry(f"at most {LINES_PER_CALL_MAX} lines are posted at once, not {count}")


def _check_line(line: Line) -> None:
    if line.debit not in NORMAL_SIDE:
        raise UnknownAccount(line.debit)
    if line.credit not in NORMAL_SIDE:
        raise UnknownAccount(line.credit)
    if line.debit == line.credit:
        raise MalformedEntry(f"a line moves money between two accounts, not {line.debit} alone")
    amount = line.amount_vnd
    if type(amount) is not int or not 0 < amount <= AMOUNT_VND_MAX:
        raise MalformedEntry(f"amount_vnd is a whole number from 1 to {AMOUNT_VND_MAX}: {amount!r}")
    if line.merchant is not None:
        _check_text("merchant", line.merchant, DIMENSION_CHARACTERS_MAX)
    if line.budget_subsection is not None:
        _check_text("budget_subsection", line.budget_subsection, DIMENSION_CHARACTERS_MAX)


def _check_text(name: str, text: str, limit: int) -> None:
    if not 0 < len(text) <= limit or "\x00" in text or not text.isprintable():
        raise MalformedEntry(f"{name} is 1 to {limit} printable characters: {text[:limit]!r}")
