"""A checkout that a provider must be asked for is opened after the commit, and once for a key."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import msgspec
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Answer, Call, MakesCheckout, Secret
from providers.catalog import CATALOG
from service.proof import prove
from tests.service.asking.making import PAYABLE, World, world_of
from tests.service.notices import recorded
from tests.service.peer import Mischief

pytestmark = pytest.mark.anyio

OPENED = [name for name in PAYABLE if not isinstance(CATALOG[name], MakesCheckout)]
EACH = pytest.mark.parametrize("provider", OPENED)
REQUESTS = "service.payment_request"
LINKS = "service.payment_link"
IN_TRANSACTION = sa.text("""
    select count(*) from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'
      and pid <> pg_backend_pid()
""")


@pytest.fixture
async def world(
    app: Litestar, engine: AsyncEngine, client: httpx2.AsyncClient
) -> AsyncIterator[World]:
    """Give a province with every provider that must be asked."""
    async with world_of(app, engine, client, OPENED) as made:
        yield made


async def post(
    world: World, provider: str, notice: dict[str, Any], key: str | None
) -> httpx2.Response:
    """Ask for a way to pay."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"notice_ids": [notice["id"]], "provider": provider}
    return await world.client.post("/v1/payment-requests", json=body, headers=headers)


def test_there_are_providers_that_must_be_asked() -> None:
    """The tests of this file test something."""
    assert len(OPENED) >= 2


@EACH
async def test_the_link_is_kept_and_given_again(world: World, provider: str) -> None:
    """A repeat is answered byte by byte alike, and the provider has opened one order."""
    notice, key = await recorded(world.client, 50_000), uuid.uuid4().hex
    first = await post(world, provider, notice, key)
    assert first.status_code == 201, first.text
    again = await post(world, provider, notice, key)
    assert (again.status_code, again.content) == (201, first.content)
    made = first.json()
    assert made["redirect_url"] or made["qr_payload"]
    shown = await world.client.get(f"/v1/payment-requests/{made['reference']}")
    assert {name: shown.json()[name] for name in made} == made
    picture = await world.client.get(f"/v1/payment-requests/{made['reference']}/qr.svg")
    assert picture.content.startswith(b"<?xml")
    assert len(world.peers[provider].calls) == 1
    (order,) = world.actors[provider].shop.orders.values()
    assert order.amount_vnd == 50_000
    assert await world.count(REQUESTS) == await world.count(LINKS) == 1
    assert [finding async for finding in prove(world.engine)] == []


@EACH
async def test_a_provider_that_was_away_is_asked_again_with_the_same_order(
    world: World, provider: str
) -> None:
    """The same key goes on with the same reference; nothing is minted twice."""
    notice, key = await recorded(world.client, 50_000), uuid.uuid4().hex
    peer = world.peers[provider]
    well = peer.handler
    peer.handler = lambda _: Answer(status=502, media_type="text/html", body=b"<html>")
    refused = await post(world, provider, notice, key)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/provider-away")
    assert int(refused.headers["retry-after"]) > 0
    peer.handler = well
    made = await post(world, provider, notice, key)
    assert made.status_code == 201, made.text
    assert await world.count(REQUESTS) == await world.count("service.question") == 1
    (order,) = world.actors[provider].shop.orders.values()
    assert (await world.states()).keys() == {made.json()["reference"]}
    assert order.amount_vnd == 50_000


@EACH
async def test_a_lost_answer_opens_nothing_twice(world: World, provider: str) -> None:
    """The provider opened the order and its answer was lost: there is one order, whatever follows.

    Some answer the repeat with the same link, some refuse it: then a new key makes a new request.
    """
    notice, key = await recorded(world.client, 50_000), uuid.uuid4().hex
    peer = world.peers[provider]
    well = peer.handler

    def lost(call: Call) -> Answer | Mischief:
        well(call)
        return "cut"

    peer.handler = lost
    refused = await post(world, provider, notice, key)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/provider-away")
    peer.handler = well
    # The provider is left alone for a while after several failures.
    world.clock.now += timedelta(minutes=2)
    again = await post(world, provider, notice, key)
    assert (again.status_code, again.json().get("type")) in {
        (201, None),
        (409, "/problems/provider-refused"),
    }
    assert len(world.actors[provider].shop.orders) == 1
    assert await world.count(REQUESTS) == 1


@EACH
async def test_a_provider_that_refuses_is_told(world: World, provider: str) -> None:
    """It does not know our key: its own code is told, and no link is kept."""
    actor = world.actors[provider]
    wrong = {name: Secret("another") for name in actor.terms.credentials}
    actor.terms = msgspec.structs.replace(
        actor.terms, secrets=(Secret("another"),), credentials=wrong
    )
    notice = await recorded(world.client, 50_000)
    refused = await post(world, provider, notice, uuid.uuid4().hex)
    assert (refused.status_code, refused.json()["type"]) in {
        (409, "/problems/provider-refused"),
        (503, "/problems/provider-away"),
    }
    assert "another" not in refused.text
    assert await world.count(LINKS) == 0


@EACH
async def test_no_transaction_is_open_while_a_provider_is_asked(
    world: World, provider: str
) -> None:
    """The request and its question are committed before anything is sent (decision 19)."""
    notice = await recorded(world.client, 50_000)
    peer = world.peers[provider]
    peer.free.clear()
    asking = asyncio.create_task(post(world, provider, notice, uuid.uuid4().hex))
    await peer.called(1)
    async with world.engine.connect() as connection:
        assert await connection.scalar(IN_TRANSACTION) == 0
    assert await world.count(REQUESTS) == await world.count("service.question") == 1
    peer.free.set()
    assert (await asking).status_code == 201


async def test_two_callers_with_one_key_are_given_one_link(world: World) -> None:
    """Both may ask the provider; the first answer is kept, and both are told that."""
    notice, key = await recorded(world.client, 50_000), uuid.uuid4().hex
    peer = world.peers["momo"]
    peer.free.clear()
    both = [asyncio.create_task(post(world, "momo", notice, key)) for _ in range(2)]
    await peer.called(2)
    peer.free.set()
    first, second = await asyncio.gather(*both)
    assert first.content == second.content
    assert await world.count(REQUESTS) == await world.count(LINKS) == 1


async def test_an_amount_that_the_provider_refuses_mints_nothing(world: World) -> None:
    """The adapter's own limit is known before anything is committed or sent."""
    notice = await recorded(world.client, 10**12)
    answer = await post(world, "momo", notice, uuid.uuid4().hex)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/amount-not-payable")
    assert await world.count(REQUESTS) == 0
    assert world.peers["momo"].calls == []


async def test_an_order_that_was_never_opened_ends_without_a_case(world: World) -> None:
    """Nobody was given a way to pay, and after the expiry the provider knows of no such order."""
    notice = await recorded(world.client, 50_000)
    peer = world.peers["momo"]
    well = peer.handler
    peer.handler = lambda _: Answer(status=502, media_type="text/html", body=b"<html>")
    assert (await post(world, "momo", notice, None)).status_code == 503
    peer.handler = well
    world.clock.now += timedelta(minutes=2)
    await world.climb()
    (state,) = (await world.states()).values()
    assert (state.state, state.answer) == ("answered", "unknown_order")
    assert await world.cases() == {}
    assert [finding async for finding in prove(world.engine)] == []
