"""MoMo: what is believed of its IPNs, what it is asked, and what its unsigned answers may say."""

import json
import re
import unicodedata
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    Answer,
    AsksStatus,
    Call,
    Claim,
    OpensCheckout,
    Outcome,
    Refunds,
    Rejected,
    Secret,
    Status,
    Terms,
)
from providers.acting import Acts, Payment, Shop
from providers.momo import ADAPTER, read_redirect
from providers.momo_dialect import CREATE_FIELDS, IPN_FIELDS, signature_of, signed_text
from tests.providers.making import NOW
from tests.providers.recorded import Vector, recording, vectors
from tests.providers.wallets import (
    AMOUNT_VND,
    ORDER_CODE,
    PAYMENTS,
    question,
    sent,
)
from tests.providers.wallets import (
    MOMO_PAID as PAID,
)
from tests.providers.wallets import (
    MOMO_TERMS as TERMS,
)

ONE_STEP = msgspec.structs.replace(TERMS, options={"one_step": True})
FIELDS = {
    "partnerCode": "MOMOHUE1",
    "orderId": ORDER_CODE,
    "requestId": "r-1",
    "amount": "50000",
    "orderInfo": "Nop phi le phi",
    "orderType": "momo_wallet",
    "transId": "4084757999",
    "resultCode": "0",
    "message": "Thành công.",
    "payType": "qr",
    "responseTime": "1773282935000",
    "extraData": "",
}
PLAIN = re.compile(r"0|[1-9][0-9]*", re.ASCII)
NUMBERS = {"amount", "transId", "resultCode", "responseTime"}
IPNS = vectors("momo", "ipn")
RETURNS = vectors("momo", "redirect")
CREATES = vectors("momo", "create_request")
TELLABLE: list[Status] = ["paid", "pending", "failed", "cancelled", "expired", "authorized"]
DONE = (Outcome.BOOKED, Outcome.NOTED, Outcome.REPEAT_OF_PAID, Outcome.REPEAT, Outcome.HELD,
        Outcome.ANOTHER_FOR_PAID, Outcome.UNKNOWN_ORDER, Outcome.UNKNOWN_AGAIN,
        Outcome.AMOUNT_DIFFERS, Outcome.TEST)  # fmt: skip
ERRORS = (10, 11, 12, 13, 20, 21, 22, 40, 41, 43, 45, 47, 98, 99)
CODES: dict[Status, list[int]] = {
    "paid": [0],
    "authorized": [9000],
    "pending": [1000, 7000, 7002, 8000, 9999, 123456],
    "failed": [1001, 1002, 1004, 1007, 1026, 2019, 4001, 4002, 4100, 42, *ERRORS],
    "cancelled": [1003, 1006, 1017],
    "expired": [1005],
    "refund_failed": [1080, 1081, 1088],
}


def verdict(call: Call) -> Claim | str:
    """What the adapter makes of `call`: its claim, or why it refuses; anything else escapes."""
    try:
        return read(call)
    except Rejected as rejected:
        return f"{rejected.why}, but proven" if rejected.authentic else rejected.why


def posted(body: bytes, method: str = "POST") -> Call:
    """`body` as it comes in."""
    return Call(method=method, path="/callbacks/momo/MOMOHUE1", body=body)


def ipn(
    changed: dict[str, str] | None = None,
    written: dict[str, str] | None = None,
    terms: Terms = TERMS,
) -> Call:
    """An IPN signed over FIELDS with some changed; `written` overrides how the body writes them."""
    fields = FIELDS | (changed or {})
    literals = {
        name: value if name in NUMBERS and PLAIN.fullmatch(value) else json.dumps(value)
        for name, value in fields.items()
    }
    literals |= written or {}
    signature = signature_of(fields, IPN_FIELDS, terms)
    inside = ",".join(f'"{name}":{literal}' for name, literal in literals.items() if literal)
    return posted(f'{{{inside},"signature":"{signature}"}}'.encode())


def read(call: Call, terms: Terms = TERMS) -> Claim:
    """The claim of an IPN."""
    (claim,) = ADAPTER.read(call, terms, NOW)
    return claim


