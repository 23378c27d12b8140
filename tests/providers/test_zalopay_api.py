"""ZaloPay's API: what it is asked, and what its unsigned answers may say."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from providers import Call, CheckoutOrder, Claim, Rejected, Secret, Unanswered
from providers.acting import Shop
from providers.zalopay import ADAPTER
from tests.providers.making import NOW
from tests.providers.wallets import AMOUNT_VND, checkout_order, question, refund_order, sent
from tests.providers.wallets import ZALOPAY_CODE as CODE
from tests.providers.wallets import ZALOPAY_PAID as PAID
from tests.providers.wallets import ZALOPAY_TERMS as TERMS

ERRORS = ("-401", "-402", "-403", "-405", "-406", "406", "-429", "-500", "-999")


def order() -> CheckoutOrder:
    """The order that CODE names."""
    return checkout_order(CODE)


def served(shop: Shop, call: Call) -> bytes:
    """What ZaloPay answers."""
    return ADAPTER.serve_as_provider(call, shop, TERMS, NOW).body


def asked(shop: Shop) -> list[Claim]:
    """What ZaloPay says of the order when it is asked."""
    body = served(shop, sent(ADAPTER.status_request(question(CODE), TERMS, NOW)))
    return list(ADAPTER.read_status(body, question(CODE), TERMS))


def answer(**fields: object) -> bytes:
    """An answer of ZaloPay's API."""
    return json.dumps(fields).encode()


def told(**fields: object) -> Claim:
    """What an answer to the question about the order means."""
    (claim,) = ADAPTER.read_status(answer(**fields), question(CODE), TERMS)
    return claim


def test_a_checkout_is_opened_once() -> None:
    """The order is signed with key1 and lasts as long as ours; a name opens no second one."""
    shop = Shop(page="https://zalopay.example/pay")
    request = ADAPTER.checkout_request(order(), TERMS, NOW)
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert request.url == "https://sb-openapi.zalopay.vn/v2/create"
    assert fields["expire_duration_seconds"] == "900"
    assert fields["app_time"] == str(int(NOW.timestamp() * 1000))
    assert json.loads(fields["embed_data"]) == {"redirecturl": order().return_url}
    assert "PcY4iZ" not in request.body.decode() + repr(request)
    checkout = ADAPTER.read_checkout(served(shop, sent(request)), order(), TERMS)
    assert checkout.url == f"https://zalopay.example/pay/{CODE}"
    opened = shop.orders[CODE]
    assert (opened.amount_vnd, opened.expires_at) == (AMOUNT_VND, order().expires_at)
    assert opened.callback_url == order().callback_url
    with pytest.raises(Unanswered) as unanswered:
        ADAPTER.read_checkout(served(shop, sent(request)), order(), TERMS)
    assert unanswered.value.code == "-68"


@pytest.mark.parametrize(
    "odd",
    [
        {"amount_vnd": 0}, {"amount_vnd": 10**15 + 1}, {"order_code": "x" * 41},
        {"order_code": "a b"}, {"expires_at": NOW}, {"return_url": "https://a.example/|"},
    ],
)  # fmt: skip
def test_orders_that_zalopay_would_refuse_are_not_sent(odd: dict[str, Any]) -> None:
    """Limits of amounts, names and times are said before anything is sent."""
    with pytest.raises(ValueError, match=r"amount|app_trans_id|key|expired|pipe"):
        ADAPTER.checkout_request(msgspec.structs.replace(order(), **odd), TERMS, NOW)


def test_the_life_of_an_order_is_within_zalopays_limits() -> None:
    """No shorter than five minutes, no longer than thirty days."""
    for lasts, seconds in ((timedelta(minutes=1), "300"), (timedelta(days=99), "2592000")):
        one = msgspec.structs.replace(order(), expires_at=NOW + lasts)
        body = ADAPTER.checkout_request(one, TERMS, NOW).body.decode()
        assert dict(parse_qsl(body))["expire_duration_seconds"] == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"<html>", b"{}", b'{"return_code":true}', b'{"return_code":"x"}',
        answer(return_code=1), answer(return_code=1, order_url="javascript:alert(1)"),
        b"{" + b" " * 300_000 + b"}",
    ],
)  # fmt: skip
def test_an_answer_without_a_page_opens_nothing(body: bytes) -> None:
    """Citizens are sent to web pages only."""
    with pytest.raises(Rejected):
        ADAPTER.read_checkout(body, order(), TERMS)


