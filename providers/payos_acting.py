"""payOS' side: webhooks signed and its API answered, for the simulator and the tests.

What an answer says where payOS documents nothing (codes of errors) is made up, and marked so.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from providers.acting import Order, Payment, Shop
from providers.contract import Answer, Call, Terms
from providers.payos_api import LINKS
from providers.payos_data import sign
from providers.signing import hmac_sha256, same
from providers.untrusted import VIETNAM, json_object, text_of

RETRY_WAITS: Final[Sequence[timedelta]] = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60))
"""A guess: payOS publishes nothing; integrators assume that it calls again unless told 2xx."""

OTHER_KEYS, BAD_FIELDS, BAD_SIGNATURE, LINK_EXISTS, NO_LINK = "214", "20", "201", "231", "101"
"""Codes of errors; 201 and 231 are told by others, the rest is made up (all unverified)."""

_PATH = re.compile(rf"{LINKS}(?:/(?P<name>[^/]+))?$")
_SIGNED = ("amount", "cancelUrl", "description", "orderCode", "returnUrl")


def webhook(payment: Payment, terms: Terms, now: datetime) -> Call:
    """What payOS posts about `payment`: money that came, and nothing else."""
    del now
    if payment.status != "paid" or payment.order_code is None:
        raise ValueError("payOS calls about transfers to a link only")
    data = {
        "orderCode": int(payment.order_code),
        **_transfer(payment),
        "currency": "VND",
        "paymentLinkId": payment.scope or link_of(terms, payment.order_code),
        "code": "00",
        "desc": "success",
    }
    body = {"code": "00", "desc": "success", "success": True, "data": data}
    return Call(
        method="POST",
        path=f"/callbacks/payos/{terms.merchant}",
        headers=(("Content-Type", "application/json"),),
        body=_signed_body(body, terms),
    )


def accepts(status: int, body: bytes) -> bool:
    """Whether payOS is content with an answer."""
    del body
    return 200 <= status < 300  # noqa: PLR2004 - the class of HTTP


def link_of(terms: Terms, order_code: str) -> str:
    """The name of the link that this payOS makes for an order."""
    name = f"{terms.merchant}/{order_code}".encode()
    return hashlib.sha256(name).hexdigest()[:32]


def serve(call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
    """The API's answer to a request of ours; changes `shop`."""
    found = _PATH.search(call.path)
    if found is None:
        return Answer(status=404, media_type="text/plain", body=b"Not Found")
    told = (call.header("x-client-id") or "", call.header("x-api-key") or "")
    known = (terms.credentials.get("client_id", ""), terms.credentials.get("api_key", ""))
    if not all(key and same(given, key) for given, key in zip(told, known, strict=True)):
        return _refusal(OTHER_KEYS, "Thông tin xác thực không đúng", status=401)
    name = found["name"]
    if (call.method == "POST") is not (name is None):
        return Answer(status=404, media_type="text/plain", body=b"Not Found")
    if name is None:
        return _open(call, shop, terms, now)
    order = _order_named(name, shop, terms)
    if order is None:
        return _refusal(NO_LINK, "Mã thanh toán không tồn tại")
    return _told(_link(order, shop, terms, now), terms)