def refused(call: Call, terms: Terms = TERMS) -> Rejected:
    """Why an IPN is refused."""
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(call, terms, NOW)
    return rejected.value


@pytest.mark.parametrize("vector", IPNS, ids=lambda one: one.name)
def test_a_recorded_ipn_says_more_than_its_verdict(vector: Vector) -> None:
    """The order is the scope of what is believed, and nothing for another partner is."""
    try:
        claim = read(vector.call, vector.terms)
    except Rejected:
        assert not vector.expect.valid or vector.expect.reason
        return
    assert claim.scope == vector.expect.order_id
    assert vector.expect.reason != "partner_code_mismatch"


@pytest.mark.parametrize("vector", RETURNS, ids=lambda one: one.name)
def test_a_recorded_return_is_shown_as_recorded(vector: Vector) -> None:
    """A browser's return shows the recorded order, amount, number and status, or is refused."""
    expect = vector.expect
    if not expect.valid or expect.reason:
        with pytest.raises(Rejected) as rejected:
            read_redirect(vector.call.raw_query, vector.terms)
        assert rejected.value.authentic or rejected.value.why == vector.why
        return
    shown = read_redirect(vector.call.raw_query, vector.terms)
    number = expect.provider_txn_id or ""
    assert shown.transaction == (number if number.strip("0") else f"0/{expect.order_id}")
    assert (shown.order_code, shown.amount_vnd) == (expect.order_id, expect.amount_vnd or None)
    assert shown.status == vector.status


@pytest.mark.parametrize("vector", CREATES, ids=lambda one: one.name)
def test_a_recorded_create_is_signed_alike(vector: Vector) -> None:
    """The recorded request's signature is the one we would make, over the recorded text."""
    fields = dict.fromkeys(CREATE_FIELDS, "") | json.loads(vector.body or "")
    signature = signature_of(fields, CREATE_FIELDS, vector.terms)
    assert (signature == fields.get("signature")) == bool(vector.expect.valid)
    text = signed_text(fields, CREATE_FIELDS, vector.terms.credentials["access_key"])
    assert not vector.expect.valid or vector.canonical in {None, text.decode()}


def test_no_recording_is_lost() -> None:
    """The twenty-five that MoMo's page came with are read; test_vectors tests them all."""
    assert len(IPNS) >= 20
    assert len(RETURNS) >= 4
    assert CREATES


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(outcome: Outcome) -> None:
    """Whatever has arrived is answered 204 without a body; the rest with a status of ours."""
    ours = {Outcome.MALFORMED: 400, Outcome.TRY_AGAIN: 503, Outcome.FORGED: 401, Outcome.STALE: 401}
    status = 204 if outcome in DONE else ours[outcome]
    answer = ADAPTER.answer(outcome, ipn())
    assert answer == Answer(status=status, media_type="application/json", body=b"")
    assert ADAPTER.accepts(answer.status, answer.body) == (outcome in DONE)


def test_it_can_do_what_momo_can() -> None:
    """It opens checkouts, asks, refunds and plays its provider; all its words are named."""
    for ability in (OpensCheckout, AsksStatus, Refunds, Acts):
        assert isinstance(ADAPTER, ability)
    assert set(ADAPTER.credentials) == {"access_key"}
    assert set(ADAPTER.options) == {
        "one_step",
        "request_type",
        "order_vnd_max",
        "refund_query_path",
    }


@given(payment=PAYMENTS, status=st.sampled_from(TELLABLE))
def test_its_own_call_gives_the_payment_back(payment: Payment, status: Status) -> None:
    """What MoMo tells by an IPN is what is read: number, order, amount, status, time, text."""
    payment = msgspec.structs.replace(payment, status=status)
    call = ADAPTER.call_as_provider(payment, TERMS, NOW)
    assert call.path == "/callbacks/momo/MOMOHUE1"
    claim = read(call)
    assert (claim.transaction, claim.status) == (payment.transaction, status)
    assert claim.reference == claim.scope == payment.order_code
    assert (claim.amount_vnd, claim.amount_text) == (payment.amount_vnd, str(payment.amount_vnd))
    assert (claim.happened_at, claim.memo) == (payment.paid_at, payment.memo)


