"""The pages a citizen sees at the simulated provider: Vietnamese first, without script."""

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from providers.acting import Order, Payment

STYLE: Final = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.5rem 1rem;margin:.2rem 0;width:100%}"
    "input{font:inherit;width:10rem}td,th{text-align:left;padding:.1rem .6rem .1rem 0}"
    "small{color:#555}.note{background:#fff3c4;padding:.5rem 1rem}"
)
BUTTONS: Final = (
    ("pay", "Thanh toán", "Pay"),
    ("fail", "Thanh toán lỗi", "Fail"),
    ("cancel", "Hủy giao dịch", "Cancel"),
    ("twice", "Thanh toán hai lần", "Pay twice"),
)
TOLD: Final = {
    "paid": ("Đã thanh toán", "Paid"),
    "credit": ("Đã chuyển khoản", "Transferred"),
    "failed": ("Giao dịch lỗi", "Failed"),
    "cancelled": ("Đã hủy", "Cancelled"),
}
SHOWN_MAX: Final = 50


def checkout(
    provider: str, order: Order | None, code: str, payments: Sequence[Payment], *, below: str
) -> str:
    """The page of an order, or of a transfer with a payment code, with what was paid already.

    `below` is the path under which all pages are, as a browser sees it.
    """
    amount_vnd = order.amount_vnd if order else 0
    due = f"<p><b>{_vnd(amount_vnd)}</b></p>" if amount_vnd else ""
    text = f"<p>{escape(order.description)}</p>" if order and order.description else ""
    buttons = "".join(
        f'<p><button name="action" value="{action}">{vi} <small>{en}</small></button></p>'
        for action, vi, en in BUTTONS
        if amount_vnd
    )
    return _page(
        f"{provider}: {code}",
        f"{due}{text}{_paid(payments)}"
        f'<form method="post" action="{_address(below, code)}">{buttons}'
        "<p><label>Số tiền khác <small>another amount</small> "
        '<input name="amount_vnd" inputmode="numeric" pattern="[0-9]+"></label> '
        '<button name="action" value="other">Trả số tiền này <small>Pay this</small></button></p>'
        "</form>",
    )


def done(
    provider: str, order: Order | None, code: str, payments: Sequence[Payment], *, below: str
) -> str:
    """What has happened, and the way back to the merchant."""
    back = order.return_url if order else ""
    link = ""
    if back.startswith(("http://", "https://")):
        link = (
            f'<p><a href="{escape(back)}">Quay lại trang dịch vụ '
            "<small>back to the service</small></a></p>"
        )
    return _page(
        f"{provider}: {code}",
        f"{_paid(payments)}{link}"
        f'<p><a href="{_address(below, code)}">Trang thanh toán '
        "<small>the checkout page</small></a></p>",
    )


def refused(provider: str, why: str) -> str:
    """A link that opens nothing."""
    return _page(
        f"{provider}", f'<p class="note">Không mở được đơn hàng <small>{escape(why)}</small></p>'
    )


def home(provider: str, merchant: str, orders: Sequence[Order], *, below: str) -> str:
    """What there is to see and to call."""
    rows = "".join(
        f'<tr><td><a href="{_address(below, one.order_code)}">{escape(one.order_code)}</a></td>'
        f"<td>{_vnd(one.amount_vnd)}</td></tr>"
        for one in reversed(orders[-SHOWN_MAX:])
    )
    return _page(
        f"{provider} / {merchant}",
        f"<table><tr><th>Đơn hàng <small>order</small></th><th></th></tr>{rows}</table>"
        "<p><small>/control/list · /control/pay · /control/knobs · /control/refunds · "
        "/settlement/&lt;date&gt;.csv</small></p>",
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>"
        '<p class="note">Giả lập, không có tiền thật. '
        "<small>A simulator: no money moves.</small></p>"
        f"{body}</body></html>"
    )


def _paid(payments: Sequence[Payment]) -> str:
    rows = []
    for one in payments[-SHOWN_MAX:]:
        vi, en = TOLD.get(one.status, (one.status, one.status))
        rows.append(
            f"<tr><td>{vi} <small>{en}</small></td><td>{_vnd(one.amount_vnd)}</td>"
            f"<td>{escape(one.transaction)}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _address(below: str, code: str) -> str:
    return f"{below}/{quote(code, safe='')}"


def _vnd(amount_vnd: int) -> str:
    return f"{amount_vnd:,} ₫".replace(",", ".")
