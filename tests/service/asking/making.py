"""A small province whose merchants are at simulated providers that really serve HTTP.

Nothing waits: the clock of the asking and of the providers is moved by hand. Generic over the
catalogue: whatever provider acts and can be asked is taken along.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Answer, AsksStatus, Call, MakesCheckout, OpensCheckout, Secret, Terms
from providers.acting import Acts, Payment, ReadsOwnLinks
from providers.catalog import CATALOG
from service import merchants
from service.asking.asker import Asker
from service.dev.provider.actor import Actor, NewPayment
from service.dev.provider.addresses import addressed
from service.merchants import NewMerchant
from service.outbound import Limits, Outbound
from service.sealing import Sealer
from tests.service.conftest import MASTER_KEY
from tests.service.notices import recorded
from tests.service.peer import Peer, serving

SECRET: Final = "00112233445566778899AABBCCDDEEFF"
"""Fits every dialect, also those whose key is written in hex."""
LIMITS: Final = Limits(
    connect_s=2, silence_s=1, whole_s=2, failures_max=3, again_after_s=0.01, again_after_max_s=0.02
)
PAYABLE: Final = [
    name
    for name, adapter in CATALOG.items()
    if isinstance(adapter, Acts)
    and isinstance(adapter, AsksStatus)
    and isinstance(adapter, MakesCheckout | OpensCheckout)
]
"""Every provider at which one can pay, which can be asked, and which can be acted."""

STATES: Final = sa.text("""
    select question.reference, question.state, question.answer, question.last_problem,
           question.tries, question.next_at
    from service.question as question order by question.opened_at, question.reference
""")
NEXT_AT: Final = sa.text("select min(next_at) from service.question where state = 'waiting'")
CASES: Final = sa.text("""
    select external_id, reason, status, owner, due_at, fields, amount_vnd
    from service.unmatched order by external_id
""")


class Clock:
    """A clock that stands until it is moved; it began now."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Give the instant."""
        return self.now


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A payment request of one notice at a provider."""

    provider: str
    reference: str
    notice_id: str
    order_code: str
    amount_vnd: int
    redirect_url: str | None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it stands."""

    reference: str
    state: str
    answer: str | None
    last_problem: str | None
    tries: int
    next_at: datetime | None