@given(payment=PAYMENTS, status=st.sampled_from(TELLABLE), other_vnd=st.integers(1, 10**12))
def test_the_answer_to_a_question_equals_the_call(
    payment: Payment, status: Status, other_vnd: int
) -> None:
    """A lost IPN and the question about it make the same claim, also for an unordered amount."""
    payment = msgspec.structs.replace(payment, status=status)
    told = read(ADAPTER.call_as_provider(payment, TERMS, NOW))
    asking = question(payment.order_code or "", other_vnd)
    request = sent(ADAPTER.status_request(asking, TERMS, NOW))
    body = ADAPTER.serve_as_provider(request, Shop(payments=[payment]), TERMS, NOW).body
    # The answer has no field for the order's text.
    assert ADAPTER.read_status(body, asking, TERMS) == (msgspec.structs.replace(told, memo=""),)


def test_refunds_and_nameless_payments_are_not_called() -> None:
    """MoMo has no IPN for them, and in the one-step flow none for money that is only blocked."""
    for odd in (
        msgspec.structs.replace(PAID, status="refunded"),
        msgspec.structs.replace(PAID, order_code=None),
    ):
        with pytest.raises(ValueError, match="order's payment"):
            ADAPTER.call_as_provider(odd, TERMS, NOW)
    authorized = msgspec.structs.replace(PAID, status="authorized")
    with pytest.raises(ValueError, match="one-step"):
        ADAPTER.call_as_provider(authorized, ONE_STEP, NOW)
    assert ADAPTER.retry_waits == ()


@pytest.mark.parametrize(
    ("code", "status"), [(code, status) for status, codes in CODES.items() for code in codes]
)
def test_each_result_code_has_its_status(code: int, status: Status) -> None:
    """As the page's table has it; what it does not have is pending, neither paid nor failed."""
    assert read(ipn({"resultCode": str(code)})).status == status


def test_authorised_is_paid_only_where_the_contract_says_so() -> None:
    """9000 pays nothing unless the option of the one-step flow is on, also as text."""
    call = ipn({"resultCode": "9000"})
    assert read(call).status == "authorized"
    for on, status in (
        (True, "paid"),
        ("true", "paid"),
        (False, "authorized"),
        (None, "authorized"),
    ):
        terms = msgspec.structs.replace(TERMS, options={"one_step": on})
        assert read(call, terms).status == status


@pytest.mark.parametrize(
    "literal", ["50000", '"50000"', "50000.0", "50000.00", "5e4", "5E+4", "500e2"]
)
def test_a_whole_number_may_be_written_in_any_way(literal: str) -> None:
    """What a JSON writer on the way makes of a number does not change what MoMo signed."""
    claim = read(ipn(written={"amount": literal}))
    assert (claim.amount_vnd, claim.amount_text) == (50_000, "50000")


def test_no_digit_of_a_transaction_is_lost() -> None:
    """A number beyond 2^53 stays what it is, as a number, a text and a float of JSON."""
    for literal in ("9007199254740993", '"9007199254740993"', "9007199254740993.0"):
        number = "9007199254740993"
        claim = read(ipn({"transId": number}, written={"transId": literal}))
        assert claim.transaction == number


