"""What the tests of MoMo and ZaloPay share: merchants, and orders to play with."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from hypothesis import strategies as st

from providers import Call, CheckoutOrder, RefundOrder, Secret, SignedRequest, StatusQuestion, Terms
from providers.acting import Payment
from tests.providers.making import NOW

ORDER_CODE: Final = "HUE007K2M9Q4X1"
AMOUNT_VND: Final = 50_000

MOMO_TERMS: Final = Terms(
    merchant="MOMOHUE1",
    secrets=(Secret("K951B6PE1waDMi640xX08PD3vg6EkVlz"),),
    credentials={"access_key": Secret("F8BBA842ECF85")},
)
MOMO_PAID: Final = Payment(
    order_code=ORDER_CODE,
    transaction="4084757999",
    amount_vnd=AMOUNT_VND,
    paid_at=NOW,
    memo="Nộp phí lệ phí",
)

ZALOPAY_TERMS: Final = Terms(
    merchant="2553",
    secrets=(Secret("kLtgPl8HHhfvMuDHPwKfgfsY4Ydm9eIz"),),
    credentials={"key1": Secret("PcY4iZIKFCIdgZvA6ueMcMHHUbRLYjPL")},
)
ZALOPAY_CODE: Final = f"260312_{ORDER_CODE}"
ZALOPAY_PAID: Final = Payment(
    order_code=ZALOPAY_CODE, transaction="260312000000389", amount_vnd=AMOUNT_VND, paid_at=NOW
)


def sent(request: SignedRequest) -> Call:
    """The request as it arrives at the provider."""
    return Call(
        method=request.method,
        path=urlsplit(request.url).path,
        headers=request.headers,
        body=request.body,
    )


def checkout_order(order_code: str = ORDER_CODE, amount_vnd: int = AMOUNT_VND) -> CheckoutOrder:
    """An order of NOW that lasts fifteen minutes."""
    return CheckoutOrder(
        reference=ORDER_CODE,
        order_code=order_code,
        request_id=ORDER_CODE,
        amount_vnd=amount_vnd,
        description="Nộp lệ phí & phí = 1",
        return_url="https://dichvucong.example/xong?hs=1",
        callback_url="https://doisoat.example/callbacks/wallet/1",
        client_ip="203.0.113.7",
        ordered_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
    )


def question(
    order_code: str = ORDER_CODE, amount_vnd: int | None = AMOUNT_VND, request_id: str = "ask-1"
) -> StatusQuestion:
    """What became of the order."""
    return StatusQuestion(
        request_id=request_id,
        order_code=order_code,
        ordered_at=NOW,
        client_ip="203.0.113.7",
        amount_vnd=amount_vnd,
    )


def refund_order(
    transaction: str | None, amount_vnd: int = 20_000, order_code: str = ORDER_CODE
) -> RefundOrder:
    """A part of the payment is to be given back."""
    return RefundOrder(
        request_id="0199c8f2-6d1e-7a3b-9c55-1f2e3d4c5b6a",
        order_code=order_code,
        transaction=transaction,
        amount_vnd=amount_vnd,
        whole=False,
        ordered_at=NOW,
        asked_at=NOW + timedelta(days=1),
        asked_by="ketoan01",
        client_ip="203.0.113.7",
        description="Hoàn tiền hồ sơ",
    )


_TEXTS: Final = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40
).filter(lambda text: "&orderId=" not in text)
_TIMES: Final = st.integers(1_500_000_000_000, 3_000_000_000_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
PAYMENTS: Final = st.builds(
    Payment,
    order_code=st.from_regex(r"[0-9A-Z]{1,20}(-[0-9]{1,3})?", fullmatch=True),
    transaction=st.integers(1, 10**18).map(str),
    amount_vnd=st.integers(1, 10**12),
    paid_at=_TIMES,
    memo=_TEXTS,
)
"""Payments as a wallet may have them: times to the millisecond, any text."""
