"""Casso: the signature over the body written anew, movements of V2, V1 and of the list."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    AsksStatus,
    Call,
    Claim,
    OpensCheckout,
    Outcome,
    PullsTransactions,
    Refunds,
    Rejected,
    Secret,
    Status,
    Terms,
    Unanswered,
)
from providers.acting import Acts, Payment, Shop
from providers.casso import ADAPTER, BODY_BYTES_MAX, MOVEMENTS_MAX
from providers.casso_acting import sign
from providers.casso_api import TEST_REFERENCE
from providers.signing import hmac_sha512
from tests.providers.recorded import Vector, vectors
from tests.providers.transfers import (
    EACH_ANSWER,
    NOW,
    SECRET,
    answers,
    arrived,
    ask,
    payments,
    read,
    read_back,
    with_body,
)

VECTORS = vectors("casso", "ipn", "ipn_v1")
TERMS = Terms(
    merchant="hue-casso",
    secrets=(SECRET,),
    mode="v2",
    credentials={"api_key": Secret("list-key")},
)
OLD = msgspec.structs.replace(TERMS, mode="v1")
PAYMENT = Payment(
    order_code=None,
    transaction="FT26071000123",
    scope="4471201",
    amount_vnd=50_000,
    paid_at=NOW,
    status="credit",
    memo="CT DEN:607110123456 HUE01K2M9Q4X1R nộp lệ phí",
    own_account="0161001234567",
    virtual_account="V3CAS5713",
    bank_brand="VCB",
    counterparty_account="8888888888",
    counterparty_name="NGUYỄN VĂN A",
)
CALL = ADAPTER.call_as_provider(PAYMENT, TERMS, NOW)
SIGNATURE = "X-Casso-Signature"


def signed(body: object, *, stated: str = "1773282930123", raw: bytes | None = None) -> Call:
    """A call of V2 over `body` (JSON), signed as the JavaScript sample signs it."""
    sent = raw if raw is not None else json.dumps(body, ensure_ascii=False).encode()
    header = f"t={stated},v1={sign(sent, stated, TERMS)}"
    return msgspec.structs.replace(CALL, headers=((SIGNATURE, header),), body=sent)


def with_header(header: str, name: str = SIGNATURE) -> Call:
    """The true call with another signature header."""
    return msgspec.structs.replace(CALL, headers=((name, header),))


def movement(**changes: object) -> dict[str, Any]:
    """The body of a call of V2."""
    body: dict[str, Any] = json.loads(CALL.body)
    body["data"] |= changes
    return body


def claim_of(**changes: object) -> Claim:
    """The claim of a signed call with changed data."""
    (claim,) = ADAPTER.read(signed(movement(**changes)), TERMS, NOW)
    return claim


def movements_of(vector: Vector) -> list[dict[str, Any]]:
    """The movements that a recorded call tells of, as they stand there."""
    data = json.loads(vector.body or "")["data"]
    return data if isinstance(data, list) else [data]


def said(told: dict[str, Any], *names: str) -> str:
    """What a movement says under the first of the names under which it says anything."""
    texts = [str(told[name]) for name in names if told.get(name) is not None]
    return next((text for text in texts if text), "")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one.name)
def test_a_recorded_call_says_more_than_its_verdict(vector: Vector) -> None:
    """Casso's id is the scope, account and reference are told, and a forged one has its text.

    An old one is believed all the same: no window of time is documented.
    """
    expect = vector.expect
    try:
        claims = ADAPTER.read(vector.call, vector.terms, vector.now)
    except Rejected as rejected:
        hint = rejected.hint
        assert not expect.valid or expect.reason not in {None, "stale"}
        if hint is not None and hint.transaction is not None:
            assert hint.memo == said(movements_of(vector)[0], "description")
        return
    rows = expect.transactions or [{"provider_txn_id": expect.provider_txn_id}]
    assert [claim.transaction for claim in claims] == [one["provider_txn_id"] for one in rows]
    for claim, one in zip(claims, movements_of(vector), strict=True):
        number, reference = said(one, "id"), "".join(said(one, "reference", "tid").split())
        assert (claim.kind, claim.scope) == ("feed", number)
        assert (claim.bank_reference or "") == reference
        assert (claim.own_account or "") == said(one, "accountNumber", "bank_sub_acc_id")
        assert claim.is_test == (number == "0" or TEST_REFERENCE in {number, reference})


def test_no_recording_is_lost() -> None:
    """The thirteen that Casso's page came with are read; test_vectors tests them all."""
    assert len(vectors("casso", "ipn")) >= 11
    assert len(vectors("casso", "ipn_v1")) >= 2


