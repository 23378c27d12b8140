"""The words of this room on the wire. Unknown fields are refused, money is whole đồng."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from service.fees.messages import Call, NameText, NoteText, PositiveVnd
from service.payments.refunding import Kind, Route

Reason: TypeAlias = Literal[
    "overpaid",
    "duplicate",
    "paid_after_cancel",
    "paid_expired_order",
    "not_ours",
    "refused",
    "withdrawn",
    "authority_error",
    "reduced",
    "other",
]
RefundStatus: TypeAlias = Literal[
    "asked",
    "proposed",
    "rejected",
    "approved",
    "sending",
    "unknown",
    "processing",
    "paid",
    "failed",
]
PartStatus: TypeAlias = Literal["approved", "sending", "unknown", "processing", "paid", "failed"]
Digits: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{4,34}$")]
Number: TypeAlias = Annotated[str, Meta(pattern=r"^[!-~]{1,64}$")]


class Payee(Call, frozen=True, kw_only=True):
    """Where a transfer goes; kept sealed, shown to people only."""

    bin: Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
    account: Digits
    name: NameText


class RefundDetails(Call, frozen=True, kw_only=True):
    """Why and how money is to be given back.

    Without `amount_vnd` it is all there is of it. `by_transfer`: the unit pays it itself although
    the provider could. `note` holds no personal data.
    """

    reason: Reason
    amount_vnd: PositiveVnd | None = None
    note: NoteText | None = None
    payee: Payee | None = None
    by_transfer: bool = False


class NewRefund(RefundDetails, frozen=True, kw_only=True):
    """What is to be given back of a notice's money.

    `of` says which: held for the payer (overpaid, paid twice, paid for nothing), in suspense
    (people only), or a paid fee.
    """

    of: Kind
    movement_id: UUID | None = None
    item_id: UUID | None = None


class NewReturn(RefundDetails, frozen=True, kw_only=True):
    """Money that belongs to no notice is to be given back: unexplained (3380), or held (3381)."""

    movement_id: UUID
    of: Literal["suspense", "held"] = "suspense"


class Verdict(Call, frozen=True, kw_only=True):
    """What a checker says to a proposal; no personal data."""

    reason: NoteText | None = None


class Rejection(Call, frozen=True, kw_only=True):
    """Why something is not done; no personal data."""

    reason: NoteText


class NewOutcome(Call, frozen=True, kw_only=True):
    """How a part ended, where people know and the machine cannot: for another person to confirm.

    Paid: by the Treasury (`treasury_no` and `treasury_on`), by a bank debit that named nothing
    (`movement_id`), or as the provider told people. Failed: it will not be paid this way.
    """

    outcome: Literal["paid", "failed"]
    part: Annotated[int, Meta(ge=1, le=9)] = 1
    movement_id: UUID | None = None
    treasury_no: Number | None = None
    treasury_on: date | None = None


class RefundPart(msgspec.Struct, frozen=True, kw_only=True):
    """One way by which the money goes, and how far it is."""

    part: int
    route: Route
    amount_vnd: int
    payable_vnd: int
    status: PartStatus
    provider: str | None
    request_id: str | None
    refund_no: str | None
    paid_by: UUID | None
    treasury_no: str | None
    treasury_on: date | None


class RefundStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done about it."""

    at: datetime
    step: str
    part: int | None
    actor: str
    detail: str | None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund; `reference` goes into the text of a transfer, so that the bank's debit is known."""

    id: UUID
    book_id: int
    of: Kind
    movement_id: UUID
    notice_id: UUID | None
    item_id: UUID | None
    amount_vnd: int
    reason: Reason
    note: str | None
    reference: str
    by_transfer: bool
    status: RefundStatus
    payee: Payee | None
    approvals: int
    approvals_needed: int
    maker: str | None
    parts: list[RefundPart]
    steps: list[RefundStep]
    asked_at: datetime
    updated_at: datetime


class RefundPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of refunds."""

    items: list[Refund]
    next_cursor: str | None
