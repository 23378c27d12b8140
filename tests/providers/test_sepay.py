"""What is particular to SePay: its proofs, its clock, and bodies that are odd but signed."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import Call, Claim, Rejected, Secret, Terms
from providers.acting import Payment
from providers.sepay import Sepay
from providers.sepay_acting import signed
from tests.providers.making import NOW, SECRET

TRANSFER = Payment(
    order_code="HUE007K2M9Q4X1",
    transaction="92704",
    amount_vnd=50_000,
    paid_at=NOW,
    status="credit",
    memo="HUE007K2M9Q4X1 nộp lệ phí",
    own_account="0123499999",
    bank_reference="MBVCB.3278907687",
    bank_brand="Vietcombank",
)
ORDER_PAID = Payment(
    order_code="HUE007K2M9Q4X1",
    transaction="68ba94ac80123",
    amount_vnd=100_000,
    paid_at=NOW,
    memo="Le phi",
)


def sepay_terms(mode: str = "hmac") -> Terms:
    """Terms with SePay in one of its modes."""
    return Terms(merchant="hue-vcb", secrets=(SECRET,), mode=mode)


def called(payment: Payment = TRANSFER, mode: str = "hmac") -> Call:
    """SePay's call about a payment."""
    return Sepay().call_as_provider(payment, sepay_terms(mode), NOW)


FIELDS = json.loads(called().body)


def tried(body: bytes, mode: str) -> Claim | str:
    """The claim, or why there is none."""
    try:
        return read(body, mode)
    except Rejected as rejected:
        return rejected.why


def read(body: bytes, mode: str = "hmac") -> Claim:
    """The claim of an authentic call with that body."""
    (claim,) = Sepay().read(signed(body, sepay_terms(mode), NOW), sepay_terms(mode), NOW)
    return claim


def feed(**changed: object) -> Claim:
    """The claim of a webhook with changed fields."""
    return read(json.dumps({**FIELDS, **changed}).encode())


def feed_raw(field: str, raw: str) -> Claim:
    """The claim of a webhook in which a field stands as that very text."""
    body = json.dumps({key: value for key, value in FIELDS.items() if key != field})
    return read(f'{body[:-1]}, "{field}": {raw}}}'.encode())


@pytest.mark.parametrize("off_s", [-300, -299, 0, 300])
def test_five_minutes_either_way_are_fresh(off_s: int) -> None:
    """A signed time at most 300 s from our clock is believed."""
    call = called()
    assert Sepay().read(call, sepay_terms(), NOW + timedelta(seconds=off_s))


@pytest.mark.parametrize("off_s", [-100_000, -301, 301, 100_000])
def test_beyond_five_minutes_is_stale(off_s: int) -> None:
    """An old call sent again, and one from the future, is stale; the hint tells its order."""
    call = called()
    with pytest.raises(Rejected) as rejected:
        Sepay().read(call, sepay_terms(), NOW + timedelta(seconds=off_s))
    assert rejected.value.why == "stale"
    assert rejected.value.hint is not None
    assert rejected.value.hint.amount_vnd == 50_000


def test_the_window_is_a_setting() -> None:
    """`freshness_s` of the terms decides."""
    call = called()
    terms = msgspec.structs.replace(sepay_terms(), freshness_s=1)
    with pytest.raises(Rejected, match="stale"):
        Sepay().read(call, terms, NOW + timedelta(seconds=2))


@pytest.mark.parametrize("text", ["", "1.5", "-1", "１７７３２８５３３５", " 1773285335", "9" * 13])
def test_a_timestamp_that_is_no_number_is_forged(text: str) -> None:
    """Only ASCII digits are a timestamp."""
    call = called()
    headers = (("X-SePay-Timestamp", text), *call.headers[2:])
    with pytest.raises(Rejected, match="forged"):
        Sepay().read(msgspec.structs.replace(call, headers=headers), sepay_terms(), NOW)


@pytest.mark.parametrize("mode", ["hmac", "apikey", "secret_key", "none", ""])
def test_only_the_agreed_proof_counts(mode: str) -> None:
    """A call proven in another way than agreed is forged; without an agreement all are."""
    body = called().body
    for sent in {"hmac", "apikey", "secret_key"} - {mode}:
        call = signed(body, sepay_terms(sent), NOW)
        with pytest.raises(Rejected, match="forged"):
            Sepay().read(call, sepay_terms(mode), NOW)


