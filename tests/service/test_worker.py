"""The loop beside the calls: days turn, books are summed, old answers go."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import msgspec
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import business_day
from service.sealing import SealBroken, Sealer
from service.settings import Settings
from service.web import idempotency
from service.worker import Task, Worker, errands
from tests.service.conftest import MASTER_KEY, Province
from tests.service.notices import recorded

pytestmark = pytest.mark.anyio

DAYS = sa.text("select day from ledger.open_day order by book_id")
KEYS = sa.text("select count(*) from service.idempotency")
CHECKPOINTS = sa.text("select book_id, line_count from ledger.checkpoint order by book_id")


def worker(engine: AsyncEngine, now: datetime) -> Worker:
    """A worker at a certain instant."""
    return Worker(engine, Sealer(MASTER_KEY), lambda: now)


async def test_days_turn_to_the_calendar_once(engine: AsyncEngine, province: Province) -> None:
    """Every book that is behind gets today's day in Vietnam; a second turn finds nothing."""
    evening = datetime(2026, 12, 31, 17, 30, tzinfo=UTC)
    assert await worker(engine, evening).turn_days() == 2
    assert await worker(engine, evening).turn_days() == 0
    async with engine.connect() as connection:
        assert {str(day) for day in await connection.scalars(DAYS)} == {"2027-01-01"}
    assert business_day(evening).year == 2027


async def test_books_are_summed_when_something_was_posted(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """A checkpoint covers the lines since the one before, and an idle book gets none."""
    await recorded(client, 100, 50)
    now = datetime.now(UTC)
    assert await worker(engine, now).checkpoint() == 1
    assert await worker(engine, now).checkpoint() == 0
    async with engine.connect() as connection:
        rows = (await connection.execute(CHECKPOINTS)).all()
    assert [tuple(row) for row in rows] == [(1, 2)]


async def test_answers_are_forgotten_after_a_month(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """A key lives as long as it is promised to, and not for ever."""
    await recorded(client)
    soon = datetime.now(UTC) + idempotency.KEPT_FOR - timedelta(hours=1)
    assert await worker(engine, soon).purge() == 0
    assert await worker(engine, soon + timedelta(hours=2)).purge() == 1
    async with engine.connect() as connection:
        assert await connection.scalar(KEYS) == 0


async def test_a_worker_starts_works_and_ends(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Its loops do all of it by themselves, and a close ends them."""
    await recorded(client)
    loop = Worker(engine, Sealer(MASTER_KEY))
    loop.start()
    while not (await client.get("/v1/events")).json()["items"]:
        pass
    await loop.close()
    await loop.wait()


async def test_each_provider_has_a_loop_of_its_own(
    app: Litestar, engine: AsyncEngine, settings: Settings
) -> None:
    """One that is away holds up no other; the settings switch asking and pulling off."""

    def names(**changes: bool) -> set[str]:
        chosen = msgspec.structs.replace(settings, **changes)
        made = errands(chosen, engine, app.state.intake, app.state.outbound)
        assert {task.name for task in made} <= {
            task.name for task in Worker(engine, Sealer(MASTER_KEY), errands=made).tasks
        }
        return {task.name for task in made}

    every = names()
    assert {"ask vnpay", "pull sepay", "hear late"} <= every
    assert names(ask_providers=False) == {name for name in every if name.startswith("pull")}
    assert names(ask_providers=False, pull_feeds=False) == set()


async def test_a_loop_outlives_whatever_one_turn_meets(engine: AsyncEngine) -> None:
    """An error that nobody thought of is no end: the next turn comes, and the close finds it."""
    turns: list[int] = []
    again = asyncio.Event()

    async def turn() -> int:
        turns.append(1)
        if len(turns) > 1:
            again.set()
        raise SealBroken

    odd = Task(name="odd", every_s=0.01, do=turn)
    loop = Worker(engine, Sealer(MASTER_KEY), errands=[odd])
    loop.start()
    await asyncio.wait_for(again.wait(), 20)
    await loop.close()
    await loop.wait()
