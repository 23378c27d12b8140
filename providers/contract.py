"""What every payment provider must be able to do, in words the rest of the service understands.

Nothing here knows a clock, a database, a network or the environment: time and secrets are
arguments.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

import msgspec

AMOUNT_VND_MAX = 10**15
"""No single payment is larger; keeps every sum of payments inside a 64-bit integer."""

FRESHNESS_S = 300
"""How far, in seconds, a signed timestamp may be from our clock unless the terms say otherwise."""

Status = Literal[
    "pending",
    "paid",
    "failed",
    "cancelled",
    "expired",
    "held",
    "refunded",
    "refund_processing",
    "refund_failed",
    "credit",
    "debit",
    "reversed",
    "test",
]
"""What a provider says of a payment. `credit` and `debit` come from bank feeds, the rest from
gateways; `test` is a probe that is acknowledged and never booked."""


class Secret(str):
    """A key shared with a provider; its repr hides it, so that it stays out of logs and traces."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery exactly as it came in; `raw_query` is what followed the `?`, undecoded."""

    method: str
    path: str
    raw_query: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None when there is none."""
        wanted = name.lower()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value
        return None


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """What a call we do not believe says it is about: a shelf to keep it on, never a fact."""

    reference: str | None = None
    amount_vnd: int | None = None
    transaction: str | None = None


class Rejected(Exception):
    """A call we must not book. `why` and `detail` go to the log, never to the sender.

    `authentic` marks one that proved itself and yet cannot be read: it is kept until it can be.
    """

    def __init__(
        self,
        why: Literal["forged", "stale", "malformed"],
        detail: str = "",
        *,
        hint: Hint | None = None,
        authentic: bool = False,
    ) -> None:
        super().__init__(f"{why}: {detail}" if detail else why)
        self.why = why
        self.detail = detail
        self.hint = hint
        self.authentic = authentic


class Unanswered(Exception):
    """A provider answered our question with an error of its own; `code` is the provider's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's word about one payment: believed, not yet booked.

    No text in it holds a NUL character or half a surrogate pair.
    """

    transaction: str
    """The provider's own number of the payment; with the merchant it is unique at the provider."""
    status: Status
    reference: str | None
    """Gateway: the order. Bank feed: the payment code that the feed itself found, if any."""
    amount_vnd: int | None
    """Positive whole đồng; None when `amount_text` is no such amount."""
    amount_text: str
    """The amount as the provider wrote it: part of the key when it cannot be read."""
    happened_at: datetime | None
    """UTC; None when the provider gave no time that can be read."""
    kind: Literal["gateway", "feed"]
    memo: str = ""
    bank_reference: str | None = None
    own_account: str | None = None
    virtual_account: str | None = None
    bank_brand: str | None = None
    counterparty_account: str = ""
    counterparty_name: str = ""


class Outcome(StrEnum):
    """What became of a call; each adapter has one answer for each."""

    BOOKED = "booked"
    NOTED = "noted"
    REPEAT_OF_PAID = "repeat_of_paid"
    REPEAT = "repeat"
    ANOTHER_FOR_PAID = "another_for_paid"
    UNKNOWN_ORDER = "unknown_order"
    AMOUNT_DIFFERS = "amount_differs"
    HELD = "held"
    FORGED = "forged"
    STALE = "stale"
    MALFORMED = "malformed"
    TRY_AGAIN = "try_again"
    TEST = "test"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider is answered, byte by byte."""

    status: int
    media_type: str
    body: bytes


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed with a provider for one merchant."""

    merchant: str
    """The last segment of the callback address; for VNPAY it is the vnp_TmnCode."""
    secrets: Sequence[Secret]
    """Any of them verifies (two while one replaces the other); the first one signs."""
    mode: str = ""
    """How calls are authenticated, where a provider offers a choice (its `modes`)."""
    freshness_s: int = FRESHNESS_S
    pay_address: str = ""
    """Where citizens are sent to pay; empty: the provider's published sandbox."""
    api_address: str = ""
    """Where status questions and refunds are sent; empty: the provider's published sandbox."""


class Provider(Protocol):
    """The core that each provider has."""

    @property
    def name(self) -> str:
        """The segment of the callback address that names the provider."""
        ...

    @property
    def methods(self) -> frozenset[str]:
        """The HTTP methods by which this provider calls."""
        ...

    @property
    def modes(self) -> frozenset[str]:
        """The values of `Terms.mode` it knows; anything else believes nothing."""
        ...

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The claims of an authentic call; raises Rejected, and nothing else, for any other."""
        ...

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """What the provider is told; `done` answers are for after COMMIT only."""
        ...


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a provider, ready to be sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class CheckoutOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A payment the citizen will make at a gateway."""

    reference: str
    amount_vnd: int
    description: str
    return_url: str
    client_ip: str
    expires_at: datetime
    locale: Literal["vi", "en"] = "vi"
    bank_code: str = ""


class StatusQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which order we ask about; `ordered_at` is the instant its checkout was signed."""

    request_id: str
    reference: str
    ordered_at: datetime
    client_ip: str
    description: str = "Hoi trang thai giao dich"


class RefundOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Money to be given back by the provider; `transaction` is the original one, if known."""

    request_id: str
    reference: str
    transaction: str | None
    amount_vnd: int
    whole: bool
    ordered_at: datetime
    asked_by: str
    client_ip: str
    description: str


@runtime_checkable
class MakesCheckout(Protocol):
    """The provider has a page where citizens pay."""

    def checkout_url(self, order: CheckoutOrder, terms: Terms, now: datetime) -> str:
        """A signed link; raises ValueError for an order that the provider would refuse."""
        ...


@runtime_checkable
class AsksStatus(Protocol):
    """The provider can be asked what became of an order."""

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """The signed question."""
        ...

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Claim | None:
        """The answer; None: the provider knows no such order. Raises Rejected or Unanswered."""
        ...


@runtime_checkable
class Refunds(Protocol):
    """The provider can be told to give money back."""

    def refund_request(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """The signed order; raises ValueError for one that the provider would refuse."""
        ...

    def read_refund(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim:
        """What the provider does about it. Raises Rejected or Unanswered."""
        ...
