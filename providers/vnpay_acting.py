"""VNPAY's own side: IPNs, the checkout link a citizen opens, and the answers of its API.

Source: as `providers.vnpay`. What the page leaves open is said where it is decided.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from providers.acting import Order, Payment, Refund, Shop
from providers.contract import Answer, Call, Status, Terms
from providers.signing import hmac_sha512, is_signed
from providers.untrusted import (
    compact_time,
    json_object,
    key_of,
    plain_ascii,
    text_of,
    written_compactly,
)
from providers.vnpay_api import (
    ALREADY_ASKED,
    ANSWER_FIELDS,
    DONE,
    HUNDREDTHS,
    NOT_FOUND,
    NOT_REFUNDABLE,
    ORDER_INFO_CHARS_MAX,
    QUESTION_FIELDS,
    REFUND_FIELDS,
    amount_of,
)
from providers.vnpay_query import fields_of, is_true, parameters, signed_query

API_PATH: Final = "/merchant_webapi/api/transaction"
RETRIES: Final = 10
RETRY_WAIT: Final = timedelta(minutes=5)

UNKNOWN_TERMINAL: Final = "02"
MALFORMED: Final = "03"
WRONG_SIGNATURE: Final = "97"
OTHER: Final = "99"
FIRST_REFUND: Final = 90_000_000
"""Numbers of refunds begin here, so that none is the number of a payment."""

_CODES: Final[Mapping[Status, tuple[str, str]]] = MappingProxyType(
    {
        "paid": ("00", "00"),
        "pending": ("99", "01"),
        "failed": ("51", "02"),
        "cancelled": ("24", "02"),
        "expired": ("11", "02"),
        "held": ("07", "07"),
    }
)
"""vnp_ResponseCode and vnp_TransactionStatus of an IPN; no IPN tells of a refund."""

_REFUND_STATES: Final = MappingProxyType({"processing": "05", "done": "00", "failed": "09"})
_ENDS: Final = frozenset({"00", "02"})
"""What we may answer so that VNPAY does not call again."""

_WORDS: Final = MappingProxyType(
    {
        DONE: "Success",
        UNKNOWN_TERMINAL: "Invalid TmnCode",
        MALFORMED: "Invalid data format",
        NOT_FOUND: "Request is not found",
        ALREADY_ASKED: "Request is duplicate",
        NOT_REFUNDABLE: "Transaction is not success. Refused",
        WRONG_SIGNATURE: "Invalid checksum",
        OTHER: "Other errors",
    }
)


class VnpayActing:
    """What the adapter can do as VNPAY: see `providers.acting`."""

    retry_waits: Sequence[timedelta] = (RETRY_WAIT,) * RETRIES

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The IPN about `payment`; ValueError for a refund, or without an order."""
        del now  # an IPN does not say when it was sent
        if payment.status not in _CODES or payment.order_code is None:
            raise ValueError("VNPAY tells only what became of an order's payment")
        response_code, transaction_status = _CODES[payment.status]
        fields = {
            "vnp_Amount": payment.amount_text or str(payment.amount_vnd * HUNDREDTHS),
            "vnp_BankCode": payment.bank_brand or "NCB",
            "vnp_BankTranNo": payment.bank_reference,
            "vnp_CardType": "ATM",
            "vnp_OrderInfo": payment.memo or f"Nop phi le phi {payment.order_code}",
            "vnp_PayDate": written_compactly(payment.paid_at),
            "vnp_ResponseCode": response_code,
            "vnp_TmnCode": terms.merchant,
            "vnp_TransactionNo": _number(payment),
            "vnp_TransactionStatus": transaction_status,
            "vnp_TxnRef": payment.order_code,
        }
        return Call(
            method="GET",
            path=f"/callbacks/vnpay/{terms.merchant}",
            raw_query=signed_query(fields, terms).encode(),
        )

    def accepts(self, status: int, body: bytes) -> bool:
        """HTTP 200 with RspCode 00 or 02; anything else makes VNPAY call again."""
        try:
            found = json_object(body)
        except ValueError:
            return False
        return status == 200 and text_of(found.get("RspCode")) in _ENDS  # noqa: PLR2004 # HTTP

    def order_of_link(self, call: Call, terms: Terms, now: datetime) -> Order:
        """The order in a checkout link; ValueError where it is not signed, not ours or too late."""
        found = parameters(call.raw_query)
        fields = {key.decode("ascii", "replace"): value for key, value in fields_of(found).items()}
        if len(fields) != len(found):
            raise ValueError("a parameter is repeated")
        if not is_true(found, fields.get("vnp_SecureHash", ""), terms.secrets[:1]):
            raise ValueError("the signature does not fit")
        if fields.get("vnp_Command") != "pay" or fields.get("vnp_TmnCode") != terms.merchant:
            raise ValueError("no order of this terminal")
        amount_vnd, _ = amount_of(fields.get("vnp_Amount", ""))
        opened_at = compact_time(fields.get("vnp_CreateDate", ""))
        expires_at = compact_time(fields.get("vnp_ExpireDate", ""))
        if amount_vnd is None or opened_at is None or expires_at is None:
            raise ValueError("an amount or a time cannot be read")
        if expires_at <= now:
            raise ValueError("the order has expired")
        return Order(
            order_code=key_of(fields.get("vnp_TxnRef")),
            amount_vnd=amount_vnd,
            opened_at=opened_at,
            expires_at=expires_at,
            description=fields.get("vnp_OrderInfo", ""),
            return_url=fields.get("vnp_ReturnUrl", ""),
        )

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """`querydr` and `refund` under one path, told apart by vnp_Command."""
        if call.method != "POST" or call.path != API_PATH:
            return Answer(status=404, media_type="text/plain", body=b"")
        try:
            asked = {name: text_of(value) for name, value in json_object(call.body).items()}
        except ValueError:
            return _answer("querydr", {"vnp_ResponseCode": MALFORMED}, terms)
        command = "refund" if asked.get("vnp_Command") == "refund" else "querydr"
        told = _refused(asked, command, terms)
        if told is None:
            act = _refund if command == "refund" else _query
            told = act(asked, shop, now)
        return _answer(command, told, terms)


