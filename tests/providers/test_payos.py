"""PayOS: what is signed, what a webhook says, how a link is opened and asked about."""

import json
import unicodedata
from datetime import timedelta
from typing import Any

import msgspec
import payos  # type: ignore[import-untyped] # the official client has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payos.types.webhooks import Webhook  # type: ignore[import-untyped] # as above

from providers import (
    AsksStatus,
    Checkout,
    CheckoutOrder,
    Claim,
    NamesOrders,
    OpensCheckout,
    Outcome,
    PullsTransactions,
    Refunds,
    Rejected,
    Secret,
    Status,
    StatusQuestion,
    Terms,
    Unanswered,
)
from providers.acting import Acts, Payment, Shop
from providers.json_texts import javascript_number
from providers.payos import ADAPTER, BODY_BYTES_MAX
from providers.payos_data import sign
from providers.untrusted import json_object
from tests.providers.recorded import Vector, recording, vectors
from tests.providers.transfers import (
    AMOUNTS,
    EACH_ANSWER,
    NOW,
    SECRET,
    TEXTS,
    acknowledged,
    answers,
    arrived,
    ask,
    payments,
    read,
    read_back,
    with_body,
)

VECTORS = vectors("payos", "ipn")
TERMS = Terms(
    merchant="hue-payos",
    secrets=(SECRET,),
    credentials={"client_id": Secret("client"), "api_key": Secret("key")},
)
PAYMENT = Payment(
    order_code="5713000123",
    transaction="FT26071000123",
    amount_vnd=50_000,
    paid_at=NOW,
    memo="CSHUE5713000123 Lệ phí",
    own_account="0011000123456",
    virtual_account="V3CAS5713",
    counterparty_account="0011234567",
    counterparty_name="NGUYEN VAN A",
)
ORDER = CheckoutOrder(
    reference="HUE01K2M9Q4X1R",
    order_code="5713000123",
    request_id="r-1",
    amount_vnd=50_000,
    description="Lệ phí hồ sơ",
    return_url="https://one-stop.example/quay-lai?a=1&b=2",
    callback_url="https://doisoat.example/callbacks/payos/hue-payos",
    client_ip="127.0.0.1",
    ordered_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
QUESTION = StatusQuestion(
    request_id="r-2", order_code="5713000123", ordered_at=NOW, client_ip="127.0.0.1"
)
DATA: dict[str, Any] = {
    "orderCode": 5713000123,
    "amount": 50_000,
    "description": "CSHUE5713000123 Le phi",
    "accountNumber": "0011000123456",
    "reference": "FT26071000123",
    "transactionDateTime": "2026-03-12 10:15:35",
    "currency": "VND",
    "paymentLinkId": "0f6a6a0c9d0a4b0c8d3c5b1a2e3f4d5c",
    "code": "00",
    "desc": "success",
}
CALL = ADAPTER.call_as_provider(PAYMENT, TERMS, NOW)


def body_of(data: dict[str, Any], *, signature: str | None = None) -> dict[str, Any]:
    """A webhook's body over `data`, signed as a JavaScript program would."""
    found = json_object(json.dumps(data).encode())
    given = sign(found, SECRET) if signature is None else signature
    return {"code": "00", "desc": "success", "success": True, "data": data, "signature": given}


def claim_of(data: dict[str, Any]) -> Claim:
    """The one claim of a signed webhook over `data`."""
    (claim,) = ADAPTER.read(with_body(CALL, body_of(data)), TERMS, NOW)
    return claim


@pytest.mark.parametrize(
    "vector",
    # One that is authentic and has a reason is not to be booked: test_vectors looks at it.
    [one for one in VECTORS if not (one.expect.valid and one.expect.reason)],
    ids=lambda one: one.name,
)
def test_a_recorded_webhook_says_more_than_its_verdict(vector: Vector) -> None:
    """The link is the scope, the probe with the order 123 no money, a forged one has its number."""
    call, expect = vector.call, vector.expect
    if not expect.valid:
        with pytest.raises(Rejected) as rejected:
            ADAPTER.read(call, vector.terms, NOW)
        hint = rejected.value.hint
        assert (hint.transaction if hint else None) == expect.provider_txn_id
        status = 400 if rejected.value.why == "malformed" else 401
        outcome = Outcome(rejected.value.why)
        assert acknowledged(ADAPTER, outcome, call)["http_status"] == status
        return
    (claim,) = ADAPTER.read(call, vector.terms, NOW)
    assert claim.is_test == (expect.order_id == "123")
    assert (claim.kind, claim.bank_reference) == ("gateway", claim.transaction)
    assert claim.scope == json.loads(call.body)["data"]["paymentLinkId"]
    assert acknowledged(ADAPTER, Outcome.BOOKED, call) == {
        "http_status": 200,
        "body": {"success": True},
    }


def test_no_recording_is_lost() -> None:
    """The twelve that payOS' page came with are read; test_vectors tests them all."""
    assert len(VECTORS) >= 12


@EACH_ANSWER
def test_each_outcome_has_its_answer(outcome: Outcome, status: int, body: bytes) -> None:
    """Any 2xx ends it; an order that nobody knows is acknowledged too (its money is kept)."""
    answers(ADAPTER, CALL, outcome, status, body)


def test_every_outcome_is_in_the_table() -> None:
    """No outcome is left without an answer."""
    assert {ADAPTER.answer(outcome, CALL).status for outcome in Outcome} == {200, 400, 401, 503}


def test_abilities_are_those_of_payos() -> None:
    """It opens links and tells of them; it holds no money, so there is nothing to refund."""
    has = (NamesOrders, OpensCheckout, AsksStatus, Acts)
    assert all(isinstance(ADAPTER, ability) for ability in has)
    assert not any(isinstance(ADAPTER, ability) for ability in (Refunds, PullsTransactions))


# What is signed, and what only looks as if


@given(payments(order_code=st.integers(1, 2**53 - 1).filter(lambda n: n != 123).map(str)))
def test_what_payos_calls_about_is_read_back(payment: Payment) -> None:
    """`read` gives back what `call_as_provider` was given, whatever people wrote."""
    claim = read_back(ADAPTER, payment, TERMS)
    quirks = {"null": "", "undefined": ""}
    assert claim.memo == quirks.get(payment.memo, payment.memo)
    name = payment.counterparty_name
    assert claim.counterparty_name == quirks.get(name, name)


@pytest.mark.parametrize("status", ["pending", "failed", "cancelled", "expired", "held", "debit"])
def test_payos_calls_about_money_alone(status: Status) -> None:
    """There is no callback for anything else, so links that stay silent are asked about."""
    with pytest.raises(ValueError, match="transfers to a link only"):
        ADAPTER.call_as_provider(msgspec.structs.replace(PAYMENT, status=status), TERMS, NOW)


def test_the_top_level_proves_nothing() -> None:
    """`success`, `code` and `desc` are not signed: whatever they say, the claim is the same."""
    body = body_of(DATA)
    changed = {**body, "success": False, "code": "99", "desc": "x", "more": [1]}
    assert read(ADAPTER, with_body(CALL, changed), TERMS) == (claim_of(DATA),)


@pytest.mark.parametrize(
    "more",
    [
        {"zz": "unknown"},
        {"nested": {"b": 1, "a": {"c": None}}},
        {"flag": True, "other": False, "nothing": None},
        {"empty": [], "list": [{"b": 1, "a": 2}, {"a": "ệ/<&>"}]},
        {"scalars": [1, "ab", True, "\U0001f600"]},
        {"in_list": [[1, [2]], {"a": [3]}]},
        {"big": 12345678901234567890, "float": 1.5, "tiny": 1e-7, "huge": 1e30},
        {"text": 'a&b=c \u2028 \\ " \t'},
        {"NFD": unicodedata.normalize("NFD", "Lệ phí")},
    ],
    ids=lambda more: next(iter(more)),
)
def test_unknown_signed_fields_change_nothing_of_what_is_said(more: dict[str, Any]) -> None:
    """They are part of the signed text and pass."""
    assert claim_of({**DATA, **more}) == claim_of(DATA)


def test_the_order_of_keys_does_not_matter() -> None:
    """The signed text is sorted."""
    body = body_of(DATA)
    turned = {**body, "data": dict(reversed(DATA.items()))}
    assert read(ADAPTER, with_body(CALL, dict(reversed(turned.items()))), TERMS) == (
        claim_of(DATA),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", "50000"),
        ("orderCode", "5713000123"),
        ("counterAccountName", ""),
        ("counterAccountName", "null"),
        ("counterAccountName", "undefined"),
    ],
)
def test_what_is_signed_alike_says_the_same(name: str, value: str) -> None:
    """A number as text, and nothing as `null`: other JSON, the same signed text and claim."""
    data = {**DATA, "counterAccountName": None}
    body = body_of(data)
    body["data"] = {**data, name: value}
    assert read(ADAPTER, with_body(CALL, body), TERMS) == (claim_of(data),)


