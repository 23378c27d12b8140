"""The payment platform of the National Public Service Portal: callbacks, INIT, QUERY, receipts.

Callbacks ("CONFIRM") bear a check code over their values joined by pipes, with the secret last:
a plain SHA-256, no HMAC. They say nothing of when they were sent, so there is no freshness to
judge: a repeat is told by its transaction. Source: see docs/how-to/providers/dvcqg.md; there is
no public official text, so whatever may differ by province is an option (`dvcqg_dialect`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from providers import dvcqg_reading, dvcqg_sending
from providers.abilities import Checkout, CheckoutOrder, SignedRequest, StatusQuestion
from providers.contract import Answer, Call, Claim, Hint, Outcome, Rejected, Terms
from providers.dvcqg_acting import DvcqgActing
from providers.dvcqg_dialect import (
    FREE_TEXT,
    INIT,
    OPTIONS,
    PIPE,
    QUERY,
    Dialect,
    dialect_of,
)
from providers.dvcqg_reading import Receipt, claim_of, signed_texts
from providers.untrusted import (
    KEY_CHARS_MAX,
    NumberText,
    clean,
    compact_time,
    json_object,
    text_of,
    whole_vnd,
)

BODY_BYTES_MAX = 65_536
"""A callback is about 500 bytes; a longer body is not read."""

ECHO_CHARS_MAX = 200
"""A longer value of a call is not sent back whole."""

ECHOED: Final = ("MaDoiTac", "MaThamChieu", "ThoiGianGD", "MaXacThuc")

_JSON = "application/json"
_DONE: Final = ("00", "Thành công")
_FORGED: Final = ("99", "Mã xác thực không đúng")

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: _DONE,
        Outcome.NOTED: _DONE,
        Outcome.REPEAT_OF_PAID: _DONE,
        Outcome.REPEAT: _DONE,
        Outcome.ANOTHER_FOR_PAID: _DONE,
        # Ours, these four: the message arrived and people will look; calling again changes nothing.
        Outcome.UNKNOWN_ORDER: _DONE,
        Outcome.UNKNOWN_AGAIN: _DONE,
        Outcome.AMOUNT_DIFFERS: _DONE,
        Outcome.HELD: _DONE,
        Outcome.FORGED: _FORGED,
        Outcome.STALE: _FORGED,
        Outcome.MALFORMED: ("99", "Bản tin không hợp lệ"),
        Outcome.TRY_AGAIN: ("99", "Hệ thống bận, xin gửi lại"),
        Outcome.TEST: _DONE,
    }
)


class Dvcqg(DvcqgActing):
    """The adapter; it holds no state, so one serves every merchant."""

    name = "dvcqg"
    methods = frozenset({"POST"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = MappingProxyType(
        {"lgsp_token": "optional: the bearer token of the provincial integration bus"}
    )
    options = OPTIONS

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of a callback; Rejected when it is not the platform's or not this one's."""
        del now  # a callback says nothing of when it was sent
        if call.method != "POST" or len(call.body) > BODY_BYTES_MAX:
            raise Rejected("malformed", "not a POST with a short body")
        try:
            found = json_object(call.body)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        hint = _hint(found)
        try:
            dialect = dialect_of(terms)
            fields = signed_texts(found, dialect.fields["confirm"])
        except ValueError as error:
            raise Rejected("forged", str(error), hint=hint) from None
        given = text_of(found.get("MaXacThuc"))
        if not dialect.is_checked("confirm", fields, given, terms.secrets):
            raise Rejected("forged", "the check code does not fit", hint=hint)
        if fields.get("MaDoiTac") != dialect.partner:
            raise Rejected("forged", "signed for another partner", hint=hint)
        return (_claim(fields, dialect, hint),)

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """HTTP 200 with MaLoi 00 or 99, and the call's own names and check code sent back."""
        code, message = _ANSWERS[outcome]
        echoed = ",".join(f'"{name}":{value}' for name, value in _echo(call.body).items())
        body = f'{{"MaLoi":"{code}","MoTaLoi":"{message}",{echoed}}}'
        return Answer(status=200, media_type=_JSON, body=body.encode())

    def checkout_request(self, order: CheckoutOrder, terms: Terms, now: datetime) -> SignedRequest:
        """INIT: ask for the page where the citizen pays."""
        if order.expires_at <= now:
            raise ValueError("the order has expired")
        return dvcqg_sending.checkout_request(order, terms)

    def read_checkout(self, body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
        """The page; Unanswered where the platform refused the order."""
        return dvcqg_reading.read_checkout(body, order, terms)

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """QUERY: what became of an order."""
        return dvcqg_sending.status_request(question, terms, now)

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """The answer to QUERY, which tells of one payment; none: no such order."""
        claim = dvcqg_reading.read_status(body, question, terms)
        return () if claim is None else (claim,)

    def receipt_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """The question for the receipt of a paid order."""
        return dvcqg_sending.receipt_request(question, terms, now)

    def read_receipt(self, body: bytes) -> Receipt:
        """The receipt's address or document; Unanswered while there is none."""
        return dvcqg_reading.read_receipt(body)


ADAPTER: Final = Dvcqg()


def _claim(fields: Mapping[str, str], dialect: Dialect, hint: Hint) -> Claim:
    """The claim of a proven callback, where its signed text can be read in one way only.

    Values are joined by pipes and not escaped, so a pipe in one shifts all that follow: anybody
    could cut the same text, with the same check code, into other fields. A pipe is let pass in
    ThongTinGiaoDich alone, the one value with people's words: every other value is then found by
    counting pipes from both ends. The time before it holds the cut in its place: where a pipe
    stood in another value, what would be read as the time is none.
    """
    kind = fields.get("LoaiBanTin", "")
    if kind in {INIT, QUERY, dialect.texts["receipt_type"]}:
        raise Rejected("forged", "the check code of another kind of message", hint=hint)
    if kind not in dialect.confirm_types:
        # Kept until the province's literal is configured, then read again.
        raise Rejected("malformed", "a kind of message not agreed", hint=hint, authentic=True)
    piped = {name for name, value in fields.items() if PIPE in value}
    anchored = compact_time(fields.get("ThoiGianGD", "")) is not None
    if piped and (piped != {FREE_TEXT} or not anchored):
        raise Rejected("malformed", "a pipe makes the text ambiguous", hint=hint, authentic=True)
    code = fields.get("MaLoi", "")
    if not code:
        raise Rejected("malformed", "no result", hint=hint, authentic=True)
    return claim_of(fields, dialect.code_meanings.get(code, "failed"), dialect)


def _hint(found: Mapping[str, object]) -> Hint:
    return Hint(
        reference=text_of(found.get("MaThamChieu"))[:KEY_CHARS_MAX] or None,
        amount_vnd=whole_vnd(text_of(found.get("SoTien"))),
        transaction=text_of(found.get("MaGiaoDich"))[:KEY_CHARS_MAX] or None,
    )


def _echo(body: bytes) -> dict[str, str]:
    """What is sent back of a call, as JSON; of one that cannot be read, empty texts."""
    found: object = None
    if len(body) <= BODY_BYTES_MAX:
        try:
            found = json.loads(body, parse_int=NumberText, parse_float=NumberText)
        except (ValueError, RecursionError):
            found = None
    values = found if isinstance(found, dict) else {}
    return {name: _echoed(values.get(name)) for name in ECHOED}


def _echoed(value: object) -> str:
    if isinstance(value, NumberText) and len(value) <= ECHO_CHARS_MAX:
        return str(value)
    text = clean(str(value))[:ECHO_CHARS_MAX] if isinstance(value, str) else ""
    return json.dumps(text, ensure_ascii=False)
