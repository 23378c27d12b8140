"""ZaloPay: what is believed of its callbacks, and how they are answered."""

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    Answer,
    AsksStatus,
    Call,
    Claim,
    NamesOrders,
    OpensCheckout,
    Outcome,
    Refunds,
    Rejected,
    Secret,
    Status,
)
from providers.acting import Acts, Payment, Shop
from providers.signing import hmac_sha256
from providers.zalopay import ADAPTER, is_redirect_true
from providers.zalopay_dialect import (
    CREATE_FIELDS,
    QUERY_REFUND_FIELDS,
    REDIRECT_FIELDS,
    signature_of,
)
from tests.providers.making import NOW
from tests.providers.recorded import Vector, vectors
from tests.providers.wallets import (
    AMOUNT_VND,
    ORDER_CODE,
    PAYMENTS,
    question,
    sent,
)
from tests.providers.wallets import ZALOPAY_CODE as CODE
from tests.providers.wallets import ZALOPAY_PAID as PAID
from tests.providers.wallets import ZALOPAY_TERMS as TERMS

IPNS = vectors("zalopay", "ipn")
SIGNED = {"create_request": CREATE_FIELDS, "query_refund_request": QUERY_REFUND_FIELDS}
REQUESTS = vectors("zalopay", *SIGNED)
TOLD = {
    "app_id": "2553",
    "app_trans_id": f'"{CODE}"',
    "amount": "50000",
    "zp_trans_id": "260312000000389",
    "server_time": "1773282935000",
}
REPEATED = {Outcome.REPEAT_OF_PAID, Outcome.REPEAT, Outcome.ANOTHER_FOR_PAID}
RESULTS = {
    **dict.fromkeys(REPEATED, (2, "duplicate")),
    Outcome.BOOKED: (1, "success"),
    Outcome.NOTED: (1, "success"),
    Outcome.AMOUNT_DIFFERS: (1, "success"),
    Outcome.HELD: (1, "success"),
    Outcome.TEST: (1, "success"),
    Outcome.UNKNOWN_ORDER: (0, "order not found"),
    Outcome.UNKNOWN_AGAIN: (2, "order not found"),
    Outcome.TRY_AGAIN: (0, "try again"),
    Outcome.FORGED: (-1, "mac not equal"),
    Outcome.STALE: (-1, "mac not equal"),
    Outcome.MALFORMED: (-1, "invalid data"),
}


def posted(body: bytes, method: str = "POST") -> Call:
    """`body` as it comes in."""
    return Call(method=method, path="/callbacks/zalopay/2553", body=body)


def signed(data: str, kind: str = "1", key: Secret = TERMS.secrets[0]) -> Call:
    """A callback over the text `data`."""
    mac = hmac_sha256(key, data.encode("utf-8", "surrogatepass"))
    return posted(f'{{"data":{json.dumps(data)},"mac":"{mac}","type":{kind}}}'.encode())


def callback(kind: str = "1", /, **changed: str | None) -> Call:
    """A callback whose data is TOLD with some literals changed; None leaves one out."""
    told = {name: text for name, text in (TOLD | changed).items() if text is not None}
    return signed("{" + ",".join(f'"{name}":{text}' for name, text in told.items()) + "}", kind)


def read(call: Call) -> Claim:
    """The claim of a callback."""
    (claim,) = ADAPTER.read(call, TERMS, NOW)
    return claim


def refused(call: Call) -> Rejected:
    """Why a callback is refused."""
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(call, TERMS, NOW)
    return rejected.value


def verdict(call: Call) -> Claim | str:
    """What the adapter makes of `call`: its claim, or why it refuses; anything else escapes."""
    try:
        return read(call)
    except Rejected as rejected:
        return f"{rejected.why}, but proven" if rejected.authentic else rejected.why


@pytest.mark.parametrize("vector", IPNS, ids=lambda one: one.name)
def test_a_recorded_callback_that_is_believed_has_its_order_as_scope(vector: Vector) -> None:
    """What a callback tells is told within its order; one that is refused tells nothing."""
    try:
        (claim,) = ADAPTER.read(vector.call, vector.terms, NOW)
    except Rejected:
        assert not vector.expect.valid or vector.expect.reason
        return
    assert claim.scope == vector.expect.order_id


@pytest.mark.parametrize("vector", REQUESTS, ids=lambda one: one.name)
def test_a_recorded_request_is_signed_alike(vector: Vector) -> None:
    """A recorded request's mac is the one we would make, over the recorded text."""
    names = SIGNED[vector.kind]
    fields = dict.fromkeys(names, "") | dict(parse_qsl(vector.body or "", keep_blank_values=True))
    mac = signature_of(fields, names, vector.terms.credentials["key1"])
    assert (mac == fields.get("mac")) == bool(vector.expect.valid)
    text = "|".join(fields[name] for name in names)
    assert not vector.expect.valid or vector.canonical in {None, text}


