"""Fixed texts that the independent clients sign, and what our side makes of the result.

`recorded.json` holds what they signed, so that `make test` needs neither node nor npm.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from providers import Call, Rejected, Secret, Terms, vietqr
from providers.payos import ADAPTER as PAYOS
from providers.sandbox import ADAPTER as SANDBOX
from providers.vnpay import ADAPTER as VNPAY
from tests.crosscheck.node import Case
from tests.providers.spoken import NOW, SPOKEN, Spoken

RECORDED: Final = Path(__file__).with_name("recorded.json")
SECRET: Final = "A3EFDFABA8653DF2342E8DAC29B51AF0A3EFDFABA8653DF2"
TEXTS: Final = ("Nop le phi ho so", "Nộp lệ phí & phụ phí + 10% = 50.000", "a*b~c!(d)'e", "x")
BASE64: Final = "whsec_TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcms="
PAYOS_DATA: Final[list[Case]] = [
    {
        "orderCode": 5713000123,
        "amount": 50_000,
        "description": description,
        "accountNumber": "0161001234567",
        "reference": f"FT2607100012{number}",
        "transactionDateTime": "2026-03-12 10:15:30",
        "currency": "VND",
        "paymentLinkId": "124c33293c43417ab7879e14c8d9eb18",
        "code": "00",
        "desc": "Thành công",
        "counterAccountBankId": "",
        "counterAccountBankName": None,
        "counterAccountName": None,
        "counterAccountNumber": None,
        "virtualAccountName": "",
        "virtualAccountNumber": "",
        **extra,
    }
    for number, (description, extra) in enumerate(
        (
            ("LPHUE5713000123", {}),
            ("Nộp lệ phí đất đai", {}),
            ("x", {"somethingNew": [{"b": 1, "a": None}, 2], "flag": True}),
        )
    )
]


def spoken(provider: str) -> Spoken:
    """A provider in its strongest mode."""
    return next(one for one in SPOKEN if one.provider == provider and not one.is_weak)


def _vnpay(text: str, number: int) -> Case:
    terms = spoken("vnpay").terms
    return {
        "op": "vnpay.url",
        "merchant": terms.merchant,
        "secret": str.__str__(terms.secrets[0]),
        "data": {
            "vnp_Amount": 50_000 + number,
            "vnp_IpAddr": "203.0.113.7",
            "vnp_ReturnUrl": "https://dichvucong.example/tra-ve?a=1&b=2",
            "vnp_TxnRef": f"HUE{number}",
            "vnp_OrderInfo": text,
            "vnp_OrderType": "other",
            "vnp_CreateDate": 20_260_312_101_530,
            "vnp_ExpireDate": 20_260_312_103_030,
        },
    }


def _sandbox_bodies() -> list[str]:
    one = spoken("sandbox")
    texts = ("Nop le phi", "Nộp lệ phí & phụ phí")
    return [one.call(one.payment(memo=text)).body.decode() for text in texts]


def cases() -> list[Case]:
    """What is to be signed; always the same."""
    found = [_vnpay(text, number) for number, text in enumerate(TEXTS)]
    found += [{"op": "payos.sign", "secret": SECRET, "data": data} for data in PAYOS_DATA]
    found += [
        {
            "op": "qr.write",
            "data": {"bankBin": "970436", "bankNumber": "0161001234567", "amount": amount,
                     "purpose": purpose},
        }
        for amount, purpose in (("50000", "HUE01 0000 0000"), ("1", "X"), ("99999999", "HUE01"))
    ]  # fmt: skip
    found += [
        {
            "op": "webhooks.sign",
            "secret": BASE64,
            "id": f"msg_{number}",
            "timestamp_s": int(NOW.timestamp()),
            "body": body,
        }
        for number, body in enumerate(_sandbox_bodies())
    ]
    return found


def wrong(case: Case, told: Case) -> str:
    """What our side finds wrong with what a client signed; "" where it agrees."""
    if "error" in told:
        return f"the client threw: {told['error']}"
    judge: Callable[[Case, Case], str] = _JUDGES[case["op"]]
    return judge(case, told)


def _of_url(case: Case, told: Case) -> str:
    terms = spoken("vnpay").terms
    query = urlsplit(told["url"]).query.encode()
    call = Call(method="GET", path="/", raw_query=query)
    try:
        order = VNPAY.order_of_link(call, terms, NOW)
    except ValueError as error:
        return str(error)
    data = case["data"]
    same = (order.amount_vnd, order.order_code, order.description, order.return_url) == (
        data["vnp_Amount"],
        data["vnp_TxnRef"],
        data["vnp_OrderInfo"],
        data["vnp_ReturnUrl"],
    )
    lasts = order.expires_at is not None and order.expires_at - order.opened_at
    return "" if same and lasts == timedelta(minutes=15) else f"read as {order}"


def _of_payos(case: Case, told: Case) -> str:
    body = {"code": "00", "desc": "success", "success": True, "data": case["data"]}
    signed = json.dumps(body | {"signature": told["signature"]}, ensure_ascii=False).encode()
    terms = Terms(merchant="any", secrets=(spoken("payos").terms.secrets[0],))
    call = Call(method="POST", path="/", body=signed)
    try:
        (claim,) = PAYOS.read(call, terms, NOW)
    except Rejected as rejected:
        return str(rejected)
    return "" if claim.amount_vnd == case["data"]["amount"] else f"read as {claim}"


def _of_qr(case: Case, told: Case) -> str:
    data = case["data"]
    ours = vietqr.write(
        vietqr.Transfer(
            bin=data["bankBin"],
            account=data["bankNumber"],
            amount_vnd=int(data["amount"]),
            purpose=data["purpose"],
        )
    )
    return "" if ours == told["payload"] else f"{ours} is not {told['payload']}"


def _of_webhook(case: Case, told: Case) -> str:
    """The sandbox speaks Standard Webhooks: a signature made elsewhere proves its message."""
    terms = msgspec.structs.replace(spoken("sandbox").terms, secrets=(Secret(case["secret"]),))
    call = Call(
        method="POST",
        path="/",
        headers=(
            ("webhook-id", case["id"]),
            ("webhook-timestamp", str(case["timestamp_s"])),
            ("webhook-signature", told["signature"]),
        ),
        body=case["body"].encode(),
    )
    try:
        (claim,) = SANDBOX.read(call, terms, NOW)
    except Rejected as rejected:
        return str(rejected)
    try:
        SANDBOX.read(call, terms, NOW + timedelta(seconds=301))
    except Rejected as rejected:
        return "" if rejected.why == "stale" and claim.amount_vnd else str(rejected)
    return "it never gets stale"


_JUDGES: Final[dict[str, Callable[[Case, Case], str]]] = {
    "vnpay.url": _of_url,
    "payos.sign": _of_payos,
    "qr.write": _of_qr,
    "webhooks.sign": _of_webhook,
}


def record(told: list[Case], versions: Case) -> None:
    """Write down what the clients signed."""
    text = json.dumps(
        {"clients": versions, "made_by": "make crosscheck ARGS=--record", "told": told},
        ensure_ascii=False,
        indent=1,
    )
    RECORDED.write_text(text + "\n", encoding="utf-8")


def utc_now() -> datetime:
    """The present second: what has a time must be signed now for a client to believe it."""
    return datetime.now(UTC).replace(microsecond=0)
