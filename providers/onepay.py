"""OnePay (Vietnam): the callback of its payment page, and the checkout link.

Source: the sample of npm vn-payments, recomputed, and others' public integrations; OnePay's own
document was not read (docs/how-to/providers/onepay.md). No question and no refund are documented.
A callback bears no time at all: a repeat is told by its transaction number.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes, urlencode

from providers.abilities import CheckoutOrder
from providers.acting import Order, Payment, Shop
from providers.contract import (
    NOTHING,
    Answer,
    Call,
    Claim,
    Hint,
    Outcome,
    Rejected,
    Secret,
    Status,
    Terms,
)
from providers.signing import is_signed
from providers.untrusted import KEY_CHARS_MAX, clean, key_of, plain_ascii, whole_vnd

FORM_BYTES_MAX = 8_192
"""A callback is about 500 bytes; longer parameters than this are not read."""

PARAMETERS_MAX = 100
ORDER_VND_MAX = 9_999_999_999
ORDER_INFO_CHARS_MAX = 32
HUNDREDTHS = 100

SANDBOX_PAY: Final = "https://mtf.onepay.vn/onecomm-pay/vpc.op"

CONFIRMED, FAILED = "responsecode=1&desc=confirm-success", "responsecode=0&desc=confirm-fail"

_TEXT = "text/plain"
_SIGNED = re.compile(rb"(?:vpc|user)_[A-Za-z0-9_]*")
_OURS = (b"vpc_", b"user_")
_UNSIGNED = frozenset({"vpc_SecureHash", "vpc_SecureHashType"})
# What would begin a parameter of its own, were the signed text cut there.
_CUT = re.compile(r"&(?:vpc|user)_[A-Za-z0-9_]*=")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_REFUSED: Final = frozenset({Outcome.FORGED, Outcome.STALE, Outcome.MALFORMED, Outcome.TRY_AGAIN})
_FAILURES: Final = ("1", *map(str, range(3, 14)), *map(str, range(21, 26)))
_STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "0": "paid",
        "99": "cancelled",
        "253": "expired",
        "300": "pending",
        **dict.fromkeys(_FAILURES, "failed"),
    }
)


class Onepay:
    """The adapter, and OnePay's own side; it holds no state, so one serves every merchant."""

    name = "onepay"
    methods = frozenset({"GET", "POST"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = MappingProxyType(
        {"access_code": "vpc_AccessCode, which OnePay gives with the hash key"}
    )
    options = NOTHING
    # A guess: whether OnePay calls again, and when, was not found.
    retry_waits: Sequence[timedelta] = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60))

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of a callback; Rejected when it is not OnePay's or not this merchant's."""
        del now  # a callback says nothing of when it was sent
        fields = _authentic(call, terms)
        reference = fields.get("vpc_MerchTxnRef", "")
        if not 0 < len(reference) <= KEY_CHARS_MAX:
            raise Rejected("malformed", "no order", authentic=True)
        code = fields.get("vpc_TxnResponseCode", "")
        if not code:
            # A checkout link of ours is signed with the same key in the same way: no result.
            raise Rejected("malformed", "no result", authentic=True)
        number = fields.get("vpc_TransactionNo", "")
        try:
            transaction = key_of(number) if number.strip("0") else f"0/{reference}"
        except ValueError:
            raise Rejected("malformed", "no transaction number", authentic=True) from None
        amount_vnd, amount_text = _amount_of(fields)
        claim = Claim(
            transaction=transaction,
            status=_STATUSES.get(code, "pending"),
            reference=reference,
            amount_vnd=amount_vnd,
            amount_text=amount_text,
            happened_at=None,
            kind="gateway",
            scope=reference,
            memo=fields.get("vpc_OrderInfo", ""),
        )
        return (claim,)

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """HTTP 200 and one of two lines of text."""
        del call
        text = FAILED if outcome in _REFUSED else CONFIRMED
        return Answer(status=200, media_type=_TEXT, body=text.encode())

    def checkout_url(self, order: CheckoutOrder, terms: Terms, now: datetime) -> str:
        """The signed address where the citizen pays `order`.

        ValueError for an order that OnePay would refuse, and for values that would make the signed
        text ambiguous (see `_fields`).
        """
        access_code = terms.credentials.get("access_code")
        if not access_code:
            raise ValueError("the access code of this merchant is not known (access_code)")
        if not 0 < order.amount_vnd <= ORDER_VND_MAX:
            raise ValueError("the amount does not fit into vpc_Amount")
        if order.expires_at <= now:
            raise ValueError("the order has expired")
        fields = {
            "vpc_AccessCode": str.__str__(access_code),
            "vpc_Amount": str(order.amount_vnd * HUNDREDTHS),
            "vpc_Command": "pay",
            "vpc_Currency": "VND",
            "vpc_Locale": "en" if order.locale == "en" else "vn",
            "vpc_MerchTxnRef": key_of(order.order_code),
            "vpc_Merchant": terms.merchant,
            "vpc_OrderInfo": plain_ascii(order.description, ORDER_INFO_CHARS_MAX),
            "vpc_ReturnURL": order.return_url,
            "vpc_TicketNo": order.client_ip,
            "vpc_Version": "2",
        }
        if any(_CUT.search(value) for value in fields.values()):
            raise ValueError("a value holds what would be a parameter of its own")
        return f"{terms.pay_address or SANDBOX_PAY}?{_signed_query(fields, terms)}"

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The callback about `payment`, by GET; ValueError for a status that it cannot tell."""
        del now  # a callback does not say when it was sent
        codes = {status: code for code, status in _STATUSES.items()} | {"failed": "1"}
        if payment.status not in codes or payment.order_code is None:
            raise ValueError("OnePay tells only what became of an order's payment")
        unnumbered = payment.transaction == f"0/{payment.order_code}"
        fields = {
            "vpc_Amount": payment.amount_text or str(payment.amount_vnd * HUNDREDTHS),
            "vpc_Command": "pay",
            "vpc_CurrencyCode": "VND",
            "vpc_Locale": "vn",
            "vpc_MerchTxnRef": payment.order_code,
            "vpc_Merchant": terms.merchant,
            "vpc_OrderInfo": payment.memo,
            "vpc_TransactionNo": "0" if unnumbered else payment.transaction,
            "vpc_TxnResponseCode": codes[payment.status],
            "vpc_Version": "2",
        }
        return Call(
            method="GET",
            path=f"/callbacks/onepay/{terms.merchant}",
            raw_query=_signed_query(fields, terms).encode(),
        )

    def accepts(self, status: int, body: bytes) -> bool:
        """HTTP 200 with `responsecode=1`."""
        return status == HTTPStatus.OK and b"responsecode=1" in body.split(b"&")

    def order_of_link(self, call: Call, terms: Terms, now: datetime) -> Order:
        """The order in a checkout link; ValueError where it is not signed, or not ours."""
        try:
            fields = _authentic(call, terms)
        except Rejected as rejected:
            raise ValueError(rejected.detail) from None
        amount_vnd, _ = _amount_of(fields)
        if amount_vnd is None or fields.get("vpc_Command") != "pay":
            raise ValueError("no order to pay")
        return Order(
            order_code=key_of(fields.get("vpc_MerchTxnRef")),
            amount_vnd=amount_vnd,
            opened_at=now,
            description=fields.get("vpc_OrderInfo", ""),
            return_url=fields.get("vpc_ReturnURL", ""),
        )

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """Not found: no API of OnePay is documented."""
        del call, shop, terms, now
        return Answer(status=404, media_type=_TEXT, body=b"")


