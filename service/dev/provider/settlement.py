"""The settlement file of a provider's day, in the layout of that provider's mapping, as CSV.

No provider of the catalogue publishes its columns: the mappings that come with us are proposals.
Every amount is whole đồng.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

from providers.acting import Payment, Refund, Shop
from providers.settlements import MAPPINGS, Fact, SettlementMapping
from providers.settlements.writing import write_csv
from providers.untrusted import VIETNAM

GENERIC: Final = "generic"
FEE_PER_10_000: Final = 110
"""1.1 % of each payment, rounded half up to a đồng, where the provider holds the money first."""
MONEY: Final = frozenset({"paid", "credit"})


def of_day(shop: Shop, provider: str, merchant: str, day: date) -> bytes:
    """The file of a Vietnamese calendar day."""
    mapping = mapping_of(provider)
    return write_csv(mapping, facts_of_day(shop, mapping, merchant, day))


def mapping_of(provider: str) -> SettlementMapping:
    """The mapping of a provider; the generic one where it has none of its own."""
    return MAPPINGS.get(provider, MAPPINGS[GENERIC])


def facts_of_day(shop: Shop, mapping: SettlementMapping, merchant: str, day: date) -> list[Fact]:
    """What the provider settles for a day: payments, refunds, and the payout that it announces.

    A batch is a day. Where batches are counted, the first day that moved money is number 1.
    """
    days = sorted({_day(one.paid_at) for one in shop.payments if one.status in MONEY})
    number = {
        "daily": f"{day:%Y-%m-%d}",
        "named": f"{merchant}-{day:%Y%m%d}",
        "counted": str(days.index(day) + 1 if day in days else len(days) + 1),
    }[mapping.batches]
    fees = mapping.money == "provider"
    found = [
        _payment(one, number, fee_of(one.amount_vnd) if fees else 0)
        for one in shop.payments
        if one.status in MONEY and _day(one.paid_at) == day
    ]
    found += [
        _refund(one, number)
        for one in shop.refunds.values()
        if one.state == "done" and _day(one.asked_at) == day
    ]
    if fees and mapping.batches != "daily":
        found += _payout(found, number, day)
    return found


def fee_of(amount_vnd: int) -> int:
    """What a payment costs, in đồng."""
    return (amount_vnd * FEE_PER_10_000 + 5_000) // 10_000


def _payment(payment: Payment, batch: str, fee_vnd: int) -> Fact:
    return Fact(
        kind="payment",
        transaction=payment.transaction,
        order=payment.order_code or "",
        scope=payment.scope,
        gross_vnd=payment.amount_vnd,
        fee_vnd=fee_vnd,
        batch=batch,
        happened_at=payment.paid_at,
        bank_reference=payment.bank_reference,
    )


def _refund(refund: Refund, batch: str) -> Fact:
    return Fact(
        kind="refund",
        transaction=refund.of_transaction,
        order=refund.order_code,
        gross_vnd=-refund.amount_vnd,
        fee_vnd=0,
        batch=batch,
        happened_at=refund.asked_at,
        refund_reference=refund.request_id,
    )


def _payout(facts: Sequence[Fact], batch: str, day: date) -> list[Fact]:
    net_vnd = sum(one.net_vnd for one in facts)
    if net_vnd <= 0:
        return []
    return [
        Fact(
            kind="payout",
            transaction="",
            order="",
            gross_vnd=net_vnd,
            fee_vnd=0,
            batch=batch,
            happened_at=datetime.combine(day, time(23, 59), VIETNAM),
        )
    ]


def _day(moment: datetime) -> date:
    return moment.astimezone(VIETNAM).date()