def test_a_float_is_signed_as_it_came_or_as_javascript_prints_it() -> None:
    """`50000.0` in the body, `50000` in the signed text: both say 50.000 đồng, and no other."""
    signature = body_of(DATA)["signature"]
    raw = json.dumps(body_of(DATA)).replace('"amount": 50000', '"amount": 50000.0')
    assert read(ADAPTER, with_body(CALL, raw.encode()), TERMS) == (claim_of(DATA),)
    as_it_came = body_of({**DATA, "amount": "50000.0"})
    raw = raw.replace(signature, as_it_came["signature"])
    (claim,) = ADAPTER.read(with_body(CALL, raw.encode()), TERMS, NOW)
    assert (claim.amount_vnd, claim.amount_text) == (50_000, "50000.0")
    assert claim_of({**DATA, "amount": 50_000.5}).amount_vnd is None


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("50000.0", "50000"),
        ("-0.0", "0"),
        ("5e4", "50000"),
        ("1.50", "1.5"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901", "123456789012345680000"),
        ("1e21", "1e+21"),
        ("1.5e-7", "1.5e-7"),
        ("0.000001", "0.000001"),
        ("1e999", "1e999"),
    ],
)
def test_numbers_are_printed_as_javascript_prints_them(text: str, printed: str) -> None:
    """As `String(Number(text))` in Node; what is no finite number stays."""
    assert javascript_number(text) == printed


