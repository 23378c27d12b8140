"""What every payment provider must be able to do, in words the rest of the service understands.

Nothing here knows a clock, a database, a network or the environment: time and secrets are
arguments.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, Protocol

import msgspec

AMOUNT_VND_MAX = 10**15
"""No single payment is larger; keeps every sum of payments inside a 64-bit integer."""

OPTIONAL: Final = "optional: "
"""How the description of a credential begins that a merchant may do without."""

UNKNOWN_ASKED_MAX = 3
"""Deliveries about one unknown order that are answered UNKNOWN_ORDER; later ones UNKNOWN_AGAIN."""

FRESHNESS_S = 300
"""How far, in seconds, a signed timestamp may be from our clock unless the terms say otherwise."""

Status = Literal[
    "pending",
    "authorized",
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
    "ignored",
]
"""What a provider says of a payment. `credit` and `debit` come from bank feeds, the rest from
gateways; `authorized` is money blocked and not yet taken; `ignored` is an authentic message that
tells of no payment. Which may follow which is told by `providers.states`."""

Option = str | int | bool | None
"""What a setting of a merchant may hold."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


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
    memo: str = ""


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
    """The provider's own number of the payment; with merchant and scope it is unique there."""
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
    scope: str = ""
    """What the transaction number is unique within, where that is less than the merchant: the
    order at most gateways, the payment link at payOS."""
    is_test: bool = False
    """A probe (Casso's id 0, payOS' order 123): acknowledged like a true one, never booked."""
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
    UNKNOWN_AGAIN = "unknown_again"
    """As UNKNOWN_ORDER, asked UNKNOWN_ASKED_MAX times before: asking on would change nothing."""
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
    """Any of them verifies a call (two while one replaces the other); the first one signs."""
    credentials: Mapping[str, Secret] = MappingProxyType({})
    """Further keys by name, as the adapter's `credentials` describes them: MoMo's access_key,
    ZaloPay's key1, payOS' client_id and api_key."""
    options: Mapping[str, Option] = MappingProxyType({})
    """What the provider's page leaves open, by the names in the adapter's `options`."""
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

    @property
    def weak_modes(self) -> frozenset[str]:
        """The modes in which a call proves nothing but that its sender knows a key.

        Above a set amount such a call allocates nothing until a statement or a pull agrees.
        """
        ...

    @property
    def credentials(self) -> Mapping[str, str]:
        """The names of `Terms.credentials` and what each one is; see OPTIONAL."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """The names of `Terms.options` it knows, and what each decides; absent ones are safe."""
        ...

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The claims of an authentic call; raises Rejected, and nothing else, for any other."""
        ...

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """What the provider is told; `done` answers are for after COMMIT only."""
        ...
