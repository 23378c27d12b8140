"""The books on the wire."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec


class AccountShown(msgspec.Struct, frozen=True, kw_only=True):
    """An account of a book; `balance_vnd` is positive on its normal side."""

    book_id: int
    code: str
    name_vi: str
    name_en: str
    normal_side: Literal["debit", "credit"]
    debit_vnd: int
    credit_vnd: int
    balance_vnd: int


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The chart of accounts with balances, by book and code."""

    items: list[AccountShown]
    at: datetime | None
    value_date: date | None


class TrialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account in a trial balance."""

    account: str
    name_vi: str
    name_en: str
    normal_side: Literal["debit", "credit"]
    debit_vnd: int
    credit_vnd: int
    balance_vnd: int


class BookTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The trial balance of one book; both sums are equal."""

    book_id: int
    rows: list[TrialRow]
    debit_vnd: int
    credit_vnd: int


class TrialBalanceShown(msgspec.Struct, frozen=True, kw_only=True):
    """The trial balances of the caller's books, or of the one asked for."""

    books: list[BookTrial]
    debit_vnd: int
    credit_vnd: int
    at: datetime | None
    value_date: date | None


class LineShown(msgspec.Struct, frozen=True, kw_only=True):
    """`amount_vnd` moved from `credit` to `debit`."""

    debit: str
    credit: str
    amount_vnd: int
    notice_id: UUID | None
    item_id: UUID | None
    movement_id: UUID | None
    bank_account_id: int | None
    merchant: str | None
    budget_subsection: str | None


class EntryShown(msgspec.Struct, frozen=True, kw_only=True):
    """One business event in the books; `hash` is over itself and its lines."""

    id: UUID
    book_id: int
    source: str
    kind: str
    happened_at: datetime
    value_date: date
    recorded_at: datetime
    day: date
    concerns_day: date | None
    reverses: UUID | None
    shared_id: UUID | None
    lines: list[LineShown]
    hash: str


class EntriesShown(msgspec.Struct, frozen=True, kw_only=True):
    """A page of entries, newest first within a book."""

    items: list[EntryShown]
    next_cursor: str | None
