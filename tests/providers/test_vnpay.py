"""What is particular to VNPAY: its encoders, its codes, its links, its questions."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote_plus, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    Call,
    CheckoutOrder,
    Claim,
    RefundOrder,
    Rejected,
    Secret,
    StatusQuestion,
    Terms,
    Unanswered,
)
from providers.acting import Payment
from providers.signing import form_encoded, hmac_sha512
from providers.vnpay import Vnpay, status_of
from providers.vnpay_query import signed_query
from tests.providers.making import NOW, SECRET, VNPAY_TERMS

PAYMENT = Payment(
    order_code="HUE007K2M9Q4X1",
    transaction="14226112",
    amount_vnd=50_000,
    paid_at=NOW,
    memo="Thanh toan le phi ho so H57.13",
    bank_reference="VNP14226112",
)
IPN = Vnpay().call_as_provider(PAYMENT, VNPAY_TERMS, NOW)
FIELDS = dict(parse_qsl(IPN.raw_query.decode()))
del FIELDS["vnp_SecureHash"]
ORDER = CheckoutOrder(
    reference="HUE007K2M9Q4X1",
    order_code="HUE007K2M9Q4X1",
    request_id="c1",
    amount_vnd=50_000,
    description="Nộp lệ phí: hồ sơ đất đai & phụ phí (đợt 1)",
    return_url="https://dichvucong.example/tra-ve?a=1&b=2",
    callback_url="https://doisoat.example/callbacks/vnpay/HUETEST1",
    client_ip="203.0.113.7",
    ordered_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
QUESTION = StatusQuestion(
    request_id="q1", order_code="HUE007K2M9Q4X1", ordered_at=NOW, client_ip="203.0.113.7"
)
REFUND = RefundOrder(
    request_id="r1",
    order_code="HUE007K2M9Q4X1",
    transaction="14226112",
    amount_vnd=20_000,
    whole=False,
    ordered_at=NOW,
    asked_at=NOW,
    asked_by="ketoan01",
    client_ip="203.0.113.7",
    description="Hoan tien",
)


def read(query: bytes | str, terms: Terms = VNPAY_TERMS) -> Claim:
    """The claim of an IPN with that query."""
    raw = query if isinstance(query, bytes) else query.encode()
    call = Call(method="GET", path="/callbacks/vnpay/HUETEST1", raw_query=raw)
    (claim,) = Vnpay().read(call, terms, NOW)
    return claim


def signed(fields: dict[str, str]) -> str:
    """The query VNPAY would send with these fields."""
    return signed_query(fields, VNPAY_TERMS)


def signed_raw(raw: str) -> str:
    """A query signed over its own pieces as they stand."""
    return f"{raw}&vnp_SecureHash={hmac_sha512(SECRET, raw.encode())}"


def why(query: bytes | str, terms: Terms = VNPAY_TERMS) -> str:
    """Why an IPN is refused."""
    with pytest.raises(Rejected) as rejected:
        read(query, terms)
    return rejected.value.why


def test_the_form_encoding_is_the_one_of_java() -> None:
    """Blank is plus, the star stays, the tilde does not; all else as quote_plus writes it."""
    assert form_encoded("a b*~-._đ".encode()) == "a+b*%7E-._%C4%91"
    for byte in set(range(256)) - {ord("*"), ord("~")}:
        assert form_encoded(bytes([byte])) == quote_plus(bytes([byte]))


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_a_digest_in_capitals_is_the_same_digest(case: Callable[[str], str]) -> None:
    """The hash is compared in any case of letters."""
    query, _, digest = signed(FIELDS).rpartition("=")
    assert read(f"{query}={case(digest)}").reference == PAYMENT.order_code


def test_a_digest_in_another_place_or_cut_is_forged() -> None:
    """A prefix of the right digest, or nothing, proves nothing."""
    query, _, digest = signed(FIELDS).rpartition("=")
    assert why(f"{query}={digest[:64]}") == "forged"
    assert why(f"{query}=") == "forged"


@pytest.mark.parametrize("extra", ["&vnp_BankTranNo=", "&vnp_Empty=&vnp_AlsoEmpty"])
def test_empty_values_may_be_signed_or_left_out(extra: str) -> None:
    """Both forms of the samples verify: without empty values, and with them."""
    fields = {key: value for key, value in FIELDS.items() if key != "vnp_BankTranNo"}
    assert read(signed(fields) + extra).bank_reference is None
    pieces = sorted((signed(fields).rpartition("&")[0] + "&vnp_BankTranNo=").split("&"))
    assert read(signed_raw("&".join(pieces))).bank_reference is None


def test_a_repeated_parameter_is_forged() -> None:
    """A second value of a signed name is refused, even an equal one; a foreign name is passed."""
    assert why(signed(FIELDS) + "&vnp_Amount=5000000") == "forged"
    assert why("vnp_Amount=1&" + signed(FIELDS)) == "forged"
    assert why(signed(FIELDS) + "&vnp%5FAmount=") == "forged"
    assert read(signed(FIELDS) + "&utm=1&utm=2").amount_vnd == 50_000


def test_another_terminal_is_refused() -> None:
    """A call signed with our secret for another terminal is not this merchant's."""
    assert why(signed({**FIELDS, "vnp_TmnCode": "HUETEST2"})) == "forged"
    assert why(signed({k: v for k, v in FIELDS.items() if k != "vnp_TmnCode"})) == "forged"


