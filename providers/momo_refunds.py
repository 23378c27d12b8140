"""MoMo's `refund` and `refund/query`: money given back under an orderId of its own.

The answers are as unsigned as those of `providers.momo_api`. An error, or a code that MoMo's page
does not have, never says that nothing was given back: it is to be asked about.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from providers.abilities import RefundOrder, SignedRequest
from providers.contract import Claim, Rejected, Status, Terms, Unanswered
from providers.momo_api import (
    check_about,
    check_not_about_another,
    code_of,
    message_of,
    post,
    read_answer,
    request_id_of,
)
from providers.momo_dialect import (
    DEFAULT_REFUND_QUERY_PATH,
    ERRORS,
    NO_SUCH_ORDER,
    ORDER_INFO_CHARS_MAX,
    QUERY_FIELDS,
    REFUND_FIELDS,
    REFUND_PATH,
    REFUND_QUERY_PATH,
    refund_order_id,
    status_of,
)
from providers.untrusted import key_of, plain_ascii
from providers.wallet_numbers import (
    integer_text,
    moment_of,
    option_text,
    raw_text,
    transaction_text,
)

REFUND_VND_MIN, REFUND_VND_MAX = 1_000, 50_000_000
"""For a payment by domestic card MoMo takes refunds from 10,000 đồng only, and says so itself."""
REFUND_ID_CHARS_MAX = 39
"""A question about a refund adds eleven characters to its request id."""
REFUNDS_MAX = 1_000
"""Refunds of one payment that an answer may list."""

_REFUND_STATUSES: Final[Mapping[Status, Status]] = MappingProxyType(
    {
        "paid": "refunded",
        "pending": "refund_processing",
        "authorized": "refund_processing",
    }
)


def refund_request(order: RefundOrder, terms: Terms) -> SignedRequest:
    """The signed `refund`; ValueError where MoMo's number is unknown, or for its limits."""
    if not REFUND_VND_MIN <= order.amount_vnd <= REFUND_VND_MAX:
        raise ValueError(f"MoMo gives back {REFUND_VND_MIN} to {REFUND_VND_MAX} đồng")
    number = order.transaction or ""
    if not number.isdecimal() or not number.isascii():
        raise ValueError("MoMo gives back by its own transaction number, which is not known")
    request_id = request_id_of(order.request_id, REFUND_ID_CHARS_MAX)
    fields = {
        "partnerCode": terms.merchant,
        "orderId": refund_order_id(request_id),
        "requestId": request_id,
        "amount": str(order.amount_vnd),
        "transId": number,
        "description": plain_ascii(order.description, ORDER_INFO_CHARS_MAX),
    }
    return post(terms, REFUND_PATH, REFUND_FIELDS, fields)


def read_refund(body: bytes, order: RefundOrder, terms: Terms) -> Claim:
    """What MoMo does about a refund.

    Unanswered for an error: the same request id may be sent again, or asked about.
    """
    found, code = read_answer(body)
    if code in ERRORS or code == NO_SUCH_ORDER:
        raise Unanswered(code, message_of(found))
    check_about(found, terms, refund_order_id(order.request_id), order.request_id)
    return _refund_claim(found, code, order, terms)


def refund_question(order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `refund/query`, under a request id that is new each second."""
    request_id = request_id_of(order.request_id, REFUND_ID_CHARS_MAX)
    fields = {
        "partnerCode": terms.merchant,
        "requestId": f"{request_id}-{int(now.timestamp())}",
        "orderId": refund_order_id(request_id),
    }
    path = option_text(terms, REFUND_QUERY_PATH, DEFAULT_REFUND_QUERY_PATH)
    return post(terms, path, QUERY_FIELDS, fields)


def read_refund_answer(body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
    """What became of a refund; None: MoMo never heard of it.

    Where the answer lists refunds, only the entry under our refund's own orderId is ours.
    """
    found, code = read_answer(body)
    refund_id = refund_order_id(order.request_id)
    if code in ERRORS:
        raise Unanswered(code, message_of(found))
    if code == NO_SUCH_ORDER:
        check_not_about_another(found, terms, refund_id)
        return None
    check_about(found, terms, refund_id, None)
    if not raw_text(found.get("requestId")).startswith(f"{order.request_id}-"):
        raise Rejected("forged", "the answer to another question")
    listed = found.get("refundTrans")
    if isinstance(listed, list) and listed:
        entry = _entry_of(listed, refund_id)
        if entry is None:
            raise Unanswered(code, "the list has no such refund")
        found, code = entry, code_of(entry)
    return _refund_claim(found, code, order, terms)


def _entry_of(listed: Sequence[object], refund_id: str) -> Mapping[str, object] | None:
    for one in listed[:REFUNDS_MAX]:
        if isinstance(one, dict) and raw_text(one.get("orderId")) == refund_id:
            return one
    return None


def _refund_claim(
    found: Mapping[str, object], code: str, order: RefundOrder, terms: Terms
) -> Claim:
    if code in ERRORS or code == NO_SUCH_ORDER:
        raise Unanswered(code, message_of(found))
    told = status_of(code, terms)
    status = _REFUND_STATUSES.get(told, "refund_failed")
    amount = integer_text(found.get("amount"))
    if amount != str(order.amount_vnd) and (status == "refunded" or amount.strip("0")):
        raise Rejected("forged", "the answer is about another amount")
    unknown = f"0/{refund_order_id(order.request_id)}"
    try:
        transaction = key_of(transaction_text(integer_text(found.get("transId")), unknown))
    except ValueError:
        raise Rejected("malformed", "no transaction number") from None
    times = (integer_text(found.get(name)) for name in ("createdTime", "responseTime"))
    return Claim(
        transaction=transaction,
        status=status,
        reference=order.order_code,
        amount_vnd=order.amount_vnd,
        amount_text=str(order.amount_vnd),
        happened_at=next((at for text in times if (at := moment_of(text)) is not None), None),
        kind="gateway",
        scope=order.order_code,
    )
