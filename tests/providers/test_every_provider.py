"""Facts that hold for each provider in the catalogue."""

import json
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import Answer, AsksStatus, Call, MakesCheckout, Outcome, Refunds, Rejected, Secret
from providers.catalog import CATALOG
from providers.signing_as import sepay_webhook, vnpay_ipn
from tests.providers.making import NOW, PAYMENT, TRANSFER, TRUE_CALLS, TrueCall

EACH = pytest.mark.parametrize(
    "true", TRUE_CALLS, ids=[f"{true.provider}-{true.terms.mode or 'only'}" for true in TRUE_CALLS]
)
DONE: tuple[int, dict[str, object]] = (200, {"success": True})
ANSWERS: dict[str, dict[Outcome, tuple[int, dict[str, object]]]] = {
    "vnpay": {
        Outcome.BOOKED: (200, {"RspCode": "00"}),
        Outcome.NOTED: (200, {"RspCode": "00"}),
        Outcome.REPEAT_OF_PAID: (200, {"RspCode": "02"}),
        Outcome.REPEAT: (200, {"RspCode": "00"}),
        Outcome.ANOTHER_FOR_PAID: (200, {"RspCode": "02"}),
        Outcome.UNKNOWN_ORDER: (200, {"RspCode": "01"}),
        Outcome.UNKNOWN_AGAIN: (200, {"RspCode": "01"}),
        Outcome.AMOUNT_DIFFERS: (200, {"RspCode": "04"}),
        Outcome.HELD: (200, {"RspCode": "00"}),
        Outcome.FORGED: (200, {"RspCode": "97"}),
        Outcome.STALE: (200, {"RspCode": "97"}),
        Outcome.MALFORMED: (200, {"RspCode": "99"}),
        Outcome.TRY_AGAIN: (200, {"RspCode": "99"}),
        Outcome.TEST: (200, {"RspCode": "00"}),
    },
    "sepay": {
        Outcome.BOOKED: DONE,
        Outcome.NOTED: DONE,
        Outcome.REPEAT_OF_PAID: DONE,
        Outcome.REPEAT: DONE,
        Outcome.ANOTHER_FOR_PAID: DONE,
        Outcome.UNKNOWN_ORDER: DONE,
        Outcome.UNKNOWN_AGAIN: DONE,
        Outcome.AMOUNT_DIFFERS: DONE,
        Outcome.HELD: DONE,
        Outcome.FORGED: (401, {"success": False}),
        Outcome.STALE: (401, {"success": False}),
        Outcome.MALFORMED: (400, {"success": False}),
        Outcome.TRY_AGAIN: (503, {"success": False}),
        Outcome.TEST: DONE,
    },
}
CLEAN = ("transaction", "reference", "amount_text", "memo", "bank_reference", "own_account")


def verdict(true: TrueCall, call: Call, now: datetime = NOW) -> object:
    """What the adapter makes of `call`: its claims, or why it refuses; anything else escapes."""
    try:
        return CATALOG[true.provider].read(call, true.terms, now)
    except Rejected as rejected:
        return rejected.why


def test_each_provider_has_a_true_call_and_a_table_of_answers() -> None:
    """No provider can join the catalogue without joining this suite."""
    assert {true.provider for true in TRUE_CALLS} == set(CATALOG) == set(ANSWERS)
    for name, provider in CATALOG.items():
        modes = {true.terms.mode for true in TRUE_CALLS if true.provider == name}
        assert provider.name == name
        assert modes == provider.modes


@EACH
def test_a_true_call_is_read(true: TrueCall) -> None:
    """An authentic call says which payment, of which amount, for which order, in UTC."""
    (claim,) = CATALOG[true.provider].read(true.call, true.terms, NOW)
    assert claim.reference == "HUE007K2M9Q4X1"
    assert claim.amount_vnd in {50_000, 100_000}
    assert claim.happened_at == NOW
    assert claim.status in {"paid", "credit"}


@EACH
def test_no_changed_byte_makes_a_call_say_something_else(true: TrueCall) -> None:
    """Each changed byte of query, body and headers is refused, or the claim stays as it was."""
    original = verdict(true, true.call)
    parts: list[tuple[bytes, str]] = [(true.call.raw_query, "raw_query")]
    if true.signs_body:
        parts.append((true.call.body, "body"))
    for raw, field in parts:
        for at, byte in enumerate(raw):
            for other in {byte ^ 1, ord("0"), ord("&"), ord("%")} - {byte}:
                changed = raw[:at] + bytes([other]) + raw[at + 1 :]
                call = msgspec.structs.replace(true.call, **{field: changed})
                assert verdict(true, call) in (original, "forged"), (field, at, other)
    for number, (name, value) in enumerate(true.call.headers[1:], start=1):
        for at, char in enumerate(value):
            changed_value = value[:at] + chr(ord(char) ^ 1) + value[at + 1 :]
            headers = list(true.call.headers)
            headers[number] = (name, changed_value)
            call = msgspec.structs.replace(true.call, headers=tuple(headers))
            assert verdict(true, call) in (original, "forged"), (name, at)


