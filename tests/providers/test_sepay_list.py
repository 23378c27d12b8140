"""SePay's own side: its list of transactions says what its webhooks said, and it acts as SePay."""

import json
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    Outcome,
    PullsTransactions,
    Rejected,
    Secret,
    Status,
    Terms,
    Unanswered,
)
from providers.acting import Acts, Payment, Shop
from providers.sepay import ADAPTER
from tests.providers.transfers import (
    ACCOUNTS,
    AMOUNTS,
    NOW,
    REFERENCES,
    SECRET,
    TEXTS,
    TIMES,
    arrived,
    ask,
    read,
)

TERMS = Terms(
    merchant="hue-vcb",
    secrets=(SECRET,),
    mode="hmac",
    credentials={"api_token": Secret("list-token")},
)
GATEWAY = msgspec.structs.replace(TERMS, mode="secret_key")
PAYMENT = Payment(
    order_code=None,
    transaction="92704",
    amount_vnd=50_000,
    paid_at=NOW,
    status="credit",
    memo="NGUYEN VAN A HUE01K2M9Q4X1R nộp lệ phí",
    own_account="0123499999",
    bank_reference="MBVCB.3278907687",
    bank_brand="Vietcombank",
    balance_vnd=19_077_000,
)
PAYMENTS = st.builds(
    Payment,
    order_code=st.one_of(st.none(), REFERENCES),
    transaction=st.integers(1, 10**15).map(str),
    amount_vnd=AMOUNTS,
    paid_at=TIMES,
    status=st.just("credit"),
    memo=TEXTS,
    own_account=ACCOUNTS,
    virtual_account=ACCOUNTS,
    bank_reference=REFERENCES,
    bank_brand=st.sampled_from(["Vietcombank", "BIDV"]),
)


def test_abilities() -> None:
    """The feed lists, and the adapter can play SePay."""
    assert isinstance(ADAPTER, PullsTransactions)
    assert isinstance(ADAPTER, Acts)
    assert set(ADAPTER.credentials) == {"api_token"}


def test_it_calls_again_as_documented() -> None:
    """After 1, 1, 2, 3, 5, 8 and 13 minutes: eight calls within 33 minutes."""
    assert [wait.total_seconds() / 60 for wait in ADAPTER.retry_waits] == [1, 1, 2, 3, 5, 8, 13]
    assert sum(ADAPTER.retry_waits, timedelta()) == timedelta(minutes=33)