def test_no_recording_is_lost() -> None:
    """The sixteen that ZaloPay's page came with are read; test_vectors tests them all."""
    assert len(IPNS) >= 11
    assert len(vectors("zalopay", "query_response")) >= 3
    assert {one.kind for one in REQUESTS} == set(SIGNED)


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(outcome: Outcome) -> None:
    """1 and 2 end ZaloPay's calls, 0 asks for another; always HTTP 200, byte by byte."""
    code, message = RESULTS[outcome]
    body = f'{{"return_code":{code},"return_message":"{message}"}}'.encode()
    answer = ADAPTER.answer(outcome, callback())
    assert answer == Answer(status=200, media_type="application/json", body=body)
    assert ADAPTER.accepts(answer.status, answer.body) == (code in {1, 2})
    assert not ADAPTER.accepts(500, body)
    assert not ADAPTER.accepts(200, b"<html>")


def test_it_can_do_what_zalopay_can() -> None:
    """It names and opens orders, asks, refunds and plays its provider; all its words are named."""
    for ability in (NamesOrders, OpensCheckout, AsksStatus, Refunds, Acts):
        assert isinstance(ADAPTER, ability)
    assert set(ADAPTER.credentials) == {"key1"}
    assert len(ADAPTER.options) == 4
    assert len(ADAPTER.retry_waits) == 3


def test_orders_are_named_by_the_vietnamese_date() -> None:
    """Seventeen o'clock in UTC is the next day in Huế; a name has at most forty characters."""
    for hour, day in ((16, "260312"), (17, "260313")):
        now = datetime(2026, 3, 12, hour, 30, tzinfo=UTC)
        assert ADAPTER.order_code(ORDER_CODE, 1, now) == f"{day}_{ORDER_CODE}"
    assert len(ADAPTER.order_code("x" * 33, 1, NOW)) == 40
    for odd in ("x" * 34, "a b", "đ"):
        with pytest.raises(ValueError, match=r"app_trans_id|key"):
            ADAPTER.order_code(odd, 1, NOW)


@given(payment=PAYMENTS)
def test_its_own_call_gives_the_payment_back(payment: Payment) -> None:
    """What ZaloPay tells by a callback is what is read: number, order, amount, time."""
    call = ADAPTER.call_as_provider(payment, TERMS, NOW)
    assert call.path == "/callbacks/zalopay/2553"
    claim = read(call)
    assert (claim.transaction, claim.status) == (payment.transaction, "paid")
    assert claim.reference == claim.scope == payment.order_code
    assert (claim.amount_vnd, claim.amount_text) == (payment.amount_vnd, str(payment.amount_vnd))
    assert claim.happened_at == payment.paid_at


@given(payment=PAYMENTS, other_vnd=st.integers(1, 10**12))
def test_the_answer_to_a_question_equals_the_call(payment: Payment, other_vnd: int) -> None:
    """A lost callback and the question about it make the same claim, also for another amount."""
    (told,) = ADAPTER.read(ADAPTER.call_as_provider(payment, TERMS, NOW), TERMS, NOW)
    asking = question(payment.order_code or "", other_vnd)
    request = sent(ADAPTER.status_request(asking, TERMS, NOW))
    body = ADAPTER.serve_as_provider(request, Shop(payments=[payment]), TERMS, NOW).body
    assert ADAPTER.read_status(body, asking, TERMS) == (told,)


def test_zalopay_calls_about_success_only() -> None:
    """It has no callback for what failed, waits or was given back, nor without an order or key."""
    statuses: tuple[Status, ...] = ("failed", "cancelled", "pending", "expired", "refunded", "held")
    for status in statuses:
        with pytest.raises(ValueError, match="paid orders only"):
            ADAPTER.call_as_provider(msgspec.structs.replace(PAID, status=status), TERMS, NOW)
    with pytest.raises(ValueError, match="paid orders only"):
        ADAPTER.call_as_provider(msgspec.structs.replace(PAID, order_code=None), TERMS, NOW)
    with pytest.raises(ValueError, match="key2"):
        ADAPTER.call_as_provider(PAID, msgspec.structs.replace(TERMS, secrets=()), NOW)


