"""SePay's side: webhooks and IPNs signed, its list answered, for the simulator and the tests."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs

from providers.acting import Payment, Shop
from providers.contract import Answer, Call, Terms
from providers.sepay_api import API_KEY, HMAC, LIST, PAGE_ROWS_MAX, SECRET_KEY
from providers.signing import hmac_sha256, is_any_of
from providers.untrusted import VIETNAM, json_object

RETRY_WAITS: Final[Sequence[timedelta]] = tuple(
    timedelta(minutes=m) for m in (1, 1, 2, 3, 5, 8, 13)
)

_DIRECTIONS: Final[Mapping[str, str]] = {"credit": "in", "debit": "out"}
_GATEWAY: Final[Mapping[str, tuple[str, str]]] = {
    "paid": ("ORDER_PAID", "APPROVED"),
    "held": ("ORDER_PAID", "PENDING"),
    "reversed": ("TRANSACTION_VOID", "APPROVED"),
}


def call(payment: Payment, terms: Terms, now: datetime) -> Call:
    """What SePay posts about `payment` at `now`; ValueError for what this mode does not tell."""
    told = _ipn(payment, now) if terms.mode == SECRET_KEY else _webhook(payment)
    return signed(_written(told), terms, now)


def signed(body: bytes, terms: Terms, now: datetime) -> Call:
    """`body` as SePay posts it, with the proof that the mode of `terms` asks for."""
    secret = terms.secrets[0]
    stated = str(int(now.timestamp()))
    signature = hmac_sha256(secret, stated.encode() + b"." + body)
    proofs = {
        HMAC: (("X-SePay-Timestamp", stated), ("X-SePay-Signature", f"sha256={signature}")),
        API_KEY: (("Authorization", f"Apikey {secret}"),),
        SECRET_KEY: (("X-Secret-Key", str(secret)),),
    }
    return Call(
        method="POST",
        path=f"/callbacks/sepay/{terms.merchant}",
        headers=(("Content-Type", "application/json"), *proofs[terms.mode]),
        body=body,
    )


def accepts(status: int, body: bytes) -> bool:
    """200 or 201 with `{"success":true}`."""
    try:
        return status in {200, 201} and json_object(body).get("success") is True
    except ValueError:
        return False


def serve(call: Call, shop: Shop, terms: Terms) -> Answer:
    """The list of transactions, newest first; the only request of ours that SePay knows."""
    if call.method != "GET" or not call.path.endswith(LIST):
        return Answer(status=404, media_type="text/plain", body=b"Not Found")
    scheme, _, token = (call.header("Authorization") or "").partition(" ")
    known = [one for name, one in terms.credentials.items() if name == "api_token"]
    if scheme != "Bearer" or not is_any_of(token, known):
        return _told({"status": 401, "error": "Unauthorized", "messages": {"success": False}}, 401)
    query = {name: values[0] for name, values in parse_qs(call.raw_query.decode("latin-1")).items()}
    since, limit = int(query.get("since_id") or 0), int(query.get("limit") or PAGE_ROWS_MAX)
    rows = [
        _listed(one)
        for one in sorted(shop.payments, key=lambda one: int(one.transaction), reverse=True)
        if one.status in _DIRECTIONS and int(one.transaction) >= since
    ]
    return _told(
        {
            "status": 200,
            "error": None,
            "messages": {"success": True},
            "transactions": rows[: min(limit, PAGE_ROWS_MAX)],
        }
    )


def _webhook(payment: Payment) -> dict[str, object]:
    if payment.status not in _DIRECTIONS:
        raise ValueError("SePay tells of money that came or went, and nothing else")
    amount: object = payment.amount_text or payment.amount_vnd
    return {
        "id": int(payment.transaction),
        "gateway": payment.bank_brand,
        "transactionDate": _local(payment.paid_at),
        "accountNumber": payment.own_account,
        "code": payment.order_code,
        "content": payment.memo,
        "transferType": _DIRECTIONS[payment.status],
        "transferAmount": amount,
        "accumulated": payment.balance_vnd,
        "subAccount": payment.virtual_account or None,
        "referenceCode": payment.bank_reference,
        "description": "",
    }


def _listed(payment: Payment) -> dict[str, object]:
    """A movement in the words of the list: all texts, amounts with two decimals."""
    amount = payment.amount_text or f"{payment.amount_vnd}.00"
    comes = payment.status == "credit"
    return {
        "id": payment.transaction,
        "bank_brand_name": payment.bank_brand,
        "account_number": payment.own_account,
        "transaction_date": _local(payment.paid_at),
        "amount_out": "0.00" if comes else amount,
        "amount_in": amount if comes else "0.00",
        "accumulated": f"{payment.balance_vnd}.00",
        "transaction_content": payment.memo,
        "reference_number": payment.bank_reference,
        "code": payment.order_code,
        "sub_account": payment.virtual_account or None,
        "bank_account_id": "1",
    }


def _ipn(payment: Payment, now: datetime) -> dict[str, object]:
    """What SePay's gateway posts: nested names are unverified, as in the adapter."""
    if payment.status not in _GATEWAY:
        raise ValueError("SePay's gateway tells of paid, held and voided orders alone")
    kind, state = _GATEWAY[payment.status]
    amount = payment.amount_text or str(payment.amount_vnd)
    return {
        "timestamp": int(now.timestamp()),
        "notification_type": kind,
        "order": {
            "order_invoice_number": payment.order_code,
            "order_amount": f"{payment.amount_vnd}.00",
            "order_currency": "VND",
            "order_description": payment.memo,
        },
        "transaction": {
            "transaction_id": payment.transaction,
            "transaction_date": _local(payment.paid_at),
            "transaction_status": state,
            "transaction_amount": amount,
            "transaction_currency": "VND",
        },
        "customer": None,
    }


def _told(body: Mapping[str, object], status: int = 200) -> Answer:
    return Answer(status=status, media_type="application/json", body=_written(body))


def _written(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _local(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")
