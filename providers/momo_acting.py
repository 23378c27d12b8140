"""MoMo's own side: its IPNs, and the answers of its API.

Source: as `providers.momo_dialect`. What the pages leave open is said where it is decided.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from providers.acting import Order, Payment, Refund, Shop
from providers.contract import Answer, Call, Status, Terms
from providers.momo_dialect import (
    AUTHORIZED,
    CREATE_FIELDS,
    CREATE_PATH,
    DEFAULT_REFUND_QUERY_PATH,
    IPN_FIELDS,
    NO_SUCH_ORDER,
    ONE_STEP,
    PAID,
    QUERY_FIELDS,
    QUERY_PATH,
    REFUND_FIELDS,
    REFUND_PATH,
    REFUND_QUERY_PATH,
    SANDBOX,
    signature_of,
)
from providers.signing import same
from providers.untrusted import json_object, whole_vnd
from providers.wallet_numbers import integer_text, is_on, milliseconds_of, option_text, raw_text

PENDING: Final = "1000"
EXPIRED: Final = "1005"
BAD_FORMAT: Final = "20"
WRONG_SIGNATURE: Final = "13"
REPEATED_REQUEST: Final = "40"
REPEATED_ORDER: Final = "41"
PROCESSING: Final = "7002"
REFUND_FAILED: Final = "1080"
TOO_MUCH: Final = "1081"
NOT_REFUNDABLE: Final = "1088"
FIRST_REFUND: Final = 900_000_000_000_000
"""Numbers of refunds begin here, so that none is the number of a payment."""
NO_CONTENT: Final = 204

_CODES: Final[Mapping[Status, str]] = MappingProxyType(
    {
        "paid": PAID,
        "authorized": AUTHORIZED,
        "pending": "7000",
        "failed": "1001",
        "cancelled": "1006",
        "expired": EXPIRED,
    }
)
_REFUND_CODES: Final = MappingProxyType(
    {"done": PAID, "processing": PROCESSING, "failed": REFUND_FAILED}
)
_MONEY: Final = frozenset({"paid", "authorized"})

Asked = Mapping[str, str]
Told = dict[str, object]


class MomoActing:
    """What the adapter can do as MoMo: see `providers.acting`."""

    retry_waits: Sequence[timedelta] = ()
    """MoMo publishes no retries, and its maintainers speak of one delivery."""

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The IPN about `payment`; ValueError for a refund, without an order or without a key."""
        del now  # an IPN does not say when it was sent
        if payment.status not in _CODES or payment.order_code is None:
            raise ValueError("MoMo tells only what became of an order's payment")
        if payment.status == "authorized" and is_on(terms, ONE_STEP):
            raise ValueError("in the one-step flow nothing is authorised only")
        fields = {
            "partnerCode": terms.merchant,
            "orderId": payment.order_code,
            "requestId": payment.order_code,
            "amount": payment.amount_text or str(payment.amount_vnd),
            "orderInfo": payment.memo,
            "orderType": "momo_wallet",
            "transId": _number(payment),
            "resultCode": _CODES[payment.status],
            "message": "Thành công." if payment.status == "paid" else "Giao dịch chưa thành công.",
            "payType": "qr",
            "responseTime": str(milliseconds_of(payment.paid_at)),
            "extraData": "",
        }
        body: Told = {name: _written(name, value) for name, value in fields.items()}
        body["signature"] = signature_of(fields, IPN_FIELDS, terms)
        return Call(
            method="POST",
            path=f"/callbacks/momo/{terms.merchant}",
            headers=(("Content-Type", "application/json; charset=UTF-8"),),
            body=_json(body),
        )

    def accepts(self, status: int, body: bytes) -> bool:
        """HTTP 204, and nothing else."""
        del body
        return status == NO_CONTENT

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """`create`, `query`, `refund` and `refund/query`."""
        known: dict[str, tuple[Sequence[str], Callable[[Asked, Shop, datetime], Told]]] = {
            CREATE_PATH: (CREATE_FIELDS, _create),
            QUERY_PATH: (QUERY_FIELDS, _query),
            REFUND_PATH: (REFUND_FIELDS, _refund),
            option_text(terms, REFUND_QUERY_PATH, DEFAULT_REFUND_QUERY_PATH): (
                QUERY_FIELDS,
                _query_refund,
            ),
        }
        path = next((path for path in known if call.path.endswith(path)), None)
        if call.method != "POST" or path is None:
            return Answer(status=404, media_type="text/plain", body=b"")
        names, act = known[path]
        try:
            found = json_object(call.body)
        except ValueError:
            return _answer({"resultCode": BAD_FORMAT}, {}, now)
        numbers = {"amount", "transId"}
        asked = {
            name: integer_text(found.get(name)) if name in numbers else raw_text(found.get(name))
            for name in {*names, "signature", "orderInfo", "redirectUrl", "ipnUrl"}
        }
        if not _is_true(asked, names, terms):
            return _answer({"resultCode": WRONG_SIGNATURE}, asked, now)
        return _answer(act(asked, shop, now), asked, now)


def _is_true(asked: Asked, names: Sequence[str], terms: Terms) -> bool:
    """Whether a request is signed with the partner's first secret, and is this partner's."""
    right = signature_of(asked, names, terms)
    return asked["partnerCode"] == terms.merchant and same(asked["signature"], right)