def _number(payment: Payment) -> str:
    """vnp_TransactionNo; 0 for an attempt that got no number (see `vnpay_api.transaction_of`)."""
    return "0" if payment.transaction == f"0/{payment.order_code}" else payment.transaction


def _refused(asked: Mapping[str, str], command: str, terms: Terms) -> Mapping[str, str] | None:
    """The refusal of a request that is not the merchant's; None for a true one."""
    order = REFUND_FIELDS if command == "refund" else QUESTION_FIELDS
    code = ""
    message = "|".join(asked.get(name, "") for name in order).encode()
    if asked.get("vnp_TmnCode") != terms.merchant:
        code = UNKNOWN_TERMINAL
    elif not is_signed(asked.get("vnp_SecureHash", ""), terms.secrets[:1], [message], hmac_sha512):
        code = WRONG_SIGNATURE
    elif asked.get("vnp_Command") != command or not asked.get("vnp_RequestId"):
        code = MALFORMED
    return {"vnp_ResponseCode": code} if code else None


def _query(asked: Mapping[str, str], shop: Shop, now: datetime) -> Mapping[str, str]:
    """What became of an order: its newest refund, else its newest payment, else nothing yet."""
    code = asked.get("vnp_TxnRef", "")
    order = _order_of(asked, shop)
    if order is None:
        return {"vnp_ResponseCode": NOT_FOUND, "vnp_TxnRef": code}
    refunds = [one for one in shop.refunds.values() if one.order_code == code]
    if refunds:
        return {"vnp_ResponseCode": DONE} | _of_refund(refunds[-1], shop)
    told = {
        "vnp_ResponseCode": DONE,
        "vnp_TxnRef": code,
        "vnp_OrderInfo": plain_ascii(order.description, ORDER_INFO_CHARS_MAX),
        "vnp_TransactionType": "01",
    }
    payments = shop.of_order(code)
    if not payments:
        # What VNPAY says of an order that was never paid is not published.
        ended = order.expires_at is not None and order.expires_at <= now
        return told | {
            "vnp_Amount": str(order.amount_vnd * HUNDREDTHS),
            "vnp_TransactionNo": "0",
            "vnp_TransactionStatus": "02" if ended else "01",
        }
    payment = payments[-1]
    return told | {
        "vnp_Amount": payment.amount_text or str(payment.amount_vnd * HUNDREDTHS),
        "vnp_BankCode": payment.bank_brand or "NCB",
        "vnp_PayDate": written_compactly(payment.paid_at),
        "vnp_TransactionNo": _number(payment),
        "vnp_TransactionStatus": _CODES[payment.status][1],
    }


