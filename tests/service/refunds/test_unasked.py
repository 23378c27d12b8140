"""A provider that gives money back by itself is noticed, at once and not only by a settlement."""

from datetime import datetime, timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from providers import Call, Claim, Status
from service.database import transaction
from service.intake import inbox
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.refunds.messages import NewRefund
from tests.makers import NOW
from tests.service.refunds.making import TERMINAL, Office

pytestmark = pytest.mark.anyio

LATER: Final = NOW + timedelta(hours=1)
LIVE = "select array_agg(reason) from service.unmatched where status <> 'resolved'"


@pytest.fixture
async def office(engine: AsyncEngine, two_books: tuple[int, int]) -> Office:
    """Give an office without a provider that answers."""
    made = Office(engine)
    await made.open()
    return made


async def said(office: Office, status: Status, at: datetime = LATER) -> None:
    """The provider says something else of the payment that it told of."""
    async with transaction(office.engine) as connection:
        directory = Directory(office.engine, office.sealer)
        merchant = await directory.merchant("vnpay", TERMINAL)
        assert merchant is not None
        found = await connection.execute(
            sa.text(
                "select scope, provider_txn, reference, amount_vnd from service.event"
                " where status = 'paid'"
            )
        )
        event = found.one()
        claim = Claim(
            transaction=event.provider_txn,
            status=status,
            reference=event.reference,
            amount_vnd=event.amount_vnd,
            amount_text=str(event.amount_vnd),
            happened_at=at,
            kind="gateway",
            scope=event.scope,
        )
        delivery = Delivery(
            id=uuid7(),
            merchant=merchant,
            call=Call(method="POST", path="/"),
            claims=(claim,),
            received_at=at,
        )
        await inbox.commit_group(
            connection, [delivery], directory=directory, sealer=office.sealer, now=at
        )


@pytest.mark.parametrize("status", ["refunded", "refund_processing"])
async def test_money_given_back_unasked_is_a_case(office: Office, status: Status) -> None:
    """The fee stays paid, and people are told; told again it is still one case."""
    owed = await office.owed(1, 50_000)
    await office.paid(owed)
    await said(office, status)
    await said(office, status)
    await said(office, "refunded", LATER + timedelta(hours=1))
    assert await office.value(LIVE) == ["REFUND_NOT_BOOKED"]
    assert (await office.notice(owed.notice_id))[0] == "paid"
    assert await office.proven() == []


async def test_a_refund_that_we_approved_is_none(office: Office) -> None:
    """What people have decided to give back may be told by the provider at any time."""
    owed = await office.owed(1, 50_000)
    await office.paid(owed)
    await office.refund(owed.notice_id, NewRefund(of="fee", reason="withdrawn"))
    await said(office, "refunded")
    assert await office.value(LIVE) is None
    assert await office.proven() == []