@pytest.mark.parametrize(
    "data",
    [
        {**DATA, "reference": "FT1&transactionDateTime=x"},
        {**DATA, "reference": "FT26071000123&s=1"},
        {**DATA, "description": "A&orderCode=777"},
        {**DATA, "counterAccountName": "A&counterAccountNumber=1"},
        {**DATA, "a=1&b": "x"},
    ],
)
def test_a_text_that_could_be_two_fields_is_kept_for_a_person(data: dict[str, Any]) -> None:
    """Nothing is escaped in the signed text: it proved itself, and may say one thing or another."""
    with pytest.raises(Rejected) as rejected:
        claim_of(data)
    assert (rejected.value.why, rejected.value.authentic) == ("malformed", True)


def test_marks_that_payers_write_pass() -> None:
    """`&` and `=` alone make no second field of ours."""
    memo = "CTY A&B = 100% a&b=c + d/e #1"
    assert claim_of({**DATA, "description": memo}).memo == memo


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("orderCode", "57x"),
        ("orderCode", "HUE007K2M9Q4X1"),
        ("orderCode", 10**20),
        ("orderCode", None),
        ("reference", ""),
        ("reference", "FT 1"),
        ("reference", "F" * 101),
        ("paymentLinkId", None),
        ("code", None),
        ("amount", "9" * 101),
    ],
)
def test_what_is_signed_and_cannot_be_read_is_kept(field: str, value: object) -> None:
    """It proved itself: malformed, and to be kept until somebody can read it."""
    with pytest.raises(Rejected) as rejected:
        claim_of({**DATA, field: value})
    assert (rejected.value.why, rejected.value.authentic) == ("malformed", True)


@pytest.mark.parametrize("order_code", [2**53, 10**20 - 1, 0, -1])
def test_a_number_that_no_order_of_ours_has_is_an_unknown_order(order_code: int) -> None:
    """Signed, and money came: it is told like any order that we do not know."""
    claim = claim_of({**DATA, "orderCode": str(order_code)})
    assert (claim.reference, claim.amount_vnd, claim.status) == (str(order_code), 50_000, "paid")
    assert not claim.is_test


