"""The words of the ledger: a line, an entry, and what became of telling it."""

from datetime import date, datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`amount_vnd` đồng move from `credit` to `debit`: it cannot be out of balance."""

    debit: str
    credit: str
    amount_vnd: int
    notice_id: UUID | None = None
    item_id: UUID | None = None
    movement_id: UUID | None = None
    bank_account_id: int | None = None
    merchant: str | None = None
    budget_subsection: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One business event, told once per `source` in its book.

    `happened_at` and `value_date` are the outside's; `concerns_day` names a day that was closed
    when this arrived. An entry that names what it `reverses` must mirror it (see ledger.reversal).
    Entries of several books that belong together carry one `shared_id`.
    """

    book_id: int
    source: str
    kind: str
    happened_at: datetime
    value_date: date
    lines: tuple[Line, ...]
    id: UUID = msgspec.field(default_factory=uuid7)
    concerns_day: date | None = None
    reverses: UUID | None = None
    shared_id: UUID | None = None


class OpenDay(msgspec.Struct, frozen=True, kw_only=True):
    """The day and segment that a transaction writes into, held until it ends."""

    book_id: int
    day: date
    segment: int
    recorded_at: datetime


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one entry; when `new` is false, `entry_id` is that of the one told before."""

    entry_id: UUID
    book_id: int
    source: str
    new: bool
