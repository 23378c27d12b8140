"""The provider's side of a dialect: calls signed, questions answered, as the real provider would.

For the simulator, the demo, the conformance suite and the mutations; whoever has a merchant's
secret can do this, and nothing here is reachable from the outside. Pure like the adapters: the
`Shop` is what a provider remembers, held in memory by whoever acts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

import msgspec

from providers.contract import Answer, Call, Status, Terms


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the provider knows it: opened by our request, or by the citizen's link."""

    order_code: str
    amount_vnd: int
    opened_at: datetime
    expires_at: datetime | None = None
    description: str = ""
    return_url: str = ""
    callback_url: str = ""
    request_id: str = ""
    provider_reference: str = ""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved, or failed to, at the provider.

    `order_code` is the order at a gateway, and at a feed the payment code it found (or None).
    `amount_text` overrides how the amount is written. What a dialect has no field for is left out.
    """

    order_code: str | None
    transaction: str
    amount_vnd: int
    paid_at: datetime
    status: Status = "paid"
    scope: str = ""
    memo: str = ""
    bank_reference: str = ""
    own_account: str = ""
    virtual_account: str = ""
    bank_brand: str = ""
    counterparty_account: str = ""
    counterparty_name: str = ""
    balance_vnd: int = 0
    amount_text: str = ""


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money the provider was told to give back; `state` is how far that is."""

    request_id: str
    order_code: str
    transaction: str
    """The provider's number of the refund itself."""
    of_transaction: str
    amount_vnd: int
    asked_at: datetime
    state: Literal["processing", "done", "failed"] = "processing"
    name: str = ""
    """What the shop calls the refund, where that is not its request id."""


@dataclass(slots=True)
class Shop:
    """What a provider remembers of one merchant."""

    orders: dict[str, Order] = field(default_factory=dict)
    """By order code."""
    payments: list[Payment] = field(default_factory=list)
    """In the order in which they happened."""
    refunds: dict[str, Refund] = field(default_factory=dict)
    """By request id: the same again is the same refund."""
    page: str = ""
    """The address under which the simulator shows its checkout pages, without a slash at the end;
    an order's page is `<page>/<order_code>`."""

    def of_order(self, order_code: str) -> list[Payment]:
        """The payments of an order, oldest first."""
        return [one for one in self.payments if one.order_code == order_code]


@runtime_checkable
class Acts(Protocol):
    """The adapter can also play its provider. Every adapter of the catalogue does."""

    @property
    def retry_waits(self) -> Sequence[timedelta]:
        """After how long the provider calls again when it was not answered "done".

        As its page says; a stated guess where the page says nothing.
        """
        ...

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The signed callback about `payment`, to `/callbacks/<name>/<merchant>`.

        `read` gives it back: the transaction, status, order, amount and time of `payment`. Raises
        ValueError for a status this provider has no callback for (ZaloPay tells no failure).
        """
        ...

    def accepts(self, status: int, body: bytes) -> bool:
        """Whether the provider takes this HTTP answer to a callback as "done"."""
        ...

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """The answer of the provider's API to `call`, a request that the adapter signed.

        Opens orders, tells their state, refunds, lists; changes `shop`. Refuses a wrong signature
        in the provider's own words, and answers 404 under a path that the provider has not.
        """
        ...


@runtime_checkable
class ReadsOwnLinks(Protocol):
    """An adapter that acts, and whose checkout is a link that we sign (see MakesCheckout)."""

    def order_of_link(self, call: Call, terms: Terms, now: datetime) -> Order:
        """The order in a checkout link that a citizen opened; ValueError where it is not ours."""
        ...