def test_a_checkout_link_is_no_ipn() -> None:
    """The link we hand to citizens is signed with the same key; as an IPN it books nothing."""
    url = Vnpay().checkout_url(ORDER, VNPAY_TERMS, NOW)
    assert why(urlsplit(url).query) == "malformed"


@pytest.mark.parametrize("field", ["vnp_TxnRef", "vnp_ResponseCode", "vnp_TransactionStatus"])
def test_an_ipn_without_order_or_result_is_malformed(field: str) -> None:
    """What lacks the order or a result cannot be believed to be a payment."""
    assert why(signed({k: v for k, v in FIELDS.items() if k != field})) == "malformed"


@pytest.mark.parametrize(
    ("text", "amount_vnd"),
    [
        ("5000000", 50_000),
        ("100", 1),
        ("5000050", None),
        ("0", None),
        ("-5000000", None),
        ("5000000.00", None),
        ("5e6", None),
        ("٥٠٠٠٠٠٠", None),
        ("9" * 40, None),
        ("", None),
    ],
)
def test_amounts_are_hundredths_of_a_dong(text: str, amount_vnd: int | None) -> None:
    """Only a positive multiple of 100 is an amount; the rest keeps its text as a key."""
    claim = read(signed({**FIELDS, "vnp_Amount": text}))
    assert claim.amount_vnd == amount_vnd
    assert claim.amount_text == text


@pytest.mark.parametrize(
    ("response", "transaction", "status"),
    [
        ("00", "00", "paid"),
        ("00", "01", "pending"),
        ("00", "02", "failed"),
        ("24", "02", "cancelled"),
        ("11", "02", "expired"),
        ("51", "02", "failed"),
        ("07", "00", "held"),
        ("00", "07", "held"),
        ("00", "04", "held"),
        ("51", "00", "held"),
        ("00", "05", "refund_processing"),
        ("00", "06", "refund_processing"),
        ("00", "09", "refund_failed"),
        ("00", "77", "pending"),
    ],
)
def test_paid_is_only_what_both_codes_call_paid(
    response: str, transaction: str, status: str
) -> None:
    """No code but 00 twice is paid; contradictions are held for people."""
    assert status_of(response, transaction) == status


def test_payments_that_never_got_a_number_stay_apart() -> None:
    """VNPAY's number 0 is nobody's number: the order takes its place in the key."""
    keys = {
        read(signed({**FIELDS, "vnp_TransactionNo": number, "vnp_TxnRef": order})).transaction
        for number in ("0", "")
        for order in ("A1", "A2")
    }
    assert keys == {"0/A1", "0/A2"}


@pytest.mark.parametrize("text", ["", "2026", "20260230101010", "00010101000000", "x" * 14])
def test_an_unreadable_time_is_no_time(text: str) -> None:
    """A missing or impossible vnp_PayDate loses the time, not the payment."""
    assert read(signed({**FIELDS, "vnp_PayDate": text})).happened_at is None


