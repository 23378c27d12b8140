"""Every recorded request of the providers gets the verdict that was recorded with it."""

import json

import pytest

from providers import Outcome, RefundOrder, Rejected, Secret, StatusQuestion, Terms
from providers.catalog import CATALOG
from providers.untrusted import compact_time
from providers.vnpay import Vnpay
from tests.providers.making import NOW, Vector, vectors

CALLS = [
    *(("vnpay", vector) for vector in vectors("vnpay", "ipn")),
    *(("sepay", vector) for vector in vectors("sepay")),
]
ANSWERS = vectors("vnpay", "query_response", "refund_response")
REASONS = {
    "bad_signature": "forged",
    "missing_signature": "forged",
    "bad_token": "forged",
    "stale": "stale",
}
STATUSES = {"suspected": "held"}
QUESTION = StatusQuestion(
    request_id="req-0001", order_code="H5713000123A1", ordered_at=NOW, client_ip="127.0.0.1"
)


def refund_order(reference: str = "H5713000123A1") -> RefundOrder:
    """The refund that the recorded requests and answers are about."""
    ordered_at = compact_time("20260312101000")
    assert ordered_at is not None
    return RefundOrder(
        request_id="req-0002",
        order_code=reference,
        transaction="14226112",
        amount_vnd=50_000,
        whole=True,
        ordered_at=ordered_at,
        asked_at=ordered_at,
        asked_by="ketoan01",
        client_ip="127.0.0.1",
        description="Hoan tien ho so H57.13.000123",
    )


def outcome_of(vector: Vector, status: str, amount_vnd: int | None) -> Outcome:
    """The outcome that the context of a vector asks for; enough for the recorded answers."""
    if vector.context.order_state == "already_recorded":
        return Outcome.REPEAT
    if status == "failed":
        return Outcome.NOTED
    if vector.context.order_amount_vnd not in {None, amount_vnd}:
        return Outcome.AMOUNT_DIFFERS
    return Outcome.BOOKED


def acknowledged(name: str, vector: Vector, outcome: Outcome) -> None:
    """Hold the answer against the recorded one, where there is one."""
    if vector.expect.ack is None:
        return
    answer = CATALOG[name].answer(outcome, vector.call)
    found = json.loads(answer.body)
    if name == "sepay":
        found = {"http_status": answer.status, "body": found}
    assert found == vector.expect.ack


@pytest.mark.parametrize(("name", "vector"), CALLS, ids=[vector.name for _, vector in CALLS])
def test_a_recorded_call_gets_its_verdict(name: str, vector: Vector) -> None:
    """A call is believed or refused as recorded, says what was recorded, and is answered so."""
    provider, expect = CATALOG[name], vector.expect
    if not expect.valid:
        with pytest.raises(Rejected) as rejected:
            provider.read(vector.call, vector.terms, vector.now)
        assert rejected.value.why == REASONS[expect.reason or ""]
        hint = rejected.value.hint
        assert hint is not None
        assert (hint.reference, hint.amount_vnd) == (expect.order_id, expect.amount_vnd)
        assert hint.transaction == expect.provider_txn_id
        acknowledged(name, vector, Outcome(rejected.value.why))
        return
    (claim,) = provider.read(vector.call, vector.terms, vector.now)
    assert claim.reference == expect.order_id
    assert claim.amount_vnd == expect.amount_vnd
    assert claim.transaction == expect.provider_txn_id
    assert claim.status == STATUSES.get(expect.status or "", expect.status)
    if expect.bank_reference is not None:
        assert claim.bank_reference == expect.bank_reference
    acknowledged(name, vector, outcome_of(vector, claim.status, claim.amount_vnd))


def test_the_documents_own_ipn_says_what_its_page_says() -> None:
    """The published sample cannot be verified (its secret is not), and its hint is right."""
    (vector,) = vectors("vnpay", "ipn_parse_only")
    terms = Terms(merchant="CTTVNP01", secrets=(Secret("not published"),))
    with pytest.raises(Rejected) as rejected:
        CATALOG["vnpay"].read(vector.call, terms, NOW)
    hint = rejected.value.hint
    assert hint is not None
    assert (hint.reference, hint.amount_vnd, hint.transaction) == ("166117", 10_000, "14226112")


@pytest.mark.parametrize("vector", ANSWERS, ids=[vector.name for vector in ANSWERS])
def test_a_recorded_answer_gets_its_verdict(vector: Vector) -> None:
    """Answers to querydr and refund are verified over the x100 text and mean what was recorded."""
    body, expect, vnpay = (vector.body or "").encode(), vector.expect, Vnpay()

    def read() -> object:
        if vector.kind == "refund_response":
            return vnpay.read_refund(body, refund_order(), vector.terms)
        return vnpay.read_status(body, QUESTION, vector.terms)

    if not expect.valid:
        with pytest.raises(Rejected, match="forged"):
            read()
        return
    told = read()
    if expect.status == "unknown":
        assert told == ()
        return
    (claim,) = told if isinstance(told, tuple) else (told,)
    for field, expected in (
        ("reference", expect.order_id),
        ("amount_vnd", expect.amount_vnd),
        ("transaction", expect.provider_txn_id or f"0/{expect.order_id}"),
        ("status", expect.status),
    ):
        assert getattr(claim, field) == expected


def test_the_recorded_refund_request_is_made_again() -> None:
    """The same refund gets the same signature, over the same text."""
    (vector,) = vectors("vnpay", "refund_request")
    now = compact_time("20260313090000")
    assert now is not None
    request = Vnpay().refund_request(refund_order(), vector.terms, now)
    made, recorded = json.loads(request.body), json.loads(vector.body or "")
    assert made == {key: str(value) for key, value in recorded.items()}


def test_no_vector_is_left_out() -> None:
    """Every recorded request is tested here or, the QR payloads, in test_vietqr."""
    tested = len(CALLS) + len(ANSWERS) + 2
    assert tested == len(vectors("vnpay")) + len(vectors("sepay")) == 21 + 17
