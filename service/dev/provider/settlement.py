"""The settlement file of a simulated provider's day, written by the mapping that we ship for it.

No provider publishes its columns: the mapping is a proposal, and so is what the file looks like.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

from providers.acting import Order, Payment, Shop
from providers.settlements import MAPPINGS, Fact, SettlementMapping
from providers.settlements.writing import payouts_of, write_csv
from providers.untrusted import VIETNAM

GENERIC: Final = "generic"
FEE_PER_10_000: Final = 110
"""1.1 % of each payment, rounded half up to a đồng."""
PAYOUT_FEE_VND: Final = 3_300
"""What the transfer of a day's money costs; a line of its own, where the file knows such lines."""
MONEY: Final = frozenset({"paid", "credit"})
TOLD_AT: Final = time(23, 59, 59, tzinfo=VIETNAM)


def of_day(shop: Shop, provider: str, merchant: str, day: date) -> bytes:
    """The file of a Vietnamese calendar day: its payments, its refunds, the fee, the payout."""
    mapping = mapping_of(provider)
    return write_csv(mapping, facts_of_day(mapping, shop, merchant, day))


def mapping_of(provider: str) -> SettlementMapping:
    """The mapping of a provider; the generic one where it has none of its own."""
    return MAPPINGS.get(provider, MAPPINGS[GENERIC])


def facts_of_day(mapping: SettlementMapping, shop: Shop, merchant: str, day: date) -> list[Fact]:
    """What the file says, in our words. In-going money counts alone where it is in our account."""
    batch = _batch(mapping, shop, merchant, day)
    found = [
        _payment(mapping, shop.orders.get(one.order_code or ""), one, batch)
        for one in shop.payments
        if one.status in MONEY and _day(one.paid_at) == day
    ]
    if mapping.money == "account":
        return found
    by_number = {one.transaction: one for one in shop.payments}
    for refund in shop.refunds.values():
        paid = by_number.get(refund.of_transaction)
        if refund.state == "done" and _day(refund.asked_at) == day and paid is not None:
            found.append(
                Fact(
                    kind="refund",
                    transaction=refund.of_transaction,
                    order=refund.order_code,
                    scope=_scope(mapping, paid),
                    gross_vnd=-refund.amount_vnd,
                    fee_vnd=0,
                    batch=batch,
                    happened_at=refund.asked_at,
                    refund_reference=refund.request_id,
                )
            )
    if found and "fee" in mapping.kinds:
        found.append(
            Fact(
                kind="fee",
                transaction="",
                order="",
                gross_vnd=0,
                fee_vnd=PAYOUT_FEE_VND,
                batch=batch,
                happened_at=datetime.combine(day, TOLD_AT),
            )
        )
    if mapping.batches != "daily" and "payout" in mapping.kinds:
        found += payouts_of(found, paid_on=day + timedelta(days=1))
    return found


def fee_of(amount_vnd: int) -> int:
    """What a payment costs, in đồng."""
    return (amount_vnd * FEE_PER_10_000 + 5_000) // 10_000


def _payment(mapping: SettlementMapping, order: Order | None, payment: Payment, batch: str) -> Fact:
    return Fact(
        kind="payment",
        transaction=payment.transaction,
        order=(order.order_code if order else payment.order_code) or "",
        scope=_scope(mapping, payment),
        gross_vnd=payment.amount_vnd,
        fee_vnd=fee_of(payment.amount_vnd) if mapping.money == "provider" else 0,
        batch=batch,
        happened_at=payment.paid_at,
        bank_reference=payment.bank_reference,
    )


def _scope(mapping: SettlementMapping, payment: Payment) -> str:
    scopes = {"order": payment.order_code or "", "column": payment.scope, "none": ""}
    return scopes[mapping.scope]


def _batch(mapping: SettlementMapping, shop: Shop, merchant: str, day: date) -> str:
    """A day is a batch: by its date, by a name, or by a number: the first day with money is 1."""
    before = {_day(one.paid_at) for one in shop.payments if one.status in MONEY} - {day}
    names = {
        "daily": day.isoformat(),
        "counted": str(1 + sum(one < day for one in before)),
        "named": f"{merchant}-{day:%Y%m%d}",
    }
    return names[mapping.batches]


def _day(moment: datetime) -> date:
    return moment.astimezone(VIETNAM).date()
