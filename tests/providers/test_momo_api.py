"""MoMo's API: what it is asked, and what its unsigned answers may say."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from providers import Call, Claim, Rejected, Terms, Unanswered
from providers.acting import Shop
from providers.momo import ADAPTER
from providers.momo_dialect import REFUND_FIELDS, signature_of
from tests.providers.making import NOW
from tests.providers.wallets import (
    AMOUNT_VND,
    ORDER_CODE,
    checkout_order,
    question,
    refund_order,
    sent,
)
from tests.providers.wallets import (
    MOMO_PAID as PAID,
)
from tests.providers.wallets import (
    MOMO_TERMS as TERMS,
)

ONE_STEP = msgspec.structs.replace(TERMS, options={"one_step": True})


def served(shop: Shop, call: Call) -> bytes:
    """What MoMo answers."""
    return ADAPTER.serve_as_provider(call, shop, TERMS, NOW).body


def asked(shop: Shop, order_code: str = ORDER_CODE, terms: Terms = TERMS) -> list[Claim]:
    """What MoMo says of an order when it is asked."""
    asking = question(order_code)
    body = served(shop, sent(ADAPTER.status_request(asking, TERMS, NOW)))
    return list(ADAPTER.read_status(body, asking, terms))


def changed(body: bytes, **fields: object) -> bytes:
    """An answer with some fields changed; None takes one out."""
    found: dict[str, Any] = json.loads(body) | fields
    return json.dumps({name: value for name, value in found.items() if value is not None}).encode()


def test_a_checkout_is_opened_once() -> None:
    """The same request is answered the same; another amount or another request is refused."""
    shop = Shop(page="https://momo.example/pay")
    order = checkout_order()
    request = ADAPTER.checkout_request(order, TERMS, NOW)
    body = json.loads(request.body)
    assert request.url == "https://test-payment.momo.vn/v2/gateway/api/create"
    assert (body["amount"], body["orderInfo"]) == (50_000, "Nop le phi phi 1")
    assert "F8BBA842ECF85" not in request.body.decode() + repr(request)
    for _ in range(2):
        checkout = ADAPTER.read_checkout(served(shop, sent(request)), order, TERMS)
        assert checkout.url == f"https://momo.example/pay/{ORDER_CODE}"
    assert shop.orders[ORDER_CODE].amount_vnd == AMOUNT_VND
    for odd, code in (
        (msgspec.structs.replace(order, amount_vnd=60_000), "40"),
        (msgspec.structs.replace(order, request_id="r-2"), "41"),
        (msgspec.structs.replace(order, order_code="HUE2"), "40"),
    ):
        answer = served(shop, sent(ADAPTER.checkout_request(odd, TERMS, NOW)))
        with pytest.raises(Unanswered) as unanswered:
            ADAPTER.read_checkout(answer, odd, TERMS)
        assert unanswered.value.code == code


def test_an_answer_about_another_order_opens_nothing() -> None:
    """Partner, order, request and amount are compared, and the page must be a page."""
    order = checkout_order()
    body = served(Shop(), sent(ADAPTER.checkout_request(order, TERMS, NOW)))
    for odd in (
        {"partnerCode": "OTHER"}, {"orderId": "HUE2"}, {"requestId": None}, {"amount": 1},
        {"payUrl": "javascript:alert(1)"}, {"payUrl": None}, {"resultCode": None},
    ):  # fmt: skip
        with pytest.raises(Rejected):
            ADAPTER.read_checkout(changed(body, **odd), order, TERMS)
    for junk in (b"", b"[]", b"<html>", b"{" + b" " * 300_000 + b"}"):
        with pytest.raises(Rejected):
            ADAPTER.read_checkout(junk, order, TERMS)


@pytest.mark.parametrize(
    "odd",
    [
        {"amount_vnd": 999}, {"amount_vnd": 50_000_001}, {"order_code": "a b"},
        {"order_code": "x" * 64}, {"request_id": "r" * 51}, {"request_id": "a&b"},
        {"callback_url": "https://a.example/x?y=1"}, {"expires_at": NOW},
    ],
)  # fmt: skip
def test_orders_that_momo_would_refuse_are_not_sent(odd: dict[str, Any]) -> None:
    """Limits of amounts, names and addresses are said before anything is sent."""
    with pytest.raises(ValueError, match=r"MoMo|request id|expired"):
        ADAPTER.checkout_request(msgspec.structs.replace(checkout_order(), **odd), TERMS, NOW)


def test_what_the_page_leaves_open_is_an_option() -> None:
    """Addresses, limits, the kind of request and the path of the refund question."""
    terms = msgspec.structs.replace(
        TERMS,
        api_address="http://127.0.0.1:9/momo/",
        options={
            "order_vnd_max": 100_000_000,
            "request_type": "payWithMethod",
            "refund_query_path": "/v2/other",
        },
    )
    request = ADAPTER.checkout_request(checkout_order(amount_vnd=100_000_000), terms, NOW)
    assert request.url == "http://127.0.0.1:9/momo/v2/gateway/api/create"
    assert json.loads(request.body)["requestType"] == "payWithMethod"
    asking = ADAPTER.refund_question(refund_order("1"), terms, NOW)
    assert asking.url == "http://127.0.0.1:9/momo/v2/other"
    answer = ADAPTER.serve_as_provider(sent(asking), Shop(), terms, NOW)
    assert json.loads(answer.body)["resultCode"] == 42
    assert ADAPTER.serve_as_provider(sent(request), Shop(), terms, NOW).status == 200


def test_an_order_that_nobody_paid_waits() -> None:
    """An open order is pending at the ordered amount; an unknown one is no claim at all."""
    shop = Shop()
    assert asked(shop) == []
    served(shop, sent(ADAPTER.checkout_request(checkout_order(), TERMS, NOW)))
    (claim,) = asked(shop)
    assert (claim.status, claim.amount_vnd) == ("pending", AMOUNT_VND)
    assert claim.transaction == f"0/{ORDER_CODE}"
    shop.orders[ORDER_CODE] = msgspec.structs.replace(shop.orders[ORDER_CODE], expires_at=NOW)
    assert [one.status for one in asked(shop)] == ["expired"]


def test_money_is_told_before_what_failed() -> None:
    """Of several attempts the newest that moved money is the answer."""
    failed = msgspec.structs.replace(PAID, status="failed", transaction="1")
    (claim,) = asked(Shop(payments=[failed, PAID, failed]))
    assert (claim.status, claim.transaction) == ("paid", PAID.transaction)
    blocked = msgspec.structs.replace(PAID, status="authorized")
    assert [one.status for one in asked(Shop(payments=[blocked]), terms=ONE_STEP)] == ["paid"]


@pytest.mark.parametrize("code", [10, 11, 12, 13, 20, 21, 22, 40, 41, 43, 45, 47, 98, 99])
def test_an_error_says_nothing_of_a_payment(code: int) -> None:
    """Neither failed nor unknown: the question is to be asked again, and a refund is not done."""
    body = json.dumps({"resultCode": code, "message": "Lỗi"}).encode()
    refund = refund_order("1")
    with pytest.raises(Unanswered) as unanswered:
        ADAPTER.read_status(body, question(), TERMS)
    assert (unanswered.value.code, str(unanswered.value)) == (str(code), f"{code}: Lỗi")
    for read_answer in (ADAPTER.read_refund, ADAPTER.read_refund_answer):
        with pytest.raises(Unanswered) as unanswered:
            read_answer(body, refund, TERMS)
        assert unanswered.value.code == str(code)


def test_an_answer_to_another_question_is_not_believed() -> None:
    """Nothing is signed, so partner, order and request must be ours; money needs a number."""
    body = served(Shop(payments=[PAID]), sent(ADAPTER.status_request(question(), TERMS, NOW)))
    for odd in (
        {"partnerCode": "OTHER"}, {"orderId": "HUE2"}, {"requestId": "ask-2"}, {"orderId": None},
        {"requestId": None}, {"transId": 0}, {"transId": None}, {"resultCode": "paid"},
    ):  # fmt: skip
        with pytest.raises(Rejected):
            ADAPTER.read_status(changed(body, **odd), question(), TERMS)
    for odd in ({"partnerCode": "OTHER"}, {"orderId": "HUE2"}):
        with pytest.raises(Rejected):
            ADAPTER.read_status(changed(body, resultCode=42, **odd), question(), TERMS)
    (claim,) = ADAPTER.read_status(changed(body, lastUpdated=1_773_000_000_000), question(), TERMS)
    assert claim.happened_at is not None
    assert claim.happened_at < NOW
    (claim,) = ADAPTER.read_status(changed(body, amount=49_000), question(), TERMS)
    assert claim.amount_vnd == 49_000


def test_a_refund_is_made_once_and_asked_about() -> None:
    """Sent again it is the same refund; its own number is told by every answer."""
    shop = Shop(payments=[PAID])
    order = refund_order(PAID.transaction)
    asking = ADAPTER.refund_question(order, TERMS, NOW)
    assert ADAPTER.read_refund_answer(served(shop, sent(asking)), order, TERMS) is None
    request = ADAPTER.refund_request(order, TERMS, NOW)
    later = ADAPTER.refund_request(order, TERMS, NOW + timedelta(days=2))
    assert request == later
    first = ADAPTER.read_refund(served(shop, sent(request)), order, TERMS)
    assert first == ADAPTER.read_refund(served(shop, sent(later)), order, TERMS)
    assert (first.status, first.amount_vnd) == ("refund_processing", 20_000)
    assert (first.reference, first.scope) == (ORDER_CODE, ORDER_CODE)
    assert len(shop.refunds) == 1
    for state, status in (("done", "refunded"), ("failed", "refund_failed")):
        shop.refunds[order.request_id] = msgspec.structs.replace(
            shop.refunds[order.request_id], state=state
        )
        told = ADAPTER.read_refund_answer(served(shop, sent(asking)), order, TERMS)
        again = ADAPTER.read_refund(served(shop, sent(request)), order, TERMS)
        assert told == again == msgspec.structs.replace(first, status=status)
    (paid,) = asked(shop)
    assert paid.status == "paid"


def test_a_refund_may_have_any_name_that_is_free() -> None:
    """MoMo asks for a new orderId, however it is made; a payment's or another refund's is taken."""
    shop = Shop(payments=[PAID])

    def told(name: str, request_id: str) -> int:
        fields = {
            "partnerCode": TERMS.merchant, "orderId": name, "requestId": request_id,
            "amount": "20000", "transId": PAID.transaction, "description": "Hoàn tiền",
        }  # fmt: skip
        body = json.dumps(fields | {"signature": signature_of(fields, REFUND_FIELDS, TERMS)})
        path = "/v2/gateway/api/refund"
        found = json.loads(served(shop, Call(method="POST", path=path, body=body.encode())))
        return int(found["resultCode"])

    assert told("H5713000123-1-R1", "r-1") == told("H5713000123-1-R1", "r-1") == 7002
    assert told("H5713000123-1-R1", "r-2") == told(ORDER_CODE, "r-2") == told("", "r-2") == 41
    assert told("RF-2", "r-1") == 40
    assert told("RF-2", "r-2") == 7002
    assert [one.name for one in shop.refunds.values()] == ["H5713000123-1-R1", "RF-2"]


def test_a_refund_that_momo_refuses_has_failed() -> None:
    """More than was paid, and a payment that MoMo does not know; what is unknown has not failed."""
    for order in (
        refund_order(PAID.transaction, 50_001), refund_order("4084750000"),
    ):  # fmt: skip
        request = ADAPTER.refund_request(order, TERMS, NOW)
        body = served(Shop(payments=[PAID]), sent(request))
        assert ADAPTER.read_refund(body, order, TERMS).status == "refund_failed"
    order = refund_order(PAID.transaction)
    request = ADAPTER.refund_request(order, TERMS, NOW)
    body = served(Shop(payments=[PAID]), sent(request))
    unknown = ADAPTER.read_refund(changed(body, resultCode=5555), order, TERMS)
    assert unknown.status == "refund_processing"
    with pytest.raises(Unanswered):
        ADAPTER.read_refund(changed(body, resultCode=42), order, TERMS)
    for odd in ({"amount": 30_000}, {"orderId": ORDER_CODE}, {"requestId": "other"}):
        with pytest.raises(Rejected):
            ADAPTER.read_refund(changed(body, **odd), order, TERMS)
    with pytest.raises(Rejected):
        ADAPTER.read_refund(changed(body, resultCode=0, amount=0), order, TERMS)


def test_a_listed_refund_must_be_ours() -> None:
    """Where an answer lists refunds, another one of the payment says nothing of this one."""
    shop, order = Shop(payments=[PAID]), refund_order(PAID.transaction)
    served(shop, sent(ADAPTER.refund_request(order, TERMS, NOW)))
    body = served(shop, sent(ADAPTER.refund_question(order, TERMS, NOW)))
    other = {"orderId": "R-other", "amount": 20_000, "resultCode": 0, "transId": 9}
    with pytest.raises(Unanswered, match="no such refund"):
        ADAPTER.read_refund_answer(changed(body, refundTrans=[other, 1]), order, TERMS)
    alone = ADAPTER.read_refund_answer(changed(body, refundTrans=[]), order, TERMS)
    assert alone is not None
    assert alone.status == "refund_processing"
    with pytest.raises(Rejected):
        ADAPTER.read_refund_answer(changed(body, requestId="other-1"), order, TERMS)


@pytest.mark.parametrize(
    ("transaction", "amount_vnd"),
    [(None, 20_000), (f"0/{ORDER_CODE}", 20_000), ("12a", 20_000), ("1", 999), ("1", 50_000_001)],
)
def test_refunds_that_momo_would_refuse_are_not_sent(
    transaction: str | None, amount_vnd: int
) -> None:
    """A refund needs MoMo's own number, and an amount within its limits."""
    with pytest.raises(ValueError, match="MoMo gives back"):
        ADAPTER.refund_request(refund_order(transaction, amount_vnd), TERMS, NOW)


def test_momo_refuses_what_is_not_signed() -> None:
    """Its API refuses a wrong signature and unreadable bytes in its own words; elsewhere is 404."""
    request = sent(ADAPTER.status_request(question(), TERMS, NOW))
    forged = msgspec.structs.replace(
        request, body=request.body.replace(ORDER_CODE.encode(), b"HUE007K2M9Q4X2")
    )
    assert json.loads(served(Shop(payments=[PAID]), forged))["resultCode"] == 13
    assert (
        json.loads(served(Shop(), msgspec.structs.replace(request, body=b"{")))["resultCode"] == 20
    )
    for odd in ({"path": "/v2/gateway/api/other"}, {"method": "GET"}):
        call = msgspec.structs.replace(request, **odd)
        assert ADAPTER.serve_as_provider(call, Shop(), TERMS, NOW).status == 404