@EACH_ANSWER
def test_each_outcome_has_its_answer(outcome: Outcome, status: int, body: bytes) -> None:
    """Status and body, byte by byte; Casso is content with the first kind alone."""
    answers(ADAPTER, CALL, outcome, status, body)


def test_every_outcome_is_in_the_table() -> None:
    """No outcome is left without an answer; a body that is none is no "done"."""
    assert {ADAPTER.answer(outcome, CALL).status for outcome in Outcome} == {200, 400, 401, 503}
    assert not ADAPTER.accepts(200, b"ok")


def test_abilities_are_those_of_a_feed() -> None:
    """It lists transactions; it opens nothing, refunds nothing, and knows no orders."""
    assert isinstance(ADAPTER, PullsTransactions)
    assert isinstance(ADAPTER, Acts)
    assert not any(isinstance(ADAPTER, one) for one in (OpensCheckout, AsksStatus, Refunds))
    assert ADAPTER.weak_modes == {"v1"}


# The signature


def written(escape: Callable[[str], str]) -> Call:
    """The true body, signed as a program that writes JSON through `escape` would sign it."""
    body = movement(description="Nộp lệ phí / <a> & \u2028 \U0001f600")
    raw = json.dumps(body, ensure_ascii=False).encode()
    text = escape(json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    header = f"t=1,v1={hmac_sha512(SECRET, f'1.{text}'.encode())}"
    return msgspec.structs.replace(CALL, headers=((SIGNATURE, header),), body=raw)


def escaped(text: str) -> str:
    """JSON text with everything but ASCII escaped."""
    return json.dumps(json.loads(text), separators=(",", ":"))


@pytest.mark.parametrize(
    "escape",
    [
        lambda text: text,
        escaped,
        lambda text: escaped(text).replace("/", "\\/"),
        lambda text: text.replace("/", "\\/"),
        lambda text: text.translate(
            {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}
        ),
    ],
    ids=["javascript", "python", "php", "php unescaped unicode", "go"],
)
def test_each_language_of_the_samples_is_believed(escape: Callable[[str], str]) -> None:
    """Which of them Casso's server is written in is not known; each form needs the key."""
    (claim,) = ADAPTER.read(written(escape), TERMS, NOW)
    assert claim.memo == "Nộp lệ phí / <a> & \u2028 \U0001f600"


@pytest.mark.parametrize("text", ["a\x7fb", "Nộp\x7fphí"])
def test_the_delete_character_is_not_escaped(text: str) -> None:
    """JavaScript escapes what is below a blank, and DEL is above; Python escapes it as well."""
    body = {"data": {"amount": 50_000, "description": text, "id": 4471201}, "error": 0}
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    assert "\x7f" in raw
    for signed_text in (raw, escaped(raw)):
        header = f"t=1,v1={hmac_sha512(SECRET, f'1.{signed_text}'.encode())}"
        call = msgspec.structs.replace(CALL, headers=((SIGNATURE, header),), body=raw.encode())
        (claim,) = ADAPTER.read(call, TERMS, NOW)
        assert claim.memo == text


def test_a_form_of_no_language_is_forged() -> None:
    """Blanks between the parts are in none of them."""
    assert read(ADAPTER, written(lambda text: text.replace(",", ", ")), TERMS) == "forged"


@pytest.mark.parametrize(
    "header",
    [
        "t={t}, v1={v}",
        " t = {t} , v1 = {v} ",
        "v1={v},t={t}",
        "t={t},v0=1,v1=00,v1={v}",
        "t={t},v1={v},v1=00",
        "t={t},v1={V}",
    ],
)
def test_the_header_may_be_written_otherwise(header: str) -> None:
    """Blanks, order, unknown parts, several signatures (a key is replaced), capitals in hex."""
    t, _, v = CALL.headers[1][1].removeprefix("t=").partition(",v1=")
    call = with_header(header.format(t=t, v=v, V=v.upper()), name=SIGNATURE.lower())
    assert read(ADAPTER, call, TERMS) == read(ADAPTER, CALL, TERMS)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=abc",
        "t=1",
        "t=,v1={v}",
        "t={t}",
        "t={t},t={t},v1={v}",
        "t=1,v1={v}",
        "t={t},v1=",
        "t={t},v2={v}",
        "t={t}x,v1={v}",
        "t=-{t},v1={v}",
        "t=٣,v1={v}",
        "t={t}v1={v}",
    ],
)
def test_a_header_that_proves_nothing_is_forged(header: str) -> None:
    """And the hint still tells what it is about."""
    t, _, v = CALL.headers[1][1].removeprefix("t=").partition(",v1=")
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(with_header(header.format(t=t, v=v)), TERMS, NOW)
    assert rejected.value.why == "forged"
    assert rejected.value.hint is not None
    assert rejected.value.hint.transaction == "FT26071000123"
    assert "HUE01K2M9Q4X1R" in rejected.value.hint.memo