@pytest.mark.parametrize(
    ("status", "body", "taken"),
    [
        (200, b'{"success":true}', True),
        (201, b'{"success": true, "x": 1}', True),
        (200, b'{"success":false}', False),
        (200, b'{"success":"true"}', False),
        (200, b"ok", False),
        (204, b"", False),
        (503, b'{"success":true}', False),
    ],
)
def test_only_the_documented_answer_is_taken_as_done(
    status: int,
    body: bytes,
    taken: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """200 or 201, and success as a boolean."""
    assert ADAPTER.accepts(status, body) is taken


def test_our_answers_are_taken_as_meant() -> None:
    """What is done is accepted, anything else is asked again."""
    call = ADAPTER.call_as_provider(PAYMENT, TERMS, NOW)
    asked_again = {Outcome.FORGED, Outcome.STALE, Outcome.MALFORMED, Outcome.TRY_AGAIN}
    for outcome in Outcome:
        answer = ADAPTER.answer(outcome, call)
        assert ADAPTER.accepts(answer.status, answer.body) is (outcome not in asked_again)


@given(PAYMENTS, st.sampled_from(["credit", "debit"]), st.sampled_from(["hmac", "apikey"]))
def test_what_sepay_calls_about_is_read_back_and_listed(
    payment: Payment, status: Status, mode: str
) -> None:
    """Transaction, status, code, amount, time and texts; the list says the same of it."""
    payment = msgspec.structs.replace(payment, status=status)
    terms = msgspec.structs.replace(TERMS, mode=mode)
    (claim,) = ADAPTER.read(ADAPTER.call_as_provider(payment, terms, NOW), terms, NOW)
    assert (claim.transaction, claim.status) == (payment.transaction, status)
    assert claim.reference == (payment.order_code if status == "credit" else None)
    assert (claim.amount_vnd, claim.happened_at) == (payment.amount_vnd, payment.paid_at)
    assert (claim.memo, claim.bank_reference) == (payment.memo, payment.bank_reference)
    shop = Shop(payments=[payment])
    answer = ask(ADAPTER, ADAPTER.pull_request("", terms, NOW), shop, terms)
    assert ADAPTER.read_pull(answer, terms).claims == (claim,)


@given(PAYMENTS, st.sampled_from(["paid", "held", "reversed"]), REFERENCES)
def test_what_its_gateway_calls_about_is_read_back(
    payment: Payment, status: Status, order: str
) -> None:
    """Order, transaction, status, amount and time."""
    payment = msgspec.structs.replace(payment, status=status, order_code=order)
    (claim,) = ADAPTER.read(ADAPTER.call_as_provider(payment, GATEWAY, NOW), GATEWAY, NOW)
    assert (claim.transaction, claim.status) == (payment.transaction, status)
    assert (claim.reference, claim.amount_vnd) == (order, payment.amount_vnd)
    assert claim.happened_at == payment.paid_at


@pytest.mark.parametrize(("terms", "status"), [(TERMS, "paid"), (GATEWAY, "failed")])
def test_it_calls_about_nothing_else(terms: Terms, status: Status) -> None:
    """A feed knows no orders, and the gateway tells no failure."""
    with pytest.raises(ValueError, match="SePay"):
        ADAPTER.call_as_provider(msgspec.structs.replace(PAYMENT, status=status), terms, NOW)


def test_the_documented_page_is_read() -> None:
    """The names and shapes that SePay's page shows: everything is a text."""
    page = {
        "status": 200,
        "error": None,
        "messages": {"success": True},
        "transactions": [
            {
                "id": "49682",
                "bank_brand_name": "Vietcombank",
                "account_number": "0071000888888",
                "transaction_date": "2023-05-05 19:59:48",
                "amount_out": "0.00",
                "amount_in": "18067000.00",
                "accumulated": "1200541768.00",
                "transaction_content": "DUONG THUY ANH chuyen tien",
                "reference_number": "677760.050523.080001",
                "code": None,
                "sub_account": "VCB0011ABC004",
                "bank_account_id": "19",
            }
        ],
    }
    (claim,) = ADAPTER.read_pull(json.dumps(page).encode(), TERMS).claims
    assert (claim.transaction, claim.status, claim.amount_vnd) == ("49682", "credit", 18_067_000)
    assert claim.amount_text == "18067000"
    assert claim.happened_at == datetime.fromisoformat("2023-05-05T12:59:48+00:00")
    assert (claim.own_account, claim.virtual_account) == ("0071000888888", "VCB0011ABC004")
    assert claim.bank_reference == "677760.050523.080001"


def test_the_list_is_asked_for_from_a_number_on() -> None:
    """With the token, at most 5,000 rows, the number included."""
    request = ADAPTER.pull_request("92704", TERMS, NOW)
    assert request.url == (
        "https://my.sepay.vn/userapi/transactions/list?limit=5000&since_id=92704"
    )
    assert request.headers == (("Authorization", "Bearer list-token"),)
    assert "token" not in repr(request)
    shop = Shop(
        payments=[msgspec.structs.replace(PAYMENT, transaction=str(n)) for n in range(1, 5)]
    )
    answer = ask(ADAPTER, ADAPTER.pull_request("3", TERMS, NOW), shop, TERMS)
    claims = ADAPTER.read_pull(answer, TERMS).claims
    assert [claim.transaction for claim in claims] == ["4", "3"]


def test_the_list_is_read_to_its_newest_number() -> None:
    """A page is followed by one from its newest number on, until nothing but that is left."""
    numbers = [str(number) for number in range(1, 8)]
    shop = Shop(payments=[msgspec.structs.replace(PAYMENT, transaction=n) for n in numbers])
    position, found, positions = "", list[str](), list[str]()
    for _ in range(10):
        request = ADAPTER.pull_request(position, TERMS, NOW)
        short = msgspec.structs.replace(request, url=request.url.replace("5000", "3"))
        pulled = ADAPTER.read_pull(ask(ADAPTER, short, shop, TERMS), TERMS)
        positions.append(position)
        found += [claim.transaction for claim in pulled.claims]
        if pulled.next_position is None:
            break
        position = pulled.next_position
    assert positions == ["", "7"]
    assert found == ["7", "6", "5", "7"]
    shop.payments += [msgspec.structs.replace(PAYMENT, transaction=n) for n in ("8", "9")]
    answer = ask(ADAPTER, ADAPTER.pull_request(position, TERMS, NOW), shop, TERMS)
    pulled = ADAPTER.read_pull(answer, TERMS)
    assert [claim.transaction for claim in pulled.claims] == ["9", "8", "7"]
    assert pulled.next_position == "9"
    assert ADAPTER.read_pull(b'{"status":200,"transactions":[]}', TERMS).next_position is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"status":200}',
        b'{"status":200,"transactions":{}}',
        b'{"status":200,"transactions":[1]}',
        b'{"status":200,"transactions":[{"amount_in":"1"}]}',
        b'{"status":200,"transactions":[{"id":"1","amount_in":"1","amount_out":"1"}]}',
        b'{"status":200,"transactions":[{"id":"1","amount_in":[]}]}',
        b" " * 4_000_001,
    ],
    ids=range(9),
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """Malformed, without a stumble."""
    with pytest.raises(Rejected, match="malformed"):
        ADAPTER.read_pull(body, TERMS)


