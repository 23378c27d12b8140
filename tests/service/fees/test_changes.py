"""What the one-stop may decide later: more items, exemption, cancellation."""

import uuid
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.service.notices import item, recorded

pytestmark = pytest.mark.anyio


async def receivable_vnd(client: httpx2.AsyncClient) -> int:
    """What stands on 1383 of the first book; 3373 must be the same while nothing is paid."""
    trial = (await client.get("/v1/ledger/trial-balance?book_id=1")).json()
    sums = {row["account"]: row["balance_vnd"] for row in trial["books"][0]["rows"]}
    assert sums["1383"] == sums["3373"]
    return int(sums["1383"])


async def change(
    client: httpx2.AsyncClient, made: dict[str, Any], what: str, **body: object
) -> httpx2.Response:
    """Ask for a change and give its answer."""
    return await client.post(f"/v1/fee-notices/{made['id']}/{what}", json=body)


async def test_an_additional_charge_is_owed_and_booked(client: httpx2.AsyncClient) -> None:
    """Items come behind the first ones, and the notice owes the sum."""
    made = await recorded(client, 100)
    answer = await change(client, made, "items", items=[item(50), item(0)])
    assert answer.status_code == 201
    assert [one["amount_vnd"] for one in answer.json()["items"]] == [100, 50, 0]
    assert answer.json()["outstanding_vnd"] == 150
    assert await receivable_vnd(client) == 150


async def test_a_charge_on_an_exempt_notice_opens_it_again(client: httpx2.AsyncClient) -> None:
    """Settled is no promise that nothing is ever added."""
    made = await recorded(client, 0)
    answer = await change(client, made, "items", items=[item(50)])
    assert (answer.json()["status"], answer.json()["settled"]) == ("open", False)


async def test_a_notice_holds_at_most_fifty_items(client: httpx2.AsyncClient) -> None:
    """The limit holds over all calls together."""
    made = await recorded(client, *([1] * 30))
    answer = await change(client, made, "items", items=[item(1)] * 21)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/too-many-items"


async def test_a_whole_exemption_settles_the_notice(client: httpx2.AsyncClient) -> None:
    """Nothing is left on 1383, and the status says why."""
    made = await recorded(client, 100, 50)
    answer = await change(client, made, "exemption", reason="hộ nghèo", decided_by="Trần B")
    told = answer.json()
    assert (told["status"], told["settled"], told["exempted_vnd"]) == ("exempt", True, 150)
    assert [one["exempted_vnd"] for one in told["items"]] == [100, 50]
    assert await receivable_vnd(client) == 0


async def test_a_part_is_waived_in_order_of_items(client: httpx2.AsyncClient) -> None:
    """Without an item the amount goes over the items as they stand."""
    made = await recorded(client, 100, 50)
    body = {"reason": "giảm", "decided_by": "B", "amount_vnd": 120}
    told = (await change(client, made, "exemption", **body)).json()
    assert [one["exempted_vnd"] for one in told["items"]] == [100, 20]
    assert (told["status"], told["outstanding_vnd"]) == ("open", 30)
    assert await receivable_vnd(client) == 30


async def test_one_item_is_waived_alone(client: httpx2.AsyncClient) -> None:
    """With an item only that one is touched, and not above what it owes."""
    made = await recorded(client, 100, 50)
    second = made["items"][1]["id"]
    body = {"reason": "giảm", "decided_by": "B", "item_id": second}
    above = await change(client, made, "exemption", **body, amount_vnd=51)
    assert above.status_code == 409
    assert above.json()["type"] == "/problems/above-outstanding"
    told = (await change(client, made, "exemption", **body)).json()
    assert [one["exempted_vnd"] for one in told["items"]] == [0, 50]
    nothing = await change(client, made, "exemption", **body)
    assert nothing.json()["type"] == "/problems/nothing-outstanding"


async def test_an_item_of_another_notice_is_refused(client: httpx2.AsyncClient) -> None:
    """An exemption names an item of its own notice."""
    made, other = await recorded(client), await recorded(client)
    body = {"reason": "giảm", "decided_by": "B", "item_id": other["items"][0]["id"]}
    answer = await change(client, made, "exemption", **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "item_id"


async def test_a_cancelled_notice_owes_nothing_and_takes_nothing(
    client: httpx2.AsyncClient,
) -> None:
    """What was waived before is not waived twice; every later change is refused."""
    made = await recorded(client, 100, 50)
    await change(client, made, "exemption", reason="giảm", decided_by="B", amount_vnd=30)
    told = (await change(client, made, "cancellation", reason="rút hồ sơ")).json()
    assert (told["status"], told["settled"], told["outstanding_vnd"]) == ("cancelled", False, 0)
    assert await receivable_vnd(client) == 0
    calls: dict[str, dict[str, Any]] = {
        "cancellation": {"reason": "x"},
        "exemption": {"reason": "x", "decided_by": "B"},
        "items": {"items": [item(1)]},
    }
    for what, body in calls.items():
        answer = await change(client, made, what, **body)
        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/notice-cancelled"


async def test_a_change_under_one_key_happens_once(client: httpx2.AsyncClient) -> None:
    """An optional key makes a repeated charge harmless."""
    made = await recorded(client, 100)
    path, body = f"/v1/fee-notices/{made['id']}/items", {"items": [item(50)]}
    headers = {"Idempotency-Key": "k-2"}
    first = await client.post(path, json=body, headers=headers)
    again = await client.post(path, json=body, headers=headers)
    assert first.content == again.content
    assert again.json()["outstanding_vnd"] == 150


async def test_a_change_of_what_is_not_there_is_not_found(client: httpx2.AsyncClient) -> None:
    """An unknown notice is 404 for every change."""
    calls: dict[str, dict[str, Any]] = {
        "cancellation": {"reason": "x"},
        "exemption": {"reason": "x", "decided_by": "B"},
        "items": {"items": [item(1)]},
    }
    for what, body in calls.items():
        answer = await change(client, {"id": str(uuid.uuid4())}, what, **body)
        assert answer.status_code == 404


async def test_who_decided_is_kept_sealed(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    """The decision is a fact with its actor; the person's name is not readable in it."""
    made = await recorded(client, 100, 50)
    await change(client, made, "exemption", reason="giảm", decided_by="Trần Đặc Biệt")
    async with engine.connect() as connection:
        rows = (await connection.execute(sa.text("select * from service.notice_change"))).all()
        assert [row.amount_vnd for row in rows] == [100, 50]
        assert all(row.actor.startswith("api_key:") for row in rows)
        assert "Đặc Biệt".encode() not in b"".join(bytes(row.decided_by_sealed) for row in rows)


async def test_counters_equal_their_items(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    """Invariant 5: amount and exempted of a notice are the sums over its items."""
    made = await recorded(client, 100, 50, 7)
    await change(client, made, "items", items=[item(3)])
    await change(client, made, "exemption", reason="giảm", decided_by="B", amount_vnd=120)
    sums = sa.text("""
        select state.amount_vnd, state.exempted_vnd, sum(item.amount_vnd), sum(item.exempted_vnd)
        from service.notice_state as state join service.notice_item as item
          on item.book_id = state.book_id and item.notice_id = state.notice_id
        group by 1, 2
    """)
    async with engine.connect() as connection:
        amount, exempted, items_amount, items_exempted = (await connection.execute(sums)).one()
    assert (amount, exempted) == (items_amount, items_exempted) == (160, 120)