def test_the_order_of_keys_and_blanks_do_not_matter() -> None:
    """The signature is over the body written anew."""
    body = json.loads(CALL.body)
    turned = {"data": dict(reversed(body["data"].items())), "error": 0}
    raw = json.dumps(turned, indent=2).encode()
    assert read(ADAPTER, with_body(CALL, raw), TERMS) == read(ADAPTER, CALL, TERMS)


@pytest.mark.parametrize(
    "more",
    [
        {"zz": "unknown"},
        {"nested": {"b": {"d": 1, "c": [None, True]}, "a": 1.5}},
        {"list": ["b", {"b": 1, "a": 2}]},
        {"big": 12345678901234567890, "float": 2.50, "tiny": 1e-7},
        {"half": "a\ud800b", "nul": "a\x00b"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_unknown_signed_fields_pass(more: dict[str, Any]) -> None:
    """They are signed, and say nothing to us."""
    raw = json.dumps(movement(**more)).encode()
    assert read(ADAPTER, signed(None, raw=raw), TERMS) == read(ADAPTER, CALL, TERMS)


def test_an_unsigned_field_is_forged() -> None:
    """Every field is signed, also those at the top."""
    for body in ({**json.loads(CALL.body), "x": 1}, movement(x=1)):
        assert read(ADAPTER, with_body(CALL, body), TERMS) == "forged"


def test_the_text_of_a_number_is_kept_or_printed_by_javascript() -> None:
    """`50000.0` is signed as it came or as `50000`; as a text it is another body."""
    raw = json.dumps(movement(amount=50_000.0)).encode()
    assert b"50000.0" in raw
    assert isinstance(read(ADAPTER, signed(None, raw=raw), TERMS), tuple)
    assert read(ADAPTER, with_body(CALL, raw), TERMS) == read(ADAPTER, CALL, TERMS)
    assert read(ADAPTER, with_body(CALL, movement(amount="50000")), TERMS) == "forged"


def test_no_window_of_time_is_documented() -> None:
    """An old call is believed, unless the merchant's terms say otherwise."""
    late = NOW + timedelta(days=400)
    assert read(ADAPTER, CALL, TERMS, late) == read(ADAPTER, CALL, TERMS)
    strict = msgspec.structs.replace(TERMS, options={"freshness_s": 300})
    for seconds, verdict in ((300, None), (-300, None), (301, "stale"), (-301, "stale")):
        found = read(ADAPTER, CALL, strict, NOW + timedelta(seconds=seconds))
        assert found == (verdict or read(ADAPTER, CALL, TERMS))
    unset = msgspec.structs.replace(TERMS, options={"freshness_s": None})
    assert read(ADAPTER, CALL, unset, late) == read(ADAPTER, CALL, TERMS)


@given(st.data())
def test_no_changed_byte_says_something_else(data: st.DataObject) -> None:
    """Any byte of body or header changed: refused, or the claim as it was."""
    original = ADAPTER.read(CALL, TERMS, NOW)
    raw = CALL.body
    at = data.draw(st.integers(0, len(raw) - 1))
    put = data.draw(st.sampled_from([b"", b"0", b"-", b".0", b'"', b"\\/", b" ", b"}", b"e1"]))
    changed = raw[:at] + put + raw[at + data.draw(st.integers(0, 2)) :]
    assert read(ADAPTER, with_body(CALL, changed), TERMS) in (original, "forged", "malformed")
    header = CALL.headers[1][1]
    at = data.draw(st.integers(0, len(header) - 1))
    other = with_header(header[:at] + data.draw(st.characters(codec="utf-8")) + header[at + 1 :])
    assert read(ADAPTER, other, TERMS) in (original, "forged")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"error":0,"error":0}',
        b'{"data":NaN}',
        b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"data":' + b"[" * 60 + b"1" + b"]" * 60 + b"}",
        CALL.body[:-2],
        CALL.body + b" " * BODY_BYTES_MAX,
    ],
    ids=range(11),
)
def test_what_is_no_call_is_malformed(body: bytes) -> None:
    """Cut, repeated keys, endless, too deep: refused without a stumble."""
    assert read(ADAPTER, with_body(CALL, body), TERMS) == "malformed"


