"""A flood takes turns with everybody else; nobody else waits for it."""

import asyncio

import httpx2
import pytest
import structlog

from service.intake import pacing
from service.intake.pacing import FLOOD_PER_S, FLOODED_FOR_S, Pace

pytestmark = pytest.mark.anyio

FLOODED, CALM = 1, 2


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


def flood(pace: Pace, calls: int = FLOOD_PER_S + 1) -> None:
    """So many calls of one merchant in one second are not believed."""
    for _ in range(calls):
        pace.unbelieved(FLOODED)


async def test_a_merchant_is_flooded_for_a_while() -> None:
    """Above FLOOD_PER_S in one second, and until FLOODED_FOR_S after the last of them."""
    clock = Clock()
    pace = Pace(clock)
    flood(pace, FLOOD_PER_S)
    clock.now += 1
    flood(pace, FLOOD_PER_S)
    assert not pace.is_flooded(FLOODED)
    flood(pace, 1)
    assert pace.is_flooded(FLOODED)
    assert not pace.is_flooded(CALM)
    clock.now += FLOODED_FOR_S
    assert not pace.is_flooded(FLOODED)


async def test_a_flood_is_one_log_line_a_second() -> None:
    """Each second of it is counted in one line; what is no flood has none."""
    clock = Clock()
    pace = Pace(clock)
    with structlog.testing.capture_logs() as lines:
        flood(pace, FLOOD_PER_S)
        clock.now += 1
        flood(pace, 500)
        clock.now += 1
        flood(pace, 1)
    assert [line["unbelieved"] for line in lines] == [500]


async def test_other_work_has_its_turn_between_any_two_calls_of_a_flood() -> None:
    """Of fifty waiting calls none is read twice in a row while another task is ready."""
    pace = Pace()
    flood(pace)
    order: list[str] = []

    async def call() -> None:
        assert await pace.turn(FLOODED)
        order.append("flood")

    async def other() -> None:
        while order.count("flood") < 50:
            order.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(*(call() for _ in range(50)), other())
    assert order.count("flood") == 50
    assert "flood flood" not in " ".join(order[:-1])


async def test_a_calm_merchant_does_not_wait() -> None:
    """Its turn is now, without the loop going round once."""
    pace = Pace()
    flood(pace)
    turn = pace.turn(CALM)
    with pytest.raises(StopIteration) as ended:
        turn.send(None)
    assert ended.value.value is True


async def test_too_many_waiting_calls_are_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot be served in time is told so at once, and those that went away take no turn."""
    monkeypatch.setattr(pacing, "WAITING_MAX", 3)
    pace = Pace()
    flood(pace)
    waiting = [asyncio.create_task(pace.turn(FLOODED)) for _ in range(3)]
    late = asyncio.create_task(pace.turn(FLOODED))
    await asyncio.sleep(0)
    waiting[0].cancel()
    told = await asyncio.gather(*waiting[1:], late)
    assert told == [True, True, False]


async def test_calls_to_nobodys_address_take_turns_like_a_flood(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is answered 404 and soon not logged one by one; where too many wait, 503 at once."""

    async def call() -> int:
        return (await client.get("/callbacks/vnpay/NOBODY", params={"a": "1"})).status_code

    with structlog.testing.capture_logs() as lines:
        told = await asyncio.gather(*(call() for _ in range(200)))
    assert set(told) == {404}
    each = [one for one in lines if (one["event"], one["log_level"]) == ("request", "info")]
    assert 0 < len(each) < 100
    monkeypatch.setattr(pacing, "WAITING_MAX", 3)
    assert set(await asyncio.gather(*(call() for _ in range(50)))) == {404, 503}