@pytest.mark.parametrize("text", ["50.000", "50000.5", "-50000", "0", "", "1e99", "năm mươi", "٥٠"])
def test_an_amount_that_is_no_whole_dong_is_kept_as_text(text: str) -> None:
    """Signed as it stands, such an amount is not guessed at."""
    claim = read(ipn({"amount": text}, written={"amount": json.dumps(text)}))
    assert (claim.amount_vnd, claim.amount_text) == (None, text)


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("amount", "true"), ("amount", "null"), ("amount", "[50000]"), ("amount", "50000.5"),
        ("amount", "500000"), ("amount", "5e5"), ("resultCode", "false"), ("resultCode", "null"),
        ("resultCode", "0.5"), ("transId", "{}"), ("transId", "4084757998"),
        ("orderId", '"HUE007K2M9Q4X2"'), ("orderId", "null"), ("partnerCode", "null"),
        ("message", '"Thành công"'), ("extraData", '"e30="'), ("responseTime", "1773282935001"),
        ("orderInfo", "null"), ("payType", ""), ("requestId", '"r-2"'),
    ],
)  # fmt: skip
def test_a_changed_field_is_forged_and_its_hint_kept(name: str, literal: str) -> None:
    """Booleans, null, lists, other values and left-out fields do not fit the signature."""
    rejected = refused(ipn(written={name: literal}))
    assert rejected.why == "forged"
    assert not rejected.authentic
    assert rejected.hint is not None
    assert rejected.hint.reference in {ORDER_CODE, "HUE007K2M9Q4X2", None}


@pytest.mark.parametrize(
    "changed_fields",
    [
        {"resultCode": ""}, {"resultCode": "OK"}, {"orderId": ""}, {"orderId": "a b"},
        {"orderId": "x" * 101}, {"orderId": "-a"}, {"orderId": "đơn"}, {"transId": "0"},
        {"transId": ""}, {"transId": "4 5"},
    ],
)  # fmt: skip
def test_what_is_signed_and_cannot_be_read_is_kept(changed_fields: dict[str, str]) -> None:
    """Money without an order, a result or a number is nobody's to book: it waits for people."""
    rejected = refused(ipn(changed_fields))
    assert (rejected.why, rejected.authentic) == ("malformed", True)


def test_an_attempt_without_a_number_is_told_by_its_order() -> None:
    """A payment that never got a number is numbered by its order, so that orders stay apart."""
    for number in ("0", "", "000"):
        claim = read(ipn({"resultCode": "1006", "transId": number}))
        assert (claim.transaction, claim.status) == (f"0/{ORDER_CODE}", "cancelled")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"42", b'"x"', b"\xff\xfe", b"{}" + b" " * 70_000,
        b'{"orderId":"a","orderId":"a"}', b'{"amount":NaN}', b"[" * 5_000, b'{"a":' * 5_000,
        ipn().body[:-20], ipn().body + b"x", b"partnerCode=MOMOHUE1&amount=50000",
        ipn().body.replace(b'"amount"', b'"amount":50000,"amount"'),
    ],
)  # fmt: skip
def test_what_is_no_ipn_is_malformed(body: bytes) -> None:
    """Truncated, nested, endless, doubled and foreign bodies are refused, and nothing else."""
    assert refused(posted(body)).why == "malformed"
    assert refused(posted(ipn().body, method="GET")).why == "malformed"


def test_a_json_object_without_a_signature_is_forged() -> None:
    """Whoever proves nothing is not believed."""
    for body in (b"{}", b'{"signature":null}', b'{"signature":true,"orderId":["x"]}'):
        assert refused(posted(body)).why == "forged"


def test_no_changed_byte_makes_a_call_say_something_else() -> None:
    """Each changed byte of the body is refused, or the claim stays what it was."""
    call = ADAPTER.call_as_provider(PAID, TERMS, NOW)
    for at, byte in enumerate(call.body):
        for other in {byte ^ 1, byte ^ 32, ord("0"), ord("&"), ord('"')} - {byte}:
            body = call.body[:at] + bytes([other]) + call.body[at + 1 :]
            assert verdict(posted(body)) in (read(call), "forged", "malformed"), (at, other)


@given(body=st.binary(max_size=200), query=st.binary(max_size=200))
def test_noise_is_never_believed(body: bytes, query: bytes) -> None:
    """Random bytes are refused, by either way in."""
    assert refused(posted(body)).why in {"forged", "malformed"}
    with pytest.raises(Rejected):
        read_redirect(query, TERMS)


