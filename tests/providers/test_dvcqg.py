"""What is particular to the national payment platform: check code, pipes, options, questions."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    Answer,
    AsksStatus,
    Call,
    Checkout,
    CheckoutOrder,
    Claim,
    MakesCheckout,
    OpensCheckout,
    Option,
    Outcome,
    Refunds,
    Rejected,
    Secret,
    SignedRequest,
    StatusQuestion,
    Terms,
    Unanswered,
)
from providers.acting import Acts, Payment, Shop
from providers.dvcqg import ADAPTER
from providers.dvcqg_reading import Receipt
from providers.untrusted import compact_time
from tests.providers.making import NOW
from tests.providers.recorded import Vector, recording, vectors

VECTORS = vectors("dvcqg")
SECRET = Secret("hue-test-dvcqg-secret")
API = "https://lgsp.example/pp/api"
TERMS = Terms(merchant="H57", secrets=(SECRET,), api_address=API)
FIELDS: dict[str, object] = {
    "LoaiBanTin": "CONFIRM",
    "MaLoi": "00",
    "MaDoiTac": "H57",
    "MaThamChieu": "HUE007K2M9Q4X1",
    "SoTien": 50_000,
    "MaTienTe": "VND",
    "MaGiaoDich": "PP260312000123",
    "MaNganHang": "VCB",
    "ThoiGianGD": "20260312101535",
    "ThongTinGiaoDich": "THANH TOAN HO SO H57.13.000123",
}
CONFIRM = tuple(FIELDS)
INIT = (
    "LoaiBanTin",
    "PhienBan",
    "MaDoiTac",
    "MaThamChieu",
    "SoTien",
    "LoaiHinhThanhToan",
    "MaKenhThanhToan",
    "MaThietBi",
    "NgonNgu",
    "MaTienTe",
    "MaNganHang",
    "ThongTinGiaoDich",
    "ThoiGianGD",
    "Ip",
)
ASKED = ("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD")
ORDER = CheckoutOrder(
    reference="HUE007K2M9Q4X1",
    order_code="HUE007K2M9Q4X1",
    request_id="c1",
    amount_vnd=50_000,
    description="Nộp lệ phí: hồ sơ | đất đai",
    return_url="https://dichvucong.example/tra-ve",
    callback_url="https://doisoat.example/callbacks/dvcqg/H57",
    client_ip="203.0.113.7",
    ordered_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
    dossier_code="H57.13.000123",
    procedure_code="1.000123",
)
QUESTION = StatusQuestion(
    request_id="q1", order_code="HUE007K2M9Q4X1", ordered_at=NOW, client_ip="203.0.113.7"
)
PAYMENT = Payment(
    order_code="HUE007K2M9Q4X1",
    transaction="PP260312000123",
    amount_vnd=50_000,
    paid_at=NOW,
    memo="THANH TOAN HO SO",
    bank_brand="BIDV",
)


def with_options(**options: Option) -> Terms:
    """The terms with options of their own."""
    return msgspec.structs.replace(TERMS, options=options)


def check_code(fields: Mapping[str, object], names: tuple[str, ...] = CONFIRM) -> str:
    """The check code, made by the formula as the page states it, not by the adapter."""
    text = "|".join(str(fields.get(name, "")) for name in names)
    return hashlib.sha256(f"{text}|{SECRET!s}".encode()).hexdigest()


def signed(**changed: object) -> dict[str, object]:
    """The fields of a callback with its check code."""
    fields = FIELDS | changed
    return fields | {"MaXacThuc": check_code(fields)}


def posted(body: bytes | Mapping[str, object]) -> Call:
    """A callback with that body."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Call(method="POST", path="/callbacks/dvcqg/H57", body=raw)


def read(body: bytes | Mapping[str, object], terms: Terms = TERMS) -> Claim:
    """The claim of a callback."""
    (claim,) = ADAPTER.read(posted(body), terms, NOW)
    return claim


def refusal(body: bytes | Mapping[str, object], terms: Terms = TERMS) -> Rejected:
    """Why a callback is refused."""
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(posted(body), terms, NOW)
    return rejected.value


def told(outcome: Outcome, body: bytes) -> dict[str, object]:
    """The answer to a callback, as JSON."""
    answer = ADAPTER.answer(outcome, posted(body))
    assert (answer.status, answer.media_type) == (200, "application/json")
    found: dict[str, object] = json.loads(answer.body)
    return found


