"""payOS: links by which citizens transfer straight to the unit's own bank account.

Source: payos.vn/docs (webhook, signature, payment requests) and the official clients. payOS holds
no money: there is nothing to refund and nothing to settle, and a bank feed or a statement of the
same account reports the same transfer once more. It tells of money that came and of nothing else;
links that stay silent are asked about. How often it calls again is published nowhere.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from providers import payos_acting, payos_api
from providers.abilities import Checkout, CheckoutOrder, SignedRequest, StatusQuestion
from providers.acting import Payment, Shop
from providers.contract import Answer, Call, Claim, Hint, Outcome, Rejected, Terms
from providers.payos_data import (
    ORDER_CODE_MAX,
    PROBE,
    Ambiguous,
    claim_of,
    signed_fields,
    texts_of,
)
from providers.untrusted import KEY_CHARS_MAX, clean, json_object, whole_vnd

BODY_BYTES_MAX = 8_192
"""A webhook is about 900 bytes; a longer body is not read."""

_JSON = "application/json"
_DONE: Final = (200, b'{"success":true}')

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: _DONE,
        Outcome.NOTED: _DONE,
        Outcome.REPEAT_OF_PAID: _DONE,
        Outcome.REPEAT: _DONE,
        Outcome.ANOTHER_FOR_PAID: _DONE,
        Outcome.UNKNOWN_ORDER: _DONE,  # money came all the same, and stands in suspense
        Outcome.UNKNOWN_AGAIN: _DONE,
        Outcome.AMOUNT_DIFFERS: _DONE,
        Outcome.HELD: _DONE,
        Outcome.FORGED: (401, b'{"success":false}'),  # ours
        Outcome.STALE: (401, b'{"success":false}'),  # ours
        Outcome.MALFORMED: (400, b'{"success":false}'),  # ours
        Outcome.TRY_AGAIN: (503, b'{"success":false}'),  # ours
        Outcome.TEST: _DONE,
    }
)


class Payos:
    """The adapter; it holds no state, so one serves every merchant. The secret is checksumKey."""

    name = "payos"
    methods = frozenset({"POST"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = MappingProxyType(
        {
            "client_id": "Client ID of the payment channel (sent as x-client-id)",
            "api_key": "API key of the payment channel (sent as x-api-key)",
        }
    )
    options = payos_api.OPTIONS
    retry_waits: Sequence[timedelta] = payos_acting.RETRY_WAITS

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of a webhook. Only `data` is signed: the top level proves nothing."""
        del now  # a webhook does not say when it was sent: a repeat is told by its reference
        if call.method != "POST" or len(call.body) > BODY_BYTES_MAX:
            raise Rejected("malformed", "not a POST with a short body")
        try:
            found = json_object(call.body)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        data = found.get("data")
        if not isinstance(data, dict):
            raise Rejected("malformed", "no data")
        try:
            fields = signed_fields(data, found.get("signature"), terms.secrets)
        except Ambiguous as error:  # it is signed, but by itself says two things: for a person
            raise Rejected("malformed", str(error), authentic=True) from None
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        if fields is None:
            raise Rejected("forged", "the signature does not fit", hint=_hint(data))
        try:
            return (claim_of(fields),)
        except ValueError as error:
            raise Rejected("malformed", str(error), authentic=True) from None

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """HTTP 200 ends it; only a status of 2xx is documented, the body is what clients send."""
        del call
        status, body = _ANSWERS[outcome]
        return Answer(status=status, media_type=_JSON, body=body)

    def order_code(self, reference: str, number: int, now: datetime) -> str:
        """The numeric reference; ValueError for a number that payOS cannot hold or probes with."""
        del reference, now
        if not 0 < number <= ORDER_CODE_MAX or str(number) == PROBE:
            raise ValueError("no order code of payOS")
        return str(number)

    def checkout_request(self, order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
        """Open a payment link; the same order code again is refused, so none is opened twice."""
        if order.expires_at <= now:
            raise ValueError("the order has expired")
        return payos_api.checkout_request(order, terms)

    def read_checkout(self, body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
        """The link's page and its VietQR payload."""
        return payos_api.read_checkout(body, order, terms)

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """Ask what became of a link."""
        del now  # the question bears no time
        return payos_api.status_request(question, terms)

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """One claim for each transfer, as its webhook said it; else one of the link's state."""
        return payos_api.read_status(body, question, terms)

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The signed webhook about a transfer; ValueError for a state payOS does not call about."""
        return payos_acting.webhook(payment, terms, now)

    def accepts(self, status: int, body: bytes) -> bool:
        """Any 2xx: no more is documented."""
        return payos_acting.accepts(status, body)

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """The API of payOS: open a link, ask about it."""
        return payos_acting.serve(call, shop, terms, now)


ADAPTER: Final = Payos()


def _hint(data: Mapping[str, object]) -> Hint:
    """What an unbelieved body is about."""
    try:
        fields = texts_of(data)
    except ValueError:
        return Hint()
    return Hint(
        reference=clean(fields.get("orderCode", ""))[:KEY_CHARS_MAX] or None,
        amount_vnd=whole_vnd(fields.get("amount", "")),
        transaction=clean(fields.get("reference", ""))[:KEY_CHARS_MAX] or None,
        memo=clean(fields.get("description", "")),
    )