def test_without_key1_nothing_is_asked() -> None:
    """Requests are signed with key1, which is another key than that of callbacks."""
    refund = refund_order("1")
    for credentials in ({}, {"key1": Secret("")}):
        terms = msgspec.structs.replace(TERMS, credentials=credentials)
        with pytest.raises(ValueError, match="key1"):
            ADAPTER.checkout_request(order(), terms, NOW)
        with pytest.raises(ValueError, match="key1"):
            ADAPTER.status_request(question(CODE), terms, NOW)
        for make in (ADAPTER.refund_request, ADAPTER.refund_question):
            with pytest.raises(ValueError, match="key1"):
                make(refund, terms, NOW)


def test_an_order_that_nobody_paid_waits() -> None:
    """An open order is pending at the ordered amount; an unknown one is no claim at all."""
    shop = Shop()
    assert asked(shop) == []
    served(shop, sent(ADAPTER.checkout_request(order(), TERMS, NOW)))
    (claim,) = asked(shop)
    assert (claim.status, claim.amount_vnd, claim.transaction) == (
        "pending",
        AMOUNT_VND,
        f"0/{CODE}",
    )
    shop.orders[CODE] = msgspec.structs.replace(shop.orders[CODE], expires_at=NOW)
    assert [one.status for one in asked(shop)] == ["failed"]
    shop.payments.append(msgspec.structs.replace(PAID, status="cancelled", transaction="1"))
    assert [one.status for one in asked(shop)] == ["cancelled"]
    shop.payments.extend([PAID, msgspec.structs.replace(PAID, status="failed", transaction="2")])
    assert [(one.status, one.transaction) for one in asked(shop)] == [("paid", PAID.transaction)]


def test_what_is_processing_is_neither_paid_nor_failed() -> None:
    """Whatever the code beside it says."""
    for fields in (
        {"return_code": 3}, {"return_code": 3, "is_processing": False},
        {"return_code": 1, "is_processing": True, "zp_trans_id": 5},
        {"return_code": 2, "is_processing": True}, {"return_code": "3"},
        {"return_code": 2, "is_processing": "true", "sub_return_code": -329},
    ):  # fmt: skip
        assert told(**fields).status == "pending"


def test_codes_say_what_the_page_says() -> None:
    """1 is paid, 2 failed, and -329 with it cancelled; an amount is told as it is."""
    paid = told(return_code=1, zp_trans_id=5, amount=49_000)
    assert (paid.status, paid.transaction, paid.amount_vnd) == ("paid", "5", 49_000)
    assert paid.happened_at is None
    failed = told(return_code=2, sub_return_code=-63)
    assert (failed.status, failed.amount_vnd, failed.transaction) == (
        "failed",
        AMOUNT_VND,
        f"0/{CODE}",
    )
    assert told(return_code=2, sub_return_code=-329).status == "cancelled"
    assert told(return_code=1, zp_trans_id=5).amount_vnd is None


@pytest.mark.parametrize("code", [*ERRORS, "0", "4", "-1", "77"])
def test_an_error_says_nothing_of_a_payment(code: str) -> None:
    """Neither failed nor unknown: it is to be asked again; a refund is not done either."""
    refund = refund_order(PAID.transaction, order_code=CODE)
    bodies = [answer(return_code=int(code), return_message="Lỗi")]
    if code in ERRORS:
        bodies.append(answer(return_code=2, sub_return_code=int(code), return_message="Lỗi"))
    for body in bodies:
        with pytest.raises(Unanswered) as unanswered:
            ADAPTER.read_status(body, question(CODE), TERMS)
        assert (unanswered.value.code, str(unanswered.value)) == (code, f"{code}: Lỗi")
        for read_answer in (ADAPTER.read_refund, ADAPTER.read_refund_answer):
            with pytest.raises(Unanswered) as unanswered:
                read_answer(body, refund, TERMS)
            assert unanswered.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"return_code": 1}, {"return_code": 1, "zp_trans_id": 0}, {"return_code": True},
        {"return_code": 1, "zp_trans_id": 5, "app_trans_id": "260312_OTHER"},
        {"return_code": 1, "zp_trans_id": 5, "app_id": 2554}, {"return_code": None},
        {"return_code": 1, "zp_trans_id": "4 5"}, {"return_code": [1]},
    ],
)  # fmt: skip
def test_an_answer_that_contradicts_the_question_is_not_believed(fields: dict[str, Any]) -> None:
    """Money needs ZaloPay's number; where an answer names an app or order, it must be ours."""
    with pytest.raises(Rejected):
        told(**fields)