@pytest.mark.parametrize(
    ("value", "believed"),
    [
        (f"Apikey {SECRET}", True),
        (f"APIKEY {SECRET}", True),
        (f"Bearer {SECRET}", False),
        (f"{SECRET}", False),
        (f"Apikey{SECRET}", False),
        ("Apikey ", False),
        (f"Apikey {SECRET.lower()}", False),
        (f"Apikey {SECRET}, x", False),
    ],
)
def test_the_api_key_has_its_scheme(value: str, *, believed: bool) -> None:
    """The scheme is Apikey in any case; the key is exact."""
    call = called(mode="apikey")
    call = msgspec.structs.replace(call, headers=(("authorization", value),))
    if believed:
        assert Sepay().read(call, sepay_terms("apikey"), NOW)
    else:
        with pytest.raises(Rejected, match="forged"):
            Sepay().read(call, sepay_terms("apikey"), NOW)


@pytest.mark.parametrize(
    ("raw", "amount_vnd"),
    [
        ("50000", 50_000),
        ('"50000"', 50_000),
        ("50000.0", 50_000),
        ('"50000.00"', 50_000),
        ("50000.5", None),
        ("5e4", None),
        ("1e999999999", None),
        ("-50000", None),
        ("0", None),
        ('"50.000"', None),
        ('"50,000"', None),
        ('"50\\u0000000"', None),
        ("null", None),
        ("9" * 90, None),
    ],
)
def test_only_whole_positive_dong_are_an_amount(raw: str, amount_vnd: int | None) -> None:
    """What is no whole amount is kept with its text, and never rounded."""
    claim = feed_raw("transferAmount", raw)
    assert claim.amount_vnd == amount_vnd
    assert "\x00" not in claim.amount_text
    if raw.isdecimal():
        assert claim.amount_text == raw


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("id", "null"),
        ("id", "0"),
        ("id", "-5"),
        ("id", "1.5"),
        ("id", "true"),
        ("id", '"9270\\u0000"'),
        ("id", "9" * 200),
        ("transferType", '"sideways"'),
        ("transferType", "null"),
        ("transferAmount", "[50000]"),
        ("transferAmount", "true"),
        ("transferAmount", "9" * 5_000),
        ("accumulated", "NaN"),
        ("accumulated", "-Infinity"),
        ("newField", "[" * 20_000 + "]" * 20_000),
    ],
)
def test_a_signed_body_without_number_or_direction_is_malformed(field: str, raw: str) -> None:
    """What cannot be a movement is refused, whoever signed it."""
    with pytest.raises(Rejected, match="malformed"):
        feed_raw(field, raw)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"\xff\xfe{\x00}\x00", b"{} {}", b'{"id":1,"id":2}']
)
def test_a_signed_body_that_is_no_object_is_malformed(body: bytes) -> None:
    """Nothing, a list, half an object, UTF-16 and repeated keys are refused."""
    with pytest.raises(Rejected, match="malformed"):
        read(body)


def test_money_out_carries_no_reference() -> None:
    """An outgoing transfer never pays a notice, whatever code SePay found in it."""
    claim = feed(transferType="out")
    assert (claim.status, claim.reference, claim.amount_vnd) == ("debit", None, 50_000)


def test_a_webhook_tells_where_the_money_went() -> None:
    """Own account, virtual account, bank and bank reference are carried over."""
    claim = feed(subAccount="V3CASHUE5713", content="", description="SMS: +50,000")
    assert claim.kind == "feed"
    assert claim.own_account == "0123499999"
    assert claim.virtual_account == "V3CASHUE5713"
    assert claim.bank_brand == "Vietcombank"
    assert claim.bank_reference == "MBVCB.3278907687"
    assert claim.memo == "SMS: +50,000"


