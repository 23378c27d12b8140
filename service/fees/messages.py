"""The words of this room on the wire. Unknown fields are refused, money is whole đồng."""

from datetime import date, datetime
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from providers import MakesCheckout, OpensCheckout
from providers.catalog import CATALOG
from providers.contract import Status as ProviderStatus
from service.payments.payment_states import ProviderWord

ITEMS_MAX: Final = 50
AMOUNT_VND_MAX: Final = 1_000_000_000_000
STATUS_IDS_MAX: Final = 500
REQUEST_NOTICES_MAX: Final = 50

# No control characters: PostgreSQL cannot hold NUL, and the rest only breaks pages and lists.
PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"

CodeText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=40, pattern=PLAIN)]
NameText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
NoteText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500, pattern=PLAIN)]
ItemCode: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9A-Za-z._-]{1,40}$")]
Budget: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9]{4}$", description="Budget subsection (tiểu mục), four digits.")
]
Percent: TypeAlias = Annotated[int, Meta(ge=0, le=100)]
AmountVnd: TypeAlias = Annotated[int, Meta(ge=0, le=AMOUNT_VND_MAX, description="Whole đồng.")]
TotalVnd: TypeAlias = Annotated[
    int,
    Meta(
        ge=0,
        le=ITEMS_MAX * AMOUNT_VND_MAX,
        description="Where given, the sum of the items: a check, not a choice.",
    ),
]
PositiveVnd: TypeAlias = Annotated[
    int, Meta(ge=1, le=AMOUNT_VND_MAX, description="Whole đồng, at least one.")
]
SubjectId: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=PLAIN,
        description="The one-stop's own number of the person or organisation.",
    ),
]
ReturnUrl: TypeAlias = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^https?://[!-~]+$",
        description="Where a gateway sends the citizen back to.",
    ),
]
ClientIp: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[0-9A-Fa-f.:]{2,45}$",
        description="The citizen's address, which some gateways ask for.",
    ),
]
QR_PROVIDER: Final = "vietqr"
"""A transfer to the unit's own account: a payload that we write ourselves."""
PROVIDERS: Final = (
    QR_PROVIDER,
    *(
        name
        for name, adapter in CATALOG.items()
        if isinstance(adapter, MakesCheckout | OpensCheckout)
    ),
)
PayBy: TypeAlias = Annotated[
    str,
    Meta(
        pattern=f"^({'|'.join(PROVIDERS)})$",
        description=f"How it is to be paid: {', '.join(PROVIDERS)}.",
    ),
]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
Channel: TypeAlias = Literal["online", "counter", "post"]
FeeKind: TypeAlias = Literal["phi", "le_phi"]
Status: TypeAlias = Literal[
    "open", "partially_paid", "paid", "overpaid", "cancelled", "exempt", "refunded"
]


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body we are sent has in common: nothing that we do not know."""


class Payer(Call, frozen=True, kw_only=True):
    """Who pays, where the one-stop tells; kept sealed."""

    name: NameText | None = None
    subject_id: SubjectId | None = None


class NewFeeItem(Call, frozen=True, kw_only=True):
    """One phí or lệ phí as the one-stop worked it out."""

    code: ItemCode
    kind: FeeKind
    name: NameText
    amount_vnd: AmountVnd
    budget_subsection: Budget | None = None
    retained_percent: Percent = 0


class NewFeeNotice(Call, frozen=True, kw_only=True):
    """What one dossier owes. Codes may come in any of their notations."""

    dossier_code: CodeText
    procedure_code: CodeText
    received_by: CodeText
    decided_by: CodeText
    collected_by: CodeText
    channel: Channel
    items: Annotated[list[NewFeeItem], Meta(min_length=1, max_length=ITEMS_MAX)]
    payer: Payer | None = None
    amount_vnd: TotalVnd | None = None
    due_on: date | None = None


class AddedItems(Call, frozen=True, kw_only=True):
    """An additional charge, for example after appraisal."""

    items: Annotated[list[NewFeeItem], Meta(min_length=1, max_length=ITEMS_MAX)]


class Cancellation(Call, frozen=True, kw_only=True):
    """Why nothing is owed any more; `reason` holds no personal data."""

    reason: NoteText
    decided_by: NameText | None = None
    evidence: NoteText | None = None


class Exemption(Call, frozen=True, kw_only=True):
    """What is waived of what is outstanding, why, and on whose word.

    Without `item_id` it is the whole notice, item by item; without `amount_vnd` it is all that is
    outstanding.
    """

    reason: NoteText
    decided_by: NameText
    evidence: NoteText | None = None
    item_id: UUID | None = None
    amount_vnd: PositiveVnd | None = None


class FeeItem(msgspec.Struct, frozen=True, kw_only=True):
    """A fee item with what was waived of it and paid on it."""

    id: UUID
    code: str
    kind: FeeKind
    name: str
    amount_vnd: int
    exempted_vnd: int
    paid_vnd: int
    budget_subsection: str | None
    retained_percent: int


class PayerShown(msgspec.Struct, frozen=True, kw_only=True):
    """The payer as recorded."""

    name: str | None = None
    subject_id: str | None = None


class FeeNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A fee notice with its counters; `settled` means the result may be released."""

    id: UUID
    dossier_code: str
    procedure_code: str
    received_by: str
    decided_by: str
    collected_by: str
    channel: Channel
    payer: PayerShown | None
    items: list[FeeItem]
    amount_vnd: int
    exempted_vnd: int
    written_off_vnd: int
    paid_vnd: int
    refunded_vnd: int
    outstanding_vnd: int
    held_vnd: int
    status: Status
    settled: bool
    due_on: date | None
    created_at: datetime
    version: int


class FeeNoticePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of fee notices; `next_cursor` is null on the last one."""

    items: list[FeeNotice]
    next_cursor: str | None


class StatusQuestion(Call, frozen=True, kw_only=True):
    """Which notices are asked about."""

    notice_ids: Annotated[list[UUID], Meta(min_length=1, max_length=STATUS_IDS_MAX)]


class FeeNoticeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a notice stands."""

    id: UUID
    dossier_code: str
    status: Status
    settled: bool
    amount_vnd: int
    exempted_vnd: int
    paid_vnd: int
    outstanding_vnd: int
    held_vnd: int
    version: int
    updated_at: datetime


class FeeNoticeStatuses(msgspec.Struct, frozen=True, kw_only=True):
    """The states asked for, in the order asked; `unknown` are not there or not yours."""

    items: list[FeeNoticeStatus]
    unknown: list[UUID]


class NewPaymentRequest(Call, frozen=True, kw_only=True):
    """Ask for one way to pay what some notices of one collecting unit owe together."""

    notice_ids: Annotated[list[UUID], Meta(min_length=1, max_length=REQUEST_NOTICES_MAX)]
    provider: PayBy
    return_url: ReturnUrl | None = None
    client_ip: ClientIp | None = None
    locale: Literal["vi", "en"] = "vi"


class PaymentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One way to pay: a link to a gateway, a VietQR payload, or both."""

    reference: str
    reference_shown: str
    numeric_reference: int
    provider: str
    notice_ids: list[UUID]
    amount_vnd: int
    outstanding_vnd: int
    state: Literal["open", "paid", "expired", "closed"]
    redirect_url: str | None
    qr_payload: str | None
    expires_at: datetime | None
    created_at: datetime
    provider_state: ProviderStatus | None = None
    """How the payment stands at its provider; null while nothing was heard of it."""
    history: list[ProviderWord] = []
    """What its provider said of it, by the provider's time."""


class NewCounterReceipt(Call, frozen=True, kw_only=True):
    """Cash or card that a cashier took for one notice."""

    notice_id: UUID
    method: Literal["cash", "pos"]
    amount_vnd: PositiveVnd
    receipt_no: Annotated[str, Meta(pattern=r"^[0-9A-Za-z./_-]{1,60}$")]
    received_at: Instant | None = None


class CounterReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A counter receipt as recorded, with the notice as it stands now."""

    id: UUID
    notice_id: UUID
    method: Literal["cash", "pos"]
    amount_vnd: int
    receipt_no: str
    received_at: datetime
    recorded_at: datetime
    notice_status: Status
    outstanding_vnd: int
