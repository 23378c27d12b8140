"""ZaloPay's own side: its callbacks, and the answers of its API.

Source: as `providers.zalopay_dialect`. What the pages leave open is said where it is decided.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

from providers.acting import Order, Payment, Refund, Shop
from providers.contract import Answer, Call, Status, Terms
from providers.signing import hmac_sha256, same
from providers.untrusted import json_object, whole_vnd
from providers.wallet_numbers import integer_text, milliseconds_of, moment_of
from providers.zalopay_dialect import (
    CANCELLED,
    CREATE_FIELDS,
    CREATE_PATH,
    FAILED,
    ORDER,
    PROCESSING,
    QUERY_PATH,
    QUERY_REFUND_FIELDS,
    QUERY_REFUND_PATH,
    REFUND_FIELDS,
    REFUND_PATH,
    SANDBOX,
    SUCCESS,
    UNKNOWN,
    key1_of,
    question_signature,
    signature_of,
)

FIELDS_MAX = 50
OK: Final = 200
WALLET_CHANNEL: Final = 38
FIRST_REFUND: Final = 900_000_000_000_000
"""Numbers of refunds begin here, so that none is the number of a payment."""

REPEATED_ORDER: Final = (FAILED, "-68")
TIME_IS_UP: Final = (FAILED, "-54")
NO_SUCH: Final = (FAILED, UNKNOWN)
WRONG_AMOUNT: Final = (FAILED, "-14")
REPEATED_REFUND: Final = (FAILED, "-23")
BAD_FORMAT: Final = (FAILED, "-401")
WRONG_SIGNATURE: Final = (FAILED, "-402")

_CODES: Final[Mapping[Status, tuple[str, str]]] = MappingProxyType(
    {
        "paid": (SUCCESS, "1"),
        "pending": (PROCESSING, "0"),
        "failed": (FAILED, "-217"),
        "cancelled": (FAILED, CANCELLED),
    }
)
_REFUND_CODES: Final = MappingProxyType(
    {"done": (SUCCESS, "1"), "processing": (PROCESSING, "2"), "failed": (FAILED, "0")}
)

Asked = Mapping[str, str]
Told = dict[str, object]


class ZalopayActing:
    """What the adapter can do as ZaloPay: see `providers.acting`."""

    retry_waits: Sequence[timedelta] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=10),
    )
    """Up to three, its page says; how long it waits is our guess."""

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The callback about `payment`; ValueError unless it is paid, with an order and a secret.

        ZaloPay calls about success only.
        """
        del now  # a callback does not say when it was sent
        if payment.status != "paid" or payment.order_code is None:
            raise ValueError("ZaloPay calls about paid orders only")
        if not terms.secrets or not terms.secrets[0]:
            raise ValueError("ZaloPay needs key2 for callbacks")
        at_ms = milliseconds_of(payment.paid_at)
        data = _json(
            {
                "app_id": _written(terms.merchant),
                "app_trans_id": payment.order_code,
                "app_time": at_ms,
                "app_user": "doisoat",
                "amount": _written(payment.amount_text or str(payment.amount_vnd)),
                "embed_data": "{}",
                "item": "[]",
                "zp_trans_id": _written(payment.transaction),
                "server_time": at_ms,
                "channel": WALLET_CHANNEL,
                "merchant_user_id": "",
                "user_fee_amount": 0,
                "discount_amount": 0,
            }
        )
        mac = hmac_sha256(terms.secrets[0], data.encode())
        return Call(
            method="POST",
            path=f"/callbacks/zalopay/{terms.merchant}",
            headers=(("Content-Type", "application/json"),),
            body=_json({"data": data, "mac": mac, "type": int(ORDER)}).encode(),
        )

    def accepts(self, status: int, body: bytes) -> bool:
        """HTTP 200 with return_code 1 or 2. It does not call again after -1 either."""
        try:
            found = json_object(body)
        except ValueError:
            return False
        return status == OK and integer_text(found.get("return_code")) in {SUCCESS, FAILED}

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """`create`, `query`, `refund` and `query_refund`, as forms or as JSON."""
        known: dict[str, Callable[[Asked, Shop, datetime], Told]] = {
            CREATE_PATH: _create,
            QUERY_PATH: _query,
            REFUND_PATH: _refund,
            QUERY_REFUND_PATH: _query_refund,
        }
        path = next((path for path in known if call.path.endswith(path)), None)
        if call.method != "POST" or path is None:
            return Answer(status=404, media_type="text/plain", body=b"")
        asked = _asked(call)
        if asked is None:
            told = _result(BAD_FORMAT)
        elif not _is_true(path, asked, terms):
            told = _result(WRONG_SIGNATURE)
        else:
            told = known[path](asked, shop, now)
        return Answer(status=OK, media_type="application/json", body=_json(told).encode())


