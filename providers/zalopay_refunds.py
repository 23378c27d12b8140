"""ZaloPay's `refund` and `query_refund`: money given back under a name of its own.

The answers are as unsigned as those of `providers.zalopay_api`, and name no amount. A refund is
asynchronous: its question decides. An error never says that nothing was given back.
"""

import hashlib
from datetime import datetime
from typing import Final

from providers.abilities import RefundOrder, SignedRequest
from providers.contract import AMOUNT_VND_MAX, Claim, Rejected, Status, Terms, Unanswered
from providers.untrusted import key_of, plain_ascii
from providers.wallet_numbers import (
    integer_text,
    is_on,
    milliseconds_of,
    option_text,
    transaction_text,
)
from providers.zalopay_api import message_of, post, read_answer
from providers.zalopay_dialect import (
    ERRORS,
    FAILED,
    PROCESSING,
    QUERY_REFUND_FIELDS,
    QUERY_REFUND_PATH,
    REFUND_AT_ONCE,
    REFUND_FIELDS,
    REFUND_ID_CHARS_MAX,
    REFUND_PATH,
    REFUND_UNKNOWN,
    SUCCESS,
    UNKNOWN,
    dated,
    key1_of,
    signature_of,
)

DESCRIPTION_CHARS_MAX = 100
DIGITS: Final = 20
HEARD_BEFORE: Final = "-23"
"""The m_refund_id was used: the refund is to be asked about, not to be given up."""


def refund_id_of(order: RefundOrder, app_id: str) -> str:
    """The m_refund_id, `yymmdd_appid_…`: equal for repeats, since it follows from request and date.

    ValueError for an app_id that leaves no room.
    """
    digest = int.from_bytes(hashlib.sha256(order.request_id.encode()).digest())
    refund_id = f"{dated(order.asked_at)}_{app_id}_{digest % 10**DIGITS:0{DIGITS}d}"
    if len(refund_id) > REFUND_ID_CHARS_MAX:
        raise ValueError("the app_id is too long")
    return refund_id


def refund_request(order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `refund`; ValueError where ZaloPay's number of the payment is unknown."""
    if not 0 < order.amount_vnd <= AMOUNT_VND_MAX:
        raise ValueError("nothing to give back")
    number = order.transaction or ""
    if not number or number.startswith("0/"):
        raise ValueError("ZaloPay gives back by its own transaction number, which is not known")
    fields = {
        "app_id": terms.merchant,
        "m_refund_id": refund_id_of(order, terms.merchant),
        "zp_trans_id": key_of(number),
        "amount": str(order.amount_vnd),
        "timestamp": str(milliseconds_of(now)),
        "description": plain_ascii(order.description, DESCRIPTION_CHARS_MAX) or order.order_code,
    }
    return post(terms, REFUND_PATH, fields, signature_of(fields, REFUND_FIELDS, key1_of(terms)))


def read_refund(body: bytes, order: RefundOrder, terms: Terms) -> Claim:
    """What ZaloPay does about a refund.

    Success only says that it was taken, unless the option `refund_at_once` says otherwise.
    """
    done: Status = "refunded" if is_on(terms, REFUND_AT_ONCE) else "refund_processing"
    return _claim(body, order, terms, done)


def refund_question(order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `query_refund`."""
    fields = {
        "app_id": terms.merchant,
        "m_refund_id": refund_id_of(order, terms.merchant),
        "timestamp": str(milliseconds_of(now)),
    }
    mac = signature_of(fields, QUERY_REFUND_FIELDS, key1_of(terms))
    return post(terms, QUERY_REFUND_PATH, fields, mac)


def read_refund_answer(body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
    """What became of a refund; None: ZaloPay never heard of it."""
    _, code, detail = read_answer(body)
    if code == FAILED and detail == option_text(terms, REFUND_UNKNOWN, UNKNOWN):
        return None
    return _claim(body, order, terms, "refunded")


def _claim(body: bytes, order: RefundOrder, terms: Terms, done: Status) -> Claim:
    found, code, detail = read_answer(body)
    if code not in {SUCCESS, FAILED, PROCESSING} or (code == FAILED and detail in ERRORS):
        raise Unanswered(detail if detail in ERRORS else code, message_of(found))
    is_under_way = code == PROCESSING or detail == HEARD_BEFORE
    status: Status = "refund_processing" if is_under_way else "refund_failed"
    try:
        unknown = f"0/{refund_id_of(order, terms.merchant)}"
        transaction = key_of(transaction_text(integer_text(found.get("refund_id")), unknown))
    except ValueError:
        raise Rejected("malformed", "no transaction number") from None
    return Claim(
        transaction=transaction,
        status=done if code == SUCCESS else status,
        reference=order.order_code,
        amount_vnd=order.amount_vnd,
        amount_text=str(order.amount_vnd),
        happened_at=None,
        kind="gateway",
        scope=order.order_code,
    )