@pytest.mark.parametrize(
    "vector",
    # One that is authentic and has a reason is not to be booked: test_vectors looks at it.
    [one for one in vectors("dvcqg", "ipn") if not (one.expect.valid and one.expect.reason)],
    ids=lambda one: one.name,
)
def test_a_recorded_call_says_more_than_its_verdict(vector: Vector) -> None:
    """The order is the scope, the time is Vietnamese, and a forged one names its transaction."""
    expect = vector.expect
    if not expect.valid:
        with pytest.raises(Rejected) as rejected:
            ADAPTER.read(vector.call, vector.terms, vector.now)
        hint = rejected.value.hint
        assert (hint.transaction if hint else None) == expect.provider_txn_id
        assert told(Outcome(rejected.value.why), vector.call.body)["MaLoi"] == "99"
        return
    (claim,) = ADAPTER.read(vector.call, vector.terms, vector.now)
    assert (claim.reference, claim.scope) == (expect.order_id, expect.order_id)
    assert claim.happened_at == compact_time(str(json.loads(vector.call.body)["ThoiGianGD"]))
    if expect.ack is not None:
        done = told(Outcome.BOOKED, vector.call.body)
        assert (done["MaLoi"], done["MoTaLoi"]) == ("00", "Thành công")
        assert done["MaXacThuc"] == json.loads(vector.call.body)["MaXacThuc"]


def test_the_recorded_request_is_made_again() -> None:
    """INIT of the recorded order carries the recorded check code over the recorded values."""
    vector = recording("dvcqg", "init_request")
    recorded = json.loads(vector.body or "")
    ordered_at = compact_time(recorded["ThoiGianGD"])
    assert ordered_at is not None
    order = msgspec.structs.replace(
        ORDER,
        order_code=vector.expect.order_id,
        amount_vnd=vector.expect.amount_vnd,
        description=recorded["ThongTinGiaoDich"],
        client_ip=recorded["Ip"],
        ordered_at=ordered_at,
    )
    made = json.loads(ADAPTER.checkout_request(order, TERMS, NOW).body)
    assert {name: made[name] for name in (*INIT, "MaXacThuc")} == {
        name: recorded[name] for name in (*INIT, "MaXacThuc")
    }
    personal = {"HoTenNguoiNop", "SoCMNDNguoiNop", "DiaChiNguoiNop"}
    assert not personal & set(made["ThongTinBienLai"])


@pytest.mark.parametrize("name", ["query_response_paid", "query_response_failed"])
def test_a_recorded_answer_gets_its_verdict(name: str) -> None:
    """An unsigned answer to our question, over TLS, says what was recorded."""
    vector = recording("dvcqg", name)
    expect = vector.expect
    question = msgspec.structs.replace(QUESTION, order_code=expect.order_id, amount_vnd=50_000)
    for terms in (TERMS, Terms(merchant="H57", secrets=())):
        (claim,) = ADAPTER.read_status((vector.body or "").encode(), question, terms)
        assert (claim.reference, claim.amount_vnd) == (expect.order_id, expect.amount_vnd)
        assert (claim.transaction, claim.status) == (expect.provider_txn_id, expect.status)


def test_no_recording_is_lost() -> None:
    """The ten that the platform's page came with are read; test_vectors tests them all."""
    assert len(VECTORS) >= 10


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(outcome: Outcome) -> None:
    """200 with MaLoi 00 for what was kept, 99 for the rest, byte by byte."""
    body = json.dumps(signed()).encode()
    done = outcome not in {
        Outcome.FORGED,
        Outcome.STALE,
        Outcome.MALFORMED,
        Outcome.TRY_AGAIN,
    }
    answer = ADAPTER.answer(outcome, posted(body))
    found = json.loads(answer.body)
    assert list(found) == [
        "MaLoi",
        "MoTaLoi",
        "MaDoiTac",
        "MaThamChieu",
        "ThoiGianGD",
        "MaXacThuc",
    ]
    assert found["MaLoi"] == ("00" if done else "99")
    assert {name: found[name] for name in list(found)[2:]} == {
        "MaDoiTac": "H57",
        "MaThamChieu": "HUE007K2M9Q4X1",
        "ThoiGianGD": "20260312101535",
        "MaXacThuc": signed()["MaXacThuc"],
    }
    assert ADAPTER.accepts(answer.status, answer.body) is done
    if outcome is Outcome.BOOKED:
        assert (
            answer.body
            == (
                '{"MaLoi":"00","MoTaLoi":"Thành công","MaDoiTac":"H57"'
                ',"MaThamChieu":"HUE007K2M9Q4X1","ThoiGianGD":"20260312101535"'
                f',"MaXacThuc":"{signed()["MaXacThuc"]}"}}'
            ).encode()
        )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ["", "", "", ""]),
        (b"[]", ["", "", "", ""]),
        (b'{"MaDoiTac":"H57"', ["", "", "", ""]),
        (b"\xff\xfe{", ["", "", "", ""]),
        (b"[" * 100_000, ["", "", "", ""]),
        (b'{"a":' + b"[" * 30_000, ["", "", "", ""]),
        (b'{"MaDoiTac":"a","MaDoiTac":"b"}', ["b", "", "", ""]),
        (b'{"MaThamChieu":17,"ThoiGianGD":null,"MaXacThuc":[1]}', ["", 17, "", ""]),
        (b'{"MaThamChieu":"\\ud800\\u0000\\"<","ThoiGianGD":true}', ["", '\ufffd\ufffd"<', "", ""]),
        (b'{"MaDoiTac":"' + b"x" * 60_000 + b'"}', ["x" * 200, "", "", ""]),
        (b'{"MaThamChieu":' + b"9" * 60_000 + b"}", ["", "9" * 200, "", ""]),
        (b'{"MaDoiTac":"' + b"x" * 70_000 + b'"}', ["", "", "", ""]),
    ],
)
def test_what_can_be_read_is_sent_back(body: bytes, expected: list[object]) -> None:
    """The names and the check code of any call are sent back, cut, and never as broken JSON."""
    found = told(Outcome.MALFORMED, body)
    assert [found[name] for name in list(found)[2:]] == expected