@pytest.mark.parametrize(
    ("amount", "currency", "amount_vnd"),
    [
        (50_000, "VND", 50_000),
        (50_000, "USD", None),
        (0, "VND", None),
        (-50_000, "VND", None),
        ("50.000", "VND", None),
        (10**15 + 1, "VND", None),
        (50_000, None, 50_000),
    ],
)
def test_an_amount_is_whole_dong_or_unreadable(
    amount: object, currency: object, amount_vnd: int | None
) -> None:
    """Another currency, nothing, less than nothing and dots are no amount, but a call to keep."""
    claim = claim_of({**DATA, "amount": amount, "currency": currency})
    assert claim.amount_vnd == amount_vnd
    assert claim.status == "paid"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"data":{},"data":{}}',
        b'{"data":[]}',
        b'{"data":null,"signature":"x"}',
        b'{"data":NaN}',
        b'{"data":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
        b'{"signature":"x","data":{"a":' + b"[" * 60 + b"1" + b"]" * 60 + b"}}",
        json.dumps(body_of(DATA)).encode()[:-2],
        json.dumps(body_of(DATA)).encode() + b" " * BODY_BYTES_MAX,
        json.dumps(body_of(DATA)).replace('"amount"', '"amount":1,"amount"', 1).encode(),
    ],
    ids=range(14),
)
def test_what_is_no_webhook_is_malformed(body: bytes) -> None:
    """Cut, repeated keys, endless, too deep: refused without a stumble."""
    assert read(ADAPTER, with_body(CALL, body), TERMS) == "malformed"


def test_half_a_surrogate_pair_does_not_stumble() -> None:
    """It is signed and kept as U+FFFD, which is what JavaScript makes of it."""
    raw = json.dumps(body_of({**DATA, "description": "a\ud800b"})).encode()
    (claim,) = ADAPTER.read(with_body(CALL, raw), TERMS, NOW)
    assert claim.memo == "a\ufffdb"


@pytest.mark.parametrize("signature", [None, 1, "", True, {}, "x", "\ud800"])
def test_what_is_no_signature_is_forged(signature: object) -> None:
    """Whatever stands in its place."""
    body = {**body_of(DATA), "signature": signature}
    raw = json.dumps(body).encode()
    assert read(ADAPTER, with_body(CALL, raw), TERMS) == "forged"


def test_a_signature_in_capitals_is_forged() -> None:
    """The official clients compare exactly, so payOS never sends another."""
    body = body_of(DATA)
    body["signature"] = body["signature"].upper()
    assert read(ADAPTER, with_body(CALL, body), TERMS) == "forged"


def test_the_content_type_decides_nothing() -> None:
    """The bytes are proven, not their label."""
    for headers in ((), (("content-TYPE", "text/plain"),)):
        call = msgspec.structs.replace(CALL, headers=headers)
        assert read(ADAPTER, call, TERMS) == read(ADAPTER, CALL, TERMS)


@given(st.data())
def test_no_changed_byte_says_something_else(data: st.DataObject) -> None:
    """Any byte of the body changed, put in or taken out: refused, or the claim as it was."""
    (original,) = ADAPTER.read(CALL, TERMS, NOW)
    at = data.draw(st.integers(0, len(CALL.body) - 1))
    width = data.draw(st.integers(0, 2))
    put = data.draw(
        st.sampled_from([b"", b"0", b"&", b"=", b'"', b"\\u0041", b" ", b"}", b",", b"e"])
    )
    raw = CALL.body[:at] + put + CALL.body[at + width :]
    assert read(ADAPTER, with_body(CALL, raw), TERMS) in ((original,), "forged", "malformed")


def test_either_of_two_secrets_verifies_and_an_empty_one_does_not() -> None:
    """While the checksum key is replaced both are believed."""
    both = msgspec.structs.replace(TERMS, secrets=(Secret("new"), SECRET))
    assert read(ADAPTER, CALL, both) == read(ADAPTER, CALL, TERMS)
    empty = msgspec.structs.replace(TERMS, secrets=(Secret(""),))
    assert read(ADAPTER, ADAPTER.call_as_provider(PAYMENT, empty, NOW), empty) == "forged"


# Links


def opened() -> tuple[Shop, bytes]:
    """A shop with the order, and what was answered when it was opened."""
    shop = Shop(page="http://127.0.0.1:1/pay")
    return shop, ask(ADAPTER, ADAPTER.checkout_request(ORDER, TERMS, NOW), shop, TERMS)


def test_a_link_is_opened() -> None:
    """The page, the VietQR payload and the link's name come out of a signed answer."""
    shop, answer = opened()
    checkout = ADAPTER.read_checkout(answer, ORDER, TERMS)
    assert checkout.url == "http://127.0.0.1:1/pay/5713000123"
    assert checkout.qr_payload
    assert checkout.provider_reference == shop.orders["5713000123"].provider_reference
    assert shop.orders["5713000123"].amount_vnd == 50_000
    assert shop.orders["5713000123"].expires_at == ORDER.expires_at


