"""What is particular to OnePay: its order of bytes, its hex key, its ambiguous text, its codes."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    AsksStatus,
    Call,
    CheckoutOrder,
    Claim,
    MakesCheckout,
    Outcome,
    Refunds,
    Rejected,
    Secret,
    Terms,
)
from providers.acting import Acts, Payment, ReadsOwnLinks, Shop
from providers.onepay import ADAPTER
from tests.providers.making import NOW

KEY = "A3EFDFABA8653DF2342E8DAC29B51AF0"
TERMS = Terms(
    merchant="ONEPAY",
    secrets=(Secret(KEY),),
    credentials={"access_code": Secret("D67342C2")},
)
FIELDS = {
    "vpc_AdditionData": "970436",
    "vpc_Amount": "5000000",
    "vpc_Command": "pay",
    "vpc_CurrencyCode": "VND",
    "vpc_Locale": "vn",
    "vpc_MerchTxnRef": "HUE007K2M9Q4X1",
    "vpc_Merchant": "ONEPAY",
    "vpc_OrderInfo": "Nop phi",
    "vpc_TransactionNo": "1618136",
    "vpc_TxnResponseCode": "0",
    "vpc_Version": "2",
}
ORDER = CheckoutOrder(
    reference="HUE007K2M9Q4X1",
    order_code="HUE007K2M9Q4X1",
    request_id="c1",
    amount_vnd=50_000,
    description="Nộp lệ phí: hồ sơ đất đai & phụ phí (đợt 1)",
    return_url="https://dichvucong.example/tra-ve?a=1&b=2",
    callback_url="https://doisoat.example/callbacks/onepay/ONEPAY",
    client_ip="203.0.113.7",
    ordered_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)


def digest(text: str) -> str:
    """The signature of a text, made by the rule as the page states it, not by the adapter."""
    return hmac.new(bytes.fromhex(KEY), text.encode(), hashlib.sha256).hexdigest().upper()


def text_of(fields: Mapping[str, str]) -> str:
    """The text that is signed."""
    return "&".join(f"{key}={value}" for key, value in sorted(fields.items()) if value)


def signed(**changed: str) -> dict[str, str]:
    """The parameters of a callback with their signature."""
    fields = FIELDS | changed
    return fields | {"vpc_SecureHash": digest(text_of(fields))}


def got(query: str | Mapping[str, str]) -> Call:
    """A callback by GET."""
    raw = query if isinstance(query, str) else urlencode(query)
    return Call(method="GET", path="/callbacks/onepay/ONEPAY", raw_query=raw.encode())


def read(call: Call | str | Mapping[str, str], terms: Terms = TERMS) -> Claim:
    """The claim of a callback."""
    (claim,) = ADAPTER.read(call if isinstance(call, Call) else got(call), terms, NOW)
    return claim


def refusal(call: Call | str | Mapping[str, str], terms: Terms = TERMS) -> Rejected:
    """Why a callback is refused."""
    with pytest.raises(Rejected) as rejected:
        read(call, terms)
    return rejected.value


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(outcome: Outcome) -> None:
    """One line of text for what was kept, another for the rest; always 200."""
    refused = outcome in {
        Outcome.FORGED,
        Outcome.STALE,
        Outcome.MALFORMED,
        Outcome.TRY_AGAIN,
    }
    answer = ADAPTER.answer(outcome, got(signed()))
    assert (answer.status, answer.media_type) == (200, "text/plain")
    assert answer.body == (
        b"responsecode=0&desc=confirm-fail" if refused else b"responsecode=1&desc=confirm-success"
    )
    assert ADAPTER.accepts(answer.status, answer.body) is not refused


def test_it_comes_by_get_or_by_form() -> None:
    """Query and form are one: the same parameters say the same, wherever they stand."""
    original = read(signed())
    form = urlencode(signed()).encode()
    posted = Call(method="POST", path="/callbacks/onepay/ONEPAY", body=form)
    assert read(posted) == original
    first, _, rest = form.partition(b"&")
    assert read(msgspec.structs.replace(posted, raw_query=first, body=rest)) == original
    twice = msgspec.structs.replace(posted, raw_query=first)
    assert refusal(twice).why == "forged"
    assert refusal(msgspec.structs.replace(posted, method="PUT")).why == "malformed"


def test_order_encoding_and_case_of_digits_change_nothing() -> None:
    """Any order of parameters, `+` or `%20` or more than needed, capitals or not: one callback."""
    original = read(signed())
    fields = signed()
    assert read(dict(reversed(list(fields.items())))) == original
    assert read(urlencode(fields, quote_via=quote)) == original
    every = "&".join(
        f"{key}={''.join(f'%{byte:02x}' for byte in value.encode())}"
        for key, value in fields.items()
    )
    assert read(every) == original
    assert read(fields | {"vpc_SecureHash": fields["vpc_SecureHash"].lower()}) == original
    assert read(fields | {"vpc_SecureHashType": "SHA256", "utm": "1", "vpc_Empty": ""}) == original
    assert read(urlencode(fields) + "&utm=1&utm=2") == original


def test_names_are_sorted_by_their_bytes() -> None:
    """vpc_MerchTxnRef stands before vpc_Merchant; sorted by letters alone it would not."""
    fields = FIELDS
    other = "&".join(f"{key}={fields[key]}" for key in sorted(fields, key=str.lower))
    assert other != text_of(fields)
    assert refusal(fields | {"vpc_SecureHash": digest(other)}).why == "forged"


def test_marked_letters_are_signed_as_they_are() -> None:
    """UTF-8 unescaped; composed and decomposed are two texts."""
    assert read(signed(vpc_OrderInfo="Nộp phí")).memo == "Nộp phí"
    changed = signed(vpc_OrderInfo="Nộp phí") | {"vpc_OrderInfo": "Nộp phi\u0301"}
    assert refusal(changed).why == "forged"


@pytest.mark.parametrize("name", FIELDS)
def test_a_changed_parameter_is_forged(name: str) -> None:
    """Each of them is signed; the hint tells what the call says it is about."""
    for value in ("1", "", FIELDS[name] + "0"):
        rejected = refusal(signed() | {name: value})
        assert rejected.why == "forged"
        assert rejected.hint is not None
    assert refusal(signed() | {"user_note": "x"}).why == "forged"
    rejected = refusal(signed() | {"vpc_SecureHash": ""})
    assert rejected.hint is not None
    assert (rejected.hint.reference, rejected.hint.amount_vnd, rejected.hint.transaction) == (
        "HUE007K2M9Q4X1",
        50_000,
        "1618136",
    )


@pytest.mark.parametrize(
    "extra",
    ["vpc_Amount=1", "vpc_Amount=5000000", "vpc%5FAmount=1", "vpc_SecureHash=x", "user_=1&user_=1"],
)
def test_a_repeated_parameter_is_forged(extra: str) -> None:
    """A second value of a signed name is refused before or behind, also an equal one."""
    query = urlencode(signed())
    assert refusal(f"{query}&{extra}").why == "forged"
    assert refusal(f"{extra}&{query}").why == "forged"


@pytest.mark.parametrize(
    "secret", ["", "A3EFDFABA8653DF2342E8DAC29B51AF", "no hex", "A3 EF", "Ａ3", " "]
)
def test_a_key_that_is_no_hex_believes_nobody(secret: str) -> None:
    """Not even a call that bears no signature, or one made with the text as key."""
    terms = msgspec.structs.replace(TERMS, secrets=(Secret(secret),))
    assert refusal(signed(), terms).why == "forged"
    assert refusal(FIELDS, terms).why == "forged"
    by_text = hmac.new(secret.encode(), text_of(FIELDS).encode(), hashlib.sha256).hexdigest()
    assert refusal(FIELDS | {"vpc_SecureHash": by_text}, terms).why == "forged"
    with pytest.raises(ValueError, match="hexadecimal"):
        ADAPTER.checkout_url(ORDER, terms, NOW)


def test_either_of_two_keys_verifies() -> None:
    """While a key is replaced, both are believed; a key that is no hex beside them does no harm."""
    for secrets in (("00" * 16, KEY), (KEY, "00" * 16), ("?", KEY.lower())):
        terms = msgspec.structs.replace(TERMS, secrets=tuple(map(Secret, secrets)))
        assert read(signed(), terms).amount_vnd == 50_000
    assert refusal(signed(), msgspec.structs.replace(TERMS, secrets=())).why == "forged"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"vpc_Merchant": "OTHER"}, "forged"),
        ({"vpc_Merchant": ""}, "forged"),
        ({"vpc_MerchTxnRef": ""}, "malformed"),
        ({"vpc_MerchTxnRef": "x" * 101}, "malformed"),
        ({"vpc_TxnResponseCode": ""}, "malformed"),
        ({"vpc_TransactionNo": "1 2"}, "malformed"),
    ],
)
def test_a_true_signature_is_not_enough(changed: dict[str, str], why: str) -> None:
    """Another merchant is forged; what lacks order or result is kept unread."""
    rejected = refusal(signed(**changed))
    assert (rejected.why, rejected.authentic) == (why, why == "malformed")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("0", "paid"),
        *((str(code), "failed") for code in (1, *range(3, 14), *range(21, 26))),
        ("253", "expired"),
        ("99", "cancelled"),
        ("300", "pending"),
        *((code, "pending") for code in ("00", "2", "14", "20", "26", "254", "B", "-1")),
    ],
)
def test_a_code_means_what_is_known_of_it(code: str, status: str) -> None:
    """Only 0 is paid; a code that is not known is waited for."""
    assert read(signed(vpc_TxnResponseCode=code)).status == status


@pytest.mark.parametrize(
    ("text", "amount_vnd"),
    [
        ("5000000", 50_000),
        ("100", 1),
        ("05000000", 50_000),
        ("5000050", None),
        ("5000000.00", None),
        ("-5000000", None),
        ("5e6", None),
        ("٥٠٠٠٠٠٠", None),
        ("0", None),
        ("", None),
        ("9" * 40, None),
    ],
)
def test_amounts_are_hundredths_of_a_dong(text: str, amount_vnd: int | None) -> None:
    """Only a positive multiple of 100 is an amount; the rest keeps its text as a key."""
    claim = read(signed(vpc_Amount=text))
    assert (claim.amount_vnd, claim.amount_text) == (amount_vnd, text)


def test_only_dong_are_dong() -> None:
    """Another currency is no amount that could be booked; none at all is đồng."""
    claim = read(signed(vpc_CurrencyCode="USD"))
    assert (claim.amount_vnd, claim.amount_text) == (None, "5000000 USD")
    assert read(signed(vpc_CurrencyCode="")).amount_vnd == 50_000


def test_unfinished_attempts_stay_apart_by_order() -> None:
    """An attempt that got no number is known by its order, and bears no time."""
    for number in ("0", ""):
        claim = read(signed(vpc_TransactionNo=number, vpc_TxnResponseCode="99"))
        assert (claim.transaction, claim.happened_at) == ("0/HUE007K2M9Q4X1", None)


@pytest.mark.parametrize("info", ["A & B = C", "a=b", "&", "x&y=1&z", "&vpc", "vpc_Amount=1"])
def test_signs_alone_do_no_harm(info: str) -> None:
    """`&` and `=` that begin no parameter of their own are words like others."""
    assert read(signed(vpc_OrderInfo=info)).memo == info


INJECTED = [
    {"vpc_OrderInfo": "x&vpc_TransactionNo=9&vpc_TxnResponseCode=0"},
    {"user_note": "x&vpc_Amount=100"},
    {"user_note": "x&vpc_AdditionData=1", "vpc_AdditionData": ""},
    {"vpc_OrderInfo": "x&vpc_TransactionNo=9", "vpc_TransactionNo": ""},
    {"vpc_Locale": "vn&vpc_MerchTxnRef=HUE007K2M9Q4X2"},
    {"vpc_Version": "2&vpc_W=1"},
]


@pytest.mark.parametrize("changed", INJECTED)
def test_one_signature_never_says_two_results(changed: dict[str, str]) -> None:
    """Of all ways to cut a text that OnePay signed, none says another order, amount or result.

    The message failed; somebody chose a value in it. Not even as it was meant is it believed,
    since nobody can tell from the text how it was meant.
    """
    meant = FIELDS | {"vpc_TxnResponseCode": "1"} | changed
    text = text_of(meant)
    assert refusal(meant | {"vpc_SecureHash": digest(text)}).why == "forged"
    pieces = text.split("&")
    believed = []
    for count in range(len(pieces)):
        for cuts in combinations(range(1, len(pieces)), count):
            edges = [0, *cuts, len(pieces)]
            parts = ["&".join(pieces[a:b]) for a, b in pairwise(edges)]
            pairs = [part.partition("=")[::2] for part in parts]
            query = urlencode([*pairs, ("vpc_SecureHash", digest(text))])
            try:
                believed.append(read(query))
            except Rejected:
                continue
    for claim in believed:
        assert (claim.reference, claim.amount_vnd, claim.status) == (
            meant["vpc_MerchTxnRef"].partition("&")[0],
            50_000,
            "failed",
        )


def test_a_name_with_signs_in_it_is_refused() -> None:
    """The first `=` of a piece is the border: a name that holds one could move it."""
    assert refusal(urlencode({**signed(), "vpc_Note=x&vpc_Other": "1"})).why == "forged"
    assert refusal(urlencode({**signed(), "vpc_Ghi chú": "1"})).why == "forged"


def test_endless_parameters_are_not_read() -> None:
    """A query or form beyond the limits is malformed before it is looked at."""
    assert refusal(urlencode(signed()) + "&x=1" * 200).why == "malformed"
    assert refusal(urlencode(signed()) + "&x=" + "1" * 9_000).why == "malformed"
    body = b"x" * 70_000
    assert refusal(Call(method="POST", path="/", body=body)).why == "malformed"


@pytest.mark.parametrize("raw", [b"", b"%", b"&&&", b"=", b"vpc_=%ff", b"vpc_Amount", b'{"a":1}'])
def test_odd_bytes_are_forged(raw: bytes) -> None:
    """No bytes make it stumble."""
    for call in (
        Call(method="GET", path="/", raw_query=raw),
        Call(method="POST", path="/", body=raw, headers=(("Content-Type", "application/json"),)),
    ):
        assert refusal(call).why == "forged"


def test_a_checkout_link_is_signed_and_is_no_callback() -> None:
    """The link carries amount x 100 and plain words; as a callback it has no result."""
    url = urlsplit(ADAPTER.checkout_url(ORDER, TERMS, NOW))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://mtf.onepay.vn/onecomm-pay/vpc.op"
    fields = dict(parse_qsl(url.query))
    assert fields.pop("vpc_SecureHash") == digest(text_of(fields))
    assert fields == {
        "vpc_AccessCode": "D67342C2",
        "vpc_Amount": "5000000",
        "vpc_Command": "pay",
        "vpc_Currency": "VND",
        "vpc_Locale": "vn",
        "vpc_MerchTxnRef": "HUE007K2M9Q4X1",
        "vpc_Merchant": "ONEPAY",
        "vpc_OrderInfo": "Nop le phi ho so dat dai phu phi",
        "vpc_ReturnURL": "https://dichvucong.example/tra-ve?a=1&b=2",
        "vpc_TicketNo": "203.0.113.7",
        "vpc_Version": "2",
    }
    rejected = refusal(url.query)
    assert (rejected.why, rejected.authentic) == ("malformed", True)
    terms = msgspec.structs.replace(TERMS, pay_address="https://onepay.example/pay")
    assert ADAPTER.checkout_url(ORDER, terms, NOW).startswith("https://onepay.example/pay?")


@pytest.mark.parametrize(
    ("changed", "terms"),
    [
        ({"amount_vnd": 0}, TERMS),
        ({"amount_vnd": 10**10}, TERMS),
        ({"order_code": "a b"}, TERMS),
        ({"expires_at": NOW}, TERMS),
        ({"return_url": "https://x.example/?a=1&vpc_TxnResponseCode=0"}, TERMS),
        ({"client_ip": "1.1.1.1&vpc_TxnResponseCode=0"}, TERMS),
        ({}, msgspec.structs.replace(TERMS, credentials={})),
        ({}, msgspec.structs.replace(TERMS, secrets=())),
    ],
)
def test_a_link_that_could_harm_is_not_made(changed: dict[str, object], terms: Terms) -> None:
    """No link without amount, order, time, keys; none whose text could be cut into a result."""
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        ADAPTER.checkout_url(msgspec.structs.replace(ORDER, **changed), terms, NOW)


PAYMENTS = st.builds(
    Payment,
    order_code=st.from_regex(r"[A-Z0-9]{1,34}", fullmatch=True),
    transaction=st.from_regex(r"[1-9][0-9]{0,19}", fullmatch=True),
    amount_vnd=st.integers(1, 10**13),
    paid_at=st.just(datetime(2026, 3, 12, tzinfo=UTC)),
    status=st.sampled_from(["paid", "failed", "cancelled", "expired", "pending"]),
    memo=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=32),
)


@given(PAYMENTS)
def test_what_onepay_tells_is_what_is_read(payment: Payment) -> None:
    """A callback says its payment; there is no field for a time."""
    claim = read(ADAPTER.call_as_provider(payment, TERMS, NOW))
    assert (claim.reference, claim.scope) == (payment.order_code, payment.order_code)
    assert (claim.transaction, claim.status) == (payment.transaction, payment.status)
    assert (claim.amount_vnd, claim.memo) == (payment.amount_vnd, payment.memo)


def test_what_has_no_callback_is_not_made_up() -> None:
    """A status without a code, and a payment without an order, has no callback."""
    payment = Payment(order_code="A", transaction="1", amount_vnd=1, paid_at=NOW, status="held")
    for one in (payment, msgspec.structs.replace(payment, status="paid", order_code=None)):
        with pytest.raises(ValueError, match="order"):
            ADAPTER.call_as_provider(one, TERMS, NOW)
    unnumbered = msgspec.structs.replace(payment, status="failed", transaction="0/A")
    assert read(ADAPTER.call_as_provider(unnumbered, TERMS, NOW)).transaction == "0/A"


def test_a_link_opens_its_order() -> None:
    """OnePay's side reads the order from the link that a citizen opened, and from no other."""
    url = urlsplit(ADAPTER.checkout_url(ORDER, TERMS, NOW))
    call = Call(method="GET", path=url.path, raw_query=url.query.encode())
    order = ADAPTER.order_of_link(call, TERMS, NOW)
    assert (order.order_code, order.amount_vnd, order.return_url) == (
        ORDER.order_code,
        ORDER.amount_vnd,
        ORDER.return_url,
    )
    for change in ((b"5000000", b"5000100"), (b"vpc_Amount", b"vpc_amount")):
        forged = msgspec.structs.replace(call, raw_query=call.raw_query.replace(*change))
        with pytest.raises(ValueError, match="fit"):
            ADAPTER.order_of_link(forged, TERMS, NOW)
    unreadable = got(signed(vpc_Amount="1"))
    with pytest.raises(ValueError, match="no order"):
        ADAPTER.order_of_link(unreadable, TERMS, NOW)


def test_abilities_are_not_pretended() -> None:
    """It signs links and acts; no question and no refund of OnePay is documented."""
    for ability in (MakesCheckout, Acts, ReadsOwnLinks):
        assert isinstance(ADAPTER, ability)
    assert not isinstance(ADAPTER, AsksStatus | Refunds)
    assert ADAPTER.serve_as_provider(got(""), Shop(), TERMS, NOW).status == 404