@given(st.binary(max_size=200))
def test_any_body_is_answered(body: bytes) -> None:
    """No bytes make the answer anything but JSON."""
    assert told(Outcome.MALFORMED, body)["MaLoi"] == "99"


@pytest.mark.parametrize(
    ("amount", "amount_vnd", "text"),
    [
        (50_000, 50_000, "50000"),
        ("50000", 50_000, "50000"),
        ("50000.00", 50_000, "50000.00"),
        ("050000", 50_000, "050000"),
        ("50.000", None, "50.000"),
        ("50000.5", None, "50000.5"),
        ("5e4", None, "5e4"),
        ("-50000", None, "-50000"),
        ("0", None, "0"),
        ("", None, ""),
        (" 50000", None, " 50000"),
    ],
)
def test_the_amount_is_signed_as_it_is_written(
    amount: object, amount_vnd: int | None, text: str
) -> None:
    """A number or a text: its characters are signed, and only whole đồng are an amount."""
    claim = read(signed(SoTien=amount))
    assert (claim.amount_vnd, claim.amount_text) == (amount_vnd, text)


def test_a_number_keeps_its_digits() -> None:
    """50000.0 is signed as `50000.0`, and is 50,000 đồng; under the code of 50000 it is forged."""
    raw = json.dumps(signed(SoTien="50000.0")).replace('"50000.0"', "50000.0")
    assert read(raw.encode()).amount_vnd == 50_000
    other = json.dumps(signed()).replace("50000", "50000.0")
    assert refusal(other.encode()).why == "forged"


def test_texts_and_numbers_of_one_writing_are_one_callback() -> None:
    """The same characters as text or as number say the same: a repeat."""
    assert read(signed(SoTien="50000")) == read(signed(SoTien=50_000))
    assert read(signed(MaGiaoDich=123)).transaction == "123"


@pytest.mark.parametrize("value", [None, ""])
def test_null_is_signed_as_nothing(value: object) -> None:
    """A null or absent value counts as an empty one."""
    fields = signed(MaNganHang="") | {"MaNganHang": value}
    assert read(fields).bank_brand is None
    del fields["MaNganHang"]
    assert read(fields).bank_brand is None


@pytest.mark.parametrize("value", [True, [], {}, ["VCB"]])
def test_what_has_no_text_cannot_be_signed(value: object) -> None:
    """A list, an object or a truth in a signed value is not believed."""
    assert refusal(signed(MaNganHang="") | {"MaNganHang": value}).why == "forged"


def test_unknown_fields_and_any_order_pass() -> None:
    """Fields that are not signed may come, and all of them in any order."""
    more = {"MaHoSo": "H57.13.000123", "Token": None, "The": {"So": "****1234"}}
    original = read(signed())
    assert read(more | signed()) == original
    assert read(dict(reversed(list(signed().items())))) == original
    assert read(signed() | {"MaXacThuc": str(signed()["MaXacThuc"]).upper()}) == original