def _create(asked: Asked, shop: Shop, now: datetime) -> Told:
    order_id, request_id = asked["orderId"], asked["requestId"]
    amount_vnd = whole_vnd(asked["amount"])
    if not order_id or not request_id or amount_vnd is None:
        return {"resultCode": BAD_FORMAT}
    heard = shop.orders.get(order_id)
    if heard is None and any(one.request_id == request_id for one in shop.orders.values()):
        return {"resultCode": REPEATED_REQUEST}
    if heard is not None and heard.request_id != request_id:
        return {"resultCode": REPEATED_ORDER}
    if heard is not None and heard.amount_vnd != amount_vnd:
        return {"resultCode": REPEATED_REQUEST}
    shop.orders[order_id] = heard or Order(
        order_code=order_id,
        amount_vnd=amount_vnd,
        opened_at=now,
        description=asked["orderInfo"],
        return_url=asked["redirectUrl"],
        callback_url=asked["ipnUrl"],
        request_id=request_id,
    )
    page = f"{shop.page or SANDBOX + '/v2/gateway/pay'}/{order_id}"
    return {"resultCode": PAID, "amount": amount_vnd, "payUrl": page}


def _query(asked: Asked, shop: Shop, now: datetime) -> Told:
    """What became of an order: its newest payment, money first, else that it waits."""
    order_id = asked["orderId"]
    order, payments = shop.orders.get(order_id), shop.of_order(order_id)
    if order is None and not payments:
        return {"resultCode": NO_SUCH_ORDER}
    told: Told = {"extraData": "", "payType": "", "refundTrans": []}
    if not payments:
        ended = order is not None and order.expires_at is not None and order.expires_at <= now
        amount_vnd = order.amount_vnd if order is not None else 0
        code = EXPIRED if ended else PENDING
        return told | {"resultCode": code, "amount": amount_vnd, "transId": 0}
    payment = ([one for one in payments if one.status in _MONEY] or payments)[-1]
    refunds = [one for one in shop.refunds.values() if one.of_transaction == payment.transaction]
    return told | {
        "resultCode": _CODES.get(payment.status, PENDING),
        "amount": _written("amount", payment.amount_text or str(payment.amount_vnd)),
        "transId": _written("transId", _number(payment)),
        "payType": "qr",
        # That the answer bears the time of the payment is assumed.
        "responseTime": milliseconds_of(payment.paid_at),
        "refundTrans": [_entry(one) for one in refunds],
    }


def _refund(asked: Asked, shop: Shop, now: datetime) -> Told:
    """Give a payment back, whole or in part; the same request again is the same refund."""
    request_id, name = asked["requestId"], asked["orderId"]
    amount_vnd = whole_vnd(asked["amount"])
    heard = shop.refunds.get(request_id)
    if heard is None:
        paid = [
            one
            for one in shop.payments
            if one.status == "paid" and one.transaction == asked["transId"]
        ]
        if not paid or amount_vnd is None:
            return {"resultCode": NOT_REFUNDABLE, "amount": amount_vnd or 0}
        if not name or name in _names(shop):
            return {"resultCode": REPEATED_ORDER}
        given_vnd = sum(
            one.amount_vnd
            for one in shop.refunds.values()
            if one.of_transaction == asked["transId"] and one.state != "failed"
        )
        if given_vnd + amount_vnd > paid[-1].amount_vnd:
            return {"resultCode": TOO_MUCH, "amount": amount_vnd}
        heard = Refund(
            request_id=request_id,
            order_code=paid[-1].order_code or "",
            transaction=str(FIRST_REFUND + len(shop.refunds)),
            of_transaction=asked["transId"],
            amount_vnd=amount_vnd,
            asked_at=now,
            name=name,
        )
        shop.refunds[request_id] = heard
    asked_again = (name, amount_vnd, asked["transId"])
    if asked_again != (heard.name, heard.amount_vnd, heard.of_transaction):
        return {"resultCode": REPEATED_REQUEST}
    return _entry(heard)


def _names(shop: Shop) -> set[str | None]:
    """The orderIds that are taken: a refund has one of its own."""
    paid = {one.order_code for one in shop.payments}
    return paid | set(shop.orders) | {one.name for one in shop.refunds.values()}


def _query_refund(asked: Asked, shop: Shop, now: datetime) -> Told:
    del now  # a refund does not expire
    for refund in shop.refunds.values():
        if refund.name == asked["orderId"]:
            return _entry(refund) | {"refundTrans": [_entry(refund)]}
    return {"resultCode": NO_SUCH_ORDER}


def _entry(refund: Refund) -> Told:
    return {
        "orderId": refund.name,
        "amount": refund.amount_vnd,
        "resultCode": int(_REFUND_CODES[refund.state]),
        "transId": int(refund.transaction),
        "createdTime": milliseconds_of(refund.asked_at),
    }


def _number(payment: Payment) -> str:
    """A payment's transId; 0 for an attempt that got none (see `momo_dialect.claim_of`)."""
    return "0" if payment.transaction == f"0/{payment.order_code}" else payment.transaction


def _written(name: str, value: str) -> object:
    """A field as MoMo writes it: its numbers as numbers, where they are some."""
    is_number = name in {"amount", "transId", "resultCode", "responseTime"}
    plain = value.isascii() and value.isdecimal() and (value == "0" or value[0] != "0")
    return int(value) if is_number and plain else value


def _answer(told: Told, asked: Asked, now: datetime) -> Answer:
    """An answer about what was asked; every one is unsigned."""
    code = int(str(told["resultCode"]))
    body = {
        "partnerCode": asked.get("partnerCode", ""),
        "orderId": asked.get("orderId", ""),
        "requestId": asked.get("requestId", ""),
        "responseTime": milliseconds_of(now),
        "message": "Thành công." if code == 0 else f"resultCode {code}",
        **told,
        "resultCode": code,
    }
    bad = code in {int(BAD_FORMAT), int(WRONG_SIGNATURE)}
    return Answer(status=400 if bad else 200, media_type="application/json", body=_json(body))


def _json(found: Mapping[str, object]) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
