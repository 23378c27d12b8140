"""Every recorded request of every provider gets the verdict that was recorded with it."""

import json
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from providers import (
    AsksStatus,
    Claim,
    RefundOrder,
    Refunds,
    Rejected,
    Secret,
    StatusQuestion,
    Unanswered,
)
from providers.acting import Acts, Order, Payment, Shop
from providers.catalog import CATALOG
from providers.untrusted import VIETNAM, compact_time
from providers.vnpay import Vnpay
from service.dev.provider.addresses import addressed
from tests.providers.recorded import (
    CALL_KINDS,
    FOLDER,
    Vector,
    acknowledged,
    everything,
    files_of,
    unread,
    vectors,
)
from tests.providers.spoken import BASE, NOW

CALLS = everything(*CALL_KINDS)
RETURNS = everything("redirect")
ANSWERS = everything("query_response", "refund_response")
REQUESTS = everything(
    "create_request",
    "query_request",
    "receipt_request",
    "refund_request",
    "query_refund_request",
)
PARSED_ONLY = everything("ipn_parse_only")

TOLERATED: dict[str, str] = {
    "diacritics_signed_over_ascii_escaped_json": "credit",
}
"""Refused in the recordings by a choice, and believed here: name -> the status it then tells.

Casso's sample programs differ in how they escape; all forms are keyed, so taking any is safe."""
TRANSACTIONS = ("transId", "zp_trans_id", "vnp_TransactionNo")
"""What the providers call the payment that is to be given back."""
SIGNED = ("amount", "vnp_Amount", "SoTien", "app_trans_id", "m_refund_id", "orderId", "vnp_TxnRef")
"""What to change of a signed request: the first that is there."""


NOTHING_SAID = {None, "unknown", "error"}
"""What recordings call the state of a payment about which an answer says nothing."""


def named(found: list[Vector]) -> pytest.MarkDecorator:
    """One test for each vector."""
    names = [f"{one.provider}-{one.name}" for one in found]
    return pytest.mark.parametrize("vector", found, ids=names)


def says(claim: Claim, vector: Vector) -> None:
    """A claim says what was recorded: the order, the amount, the number, the status."""
    expect = vector.expect
    status = TOLERATED.get(vector.name, vector.status)
    assert claim.status == status or (status is None and claim.is_test)
    assert claim.reference == expect.order_id
    assert claim.amount_vnd == (expect.amount_vnd or None)
    if claim.kind == "gateway" and not (expect.provider_txn_id or "").strip("0"):
        # The number of nobody: an attempt that got none is told from others by its order.
        assert claim.transaction in {expect.provider_txn_id, f"0/{expect.order_id}"}
    else:
        # A bank feed's own number tells its repeats; the recorded one may be the bank's.
        assert expect.provider_txn_id in {claim.transaction, claim.bank_reference}
    if expect.bank_reference is not None:
        assert claim.bank_reference == expect.bank_reference


def refused(rejected: Rejected, vector: Vector) -> None:
    """It is refused for the recorded reason, and what it said it was about is kept beside it."""
    expect, hint = vector.expect, rejected.hint
    assert rejected.why == vector.why
    stated = (expect.order_id, expect.amount_vnd or None, expect.provider_txn_id)
    if any(stated):
        assert hint is not None
        assert (hint.reference, hint.amount_vnd, hint.transaction) == stated


def judged(vector: Vector) -> None:
    """A call is believed or refused as recorded, says what was recorded, and is answered so."""
    provider, expect = vector.adapter, vector.expect
    if not expect.valid and vector.name not in TOLERATED:
        with pytest.raises(Rejected) as rejected:
            provider.read(vector.call, vector.terms, vector.now)
        refused(rejected.value, vector)
        answer = provider.answer(vector.refusal(rejected.value.why), vector.call)
        acknowledged(vector, answer.status, answer.media_type, answer.body)
        return
    try:
        claims = provider.read(vector.call, vector.terms, vector.now)
    except Rejected as rejection:
        # Authentic, and not for this merchant or not of this hour: nothing to be booked.
        assert expect.reason is not None
        if not rejection.authentic:
            refused(rejection, vector)
        answer = provider.answer(vector.refusal(rejection.why), vector.call)
        acknowledged(vector, answer.status, answer.media_type, answer.body)
        return
    if expect.transactions is not None:
        assert [claim.amount_vnd for claim in claims] == [
            one["amount_vnd"] for one in expect.transactions
        ]
        for claim, one in zip(claims, expect.transactions, strict=True):
            assert one["provider_txn_id"] in {claim.transaction, claim.bank_reference}
            assert claim.status == vector.status
            if one.get("booked_at") is not None:
                assert claim.happened_at is not None
                told = claim.happened_at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")
                assert told.startswith(str(one["booked_at"]))
        return
    (claim,) = claims
    says(claim, vector)
    outcome = vector.outcome(claim.status, claim.amount_vnd, is_test=claim.is_test)
    answer = provider.answer(outcome, vector.call)
    acknowledged(vector, answer.status, answer.media_type, answer.body)