def test_composed_and_decomposed_letters_are_two_texts() -> None:
    """The bytes as sent are what is signed: NFC and NFD each verify, and not for each other."""
    nfc, nfd = "Thanh toán", "Thanh toa\u0301n"
    assert read(signed(ThongTinGiaoDich=nfc)).memo == nfc
    assert read(signed(ThongTinGiaoDich=nfd)).memo == nfd
    assert refusal(signed(ThongTinGiaoDich=nfc) | {"ThongTinGiaoDich": nfd}).why == "forged"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"MaDoiTac": "H58"}, "forged"),
        ({"LoaiBanTin": "INIT"}, "forged"),
        ({"LoaiBanTin": "QUERY"}, "forged"),
        ({"LoaiBanTin": "GET_BILL"}, "forged"),
        ({"LoaiBanTin": "PAYMENT"}, "malformed"),
        ({"LoaiBanTin": "confirm"}, "malformed"),
        ({"MaLoi": ""}, "malformed"),
        ({"MaThamChieu": ""}, "malformed"),
        ({"MaThamChieu": "x" * 101}, "malformed"),
        ({"MaGiaoDich": "PP 1"}, "malformed"),
        ({"SoTien": "9" * 101}, "malformed"),
    ],
)
def test_a_true_check_code_is_not_enough(changed: dict[str, object], why: str) -> None:
    """Another partner or kind of message is forged; what lacks order or result is kept unread."""
    rejected = refusal(signed(**changed))
    assert (rejected.why, rejected.authentic) == (why, why == "malformed")


def test_our_own_requests_are_no_callbacks() -> None:
    """Nobody can cut the text of an INIT or QUERY that we signed into a callback's fields."""
    init = json.loads(ADAPTER.checkout_request(ORDER, TERMS, NOW).body)
    assert refusal(init).why == "forged"
    pieces = [init[name] for name in INIT]
    cut = [*pieces[:9], "|".join(pieces[9:])]
    assert refusal(dict(zip(CONFIRM, cut, strict=True)) | {"MaXacThuc": init["MaXacThuc"]}).why == (
        "forged"
    )
    query = json.loads(ADAPTER.status_request(QUESTION, TERMS, NOW).body)
    assert refusal(query).why == "forged"


@given(
    st.lists(st.sampled_from(["A", "1", "", "20260312101535", "00"]), min_size=1, max_size=3),
    st.sampled_from(CONFIRM),
)
def test_no_pipe_makes_one_check_code_say_two_things(parts: list[str], name: str) -> None:
    """Of all ways to cut one signed text into ten values, at most one is believed."""
    fields = {key: str(value) for key, value in FIELDS.items()}
    fields[name] = "|".join([fields[name], *parts])
    pieces = "|".join(fields[key] for key in CONFIRM).split("|")
    extra = len(pieces) - len(CONFIRM)
    believed = set()
    for at in range(len(CONFIRM)):
        cut = [*pieces[:at], "|".join(pieces[at : at + extra + 1]), *pieces[at + extra + 1 :]]
        body = dict(zip(CONFIRM, cut, strict=True)) | {"MaXacThuc": check_code(fields)}
        try:
            claim = read(body)
        except Rejected:
            continue
        believed.add((claim.transaction, claim.amount_text, claim.reference, claim.status))
    assert len(believed) <= 1
    if name == "ThongTinGiaoDich":
        assert believed == {("PP260312000123", "50000", "HUE007K2M9Q4X1", "paid")}


def test_a_pipe_in_the_words_is_let_pass() -> None:
    """A pipe in the one value with people's words changes nothing else, and is read."""
    assert read(signed(ThongTinGiaoDich="le phi | ho so")).memo == "le phi | ho so"
    assert refusal(signed(MaNganHang="A|B")).authentic


def test_unfinished_attempts_stay_apart_by_order() -> None:
    """A failure may have no number of the bank's: the order takes its place in the key."""
    claim = read(signed(MaLoi="24", MaGiaoDich=""))
    assert (claim.status, claim.transaction) == ("failed", "0/HUE007K2M9Q4X1")


@pytest.mark.parametrize(
    ("currency", "amount_vnd", "text"), [("", 50_000, "50000"), ("USD", None, "50000 USD")]
)
def test_only_dong_are_dong(currency: str, amount_vnd: int | None, text: str) -> None:
    """Another currency is no amount that could be booked."""
    claim = read(signed(MaTienTe=currency))
    assert (claim.amount_vnd, claim.amount_text) == (amount_vnd, text)


@pytest.mark.parametrize("time", ["", "2026", "20261332101535", "not a time"])
def test_an_unreadable_time_is_no_time(time: str) -> None:
    """A payment without a time that can be read is still a payment."""
    assert read(signed(ThoiGianGD=time)).happened_at is None


def test_a_twelve_hour_clock_is_not_read() -> None:
    """Where the afternoon is written as the morning, the time of receipt is the better one."""
    assert read(signed()).happened_at == NOW
    assert read(signed(), with_options(clock="12")).happened_at is None
    assert read(signed(), with_options(clock=12)).happened_at is None


