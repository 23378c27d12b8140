"""The service killed during traffic: every acknowledged callback is booked once (must show 10)."""

import asyncio
import itertools
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import httpx2
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.acting import Payment
from providers.vnpay import ADAPTER
from service.database import transaction
from service.proof import prove
from tests.databases import Database, Databases
from tests.faults.serving import (
    FORKING,
    GATEWAY_TERMS,
    Process,
    deliver,
    free_port,
    settings_over,
    wait_until_up,
)
from tests.makers import NOW, Made, make_owed
from tests.service.intake.preparing import pool
from tests.traffic import prepare

KILLS = 20
ORDERS = 250
SENDERS = 12
DONE = {"00", "02"}

BOOKED = sa.text("""
    select event.provider_txn, count(distinct movement.id) as movements,
           count(distinct entry.id) as entries
    from service.event
    left join service.movement
      on movement.book_id = event.book_id and movement.id = event.movement_id
    left join ledger.entry
      on entry.book_id = movement.book_id and entry.source = 'movement:' || movement.id
    group by event.provider_txn
""")
PAID = sa.text("select count(*) from service.notice_state where status = 'paid'")


class Traffic:
    """Providers that send each payment again until it is acknowledged, and some once more."""

    def __init__(self, payments: Sequence[Payment], dice: Random) -> None:
        self.payments = payments
        self.acknowledged: dict[str, list[str]] = {}
        self.refused: list[str] = []
        self._dice = dice

    async def flow(self, base_url: str) -> None:
        """Send from SENDERS at once until cancelled."""
        async with (
            httpx2.AsyncClient(base_url=base_url, timeout=10) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(SENDERS):
                group.create_task(self._send(client))

    async def _send(self, client: httpx2.AsyncClient) -> None:
        while True:
            await self.send(client, self._dice.choice(self.payments))

    async def send(self, client: httpx2.AsyncClient, payment: Payment) -> None:
        """Send one call; what is acknowledged is remembered, what is cut off is not."""
        try:
            call = ADAPTER.call_as_provider(payment, GATEWAY_TERMS, NOW)
            told = await deliver(client, call)
        except httpx2.TransportError:
            await asyncio.sleep(0.01)
            return
        if told.code in DONE:
            self.acknowledged.setdefault(payment.transaction, []).append(told.code)
        elif told.code != "99":
            self.refused.append(told.code)


async def orders(engine: AsyncEngine) -> list[Made]:
    """Notices that are to be paid."""
    async with transaction(engine) as connection:
        return [
            await make_owed(connection, 1 + number % 2, 10_000 + number) for number in range(ORDERS)
        ]


def payments_of(made: Sequence[Made]) -> list[Payment]:
    """One payment of each order, and a second one of every fifth."""
    numbers = itertools.count(20_000_000)
    return [
        Payment(
            order_code=one.reference,
            transaction=str(next(numbers)),
            amount_vnd=one.amount_vnd,
            paid_at=NOW + timedelta(minutes=position),
        )
        for position, one in enumerate([*made, *made[::5]])
    ]


async def attacked(traffic: Traffic, server: Process, port: int, dice: Random) -> None:
    """Start a server, let traffic flow, and kill it in the middle of that."""
    child = int(await asyncio.to_thread(server.ask, str(port)))
    await asyncio.to_thread(wait_until_up, server.base_url)
    flowing = asyncio.create_task(traffic.flow(server.base_url))
    await asyncio.sleep(dice.uniform(0.05, 0.4))
    os.kill(child, signal.SIGKILL)
    await asyncio.sleep(0.05)
    flowing.cancel()
    await asyncio.wait([flowing])


def test_every_acknowledged_callback_is_booked_once(
    databases: Databases, fresh_database: Database, tmp_path: Path
) -> None:
    """Killed with SIGKILL twenty times during traffic: nothing acknowledged is lost or doubled."""
    dice = Random(20)
    port = free_port()

    async def work() -> None:
        async with pool(fresh_database) as engine:
            await prepare(engine)
            made = await orders(engine)
            traffic = Traffic(payments_of(made), dice)
            settings = settings_over(fresh_database)
            with Process([str(FORKING)], settings, port, tmp_path / "log") as server:
                for _ in range(KILLS):
                    await attacked(traffic, server, port, dice)
                during = dict(traffic.acknowledged)
                await finished(traffic, server, port)
            await held(engine, traffic, during)
            assert [msgspec.json.encode(one) async for one in prove(engine)] == []
            async with engine.connect() as connection:
                assert await connection.scalar(PAID) == ORDERS

    asyncio.run(work())


async def finished(traffic: Traffic, server: Process, port: int) -> None:
    """After the last restart every payment is sent once more, and all are acknowledged."""
    server.ask(str(port))
    await asyncio.to_thread(wait_until_up, server.base_url)
    async with httpx2.AsyncClient(base_url=server.base_url, timeout=10) as client:
        for first in range(0, len(traffic.payments), 50):
            batch = traffic.payments[first : first + 50]
            await asyncio.gather(*(traffic.send(client, payment) for payment in batch))


async def held(engine: AsyncEngine, traffic: Traffic, during: dict[str, list[str]]) -> None:
    """What was acknowledged while servers were killed is booked, each once."""
    async with engine.connect() as connection:
        rows = (await connection.execute(BOOKED)).all()
    booked = {row.provider_txn: (row.movements, row.entries) for row in rows}
    assert traffic.refused == []
    assert len(during) > KILLS
    assert all(booked[transaction] == (1, 1) for transaction in traffic.acknowledged)
    assert len(traffic.acknowledged) == len(traffic.payments)
    # At most one sender of a payment was told that it was the first; with kills, perhaps nobody.
    firsts = [codes.count("00") for codes in traffic.acknowledged.values()]
    assert max(firsts) == 1
