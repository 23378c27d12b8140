"""The feed misses nothing, keeps the order of a dossier, and holds no personal data."""

import asyncio
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service import outbox
from service.sealing import Sealer
from service.worker import Worker
from tests.service.conftest import MASTER_KEY, Province, client_of
from tests.service.notices import item, recorded

pytestmark = pytest.mark.anyio

HOLD = sa.text("""
    insert into service.outbox (book_id, id, type, notice_id, dossier_code, payload, recorded_at)
    values (1, uuidv7(), 'fee_notice.recorded', uuidv7(), 'held open', '{}', now())
""")


def worker_of(engine: AsyncEngine) -> Worker:
    """A worker that nobody starts."""
    return Worker(engine, Sealer(MASTER_KEY))


async def read(
    client: httpx2.AsyncClient, after: str = "", limit: int = 2
) -> tuple[list[Any], str]:
    """Everything after a cursor, page by page, and the cursor to keep."""
    found: list[Any] = []
    while True:
        query = f"?limit={limit}" + (f"&after={after}" if after else "")
        page = (await client.get(f"/v1/events{query}")).json()
        found += page["items"]
        after = page["next_after"]
        if not page["more"]:
            return found, after


async def test_every_change_is_one_event_in_order(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Invariant 10: recorded, added to, exempted, cancelled; versions rise by one."""
    made = await recorded(client, 100)
    path = f"/v1/fee-notices/{made['id']}"
    await client.post(f"{path}/items", json={"items": [item(50)]})
    waived = {"reason": "giảm", "decided_by": "Trần B", "amount_vnd": 10}
    await client.post(f"{path}/exemption", json=waived)
    await client.post(f"{path}/cancellation", json={"reason": "rút"})
    await worker_of(engine).place()
    events, _ = await read(client)
    assert [event["type"].partition(".")[2] for event in events] == [
        "recorded",
        "items_added",
        "exempted",
        "cancelled",
    ]
    assert [event["data"]["version"] for event in events] == [1, 2, 3, 4]
    assert [event["data"]["outstanding_vnd"] for event in events] == [100, 150, 140, 0]
    assert {event["dossier_code"] for event in events} == {made["dossier_code"]}
    assert "Trần" not in str(events)
    assert "Lựu" not in str(events)


async def test_an_event_is_not_told_before_it_has_its_place(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """The feed serves only what the relay has placed, and then all of it."""
    await recorded(client)
    events, after = await read(client)
    assert events == []
    await worker_of(engine).place()
    events, _ = await read(client, after)
    assert len(events) == 1


async def test_a_transaction_held_open_across_a_read_is_not_missed(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Must show 6: an older id that commits late comes behind what was read before it."""
    async with engine.connect() as connection:
        await connection.execute(HOLD)
        made = await recorded(client)
        await worker_of(engine).place()
        before, after = await read(client)
        assert [event["dossier_code"] for event in before] == [made["dossier_code"]]
        await connection.commit()
    await worker_of(engine).place()
    later, _ = await read(client, after)
    assert [event["dossier_code"] for event in later] == ["held open"]


async def test_relays_that_race_place_each_event_once(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Whichever relay holds the book places; positions are whole numbers without a hole."""
    for _ in range(6):
        await recorded(client)
    await asyncio.gather(*(worker_of(engine).place() for _ in range(8)))
    await worker_of(engine).place()
    positions = sa.text("select position from service.outbox order by position")
    async with engine.connect() as connection:
        assert list(await connection.scalars(positions)) == [1, 2, 3, 4, 5, 6]


async def test_a_relay_that_rolls_back_leaves_the_events_waiting(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Positions count once they are committed."""
    await recorded(client)
    async with engine.connect() as connection:
        assert await outbox.place(connection, 1) == 1
        await connection.rollback()
    assert (await read(client))[0] == []
    assert await worker_of(engine).place() == 1


async def test_a_cursor_remembers_each_book(
    app: Litestar, province: Province, client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Books are read side by side; a key of one book hears of that book only."""
    for code in ("H57.23", "H57.31.15", "H57.23"):
        await recorded(client, collected_by=code)
    await worker_of(engine).place()
    everything, after = await read(client, limit=1)
    assert len(everything) == len({event["id"] for event in everything}) == 3
    assert (await read(client, after))[0] == []
    async with client_of(app, province.key_of_one) as one:
        assert len((await read(one))[0]) == 2