@EACH
def test_a_call_without_its_proof_is_forged(true: TrueCall) -> None:
    """Without headers and signature nothing is believed, and the hint still tells the order."""
    query = true.call.raw_query.partition(b"&vnp_SecureHash")[0]
    call = msgspec.structs.replace(true.call, headers=(), raw_query=query)
    with pytest.raises(Rejected) as rejected:
        CATALOG[true.provider].read(call, true.terms, NOW)
    assert rejected.value.why == "forged"
    assert rejected.value.hint is not None
    assert rejected.value.hint.reference == "HUE007K2M9Q4X1"


@EACH
def test_either_of_two_secrets_verifies(true: TrueCall) -> None:
    """While a secret is replaced, calls under the old one and the new one are both believed."""
    for secrets in ((Secret("new"), *true.terms.secrets), (*true.terms.secrets, Secret("new"))):
        terms = msgspec.structs.replace(true.terms, secrets=secrets)
        assert CATALOG[true.provider].read(true.call, terms, NOW)


@EACH
@pytest.mark.parametrize("secrets", [(), (Secret(""),), (Secret("another"),)])
def test_a_merchant_without_the_right_secret_believes_nobody(
    true: TrueCall, secrets: tuple[Secret, ...]
) -> None:
    """No secret, an empty one or another one: the call is forged."""
    terms = msgspec.structs.replace(true.terms, secrets=secrets)
    with pytest.raises(Rejected, match="forged"):
        CATALOG[true.provider].read(true.call, terms, NOW)


def test_an_empty_secret_proves_nothing() -> None:
    """What anybody can sign with an empty key is forged, also where the key was left empty."""
    for terms in (true.terms for true in TRUE_CALLS):
        empty = msgspec.structs.replace(terms, secrets=(Secret(""),))
        call = sepay_webhook(TRANSFER, empty, NOW) if terms.mode else vnpay_ipn(PAYMENT, empty)
        with pytest.raises(Rejected, match="forged"):
            CATALOG["sepay" if terms.mode else "vnpay"].read(call, empty, NOW)


@EACH
def test_another_method_is_malformed(true: TrueCall) -> None:
    """A provider is heard only by the method it uses."""
    (method,) = CATALOG[true.provider].methods
    assert true.call.method == method
    other = msgspec.structs.replace(true.call, method="GET" if method == "POST" else "POST")
    assert verdict(true, other) == "malformed"


@EACH
def test_endless_input_is_malformed(true: TrueCall) -> None:
    """A call beyond the limit is not even verified."""
    call = msgspec.structs.replace(
        true.call,
        raw_query=true.call.raw_query + b"&x=1" * 20_000,
        body=true.call.body + b" " * 70_000,
    )
    assert verdict(true, call) == "malformed"


@pytest.mark.parametrize("name", sorted(CATALOG))
@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(name: str, outcome: Outcome) -> None:
    """Status, type and body of the answer are what the provider's page says."""
    true = next(true for true in TRUE_CALLS if true.provider == name)
    answer = CATALOG[name].answer(outcome, true.call)
    status, body = ANSWERS[name][outcome]
    assert isinstance(answer, Answer)
    assert (answer.status, answer.media_type) == (status, "application/json")
    found = json.loads(answer.body)
    assert {key: found[key] for key in body} == body


def test_abilities_are_asked_for_and_not_pretended() -> None:
    """VNPAY can check out, be asked and refund; SePay's feed can do none of it."""
    abilities = (MakesCheckout, AsksStatus, Refunds)
    assert [isinstance(CATALOG["vnpay"], ability) for ability in abilities] == [True] * 3
    assert [isinstance(CATALOG["sepay"], ability) for ability in abilities] == [False] * 3


def test_a_secret_is_not_shown() -> None:
    """A secret stays out of representations, also inside the terms."""
    terms = TRUE_CALLS[0].terms
    assert str(terms.secrets[0]) not in repr(terms)


@given(
    true=st.sampled_from(TRUE_CALLS),
    edits=st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 12), st.binary(max_size=12)), max_size=6
    ),
    late=st.timedeltas(timedelta(days=-2), timedelta(days=2)),
)
def test_no_mutation_makes_an_adapter_stumble(
    true: TrueCall, edits: list[tuple[int, int, bytes]], late: timedelta
) -> None:
    """Cut, doubled and overwritten calls are read or Rejected; what is read can be stored."""
    call = true.call
    for at, width, put in edits:
        query, body = (raw[:at] + put + raw[at + width :] for raw in (call.raw_query, call.body))
        call = msgspec.structs.replace(call, raw_query=query, body=body)
    found = verdict(true, call, NOW + late)
    if isinstance(found, str):
        assert found in {"forged", "stale", "malformed"}
        return
    for claim in CATALOG[true.provider].read(call, true.terms, NOW + late):
        for field in CLEAN:
            text = getattr(claim, field) or ""
            assert "\x00" not in text
            assert text.encode().decode() == text


@given(
    true=st.sampled_from(TRUE_CALLS),
    query=st.binary(max_size=300),
    body=st.binary(max_size=300),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["X-SePay-Timestamp", "X-SePay-Signature", "Authorization", "x-secret-key"]
            ),
            st.text(max_size=40),
        ),
        max_size=4,
    ),
)
def test_noise_is_never_believed(
    true: TrueCall, query: bytes, body: bytes, headers: list[tuple[str, str]]
) -> None:
    """Random bytes under random headers are refused, whatever they are."""
    call = msgspec.structs.replace(true.call, raw_query=query, body=body, headers=tuple(headers))
    assert verdict(true, call) in {"forged", "malformed"}
