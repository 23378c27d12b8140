"""SePay: the webhook of a bank account's movements, and the IPN of its payment gateway.

Source: developer.sepay.vn (authentication, webhooks, IPN). The webhook must be created with the
content type JSON. What of the gateway's nested fields is documented is little: the order's invoice
number is ours, the transaction's amount is what moved.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from providers.contract import NOTHING, Answer, Call, Claim, Hint, Outcome, Rejected, Status, Terms
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

HMAC, API_KEY, SECRET_KEY = "hmac", "apikey", "secret_key"

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

_DIRECTIONS: Final[Mapping[str, Status]] = MappingProxyType({"in": "credit", "out": "debit"})


class Sepay:
    """The adapter; it holds no state, so one serves every merchant."""

    name = "sepay"
    methods = frozenset({"POST"})
    modes = frozenset({HMAC, API_KEY, SECRET_KEY})
    weak_modes = frozenset({API_KEY, SECRET_KEY})
    credentials = NOTHING
    options = NOTHING

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


ADAPTER: Final = Sepay()


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
        reference=claim.reference, amount_vnd=claim.amount_vnd, transaction=claim.transaction
    )


def _claim(body: bytes, mode: str) -> Claim:
    found = json_object(body)
    return _gateway_claim(found) if mode == SECRET_KEY else _feed_claim(found)


def _feed_claim(found: Mapping[str, object]) -> Claim:
    """A movement of our own account; ValueError without a number or a direction."""
    transaction = key_of(found.get("id"))
    if not transaction.isdecimal() or not transaction.strip("0"):
        raise ValueError("id is no number of a transaction")
    status = _DIRECTIONS.get(text_of(found.get("transferType")).lower())
    if status is None:
        raise ValueError("transferType is neither in nor out")
    amount_text = amount_text_of(found.get("transferAmount"))
    code = text_of(found.get("code")).strip()
    return Claim(
        transaction=str(int(transaction)),
        status=status,
        # Money that goes out pays no fee, whatever its text says.
        reference=code[:KEY_CHARS_MAX] if code and status == "credit" else None,
        amount_vnd=whole_vnd(amount_text),
        amount_text=amount_text,
        happened_at=spaced_time(text_of(found.get("transactionDate"))),
        kind="feed",
        memo=text_of(found.get("content")) or text_of(found.get("description")),
        bank_reference=text_of(found.get("referenceCode")) or None,
        own_account=text_of(found.get("accountNumber")) or None,
        virtual_account=text_of(found.get("subAccount")) or None,
        bank_brand=text_of(found.get("gateway")) or None,
    )


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
