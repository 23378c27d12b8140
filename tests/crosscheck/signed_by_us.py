"""What our side signs and answers, judged by the independent clients; they are run live.

Where a client is known to be wrong, the wrong verdict is what is expected, with the reason: the
day it changes we want to hear of it.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from providers import Call, Claim, Rejected, Secret, Terms, vietqr
from providers.untrusted import written_compactly
from providers.vietqr import UnreadableQr
from providers.vnpay_query import signed_query
from tests.crosscheck.node import Case
from tests.crosscheck.signed_by_others import BASE64, TEXTS, spoken, utc_now
from tests.providers.spoken import Spoken


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A case, what the client should say to it, and what our own side says."""

    title: str
    case: Case
    expected: Case
    """Fields of the client's answer; `{"error": ""}` stands for any error."""
    ours: bool = True
    """Whether our own side agrees with what is right."""
    client_is_wrong: str = ""
    """Why the client is known to say something else than what is right."""


ANY_ERROR: Final[Case] = {"error": ""}


def fits(check: Check, told: Case) -> bool:
    """Whether a client said what was expected of it."""
    if check.expected == ANY_ERROR:
        return "error" in told
    return all(told.get(name) == value for name, value in check.expected.items())


def checks() -> list[Check]:
    """All of them, signed now."""
    return [*_vnpay(), *_payos(), *_qr(), *_webhooks()]


def _claims(one: Spoken, call: Call, terms: Terms | None = None) -> Sequence[Claim]:
    try:
        return one.read(call, terms, utc_now())
    except Rejected:
        return ()


def _secret(one: Spoken) -> str:
    return str.__str__(one.terms.secrets[0])


def _ipn(one: Spoken, call: Call) -> Case:
    query = dict(parse_qsl(call.raw_query.decode(), keep_blank_values=True))
    return {
        "op": "vnpay.ipn",
        "merchant": one.terms.merchant,
        "secret": _secret(one),
        "query": query,
    }


def _vnpay() -> list[Check]:
    one = spoken("vnpay")
    good: Case = {"verified": True, "success": True}
    made = []
    for text in TEXTS:
        call = one.call(one.payment(memo=text), now=utc_now())
        made.append(
            Check(
                title=f"vnpay: our IPN with {text!r}",
                case=_ipn(one, call),
                expected=good,
                ours=bool(_claims(one, call)),
            )
        )
    call = one.call()
    for title, query in (
        ("another amount", call.raw_query.replace(b"Amount=5", b"Amount=6")),
        ("another status", call.raw_query.replace(b"Status=00", b"Status=01")),
    ):
        changed = msgspec.structs.replace(call, raw_query=query)
        made.append(
            Check(
                title=f"vnpay: an IPN with {title}",
                case=_ipn(one, changed),
                expected={"verified": False},
                ours=changed != call and not _claims(one, changed),
            )
        )
    return [*made, *_vnpay_wrong(one, call)]


def _vnpay_wrong(one: Spoken, call: Call) -> list[Check]:
    foreign = msgspec.structs.replace(call, raw_query=call.raw_query + b"&utm_source=zalo")
    fields = dict(parse_qsl(call.raw_query.decode()))
    del fields["vnp_SecureHash"]
    unfinished = signed_query({**fields, "vnp_TransactionStatus": "01"}, one.terms)
    pending = msgspec.structs.replace(call, raw_query=unfinished.encode())
    return [
        Check(
            title="vnpay: a foreign parameter beside a true IPN",
            case=_ipn(one, foreign),
            expected={"verified": False},
            ours=bool(_claims(one, foreign)),
            client_is_wrong="it hashes keys that do not begin with vnp_",
        ),
        Check(
            title="vnpay: ResponseCode 00, TransactionStatus 01 (not finished)",
            case=_ipn(one, pending),
            expected={"verified": True, "success": True},
            ours=[claim.status for claim in _claims(one, pending)] == ["pending"],
            client_is_wrong="isSuccess looks at vnp_ResponseCode only",
        ),
    ]


