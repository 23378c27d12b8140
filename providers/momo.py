"""MoMo, payment gateway 2 ("AIO"): the IPN it posts to us, checkout, questions and refunds.

Source: developers.momo.vn v3, github momo-wallet/payment. What the citizen's browser brings back
has the same fields and signature, and never books anything. IPNs are signed without a time of
their sending, so there is no freshness to judge: a repeat is told by its transaction number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from providers import momo_api, momo_refunds
from providers.abilities import (
    Checkout,
    CheckoutOrder,
    RefundOrder,
    SignedRequest,
    StatusQuestion,
)
from providers.contract import Answer, Call, Claim, Hint, Outcome, Rejected, Status, Terms
from providers.momo_acting import MomoActing
from providers.momo_dialect import (
    ACCESS_KEY,
    IPN_FIELDS,
    ONE_STEP,
    ORDER_MAX,
    REFUND_QUERY_PATH,
    REQUEST_TYPE,
    claim_of,
    fields_of,
    signed_text,
)
from providers.signing import hmac_sha256, is_signed
from providers.untrusted import KEY_CHARS_MAX, clean, json_object, whole_vnd
from providers.wallet_numbers import raw_text

BODY_BYTES_MAX = 65_536
"""An IPN is about 600 bytes; a longer body is not read."""

PARAMETERS_MAX = 100
"""What a browser brings back has about a dozen parameters."""

_JSON = "application/json"
_DONE: Final = 204  # within 15 s
_FORGED: Final = 401  # ours, as the two below
_MALFORMED: Final = 400
_TRY_AGAIN: Final = 503

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: _DONE,
        Outcome.NOTED: _DONE,
        Outcome.REPEAT_OF_PAID: _DONE,
        Outcome.REPEAT: _DONE,
        Outcome.ANOTHER_FOR_PAID: _DONE,
        Outcome.UNKNOWN_ORDER: _DONE,
        Outcome.UNKNOWN_AGAIN: _DONE,
        Outcome.AMOUNT_DIFFERS: _DONE,
        Outcome.HELD: _DONE,
        Outcome.FORGED: _FORGED,
        Outcome.STALE: _FORGED,
        Outcome.MALFORMED: _MALFORMED,
        Outcome.TRY_AGAIN: _TRY_AGAIN,
        Outcome.TEST: _DONE,
    }
)

_ORDERS = re.compile(r"&orderId=[0-9A-Za-z][-_.0-9A-Za-z]*&orderInfo=", re.ASCII)


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen's browser brought back from MoMo: for display, and never a claim."""

    order_code: str
    status: Status
    amount_vnd: int | None
    transaction: str


class Momo(MomoActing):
    """The adapter; it holds no state, so one serves every merchant."""

    name = "momo"
    methods = frozenset({"POST"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = MappingProxyType(
        {ACCESS_KEY: "The accessKey of the merchant: it is part of every signed text."}
    )
    options: Mapping[str, str] = MappingProxyType(
        {
            ONE_STEP: "true: the contract has no capture step, so 9000 (authorised) means paid. "
            "Otherwise it is noted as blocked money, and nothing is paid.",
            REQUEST_TYPE: "The requestType of checkouts; captureWallet unless set.",
            ORDER_MAX: "The largest order in đồng that MoMo takes of this merchant; 50000000.",
            REFUND_QUERY_PATH: "The path of the question about a refund, which is unverified; "
            "/v2/gateway/api/refund/query unless set.",
        }
    )

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of an IPN; Rejected when it is not MoMo's or not this partner's."""
        del now  # an IPN says nothing of when it was sent
        if call.method != "POST" or len(call.body) > BODY_BYTES_MAX:
            raise Rejected("malformed", "not a POST with a short body")
        try:
            found = json_object(call.body)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        return (_believed(found, terms),)

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """HTTP 204 is all that MoMo wants to hear; no answer has a body."""
        del call
        return Answer(status=_ANSWERS[outcome], media_type=_JSON, body=b"")

    def checkout_request(self, order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`create`: ask for the page where the citizen pays `order`."""
        return momo_api.checkout_request(order, terms, now)

    def read_checkout(self, body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
        """The page that MoMo opened."""
        return momo_api.read_checkout(body, order, terms)

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """`query`: what became of an order."""
        del now  # a question is not dated
        return momo_api.status_request(question, terms)

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """The answer to `query`; none: MoMo knows no such order."""
        return momo_api.read_status(body, question, terms)

    def refund_request(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`refund`: give a payment back, whole or in part."""
        del now  # a refund is not dated
        return momo_refunds.refund_request(order, terms)

    def read_refund(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim:
        """What MoMo does about a refund."""
        return momo_refunds.read_refund(body, order, terms)

    def refund_question(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`refund/query`: what became of a refund."""
        return momo_refunds.refund_question(order, terms, now)

    def read_refund_answer(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
        """What became of a refund; None: MoMo never heard of it."""
        return momo_refunds.read_refund_answer(body, order, terms)


ADAPTER: Final = Momo()


def read_redirect(raw_query: bytes, terms: Terms) -> Redirect:
    """What the browser's return address says, once its signature has been checked.

    Rejected when it is not MoMo's or not this partner's. For display only: it books nothing.
    """
    try:
        pairs = parse_qsl(
            raw_query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Rejected("forged", "a parameter is repeated")
    claim = _believed(found, terms)
    return Redirect(
        order_code=claim.scope,
        status=claim.status,
        amount_vnd=claim.amount_vnd,
        transaction=claim.transaction,
    )


def _believed(found: Mapping[str, object], terms: Terms) -> Claim:
    """The claim in `found`, in whichever of MoMo's two ways it came; Rejected unless proven."""
    fields = fields_of(found)
    given = raw_text(found.get("signature"))
    if not is_signed(given, terms.secrets, _messages(found, fields, terms), hmac_sha256):
        raise Rejected("forged", "the signature does not fit", hint=_hint(fields))
    if fields["partnerCode"] != terms.merchant:
        raise Rejected("forged", "signed for another partner", hint=_hint(fields))
    if len(_ORDERS.findall("&".join(f"{name}={fields[name]}" for name in IPN_FIELDS))) > 1:
        # Values are signed as they are: a text of ours or MoMo's that holds `&orderId=` lets one
        # signature fit two orders. People decide; nothing that this service sends holds one.
        raise Rejected(
            "malformed", "signed, but names two orders", hint=_hint(fields), authentic=True
        )
    try:
        return claim_of(fields, terms)
    except ValueError as error:
        raise Rejected("malformed", str(error), hint=_hint(fields), authentic=True) from None


def _messages(
    found: Mapping[str, object], fields: Mapping[str, str], terms: Terms
) -> Iterator[bytes]:
    """The texts that may have been signed: numbers as integers, or else just as they came.

    Both say the same, so neither lets a changed one pass. None without an access key.
    """
    access_key = terms.credentials.get(ACCESS_KEY, "")
    if not access_key:
        return
    yield signed_text(fields, IPN_FIELDS, access_key)
    written = {name: raw_text(found.get(name)) for name in IPN_FIELDS}
    if written != fields:
        yield signed_text(written, IPN_FIELDS, access_key)


def _hint(fields: Mapping[str, str]) -> Hint:
    return Hint(
        reference=clean(fields["orderId"])[:KEY_CHARS_MAX] or None,
        amount_vnd=whole_vnd(fields["amount"]),
        transaction=clean(fields["transId"])[:KEY_CHARS_MAX] or None,
    )
