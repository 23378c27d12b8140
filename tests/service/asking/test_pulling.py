"""What a bank feed's webhook did not tell is read from its list, and booked once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Answer, PullsTransactions
from providers.acting import Acts, Payment
from providers.catalog import CATALOG
from service.asking.pulling import PULL_EVERY, UNREAD_AFTER, Puller
from service.asking.questions import LEASE
from service.database import transaction
from service.dev.provider.actor import NewPayment
from service.merchants import Keys, seal_keys
from service.proof import prove
from service.sealing import Sealer
from tests.service.asking.making import SECRET, World, world_of
from tests.service.conftest import ACCOUNTS, MASTER_KEY
from tests.service.notices import recorded

pytestmark = pytest.mark.anyio

PULLABLE = [
    name
    for name, adapter in CATALOG.items()
    if isinstance(adapter, PullsTransactions) and isinstance(adapter, Acts)
]
EACH = pytest.mark.parametrize("provider", PULLABLE)
PULLS = sa.text("select position, last_problem, next_at from service.pull")
LIVE = sa.text("select reason, owner from service.unmatched where status <> 'resolved'")
WITHOUT_TOKEN = sa.text("""
    update service.merchant set secrets_sealed = :sealed
    where provider = 'sepay' and merchant = :name
""")
OWN = ACCOUNTS[0][2]


@pytest.fixture
async def world(
    app: Litestar, engine: AsyncEngine, client: httpx2.AsyncClient
) -> AsyncIterator[World]:
    """Give a province whose account is watched by every feed that has a list."""
    async with world_of(app, engine, client, PULLABLE) as made:
        yield made


def puller(world: World) -> Puller:
    """One more worker."""
    return Puller(world.engine, world.app.state.intake, world.outbound, world.clock)


async def owed(world: World, amount_vnd: int) -> dict[str, Any]:
    """A notice with a VietQR request; its reference is the memo."""
    notice = await recorded(world.client, amount_vnd)
    body = {"notice_ids": [notice["id"]], "provider": "vietqr"}
    made: dict[str, Any] = (await world.client.post("/v1/payment-requests", json=body)).json()
    return notice | {"reference": made["reference"]}


def transfer(world: World, provider: str, notice: dict[str, Any]) -> Payment:
    """A citizen transfers; no webhook tells of it."""
    new = NewPayment(
        amount_vnd=notice["amount_vnd"], memo=f"{notice['reference']} nop phi", own_account=OWN
    )
    return world.actors[provider].pay(new)


async def paid_vnd(world: World, notice: dict[str, Any]) -> int:
    """What of a notice is paid."""
    found = (await world.client.get(f"/v1/fee-notices/{notice['id']}")).json()
    return int(found["paid_vnd"])


async def pull(world: World, provider: str) -> int:
    """Read the list once more, a few minutes later."""
    world.clock.now += PULL_EVERY
    return await puller(world).pull_due(provider)


def test_there_are_lists_to_read() -> None:
    """The tests of this file test something."""
    assert "sepay" in PULLABLE


@EACH
async def test_a_lost_webhook_is_made_up_for_by_the_list(world: World, provider: str) -> None:
    """The transfer pays its notice; the webhook that comes later is a repeat, and so is the list.

    A second pull tells nothing again.
    """
    notice = await owed(world, 50_000)
    payment = transfer(world, provider, notice)
    assert await pull(world, provider) == 1
    assert await paid_vnd(world, notice) == 50_000
    calls = await world.count("service.call")
    assert await pull(world, provider) == 0
    assert await world.count("service.call") == calls
    assert await world.call_back(provider, payment)
    assert await world.count("service.movement") == 1
    assert await world.count("service.event") == 1
    assert [finding async for finding in prove(world.engine)] == []


@EACH
async def test_what_a_webhook_told_is_a_repeat_in_the_list(world: World, provider: str) -> None:
    """One transfer told by webhook and by list is one movement; a new one on the list is booked."""
    first, second = await owed(world, 50_000), await owed(world, 60_000)
    assert await world.call_back(provider, transfer(world, provider, first))
    assert await pull(world, provider) == 1
    assert await world.count("service.event") == await world.count("service.movement") == 1
    transfer(world, provider, second)
    assert await pull(world, provider) == 1
    assert [await paid_vnd(world, one) for one in (first, second)] == [50_000, 60_000]
    assert await world.count("service.movement") == 2
    assert [finding async for finding in prove(world.engine)] == []


@EACH
async def test_a_list_of_many_pages_is_read_to_its_end(world: World, provider: str) -> None:
    """Every transfer once, whatever the pages are."""
    count = 250
    for number in range(count):
        new = NewPayment(amount_vnd=10_000 + number, memo="chuyen tien", own_account=OWN)
        world.actors[provider].pay(new)
    told = 0
    for _ in range(3):
        told += await pull(world, provider)
    assert told == count
    assert await world.count("service.movement") == count
    assert [finding async for finding in prove(world.engine)] == []


@EACH
async def test_a_feed_that_is_away_goes_on_where_it_was(world: World, provider: str) -> None:
    """The row says why it was not read; nothing is lost."""
    notice = await owed(world, 50_000)
    peer = world.peers[provider]
    well = peer.handler
    peer.handler = lambda _: Answer(status=502, media_type="text/html", body=b"<html>")
    transfer(world, provider, notice)
    assert await pull(world, provider) == 0
    async with world.engine.connect() as connection:
        (row,) = (await connection.execute(PULLS)).all()
    assert row.last_problem
    assert row.next_at > world.clock()
    peer.handler = well
    assert await pull(world, provider) == 1
    assert await paid_vnd(world, notice) == 50_000


@EACH
async def test_a_feed_that_stays_unread_becomes_a_case(world: World, provider: str) -> None:
    """Nobody looks at figures: whoever is to look after it hears of it, until it is read again."""

    async def live() -> list[tuple[str, str]]:
        async with world.engine.connect() as connection:
            rows = await connection.execute(LIVE)
            return [(row.reason, row.owner) for row in rows]

    assert await pull(world, provider) == 0
    peer = world.peers[provider]
    well = peer.handler
    body = b'{"status":200,"error":0,"transactions":[7],"data":{"records":[7]}}'
    peer.handler = lambda _: Answer(status=200, media_type="application/json", body=body)
    await pull(world, provider)
    assert await live() == []
    world.clock.now += UNREAD_AFTER
    await pull(world, provider)
    await pull(world, provider)
    assert await live() == [("FEED_NOT_READ", "admin")]
    peer.handler = well
    await pull(world, provider)
    assert await live() == []
    assert [finding async for finding in prove(world.engine)] == []


async def test_a_list_that_was_never_agreed_on_is_no_case(
    app: Litestar, engine: AsyncEngine, client: httpx2.AsyncClient
) -> None:
    """SePay's token is optional: where there is none, the statement is the second window."""
    async with world_of(app, engine, client, ["sepay"]) as world:
        async with transaction(engine) as connection:
            sealer = Sealer(MASTER_KEY)
            keys = Keys(secrets=[SECRET])
            name = world.actors["sepay"].terms.merchant
            row = {"sealed": seal_keys(sealer, "sepay", name, keys), "name": name}
            await connection.execute(WITHOUT_TOKEN, row)
        world.app.state.intake.directory._read_at = -1e9
        world.clock.now += UNREAD_AFTER
        assert await pull(world, "sepay") == 0
        async with engine.connect() as connection:
            assert (await connection.execute(LIVE)).all() == []