def _order_of(asked: Mapping[str, str], shop: Shop) -> Order | None:
    """The order asked about: VNPAY knows one by its number and the date its link was signed.

    An order that no link opened (it has no return address) is known by its number alone.
    """
    order = shop.orders.get(asked.get("vnp_TxnRef", ""))
    if order is None or not order.return_url:
        return order
    dated = asked.get("vnp_TransactionDate") == written_compactly(order.opened_at)
    return order if dated else None


def _refund(asked: Mapping[str, str], shop: Shop, now: datetime) -> Mapping[str, str]:
    """Give a payment back, whole or in part; a request id that was heard is refused with 94."""
    request_id, code = asked["vnp_RequestId"], asked.get("vnp_TxnRef", "")
    heard = shop.refunds.get(request_id)
    if heard is not None:
        return {"vnp_ResponseCode": ALREADY_ASKED} | _of_refund(heard, shop)
    about = {"vnp_TxnRef": code}
    if _order_of(asked, shop) is None:
        return about | {"vnp_ResponseCode": NOT_FOUND}
    number = asked.get("vnp_TransactionNo", "")
    paid = [one for one in shop.of_order(code) if one.status == "paid"]
    if number.strip("0"):
        paid = [one for one in paid if one.transaction == number]
    amount_vnd, _ = amount_of(asked.get("vnp_Amount", ""))
    if not paid:
        return about | {"vnp_ResponseCode": NOT_REFUNDABLE}
    given_vnd = sum(
        one.amount_vnd
        for one in shop.refunds.values()
        if one.of_transaction == paid[-1].transaction and one.state != "failed"
    )
    if amount_vnd is None or given_vnd + amount_vnd > paid[-1].amount_vnd:
        # Which code VNPAY uses for too much is not published.
        return about | {"vnp_ResponseCode": OTHER}
    refund = Refund(
        request_id=request_id,
        order_code=code,
        transaction=str(FIRST_REFUND + len(shop.refunds)),
        of_transaction=paid[-1].transaction,
        amount_vnd=amount_vnd,
        asked_at=now,
    )
    shop.refunds[request_id] = refund
    return {"vnp_ResponseCode": DONE} | _of_refund(refund, shop)


def _of_refund(refund: Refund, shop: Shop) -> dict[str, str]:
    paid = [one for one in shop.payments if one.transaction == refund.of_transaction]
    whole = sum(one.amount_vnd for one in paid) == refund.amount_vnd
    return {
        "vnp_TxnRef": refund.order_code,
        "vnp_Amount": str(refund.amount_vnd * HUNDREDTHS),
        "vnp_BankCode": "NCB",
        "vnp_PayDate": written_compactly(refund.asked_at),
        "vnp_TransactionNo": refund.transaction,
        "vnp_TransactionType": "02" if whole else "03",
        "vnp_TransactionStatus": _REFUND_STATES[refund.state],
        "vnp_OrderInfo": f"Hoan tien {refund.order_code}",
    }


def _answer(command: str, told: Mapping[str, str], terms: Terms) -> Answer:
    """The signed answer; fields that are not told are empty in the signed text, and not sent."""
    code = told["vnp_ResponseCode"]
    about = told.get("vnp_TransactionNo") or told.get("vnp_TxnRef", "")
    fields = {
        "vnp_ResponseId": f"{command}-{about}",
        "vnp_Command": command,
        "vnp_Message": _WORDS[code],
        "vnp_TmnCode": terms.merchant,
        **told,
    }
    message = "|".join(fields.get(name, "") for name in ANSWER_FIELDS[command]).encode()
    signed = {**fields, "vnp_SecureHash": hmac_sha512(terms.secrets[0], message)}
    return Answer(
        status=200,
        media_type="application/json",
        body=json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode(),
    )