ADAPTER: Final = Onepay()


def _authentic(call: Call, terms: Terms) -> Mapping[str, str]:
    """The signed parameters of a call that proves itself; Rejected for any other."""
    if call.method not in ADAPTER.methods:
        raise Rejected("malformed", "neither GET nor POST")
    parts = [call.raw_query] + [call.body] * (call.method == "POST")
    form = b"&".join(part for part in parts if part)
    if len(form) > FORM_BYTES_MAX or form.count(b"&") >= PARAMETERS_MAX:
        raise Rejected("malformed", "too long, or too many parameters")
    raw, fields = _fields(form)
    hint = _hint(fields)
    if raw is None:
        raise Rejected("forged", "a parameter is repeated, or could be cut in two", hint=hint)
    keys = [secret for secret in terms.secrets if _HEX.fullmatch(secret)]
    if not is_signed(fields.get("vpc_SecureHash", ""), keys, [raw], _digest):
        raise Rejected("forged", "the signature does not fit", hint=hint)
    if fields.get("vpc_Merchant") != terms.merchant:
        raise Rejected("forged", "signed for another merchant", hint=hint)
    return fields


def _fields(form: bytes) -> tuple[bytes | None, Mapping[str, str]]:
    """The text that is signed, and its parameters; None for a text that is not believed.

    Values are signed as they are, with nothing escaped: `a&vpc_X=1` in one value reads like a
    second parameter, and whoever may choose such a value could have one signature say two things.
    So no value may hold what begins a parameter, no name anything but letters, digits and `_`, and
    none may come twice: of all ways to cut one signed text, at most the finest is believed. Where
    OnePay itself signed such a value, the finest cut repeats each parameter that OnePay's message
    had besides; order, amount, merchant and result are in each, so none of them can be changed.
    `&` and `=` alone do no harm: `A&B=C` begins nothing that would be signed.
    """
    found: dict[bytes, bytes] = {}
    true = True
    for piece in form.split(b"&"):
        key, _, value = piece.replace(b"+", b" ").partition(b"=")
        name = unquote_to_bytes(key)
        if not name.startswith(_OURS):
            continue
        true = true and name not in found and bool(_SIGNED.fullmatch(name))
        found.setdefault(name, unquote_to_bytes(value))
    fields = {
        name.decode("ascii", "replace"): clean(value.decode("utf-8", "replace"))
        for name, value in found.items()
    }
    cut = any(_CUT.search(value.decode("latin-1")) for value in found.values())
    message = b"&".join(
        name + b"=" + value
        for name, value in sorted(found.items())
        if value and name.decode("ascii", "replace") not in _UNSIGNED
    )
    return message if true and not cut else None, fields


