"""The settlement file of a provider's day: one neutral layout, in English, as CSV.

No provider of the catalogue publishes its own; this is the simulator's. Every amount is whole đồng.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from providers.acting import Payment, Refund, Shop
from providers.untrusted import VIETNAM

COLUMNS: Final = (
    "line_type",
    "transaction",
    "order_code",
    "happened_at",
    "gross_vnd",
    "fee_vnd",
    "net_vnd",
    "batch",
    "bank_reference",
)
FEE_PER_10_000: Final = 110
"""1.1 % of each payment, rounded half up to a đồng."""
PAYOUT_FEE_VND: Final = 3_300
"""What the transfer of a day's money costs; a line of its own."""
COUNT: Final = "count"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file; net = gross - fee, but for the payout, which is the sum of them."""

    line_type: str
    transaction: str
    order_code: str = ""
    happened_at: datetime | None = None
    gross_vnd: int = 0
    fee_vnd: int = 0
    net_vnd: int
    bank_reference: str = ""


def of_day(shop: Shop, merchant: str, day: date) -> bytes:
    """The file of a Vietnamese calendar day: payments, refunds, the fee, the payout, the count."""
    batch = f"{merchant}-{day:%Y%m%d}"
    lines = [
        _payment(one) for one in shop.payments if one.status == "paid" and _day(one.paid_at) == day
    ]
    lines += [
        _refund(one)
        for one in shop.refunds.values()
        if one.state == "done" and _day(one.asked_at) == day
    ]
    if lines:
        fee = Line(
            line_type="fee",
            transaction=f"{batch}-FEE",
            fee_vnd=PAYOUT_FEE_VND,
            net_vnd=-PAYOUT_FEE_VND,
        )
        lines.append(fee)
        lines.append(
            Line(
                line_type="payout",
                transaction=f"{batch}-PAYOUT",
                net_vnd=sum(one.net_vnd for one in lines),
                bank_reference=f"PAYOUT{batch}".replace("-", ""),
            )
        )
    return _written(lines, batch)


def fee_of(amount_vnd: int) -> int:
    """What a payment costs, in đồng."""
    return (amount_vnd * FEE_PER_10_000 + 5_000) // 10_000


def _payment(payment: Payment) -> Line:
    fee_vnd = fee_of(payment.amount_vnd)
    return Line(
        line_type="payment",
        transaction=payment.transaction,
        order_code=payment.order_code or "",
        happened_at=payment.paid_at,
        gross_vnd=payment.amount_vnd,
        fee_vnd=fee_vnd,
        net_vnd=payment.amount_vnd - fee_vnd,
        bank_reference=payment.bank_reference,
    )


def _refund(refund: Refund) -> Line:
    return Line(
        line_type="refund",
        transaction=refund.transaction,
        order_code=refund.order_code,
        happened_at=refund.asked_at,
        gross_vnd=-refund.amount_vnd,
        net_vnd=-refund.amount_vnd,
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(VIETNAM).date()


def _written(lines: Sequence[Line], batch: str) -> bytes:
    """The lines under their headings, and a trailer that counts them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        at = line.happened_at
        writer.writerow(
            [
                line.line_type,
                line.transaction,
                line.order_code,
                f"{at.astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}" if at else "",
                line.gross_vnd,
                line.fee_vnd,
                line.net_vnd,
                batch,
                line.bank_reference,
            ]
        )
    writer.writerow([COUNT, len(lines), *[""] * (len(COLUMNS) - 2)])
    return out.getvalue().encode()
