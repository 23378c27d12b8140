"""What a provider may be able to do beside calling us: checkout, questions, lists, refunds.

Each is a Protocol of its own, asked for with isinstance and never pretended. All of them are pure:
they make signed requests and read replies; the one room with a network sends them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

import msgspec

from providers.contract import Claim, Terms


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a provider, ready to be sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        """Say where it goes, and nothing of what it carries: headers and body hold keys."""
        return f"SignedRequest({self.method} {self.url.partition('?')[0]})"


class CheckoutOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A payment the citizen will make at a gateway."""

    reference: str
    order_code: str
    """What `order_code` of the adapter gave for the reference; the provider knows only this."""
    request_id: str
    """Ours, kept before it is sent: the same again must open nothing twice."""
    amount_vnd: int
    description: str
    return_url: str
    callback_url: str
    client_ip: str
    ordered_at: datetime
    expires_at: datetime
    locale: Literal["vi", "en"] = "vi"
    bank_code: str = ""
    dossier_code: str = ""
    procedure_code: str = ""


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """Where the citizen pays, as a provider answered: a page, a VietQR payload, or both."""

    url: str | None
    qr_payload: str | None = None
    provider_reference: str | None = None
    """The provider's own name of the order (a payOS link), where it has one."""


class StatusQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which order we ask about; `ordered_at` is the instant its checkout was signed."""

    request_id: str
    order_code: str
    ordered_at: datetime
    client_ip: str
    description: str = "Hoi trang thai giao dich"
    provider_reference: str | None = None
    amount_vnd: int | None = None


class RefundOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Money to be given back by the provider; `transaction` is the original one, if known."""

    request_id: str
    """Ours, kept before it is sent; the provider refunds once however often it hears it."""
    order_code: str
    transaction: str | None
    amount_vnd: int
    whole: bool
    ordered_at: datetime
    """When the original order's checkout was signed."""
    asked_at: datetime
    """When this refund was first sent: repeats say the same."""
    asked_by: str
    client_ip: str
    description: str


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a bank feed's own list; `next_position` is None on the last page."""

    claims: Sequence[Claim]
    next_position: str | None


@runtime_checkable
class NamesOrders(Protocol):
    """The provider knows our orders by another name than our reference."""

    def order_code(self, reference: str, number: int, now: datetime) -> str:
        """The name, such as ZaloPay's `yymmdd_<reference>` or payOS' integer.

        `number` is the reference's numeric form. The mapping is stored, and never parsed back.
        """
        ...


@runtime_checkable
class MakesCheckout(Protocol):
    """The provider has a page whose address we sign ourselves."""

    def checkout_url(self, order: CheckoutOrder, terms: Terms, now: datetime) -> str:
        """A signed link; raises ValueError for an order that the provider would refuse."""
        ...


@runtime_checkable
class OpensCheckout(Protocol):
    """The provider must be asked for the page where citizens pay."""

    def checkout_request(self, order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
        """The signed request; raises ValueError for an order that the provider would refuse."""
        ...

    def read_checkout(self, body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
        """Where the citizen pays. Raises Rejected or Unanswered."""
        ...


@runtime_checkable
class AsksStatus(Protocol):
    """The provider can be asked what became of an order."""

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """The signed question."""
        ...

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """The answer: one claim for each payment of the order.

        None at all: the provider knows no such order. An order that nobody paid yet is a claim
        `pending`. The claims of a payment bear the transaction, scope and amount that its callback
        bears. Raises Rejected or Unanswered.
        """
        ...


@runtime_checkable
class PullsTransactions(Protocol):
    """The provider has a list of an account's movements."""

    def pull_request(self, position: str, terms: Terms, now: datetime) -> SignedRequest:
        """The next page behind `position` ("" at the very beginning)."""
        ...

    def read_pull(self, body: bytes, terms: Terms) -> Pulled:
        """A page; its claims equal those of the webhooks. Raises Rejected or Unanswered."""
        ...


@runtime_checkable
class Refunds(Protocol):
    """The provider can be told to give money back, and asked what became of that."""

    def refund_request(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """The signed order; raises ValueError for one that the provider would refuse."""
        ...

    def read_refund(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim:
        """What the provider does about it: `refunded`, `refund_processing` or `refund_failed`.

        The claim's amount is what is refunded. Raises Rejected or Unanswered.
        """
        ...

    def refund_question(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """The signed question what became of a refund."""
        ...

    def read_refund_answer(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
        """As `read_refund`; None: the provider never heard of this refund.

        Then it may be sent (again), with the same request id. Raises Rejected or Unanswered.
        """
        ...
