"""With every callback lost, what was paid is booked by asking, at every provider (must show 3)."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service.proof import prove
from tests.service.asking.making import PAYABLE, World, world_of

pytestmark = pytest.mark.anyio

EACH = pytest.mark.parametrize("provider", PAYABLE)


@pytest.fixture
async def world(
    app: Litestar, engine: AsyncEngine, client: httpx2.AsyncClient
) -> AsyncIterator[World]:
    """Give the world with every provider that can be asked."""
    async with world_of(app, engine, client, PAYABLE) as made:
        yield made


def test_there_are_providers_to_ask() -> None:
    """The tests of this file test something."""
    assert "vnpay" in PAYABLE


async def test_all_that_was_paid_is_booked_though_nobody_called(world: World) -> None:
    """Callbacks 100 % lost: the ladder books every payment of every provider, to the đồng.

    What failed is asked about once more after its expiry and ends; what nobody paid ends as its
    provider says. A callback that comes long after is a repeat. All invariants hold.
    """
    paid = {}
    for place, provider in enumerate(PAYABLE):
        for number in range(3):
            request = await world.request(provider, 50_000 + 1_000 * place + number)
            paid[request.reference] = request, world.pay(request)
    failed = [await world.request(provider, 60_000) for provider in PAYABLE]
    for request in failed:
        world.pay(request, failing=True)
    unpaid = [await world.request(provider, 70_000) for provider in PAYABLE]

    assert await world.climb() >= 1

    states = await world.states()
    cases = await world.cases()
    for request, _ in paid.values():
        told = await world.notice(request)
        assert (told["status"], told["paid_vnd"]) == ("paid", request.amount_vnd), request
        assert (states[request.reference].state, states[request.reference].answer) == (
            "answered",
            "paid",
        )
    for request in (*failed, *unpaid):
        assert (await world.notice(request))["paid_vnd"] == 0
        ended = states[request.reference]
        if request.reference in cases:
            assert (ended.state, ended.answer) == ("ended", "pending"), (request, ended)
        else:
            assert ended.state == "answered", (request, ended)
            assert ended.answer in {"failed", "cancelled", "expired"}, (request, ended)
    assert set(cases) <= {request.reference for request in unpaid}

    for request, payment in paid.values():
        assert await world.call_back(request.provider, payment)
        told = await world.notice(request)
        assert (told["paid_vnd"], told["held_vnd"]) == (request.amount_vnd, 0)
    assert await world.count("service.movement") == len(paid)
    assert [finding async for finding in prove(world.engine)] == []
