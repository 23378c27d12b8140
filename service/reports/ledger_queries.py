"""Read the books for the API: balances with names, entries over several books."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts, balances, listing
from ledger.reading import Recorded
from service.reports.ledger_messages import (
    AccountShown,
    BookTrial,
    EntriesShown,
    EntryShown,
    LineShown,
    TrialBalanceShown,
    TrialRow,
)
from service.web import paging

CURSOR: Final = "ledger-entries"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """On which time axis balances are asked for; nothing given means now and all days."""

    at: datetime | None = None
    value_date: date | None = None


async def trial_of(connection: AsyncConnection, book_id: int, moment: Moment) -> BookTrial:
    """The trial balance of a book that is open."""
    names = {one.code: one for one in await accounts.list_accounts(connection, book_id)}
    found = await balances.trial_balance(connection, book_id, moment.at, moment.value_date)
    rows = [
        TrialRow(
            account=row.account,
            name_vi=names[row.account].name_vi,
            name_en=names[row.account].name_en,
            normal_side=row.normal_side,
            debit_vnd=row.debit_vnd,
            credit_vnd=row.credit_vnd,
            balance_vnd=row.balance_vnd,
        )
        for row in found.rows
    ]
    return BookTrial(
        book_id=book_id, rows=rows, debit_vnd=found.debit_vnd, credit_vnd=found.credit_vnd
    )


async def trial(
    connection: AsyncConnection, books: Sequence[int], moment: Moment
) -> TrialBalanceShown:
    """The trial balances of some books, over one snapshot of the caller's connection."""
    found = [await trial_of(connection, book_id, moment) for book_id in books]
    return TrialBalanceShown(
        books=found,
        debit_vnd=sum(one.debit_vnd for one in found),
        credit_vnd=sum(one.credit_vnd for one in found),
        at=moment.at,
        value_date=moment.value_date,
    )


def as_accounts(trial_balance: TrialBalanceShown) -> list[AccountShown]:
    """The rows of trial balances as a list of accounts."""
    return [
        AccountShown(
            book_id=book.book_id,
            code=row.account,
            name_vi=row.name_vi,
            name_en=row.name_en,
            normal_side=row.normal_side,
            debit_vnd=row.debit_vnd,
            credit_vnd=row.credit_vnd,
            balance_vnd=row.balance_vnd,
        )
        for book in trial_balance.books
        for row in book.rows
    ]


class EntryQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted: of these books, of a notice or of a movement."""

    books: Sequence[int]
    limit: int
    notice_id: UUID | None = None
    movement_id: UUID | None = None
    cursor: str | None = None


async def entries(connection: AsyncConnection, question: EntryQuestion) -> EntriesShown:
    """A page of entries, book after book, newest first; raises InvalidCursor."""
    first: int = 0
    before: UUID | None = None
    if question.cursor is not None:
        first, before = paging.decode(CURSOR, question.cursor, tuple[int, UUID | None])
    shown: list[EntryShown] = []
    for book_id in sorted(book for book in question.books if book >= first):
        left = question.limit - len(shown)
        if not left:
            return EntriesShown(items=shown, next_cursor=paging.encode(CURSOR, (book_id, None)))
        page = await listing.entries(
            connection,
            book_id,
            before=before if book_id == first else None,
            limit=left,
            notice_id=question.notice_id,
            movement_id=question.movement_id,
        )
        shown += [show(one) for one in page.entries]
        if page.next is not None:
            return EntriesShown(
                items=shown, next_cursor=paging.encode(CURSOR, (book_id, page.next))
            )
    return EntriesShown(items=shown, next_cursor=None)


def show(recorded: Recorded) -> EntryShown:
    """An entry as it is told."""
    entry = recorded.entry
    return EntryShown(
        id=entry.id,
        book_id=entry.book_id,
        source=entry.source,
        kind=entry.kind,
        happened_at=entry.happened_at,
        value_date=entry.value_date,
        recorded_at=recorded.recorded_at,
        day=recorded.day,
        concerns_day=entry.concerns_day,
        reverses=entry.reverses,
        shared_id=entry.shared_id,
        lines=[LineShown(**msgspec.structs.asdict(line)) for line in entry.lines],
        hash=recorded.hash.hex(),
    )