class World:
    """The service, its clock, and a provider for each name."""

    def __init__(
        self,
        app: Litestar,
        engine: AsyncEngine,
        client: httpx2.AsyncClient,
        clock: Clock,
        outbound: Outbound,
    ) -> None:
        self.app = app
        self.engine = engine
        self.client = client
        self.outbound = outbound
        self.clock = clock
        self.asker = self.worker()
        self.actors: dict[str, Actor] = {}
        self.peers: dict[str, Peer] = {}

    def worker(self) -> Asker:
        """One more worker, which shares nothing with the others but the database."""
        return Asker(self.engine, self.app.state.intake, self.outbound, self.clock)

    async def request(self, provider: str, amount_vnd: int, **more: object) -> Request:
        """Ask for payment over HTTP; where the citizen opens a link of ours, it is opened."""
        notice = await recorded(self.client, amount_vnd)
        body = {"notice_ids": [notice["id"]], "provider": provider} | more
        answer = await self.client.post("/v1/payment-requests", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        async with self.engine.connect() as connection:
            code = await connection.scalar(
                sa.text("select order_code from service.question where reference = :r"),
                {"r": made["reference"]},
            )
        request = Request(
            provider=provider,
            reference=made["reference"],
            notice_id=notice["id"],
            order_code=str(code),
            amount_vnd=amount_vnd,
            redirect_url=made["redirect_url"],
        )
        self.clock.now = max(self.clock.now, datetime.now(UTC))
        self.open_link(request)
        return request

    def open_link(self, request: Request) -> None:
        """A citizen follows the link."""
        actor = self.actors[request.provider]
        if isinstance(actor.adapter, ReadsOwnLinks) and request.redirect_url:
            parts = urlsplit(request.redirect_url)
            actor.order_of_link(Call(method="GET", path=parts.path, raw_query=parts.query.encode()))

    def pay(self, request: Request, *, failing: bool = False) -> Payment:
        """Somebody pays, or fails to; no callback tells of it."""
        actor = self.actors[request.provider]
        new = NewPayment(order_code=request.order_code, status="failed" if failing else "money")
        return actor.pay(new)

    async def ask_all(self) -> int:
        """Ask every provider what is due."""
        return sum([await self.asker.ask_due(name) for name in CATALOG])

    async def climb(self, rungs_max: int = 100) -> int:
        """Move the clock from rung to rung until nothing waits; how many rungs that were."""
        for rung in range(rungs_max):
            async with self.engine.connect() as connection:
                next_at = await connection.scalar(NEXT_AT)
            if next_at is None:
                return rung
            # A little later, so that those asked for in one moment are asked about together.
            self.clock.now = max(self.clock.now, next_at) + timedelta(seconds=20)
            await self.ask_all()
        raise AssertionError(f"still waiting after {rungs_max} rungs")

    async def states(self) -> dict[str, State]:
        """Every question by its reference."""
        async with self.engine.connect() as connection:
            rows = (await connection.execute(STATES)).all()
        return {row.reference: msgspec.convert(dict(row._mapping), State) for row in rows}

    async def state(self, request: Request) -> State:
        """The question of a request."""
        return (await self.states())[request.reference]

    async def cases(self) -> dict[str, Any]:
        """Every case of no answer, by the request's reference."""
        async with self.engine.connect() as connection:
            rows = (await connection.execute(CASES)).all()
        return {row.external_id: row for row in rows if row.reason == "NO_ANSWER"}

    async def notice(self, request: Request) -> dict[str, Any]:
        """The notice of a request, as the one-stop sees it."""
        found: dict[str, Any] = (
            await self.client.get(f"/v1/fee-notices/{request.notice_id}")
        ).json()
        return found

    async def call_back(self, provider: str, payment: Payment) -> bool:
        """The provider's callback about a payment comes after all, over HTTP.

        Whether the provider takes the answer as "done".
        """
        actor = self.actors[provider]
        self.clock.now = datetime.now(UTC)  # the intake's own clock judges how fresh it is
        call = actor.call(payment)
        assert call is not None
        query = f"?{call.raw_query.decode()}" if call.raw_query else ""
        told = await self.client.request(
            call.method, call.path + query, content=call.body, headers=list(call.headers)
        )
        return actor.acts.accepts(told.status_code, told.content)

    async def count(self, table: str) -> int:
        """The rows of a table."""
        async with self.engine.connect() as connection:
            found = await connection.scalar(sa.text(f"select count(*) from {table}"))  # noqa: S608
        return int(str(found))


def terms_of(provider: str, address: str, mode: str | None = None) -> Terms:
    """Terms with a simulated provider; every credential it needs is there."""
    adapter = CATALOG[provider]
    strong = min(adapter.modes - adapter.weak_modes or adapter.modes)
    terms = Terms(
        merchant=f"HUE{provider.upper()}",
        secrets=(Secret(SECRET),),
        credentials={name: Secret(f"{name}-of-hue") for name in adapter.credentials},
        mode=strong if mode is None else mode,
    )
    return addressed(adapter, terms, address)


@asynccontextmanager
async def world_of(
    app: Litestar,
    engine: AsyncEngine,
    client: httpx2.AsyncClient,
    names: Sequence[str],
    mode: str | None = None,
) -> AsyncIterator[World]:
    """The world with these providers, each on a port of its own, in their safest mode or in one."""
    async with AsyncExitStack() as stack:
        clock = Clock()
        outbound = Outbound(LIMITS, lambda: clock().timestamp())
        app.state.outbound = await stack.enter_async_context(outbound)
        made = World(app, engine, client, clock, outbound)
        for name in names:
            await _add(made, name, mode, stack)
        yield made


async def _add(world: World, name: str, mode: str | None, stack: AsyncExitStack) -> None:
    actors = world.actors

    def serve(call: Call) -> Answer:
        return actors[name].serve(call)

    peer = await stack.enter_async_context(serving(serve))
    world.peers[name] = peer
    terms = terms_of(name, peer.address, mode)
    actor = Actor(name, terms, random.Random(7), clock=world.clock)
    actor.shop.page = f"{peer.address}/pages"
    actors[name] = actor
    new = NewMerchant(
        provider=name,
        merchant=terms.merchant,
        book_id=1,
        serves=[1, 2],
        mode=terms.mode,
        secrets=[SECRET],
        credentials={key: str.__str__(value) for key, value in terms.credentials.items()},
        settings={"api_address": terms.api_address, "pay_address": terms.pay_address},
    )
    async with world.engine.begin() as connection:
        others = "update service.merchant set disabled_at = now() where provider = :provider"
        await connection.execute(sa.text(others), {"provider": name})
        await merchants.add(connection, Sealer(MASTER_KEY), new, world.clock())
    world.app.state.intake.directory._read_at = -1e9
