"""ZaloPay's `create` and `query`: what we ask, and what its answers mean.

ZaloPay signs no answer, and its answers do not even name the order: they are trusted as far as TLS
goes. Source: as `providers.zalopay_dialect`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

from providers.abilities import Checkout, CheckoutOrder, SignedRequest, StatusQuestion
from providers.contract import AMOUNT_VND_MAX, Claim, Rejected, Status, Terms, Unanswered
from providers.untrusted import (
    KEY_CHARS_MAX,
    clean,
    json_object,
    key_of,
    plain_ascii,
    text_of,
    whole_vnd,
)
from providers.wallet_numbers import (
    integer_text,
    is_page,
    milliseconds_of,
    moment_of,
    option_text,
    raw_text,
    transaction_text,
)
from providers.zalopay_dialect import (
    APP_USER,
    CANCELLED,
    CREATE_FIELDS,
    CREATE_PATH,
    ERRORS,
    FAILED,
    ORDER_CODE_CHARS_MAX,
    ORDER_UNKNOWN,
    PROCESSING,
    QUERY_PATH,
    SANDBOX,
    SUCCESS,
    UNKNOWN,
    key1_of,
    question_signature,
    signature_of,
)

ANSWER_BYTES_MAX = 262_144
DESCRIPTION_CHARS_MAX = 256
APP_USER_CHARS_MAX = 50
EXPIRY_MIN_S, EXPIRY_MAX_S = 300, 2_592_000
"""ZaloPay takes no shorter and no longer life of an order."""
MESSAGE_CHARS_MAX = 200


def checkout_request(order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `create`; ValueError for an order that ZaloPay would refuse.

    The same order again is refused by ZaloPay: an app_trans_id opens one order.
    """
    if not 0 < order.amount_vnd <= AMOUNT_VND_MAX:
        raise ValueError("no amount to pay")
    if order.expires_at <= now:
        raise ValueError("the order has expired")
    if len(order.order_code) > ORDER_CODE_CHARS_MAX:
        raise ValueError(f"an app_trans_id has at most {ORDER_CODE_CHARS_MAX} characters")
    left_s = int((order.expires_at - order.ordered_at).total_seconds())
    shown = {"redirecturl": order.return_url} if order.return_url else {}
    fields = {
        "app_id": terms.merchant,
        "app_trans_id": key_of(order.order_code),
        "app_user": option_text(terms, APP_USER, "doisoat")[:APP_USER_CHARS_MAX],
        "amount": str(order.amount_vnd),
        "app_time": str(milliseconds_of(order.ordered_at)),
        "embed_data": json.dumps(shown, separators=(",", ":")),
        "item": "[]",
        "description": plain_ascii(order.description, DESCRIPTION_CHARS_MAX) or order.order_code,
        "bank_code": order.bank_code,
        "callback_url": order.callback_url,
        "expire_duration_seconds": str(min(max(left_s, EXPIRY_MIN_S), EXPIRY_MAX_S)),
    }
    return post(terms, CREATE_PATH, fields, signature_of(fields, CREATE_FIELDS, key1_of(terms)))


def read_checkout(body: bytes) -> Checkout:
    """The page that ZaloPay opened; Unanswered with its code where it opened none."""
    found, code, detail = read_answer(body)
    if code != SUCCESS:
        raise Unanswered(detail or code, message_of(found))
    page = raw_text(found.get("order_url"))
    if not is_page(page):
        raise Rejected("malformed", "no page to pay at")
    token = text_of(found.get("zp_trans_token"))[:KEY_CHARS_MAX]
    return Checkout(url=page, provider_reference=token or None)


def status_request(question: StatusQuestion, terms: Terms) -> SignedRequest:
    """The signed `query`."""
    order_code = key_of(question.order_code)
    mac = question_signature(terms.merchant, order_code, key1_of(terms))
    return post(terms, QUERY_PATH, {"app_id": terms.merchant, "app_trans_id": order_code}, mac)


def read_status(body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
    """What became of an order; an amount other than ordered is told as it is, never mended.

    Where no money moved ZaloPay may name no amount: then it is the one that was ordered.
    """
    found, code, detail = read_answer(body)
    _is_not_about_another(found, question, terms)
    if code == FAILED and detail == option_text(terms, ORDER_UNKNOWN, UNKNOWN):
        return ()
    if code not in {SUCCESS, FAILED, PROCESSING} or (code == FAILED and detail in ERRORS):
        raise Unanswered(detail if detail in ERRORS else code, message_of(found))
    status = _status(found, code, detail)
    unpaid = f"0/{question.order_code}"
    try:
        number = integer_text(found.get("zp_trans_id"))
        transaction = key_of(transaction_text(number, unpaid))
    except ValueError:
        raise Rejected("malformed", "no transaction number") from None
    if status == "paid" and transaction == unpaid:
        raise Rejected("malformed", "money without a transaction number")
    amount = integer_text(found.get("amount"))
    amount_vnd = whole_vnd(amount)
    if amount_vnd is None and status != "paid" and question.amount_vnd is not None:
        amount_vnd, amount = question.amount_vnd, str(question.amount_vnd)
    return (
        Claim(
            transaction=transaction,
            status=status,
            reference=question.order_code,
            amount_vnd=amount_vnd,
            amount_text=clean(amount[:KEY_CHARS_MAX]),
            happened_at=moment_of(integer_text(found.get("server_time"))),
            kind="gateway",
            scope=question.order_code,
        ),
    )


def _status(found: Mapping[str, object], code: str, detail: str) -> Status:
    is_processing = found.get("is_processing")
    if code == PROCESSING or is_processing is True or raw_text(is_processing).lower() == "true":
        return "pending"
    if code == SUCCESS:
        return "paid"
    return "cancelled" if detail == CANCELLED else "failed"


def post(terms: Terms, path: str, fields: Mapping[str, str], mac: str) -> SignedRequest:
    """A request as a form, the way of the official samples."""
    return SignedRequest(
        method="POST",
        url=(terms.api_address or SANDBOX).rstrip("/") + path,
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body=urlencode({**fields, "mac": mac}).encode(),
    )


def read_answer(body: bytes) -> tuple[Mapping[str, object], str, str]:
    """An answer, its return_code and its sub_return_code; Rejected where it has no code."""
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    code = integer_text(found.get("return_code"))
    detail = integer_text(found.get("sub_return_code"))
    if not code.removeprefix("-").isdecimal() or len(code) > KEY_CHARS_MAX:
        raise Rejected("malformed", "no return code")
    return found, code, clean(detail[:KEY_CHARS_MAX])


def message_of(found: Mapping[str, object]) -> str:
    """What ZaloPay says in words, cut to MESSAGE_CHARS_MAX."""
    told = text_of(found.get("sub_return_message")) or text_of(found.get("return_message"))
    return told[:MESSAGE_CHARS_MAX]


def _is_not_about_another(
    found: Mapping[str, object], question: StatusQuestion, terms: Terms
) -> None:
    """Rejected where an answer names another app or order; the documented ones name none."""
    for name, expected in (("app_id", terms.merchant), ("app_trans_id", question.order_code)):
        if integer_text(found.get(name)) not in {"", expected}:
            raise Rejected("forged", f"the answer has another {name}")
