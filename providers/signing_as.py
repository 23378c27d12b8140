"""Calls signed exactly as the real providers sign them: for the demo, the simulator and the tests.

Whoever has a merchant's secret can do this; nothing here is reachable from the outside.
"""

import json
from datetime import datetime
from typing import Literal

import msgspec

from providers.contract import Call, Claim, Terms
from providers.sepay import API_KEY, HMAC, SECRET_KEY
from providers.signing import hmac_sha256
from providers.untrusted import VIETNAM, written_compactly
from providers.vnpay_api import HUNDREDTHS
from providers.vnpay_query import signed_query


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A citizen's payment at VNPAY; `amount_text` overrides the amount (đồng x 100)."""

    reference: str
    transaction: str
    amount_vnd: int
    paid_at: datetime
    response_code: str = "00"
    transaction_status: str = "00"
    order_info: str = "Nop phi le phi"
    bank_code: str = "NCB"
    bank_reference: str = ""
    amount_text: str = ""


class BankTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of our account that SePay saw."""

    id: int
    amount_vnd: int
    happened_at: datetime
    content: str
    own_account: str
    direction: Literal["in", "out"] = "in"
    code: str | None = None
    bank_reference: str = ""
    virtual_account: str | None = None
    bank_brand: str = "Vietcombank"
    balance_vnd: int = 0


def vnpay_ipn(payment: Payment, terms: Terms) -> Call:
    """The IPN that VNPAY sends about `payment`."""
    fields = {
        "vnp_Amount": payment.amount_text or str(payment.amount_vnd * HUNDREDTHS),
        "vnp_BankCode": payment.bank_code,
        "vnp_BankTranNo": payment.bank_reference,
        "vnp_CardType": "ATM",
        "vnp_OrderInfo": payment.order_info,
        "vnp_PayDate": written_compactly(payment.paid_at),
        "vnp_ResponseCode": payment.response_code,
        "vnp_TmnCode": terms.merchant,
        "vnp_TransactionNo": payment.transaction,
        "vnp_TransactionStatus": payment.transaction_status,
        "vnp_TxnRef": payment.reference,
    }
    return Call(
        method="GET",
        path=f"/callbacks/vnpay/{terms.merchant}",
        raw_query=signed_query(fields, terms).encode(),
    )


def sepay_webhook(transfer: BankTransfer, terms: Terms, now: datetime) -> Call:
    """The webhook that SePay sends about `transfer` at `now`, in the mode of `terms`."""
    body = json.dumps(
        {
            "id": transfer.id,
            "gateway": transfer.bank_brand,
            "transactionDate": _spaced(transfer.happened_at),
            "accountNumber": transfer.own_account,
            "code": transfer.code,
            "content": transfer.content,
            "transferType": transfer.direction,
            "transferAmount": transfer.amount_vnd,
            "accumulated": transfer.balance_vnd,
            "subAccount": transfer.virtual_account,
            "referenceCode": transfer.bank_reference,
            "description": "",
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    return sepay_call(body, terms, now)


def sepay_gateway_ipn(claim: Claim, terms: Terms, now: datetime) -> Call:
    """The IPN of SePay's gateway that says what `claim` says (`paid` or `reversed`)."""
    void = claim.status == "reversed"
    body = json.dumps(
        {
            "timestamp": int(now.timestamp()),
            "notification_type": "TRANSACTION_VOID" if void else "ORDER_PAID",
            "order": {
                "order_invoice_number": claim.reference,
                "order_amount": f"{claim.amount_text}.00",
                "order_currency": "VND",
                "order_description": claim.memo,
            },
            "transaction": {
                "transaction_id": claim.transaction,
                "transaction_date": _spaced(claim.happened_at or now),
                "transaction_status": "APPROVED",
                "transaction_amount": claim.amount_text,
                "transaction_currency": "VND",
            },
            "customer": None,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    return sepay_call(body, terms, now)


def sepay_call(body: bytes, terms: Terms, now: datetime) -> Call:
    """`body` as SePay posts it, with the proof that the mode of `terms` asks for."""
    secret = terms.secrets[0]
    timestamp = str(int(now.timestamp()))
    signature = hmac_sha256(secret, timestamp.encode() + b"." + body)
    proofs = {
        HMAC: (("X-SePay-Timestamp", timestamp), ("X-SePay-Signature", f"sha256={signature}")),
        API_KEY: (("Authorization", f"Apikey {secret}"),),
        SECRET_KEY: (("X-Secret-Key", str(secret)),),
    }
    return Call(
        method="POST",
        path=f"/callbacks/sepay/{terms.merchant}",
        headers=(("Content-Type", "application/json"), *proofs[terms.mode]),
        body=body,
    )


def _spaced(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")
