"""ZaloPay, Open API 2: the callback it posts to us, checkout, questions and refunds.

Source: docs.zalopay.vn (callback, order and refund APIs), github zalopay-oss/zalopay-nodejs. It
calls about success only: what failed or expired must be asked about. Callbacks are signed without
a time of their sending, so there is no freshness to judge.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

from providers import zalopay_api, zalopay_refunds
from providers.abilities import (
    Checkout,
    CheckoutOrder,
    RefundOrder,
    SignedRequest,
    StatusQuestion,
)
from providers.contract import Answer, Call, Claim, Hint, Outcome, Rejected, Terms
from providers.signing import hmac_sha256, is_signed
from providers.untrusted import (
    KEY_CHARS_MAX,
    NumberText,
    clean,
    json_object,
    key_of,
    text_of,
    whole_vnd,
)
from providers.wallet_numbers import integer_text, moment_of, raw_text, transaction_text
from providers.zalopay_acting import ZalopayActing
from providers.zalopay_dialect import (
    AGREEMENT,
    APP_USER,
    KEY1,
    ORDER_CODE_CHARS_MAX,
    ORDER_UNKNOWN,
    REDIRECT_FIELDS,
    REFUND_AT_ONCE,
    REFUND_UNKNOWN,
    dated,
)

BODY_BYTES_MAX = 65_536
"""A callback is about 1000 bytes; a longer body is not read."""

PARAMETERS_MAX = 100
"""What a browser brings back has about ten parameters."""

_JSON = "application/json"
_DONE: Final = (1, "success")
_REPEATED: Final = (2, "duplicate")
_UNPROVEN: Final = (-1, "mac not equal")

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: _DONE,
        Outcome.NOTED: _DONE,
        Outcome.REPEAT_OF_PAID: _REPEATED,
        Outcome.REPEAT: _REPEATED,
        Outcome.ANOTHER_FOR_PAID: _REPEATED,
        Outcome.UNKNOWN_ORDER: (0, "order not found"),  # it calls again, up to three times
        Outcome.UNKNOWN_AGAIN: (2, "order not found"),  # ours: asking on would change nothing
        Outcome.AMOUNT_DIFFERS: _DONE,  # ours: the message arrived, people will look
        Outcome.HELD: _DONE,  # ours, as above
        Outcome.FORGED: _UNPROVEN,
        Outcome.STALE: _UNPROVEN,
        Outcome.MALFORMED: (-1, "invalid data"),
        Outcome.TRY_AGAIN: (0, "try again"),
        Outcome.TEST: _DONE,
    }
)


class Zalopay(ZalopayActing):
    """The adapter; it holds no state, so one serves every merchant."""

    name = "zalopay"
    methods = frozenset({"POST"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = MappingProxyType(
        {KEY1: "The key1 of the app, which signs our requests; the secret is key2."}
    )
    options: Mapping[str, str] = MappingProxyType(
        {
            APP_USER: "The app_user of every order, since citizens are not named; doisoat.",
            ORDER_UNKNOWN: "The sub_return_code of a question about an order that ZaloPay does "
            "not know; -101 unless set, `none` for no code.",
            REFUND_UNKNOWN: "The same for a question about a refund; ZaloPay's pages contradict "
            "each other. A wrong one makes us send a refund again, which it does not repeat.",
            REFUND_AT_ONCE: "true: return_code 1 to a refund means that the money is given back. "
            "Otherwise it is under way until the question about it is answered with 1.",
        }
    )

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of a callback; Rejected when it is not ZaloPay's or not this app's."""
        del now  # a callback says nothing of when it was sent
        if call.method != "POST" or len(call.body) > BODY_BYTES_MAX:
            raise Rejected("malformed", "not a POST with a short body")
        try:
            found = json_object(call.body)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        data, mac = found.get("data"), raw_text(found.get("mac"))
        if not isinstance(data, str) or isinstance(data, NumberText):
            about = _about(data) if isinstance(data, dict) else None
            raise Rejected("forged", "no text that is signed", hint=about)
        # The text is signed as it is inside the envelope: never the JSON in it written anew.
        message = data.encode("utf-8", "surrogatepass")
        if not is_signed(mac, terms.secrets, [message], hmac_sha256):
            raise Rejected("forged", "the mac does not fit", hint=_hint(message))
        try:
            told = json_object(message)
        except ValueError as error:
            raise Rejected("malformed", str(error), authentic=True) from None
        if integer_text(told.get("app_id")) != terms.merchant:
            raise Rejected("forged", "signed for another app", hint=_hint(message))
        try:
            return (_claim(told, integer_text(found.get("type"))),)
        except ValueError as error:
            raise Rejected("malformed", str(error), hint=_hint(message), authentic=True) from None

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """HTTP 200 with the code ZaloPay understands; 1 and 2 end its calls, 0 asks for another."""
        del call
        code, message = _ANSWERS[outcome]
        body = f'{{"return_code":{code},"return_message":"{message}"}}'
        return Answer(status=200, media_type=_JSON, body=body.encode())

    def order_code(self, reference: str, number: int, now: datetime) -> str:
        """The app_trans_id: the Vietnamese date, by which ZaloPay reconciles, and the reference.

        ValueError for more than ORDER_CODE_CHARS_MAX characters.
        """
        del number  # ZaloPay takes letters
        code = key_of(f"{dated(now)}_{reference}")
        if len(code) > ORDER_CODE_CHARS_MAX:
            raise ValueError(f"an app_trans_id has at most {ORDER_CODE_CHARS_MAX} characters")
        return code

    def checkout_request(self, order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`create`: ask for the page where the citizen pays `order`."""
        return zalopay_api.checkout_request(order, terms, now)

    def read_checkout(self, body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
        """The page that ZaloPay opened."""
        del order, terms  # the answer names neither
        return zalopay_api.read_checkout(body)

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """`query`: what became of an order."""
        del now  # a question is not dated
        return zalopay_api.status_request(question, terms)

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """The answer to `query`; none: ZaloPay knows no such order."""
        return zalopay_api.read_status(body, question, terms)

    def refund_request(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`refund`: give a payment back, whole or in part."""
        return zalopay_refunds.refund_request(order, terms, now)

    def read_refund(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim:
        """What ZaloPay does about a refund."""
        return zalopay_refunds.read_refund(body, order, terms)

    def refund_question(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """`query_refund`: what became of a refund."""
        return zalopay_refunds.refund_question(order, terms, now)

    def read_refund_answer(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
        """What became of a refund; None: ZaloPay never heard of it."""
        return zalopay_refunds.read_refund_answer(body, order, terms)


ADAPTER: Final = Zalopay()


def is_redirect_true(raw_query: bytes, terms: Terms) -> bool:
    """Whether the browser's return address was signed by ZaloPay for this app.

    For display only: what it says books nothing. After the official quickstart sample; no signed
    example is published.
    """
    try:
        pairs = parse_qsl(
            raw_query.decode("ascii"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX
        )
    except ValueError:
        return False
    found = dict(pairs)
    if len(found) != len(pairs) or found.get("appid") != terms.merchant:
        return False
    message = "|".join(found.get(name, "") for name in REDIRECT_FIELDS).encode()
    return is_signed(found.get("checksum", ""), terms.secrets, [message], hmac_sha256)


def _claim(told: Mapping[str, object], kind: str) -> Claim:
    """What signed data says; ValueError where it is neither a payment nor an agreement.

    `kind` is not signed, so it decides nothing that the data itself tells: data with a transaction
    and an amount is a payment, whatever stands beside it.
    """
    order_code = key_of(told.get("app_trans_id"))
    number = integer_text(told.get("zp_trans_id"))
    is_payment = bool(number) or "amount" in told
    if not is_payment and (kind == AGREEMENT or "binding_id" in told):
        return Claim(
            transaction=f"0/{order_code}",
            status="ignored",
            reference=order_code,
            amount_vnd=None,
            amount_text="",
            happened_at=moment_of(integer_text(told.get("server_time"))),
            kind="gateway",
            scope=order_code,
        )
    transaction = key_of(transaction_text(number, ""))
    amount = integer_text(told.get("amount"))
    return Claim(
        transaction=transaction,
        status="paid",  # ZaloPay calls about success only
        reference=order_code,
        amount_vnd=whole_vnd(amount),
        amount_text=clean(amount[:KEY_CHARS_MAX]),
        happened_at=moment_of(integer_text(told.get("server_time"))),
        kind="gateway",
        scope=order_code,
    )


def _hint(message: bytes) -> Hint | None:
    """What data that we do not believe is about; None when it cannot be told."""
    try:
        return _about(json_object(message))
    except ValueError:
        return None


def _about(told: Mapping[str, object]) -> Hint:
    return Hint(
        reference=text_of(told.get("app_trans_id"))[:KEY_CHARS_MAX] or None,
        amount_vnd=whole_vnd(integer_text(told.get("amount"))),
        transaction=clean(integer_text(told.get("zp_trans_id")))[:KEY_CHARS_MAX] or None,
    )