@pytest.mark.parametrize("secrets", [(), (Secret(""),), (Secret("another"),)])
@pytest.mark.parametrize("mode", ["", "v1", "v2", "v3"])
def test_nobody_is_believed_without_the_right_secret_and_mode(
    secrets: tuple[Secret, ...], mode: str
) -> None:
    """No mode agreed, nothing believed; an empty key proves nothing."""
    for terms in (
        msgspec.structs.replace(TERMS, secrets=secrets, mode=mode),
        msgspec.structs.replace(TERMS, mode="v3"),
    ):
        for call in (CALL, ADAPTER.call_as_provider(PAYMENT, OLD, NOW)):
            assert read(ADAPTER, call, terms) == "forged"
    empty = msgspec.structs.replace(TERMS, secrets=(Secret(""),), mode=mode)
    assert read(ADAPTER, ADAPTER.call_as_provider(PAYMENT, empty, NOW), empty) == "forged"


def test_either_of_two_secrets_verifies() -> None:
    """While the key is replaced both are believed."""
    for terms, call in ((TERMS, CALL), (OLD, ADAPTER.call_as_provider(PAYMENT, OLD, NOW))):
        both = msgspec.structs.replace(terms, secrets=(Secret("new"), SECRET))
        assert read(ADAPTER, call, both) == read(ADAPTER, call, terms)


# What a movement says


@pytest.mark.parametrize(
    ("amount", "status", "amount_vnd"),
    [
        (50_000, "credit", 50_000),
        (-50_000, "debit", 50_000),
        ("-50000", "debit", 50_000),
        ("50000.00", "credit", 50_000),
        (0, "ignored", None),
        (-0.0, "ignored", None),
        ("0.00", "ignored", None),
        (50_000.5, "credit", None),
        (-0.5, "debit", None),
        ("", "credit", None),
        (None, "credit", None),
        ("1e5", "credit", None),
        (10**15 + 1, "credit", None),
    ],
)
def test_the_sign_of_an_amount_is_its_direction(
    amount: object, status: str, amount_vnd: int | None
) -> None:
    """Less than nothing went out; nothing is no movement; what cannot be read is kept so."""
    claim = claim_of(amount=amount)
    assert (claim.status, claim.amount_vnd) == (status, amount_vnd)


@pytest.mark.parametrize(
    ("changes", "transaction", "scope", "is_test"),
    [
        ({}, "FT26071000123", "4471201", False),
        ({"reference": " FT 26\t071 "}, "FT26071", "4471201", False),
        ({"reference": ""}, "4471201", "4471201", False),
        ({"reference": None}, "4471201", "4471201", False),
        ({"reference": "Mã"}, "4471201", "4471201", False),
        ({"reference": "F" * 101}, "4471201", "4471201", False),
        ({"id": "4471201"}, "FT26071000123", "4471201", False),
        ({"id": None}, "FT26071000123", "", False),
        ({"id": 0}, "FT26071000123", "0", True),
        ({"id": "0"}, "FT26071000123", "0", True),
        ({"reference": "MA_GIAO_DICH_THU_NGHIEM"}, "MA_GIAO_DICH_THU_NGHIEM", "4471201", True),
        ({"id": "MA_GIAO_DICH_THU_NGHIEM"}, "FT26071000123", "MA_GIAO_DICH_THU_NGHIEM", True),
    ],
)
def test_a_movement_is_known_by_the_banks_reference(
    changes: dict[str, object],
    transaction: str,
    scope: str,
    is_test: bool,  # noqa: FBT001
) -> None:
    """Within Casso's own id; without a reference by that id; 0, or its word, is a test."""
    claim = claim_of(**changes)
    assert (claim.transaction, claim.scope) == (transaction, scope)
    assert claim.is_test == is_test


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None, "reference": ""},
        {"id": "", "reference": []},
        {"amount": []},
        {"amount": "9" * 101},
    ],
)
def test_a_movement_without_any_number_is_kept(changes: dict[str, object]) -> None:
    """It proved itself: malformed, and to be kept until somebody can read it."""
    with pytest.raises(Rejected) as rejected:
        claim_of(**changes)
    assert (rejected.value.why, rejected.value.authentic) == ("malformed", True)