@named(CALLS)
def test_a_recorded_call_gets_its_verdict(vector: Vector) -> None:
    """A call is believed or refused as recorded, says what was recorded, and is answered so."""
    judged(vector)


@named(RETURNS)
def test_what_a_browser_brings_back_is_no_call(vector: Vector) -> None:
    """The return address bears the provider's signature too, and books nothing.

    Where a call comes by GET it is the same text, and only the address it came to tells them apart.
    """
    if vector.method in vector.adapter.methods:
        judged(vector)
        return
    with pytest.raises(Rejected, match="malformed"):
        vector.adapter.read(vector.call, vector.terms, vector.now)


@named(PARSED_ONLY)
def test_a_sample_without_its_secret_is_forged_and_its_hint_is_right(vector: Vector) -> None:
    """A published sample whose key is not published cannot be verified, only parsed."""
    terms = msgspec.structs.replace(vector.terms, secrets=(Secret("not published"),))
    with pytest.raises(Rejected, match="forged") as rejected:
        vector.adapter.read(vector.call, terms, NOW)
    hint, expect = rejected.value.hint, vector.expect
    assert hint is not None
    assert (hint.reference, hint.amount_vnd) == (expect.order_id, expect.amount_vnd)
    assert hint.transaction == expect.provider_txn_id


def fields_of(vector: Vector) -> dict[str, str]:
    """What a recorded request or answer holds, as texts, whichever way it is written."""
    text = vector.body or ""
    if text.startswith("{"):
        return {name: str(value) for name, value in json.loads(text).items()}
    return dict(parse_qsl(text, keep_blank_values=True))


def question(vector: Vector) -> StatusQuestion:
    """The question whose answer was recorded; MoMo's answers name it."""
    asked_vnd = vector.context.order_amount_vnd if vector.context else None
    return StatusQuestion(
        request_id=fields_of(vector).get("requestId", "req-0001"),
        order_code=vector.expect.order_id or "260312_H5713000123",
        ordered_at=NOW,
        client_ip="127.0.0.1",
        amount_vnd=asked_vnd or vector.expect.amount_vnd or 50_000,
    )


def refund_order(reference: str | None = None, amount_vnd: int | None = None) -> RefundOrder:
    """The refund that the recorded answers are about."""
    ordered_at = compact_time("20260312101000")
    assert ordered_at is not None
    return RefundOrder(
        request_id="req-0002",
        order_code=reference or "H5713000123A1",
        transaction="14226112",
        amount_vnd=amount_vnd or 50_000,
        whole=True,
        ordered_at=ordered_at,
        asked_at=ordered_at,
        asked_by="ketoan01",
        client_ip="127.0.0.1",
        description="Hoan tien ho so H57.13.000123",
    )


@named(ANSWERS)
def test_a_recorded_answer_gets_its_verdict(vector: Vector) -> None:
    """Answers to questions and refunds are verified where they are signed, and mean the same."""
    adapter, body, expect = vector.adapter, (vector.body or "").encode(), vector.expect

    def read() -> object:
        if vector.kind == "refund_response":
            assert isinstance(adapter, Refunds)
            order = refund_order(question(vector).order_code, expect.amount_vnd)
            return adapter.read_refund(body, order, vector.terms)
        assert isinstance(adapter, AsksStatus)
        return adapter.read_status(body, question(vector), vector.terms)

    if not expect.valid:
        with pytest.raises(Rejected) as rejected:
            read()
        assert rejected.value.why == vector.why
        return
    try:
        told = read()
    except Unanswered:
        assert expect.status in NOTHING_SAID  # the provider's own error: the question stays open
        return
    assert expect.status != "error"
    claims = list(told) if isinstance(told, list | tuple) else [told]
    if expect.status == "unknown":
        assert claims == []
        return
    (claim,) = claims
    assert isinstance(claim, Claim)
    assert claim.status == vector.status
    assert claim.reference == question(vector).order_code
    assert claim.amount_vnd == expect.amount_vnd
    if (expect.provider_txn_id or "").strip("0"):
        assert claim.transaction == expect.provider_txn_id
    elif vector.kind == "query_response":  # an attempt that got no number is told by its order
        assert claim.transaction == f"0/{claim.reference}"


