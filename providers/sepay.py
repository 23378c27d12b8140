"""SePay: the webhook of a bank account's movements, and the IPN of its payment gateway.

Source: developer.sepay.vn (authentication, webhooks, IPN). The webhook must be created with the
content type JSON. What of the gateway's nested fields is documented is little: the order's invoice
number is ours, the transaction's amount is what moved.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from providers import sepay_acting, sepay_api
from providers.abilities import Pulled, SignedRequest
from providers.acting import Payment, Shop
from providers.contract import NOTHING, Answer, Call, Claim, Hint, Outcome, Rejected, Status, Terms
from providers.sepay_api import API_KEY, HMAC, SECRET_KEY, feed_claim
from providers.signing import hmac_sha256, is_any_of, is_fresh, is_signed
from providers.untrusted import (
    KEY_CHARS_MAX,
    amount_text_of,
    json_object,
    key_of,
    spaced_time,
    text_of,
    whole_vnd,
)

BODY_BYTES_MAX = 65_536
"""A webhook is about 500 bytes; a longer body is not read."""

_PREFIX = "sha256="
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_JSON = "application/json"
_DONE: Final = (200, b'{"success":true}')

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: _DONE,
        Outcome.NOTED: _DONE,
        Outcome.REPEAT_OF_PAID: _DONE,
        Outcome.REPEAT: _DONE,
        Outcome.ANOTHER_FOR_PAID: _DONE,
        Outcome.UNKNOWN_ORDER: _DONE,
        Outcome.UNKNOWN_AGAIN: _DONE,
        Outcome.AMOUNT_DIFFERS: _DONE,
        Outcome.HELD: _DONE,
        Outcome.FORGED: (401, b'{"success":false}'),
        Outcome.STALE: (401, b'{"success":false}'),
        Outcome.MALFORMED: (400, b'{"success":false}'),  # ours
        Outcome.TRY_AGAIN: (503, b'{"success":false}'),
        Outcome.TEST: _DONE,
    }
)


class Sepay:
    """The adapter; it holds no state, so one serves every merchant."""

    name = "sepay"
    methods = frozenset({"POST"})
    modes = frozenset({HMAC, API_KEY, SECRET_KEY})
    weak_modes = frozenset({API_KEY, SECRET_KEY})
    credentials: Mapping[str, str] = MappingProxyType(
        {"api_token": "optional: the token for the list of transactions (as Authorization: Bearer)"}
    )
    options = NOTHING
    retry_waits: Sequence[timedelta] = sepay_acting.RETRY_WAITS

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of an authentic call; the raw bytes are verified before they are parsed."""
        if call.method != "POST" or len(call.body) > BODY_BYTES_MAX:
            raise Rejected("malformed", "not a POST with a short body")
        if not _is_authentic(call, terms):
            raise Rejected("forged", "no proof of SePay", hint=_hint(call.body, terms.mode))
        if terms.mode == HMAC and not is_fresh(_sent_at_s(call), now, terms.freshness_s):
            raise Rejected("stale", "signed long ago", hint=_hint(call.body, terms.mode))
        try:
            return (_claim(call.body, terms.mode),)
        except ValueError as error:
            raise Rejected("malformed", str(error), authentic=True) from None

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """`{"success":true}` ends SePay's retries; anything else makes it call again."""
        del call
        status, body = _ANSWERS[outcome]
        return Answer(status=status, media_type=_JSON, body=body)

    def pull_request(self, position: str, terms: Terms, now: datetime) -> SignedRequest:
        """The list from SePay's number `position` on."""
        del now
        return sepay_api.pull_request(position, terms)

    def read_pull(self, body: bytes, terms: Terms) -> Pulled:
        """A page, in the words of the webhook."""
        del terms
        return sepay_api.read_pull(body)

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The webhook or, in the gateway's mode, the IPN about a payment."""
        return sepay_acting.call(payment, terms, now)

    def accepts(self, status: int, body: bytes) -> bool:
        """200 or 201 with `{"success":true}`; anything else is asked again."""
        return sepay_acting.accepts(status, body)

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """The list of transactions."""
        del now
        return sepay_acting.serve(call, shop, terms)


ADAPTER: Final = Sepay()

__all__ = ["ADAPTER", "API_KEY", "BODY_BYTES_MAX", "HMAC", "SECRET_KEY", "Sepay"]


def _is_authentic(call: Call, terms: Terms) -> bool:
    """Whether the call proves itself in the agreed way; no way agreed, nothing believed."""
    if terms.mode == HMAC:
        timestamp = call.header("X-SePay-Timestamp") or ""
        given = call.header("X-SePay-Signature") or ""
        if not _TIMESTAMP.fullmatch(timestamp) or not given.startswith(_PREFIX):
            return False
        message = timestamp.encode() + b"." + call.body
        return is_signed(given.removeprefix(_PREFIX), terms.secrets, [message], hmac_sha256)
    if terms.mode == API_KEY:
        scheme, _, key = (call.header("Authorization") or "").partition(" ")
        return scheme.lower() == "apikey" and is_any_of(key.strip(" "), terms.secrets)
    if terms.mode == SECRET_KEY:
        return is_any_of(call.header("X-Secret-Key") or "", terms.secrets)
    return False


def _sent_at_s(call: Call) -> int:
    return int(call.header("X-SePay-Timestamp") or 0)


def _hint(body: bytes, mode: str) -> Hint | None:
    """What an unbelieved body is about; None when it cannot be told."""
    try:
        claim = _claim(body, mode)
    except ValueError:
        return None
    return Hint(
        reference=claim.reference,
        amount_vnd=claim.amount_vnd,
        transaction=claim.transaction,
        memo=claim.memo,
    )


def _claim(body: bytes, mode: str) -> Claim:
    found = json_object(body)
    return _gateway_claim(found) if mode == SECRET_KEY else feed_claim(found)


def _gateway_claim(found: Mapping[str, object]) -> Claim:
    """What SePay's payment gateway says of an order; ValueError without a transaction number."""
    order, moved = _part(found, "order"), _part(found, "transaction")
    transaction = key_of(moved.get("transaction_id") or moved.get("id"))
    amount_text = amount_text_of(moved.get("transaction_amount", order.get("order_amount")))
    currency = text_of(moved.get("transaction_currency")) or text_of(order.get("order_currency"))
    return Claim(
        transaction=transaction,
        status=_gateway_status(found, moved),
        reference=text_of(order.get("order_invoice_number"))[:KEY_CHARS_MAX] or None,
        amount_vnd=whole_vnd(amount_text) if currency in {"VND", ""} else None,
        amount_text=amount_text if currency in {"VND", ""} else f"{amount_text} {currency[:8]}",
        happened_at=spaced_time(text_of(moved.get("transaction_date"))),
        kind="gateway",
        memo=text_of(order.get("order_description")),
    )


def _gateway_status(found: Mapping[str, object], moved: Mapping[str, object]) -> Status:
    """Paid only where message and transaction agree; a kind of message we do not know is noted."""
    told = text_of(found.get("notification_type"))
    if told == "TRANSACTION_VOID":
        return "reversed"
    if told == "ORDER_PAID":
        approved = text_of(moved.get("transaction_status")) in {"APPROVED", ""}
        return "paid" if approved else "held"
    return "pending"


def _part(found: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}