def _payos() -> list[Check]:
    one = spoken("payos")
    made = []
    for text in ("LPHUE5713000123", "Nộp lệ phí đất đai"):
        call = one.call(one.payment(memo=text), now=utc_now())
        body = json.loads(call.body)
        made.append(
            Check(
                title=f"payos: our webhook with {text!r}",
                case={"op": "payos.webhook", "secret": _secret(one), "body": body},
                expected={"data": body["data"]},
                ours=bool(_claims(one, call)),
            )
        )
        changed = msgspec.structs.replace(call, body=call.body.replace(b"50000", b"60000"))
        made.append(
            Check(
                title=f"payos: another amount in it, {text!r}",
                case={
                    "op": "payos.webhook",
                    "secret": _secret(one),
                    "body": json.loads(changed.body),
                },
                expected=ANY_ERROR,
                ours=changed != call and not _claims(one, changed),
            )
        )
    return made


def _qr() -> list[Check]:
    made = []
    for amount_vnd, purpose in ((50_000, "HUE01 0000 0000"), (None, "X"), (99_999_999, "HUE01")):
        transfer = vietqr.Transfer(
            bin="970436", account="0161001234567", amount_vnd=amount_vnd, purpose=purpose
        )
        payload = vietqr.write(transfer)
        told: Case = {
            "valid": True,
            "bin": transfer.bin,
            "account": transfer.account,
            "purpose": purpose,
        }
        made.append(
            Check(
                title=f"vietqr: our payload over {amount_vnd}",
                case={"op": "qr.read", "payload": payload},
                expected=told | ({"amount": str(amount_vnd)} if amount_vnd else {}),
                ours=vietqr.read(payload).purpose == purpose,
            )
        )
        broken = payload[:-1] + ("0" if payload[-1] != "0" else "1")
        made.append(
            Check(
                title=f"vietqr: another check value, {amount_vnd}",
                case={"op": "qr.read", "payload": broken},
                expected={"valid": False},
                ours=not _readable(broken),
            )
        )
    dollars = vietqr.write(
        vietqr.Transfer(bin="970436", account="0161001234567", amount_vnd=5, purpose="X")
    ).replace("5303704", "5303840")
    dollars = dollars[:-4] + _crc(dollars[:-4])
    made.append(
        Check(
            title="vietqr: a payload in dollars",
            case={"op": "qr.read", "payload": dollars},
            expected={"valid": True},
            ours=not _readable(dollars),
            client_is_wrong="it does not look at the currency",
        )
    )
    return made


def _readable(payload: str) -> bool:
    try:
        vietqr.read(payload)
    except UnreadableQr:
        return False
    return True


def _crc(text: str) -> str:
    """CRC-16/CCITT-FALSE, bit by bit, beside the table of the standard library."""
    register = 0xFFFF
    for byte in text.encode():
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
    return f"{register:04X}"


def _webhooks() -> list[Check]:
    base = spoken("sandbox")
    terms = msgspec.structs.replace(base.terms, secrets=(Secret(BASE64),))
    made = []
    for seconds, verified in ((0, True), (290, True), (310, False), (-290, True), (-310, False)):
        now = utc_now() - timedelta(seconds=seconds)
        call = base.call(base.payment(memo="Nộp lệ phí"), terms, now)
        made.append(
            Check(
                title=f"standardwebhooks: our call, signed {seconds} s ago",
                case=_verify(call),
                expected={"verified": True} if verified else ANY_ERROR,
                ours=bool(_claims(base, call, terms)) is verified,
            )
        )
    call = base.call(terms=terms, now=utc_now())
    changed = msgspec.structs.replace(call, body=call.body.replace(b"50000", b"60000"))
    made.append(
        Check(
            title="standardwebhooks: another amount in it",
            case=_verify(changed),
            expected=ANY_ERROR,
            ours=changed != call and not _claims(base, changed, terms),
        )
    )
    return made


def _verify(call: Call) -> Case:
    return {
        "op": "webhooks.verify",
        "secret": BASE64,
        "headers": dict(call.headers),
        "body": call.body.decode(),
    }


def asked_of_vnpay(one: Spoken, host: str, **more: Any) -> Case:  # noqa: ANN401 # JSON
    """`querydr` of a client against a simulated VNPAY."""
    now = utc_now()
    data = {
        "vnp_RequestId": f"q{now:%H%M%S}",
        "vnp_IpAddr": "203.0.113.7",
        "vnp_TxnRef": one.order_code,
        "vnp_OrderInfo": "Hoi giao dich",
        "vnp_TransactionDate": int(written_compactly(now)),
        "vnp_CreateDate": int(written_compactly(now)),
        **more,
    }
    return {"merchant": one.terms.merchant, "secret": _secret(one), "host": host, "data": data}