def test_times_are_vietnamese() -> None:
    """17:30 in Huế is 10:30 UTC."""
    claim = read(signed({**FIELDS, "vnp_PayDate": "20260312173000"}))
    assert claim.happened_at == datetime(2026, 3, 12, 10, 30, tzinfo=UTC)


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "vnp_New"]) | st.from_regex(r"vnp_[A-Za-z]{1,8}", fullmatch=True),
        st.text(max_size=30).filter(lambda text: text.isprintable() or "\x00" in text),
    )
)
def test_whatever_vnpay_signs_is_read_or_refused(changed: dict[str, str]) -> None:
    """Any fields under a true signature give one clean claim, or Rejected."""
    for key in ("vnp_SecureHash", "vnp_SecureHashType"):
        changed.pop(key, None)
    query = signed({**FIELDS, **changed})
    try:
        claim = read(query)
    except Rejected:
        assert why(query) in {"malformed", "forged"}
        return
    assert "\x00" not in f"{claim}"
    assert claim.amount_vnd is None or claim.amount_vnd > 0


def test_the_checkout_link_is_signed_and_plain() -> None:
    """The link carries amount x 100, ASCII text and local times, and verifies like an IPN."""
    url = urlsplit(Vnpay().checkout_url(ORDER, VNPAY_TERMS, NOW))
    fields = dict(parse_qsl(url.query))
    assert f"{url.scheme}://{url.netloc}{url.path}" == (
        "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html"
    )
    assert fields.pop("vnp_SecureHash") == signed(fields).rpartition("=")[2]
    assert "vnp_BankCode" not in fields
    assert fields == fields | {
        "vnp_Amount": "5000000",
        "vnp_OrderInfo": "Nop le phi ho so dat dai phu phi dot 1",
        "vnp_CreateDate": "20260312101535",
        "vnp_ExpireDate": "20260312103035",
        "vnp_ReturnUrl": ORDER.return_url,
        "vnp_Locale": "vn",
    }


def test_the_first_secret_signs_and_addresses_are_settings() -> None:
    """While a secret is replaced the first one signs; the sandbox is only the default."""
    terms = Terms(
        merchant="HUETEST1", secrets=(Secret("new"), SECRET), pay_address="https://pay.example/x"
    )
    url = Vnpay().checkout_url(ORDER, terms, NOW)
    only_new = msgspec.structs.replace(terms, secrets=(Secret("new"),))
    assert url == Vnpay().checkout_url(ORDER, only_new, NOW)
    assert url.startswith("https://pay.example/x?")


@pytest.mark.parametrize(
    "changed",
    [
        {"amount_vnd": 0},
        {"amount_vnd": 10**10},
        {"order_code": "HUE 007"},
        {"order_code": ""},
        {"expires_at": NOW},
    ],
)
def test_an_order_vnpay_would_refuse_is_refused_here(changed: dict[str, object]) -> None:
    """No link is made for an order without amount, reference or time."""
    with pytest.raises(ValueError, match=r"."):
        Vnpay().checkout_url(msgspec.structs.replace(ORDER, **changed), VNPAY_TERMS, NOW)


def test_the_status_question_is_signed_in_its_order() -> None:
    """A querydr is signed over nine values joined by pipes."""
    request = Vnpay().status_request(QUESTION, VNPAY_TERMS, NOW)
    fields = json.loads(request.body)
    message = (
        "q1|2.1.0|querydr|HUETEST1|HUE007K2M9Q4X1|20260312101535|20260312101535"
        "|203.0.113.7|Hoi trang thai giao dich"
    )
    assert fields["vnp_SecureHash"] == hmac_sha512(SECRET, message.encode())
    assert (request.method, request.url.rpartition("/")[2]) == ("POST", "transaction")


ANSWER_FIELDS = (
    "vnp_ResponseId|vnp_Command|vnp_ResponseCode|vnp_Message|vnp_TmnCode|vnp_TxnRef|vnp_Amount"
    "|vnp_BankCode|vnp_PayDate|vnp_TransactionNo|vnp_TransactionType|vnp_TransactionStatus"
    "|vnp_OrderInfo"
)