def test_the_transfer_text_is_our_reference() -> None:
    """So that bank feed and statement name the order too; where less fits, the end of it."""
    sent = json.loads(ADAPTER.checkout_request(ORDER, TERMS, NOW).body)
    assert sent["description"] == "HUE01K2M9Q4X1R"
    short = msgspec.structs.replace(TERMS, options={"description_chars": 9})
    sent = json.loads(ADAPTER.checkout_request(ORDER, short, NOW).body)
    assert sent["description"] == "K2M9Q4X1R"


def test_the_same_order_opens_no_second_link() -> None:
    """PayOS refuses a code that it has (231, unverified): the answer is an error, not a link."""
    shop, _ = opened()
    again = ask(ADAPTER, ADAPTER.checkout_request(ORDER, TERMS, NOW), shop, TERMS)
    with pytest.raises(Unanswered) as unanswered:
        ADAPTER.read_checkout(again, ORDER, TERMS)
    assert unanswered.value.code == "231"
    assert len(shop.orders) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"amount_vnd": 0},
        {"amount_vnd": 10**15 + 1},
        {"order_code": "x"},
        {"order_code": str(2**53)},
        {"expires_at": NOW},
    ],
)
def test_an_order_that_payos_would_refuse_is_not_sent(changed: dict[str, Any]) -> None:
    """ValueError, before anything is signed."""
    with pytest.raises(ValueError, match=r"."):
        ADAPTER.checkout_request(msgspec.structs.replace(ORDER, **changed), TERMS, NOW)


def test_without_its_keys_nothing_is_asked() -> None:
    """The merchant's client id and API key are part of every request, and of no representation."""
    bare = msgspec.structs.replace(TERMS, credentials={})
    with pytest.raises(ValueError, match="client_id"):
        ADAPTER.status_request(QUESTION, bare, NOW)
    request = ADAPTER.status_request(QUESTION, TERMS, NOW)
    assert "key" not in repr(request)
    assert dict(request.headers)["x-api-key"] == "key"


def test_order_codes_are_numbers_of_javascript() -> None:
    """Up to 2^53-1, and never the one payOS probes with."""
    assert ADAPTER.order_code("HUE01K2M9Q4X1R", 2**53 - 1, NOW) == "9007199254740991"
    for number in (0, 123, 2**53):
        with pytest.raises(ValueError, match="no order code"):
            ADAPTER.order_code("HUE01K2M9Q4X1R", number, NOW)


@pytest.mark.parametrize("silently", [0, 1, 2])
def test_a_link_tells_its_transfers_as_their_webhooks_did(silently: int) -> None:
    """Of each transfer one claim, equal to its webhook's; of an unpaid link its state."""
    shop, _ = opened()
    amounts = [20_000, 30_000][:silently]
    shop.payments += [
        msgspec.structs.replace(PAYMENT, transaction=f"FT{number}", amount_vnd=amount_vnd)
        for number, amount_vnd in enumerate(amounts)
    ]
    answer = ask(ADAPTER, ADAPTER.status_request(QUESTION, TERMS, NOW), shop, TERMS)
    claims = ADAPTER.read_status(answer, QUESTION, TERMS)
    if silently:
        called = [ADAPTER.call_as_provider(one, TERMS, NOW) for one in shop.payments]
        assert claims == tuple(ADAPTER.read(call, TERMS, NOW)[0] for call in called)
        return
    (claim,) = claims
    assert (claim.status, claim.reference, claim.amount_vnd) == ("pending", "5713000123", 50_000)


def answered(*, signature: object = True, code: str = "00", **changes: object) -> bytes:
    """An answer about the link, signed unless told otherwise."""
    data = {
        "id": "0f6a6a0c9d0a4b0c8d3c5b1a2e3f4d5c",
        "orderCode": 5713000123,
        "amount": 50_000,
        "amountPaid": 0,
        "amountRemaining": 50_000,
        "status": "PENDING",
        "createdAt": "2026-03-12T10:10:00+07:00",
        "transactions": [],
        **changes,
    }
    body: dict[str, object] = {"code": code, "desc": "x", "data": data}
    if signature is True:
        body["signature"] = sign(json_object(json.dumps(data).encode()), SECRET)
    elif signature is not None:
        body["signature"] = signature
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PENDING", "pending"),
        ("PROCESSING", "pending"),
        ("UNDERPAID", "pending"),
        ("PAID", "pending"),
        ("EXPIRED", "expired"),
        ("CANCELLED", "cancelled"),
        ("FAILED", "failed"),
        ("NEW WORD", "pending"),
    ],
)
def test_a_state_without_a_transfer_is_no_money(state: str, status: str) -> None:
    """Even PAID: without a transfer there is nothing to book, so it is asked about again."""
    (claim,) = ADAPTER.read_status(answered(status=state), QUESTION, TERMS)
    assert (claim.status, claim.scope) == (status, "0f6a6a0c9d0a4b0c8d3c5b1a2e3f4d5c")


