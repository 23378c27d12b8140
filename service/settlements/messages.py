"""The words of this room on the wire."""

from datetime import date, datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

SettlementStatus: TypeAlias = Literal["received", "importing", "done", "refused"]


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """One settlement file and how far its import is.

    `lines_new` and `lines_known` add up to `lines_read` when all is taken; known lines came in an
    earlier file. `proven` is true where the file's own trailer ties, `fees_proven` where a contract
    tells every fee; null before that is known. `problem` says why a file was refused. Amounts are
    signed from our side, payouts apart.
    """

    id: UUID
    book_id: int
    provider: str
    merchant: str
    sha256: str
    mapping: str
    size_bytes: int
    status: SettlementStatus
    lines_read: int
    lines_new: int
    lines_known: int
    gross_vnd: int
    fee_vnd: int
    net_vnd: int
    payout_vnd: int
    batch_count: int
    first_on: date | None
    last_on: date | None
    proven: bool | None
    fees_proven: bool | None
    problem: str | None
    received_at: datetime
    finished_at: datetime | None


class SettlementPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of settlements; `next_cursor` is null on the last one."""

    items: list[Settlement]
    next_cursor: str | None
