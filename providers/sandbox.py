"""The sandbox: a provider of our own with every ability, to test a one-stop system against.

Callbacks are Standard Webhooks with JSON of our own design. Source and reference:
docs/how-to/providers/sandbox.md. It moves no money, anywhere.
"""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from providers import sandbox_api, standard_webhooks
from providers.abilities import CheckoutOrder, RefundOrder, SignedRequest, StatusQuestion
from providers.contract import NOTHING, Answer, Call, Claim, Hint, Outcome, Rejected, Terms
from providers.sandbox_acting import SandboxActing
from providers.sandbox_messages import NOT_CALLBACKS, PAYMENT, PING, claim_of, unheard
from providers.untrusted import json_object

BODY_BYTES_MAX = 65_536
"""A callback is about 300 bytes; a longer body is not read."""

_JSON = "application/json"
_DONE = 204

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
        Outcome.FORGED: 401,
        Outcome.STALE: 401,
        Outcome.MALFORMED: 400,
        Outcome.TRY_AGAIN: 503,
        Outcome.TEST: _DONE,
    }
)


class Sandbox(SandboxActing):
    """The adapter; it holds no state, so one serves every merchant."""

    name = "sandbox"
    methods = frozenset({"POST"})
    modes = frozenset({""})
    weak_modes: frozenset[str] = frozenset()
    credentials = NOTHING
    options = NOTHING

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The one claim of an authentic call; the raw bytes are verified before they are parsed."""
        if call.method != "POST" or len(call.body) > BODY_BYTES_MAX:
            raise Rejected("malformed", "not a POST with a short body")
        try:
            message_id, _ = standard_webhooks.check(call, terms.secrets, now, terms.freshness_s)
        except Rejected as rejected:
            raise Rejected(rejected.why, rejected.detail, hint=_hint(call.body)) from None
        try:
            found = json_object(call.body)
            if found.get("merchant") != terms.merchant:
                raise Rejected("forged", "signed for another merchant", hint=_hint(call.body))
            kind = found.get("type")
            if kind in NOT_CALLBACKS:
                raise Rejected("forged", "no callback, but a question or an answer")
            if kind == PAYMENT:
                return (claim_of(found),)
            return (unheard(message_id, is_test=kind == PING),)
        except (ValueError, TypeError) as error:
            raise Rejected("malformed", str(error), authentic=True) from None

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """204 for everything that was kept; nothing is said but the status."""
        del call
        return Answer(status=_ANSWERS[outcome], media_type=_JSON, body=b"")

    def checkout_url(self, order: CheckoutOrder, terms: Terms, now: datetime) -> str:
        """The signed address where the citizen pays."""
        return sandbox_api.checkout_url(order, terms, now)

    def status_request(
        self, question: StatusQuestion, terms: Terms, now: datetime
    ) -> SignedRequest:
        """The signed question what became of an order."""
        return sandbox_api.status_request(question, terms, now)

    def read_status(self, body: bytes, question: StatusQuestion, terms: Terms) -> Sequence[Claim]:
        """The payments of the order, from a signed answer to this very question."""
        return tuple(sandbox_api.read_status(body, question, terms))

    def refund_request(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """The signed order to give money back, whole or in part."""
        return sandbox_api.refund_request(order, terms, now)

    def read_refund(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim:
        """What the sandbox does about it; it answers each refund with a state."""
        claim = sandbox_api.read_refund(body, order, terms)
        if claim is None:
            raise Rejected("malformed", "no state of a refund that was just sent")
        return claim

    def refund_question(self, order: RefundOrder, terms: Terms, now: datetime) -> SignedRequest:
        """The signed question what became of a refund."""
        return sandbox_api.refund_question(order, terms, now)

    def read_refund_answer(self, body: bytes, order: RefundOrder, terms: Terms) -> Claim | None:
        """What became of it; None where the sandbox never heard of this request id."""
        return sandbox_api.read_refund(body, order, terms)


ADAPTER: Final = Sandbox()


def _hint(body: bytes) -> Hint | None:
    """What an unbelieved body is about; None when it cannot be told."""
    try:
        claim = claim_of(json_object(body))
    except ValueError:
        return None
    return Hint(
        reference=claim.reference, amount_vnd=claim.amount_vnd, transaction=claim.transaction
    )