@pytest.mark.parametrize("literal", ["50000", '"50000"', "50000.0", "5e4"])
def test_a_whole_number_may_be_written_in_any_way(literal: str) -> None:
    """The amount is the number that was signed, however JSON writes it."""
    claim = read(callback(amount=literal))
    assert (claim.amount_vnd, claim.amount_text) == (50_000, "50000")


@pytest.mark.parametrize(
    "literal",
    ["50000.5", "0", "-50000", "1e99", '"50.000"', '"năm mươi"', "null", "true", "[50000]", "{}"],
)
def test_an_amount_that_is_no_whole_dong_is_not_guessed(literal: str) -> None:
    """It is kept as its text, without an amount, and the payment is told all the same."""
    claim = read(callback(amount=literal))
    assert claim.amount_vnd is None
    assert claim.transaction == "260312000000389"


@pytest.mark.parametrize(
    "literal", ["9007199254740993", '"9007199254740993"', "9007199254740993.0"]
)
def test_no_digit_of_a_transaction_is_lost(literal: str) -> None:
    """A number beyond 2^53 stays what it is."""
    assert read(callback(zp_trans_id=literal)).transaction == "9007199254740993"


@pytest.mark.parametrize("kind", ["1", "2", '"2"', "0", "null", "99"])
def test_what_is_not_signed_decides_nothing(kind: str) -> None:
    """The envelope's type may be changed by anybody: signed data of a payment stays a payment."""
    assert read(callback(kind)) == read(callback())


def test_an_agreement_is_no_money() -> None:
    """A callback about a token is a claim to be ignored, whichever type stands beside it."""
    about: dict[str, str | None] = {"amount": None, "zp_trans_id": None}
    claim = read(callback("2", **about))
    assert (claim.status, claim.amount_vnd, claim.reference) == ("ignored", None, CODE)
    assert read(callback("1", binding_id='"b1"', **about)) == claim
    rejected = refused(callback("1", **about))
    assert (rejected.why, rejected.authentic) == ("malformed", True)


@pytest.mark.parametrize(
    "changed",
    [
        {"app_trans_id": None}, {"app_trans_id": "null"}, {"app_trans_id": '"a b"'},
        {"app_trans_id": '"' + "x" * 101 + '"'}, {"app_trans_id": '"\\u0000"'},
        {"zp_trans_id": None}, {"zp_trans_id": "0"}, {"zp_trans_id": '"0"'},
        {"zp_trans_id": "true"}, {"zp_trans_id": '"4 5"'}, {"zp_trans_id": "[1]"},
        {"amount": '50000,"amount":5'}, {"x": "NaN"}, {"x": "[" * 3_000},
    ],
)  # fmt: skip
def test_what_is_signed_and_cannot_be_read_is_kept(changed: dict[str, str | None]) -> None:
    """Money without an order or a number, and data with doubled keys, waits for people."""
    rejected = refused(callback("1", **changed))
    assert (rejected.why, rejected.authentic) == ("malformed", True)


@pytest.mark.parametrize("app_id", ["2554", '"2554"', "null", None, "[2553]", "true"])
def test_another_app_is_forged(app_id: str | None) -> None:
    """Signed with our key for another app it is not ours; its hint is kept."""
    rejected = refused(callback(app_id=app_id))
    assert (rejected.why, rejected.authentic) == ("forged", False)
    assert rejected.hint is not None
    assert (rejected.hint.reference, rejected.hint.amount_vnd) == (CODE, AMOUNT_VND)
    assert read(callback(app_id='"2553"')).amount_vnd == AMOUNT_VND


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"data=1&mac=2", b"[" * 5_000, b'{"a":' * 5_000,
        callback().body[:-9], callback().body + b"x", callback().body + b" " * 70_000,
        callback().body.replace(b'"type":1', b'"type":1,"type":1'),
        callback().body.replace(b'"mac"', b'"mac":"x","mac"'),
    ],
)  # fmt: skip
def test_what_is_no_callback_is_malformed(body: bytes) -> None:
    """Truncated, nested, endless, doubled and foreign bodies are refused, and nothing else."""
    assert refused(posted(body)).why == "malformed"
    assert refused(posted(callback().body, method="GET")).why == "malformed"


def test_a_callback_without_a_signed_text_is_forged() -> None:
    """Data that is no text cannot be what was signed; nor is anything without a mac."""
    found = json.loads(callback().body)
    for odd in (
        {}, {"data": None}, found | {"data": json.loads(found["data"])}, found | {"data": 1},
        found | {"mac": None}, found | {"mac": ""}, found | {"mac": found["mac"][:-1]},
        found | {"data": found["data"] + " "}, found | {"data": [found["data"]]},
    ):  # fmt: skip
        rejected = refused(posted(json.dumps(odd).encode()))
        assert (rejected.why, rejected.authentic) == ("forged", False)


