"""VNPAY's `querydr` and `refund`: JSON both ways, signed over values joined by pipes.

The meaning of the codes of a payment is in `providers.vnpay`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from providers.abilities import RefundOrder, SignedRequest, StatusQuestion
from providers.contract import Claim, Rejected, Status, Terms, Unanswered
from providers.signing import hmac_sha512, is_signed
from providers.untrusted import (
    KEY_CHARS_MAX,
    compact_time,
    json_object,
    key_of,
    plain_ascii,
    text_of,
    whole_vnd,
    written_compactly,
)

SANDBOX_API: Final = "https://sandbox.vnpayment.vn/merchant_webapi/api/transaction"
ANSWER_BYTES_MAX = 65_536
REQUEST_ID_CHARS_MAX = 32
ORDER_INFO_CHARS_MAX = 255
HUNDREDTHS = 100

DONE = "00"
NOT_FOUND = "91"
ALREADY_ASKED = "94"
NOT_REFUNDABLE = "95"

_VERSION = "2.1.0"
QUESTION_FIELDS: Final = [
    "vnp_RequestId",
    "vnp_Version",
    "vnp_Command",
    "vnp_TmnCode",
    "vnp_TxnRef",
    "vnp_TransactionDate",
    "vnp_CreateDate",
    "vnp_IpAddr",
    "vnp_OrderInfo",
]
REFUND_FIELDS: Final = [
    "vnp_RequestId",
    "vnp_Version",
    "vnp_Command",
    "vnp_TmnCode",
    "vnp_TransactionType",
    "vnp_TxnRef",
    "vnp_Amount",
    "vnp_TransactionNo",
    "vnp_TransactionDate",
    "vnp_CreateBy",
    "vnp_CreateDate",
    "vnp_IpAddr",
    "vnp_OrderInfo",
]
_REFUND_ANSWER_FIELDS: Final = [
    "vnp_ResponseId",
    "vnp_Command",
    "vnp_ResponseCode",
    "vnp_Message",
    "vnp_TmnCode",
    "vnp_TxnRef",
    "vnp_Amount",
    "vnp_BankCode",
    "vnp_PayDate",
    "vnp_TransactionNo",
    "vnp_TransactionType",
    "vnp_TransactionStatus",
    "vnp_OrderInfo",
]
ANSWER_FIELDS: Final = MappingProxyType(
    {
        "querydr": [*_REFUND_ANSWER_FIELDS, "vnp_PromotionCode", "vnp_PromotionAmount"],
        "refund": _REFUND_ANSWER_FIELDS,
    }
)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An authentic answer of the API about one order."""

    code: str
    reference: str
    transaction: str
    transaction_status: str
    is_refund: bool
    amount_vnd: int | None
    amount_text: str
    happened_at: datetime | None
    memo: str
    bank_brand: str | None

    def claim(self, status: Status) -> Claim:
        """The same as a claim with the meaning `status`."""
        return Claim(
            transaction=self.transaction,
            status=status,
            reference=self.reference,
            amount_vnd=self.amount_vnd,
            amount_text=self.amount_text,
            happened_at=self.happened_at,
            kind="gateway",
            scope=self.reference,
            memo=self.memo,
            bank_brand=self.bank_brand,
        )