def test_a_number_where_a_text_is_usual_is_a_plain_text() -> None:
    """A memo or a bank reference of digits alone may come unquoted; it can be kept all the same."""
    digits = dict.fromkeys(
        ("content", "referenceCode", "accountNumber", "subAccount", "gateway", "code"), 5021
    )
    claim = feed(**digits)
    assert (claim.memo, claim.bank_reference, claim.own_account) == ("5021", "5021", "5021")
    assert {type(getattr(claim, field)) for field in claim.__struct_fields__} <= {
        str,
        int,
        bool,
        datetime,
    }
    assert msgspec.json.decode(msgspec.json.encode(claim), type=Claim) == claim


def test_texts_that_a_database_cannot_keep_are_made_clean() -> None:
    """NUL and half a surrogate pair in a memo become replacement characters."""
    claim = feed_raw("content", '"a\\u0000b\\ud800c"')
    assert claim.memo == "a\ufffdb\ufffdc"


@pytest.mark.parametrize("text", ["", "12/03/2026", "2026-02-30 10:00:00", "0001-01-01 00:00:00"])
def test_an_unreadable_time_is_no_time(text: str) -> None:
    """A missing or impossible time loses the time, not the money."""
    assert feed(transactionDate=text).happened_at is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON), st.sampled_from(["hmac", "apikey"]))
def test_whatever_sepay_signs_is_read_or_malformed(changed: dict[str, object], mode: str) -> None:
    """Any JSON under a true proof gives one clean claim, or Rejected as malformed."""
    claim = tried(json.dumps({**FIELDS, **changed}).encode(), mode)
    if isinstance(claim, str):
        assert claim == "malformed"
        return
    assert claim.amount_vnd is None or claim.amount_vnd > 0
    assert claim.status in {"credit", "debit"}
    for text in (claim.memo, claim.transaction, claim.amount_text, claim.reference or ""):
        assert "\x00" not in text
        assert text.encode().decode() == text


@given(st.dictionaries(st.sampled_from(["order", "transaction", "notification_type"]), JSON))
def test_whatever_the_gateway_says_is_read_or_malformed(changed: dict[str, object]) -> None:
    """Nested parts of any shape give a claim or Rejected, nothing else."""
    body = json.loads(called(ORDER_PAID, "secret_key").body)
    claim = tried(json.dumps({**body, **changed}).encode(), "secret_key")
    assert claim == "malformed" if isinstance(claim, str) else claim.kind == "gateway"


def gateway(order: dict[str, object], moved: dict[str, object], told: str = "ORDER_PAID") -> Claim:
    """The claim of a gateway message with changed parts."""
    body = json.loads(called(ORDER_PAID, "secret_key").body)
    body["notification_type"] = told
    body["order"] |= order
    body["transaction"] |= moved
    return read(json.dumps(body).encode(), "secret_key")


def test_the_gateway_says_paid_only_when_its_parts_agree() -> None:
    """A transaction that is not approved is held; a void is a reversal; the unknown is noted."""
    assert gateway({}, {}).status == "paid"
    assert gateway({}, {"transaction_status": "DECLINED"}).status == "held"
    assert gateway({}, {}, "TRANSACTION_VOID").status == "reversed"
    assert gateway({}, {}, "SOMETHING_NEW").status == "pending"


def test_foreign_money_is_no_amount() -> None:
    """An amount in another currency is kept as text and is no đồng."""
    claim = gateway({}, {"transaction_currency": "USD"})
    assert (claim.amount_vnd, claim.amount_text) == (None, "100000 USD")


def test_a_second_secret_verifies_but_the_first_signs() -> None:
    """What was signed under the old secret is still believed after the new one came first."""
    call = called()
    terms = msgspec.structs.replace(sepay_terms(), secrets=(Secret("new"), SECRET))
    assert Sepay().read(call, terms, NOW)
    resigned = Sepay().call_as_provider(TRANSFER, terms, NOW)
    assert resigned.body == call.body
    assert resigned.headers != call.headers


@given(st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_times_survive_the_way_through_a_webhook(moment: datetime) -> None:
    """A UTC second goes out on a Vietnamese clock and comes back the same."""
    moment = moment.replace(microsecond=0)
    transfer = msgspec.structs.replace(TRANSFER, paid_at=moment)
    (claim,) = Sepay().read(called(transfer), sepay_terms(), NOW)
    assert claim.happened_at == moment
