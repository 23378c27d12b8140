"""Let a flood in one at a time, so that it takes turns with everybody else's calls.

A merchant at whose address very many calls are not believed is flooded for a while: its calls
queue before they are even read, and one of them has its turn whenever all other work that is ready
has had its own, at most TURNS_PER_S. Other merchants' calls never wait here. A flood is told of in
one log line a second, not in one for each call: what an attacker sends must not fill a disk.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

FLOOD_PER_S: Final = 30
"""Unbelieved calls of one merchant in one second, above which it is flooded."""
FLOODED_FOR_S: Final = 10.0
TURNS_PER_S: Final = 1_000
"""Calls of flooded merchants that one process reads in a second."""
WAITING_MAX: Final = 3_000
"""Calls that wait for their turn, for three seconds at most; the next one is to try again."""
SLICE_S: Final = 0.01
MERCHANTS_REMEMBERED: Final = 10_000

log = structlog.get_logger(__name__)


class _Tally(msgspec.Struct):
    """What a merchant's address got in one second."""

    second: int = 0
    unbelieved: int = 0
    flooded_until: float = 0.0


class Pace:
    """One per process; `turn` before a call is read, `unbelieved` after one was not believed."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """Take another clock (monotonic, in seconds) than the loop's."""
        self._given = clock
        self._tallies: dict[int, _Tally] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._giving: asyncio.Task[None] | None = None

    def _now(self) -> float:
        return self._given() if self._given else asyncio.get_running_loop().time()

    def unbelieved(self, merchant_id: int) -> bool:
        """A call of this merchant was not believed; whether it is one of a flood."""
        now = self._now()
        tally = self._tallies.get(merchant_id)
        if tally is None:
            if len(self._tallies) >= MERCHANTS_REMEMBERED:
                self._tallies.clear()
            tally = self._tallies[merchant_id] = _Tally()
        if tally.second != int(now):
            if tally.unbelieved > FLOOD_PER_S:
                log.warning("intake.flood", merchant=merchant_id, unbelieved=tally.unbelieved)
            tally.second, tally.unbelieved = int(now), 0
        tally.unbelieved += 1
        if tally.unbelieved > FLOOD_PER_S:
            tally.flooded_until = now + FLOODED_FOR_S
        return tally.flooded_until > now

    def is_flooded(self, merchant_id: int) -> bool:
        """Whether this merchant's calls have to queue now."""
        tally = self._tallies.get(merchant_id)
        return tally is not None and tally.flooded_until > self._now()

    async def turn(self, merchant_id: int) -> bool:
        """Wait for the call's turn, if its merchant is flooded; false where too many wait."""
        if not self.is_flooded(merchant_id):
            return True
        if len(self._waiting) >= WAITING_MAX:
            return False
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(self._give_turns())
        await mine
        return True

    async def _give_turns(self) -> None:
        loop = asyncio.get_running_loop()
        slice_ends = loop.time() + SLICE_S
        given = 0
        while self._waiting:
            mine = self._waiting.popleft()
            if not mine.done():  # its caller may have gone away
                mine.set_result(None)
                given += 1
            await asyncio.sleep(0)  # whatever else is ready goes first
            if given >= TURNS_PER_S * SLICE_S:
                await asyncio.sleep(max(0.0, slice_ends - loop.time()))
                slice_ends = loop.time() + SLICE_S
                given = 0