def status_request(question: StatusQuestion, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `querydr`; ValueError when the request id is no key of 1 to 32 characters."""
    fields = {
        "vnp_RequestId": _request_id(question.request_id),
        "vnp_Version": _VERSION,
        "vnp_Command": "querydr",
        "vnp_TmnCode": terms.merchant,
        "vnp_TxnRef": key_of(question.order_code),
        "vnp_TransactionDate": written_compactly(question.ordered_at),
        "vnp_CreateDate": written_compactly(now),
        "vnp_IpAddr": question.client_ip,
        "vnp_OrderInfo": plain_ascii(question.description, ORDER_INFO_CHARS_MAX),
    }
    return _signed(fields, QUESTION_FIELDS, terms)


def refund_request(order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
    """The signed `refund`; ValueError when the amount is not positive or the id is no key."""
    if order.amount_vnd <= 0:
        raise ValueError("nothing to give back")
    number = order.transaction or ""
    fields = {
        "vnp_RequestId": _request_id(order.request_id),
        "vnp_Version": _VERSION,
        "vnp_Command": "refund",
        "vnp_TmnCode": terms.merchant,
        "vnp_TransactionType": "02" if order.whole else "03",
        "vnp_TxnRef": key_of(order.order_code),
        "vnp_Amount": str(order.amount_vnd * HUNDREDTHS),
        "vnp_TransactionNo": number if number.isdecimal() else "0",
        "vnp_TransactionDate": written_compactly(order.ordered_at),
        "vnp_CreateBy": plain_ascii(order.asked_by, ORDER_INFO_CHARS_MAX),
        "vnp_CreateDate": written_compactly(now),
        "vnp_IpAddr": order.client_ip,
        "vnp_OrderInfo": plain_ascii(order.description, ORDER_INFO_CHARS_MAX),
    }
    return _signed(fields, REFUND_FIELDS, terms)


def refused(order: RefundOrder) -> Claim:
    """The claim that VNPAY gives nothing back for `order`."""
    return Claim(
        transaction=order.transaction or f"0/{order.order_code}",
        status="refund_failed",
        reference=order.order_code,
        amount_vnd=order.amount_vnd,
        amount_text=str(order.amount_vnd * HUNDREDTHS),
        happened_at=None,
        kind="gateway",
        scope=order.order_code,
    )


def read_answer(
    body: bytes, command: Literal["querydr", "refund"], reference: str, terms: Terms
) -> Answered | None:
    """The answer about `reference`; None: VNPAY knows no such order.

    Rejected when it is not VNPAY's, or answers another question; Unanswered for an error code.
    """
    fields = _authentic(body, command, terms)
    code = fields["vnp_ResponseCode"]
    if code not in {DONE, NOT_FOUND, ALREADY_ASKED, NOT_REFUNDABLE} or (
        command == "querydr" and code not in {DONE, NOT_FOUND}
    ):
        raise Unanswered(code, fields["vnp_Message"])
    if fields["vnp_TmnCode"] != terms.merchant or fields["vnp_TxnRef"] != reference:
        raise Rejected("forged", "the answer is about another order")
    if code == NOT_FOUND:
        return None
    try:
        transaction = transaction_of(fields["vnp_TransactionNo"], reference)
    except ValueError:
        raise Rejected("malformed", "no transaction number") from None
    amount_vnd, amount_text = amount_of(fields["vnp_Amount"])
    return Answered(
        code=code,
        reference=reference,
        transaction=transaction,
        transaction_status=fields["vnp_TransactionStatus"],
        is_refund=fields["vnp_TransactionType"] in {"02", "03"},
        amount_vnd=amount_vnd,
        amount_text=amount_text,
        happened_at=compact_time(fields["vnp_PayDate"]),
        memo=fields["vnp_OrderInfo"],
        bank_brand=fields["vnp_BankCode"] or None,
    )


def amount_of(text: str) -> tuple[int | None, str]:
    """Whole đồng of a vnp_Amount (đồng x 100), or None; and the text for the key."""
    hundredths = whole_vnd(text) if text.isdecimal() else None
    if hundredths is None or hundredths % HUNDREDTHS:
        return None, text[:KEY_CHARS_MAX]
    return hundredths // HUNDREDTHS, text


def transaction_of(number: str, reference: str) -> str:
    """VNPAY's number; `0/<order>` where the payment never got one, so that orders stay apart."""
    if not number.strip("0"):
        return f"0/{reference}"
    return key_of(number)


def _authentic(body: bytes, command: str, terms: Terms) -> Mapping[str, str]:
    """The answer's fields, absent ones empty; Rejected when VNPAY did not sign them."""
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    names = ANSWER_FIELDS[command]
    fields = {name: text_of(found.get(name)) for name in names}
    if any("|" in value for value in fields.values()):
        raise Rejected("malformed", "a pipe in a value makes the signed text ambiguous")
    message = "|".join(fields.values()).encode()
    given = text_of(found.get("vnp_SecureHash"))
    if not is_signed(given, terms.secrets, [message], hmac_sha512):
        raise Rejected("forged", "the signature does not fit")
    if fields["vnp_Command"] != command:
        raise Rejected("forged", "the answer to another command")
    return fields


def _request_id(text: str) -> str:
    if len(text) > REQUEST_ID_CHARS_MAX:
        raise ValueError("a request id has at most 32 characters")
    return key_of(text)


def _signed(fields: Mapping[str, str], order: list[str], terms: Terms) -> SignedRequest:
    message = "|".join(fields[name] for name in order).encode()
    signed = {**fields, "vnp_SecureHash": hmac_sha512(terms.secrets[0], message)}
    return SignedRequest(
        method="POST",
        url=terms.api_address or SANDBOX_API,
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(signed, separators=(",", ":")).encode(),
    )