def answer(command: str, **changed: str) -> bytes:
    """An answer of the API, signed as VNPAY signs it."""
    fields = {
        "vnp_Command": command,
        "vnp_ResponseCode": "00",
        "vnp_TmnCode": "HUETEST1",
        "vnp_TxnRef": "HUE007K2M9Q4X1",
        "vnp_Amount": "5000000",
        "vnp_TransactionNo": "14226112",
        "vnp_TransactionType": "01",
        "vnp_TransactionStatus": "00",
    } | {f"vnp_{key}": value for key, value in changed.items()}
    names = ANSWER_FIELDS.split("|")
    if command == "querydr":
        names += ["vnp_PromotionCode", "vnp_PromotionAmount"]
    message = "|".join(fields.get(name, "") for name in names)
    return json.dumps(fields | {"vnp_SecureHash": hmac_sha512(SECRET, message.encode())}).encode()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "paid"),
        ({"TransactionStatus": "01"}, "pending"),
        ({"TransactionStatus": "07"}, "held"),
        ({"TransactionType": "02"}, "refunded"),
        ({"TransactionType": "03", "TransactionStatus": "06"}, "refund_processing"),
        ({"TransactionType": "02", "TransactionStatus": "09"}, "refund_failed"),
    ],
)
def test_an_answer_means_its_transactions_state(changed: dict[str, str], status: str) -> None:
    """A querydr tells the state of payment or refund."""
    (claim,) = Vnpay().read_status(answer("querydr", **changed), QUESTION, VNPAY_TERMS)
    assert claim is not None
    assert (claim.status, claim.amount_vnd) == (status, 50_000)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "refunded"),
        ({"TransactionStatus": "05"}, "refund_processing"),
        ({"TransactionStatus": "09"}, "refund_failed"),
        ({"ResponseCode": "94", "TransactionStatus": ""}, "refund_processing"),
        ({"ResponseCode": "95"}, "refund_failed"),
        ({"ResponseCode": "91"}, "refund_failed"),
    ],
)
def test_a_refund_ends_in_one_of_three_states(changed: dict[str, str], status: str) -> None:
    """Given back, under way, or refused."""
    claim = Vnpay().read_refund(answer("refund", **changed), REFUND, VNPAY_TERMS)
    assert claim.status == status


@pytest.mark.parametrize(
    "body",
    [
        answer("querydr", TxnRef="ANOTHER"),
        answer("querydr", TmnCode="HUETEST2"),
        answer("refund"),
        answer("querydr").replace(b"5000000", b"5000001"),
        answer("querydr", OrderInfo="a|b"),
        b"[]",
        b"\xff",
        b"{",
        b'{"vnp_TxnRef":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b" " * 100_000,
    ],
)
def test_an_answer_to_another_question_is_refused(body: bytes) -> None:
    """Another order, terminal, command or amount, and what is no answer, is not believed."""
    with pytest.raises(Rejected):
        Vnpay().read_status(body, QUESTION, VNPAY_TERMS)


@pytest.mark.parametrize("code", ["02", "03", "94", "97", "99"])
def test_an_error_code_leaves_the_question_open(code: str) -> None:
    """An error of the API says nothing about the payment."""
    with pytest.raises(Unanswered) as unanswered:
        Vnpay().read_status(answer("querydr", ResponseCode=code), QUESTION, VNPAY_TERMS)
    assert unanswered.value.code == code


def test_a_part_of_an_unnumbered_payment_can_be_refunded() -> None:
    """Type 03 gives a part back; the number is 0 where none is known."""
    order = msgspec.structs.replace(REFUND, transaction="0/HUE007K2M9Q4X1")
    fields = json.loads(Vnpay().refund_request(order, VNPAY_TERMS, NOW).body)
    assert (fields["vnp_TransactionType"], fields["vnp_TransactionNo"]) == ("03", "0")
    assert fields["vnp_Amount"] == "2000000"
    with pytest.raises(ValueError, match="nothing to give back"):
        Vnpay().refund_request(msgspec.structs.replace(order, amount_vnd=0), VNPAY_TERMS, NOW)
    with pytest.raises(ValueError, match="32"):
        Vnpay().refund_request(
            msgspec.structs.replace(order, request_id="x" * 33), VNPAY_TERMS, NOW
        )