@pytest.mark.parametrize("body", [{"error": 0}, {"data": 1}, {"data": None}, {"data": [1]}])
def test_a_signed_body_without_a_movement_is_kept(body: dict[str, object]) -> None:
    """The same."""
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(signed(body), TERMS, NOW)
    assert (rejected.value.why, rejected.value.authentic) == ("malformed", True)


def test_the_old_kind_tells_many_movements_at_once() -> None:
    """Up to a limit; none at all is a call without a claim."""
    call = ADAPTER.call_as_provider(PAYMENT, OLD, NOW)
    (one,) = json.loads(call.body)["data"]
    for count in (0, 1, 3):
        told_of = [{**one, "id": number, "tid": f"T{number}"} for number in range(1, count + 1)]
        claims = ADAPTER.read(with_body(call, {"data": told_of}), OLD, NOW)
        assert [claim.transaction for claim in claims] == [f"T{n}" for n in range(1, count + 1)]
    many = [{"id": number} for number in range(1, MOVEMENTS_MAX + 2)]
    with pytest.raises(Rejected, match="malformed") as rejected:
        ADAPTER.read(with_body(call, {"data": many}), OLD, NOW)
    assert rejected.value.authentic


@pytest.mark.parametrize("token", ["nope", "", str(SECRET)[:-1], f"{SECRET}x", str(SECRET).upper()])
def test_the_token_of_the_old_kind_must_be_the_agreed_one(token: str) -> None:
    """Whole, and in its own letters; blanks around it are none of it."""
    call = ADAPTER.call_as_provider(PAYMENT, OLD, NOW)
    other = msgspec.structs.replace(call, headers=(("Secure-Token", token),))
    assert read(ADAPTER, other, OLD) == "forged"
    fine = msgspec.structs.replace(call, headers=(("SECURE-TOKEN", f" {SECRET} "),))
    assert read(ADAPTER, fine, OLD) == read(ADAPTER, call, OLD)


@given(
    payments(
        order_code=st.none(),
        scope=st.integers(1, 2**53).map(str),
        status=st.sampled_from(["credit", "debit"]),
        bank_brand=st.just("VCB"),
    )
)
@pytest.mark.parametrize("terms", [TERMS, OLD], ids=["v2", "v1"])
def test_what_casso_calls_about_is_read_back_and_listed(terms: Terms, payment: Payment) -> None:
    """`read` gives back what `call_as_provider` was given, and the list says the same."""
    claim = read_back(ADAPTER, payment, terms)
    assert (claim.scope, claim.bank_reference) == (payment.scope, payment.transaction)
    assert (claim.memo, claim.counterparty_name) == (payment.memo, payment.counterparty_name)
    shop = Shop(payments=[payment])
    answer = ask(ADAPTER, ADAPTER.pull_request("", terms, NOW), shop, terms)
    assert ADAPTER.read_pull(answer, terms).claims == (claim,)


@pytest.mark.parametrize("status", ["paid", "pending", "failed", "refunded"])
def test_casso_calls_about_movements_alone(status: Status) -> None:
    """It watches accounts and knows no orders."""
    with pytest.raises(ValueError, match="came or went"):
        ADAPTER.call_as_provider(msgspec.structs.replace(PAYMENT, status=status), TERMS, NOW)


# The list


def shop_of(count: int) -> Shop:
    """A shop with that many movements, a minute apart."""
    return Shop(
        payments=[
            msgspec.structs.replace(
                PAYMENT,
                transaction=f"FT{number}",
                scope=str(number),
                paid_at=NOW + timedelta(minutes=number),
            )
            for number in range(1, count + 1)
        ]
    )


def test_the_list_is_read_page_by_page() -> None:
    """Oldest first; the last page has no next, and when it has grown it is read again."""
    shop = shop_of(250)
    position, found, pages = "", list[Claim](), list[str]()
    for _ in range(10):
        answer = ask(ADAPTER, ADAPTER.pull_request(position, TERMS, NOW), shop, TERMS)
        pulled = ADAPTER.read_pull(answer, TERMS)
        found += pulled.claims
        pages.append(position)
        if pulled.next_position is None:
            break
        position = pulled.next_position
    assert pages == ["", "2", "3"]
    assert [claim.transaction for claim in found] == [f"FT{n}" for n in range(1, 251)]
    shop.payments += shop_of(251).payments[-1:]
    answer = ask(ADAPTER, ADAPTER.pull_request(position, TERMS, NOW), shop, TERMS)
    assert ADAPTER.read_pull(answer, TERMS).claims[-1].transaction == "FT251"