def test_data_that_came_as_an_object_has_a_hint() -> None:
    """A writer on the way made JSON of the signed text: forged, and kept with what it is about."""
    found = json.loads(callback().body)
    body = json.dumps(found | {"data": json.loads(found["data"])}).encode()
    rejected = refused(posted(body))
    assert (rejected.why, rejected.authentic) == ("forged", False)
    assert rejected.hint is not None
    hint = (rejected.hint.reference, rejected.hint.amount_vnd, rejected.hint.transaction)
    assert hint == (CODE, AMOUNT_VND, "260312000000389")


def test_no_changed_byte_makes_a_call_say_something_else() -> None:
    """Each changed byte of the body is refused, or the claim stays what it was."""
    call = ADAPTER.call_as_provider(PAID, TERMS, NOW)
    for at, byte in enumerate(call.body):
        for other in {byte ^ 1, byte ^ 32, ord("0"), ord("2"), ord('"')} - {byte}:
            body = call.body[:at] + bytes([other]) + call.body[at + 1 :]
            assert verdict(posted(body)) in (read(call), "forged", "malformed"), (at, other)


@given(body=st.binary(max_size=200), data=st.text(max_size=100))
def test_noise_is_never_believed(body: bytes, data: str) -> None:
    """Random bytes, and random data under another key, are refused."""
    assert verdict(posted(body)) in {"forged", "malformed"}
    assert verdict(signed(data, key=Secret("another"))) == "forged"


@given(data=st.text(st.characters(), max_size=100))
def test_signed_noise_is_kept_for_people(data: str) -> None:
    """What ZaloPay signed and nobody can read is proven; an object without our app is not."""
    assert verdict(signed(data)) in {"malformed, but proven", "forged"}
    assert verdict(signed(f"<{data}")) == "malformed, but proven"


def test_a_mac_in_capitals_is_the_same() -> None:
    """Hexadecimal is compared in any case of letters."""
    found = json.loads(callback().body)
    cases: tuple[Callable[[str], str], ...] = (str.upper, str.lower, str.swapcase)
    for case in cases:
        body = json.dumps(found | {"mac": case(found["mac"])}).encode()
        assert read(posted(body)).amount_vnd == AMOUNT_VND


def test_the_text_is_signed_as_it_is() -> None:
    """Escapes of the envelope do not count; inside the text every letter and escape does."""
    composed = callback(embed_data='"Lệ phí"')
    found = json.loads(composed.body)
    raw = json.dumps(found, ensure_ascii=False).encode()
    assert read(posted(raw)) == read(composed)
    for odd in (
        unicodedata.normalize("NFD", found["data"]),
        found["data"].replace("ệ", "\\u1ec7"),
        json.dumps(json.loads(found["data"]), ensure_ascii=False),
    ):
        assert refused(posted(json.dumps(found | {"data": odd}).encode())).why == "forged"
    assert read(callback(embed_data='"L\\u1ec7"')).amount_vnd == AMOUNT_VND


def test_either_secret_verifies_and_none_believes_nobody() -> None:
    """Two keys are valid while one replaces the other; an empty one, or key1, proves nothing."""
    call = callback()
    for secrets in ((Secret("new"), *TERMS.secrets), (*TERMS.secrets, Secret("new"))):
        both = msgspec.structs.replace(TERMS, secrets=secrets)
        assert ADAPTER.read(call, both, NOW) == (read(call),)
    for secrets in ((), (Secret(""),), (TERMS.credentials["key1"],)):
        terms = msgspec.structs.replace(TERMS, secrets=secrets)
        with pytest.raises(Rejected, match="forged"):
            ADAPTER.read(call, terms, NOW)


def test_a_redirect_is_checked_for_display() -> None:
    """The browser's return address is true only as ZaloPay signed it, for this app."""
    fields = dict.fromkeys(REDIRECT_FIELDS, "1") | {"appid": "2553", "apptransid": CODE}
    message = "|".join(fields[name] for name in REDIRECT_FIELDS)
    checksum = hmac_sha256(TERMS.secrets[0], message.encode())
    true = urlencode(fields | {"checksum": checksum}).encode()
    assert is_redirect_true(true, TERMS)
    for odd in (
        true.replace(b"status=1", b"status=2"), true + b"&status=1", b"", b"\xff",
        urlencode(fields | {"checksum": ""}).encode(), true + b"&x=1" * 200,
        true.replace(b"appid=2553", b"appid=2554"),
    ):  # fmt: skip
        assert not is_redirect_true(odd, TERMS)
