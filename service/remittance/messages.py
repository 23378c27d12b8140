"""The words of this room on the wire. Unknown fields are refused, money is whole đồng."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from service.fees.messages import Call, NoteText
from service.remittance.calendar import Rule

Way: TypeAlias = Literal["direct", "treasury"]
RemittanceStatus: TypeAlias = Literal[
    "proposed", "rejected", "approved", "swept", "arrived", "remitted"
]
SlipNo: TypeAlias = Annotated[
    str, Meta(pattern=r"^[!-~]{1,64}$", description="Number of the payment slip (C1-02/NS).")
]


class NewRemittance(Call, frozen=True, kw_only=True):
    """Which fees go to the budget: of a book, by one calendar, paid until a day.

    Amounts are worked out, never typed. Without `until` it is the last complete period. `way`:
    straight from the collection account, or over the Treasury's pending account.
    """

    rule: Rule
    book_id: int | None = None
    until: date | None = None
    way: Way = "direct"


class NewRecord(Call, frozen=True, kw_only=True):
    """What happened to a remittance, for another person to confirm.

    `arrival`: swept money is on the pending account, and on which day. `payment`: the slip's number
    and day. `debit`: which unexplained bank debit (`movement_id`) paid it, where its text did not
    bear the reference.
    """

    what: Literal["arrival", "payment", "debit"]
    on: date | None = None
    slip_no: SlipNo | None = None
    movement_id: UUID | None = None


class NewRecognition(Call, frozen=True, kw_only=True):
    """Up to which day retained shares become revenue, in which book."""

    until: date
    book_id: int | None = None


class Vote(Call, frozen=True, kw_only=True):
    """What a checker says to a proposal; no personal data."""

    reason: NoteText | None = None


class RemittanceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One fee of a remittance; `given_back_vnd` of the budget's share was refunded before it."""

    code: str
    budget_subsection: str | None
    retained_percent: int
    item_count: int
    retained_vnd: int
    budget_vnd: int
    given_back_vnd: int


class Remittance(msgspec.Struct, frozen=True, kw_only=True):
    """A remittance; `due_vnd` is what has to reach the budget, `reference` goes on the transfer."""

    id: UUID
    book_id: int
    rule: Rule
    until: date
    due_on: date
    way: Way
    reference: str
    status: RemittanceStatus
    item_count: int
    split_vnd: int
    retained_vnd: int
    budget_vnd: int
    due_vnd: int
    swept_vnd: int
    slip_no: str | None
    slip_on: date | None
    remitted_on: date | None
    recognised: bool
    approvals: int
    approvals_needed: int
    maker: str | None
    lines: list[RemittanceLine]
    proposed_at: datetime


class RemittancePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of remittances."""

    items: list[Remittance]
    next_cursor: str | None


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """Retained shares that become revenue."""

    id: UUID
    book_id: int
    until: date
    amount_vnd: int
    status: Literal["proposed", "rejected", "approved"]
    proposed_at: datetime
