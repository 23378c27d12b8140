"""Refunds from the proposal to the end, with every entry held against the accounting page."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.refunds.messages import NewOutcome, NewRefund
from tests.makers import transfer
from tests.service.refunds.making import Office, Provider, served

pytestmark = pytest.mark.anyio


@pytest.fixture
async def office(engine: AsyncEngine, two_books: tuple[int, int]) -> Office:
    """Give an office without a provider that answers."""
    made = Office(engine)
    await made.open()
    return made


async def test_a_second_payment_goes_back_through_the_gateway(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Dr 3381 / Cr 3382 when approved, Dr 3382 / Cr 1130 when VNPAY has given it back."""
    provider = Provider()
    with served(provider) as address:
        office = Office(engine)
        await office.open(address)
        owed = await office.owed(1, 50_000, 20_000)
        await office.paid(owed)
        await office.paid(owed, number=14_000_002)
        provider.pay(owed.reference, 70_000, "14000001", "14000002")
        new = NewRefund(of="held", reason="duplicate")
        refund = await office.refund(owed.notice_id, new)
        assert (refund.status, refund.amount_vnd) == ("approved", 70_000)
        assert [(p.route, p.payable_vnd) for p in refund.parts] == [("provider", 70_000)]
        assert await office.proven() == []
        await office.work()
        provider.finish()
        office.now = office.found_due(await office.found(refund.id))
        await office.work()
    paid = await office.found(refund.id)
    assert (paid.status, len(provider.orders)) == ("paid", 1)
    assert await office.lines() == [
        ("refund_approved", "3381", "3382", 70_000),
        ("refund_paid", "3382", "1130", 70_000),
    ]
    assert await office.notice(owed.notice_id) == ("paid", 70_000, 0, 0)
    assert await office.proven() == []