def test_a_signature_in_capitals_is_the_same() -> None:
    """Hexadecimal is compared in any case of letters; a part of it proves nothing."""
    found = json.loads(ipn().body)
    cases: tuple[Callable[[str], str], ...] = (str.upper, str.lower, str.swapcase)
    for case in cases:
        body = json.dumps(found | {"signature": case(found["signature"])}).encode()
        assert read(posted(body)).amount_vnd == AMOUNT_VND
    half = json.dumps(found | {"signature": found["signature"][:32]}).encode()
    assert refused(posted(half)).why == "forged"


def test_texts_are_signed_as_they_are() -> None:
    """Escapes of JSON do not count, letters do: composed and decomposed ones are two texts."""
    composed = "Lệ phí"
    decomposed = unicodedata.normalize("NFD", composed)
    assert read(ipn({"orderInfo": decomposed})).memo == decomposed
    escaped = {"orderInfo": '"L\\u1ec7 ph\\u00ed"'}
    assert read(ipn({"orderInfo": composed}, written=escaped)).memo == composed
    other = ipn({"orderInfo": composed}, written={"orderInfo": json.dumps(decomposed)})
    assert refused(other).why == "forged"
    halved = read(ipn({"orderInfo": "a\ud800\x00b"}))
    assert halved.memo == "a��b"


def test_null_is_signed_as_nothing() -> None:
    """An empty field may come as null, and whatever is not signed may come along."""
    call = ipn({"payType": ""}, written={"payType": "null"})
    assert read(call).status == "paid"
    more = call.body[:-1] + b',"paymentOption":"momo","promotionInfo":[{"a":null}],"x":1.5}'
    assert read(posted(more)) == read(call)


def test_a_signature_that_fits_two_orders_is_for_people() -> None:
    """Values are not escaped: a text that holds another order's name is signed and not booked."""
    two = {"orderInfo": "a&orderId=HUE000000000ZZ&orderInfo=b"}
    first = ipn(two)
    second = ipn(two, written={
        "message": json.dumps(f"Thành công.&orderId={ORDER_CODE}&orderInfo=a"),
        "orderId": '"HUE000000000ZZ"', "orderInfo": '"b"',
    })  # fmt: skip
    for call in (first, second):
        rejected = refused(call)
        assert (rejected.why, rejected.authentic) == ("malformed", True)
    assert read(ipn({"orderInfo": "A & B = C &orderId= D"})).reference == ORDER_CODE
    assert read(ipn({"message": "&amount=1&resultCode=9"})).amount_vnd == AMOUNT_VND


def test_without_its_keys_a_merchant_believes_nobody() -> None:
    """A missing or other access key or secret, and an empty one, verify nothing."""
    call = ipn()
    for odd in (
        msgspec.structs.replace(TERMS, credentials={}),
        msgspec.structs.replace(TERMS, credentials={"access_key": Secret("")}),
        msgspec.structs.replace(TERMS, credentials={"access_key": Secret("other")}),
        msgspec.structs.replace(TERMS, secrets=()),
        msgspec.structs.replace(TERMS, secrets=(Secret(""),)),
        msgspec.structs.replace(TERMS, merchant="MOMOHUE2"),
    ):
        assert refused(call, odd).why == "forged"
    both = msgspec.structs.replace(TERMS, secrets=(Secret("new"), *TERMS.secrets))
    assert read(call, both).amount_vnd == AMOUNT_VND
    nothing = msgspec.structs.replace(TERMS, credentials={})
    with pytest.raises(ValueError, match="access key"):
        ADAPTER.status_request(question(), nothing, NOW)


def test_a_redirect_is_shown_and_books_nothing() -> None:
    """A changed, doubled or unreadable return address is refused; none of them is a claim."""
    vector = recording("momo", "gold_redirect_paid_qr_ascii")
    query = vector.call.raw_query
    assert not isinstance(read_redirect(query, vector.terms), Claim)
    for odd in (
        query.replace(b"amount=50000", b"amount=50001"), query + b"&amount=50000",
        query.replace(b"%C3", b"%FF"), query + b"&x=1" * 200, b"\xff", b"",
    ):  # fmt: skip
        with pytest.raises(Rejected):
            read_redirect(odd, vector.terms)
    assert refused(vector.call, vector.terms).why == "malformed"