def test_codes_mean_what_is_configured() -> None:
    """What a province learns of the tables of codes is an option."""
    terms = with_options(code_meanings="01=pending, 24=cancelled")
    statuses = [read(signed(MaLoi=code), terms).status for code in ("00", "01", "24", "77")]
    assert statuses == ["paid", "pending", "cancelled", "failed"]


def test_another_formula_or_literal_is_an_option() -> None:
    """HMAC, the literal of the callback and the fields of its check code can be configured."""
    assert read(signed(LoaiBanTin="PAYMENT"), with_options(confirm_types="CONFIRM,PAYMENT"))
    vector = recording("dvcqg", "confirm_hmac_instead_of_plain_sha256")
    assert ADAPTER.read(vector.call, with_options(formula="hmac_sha256"), NOW)
    assert refusal(signed(), with_options(formula="hmac_sha256")).why == "forged"
    fewer = tuple(name for name in CONFIRM if name != "MaNganHang")
    fields = FIELDS | {"MaXacThuc": check_code(FIELDS, fewer)}
    claim = read(fields, with_options(confirm_fields=",".join(fewer)))
    assert claim.bank_brand is None  # not signed, so not said
    other = msgspec.structs.replace(with_options(partner_code="H57"), merchant="hue")
    assert read(signed(), other).amount_vnd == 50_000


@pytest.mark.parametrize(
    "options",
    [
        {"formula": "md5"},
        {"confirm_types": "QUERY"},
        {"confirm_types": "CONFIRM,INIT"},
        {"confirm_types": "GET_BILL"},
        {"confirm_types": ","},
        {"receipt_type": "CONFIRM"},
        {"confirm_fields": "MaLoi,MaLoi"},
        {"confirm_fields": "MaLoi;SoTien"},
        {"code_meanings": "01"},
        {"code_meanings": "01=thanh cong"},
        {"clock": "13"},
        {"formula": True},
        {"version": "1|2"},
        {"version": "x" * 1_001},
        {"confirm_fields": "MaLoi,SoTien"},
    ],
)
def test_under_options_that_cannot_be_read_nobody_is_believed(options: dict[str, Option]) -> None:
    """A slip in the options refuses every call; it never makes one more credible."""
    assert refusal(signed(), with_options(**options)).why == "forged"


def test_the_platform_is_asked_for_the_page() -> None:
    """INIT is signed, plain, goes to the configured address, and repeats itself for a repeat."""
    request = ADAPTER.checkout_request(ORDER, TERMS, NOW)
    fields = json.loads(request.body)
    assert (request.method, request.url) == ("POST", API)
    assert request.headers == (("Content-Type", "application/json"),)
    assert fields["MaXacThuc"] == check_code(fields, INIT)
    assert fields["ThongTinGiaoDich"] == "Nop le phi ho so dat dai"
    assert (fields["SoTien"], fields["ThoiGianGD"]) == ("50000", "20260312101535")
    later = ADAPTER.checkout_request(ORDER, TERMS, NOW + timedelta(minutes=2))
    assert later == request


def test_the_token_of_the_bus_goes_along_where_there_is_one() -> None:
    """The bearer token is a credential, and is not shown."""
    terms = msgspec.structs.replace(TERMS, credentials={"lgsp_token": Secret("a-token")})
    request = ADAPTER.status_request(QUESTION, terms, NOW)
    assert ("Authorization", "Bearer a-token") in request.headers
    assert "a-token" not in f"{request!r} {terms!r}"


@pytest.mark.parametrize(
    ("changed", "terms"),
    [
        ({"amount_vnd": 0}, TERMS),
        ({"order_code": "HUE|1"}, TERMS),
        ({"order_code": "HUE 1"}, TERMS),
        ({"client_ip": "203.0.113.7|x"}, TERMS),
        ({"expires_at": NOW}, TERMS),
        ({}, msgspec.structs.replace(TERMS, api_address="")),
        ({}, msgspec.structs.replace(TERMS, secrets=())),
        ({}, with_options(formula="md5")),
    ],
)
def test_an_order_that_cannot_be_sent_is_refused_here(
    changed: dict[str, object], terms: Terms
) -> None:
    """No request is made without address, secret, amount, or with a pipe; the reason is said."""
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        ADAPTER.checkout_request(msgspec.structs.replace(ORDER, **changed), terms, NOW)


def test_without_an_address_the_words_say_what_is_missing() -> None:
    """The person who reads the refusal learns which setting it is."""
    nowhere = msgspec.structs.replace(TERMS, api_address="")
    for ask in (ADAPTER.status_request, ADAPTER.receipt_request):
        with pytest.raises(ValueError, match="api_address"):
            ask(QUESTION, nowhere, NOW)


def wrapped(code: object, message: object) -> bytes:
    """An answer in the envelope of an integration bus."""
    return json.dumps({"error_code": code, "message": message}).encode()


