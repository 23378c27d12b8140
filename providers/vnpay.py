"""VNPAY, gateway "PAY" 2.1.0: the IPN it calls us with, the checkout link, questions and refunds.

Source: sandbox.vnpayment.vn/apis/docs (thanh-toan-pay, truy-van-hoan-tien). The return address of
the citizen's browser carries the same fields and never books anything. IPNs bear no timestamp of
their sending, so there is no freshness to judge: a repeat is told by its transaction number.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from providers import vnpay_api
from providers.abilities import CheckoutOrder, RefundOrder, SignedRequest, StatusQuestion
from providers.contract import NOTHING, Answer, Call, Claim, Hint, Outcome, Rejected, Status, Terms
from providers.untrusted import KEY_CHARS_MAX, compact_time, key_of, plain_ascii, written_compactly
from providers.vnpay_acting import VnpayActing
from providers.vnpay_api import HUNDREDTHS, ORDER_INFO_CHARS_MAX, amount_of, transaction_of
from providers.vnpay_query import QUERY_BYTES_MAX, fields_of, is_true, parameters, signed_query

ORDER_VND_MAX = 9_999_999_999
"""vnp_Amount is at most 12 digits of đồng x 100."""

SANDBOX_PAY: Final = "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html"

_JSON = "application/json"

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: ("00", "Confirm Success"),
        Outcome.NOTED: ("00", "Confirm Success"),
        Outcome.REPEAT_OF_PAID: ("02", "Order already confirmed"),
        Outcome.REPEAT: ("00", "Confirm Success"),
        Outcome.ANOTHER_FOR_PAID: ("02", "Order already confirmed"),
        Outcome.UNKNOWN_ORDER: ("01", "Order not found"),
        Outcome.UNKNOWN_AGAIN: ("01", "Order not found"),
        Outcome.AMOUNT_DIFFERS: ("04", "Invalid amount"),
        Outcome.HELD: ("00", "Confirm Success"),  # ours: the message arrived, people will look
        Outcome.FORGED: ("97", "Invalid signature"),
        Outcome.STALE: ("97", "Invalid signature"),
        Outcome.MALFORMED: ("99", "Unknown error"),
        Outcome.TRY_AGAIN: ("99", "Unknown error"),
        Outcome.TEST: ("00", "Confirm Success"),
    }
)

_BY_TRANSACTION_STATUS: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "01": "pending",
        "02": "failed",
        "04": "held",  # reversed: taken at the bank, not successful at VNPAY
        "05": "refund_processing",
        "06": "refund_processing",
        "07": "held",  # suspected fraud
        "09": "refund_failed",
    }
)
_REFUND_FAILED = frozenset({"02", "09"})
_OF_REFUNDS = frozenset({"refunded", "refund_processing", "refund_failed"})
_FAILED_BECAUSE: Final[Mapping[str, Status]] = MappingProxyType(
    {"11": "expired", "24": "cancelled"}
)


class Vnpay(VnpayActing):
    """The adapter; it holds no state, so one serves every merchant."""

    name = "vnpay"
    methods = frozenset({"GET"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials = NOTHING
    options = NOTHING

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of an IPN; Rejected when it is not VNPAY's or not this terminal's."""
        del now  # an IPN says nothing of when it was sent
        if call.method != "GET" or len(call.raw_query) > QUERY_BYTES_MAX:
            raise Rejected("malformed", "not a GET with a short query")
        try:
            found = parameters(call.raw_query)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        fields = fields_of(found)
        if len(fields) != len(found):
            raise Rejected("forged", "a parameter is repeated", hint=_hint(fields))
        given = fields.get(b"vnp_SecureHash", "")
        if not is_true(found, given, terms.secrets):
            raise Rejected("forged", "the signature does not fit", hint=_hint(fields))
        if fields.get(b"vnp_TmnCode") != terms.merchant:
            raise Rejected("forged", "signed for another terminal", hint=_hint(fields))
        return (_claim(fields),)

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """HTTP 200 with the code VNPAY understands; 00 and 02 end its retries."""
        del call
        code, message = _ANSWERS[outcome]
        body = f'{{"RspCode":"{code}","Message":"{message}"}}'
        return Answer(status=200, media_type=_JSON, body=body.encode())

    def checkout_url(self, order: CheckoutOrder, terms: Terms, now: datetime) -> str:
        """The signed address where the citizen pays `order`.

        ValueError for an order that VNPAY would refuse: its reference is no key, its amount is
        outside 1..ORDER_VND_MAX đồng, or it has expired.
        """
        if not 0 < order.amount_vnd <= ORDER_VND_MAX:
            raise ValueError("the amount does not fit into vnp_Amount")
        if order.expires_at <= now:
            raise ValueError("the order has expired")
        fields = {
            "vnp_Version": "2.1.0",
            "vnp_Command": "pay",
            "vnp_TmnCode": terms.merchant,
            "vnp_Amount": str(order.amount_vnd * HUNDREDTHS),
            "vnp_CurrCode": "VND",
            "vnp_TxnRef": key_of(order.order_code),
            "vnp_OrderInfo": plain_ascii(order.description, ORDER_INFO_CHARS_MAX),
            "vnp_OrderType": "other",
            "vnp_Locale": "en" if order.locale == "en" else "vn",
            "vnp_ReturnUrl": order.return_url,
            "vnp_IpAddr": order.client_ip,
            "vnp_CreateDate": written_compactly(now),
            "vnp_ExpireDate": written_compactly(order.expires_at),
            "vnp_BankCode": order.bank_code,
        }
        query = signed_query(fields, terms)
        return f"{terms.pay_address or SANDBOX_PAY}?{query}"

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """`querydr`: what became of an order."""
        return vnpay_api.status_request(question, terms, now)

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """The answer to `querydr`; none: VNPAY knows no such order."""
        answered = vnpay_api.read_answer(body, "querydr", question.order_code, terms)
        if answered is None:
            return ()
        code = answered.transaction_status
        status = status_of("00", code)
        if answered.is_refund and code == "00":
            status = "refunded"
        return (answered.claim(status),)

    def refund_request(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`refund`: give a payment back, whole or in part."""
        return vnpay_api.refund_request(order, terms, now)

    def read_refund(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim:
        """What VNPAY does about a refund; a refusal is the status `refund_failed`."""
        answered = vnpay_api.read_answer(body, "refund", order.order_code, terms)
        if answered is None or answered.code == vnpay_api.NOT_REFUNDABLE:
            return vnpay_api.refused(order)
        if answered.code == vnpay_api.DONE and answered.transaction_status == "00":
            return answered.claim("refunded")
        failed = answered.transaction_status in _REFUND_FAILED
        return answered.claim("refund_failed" if failed else "refund_processing")

    def refund_question(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`querydr` of the refunded order: it tells of the newest transaction of the order."""
        return vnpay_api.status_request(_question_of(order), terms, now)

    def read_refund_answer(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
        """What became of the refund; None while VNPAY tells of the payment alone.

        It may be sent again then: VNPAY refuses a second one of the same request id (code 94).
        """
        told = self.read_status(body, _question_of(order), terms)
        claim = next(iter(told), None)
        return claim if claim is not None and claim.status in _OF_REFUNDS else None


ADAPTER: Final = Vnpay()


def _question_of(order: RefundOrder) -> StatusQuestion:
    return StatusQuestion(
        request_id=order.request_id,
        order_code=order.order_code,
        ordered_at=order.ordered_at,
        client_ip=order.client_ip,
    )


def status_of(response_code: str, transaction_status: str) -> Status:
    """What VNPAY's two codes mean together: paid only if both are 00.

    A contradiction that may mean money (one says success, the other fraud or failure after
    success) is `held`, for people to look at; an unknown state is `pending`, to be asked about.
    """
    if response_code == "00" and transaction_status == "00":
        return "paid"
    if response_code == "07" or transaction_status == "00":
        return "held"
    status = _BY_TRANSACTION_STATUS.get(transaction_status, "pending")
    if status == "failed":
        return _FAILED_BECAUSE.get(response_code, "failed")
    return status


def _hint(fields: Mapping[bytes, str]) -> Hint:
    amount_vnd, _ = amount_of(fields.get(b"vnp_Amount", ""))
    return Hint(
        reference=fields.get(b"vnp_TxnRef", "")[:KEY_CHARS_MAX] or None,
        amount_vnd=amount_vnd,
        transaction=fields.get(b"vnp_TransactionNo", "")[:KEY_CHARS_MAX] or None,
    )


def _claim(fields: Mapping[bytes, str]) -> Claim:
    reference = fields.get(b"vnp_TxnRef", "")
    response_code = fields.get(b"vnp_ResponseCode", "")
    transaction_status = fields.get(b"vnp_TransactionStatus", "")
    if not 0 < len(reference) <= KEY_CHARS_MAX:
        raise Rejected("malformed", "no order", authentic=True)
    if not response_code or not transaction_status:
        # A checkout link of ours is signed with the same key in the same way: it has no result.
        raise Rejected("malformed", "no result", authentic=True)
    try:
        transaction = transaction_of(fields.get(b"vnp_TransactionNo", ""), reference)
    except ValueError:
        raise Rejected("malformed", "no transaction number", authentic=True) from None
    amount_vnd, amount_text = amount_of(fields.get(b"vnp_Amount", ""))
    return Claim(
        transaction=transaction,
        status=status_of(response_code, transaction_status),
        reference=reference,
        amount_vnd=amount_vnd,
        amount_text=amount_text,
        happened_at=compact_time(fields.get(b"vnp_PayDate", "")),
        kind="gateway",
        scope=reference,
        memo=fields.get(b"vnp_OrderInfo", ""),
        bank_reference=fields.get(b"vnp_BankTranNo") or None,
        bank_brand=fields.get(b"vnp_BankCode") or None,
    )
