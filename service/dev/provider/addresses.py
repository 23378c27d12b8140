"""Where a simulated provider is to be reached: the addresses to configure for its merchant.

Some dialects want the whole address of their API and others its beginning; the adapter's own
requests tell which.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from providers import (
    AsksStatus,
    CheckoutOrder,
    MakesCheckout,
    NamesOrders,
    OpensCheckout,
    Provider,
    PullsTransactions,
    StatusQuestion,
    Terms,
)

SOMEWHERE: Final = "/api"
"""The path of an API whose address no page tells."""
SOMEWHERE_TO_PAY: Final = "/pay"
TRIED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
TRIED_REFERENCE: Final = "HUE010000000000"


def addressed(provider: Provider, terms: Terms, base_url: str) -> Terms:
    """`terms` with the addresses of a simulator at `base_url` (without a slash at the end)."""
    bare = msgspec.structs.replace(terms, pay_address="", api_address="")
    return msgspec.structs.replace(
        terms,
        pay_address=_pay_address(provider, bare, base_url),
        api_address=_api_address(provider, bare, base_url),
    )


def _pay_address(provider: Provider, terms: Terms, base_url: str) -> str:
    if not isinstance(provider, MakesCheckout):
        return ""
    try:
        usual = urlsplit(provider.checkout_url(_order(provider), terms, TRIED_AT)).path
    except ValueError:  # the sandbox has no page but the simulator's
        usual = SOMEWHERE_TO_PAY
    return base_url + usual


def _api_address(provider: Provider, terms: Terms, base_url: str) -> str:
    asked = _asking(provider)
    if asked is None:
        return ""
    try:
        usual = urlsplit(asked(terms)).path
    except ValueError:  # the address differs from one place to another, so there is no usual one
        usual = SOMEWHERE
    try:
        at_base = urlsplit(asked(msgspec.structs.replace(terms, api_address=base_url))).path
    except ValueError:  # in this mode the provider cannot be asked
        return ""
    return base_url if at_base.strip("/") else base_url + usual


def _asking(provider: Provider) -> Callable[[Terms], str] | None:
    """Where some request of the adapter goes under given terms; None where it has none."""
    if isinstance(provider, AsksStatus):
        question = StatusQuestion(
            request_id="1", order_code=_code(provider), ordered_at=TRIED_AT, client_ip="127.0.0.1"
        )
        return lambda terms: provider.status_request(question, terms, TRIED_AT).url
    if isinstance(provider, OpensCheckout):
        return lambda terms: provider.checkout_request(_order(provider), terms, TRIED_AT).url
    if isinstance(provider, PullsTransactions):
        return lambda terms: provider.pull_request("", terms, TRIED_AT).url
    return None


def _code(provider: Provider) -> str:
    if isinstance(provider, NamesOrders):
        return provider.order_code(TRIED_REFERENCE, 1, TRIED_AT)
    return TRIED_REFERENCE


def _order(provider: Provider) -> CheckoutOrder:
    return CheckoutOrder(
        reference=TRIED_REFERENCE,
        order_code=_code(provider),
        request_id="1",
        amount_vnd=10_000,
        description="Nop phi le phi",
        return_url="https://dichvucong.example/",
        callback_url="https://doisoat.example/callbacks/x/y",
        client_ip="127.0.0.1",
        ordered_at=TRIED_AT,
        expires_at=TRIED_AT + timedelta(minutes=15),
    )
