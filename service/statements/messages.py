"""The words of this room on the wire."""

from datetime import date, datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

StatementStatus: TypeAlias = Literal["received", "importing", "done", "refused"]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement file and how far its import is.

    `lines_new` and `lines_known` add up to `lines_read` when all is taken; known lines came in an
    earlier file. `proven` is true where opening + lines = closing, false where the file does not
    tell its balances, null before the whole was read. `problem` says why a file was refused.
    """

    id: UUID
    book_id: int
    bank_account_id: int
    sha256: str
    layout: str
    size_bytes: int
    status: StatementStatus
    lines_read: int
    lines_new: int
    lines_known: int
    credits_vnd: int
    debits_vnd: int
    opening_vnd: int | None
    closing_vnd: int | None
    first_on: date | None
    last_on: date | None
    proven: bool | None
    problem: str | None
    received_at: datetime
    finished_at: datetime | None


class StatementPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of statements; `next_cursor` is null on the last one."""

    items: list[Statement]
    next_cursor: str | None
