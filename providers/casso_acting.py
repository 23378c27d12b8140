"""Casso's side: calls signed and its list of transactions, for the simulator and the tests."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs

from providers import json_texts
from providers.acting import Payment, Shop
from providers.casso_api import LIST, PAGE_ROWS, V1
from providers.contract import Answer, Call, Terms
from providers.signing import hmac_sha512, is_any_of
from providers.untrusted import VIETNAM, json_object

RETRY_WAITS: Final[Sequence[timedelta]] = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60))
"""A guess: Casso's rule could not be found."""

_MOVES = frozenset({"credit", "debit"})


def webhook(payment: Payment, terms: Terms, now: datetime) -> Call:
    """What Casso posts about `payment` at `now`, in the mode of `terms`."""
    if payment.status not in _MOVES:
        raise ValueError("Casso tells of money that came or went, and nothing else")
    data: object = [_old(payment)] if terms.mode == V1 else _new(payment)
    body = json.dumps({"error": 0, "data": data}, ensure_ascii=False, separators=(",", ":"))
    secret = terms.secrets[0]
    if terms.mode == V1:
        proof = ("secure-token", str(secret))
    else:
        stated = str(int(now.timestamp() * 1_000))
        proof = ("X-Casso-Signature", f"t={stated},v1={sign(body.encode(), stated, terms)}")
    return Call(
        method="POST",
        path=f"/callbacks/casso/{terms.merchant}",
        headers=(("Content-Type", "application/json"), proof),
        body=body.encode(),
    )


def sign(body: bytes, stated: str, terms: Terms) -> str:
    """The signature of V2 over `body`, as the JavaScript sample makes it."""
    ordered = json_texts.with_sorted_keys(json_object(body))
    return hmac_sha512(terms.secrets[0], f"{stated}.{json_texts.compact(ordered)}".encode())


def accepts(status: int, body: bytes) -> bool:
    """The samples' answer: 200 with `{"success":true}`."""
    try:
        return status == 200 and json_object(body).get("success") is True  # noqa: PLR2004 - HTTP
    except ValueError:
        return False


def serve(call: Call, shop: Shop, terms: Terms) -> Answer:
    """The list of transactions; the only request of ours that Casso knows."""
    if call.method != "GET" or not call.path.endswith(LIST):
        return Answer(status=404, media_type="text/plain", body=b"Not Found")
    scheme, _, key = (call.header("Authorization") or "").partition(" ")
    known = [one for name, one in terms.credentials.items() if name == "api_key"]
    if scheme != "Apikey" or not is_any_of(key, known):
        return _told({"error": 401, "message": "Unauthorized"}, status=401)
    query = {name: values[0] for name, values in parse_qs(call.raw_query.decode("latin-1")).items()}
    page = int(query.get("page") or 1)
    rows = int(query.get("pageSize") or PAGE_ROWS)
    first_day = query.get("fromDate", "")
    listed = sorted(
        (one for one in shop.payments if one.status in _MOVES and _local(one)[:10] >= first_day),
        key=lambda one: one.paid_at,
    )
    pages = max(1, -(-len(listed) // rows))
    data = {
        "page": page,
        "pageSize": rows,
        "nextPage": page + 1 if page < pages else None,
        "prevPage": page - 1 if page > 1 else None,
        "totalPages": pages,
        "totalRecords": len(listed),
        "records": [_listed(one) for one in listed[(page - 1) * rows : page * rows]],
    }
    return _told({"error": 0, "message": "success", "data": data})


def _told(body: Mapping[str, object], status: int = 200) -> Answer:
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, media_type="application/json", body=raw)


def _number(payment: Payment) -> int:
    """Casso's own id: the payment's scope, or one made of its reference."""
    if payment.scope.isdecimal():
        return int(payment.scope)
    return int.from_bytes(sha256(payment.transaction.encode()).digest()[:5], "big") + 1


def _amount(payment: Payment) -> object:
    if payment.amount_text:
        return payment.amount_text
    return payment.amount_vnd if payment.status == "credit" else -payment.amount_vnd


def _local(payment: Payment) -> str:
    return payment.paid_at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")


def _new(payment: Payment) -> dict[str, object]:
    """A movement in the words of V2."""
    return {
        "id": _number(payment),
        "reference": payment.transaction,
        "description": payment.memo,
        "amount": _amount(payment),
        "runningBalance": payment.balance_vnd,
        "transactionDateTime": _local(payment),
        "accountNumber": payment.own_account,
        "bankName": payment.bank_brand,
        "bankAbbreviation": payment.bank_brand,
        "virtualAccountNumber": payment.virtual_account,
        "virtualAccountName": "",
        "counterAccountName": payment.counterparty_name,
        "counterAccountNumber": payment.counterparty_account,
        "counterAccountBankId": "",
        "counterAccountBankName": "",
    }


def _old(payment: Payment) -> dict[str, object]:
    """A movement in the words of V1."""
    return {
        "id": _number(payment),
        "tid": payment.transaction,
        "description": payment.memo,
        "amount": _amount(payment),
        "cusum_balance": payment.balance_vnd,
        "when": _local(payment),
        "bank_sub_acc_id": payment.own_account,
        "subAccId": payment.own_account,
        "bankAbbreviation": payment.bank_brand,
        "virtualAccount": payment.virtual_account,
        "corresponsiveName": payment.counterparty_name,
        "corresponsiveAccount": payment.counterparty_account,
    }


def _listed(payment: Payment) -> dict[str, object]:
    """A movement in the words of the list."""
    return {
        "id": _number(payment),
        "tid": payment.transaction,
        "description": payment.memo,
        "amount": _amount(payment),
        "cusumBalance": payment.balance_vnd,
        "when": _local(payment).replace(" ", "T"),
        "bankSubAccId": payment.own_account,
        "paymentChannel": "",
        "virtualAccount": payment.virtual_account,
        "virtualAccountName": "",
        "corresponsiveName": payment.counterparty_name,
        "corresponsiveAccount": payment.counterparty_account,
        "corresponsiveBankId": "",
        "corresponsiveBankName": "",
        "bankCodeName": payment.bank_brand,
    }