def _asked(call: Call) -> Asked | None:
    """The fields of a request; None where it is none."""
    try:
        if (call.header("Content-Type") or "").startswith("application/json"):
            return {name: integer_text(value) for name, value in json_object(call.body).items()}
        pairs = parse_qsl(
            call.body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
    except ValueError:
        return None
    return dict(pairs)


def _is_true(path: str, asked: Asked, terms: Terms) -> bool:
    """Whether a request is signed with this app's key1."""
    names = {
        CREATE_PATH: CREATE_FIELDS,
        QUERY_PATH: ("app_id", "app_trans_id"),
        REFUND_PATH: REFUND_FIELDS,
        QUERY_REFUND_PATH: QUERY_REFUND_FIELDS,
    }[path]
    if any(name not in asked for name in names) or asked["app_id"] != terms.merchant:
        return False
    key1 = key1_of(terms)
    try:
        if path == QUERY_PATH:
            right = question_signature(asked["app_id"], asked["app_trans_id"], key1)
        else:
            right = signature_of(asked, names, key1)
    except ValueError:
        return False
    return same(asked.get("mac", ""), right)


def _create(asked: Asked, shop: Shop, now: datetime) -> Told:
    code, amount_vnd = asked["app_trans_id"], whole_vnd(asked["amount"])
    if not code or amount_vnd is None:
        return _result(BAD_FORMAT)
    if code in shop.orders:
        return _result(REPEATED_ORDER)
    lasts_s = asked.get("expire_duration_seconds", "")
    opened_at = moment_of(asked["app_time"]) or now
    shown = json_object(asked["embed_data"].encode())
    shop.orders[code] = Order(
        order_code=code,
        amount_vnd=amount_vnd,
        opened_at=opened_at,
        expires_at=opened_at + timedelta(seconds=int(lasts_s) if lasts_s.isdecimal() else 900),
        description=asked.get("description", ""),
        return_url=integer_text(shown.get("redirecturl")),
        callback_url=asked.get("callback_url", ""),
    )
    page = f"{shop.page or SANDBOX + '/pay'}/{code}"
    return _result((SUCCESS, "1")) | {"order_url": page, "zp_trans_token": f"T{code}"}


def _query(asked: Asked, shop: Shop, now: datetime) -> Told:
    """What became of an order: its newest payment, money first, else that it waits."""
    code = asked["app_trans_id"]
    order, payments = shop.orders.get(code), shop.of_order(code)
    if order is None and not payments:
        return _result(NO_SUCH)
    if not payments:
        ended = order is not None and order.expires_at is not None and order.expires_at <= now
        amount_vnd = order.amount_vnd if order is not None else 0
        told = _result(TIME_IS_UP if ended else (PROCESSING, "0"))
        return told | {"is_processing": False, "amount": amount_vnd, "zp_trans_id": 0}
    payment = ([one for one in payments if one.status == "paid"] or payments)[-1]
    unpaid = payment.transaction == f"0/{code}"
    return _result(_CODES.get(payment.status, (FAILED, "0"))) | {
        "is_processing": payment.status == "pending",
        "amount": _written(payment.amount_text or str(payment.amount_vnd)),
        "zp_trans_id": 0 if unpaid else _written(payment.transaction),
        "server_time": milliseconds_of(payment.paid_at),
    }


def _refund(asked: Asked, shop: Shop, now: datetime) -> Told:
    """Give a payment back, whole or in part; an m_refund_id that was heard is refused."""
    refund_id, amount_vnd = asked.get("m_refund_id", ""), whole_vnd(asked["amount"])
    number = asked["zp_trans_id"]
    if refund_id in shop.refunds:
        return _result(REPEATED_REFUND)
    paid = [one for one in shop.payments if one.status == "paid" and one.transaction == number]
    if not paid:
        return _result(NO_SUCH)
    given_vnd = sum(
        one.amount_vnd
        for one in shop.refunds.values()
        if one.of_transaction == number and one.state != "failed"
    )
    if not refund_id or amount_vnd is None or given_vnd + amount_vnd > paid[-1].amount_vnd:
        return _result(WRONG_AMOUNT)
    refund = Refund(
        request_id=refund_id,
        order_code=paid[-1].order_code or "",
        transaction=str(FIRST_REFUND + len(shop.refunds)),
        of_transaction=number,
        amount_vnd=amount_vnd,
        asked_at=now,
    )
    shop.refunds[refund_id] = refund
    return _result(_REFUND_CODES[refund.state]) | {"refund_id": int(refund.transaction)}


def _query_refund(asked: Asked, shop: Shop, now: datetime) -> Told:
    del now  # a refund does not expire
    refund = shop.refunds.get(asked["m_refund_id"])
    if refund is None:
        return _result(NO_SUCH)
    # That the answer names the refund is assumed.
    return _result(_REFUND_CODES[refund.state]) | {"refund_id": int(refund.transaction)}


def _result(codes: tuple[str, str]) -> Told:
    code, detail = codes
    return {
        "return_code": int(code),
        "return_message": "Giao dịch thành công" if code == SUCCESS else "",
        "sub_return_code": int(detail),
        "sub_return_message": "",
    }


def _written(value: str) -> object:
    """A number as a JSON number, where it is one."""
    plain = value.isascii() and value.isdecimal() and (value == "0" or value[0] != "0")
    return int(value) if plain else value


def _json(found: Mapping[str, object]) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
