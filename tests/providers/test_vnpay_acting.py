"""VNPAY's own side answers what the adapter asks, as VNPAY's pages say."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
import pytest

from providers import Call, CheckoutOrder, RefundOrder, SignedRequest, StatusQuestion, Unanswered
from providers.acting import Order, Payment, Shop
from providers.vnpay import Vnpay
from tests.providers.making import NOW, VNPAY_TERMS

VNPAY = Vnpay()
CODE = "HUE007K2M9Q4X1"
ORDER = CheckoutOrder(
    reference=CODE,
    order_code=CODE,
    request_id="c1",
    amount_vnd=50_000,
    description="Nộp lệ phí",
    return_url="https://dichvucong.example/tra-ve?a=1&b=2",
    callback_url="https://doisoat.example/callbacks/vnpay/HUETEST1",
    client_ip="203.0.113.7",
    ordered_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
PAID = Payment(order_code=CODE, transaction="14226112", amount_vnd=50_000, paid_at=NOW)
QUESTION = StatusQuestion(request_id="q1", order_code=CODE, ordered_at=NOW, client_ip="203.0.113.7")
REFUND = RefundOrder(
    request_id="r1",
    order_code=CODE,
    transaction=PAID.transaction,
    amount_vnd=20_000,
    whole=False,
    ordered_at=NOW,
    asked_at=NOW,
    asked_by="ketoan01",
    client_ip="203.0.113.7",
    description="Hoan tien",
)


def opened(url: str) -> Call:
    """The call of a citizen's browser that follows a link."""
    parts = urlsplit(url)
    return Call(method="GET", path=parts.path, raw_query=parts.query.encode())


def sent(request: SignedRequest, shop: Shop) -> bytes:
    """The answer of VNPAY's API to a request of ours."""
    call = Call(
        method=request.method,
        path=urlsplit(request.url).path,
        headers=request.headers,
        body=request.body,
    )
    answer = VNPAY.serve_as_provider(call, shop, VNPAY_TERMS, NOW)
    assert answer.status == 200
    return answer.body


@pytest.fixture
def shop() -> Shop:
    """Give a shop with one order that a link opened."""
    order = VNPAY.order_of_link(
        opened(VNPAY.checkout_url(ORDER, VNPAY_TERMS, NOW)), VNPAY_TERMS, NOW
    )
    return Shop(orders={order.order_code: order})


def test_a_link_is_read_as_it_was_signed(shop: Shop) -> None:
    """Amount, times, text and return address of an order come back from its link."""
    order = shop.orders[CODE]
    assert (order.amount_vnd, order.opened_at) == (50_000, NOW)
    assert order.expires_at == ORDER.expires_at
    assert (order.description, order.return_url) == ("Nop le phi", ORDER.return_url)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vnp_Amount=5000000", "vnp_Amount=5000100"),
        ("vnp_Command=pay", "vnp_Command=refund"),
        ("vnp_SecureHash=", "vnp_SecureHash=0"),
        ("vnp_Version", "vnp_Amount=1&vnp_Version"),
    ],
)
def test_a_link_that_was_changed_opens_nothing(old: str, new: str) -> None:
    """Whatever is changed in a link, it is no order any more."""
    url = VNPAY.checkout_url(ORDER, VNPAY_TERMS, NOW)
    assert old in url
    with pytest.raises(ValueError, match=r"signature|repeated"):
        VNPAY.order_of_link(opened(url.replace(old, new)), VNPAY_TERMS, NOW)


def test_a_link_ends() -> None:
    """After vnp_ExpireDate a link opens nothing."""
    call = opened(VNPAY.checkout_url(ORDER, VNPAY_TERMS, NOW))
    with pytest.raises(ValueError, match="expired"):
        VNPAY.order_of_link(call, VNPAY_TERMS, ORDER.expires_at)


def test_an_order_nobody_paid_is_pending_and_then_failed(shop: Shop) -> None:
    """Until its end an unpaid order is 01; afterwards 02."""
    asked = VNPAY.status_request(QUESTION, VNPAY_TERMS, NOW)
    (claim,) = VNPAY.read_status(sent(asked, shop), QUESTION, VNPAY_TERMS)
    assert (claim.status, claim.transaction) == ("pending", f"0/{CODE}")
    call = Call(method="POST", path=urlsplit(asked.url).path, body=asked.body)
    late = VNPAY.serve_as_provider(call, shop, VNPAY_TERMS, NOW + timedelta(days=1))
    (claim,) = VNPAY.read_status(late.body, QUESTION, VNPAY_TERMS)
    assert claim.status == "failed"


def test_the_question_must_name_the_day_the_link_was_signed(shop: Shop) -> None:
    """An order is found by its number and its vnp_CreateDate together."""
    shop.payments.append(PAID)
    other = msgspec.structs.replace(QUESTION, ordered_at=NOW - timedelta(seconds=1))
    asked = VNPAY.status_request(other, VNPAY_TERMS, NOW)
    assert VNPAY.read_status(sent(asked, shop), other, VNPAY_TERMS) == ()
    shop.orders[CODE] = Order(order_code=CODE, amount_vnd=50_000, opened_at=NOW)
    assert VNPAY.read_status(sent(asked, shop), other, VNPAY_TERMS)