def test_the_list_may_begin_on_a_day() -> None:
    """What was before the service began is not asked for."""
    shop = shop_of(3)
    shop.payments[0] = msgspec.structs.replace(
        shop.payments[0], paid_at=NOW - timedelta(days=2), status="debit"
    )
    terms = msgspec.structs.replace(TERMS, options={"pull_from": "2026-03-12", "page_rows": 1})
    request = ADAPTER.pull_request("", terms, NOW)
    assert "fromDate=2026-03-12" in request.url
    answer = ask(ADAPTER, request, shop, terms)
    pulled = ADAPTER.read_pull(answer, terms)
    assert [claim.transaction for claim in pulled.claims] == ["FT2"]
    assert pulled.next_position == "2"


def test_the_documented_page_is_read() -> None:
    """The names and shapes that Casso's page shows; a day without a time is its first minute."""
    page = {
        "error": 0,
        "message": "success",
        "data": {
            "page": 4,
            "pageSize": 10,
            "nextPage": 5,
            "prevPage": 3,
            "totalPages": 35,
            "totalRecords": 341,
            "records": [
                {"id": 5789, "tid": "TF1", "amount": -193000, "when": "2021-04-15"},
                {
                    "id": 5790,
                    "tid": "TF2",
                    "amount": 350000,
                    "when": "2021-04-15T07:30:00",
                    "bankSubAccId": "8007041027107",
                    "bankCodeName": "acb_digi",
                },
            ],
        },
    }
    pulled = ADAPTER.read_pull(json.dumps(page).encode(), TERMS)
    first, second = pulled.claims
    assert (first.transaction, first.status, first.amount_vnd) == ("TF1", "debit", 193_000)
    assert str(first.happened_at) == "2021-04-14 17:00:00+00:00"
    assert str(second.happened_at) == "2021-04-15 00:30:00+00:00"
    assert (second.own_account, second.bank_brand) == ("8007041027107", "acb_digi")
    assert pulled.next_position == "5"


@pytest.mark.parametrize(
    ("page", "following"),
    [(5, None), (0, None), ("5", None), (None, None), (4, None), (6, "6"), (-1, None)],
)
def test_a_list_ends(page: object, following: str | None) -> None:
    """A next page that is none, or none further on, ends it: the list is not followed in a ring."""
    body = {"error": 0, "data": {"page": 5, "nextPage": page, "records": []}}
    assert ADAPTER.read_pull(json.dumps(body).encode(), TERMS).next_position == following


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"error":0}',
        b'{"error":0,"data":[]}',
        b'{"error":0,"data":{"records":[1]}}',
        b'{"error":0,"data":{"records":[{}]}}',
        b" " * 4_000_001,
    ],
    ids=range(8),
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """Malformed, without a stumble."""
    with pytest.raises(Rejected, match="malformed"):
        ADAPTER.read_pull(body, TERMS)


def test_an_error_is_no_answer() -> None:
    """Its code and message are kept."""
    with pytest.raises(Unanswered, match="401: Unauthorized"):
        ADAPTER.read_pull(b'{"error":401,"message":"Unauthorized"}', TERMS)
    other = msgspec.structs.replace(TERMS, credentials={"api_key": Secret("other")})
    answer = ask(ADAPTER, ADAPTER.pull_request("", other, NOW), shop_of(1), TERMS)
    with pytest.raises(Unanswered, match="401"):
        ADAPTER.read_pull(answer, TERMS)


@pytest.mark.parametrize(
    ("position", "terms"),
    [
        ("x", TERMS),
        ("-1", TERMS),
        ("", msgspec.structs.replace(TERMS, credentials={})),
        ("", msgspec.structs.replace(TERMS, options={"pull_from": "12/03/2026"})),
    ],
)
def test_a_page_that_cannot_be_asked_for_is_not(position: str, terms: Terms) -> None:
    """No such page, no key, no such day."""
    with pytest.raises(ValueError, match=r"."):
        ADAPTER.pull_request(position, terms, NOW)


def test_its_side_knows_one_request() -> None:
    """Any other path is not there."""
    call = msgspec.structs.replace(arrived(ADAPTER.pull_request("", TERMS, NOW)), path="/v2/sync")
    assert ADAPTER.serve_as_provider(call, Shop(), TERMS, NOW).status == 404