def test_the_page_is_in_a_text_in_a_text() -> None:
    """`message` is JSON inside a string; the page is its UrlThanhToan."""
    page = {"UrlThanhToan": "https://pp.example/p/1", "MaThamChieu": "HUE007K2M9Q4X1"}
    for code in ("0", 0):
        body = wrapped(code, json.dumps(page))
        assert ADAPTER.read_checkout(body, ORDER, TERMS) == Checkout(url="https://pp.example/p/1")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (wrapped("1", "Sai MaDoiTac"), Unanswered),
        (wrapped(None, "{}"), Unanswered),
        (wrapped("0", '{"MaLoi":"99","MoTaLoi":"x"}'), Unanswered),
        (wrapped("0", None), Rejected),
        (wrapped("0", "[]"), Rejected),
        (wrapped("0", "{}"), Rejected),
        (wrapped("0", '{"UrlThanhToan":"javascript:alert(1)"}'), Rejected),
        (wrapped("0", '{"UrlThanhToan":"https://a b"}'), Rejected),
        (wrapped("0", '{"UrlThanhToan":"https://pp.example/","MaThamChieu":"X"}'), Rejected),
        (wrapped("0", '{"UrlThanhToan":"https://pp.example/","MaDoiTac":"H58"}'), Rejected),
        (b"<html>", Rejected),
        (b" " * 70_000, Rejected),
    ],
)
def test_no_page_is_taken_from_an_answer_that_has_none(body: bytes, error: type[Exception]) -> None:
    """An error of the platform, another order, and what is no address send nobody anywhere."""
    with pytest.raises(error):
        ADAPTER.read_checkout(body, ORDER, TERMS)


def answer(sign: bool = False, **changed: object) -> bytes:  # noqa: FBT001, FBT002 # of a test
    """An answer to QUERY; signed over its eleven values where `sign`."""
    fields = FIELDS | {"LoaiBanTin": "QUERY", "TrangThaiGD": "1", "MoTaLoi": ""} | changed
    if sign:
        fields["MaXacThuc"] = check_code(fields, (*CONFIRM, "TrangThaiGD"))
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("1", "paid"),
        (1, "paid"),
        ("3", "pending"),
        ("4", "failed"),
        ("0", "pending"),
        (None, "pending"),
    ],
)
def test_a_state_means_what_is_known_of_it(state: object, status: str) -> None:
    """1 is paid, 3 pending, 4 failed; whatever else comes is asked about again."""
    (claim,) = ADAPTER.read_status(answer(TrangThaiGD=state), QUESTION, TERMS)
    assert (claim.status, claim.transaction) == (status, "PP260312000123")


def test_an_answer_says_what_the_callback_says() -> None:
    """Asked or told, a payment has the same key, amount and time."""
    (claim,) = ADAPTER.read_status(answer(), QUESTION, TERMS)
    assert claim == read(signed())
    (same,) = ADAPTER.read_status(wrapped("0", answer().decode()), QUESTION, TERMS)
    assert same == claim


PLAIN = msgspec.structs.replace(TERMS, api_address="http://lgsp.example/pp")
SIGNED_ONLY = with_options(query_answers="signed")


@pytest.mark.parametrize("terms", [PLAIN, SIGNED_ONLY])
def test_an_unsigned_answer_needs_tls(terms: Terms) -> None:
    """Over plain HTTP, or where the province says "signed", an answer without proof is none."""
    with pytest.raises(Rejected, match="forged"):
        ADAPTER.read_status(answer(), QUESTION, terms)
    (claim,) = ADAPTER.read_status(answer(sign=True), QUESTION, terms)
    assert claim.status == "paid"
    true = answer(sign=True, TrangThaiGD="4")
    for original, changed in ((b'"TrangThaiGD": "4"', b'"TrangThaiGD": "1"'), (b"50000", b"50001")):
        forged = true.replace(original, changed)
        assert forged != true
        with pytest.raises(Rejected, match="forged"):
            ADAPTER.read_status(forged, QUESTION, terms)


def test_a_check_code_that_does_not_fit_is_worse_than_none() -> None:
    """A wrong code is forged also over TLS; our own code sent back says nothing either way."""
    with pytest.raises(Rejected, match="forged"):
        ADAPTER.read_status(answer(MaXacThuc="0" * 64), QUESTION, TERMS)
    ours = json.loads(ADAPTER.status_request(QUESTION, TERMS, NOW).body)["MaXacThuc"]
    (claim,) = ADAPTER.read_status(answer(MaXacThuc=ours), QUESTION, TERMS)
    assert claim.status == "paid"
    with pytest.raises(Rejected, match="forged"):
        ADAPTER.read_status(answer(MaXacThuc=ours), QUESTION, PLAIN)