@pytest.mark.parametrize("moment", ["2026-03-12 10:15:35", "2026-03-12T03:15:35Z"])
def test_times_of_an_answer_may_bear_a_zone(moment: str) -> None:
    """Without one they are Vietnamese."""
    transfer = {"reference": "FT1", "amount": 1, "transactionDateTime": moment}
    (claim,) = ADAPTER.read_status(answered(transactions=[transfer]), QUESTION, TERMS)
    assert claim.happened_at == NOW


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answered(signature=None), "forged"),
        (answered(signature="0" * 64), "forged"),
        (answered(signature=1), "forged"),
        (answered(orderCode=5713000124), "forged"),
        (answered(orderCode="x"), "malformed"),
        (answered(transactions=None), "malformed"),
        (answered(transactions=[1]), "malformed"),
        (answered(transactions=[{"amount": 1}]), "malformed"),
        (answered(id=None), "malformed"),
        (b"", "malformed"),
        (b"<html>", "malformed"),
        (b"[]", "malformed"),
        (b" " * 1_000_001, "malformed"),
    ],
    ids=range(13),
)
def test_an_answer_that_proves_nothing_is_refused(answer: bytes, why: str) -> None:
    """Unsigned, about another order, or no answer at all."""
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read_status(answer, QUESTION, TERMS)
    assert rejected.value.why == why


def test_unsigned_answers_are_believed_where_the_merchant_says_so() -> None:
    """A wrong signature is refused all the same."""
    lax = msgspec.structs.replace(TERMS, options={"accept_unsigned_answers": True})
    (claim,) = ADAPTER.read_status(answered(signature=None), QUESTION, lax)
    assert claim.status == "pending"
    with pytest.raises(Rejected, match="forged"):
        ADAPTER.read_status(answered(signature="0" * 64), QUESTION, lax)


def test_an_unknown_link_is_known_by_the_code_that_the_merchant_names() -> None:
    """PayOS documents none, so an error is no answer until somebody says what it means."""
    answer = ask(ADAPTER, ADAPTER.status_request(QUESTION, TERMS, NOW), Shop(), TERMS)
    with pytest.raises(Unanswered, match="101"):
        ADAPTER.read_status(answer, QUESTION, TERMS)
    named = msgspec.structs.replace(TERMS, options={"unknown_link_codes": "100, 101"})
    assert ADAPTER.read_status(answer, QUESTION, named) == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount": 50_001}, "forged"),
        ({"orderCode": 5713000124}, "forged"),
        ({"checkoutUrl": "javascript:alert(1)"}, "malformed"),
        ({"checkoutUrl": None}, "malformed"),
        ({"paymentLinkId": None}, "malformed"),
    ],
)
def test_a_link_that_is_not_the_one_asked_for_is_refused(
    changes: dict[str, object], why: str
) -> None:
    """Its order, amount and address must be right."""
    good: dict[str, Any] = {
        "checkoutUrl": "https://pay.example/x",
        "paymentLinkId": "abc",
        "qrCode": "000201",
    }
    fine = ADAPTER.read_checkout(answered(**good), ORDER, TERMS)
    assert fine == Checkout(
        url="https://pay.example/x", qr_payload="000201", provider_reference="abc"
    )
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read_checkout(answered(**good | changes), ORDER, TERMS)
    assert rejected.value.why == why


def test_its_side_refuses_as_payos_does() -> None:
    """Another key, another signature, an unknown path."""
    shop = Shop()
    request = ADAPTER.checkout_request(ORDER, TERMS, NOW)
    strange = msgspec.structs.replace(TERMS, credentials={"client_id": Secret("x")})
    assert ADAPTER.serve_as_provider(arrived(request), shop, strange, NOW).status == 401
    other = msgspec.structs.replace(TERMS, secrets=(Secret("other"),))
    answer = ask(ADAPTER, request, shop, other)
    assert json.loads(answer)["code"] == "201"
    assert (
        json.loads(ask(ADAPTER, msgspec.structs.replace(request, body=b"{"), shop, TERMS))["code"]
        == "20"
    )
    elsewhere = msgspec.structs.replace(arrived(request), path="/v2/other")
    assert ADAPTER.serve_as_provider(elsewhere, shop, TERMS, NOW).status == 404
    assert shop.orders == {}