def _digest(secret: Secret, message: bytes) -> str:
    """HMAC-SHA256 in capitals; the key is what the secret's hexadecimal digits say."""
    return hmac.new(bytes.fromhex(secret), message, hashlib.sha256).hexdigest().upper()


def _signed_query(fields: Mapping[str, str], terms: Terms) -> str:
    if not terms.secrets or not _HEX.fullmatch(terms.secrets[0]):
        raise ValueError("the hash key is not written in hexadecimal digits")
    filled = {name: value for name, value in sorted(fields.items()) if value}
    message = "&".join(f"{name}={value}" for name, value in filled.items())
    digest = _digest(terms.secrets[0], message.encode())
    return urlencode({**filled, "vpc_SecureHash": digest})


def _amount_of(fields: Mapping[str, str]) -> tuple[int | None, str]:
    """Whole đồng of vpc_Amount (đồng x 100), or None; and the text for the key."""
    text = fields.get("vpc_Amount", "")[:KEY_CHARS_MAX]
    currency = fields.get("vpc_CurrencyCode") or fields.get("vpc_Currency") or "VND"
    if currency != "VND":
        return None, f"{text} {currency[:8]}"
    hundredths = whole_vnd(text) if text.isdecimal() else None
    if hundredths is None or hundredths % HUNDREDTHS:
        return None, text
    return hundredths // HUNDREDTHS, text


def _hint(fields: Mapping[str, str]) -> Hint:
    amount_vnd, _ = _amount_of(fields)
    return Hint(
        reference=fields.get("vpc_MerchTxnRef", "")[:KEY_CHARS_MAX] or None,
        amount_vnd=amount_vnd,
        transaction=fields.get("vpc_TransactionNo", "")[:KEY_CHARS_MAX] or None,
    )