def test_what_the_pages_leave_open_is_an_option() -> None:
    """The code for what is unknown, the name shown to payers, the address, refunds at once."""
    terms = msgspec.structs.replace(
        TERMS,
        api_address="http://127.0.0.1:9/zalopay/",
        options={
            "app_user": "motcua",
            "order_unknown_code": -49,
            "refund_unknown_code": "none",
            "refund_at_once": True,
        },
    )
    request = ADAPTER.checkout_request(order(), terms, NOW)
    assert request.url == "http://127.0.0.1:9/zalopay/v2/create"
    assert dict(parse_qsl(request.body.decode()))["app_user"] == "motcua"
    assert ADAPTER.serve_as_provider(sent(request), Shop(), terms, NOW).status == 200
    unknown = answer(return_code=2, sub_return_code=-49)
    assert ADAPTER.read_status(unknown, question(CODE), terms) == ()
    refund = refund_order(PAID.transaction, order_code=CODE)
    lost = answer(return_code=2, sub_return_code=-101)
    kept = ADAPTER.read_refund_answer(lost, refund, terms)
    assert kept is not None
    assert kept.status == "refund_failed"
    assert ADAPTER.read_refund_answer(lost, refund, TERMS) is None
    assert ADAPTER.read_refund(answer(return_code=1), refund, terms).status == "refunded"
    assert ADAPTER.read_refund(answer(return_code=1), refund, TERMS).status == "refund_processing"


def test_a_refund_is_made_once_and_asked_about() -> None:
    """Its name follows from the request and the day it was first sent, so repeats are no second."""
    shop = Shop(payments=[PAID])
    refund = refund_order(PAID.transaction, order_code=CODE)
    asking = ADAPTER.refund_question(refund, TERMS, NOW)
    assert ADAPTER.read_refund_answer(served(shop, sent(asking)), refund, TERMS) is None
    request = ADAPTER.refund_request(refund, TERMS, NOW)
    later = ADAPTER.refund_request(refund, TERMS, NOW + timedelta(days=2))
    names = [dict(parse_qsl(one.body.decode()))["m_refund_id"] for one in (request, later, asking)]
    assert len(set(names)) == 1
    assert names[0].startswith("260313_2553_")
    assert len(names[0]) <= 45
    first = ADAPTER.read_refund(served(shop, sent(request)), refund, TERMS)
    assert (first.status, first.amount_vnd, first.scope) == ("refund_processing", 20_000, CODE)
    again = ADAPTER.read_refund(served(shop, sent(later)), refund, TERMS)
    assert again.status == "refund_processing"
    (name,) = shop.refunds
    for state, status in (("done", "refunded"), ("failed", "refund_failed")):
        shop.refunds[name] = msgspec.structs.replace(shop.refunds[name], state=state)
        told_ = ADAPTER.read_refund_answer(served(shop, sent(asking)), refund, TERMS)
        assert told_ == msgspec.structs.replace(first, status=status)


def test_a_refund_that_zalopay_refuses_has_failed() -> None:
    """More than was paid, and a payment that it does not know."""
    for refund in (
        refund_order(PAID.transaction, 50_001, CODE),
        refund_order("260312000000001", order_code=CODE),
    ):
        body = served(Shop(payments=[PAID]), sent(ADAPTER.refund_request(refund, TERMS, NOW)))
        assert ADAPTER.read_refund(body, refund, TERMS).status == "refund_failed"
    for transaction, amount_vnd in ((None, 1), (f"0/{CODE}", 1), ("1", 0)):
        with pytest.raises(ValueError, match=r"give back|gives back"):
            ADAPTER.refund_request(refund_order(transaction, amount_vnd), TERMS, NOW)


def test_zalopay_refuses_what_is_not_signed() -> None:
    """Its API answers a wrong mac and unreadable bytes in its own words; elsewhere is 404."""
    request = sent(ADAPTER.status_request(question(CODE), TERMS, NOW))
    for body, code in (
        (request.body.replace(b"260312", b"260313"), -402),
        (request.body.replace(b"app_id=2553", b"app_id=2554"), -402),
        (b"\xff", -401),
        (b"", -402),
    ):
        call = msgspec.structs.replace(request, body=body)
        assert json.loads(served(Shop(payments=[PAID]), call))["sub_return_code"] == code
    for odd in ({"path": "/v2/other"}, {"method": "GET"}):
        call = msgspec.structs.replace(request, **odd)
        assert ADAPTER.serve_as_provider(call, Shop(), TERMS, NOW).status == 404
    fields = dict(parse_qsl(request.body.decode()))
    as_json = msgspec.structs.replace(
        request,
        headers=(("content-type", "application/json"),),
        body=json.dumps(fields | {"app_id": 2553}).encode(),
    )
    assert json.loads(served(Shop(payments=[PAID]), as_json))["return_code"] == 1
