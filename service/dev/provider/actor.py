"""The provider of one merchant: what it knows, and what happens when somebody pays.

Sends nothing: `service.dev.provider.courier` does. Its memory ends with the process.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from providers import Answer, Call, Provider, Rejected, Status, Terms
from providers.acting import Acts, Order, Payment, ReadsOwnLinks, Refund, Shop
from providers.catalog import CATALOG
from service.dev.demo_file import DemoProblem

ORDER_LASTS: Final = timedelta(minutes=30)
ORDERS_MAX: Final = 100_000
NUMBERS_BEGIN: Final = 10**11
NUMBERS_END: Final = 9 * 10**11
"""Twelve digits: fits into every dialect, also into a number of JavaScript."""
REFUND_TAKES: Final = timedelta(minutes=5)
"""How long money takes to be given back, before `speed` divides it."""
TRIED_VND: Final = 10_000


class NewPayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to happen; what is not said is drawn, or taken from the order.

    `order_code` at a feed is the payment code that it finds, and None where it finds none.
    """

    order_code: str | None = None
    amount_vnd: int | None = None
    status: Status | Literal["money"] = "money"
    """`money`: whatever this provider calls money that came in."""
    transaction: str = ""
    memo: str = ""
    own_account: str = ""
    virtual_account: str = ""
    bank_reference: str = ""
    bank_brand: str = ""
    counterparty_account: str = ""
    counterparty_name: str = ""
    quiet: bool = False
    """No callback tells of it."""


class Actor:
    """Acts as one provider for one merchant."""

    def __init__(
        self,
        provider: str,
        terms: Terms,
        dice: random.Random,
        *,
        speed: float = 1.0,
        own_account: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Know nothing yet; at a feed, money comes to `own_account` unless it is said otherwise.

        DemoProblem where nothing can act as this provider in this mode.
        """
        self.adapter, self.acts = acting(provider)
        if terms.mode not in self.adapter.modes:
            known = ", ".join(sorted(self.adapter.modes))
            raise DemoProblem(f"{provider} has no mode {terms.mode!r}; it knows: {known}")
        self.terms = terms
        self.shop = Shop()
        self.clock = clock
        self.speed = speed
        self._own_account = own_account
        self._number = dice.randrange(NUMBERS_BEGIN, NUMBERS_END)
        self.money = money_status(self.adapter, self.acts, terms, clock())

    def serve(self, call: Call) -> Answer:
        """What the provider's API answers."""
        now = self.clock()
        self._advance(now)
        return self.acts.serve_as_provider(call, self.shop, self.terms, now)

    def order_of_link(self, call: Call) -> Order:
        """The order in a checkout link, opened; ValueError where it is not ours or has expired."""
        if not isinstance(self.adapter, ReadsOwnLinks):
            raise ValueError("this provider has no links of ours")  # noqa: TRY004 # not a type
        order = self.adapter.order_of_link(call, self.terms, self.clock())
        return self.open(order)

    def pay(self, new: NewPayment) -> Payment:
        """Let somebody pay, or fail to; the payment as the provider remembers it.

        ValueError where an order or an amount is missing.
        """
        now = self.clock()
        code = new.order_code
        order = self.shop.orders.get(code) if code else None
        amount_vnd = new.amount_vnd or (order.amount_vnd if order else 0)
        if amount_vnd <= 0:
            raise ValueError("no amount, and no order that says one")
        if order is None and code and self.money == "paid":
            order = self.open(Order(order_code=code, amount_vnd=amount_vnd, opened_at=now))
        status = self.money if new.status == "money" else new.status
        self._number += 1
        payment = Payment(
            order_code=code,
            transaction=new.transaction or str(self._number),
            amount_vnd=amount_vnd,
            paid_at=now.replace(microsecond=0),
            status=status,
            scope=(order.provider_reference if order else "") or code or "",
            memo=new.memo or (order.description if order else "") or code or "",
            bank_reference=new.bank_reference or f"FT{self._number}",
            own_account=new.own_account or self._own_account,
            virtual_account=new.virtual_account,
            bank_brand=new.bank_brand,
            counterparty_account=new.counterparty_account,
            counterparty_name=new.counterparty_name,
        )
        self.shop.payments.append(payment)
        return payment

    def remember(self, payments: Sequence[Payment]) -> None:
        """Keep payments that somebody else let happen."""
        self.shop.payments += payments

    def call(self, payment: Payment, terms: Terms | None = None) -> Call | None:
        """The callback about a payment as it is signed now; None where the provider is silent."""
        try:
            return self.acts.call_as_provider(payment, terms or self.terms, self.clock())
        except ValueError:
            return None

    def settle_refund(
        self, request_id: str, state: Literal["processing", "done", "failed"]
    ) -> bool:
        """End a refund in one way or the other; False where there is none."""
        refund = self.shop.refunds.get(request_id)
        if refund is None:
            return False
        self.shop.refunds[request_id] = msgspec.structs.replace(refund, state=state)
        return True

    def open(self, order: Order) -> Order:
        """Keep an order; opened again, it stays what it was."""
        if len(self.shop.orders) >= ORDERS_MAX:
            raise ValueError("too many orders; start the simulator again")
        return self.shop.orders.setdefault(order.order_code, order)

    def _advance(self, now: datetime) -> None:
        """Refunds that were asked for long enough ago are done."""
        until = now - REFUND_TAKES / self.speed
        for request_id, refund in self.shop.refunds.items():
            if refund.state == "processing" and refund.asked_at <= until:
                self.shop.refunds[request_id] = _done(refund)


def acting(provider: str) -> tuple[Provider, Acts]:
    """The adapter of a provider, as both sides; DemoProblem where there is none that acts."""
    adapter = CATALOG.get(provider)
    if adapter is None:
        raise DemoProblem(f"There is no provider {provider}; there are: {', '.join(CATALOG)}")
    if not isinstance(adapter, Acts):
        raise DemoProblem(f"The adapter of {provider} cannot act as its provider.")
    return adapter, adapter


def money_status(
    adapter: Provider, acts: Acts, terms: Terms, now: datetime
) -> Literal["paid", "credit"]:
    """What this provider calls money that came in: found out by asking its own two sides.

    DemoProblem where it can tell of neither (terms that cannot sign, for instance).
    """
    why = "it tells of no money"
    wanted: tuple[Literal["paid", "credit"], ...] = ("paid", "credit")
    for status in wanted:
        tried = Payment(
            order_code="1",
            transaction="1",
            amount_vnd=TRIED_VND,
            paid_at=now,
            status=status,
            scope="1",
        )
        try:
            claims = adapter.read(acts.call_as_provider(tried, terms, now), terms, now)
        except (ValueError, Rejected) as error:
            why = str(error)
            continue
        if [claim.status for claim in claims] == [status]:
            return status
    raise DemoProblem(f"{adapter.name} cannot be acted with these terms: {why}")


def _done(refund: Refund) -> Refund:
    return msgspec.structs.replace(refund, state="done")
