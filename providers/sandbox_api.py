"""The sandbox provider's API: checkout links, questions and refunds, signed both ways.

A request is a Standard Webhooks message whose id is our request id. The answer is one too, inside
its own body: `{id, timestamp, payload, signature}` with the request's id, so that an old answer
answers no new question. Of our own design: see docs/how-to/providers/sandbox.md.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from providers import standard_webhooks
from providers.abilities import CheckoutOrder, RefundOrder, SignedRequest, StatusQuestion
from providers.contract import AMOUNT_VND_MAX, Claim, Rejected, Secret, Status, Terms, Unanswered
from providers.sandbox_messages import (
    ORDER,
    QUESTION,
    REFUND,
    REFUND_QUESTION,
    REFUND_STATE,
    claim_of,
    dumped,
)
from providers.untrusted import KEY_CHARS_MAX, json_object, key_of, text_of

ANSWER_BYTES_MAX = 1_000_000
PAYMENTS_MAX = 1_000
DESCRIPTION_CHARS_MAX = 255

ORDERS_PATH, REFUNDS_PATH, REFUND_STATES_PATH = "/orders", "/refunds", "/refund-states"

LINK_CONTEXT: Final = b"checkout link\n"
"""Before the text of a link that is signed: no webhook's text can begin so."""

REFUND_STATES: Final[Mapping[str, Status]] = {
    "processing": "refund_processing",
    "done": "refunded",
    "failed": "refund_failed",
}


def checkout_url(order: CheckoutOrder, terms: Terms, now: datetime) -> str:
    """The signed address where the citizen pays; ValueError for an order that cannot be paid."""
    if not 0 < order.amount_vnd <= AMOUNT_VND_MAX:
        raise ValueError("the amount is not payable")
    if order.expires_at <= now:
        raise ValueError("the order has expired")
    address = _based(terms.pay_address, "pay_address")
    query = urlencode(
        {
            "amount_vnd": order.amount_vnd,
            "callback_url": order.callback_url,
            "description": order.description[:DESCRIPTION_CHARS_MAX],
            "expires_at": int(order.expires_at.timestamp()),
            "locale": order.locale,
            "merchant": terms.merchant,
            "opened_at": int(order.ordered_at.timestamp()),
            "order_code": key_of(order.order_code),
            "request_id": order.request_id,
            "return_url": order.return_url,
        }
    )
    return f"{address}?{query}&signature={link_signature(query.encode(), _secret(terms))}"


def link_signature(query: bytes, secret: Secret) -> str:
    """The proof at the end of a checkout link, in lower-case hexadecimal."""
    return standard_webhooks.digest(secret, LINK_CONTEXT + query).hex()


def status_request(question: StatusQuestion, terms: Terms, now: datetime) -> SignedRequest:
    """The signed question what became of an order."""
    asked = {"type": QUESTION, "order_code": key_of(question.order_code)}
    return _request(ORDERS_PATH, question.request_id, asked, terms, now)


def read_status(body: bytes, question: StatusQuestion, terms: Terms) -> list[Claim]:
    """One claim for each payment of the order; none where the sandbox never heard of it."""
    found = _authentic(body, question.request_id, ORDER, question.order_code, terms)
    payments = found.get("payments")
    if not isinstance(payments, list) or len(payments) > PAYMENTS_MAX:
        raise Rejected("malformed", "no list of payments")
    claims = []
    for one in payments:
        if not isinstance(one, dict):
            raise Rejected("malformed", "a payment that is no object")
        try:
            claim = claim_of(one)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        if claim.reference != question.order_code:
            raise Rejected("forged", "a payment of another order")
        claims.append(claim)
    return claims


def refund_request(order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed order to give money back; ValueError where there is nothing to give back."""
    if not 0 < order.amount_vnd <= AMOUNT_VND_MAX:
        raise ValueError("nothing to give back")
    asked = {
        "type": REFUND,
        "order_code": key_of(order.order_code),
        "transaction": order.transaction,
        "amount_vnd": order.amount_vnd,
        "description": order.description[:DESCRIPTION_CHARS_MAX],
    }
    return _request(REFUNDS_PATH, order.request_id, asked, terms, now)


def refund_question(order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed question what became of a refund."""
    asked = {"type": REFUND_QUESTION, "order_code": key_of(order.order_code)}
    return _request(REFUND_STATES_PATH, order.request_id, asked, terms, now)


def read_refund(body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
    """How far a refund is; None where the sandbox never heard of it."""
    found = _authentic(body, order.request_id, REFUND_STATE, order.order_code, terms)
    state = found.get("state")
    if state is None:
        return None
    status = REFUND_STATES.get(text_of(state))
    if status is None:
        raise Rejected("malformed", "a state that is not known")
    try:
        return claim_of({**found, "status": status})
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None


def sealed(message_id: str, payload: Mapping[str, object], secret: Secret, now: datetime) -> bytes:
    """An answer of the sandbox, signed in its own body."""
    text = dumped(payload)
    sent_at_s = int(now.timestamp())
    return dumped(
        {
            "id": message_id,
            "timestamp": sent_at_s,
            "payload": text.decode(),
            "signature": standard_webhooks.signature(secret, message_id, sent_at_s, text),
        }
    )


def _authentic(
    body: bytes, request_id: str, kind: str, order_code: str, terms: Terms
) -> Mapping[str, object]:
    """The payload of the answer to `request_id`; Unanswered where the sandbox said an error."""
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        envelope = json_object(body)
        if "error" in envelope:
            raise Unanswered(_short(envelope, "error"), _short(envelope, "message"))
        payload = text_of(envelope.get("payload")).encode()
        proof = (text_of(envelope.get("timestamp")), text_of(envelope.get("signature")))
        if envelope.get("id") != request_id or not standard_webhooks.is_true(
            request_id, *proof, payload, terms.secrets
        ):
            raise Rejected("forged", "the signature does not fit, or fits another question")
        found = json_object(payload)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    about = (found.get("type"), found.get("merchant"), found.get("order_code"))
    if about != (kind, terms.merchant, order_code):
        raise Rejected("forged", "an answer to another question")
    return found


def _request(
    path: str, request_id: str, asked: Mapping[str, object], terms: Terms, now: datetime
) -> SignedRequest:
    body = dumped({"merchant": terms.merchant, **asked})
    return SignedRequest(
        method="POST",
        url=_based(terms.api_address, "api_address") + path,
        headers=standard_webhooks.headers(_secret(terms), request_id, int(now.timestamp()), body),
        body=body,
    )


def _based(address: str, setting: str) -> str:
    if not address.startswith(("https://", "http://")):
        raise ValueError(
            f"the address of the sandbox is not set ({setting}): `doisoat simulate sandbox` says it"
        )
    return address.rstrip("/")


def _secret(terms: Terms) -> Secret:
    if not terms.secrets:
        raise ValueError("there is no secret to sign with")
    return terms.secrets[0]


def _short(found: Mapping[str, object], name: str) -> str:
    return text_of(found.get(name))[:KEY_CHARS_MAX]