@EACH
async def test_two_workers_read_a_list_once(world: World, provider: str) -> None:
    """One holds the row; a dead one's lease ends and another goes on."""
    notice = await owed(world, 50_000)
    transfer(world, provider, notice)
    peer = world.peers[provider]
    peer.free.clear()
    world.clock.now += PULL_EVERY
    reading = asyncio.create_task(puller(world).pull_due(provider))
    await peer.called(1)
    assert await puller(world).pull_due(provider) == 0
    reading.cancel()  # killed while it reads
    await asyncio.gather(reading, return_exceptions=True)
    peer.free.set()
    world.clock.now += LEASE / 2
    assert await puller(world).pull_due(provider) == 0
    world.clock.now += LEASE / 2
    assert await puller(world).pull_due(provider) == 1
    assert await paid_vnd(world, notice) == 50_000
    assert await world.count("service.movement") == 1


@EACH
async def test_what_was_before_the_book_is_not_booked(world: World, provider: str) -> None:
    """The opening balances hold it."""
    now = world.clock.now
    world.clock.now = now - timedelta(days=400)
    new = NewPayment(amount_vnd=77_000, memo="chuyen tien", own_account=OWN)
    world.actors[provider].pay(new)
    world.clock.now = now
    assert await pull(world, provider) == 0
    assert await world.count("service.movement") == 0


async def test_the_list_proves_what_a_weak_webhook_told(
    app: Litestar, engine: AsyncEngine, client: httpx2.AsyncClient
) -> None:
    """Much money that a mere key told waits; the same transfer on the provider's list pays."""
    async with world_of(app, engine, client, ["sepay"], mode="apikey") as world:
        notice = await owed(world, 50_000_000)
        assert await world.call_back("sepay", transfer(world, "sepay", notice))
        assert await paid_vnd(world, notice) == 0
        assert await pull(world, "sepay") == 1
        assert await paid_vnd(world, notice) == 50_000_000
        assert await world.count("service.movement") == 1
        assert [finding async for finding in prove(world.engine)] == []