def _open(call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
    try:
        found = json_object(call.body)
        fields = {name: text_of(found.get(name)) for name in _SIGNED}
        amount_vnd, order_code = int(fields["amount"]), str(int(fields["orderCode"]))
    except ValueError:
        return _refusal(BAD_FIELDS, "Thông tin truyền lên không đúng")
    message = "&".join(f"{name}={fields[name]}" for name in _SIGNED).encode()
    given = text_of(found.get("signature"))
    if not any(one and same(given, hmac_sha256(one, message)) for one in terms.secrets):
        return _refusal(BAD_SIGNATURE, "Mã kiểm tra(signature) không hợp lệ")
    if order_code in shop.orders:
        return _refusal(LINK_EXISTS, "Đơn thanh toán đã tồn tại")
    expires = text_of(found.get("expiredAt"))
    link = link_of(terms, order_code)
    page = f"{shop.page or 'https://pay.payos.vn/web'}/{order_code if shop.page else link}"
    expires_at = datetime.fromtimestamp(int(expires), VIETNAM) if expires.isdecimal() else None
    shop.orders[order_code] = Order(
        order_code=order_code,
        amount_vnd=amount_vnd,
        opened_at=now,
        expires_at=expires_at,
        description=fields["description"],
        return_url=fields["returnUrl"],
        request_id=order_code,
        provider_reference=link,
    )
    data = {
        "bin": "970422",
        "accountNumber": "VQRQ00000001",
        "accountName": "DON VI THU",
        "amount": amount_vnd,
        "description": fields["description"],
        "orderCode": int(order_code),
        "currency": "VND",
        "paymentLinkId": link,
        "status": "PENDING",
        "expiredAt": int(expires) if expires.isdecimal() else None,
        "checkoutUrl": page,
        "qrCode": f"VIETQR/{order_code}/{amount_vnd}",
    }
    return _told(data, terms)


def _order_named(name: str, shop: Shop, terms: Terms) -> Order | None:
    """An order by its code or by the name of its link."""
    if name in shop.orders:
        return shop.orders[name]
    names = {
        one.provider_reference or link_of(terms, one.order_code): one
        for one in shop.orders.values()
    }
    return names.get(name)


def _link(order: Order, shop: Shop, terms: Terms, now: datetime) -> dict[str, object]:
    """A link as payOS tells of it."""
    paid = [one for one in shop.of_order(order.order_code) if one.status == "paid"]
    paid_vnd = sum(one.amount_vnd for one in paid)
    over = order.expires_at is not None and order.expires_at <= now
    if paid_vnd >= order.amount_vnd:
        state = "PAID"
    elif paid:
        state = "UNDERPAID" if over else "PROCESSING"
    else:
        state = "EXPIRED" if over else "PENDING"
    return {
        "id": order.provider_reference or link_of(terms, order.order_code),
        "orderCode": int(order.order_code),
        "amount": order.amount_vnd,
        "amountPaid": paid_vnd,
        "amountRemaining": max(order.amount_vnd - paid_vnd, 0),
        "status": state,
        "createdAt": order.opened_at.astimezone(VIETNAM).isoformat(),
        "transactions": [_transfer(one) for one in paid],
        "cancellationReason": None,
        "canceledAt": None,
    }


def _transfer(payment: Payment) -> dict[str, object]:
    """What webhook and link say of a transfer in the same words."""
    amount: object = payment.amount_text or payment.amount_vnd
    return {
        "amount": amount,
        "description": payment.memo,
        "accountNumber": payment.own_account,
        "reference": payment.transaction,
        "transactionDateTime": payment.paid_at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S"),
        "counterAccountBankId": None,
        "counterAccountBankName": payment.bank_brand or None,
        "counterAccountName": payment.counterparty_name or None,
        "counterAccountNumber": payment.counterparty_account or None,
        "virtualAccountName": None,
        "virtualAccountNumber": payment.virtual_account or None,
    }


def _told(data: dict[str, object], terms: Terms) -> Answer:
    body = {"code": "00", "desc": "success", "data": data}
    return Answer(status=200, media_type="application/json", body=_signed_body(body, terms))


def _refusal(code: str, desc: str, status: int = 200) -> Answer:
    body = {"code": code, "desc": desc, "data": None}
    return Answer(status=status, media_type="application/json", body=_written(body))


def _signed_body(body: Mapping[str, object], terms: Terms) -> bytes:
    """`body` with the signature of its `data`, which is signed as whoever receives it reads it."""
    data = json_object(_written(body))["data"]
    signature = sign(data, terms.secrets[0]) if isinstance(data, dict) else ""
    return _written({**body, "signature": signature})


def _written(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
