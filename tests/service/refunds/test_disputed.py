"""What the payer's bank has taken back is not given back once more."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.settlements import Fact
from providers.settlements.mapping import Kind
from service.refunds.errors import NothingToRefund, RefundExceeds
from service.refunds.messages import NewRefund
from tests.makers import NOW, Made
from tests.service.refunds.making import TERMINAL, Office
from tests.service.settlements.making import Shop, bring, file_of

pytestmark = pytest.mark.anyio

SHOP = Shop(provider="vnpay", merchant=TERMINAL)


def line(owed: Made, kind: Kind, gross_vnd: int) -> Fact:
    """What VNPAY's file says of the payment of `owed`."""
    return Fact(
        kind=kind,
        transaction="14000001",
        order=owed.reference,
        scope=owed.reference,
        gross_vnd=gross_vnd,
        fee_vnd=0,
        batch="7",
        happened_at=NOW,
    )


async def settled(office: Office, *told: Fact) -> None:
    """VNPAY's file of these lines is taken."""
    done = await bring(office.engine, SHOP, file_of(SHOP, told, payouts=False))
    assert (done["status"], done["problem"]) == ("done", None)


@pytest.mark.parametrize("disputed_vnd", [70_000, 30_000])
async def test_a_chargeback_is_not_refunded_again(
    engine: AsyncEngine, two_books: tuple[int, int], disputed_vnd: int
) -> None:
    """The rest may be; once the dispute is won all of it may."""
    office = Office(engine)
    await office.open()
    owed = await office.owed(1, 70_000)
    await office.paid(owed)
    lines = [line(owed, "payment", 70_000), line(owed, "chargeback", -disputed_vnd)]
    await settled(office, *lines)
    whole = NewRefund(of="fee", reason="withdrawn", amount_vnd=70_000)
    with pytest.raises((NothingToRefund, RefundExceeds)):
        await office.ask("maker", owed.notice_id, whole)
    if disputed_vnd < 70_000:
        rest = NewRefund(of="fee", reason="withdrawn")
        asked = await office.ask("maker", owed.notice_id, rest)
        assert asked.amount_vnd == 70_000 - disputed_vnd
        await office.decide("checker", asked.id, "rejected")
    await settled(office, *lines, line(owed, "chargeback_reversed", disputed_vnd))
    assert (await office.refund(owed.notice_id, whole)).status == "approved"
    assert await office.proven() == []