@pytest.mark.parametrize(
    "body",
    [
        answer(MaThamChieu="HUE007K2M9Q4X2"),
        answer(MaThamChieu=None),
        answer(MaDoiTac="H58"),
        answer(SoTien=50_001),
        answer(SoTien=[50_000]),
        b"",
        b"[]",
        b"{" * 70_000,
    ],
)
def test_an_answer_must_be_about_what_was_asked(body: bytes) -> None:
    """Another order, partner or (unsigned) amount, and what is no answer, is not believed."""
    question = msgspec.structs.replace(QUESTION, amount_vnd=50_000)
    with pytest.raises(Rejected):
        ADAPTER.read_status(body, question, TERMS)


def test_an_error_leaves_the_question_open() -> None:
    """MaLoi other than 00 says nothing of the payment, unless it is known to mean "unknown"."""
    with pytest.raises(Unanswered) as unanswered:
        ADAPTER.read_status(answer(MaLoi="07", MoTaLoi="Loi"), QUESTION, TERMS)
    assert unanswered.value.code == "07"
    assert (
        ADAPTER.read_status(answer(MaLoi="07"), QUESTION, with_options(not_found_codes="07")) == ()
    )


def test_the_question_is_signed_over_five_values() -> None:
    """QUERY bears the time of its INIT, as the portals seen send it, or that of the question."""
    later = NOW + timedelta(hours=1)
    fields = json.loads(ADAPTER.status_request(QUESTION, TERMS, later).body)
    assert (fields["LoaiBanTin"], fields["ThoiGianGD"]) == ("QUERY", "20260312101535")
    assert fields["MaXacThuc"] == check_code(fields, ASKED)
    now = json.loads(ADAPTER.status_request(QUESTION, with_options(query_time="now"), later).body)
    assert now["ThoiGianGD"] == "20260312111535"


def test_a_receipt_is_an_address_or_a_document() -> None:
    """The receipt's question is signed like QUERY; its answer books nothing."""
    terms = with_options(query_address="https://a.example/q", receipt_address="https://a.example/r")
    request = ADAPTER.receipt_request(QUESTION, terms, NOW)
    fields = json.loads(request.body)
    assert (fields["LoaiBanTin"], request.url) == ("GET_BILL", "https://a.example/r")
    assert fields["MaXacThuc"] == check_code(fields, ASKED)
    assert ADAPTER.status_request(QUESTION, terms, NOW).url == "https://a.example/q"
    url = "https://pp.example/bien-lai/1.pdf"
    body = json.dumps({"MaLoi": "00", "URLBienLai": url}).encode()
    assert ADAPTER.read_receipt(body) == Receipt(url=url)
    assert ADAPTER.read_receipt(b"%PDF-1.7 ...") == Receipt(pdf=b"%PDF-1.7 ...")
    with pytest.raises(Unanswered):
        ADAPTER.read_receipt(b'{"MaLoi":"99","MoTaLoi":"Chua co"}')
    with pytest.raises(Rejected):
        ADAPTER.read_receipt(b"<html>")


def test_abilities_are_not_pretended() -> None:
    """It is asked for its page and can be asked; it signs no link and refunds nothing."""
    assert isinstance(ADAPTER, OpensCheckout)
    assert isinstance(ADAPTER, AsksStatus)
    assert isinstance(ADAPTER, Acts)
    assert not isinstance(ADAPTER, MakesCheckout | Refunds)


# --- The platform's own side -------------------------------------------------------------------

PAYMENTS = st.builds(
    Payment,
    order_code=st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True),
    transaction=st.from_regex(r"[A-Z0-9][1-9]{1,20}", fullmatch=True),
    amount_vnd=st.integers(1, 10**15),
    paid_at=st.integers(1_000_000_000, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    status=st.sampled_from(["paid", "failed"]),
    memo=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    bank_brand=st.from_regex(r"[A-Z]{2,8}", fullmatch=True),
)


def sent(request: SignedRequest) -> Call:
    """A request of ours as the platform gets it."""
    url = urlsplit(request.url)
    return Call(method=request.method, path=url.path, headers=request.headers, body=request.body)


def served(request: SignedRequest, shop: Shop, terms: Terms = TERMS) -> Answer:
    """The platform's answer to a request of ours."""
    return ADAPTER.serve_as_provider(sent(request), shop, terms, NOW)