def test_an_amount_that_cannot_be_read_is_kept_so() -> None:
    """A row whose amounts are nothing, or no whole đồng, is a claim without an amount."""
    row = {"id": "1", "amount_in": "0.50", "amount_out": "0.00"}
    for changes, status in (({}, "credit"), ({"amount_in": "0.00"}, "credit")):
        body = {"status": 200, "transactions": [{**row, **changes}]}
        (claim,) = ADAPTER.read_pull(json.dumps(body).encode(), TERMS).claims
        assert (claim.status, claim.amount_vnd) == (status, None)


def test_an_error_is_no_answer() -> None:
    """A wrong token is told so."""
    other = msgspec.structs.replace(TERMS, credentials={"api_token": Secret("other")})
    answer = ask(ADAPTER, ADAPTER.pull_request("", other, NOW), Shop(), TERMS)
    with pytest.raises(Unanswered, match="401"):
        ADAPTER.read_pull(answer, TERMS)


@pytest.mark.parametrize(
    ("position", "terms"),
    [
        ("x", TERMS),
        ("-1", TERMS),
        ("", msgspec.structs.replace(TERMS, credentials={})),
        ("", GATEWAY),
    ],
)
def test_a_page_that_cannot_be_asked_for_is_not(position: str, terms: Terms) -> None:
    """No such number, no token, or the gateway, which watches no account."""
    with pytest.raises(ValueError, match=r"."):
        ADAPTER.pull_request(position, terms, NOW)


def test_its_side_knows_one_request() -> None:
    """Any other path is not there."""
    request = arrived(ADAPTER.pull_request("", TERMS, NOW))
    call = msgspec.structs.replace(request, path="/userapi/bankaccounts/list")
    assert ADAPTER.serve_as_provider(call, Shop(), TERMS, NOW).status == 404


def test_a_refused_call_tells_its_memo() -> None:
    """A feed's code may be null while its text holds the reference."""
    call = ADAPTER.call_as_provider(PAYMENT, TERMS, NOW)
    bare = msgspec.structs.replace(call, headers=())
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(bare, TERMS, NOW)
    assert rejected.value.hint is not None
    assert rejected.value.hint.memo == PAYMENT.memo
    assert read(ADAPTER, bare, TERMS) == "forged"
