"""What a provider says of one payment, in every order of arrival: one state, no money undone."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Status
from service.proof import prove
from tests.makers import Made, make_owed
from tests.service.conftest import Province
from tests.service.intake.calls import CASES, deliver, ipn, status_of

pytestmark = pytest.mark.anyio

START = datetime(2026, 11, 3, 3, tzinfo=UTC)
SUSPENSE = sa.text("select sum(suspense_vnd), sum(allocated_vnd) from service.money_state")

Said = tuple[Status, int]
"""What VNPAY says, and the minute in which it says that happened."""


async def order_of(engine: AsyncEngine) -> Made:
    """An open order of the first book."""
    async with engine.begin() as connection:
        return await make_owed(connection, 1, 50_000)


async def said(
    client: httpx2.AsyncClient, province: Province, order: Made, *words: Said
) -> list[str]:
    """Deliver words about one transaction of an order, in this order; the codes answered."""
    return [
        await deliver(
            client,
            ipn(
                order.reference,
                province.vnpay_secret,
                transaction=f"7{order.reference[-3:].encode().hex()}".translate(HEX),
                status=status,
                paid_at=START + timedelta(minutes=minute),
            ),
        )
        for status, minute in words
    ]


HEX = str.maketrans("abcdef", "123456")


async def seen(client: httpx2.AsyncClient, order: Made) -> tuple[str, list[str]]:
    """The state that the API shows, and the history behind it."""
    found = (await client.get(f"/v1/payment-requests/{order.reference}")).json()
    return found["provider_state"], [word["status"] for word in found["history"]]


async def test_pending_then_paid_is_news(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """A payment that was pending and is paid is booked; it was no repeat."""
    order = await order_of(engine)
    assert (await client.get(f"/v1/payment-requests/{order.reference}")).json()["history"] == []
    assert await said(client, province, order, ("pending", 0), ("paid", 1)) == ["00", "00"]
    assert await seen(client, order) == ("paid", ["pending", "paid"])
    async with engine.connect() as connection:
        assert await status_of(connection, order.notice_id) == "paid"


async def test_no_order_of_arrival_undoes_a_payment(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """Pending, failed and then paid, heard in any order: paid, and nothing for people to do."""
    said_of_it: list[Said] = [("pending", 0), ("failed", 1), ("paid", 2)]
    for words in permutations(said_of_it):
        order = await order_of(engine)
        await said(client, province, order, *words)
        assert await seen(client, order) == ("paid", ["pending", "failed", "paid"])
        async with engine.connect() as connection:
            assert await status_of(connection, order.notice_id) == "paid"
            assert (await connection.execute(CASES)).all() == []
    assert [finding async for finding in prove(engine)] == []


async def test_a_contradiction_is_for_people_and_the_money_stays(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """Paid, and later failed at the provider, whichever is heard first: posted, and CONTESTED."""
    said_of_it: list[Said] = [("paid", 0), ("failed", 1)]
    for count, words in enumerate(permutations(said_of_it), 1):
        order = await order_of(engine)
        assert await said(client, province, order, *words, words[1]) in (
            ["00", "00", "00"],
            ["00", "00", "02"],
        )
        assert (await seen(client, order))[0] == "paid"
        async with engine.connect() as connection:
            assert await status_of(connection, order.notice_id) == "paid"
            cases = (await connection.execute(CASES)).all()
        assert [row.reason for row in cases] == ["CONTESTED"] * count
        assert cases[-1].fields == [
            {"name": "status", "expected": "paid", "found": "failed", "verdict": "differs"}
        ]
    assert [finding async for finding in prove(engine)] == []


@pytest.mark.parametrize(
    ("words", "status", "reasons"),
    [
        # Held, and let go: the money pays.
        ((("held", 0), ("paid", 1)), "paid", []),
        # The same, heard the other way round: the hold is over already.
        ((("paid", 1), ("held", 0)), "paid", []),
        # Paid, then held: posted money stays, a person looks.
        ((("paid", 0), ("held", 1)), "paid", ["CONTESTED"]),
        # It is known to be held when we hear that it was paid: it pays nothing.
        ((("held", 1), ("paid", 0)), "open", ["CONTESTED", "HELD_BY_PROVIDER"]),
    ],
)
async def test_money_that_the_provider_holds(
    client: httpx2.AsyncClient,
    engine: AsyncEngine,
    province: Province,
    words: tuple[Said, Said],
    status: str,
    reasons: list[str],
) -> None:
    """What is known to be held back does not pay, and what was let go does."""
    order = await order_of(engine)
    await said(client, province, order, *words)
    async with engine.connect() as connection:
        assert await status_of(connection, order.notice_id) == status
        cases = (await connection.execute(CASES)).all()
        suspense_vnd, allocated_vnd = (await connection.execute(SUSPENSE)).one()
    assert sorted(row.reason for row in cases if row.status == "open") == reasons
    paid = status == "paid"
    assert (suspense_vnd, allocated_vnd) == ((0, 50_000) if paid else (50_000, 0))
    assert [finding async for finding in prove(engine)] == []