# The official Python client agrees, but for what it cannot read


def client() -> payos.PayOS:
    """The official client of PyPI with the merchant's keys; it sends nothing."""
    return payos.PayOS(client_id="client", api_key="key", checksum_key=str(SECRET))


READ_IN_PYTHON = set(DATA) | {
    "counterAccountBankId",
    "counterAccountBankName",
    "counterAccountName",
    "counterAccountNumber",
    "virtualAccountName",
    "virtualAccountNumber",
}


def is_read_in_python(body: bytes) -> bool:
    """Whether PyPI payos 1.1.0 verifies `data` as it came.

    It reads it into a model before: absent fields become null, and unknown ones are refused.
    """
    try:
        found = json.loads(body)
        Webhook(**found)
    except (ValueError, TypeError):
        return False
    return set(found["data"]) == READ_IN_PYTHON


def verified_in_python(body: bytes, key: str) -> bool:
    """Whether the official client believes a webhook under a checksum key."""
    known = payos.PayOS(client_id="client", api_key="key", checksum_key=key)
    try:
        known.webhooks.verify(body)
    except payos.PayOSError:
        return False
    return True


@pytest.mark.parametrize(
    "vector",
    [one for one in VECTORS if one.method == "POST" and is_read_in_python(one.call.body)],
    ids=lambda one: one.name,
)
def test_the_official_client_gives_the_recorded_verdict(vector: Vector) -> None:
    """Ours does as well, over every webhook whose data the client reads as it came."""
    keys = [str(key) for key in vector.terms.secrets]
    verdict = any(verified_in_python(vector.call.body, key) for key in keys)
    assert verdict == vector.expect.valid


@pytest.mark.parametrize("name", ["missing_optional_fields", "array_value_in_data"])
def test_the_official_client_refuses_what_it_does_not_read(name: str) -> None:
    """Recorded as valid, and Node's client agrees: the one of Python is the one that is wrong."""
    vector = recording("payos", name)
    (key,) = vector.terms.secrets
    assert vector.expect.valid
    assert not is_read_in_python(vector.call.body)
    assert not verified_in_python(vector.call.body, str(key))


def test_what_our_side_signs_the_official_client_verifies() -> None:
    """Webhooks of the simulator pass the client that integrators use."""
    data = client().webhooks.verify(CALL.body)
    assert (data.order_code, data.amount) == (5713000123, 50_000)
    assert data.reference == "FT26071000123"


@given(
    texts=st.tuples(TEXTS, TEXTS, TEXTS),
    amount_vnd=AMOUNTS,
    missing=st.sampled_from([None, "", "null", "undefined"]),
)
def test_what_the_official_client_signs_we_verify(
    texts: tuple[str, str, str], amount_vnd: int, missing: str | None
) -> None:
    """Over the fields that its model knows, whatever is written in them."""
    data = {
        **DATA,
        "amount": amount_vnd,
        "counterAccountBankId": missing,
        "counterAccountBankName": texts[0],
        "counterAccountName": texts[1],
        "counterAccountNumber": None,
        "virtualAccountName": texts[2],
        "virtualAccountNumber": "",
    }
    signature = client().crypto.create_signature_from_object(data, str(SECRET))
    assert signature == sign(json_object(json.dumps(data).encode()), SECRET)
    body = with_body(CALL, body_of(data, signature=signature))
    assert isinstance(read(ADAPTER, body, TERMS), tuple)


def test_our_link_request_is_signed_as_the_official_client_signs_it() -> None:
    """The signature over the five fields is the same."""
    sent = json.loads(ADAPTER.checkout_request(ORDER, TERMS, NOW).body)
    signature = sent.pop("signature")
    assert signature == client().crypto.create_signature_of_payment_request(sent, str(SECRET))


def test_no_secret_is_in_what_is_sent() -> None:
    """The checksum key signs and is never sent."""
    request = ADAPTER.checkout_request(ORDER, TERMS, NOW)
    sent = repr(request.headers).encode() + request.body + request.url.encode()
    assert str(SECRET).encode() not in sent