@named(REQUESTS)
def test_a_recorded_request_is_taken_by_the_providers_side(vector: Vector) -> None:
    """A request signed by somebody else's program is believed, and refused when it is changed."""
    adapter = vector.adapter
    assert isinstance(adapter, Acts)
    call, terms = vector.call, vector.terms
    if call.path.startswith("<"):  # the address is a province's own
        terms = addressed(adapter, terms, BASE)
        call = msgspec.structs.replace(call, path=urlsplit(terms.api_address).path)
    sent = fields_of(vector)
    code, amount_vnd = vector.expect.order_id or "", vector.expect.amount_vnd or 50_000
    if vector.kind == "refund_request" and code == sent.get("orderId"):
        code = "H5713000123A1"  # that name is the refund's: MoMo wants another than the order's
    told = (*(sent.get(name, "") for name in TRANSACTIONS), vector.expect.provider_txn_id or "")
    number = next((text for text in told if text.strip("0")), "14226112")
    paid = Payment(
        order_code=code, transaction=number, amount_vnd=amount_vnd, paid_at=NOW, scope=code
    )
    known = Order(order_code=code, amount_vnd=amount_vnd, opened_at=NOW)
    is_new = vector.kind == "create_request"

    def answered(body: bytes) -> tuple[bytes, Shop]:
        shop = Shop() if is_new else Shop(orders={code: known}, payments=[paid])
        asked = msgspec.structs.replace(call, body=body)
        answer = adapter.serve_as_provider(asked, shop, terms, NOW)
        assert answer.status < 500
        return answer.body, shop

    good, shop = answered(call.body)
    if not vector.expect.valid:
        assert not shop.refunds
        assert len(shop.orders) == (0 if is_new else 1)
        assert vector.kind != "query_request" or number.encode() not in good
        return
    if is_new:
        assert shop.orders[code].amount_vnd == vector.expect.amount_vnd
    if vector.kind == "query_request":
        assert number.encode() in good
    if vector.kind == "refund_request":
        assert [one.amount_vnd for one in shop.refunds.values()] == [amount_vnd]
    texts = (*(sent.get(name, "") for name in SIGNED), str(amount_vnd), code, "0000000001")
    before = next(text for text in texts if text and text in (vector.body or "")).encode()
    changed = call.body.replace(before, before[:-1] + (b"8" if before.endswith(b"9") else b"9"))
    assert changed != call.body
    bad, shop = answered(changed)
    assert bad != good
    assert not shop.refunds
    assert len(shop.orders) == (0 if is_new else 1)


VNPAY_REFUNDS = [one for one in vectors("vnpay", "refund_request") if one.expect.valid]


@named(VNPAY_REFUNDS)
def test_a_recorded_refund_request_of_vnpay_is_made_again(vector: Vector) -> None:
    """The same refund gets the same signature, over the same text."""
    recorded = {key: str(value) for key, value in json.loads(vector.body or "").items()}
    ordered_at = compact_time(recorded["vnp_TransactionDate"])
    now = compact_time(recorded["vnp_CreateDate"])
    assert ordered_at is not None
    assert now is not None
    order = RefundOrder(
        request_id=recorded["vnp_RequestId"],
        order_code=recorded["vnp_TxnRef"],
        transaction=recorded["vnp_TransactionNo"],
        amount_vnd=vector.expect.amount_vnd or 0,
        whole=recorded["vnp_TransactionType"] == "02",
        ordered_at=ordered_at,
        asked_at=now,
        asked_by=recorded["vnp_CreateBy"],
        client_ip=recorded["vnp_IpAddr"],
        description=recorded["vnp_OrderInfo"],
    )
    request = Vnpay().refund_request(order, vector.terms, now)
    assert json.loads(request.body) == recorded


def test_no_vector_is_left_out() -> None:
    """Every recorded request of every provider is tested here; QR payloads are in test_vietqr."""
    tested = [*CALLS, *RETURNS, *ANSWERS, *REQUESTS, *PARSED_ONLY]
    assert [one.kind for one in everything() if one not in tested] == []
    assert len(tested) == len(everything())
    assert {one.provider for one in everything()} >= set(CATALOG) - {"sandbox"}
    read = {path for name in CATALOG for path in files_of(name)}
    assert {path.stem for path in set(FOLDER.glob("*.json")) - read} <= {"vietqr"}


def test_nothing_that_a_recording_states_is_passed_over() -> None:
    """A verdict, or a thing known beforehand, that no test looks at would seem to be held."""
    assert unread() == {}