@given(PAYMENTS, st.sampled_from([TERMS, with_options(formula="hmac_sha256"), PLAIN]))
def test_what_the_platform_tells_is_what_is_read(payment: Payment, terms: Terms) -> None:
    """A callback says its payment, and the answer to a question says the same claim."""
    (claim,) = ADAPTER.read(ADAPTER.call_as_provider(payment, terms, NOW), terms, NOW)
    assert (claim.reference, claim.scope) == (payment.order_code, payment.order_code)
    assert (claim.transaction, claim.status) == (payment.transaction, payment.status)
    assert (claim.amount_vnd, claim.happened_at) == (payment.amount_vnd, payment.paid_at)
    assert (claim.memo, claim.bank_brand) == (payment.memo, payment.bank_brand)
    question = msgspec.structs.replace(QUESTION, order_code=payment.order_code)
    answered = served(ADAPTER.status_request(question, terms, NOW), Shop(payments=[payment]), terms)
    assert ADAPTER.read_status(answered.body, question, terms) == (claim,)


def test_an_order_goes_from_opened_to_paid() -> None:
    """INIT opens a page once; QUERY says pending, then what the callback says; then the receipt."""
    shop = Shop(page="https://pp.example/tt")
    opened = served(ADAPTER.checkout_request(ORDER, TERMS, NOW), shop)
    checkout = ADAPTER.read_checkout(opened.body, ORDER, TERMS)
    assert checkout.url == "https://pp.example/tt/HUE007K2M9Q4X1"
    assert served(ADAPTER.checkout_request(ORDER, TERMS, NOW), shop) == opened
    (order,) = shop.orders.values()
    assert (order.amount_vnd, order.opened_at) == (50_000, NOW)
    ask = ADAPTER.status_request(QUESTION, TERMS, NOW)
    (claim,) = ADAPTER.read_status(served(ask, shop).body, QUESTION, TERMS)
    assert (claim.status, claim.transaction, claim.amount_vnd) == (
        "pending",
        "0/HUE007K2M9Q4X1",
        50_000,
    )
    receipt = ADAPTER.receipt_request(QUESTION, TERMS, NOW)
    with pytest.raises(Unanswered):
        ADAPTER.read_receipt(served(receipt, shop).body)
    shop.payments.append(PAYMENT)
    (claim,) = ADAPTER.read_status(served(ask, shop).body, QUESTION, TERMS)
    assert claim.status == "paid"
    assert ADAPTER.read_receipt(served(receipt, shop).body).url is not None


def test_another_amount_under_a_known_reference_is_refused() -> None:
    """One reference is one order."""
    shop = Shop(page="https://pp.example/tt")
    served(ADAPTER.checkout_request(ORDER, TERMS, NOW), shop)
    other = msgspec.structs.replace(ORDER, amount_vnd=60_000)
    refused = served(ADAPTER.checkout_request(other, TERMS, NOW), shop)
    with pytest.raises(Unanswered):
        ADAPTER.read_checkout(refused.body, other, TERMS)


def test_the_platform_refuses_what_is_not_signed_for_it() -> None:
    """A wrong check code, partner, kind or path is refused, and no order is opened."""
    shop = Shop()
    stranger = msgspec.structs.replace(TERMS, secrets=(Secret("x"),))
    foreign = msgspec.structs.replace(TERMS, merchant="H58")
    for terms in (stranger, foreign):
        body = served(ADAPTER.checkout_request(ORDER, terms, NOW), shop).body
        assert json.loads(body)["MaLoi"] == "99"
    for raw in (b"[]", b'{"LoaiBanTin":"CONFIRM"}'):
        call = msgspec.structs.replace(sent(ADAPTER.status_request(QUESTION, TERMS, NOW)), body=raw)
        assert json.loads(ADAPTER.serve_as_provider(call, shop, TERMS, NOW).body)["MaLoi"] == "99"
    away = msgspec.structs.replace(call, path="/elsewhere")
    assert ADAPTER.serve_as_provider(away, shop, TERMS, NOW).status == 404
    unknown = served(ADAPTER.status_request(QUESTION, TERMS, NOW), shop)
    with pytest.raises(Unanswered):
        ADAPTER.read_status(unknown.body, QUESTION, TERMS)
    terms = with_options(not_found_codes="07")
    unknown = served(ADAPTER.status_request(QUESTION, terms, NOW), shop, terms)
    assert ADAPTER.read_status(unknown.body, QUESTION, terms) == ()
    assert shop.orders == {}


@pytest.mark.parametrize(
    "changed", [{"status": "held"}, {"status": "refunded"}, {"order_code": None}]
)
def test_what_has_no_callback_is_not_made_up(changed: dict[str, object]) -> None:
    """The platform has no code known for a status, and no callback without an order."""
    with pytest.raises(ValueError, match=r"."):
        ADAPTER.call_as_provider(msgspec.structs.replace(PAYMENT, **changed), TERMS, NOW)
