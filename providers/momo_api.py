"""MoMo's `create` and `query`: what we ask, and what its answers mean.

MoMo does not sign its answers: they are trusted as far as TLS goes, and only where they name the
partner, the order and the request that were asked about. Source: as `providers.momo_dialect`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from providers.abilities import Checkout, CheckoutOrder, SignedRequest, StatusQuestion
from providers.contract import Claim, Hint, Rejected, Terms, Unanswered
from providers.momo_dialect import (
    CREATE_FIELDS,
    CREATE_PATH,
    ERRORS,
    NO_SUCH_ORDER,
    ORDER_INFO_CHARS_MAX,
    ORDER_MAX,
    PAID,
    QUERY_FIELDS,
    QUERY_PATH,
    REQUEST_ID_CHARS_MAX,
    REQUEST_TYPE,
    SANDBOX,
    claim_of,
    fields_of,
    order_id_of,
    signature_of,
)
from providers.untrusted import KEY_CHARS_MAX, clean, json_object, plain_ascii, whole_vnd
from providers.wallet_numbers import integer_text, is_page, moment_of, option_text, raw_text

ANSWER_BYTES_MAX = 262_144
ORDER_VND_MIN = 1_000
DEFAULT_ORDER_VND_MAX = 50_000_000
MESSAGE_CHARS_MAX = 200

_MONEY = frozenset({"paid", "authorized"})


def checkout_request(order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `create`; ValueError for an order that MoMo would refuse."""
    largest_vnd = whole_vnd(option_text(terms, ORDER_MAX, "")) or DEFAULT_ORDER_VND_MAX
    if not ORDER_VND_MIN <= order.amount_vnd <= largest_vnd:
        raise ValueError(f"MoMo takes {ORDER_VND_MIN} to {largest_vnd} đồng")
    if order.expires_at <= now:
        raise ValueError("the order has expired")
    if any(mark in order.callback_url for mark in "?#&="):
        raise ValueError("MoMo calls no address with a query")
    order_id = order_id_of(order.order_code)
    fields = {
        "partnerCode": terms.merchant,
        "requestId": request_id_of(order.request_id, REQUEST_ID_CHARS_MAX),
        "amount": str(order.amount_vnd),
        "orderId": order_id,
        # Without `&` and `=`: the signed text can be read in one way only.
        "orderInfo": plain_ascii(order.description, ORDER_INFO_CHARS_MAX) or order_id,
        "redirectUrl": order.return_url,
        "ipnUrl": order.callback_url,
        "extraData": "",
        "requestType": option_text(terms, REQUEST_TYPE, "captureWallet"),
    }
    return post(terms, CREATE_PATH, CREATE_FIELDS, fields, lang=order.locale)


def read_checkout(body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
    """The page that MoMo opened; Unanswered with its code where it opened none."""
    found, code = read_answer(body)
    if code != PAID:
        raise Unanswered(code, message_of(found))
    check_about(found, terms, order.order_code, order.request_id)
    if integer_text(found.get("amount")) != str(order.amount_vnd):
        raise Rejected("forged", "the answer is about another amount")
    page = raw_text(found.get("payUrl"))
    if not is_page(page):
        raise Rejected("malformed", "no page to pay at")
    return Checkout(url=page)


def status_request(question: StatusQuestion, terms: Terms) -> SignedRequest:
    """The signed `query`; its request id must be new: MoMo answers an old one as before."""
    fields = {
        "partnerCode": terms.merchant,
        "requestId": request_id_of(question.request_id, REQUEST_ID_CHARS_MAX),
        "orderId": order_id_of(question.order_code),
    }
    return post(terms, QUERY_PATH, QUERY_FIELDS, fields)


def read_status(body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
    """What became of an order; an amount other than ordered is told as it is, never mended."""
    found, code = read_answer(body)
    if code in ERRORS:
        raise Unanswered(code, message_of(found))
    if code == NO_SUCH_ORDER:
        check_not_about_another(found, terms, question.order_code)
        return ()
    check_about(found, terms, question.order_code, question.request_id)
    fields = fields_of(found)
    try:
        claim = claim_of(fields, terms)
    except ValueError as error:
        raise Rejected("malformed", str(error), hint=_hint(fields)) from None
    paid_at = moment_of(integer_text(found.get("lastUpdated"))) or claim.happened_at
    if claim.amount_vnd is None and claim.status not in _MONEY and question.amount_vnd is not None:
        amount_vnd = question.amount_vnd  # nothing moved, so MoMo need not say how much
        return (
            msgspec.structs.replace(
                claim, amount_vnd=amount_vnd, amount_text=str(amount_vnd), happened_at=paid_at
            ),
        )
    return (msgspec.structs.replace(claim, happened_at=paid_at),)


def post(
    terms: Terms, path: str, names: Sequence[str], fields: Mapping[str, str], lang: str = "vi"
) -> SignedRequest:
    """A signed request; its numbers are written as numbers and signed as text."""
    sent: dict[str, object] = {**fields, "lang": lang}
    for name in ("amount", "transId"):
        if name in fields:
            sent[name] = int(fields[name])
    sent["signature"] = signature_of(fields, names, terms)
    return SignedRequest(
        method="POST",
        url=(terms.api_address or SANDBOX).rstrip("/") + path,
        headers=(("Content-Type", "application/json; charset=UTF-8"),),
        body=json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def read_answer(body: bytes) -> tuple[Mapping[str, object], str]:
    """An answer and its result code; Rejected where it has none."""
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    return found, code_of(found)


def code_of(found: Mapping[str, object]) -> str:
    """The result code in digits; Rejected where there is none."""
    code = integer_text(found.get("resultCode"))
    if not code.isdecimal() or len(code) > KEY_CHARS_MAX:
        raise Rejected("malformed", "no result")
    return code


def check_about(
    found: Mapping[str, object], terms: Terms, order_id: str, request_id: str | None
) -> None:
    """Rejected where the answer is not about this order, partner and request."""
    asked = {"partnerCode": terms.merchant, "orderId": order_id}
    if request_id is not None:
        asked["requestId"] = request_id
    for name, expected in asked.items():
        if raw_text(found.get(name)) != expected:
            raise Rejected("forged", f"the answer has another {name}")


def check_not_about_another(found: Mapping[str, object], terms: Terms, order_id: str) -> None:
    """As `check_about`, for a refusal, which may leave the names out."""
    for name, expected in (("partnerCode", terms.merchant), ("orderId", order_id)):
        if raw_text(found.get(name)) not in {"", expected}:
            raise Rejected("forged", f"the answer has another {name}")


def request_id_of(text: str, chars_max: int) -> str:
    """A request id that MoMo takes, as it is; ValueError for another."""
    if len(text) > chars_max:
        raise ValueError(f"a request id has at most {chars_max} characters")
    return order_id_of(text)


def message_of(found: Mapping[str, object]) -> str:
    """What MoMo says in words, cut to MESSAGE_CHARS_MAX."""
    return clean(raw_text(found.get("message")))[:MESSAGE_CHARS_MAX]


def _hint(fields: Mapping[str, str]) -> Hint:
    return Hint(reference=fields["orderId"], amount_vnd=whole_vnd(fields["amount"]))