def test_a_refund_is_made_once_for_each_request_id(shop: Shop) -> None:
    """The same request id again is refused with 94 and gives nothing back a second time."""
    shop.payments.append(PAID)
    request = VNPAY.refund_request(REFUND, VNPAY_TERMS, NOW)
    first = VNPAY.read_refund(sent(request, shop), REFUND, VNPAY_TERMS)
    assert (first.status, first.amount_vnd) == ("refund_processing", 20_000)
    body = sent(request, shop)
    assert json.loads(body)["vnp_ResponseCode"] == "94"
    assert VNPAY.read_refund(body, REFUND, VNPAY_TERMS) == first
    assert sum(one.amount_vnd for one in shop.refunds.values()) == 20_000


@pytest.mark.parametrize(
    ("state", "status"),
    [("processing", "refund_processing"), ("done", "refunded"), ("failed", "refund_failed")],
)
def test_a_refund_is_followed_by_the_question(shop: Shop, state: str, status: str) -> None:
    """`querydr` tells of the refund once there is one."""
    shop.payments.append(PAID)
    question = VNPAY.refund_question(REFUND, VNPAY_TERMS, NOW)
    assert VNPAY.read_refund_answer(sent(question, shop), REFUND, VNPAY_TERMS) is None
    sent(VNPAY.refund_request(REFUND, VNPAY_TERMS, NOW), shop)
    made = shop.refunds["r1"]
    shop.refunds["r1"] = msgspec.convert(msgspec.to_builtins(made) | {"state": state}, type(made))
    claim = VNPAY.read_refund_answer(sent(question, shop), REFUND, VNPAY_TERMS)
    assert claim is not None
    assert (claim.status, claim.amount_vnd) == (status, 20_000)


def test_more_than_was_paid_is_not_given_back(shop: Shop) -> None:
    """Parts are given back up to the payment; an order that nobody paid gives nothing."""
    request = VNPAY.refund_request(REFUND, VNPAY_TERMS, NOW)
    assert VNPAY.read_refund(sent(request, shop), REFUND, VNPAY_TERMS).status == "refund_failed"
    shop.payments.append(PAID)
    for number, amount_vnd in enumerate((20_000, 30_000)):
        part = msgspec.structs.replace(REFUND, request_id=f"p{number}", amount_vnd=amount_vnd)
        sent(VNPAY.refund_request(part, VNPAY_TERMS, NOW), shop)
    with pytest.raises(Unanswered, match="99"):
        VNPAY.read_refund(sent(request, shop), REFUND, VNPAY_TERMS)
    assert sum(one.amount_vnd for one in shop.refunds.values()) == 50_000


def test_the_api_refuses_in_vnpays_words(shop: Shop) -> None:
    """97 for a wrong signature, 02 for another terminal, 03 for no JSON, 404 beside the path."""
    request = VNPAY.status_request(QUESTION, VNPAY_TERMS, NOW)

    def code(body: bytes) -> object:
        call = Call(method="POST", path="/merchant_webapi/api/transaction", body=body)
        answer = VNPAY.serve_as_provider(call, shop, VNPAY_TERMS, NOW)
        return json.loads(answer.body)["vnp_ResponseCode"]

    assert code(request.body.replace(b"203.0.113.7", b"203.0.113.8")) == "97"
    assert code(request.body.replace(b"HUETEST1", b"HUETEST2")) == "02"
    assert code(b"{") == "03"
    elsewhere = Call(method="POST", path="/elsewhere", body=request.body)
    assert VNPAY.serve_as_provider(elsewhere, shop, VNPAY_TERMS, NOW).status == 404


def test_an_ipn_tells_no_refund_and_no_stray_money() -> None:
    """What VNPAY has no IPN for is a ValueError."""
    for changes in ({"status": "refunded"}, {"status": "credit"}, {"order_code": None}):
        payment = msgspec.convert(msgspec.to_builtins(PAID) | changes, Payment)
        with pytest.raises(ValueError, match="order"):
            VNPAY.call_as_provider(payment, VNPAY_TERMS, NOW)


@pytest.mark.parametrize(
    ("status", "body", "done"),
    [
        (200, b'{"RspCode":"00","Message":""}', True),
        (200, b'{"RspCode":"02"}', True),
        (200, b'{"RspCode":"01"}', False),
        (200, b'{"RspCode":"04"}', False),
        (200, b'{"RspCode":"97"}', False),
        (200, b'{"RspCode":"99"}', False),
        (503, b'{"RspCode":"00"}', False),
        (200, b"<html>", False),
    ],
)
def test_only_00_and_02_end_the_retries(status: int, body: bytes, done: bool) -> None:  # noqa: FBT001
    """Ten more calls, five minutes apart, unless we said 00 or 02."""
    assert VNPAY.accepts(status, body) is done
    assert VNPAY.retry_waits == (timedelta(minutes=5),) * 10
