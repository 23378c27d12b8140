"""Signed provider traffic at a steady pace against a running demo, until told to stop.

Each turn is one citizen: a dossier is recorded, a way to pay is asked for, the money moves, and
the provider calls, with whatever goes wrong. Nothing here decides what is booked.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from ledger.accounts import business_day
from service.dev import mishaps, people, starts
from service.dev.bank import Bank
from service.dev.client import Client
from service.dev.demo_file import BANK_NAME, DemoProblem
from service.dev.dossiers import Desk
from service.dev.guard import running_demo
from service.dev.mishaps import Rates
from service.dev.town import Town, Transfer
from service.dev.units import UNITS, Unit

FIRST_NUMBER: Final = 5_001
"""Dossiers of a day's first hours have lower numbers."""
AT_ONCE_MAX: Final = 32
GATEWAY_SHARE: Final = 0.6
DESK_HOLDS: Final = 4_000
"""Numbers that a desk gives before four digits are used up."""


class Simulator:
    """Citizens of now; `run` ends after `seconds`, or when its task is cancelled."""

    def __init__(self, town: Town, run: int, rates: Rates) -> None:
        """`run` is the number of this start: no two starts give the same dossier code."""
        self._town = town
        self._run = run
        self._rates = rates
        self._desks: dict[tuple[Unit, object], tuple[Desk, int]] = {}
        self.failed = 0
        self.last_problem = ""

    async def run(self, rate_per_s: float, seconds: float | None = None) -> int:
        """Begin `rate_per_s` citizens each second; how many began.

        A service that does not keep up is not pressed: at most AT_ONCE_MAX are under way.
        """
        loop = asyncio.get_running_loop()
        ends = None if seconds is None else loop.time() + seconds
        under_way: set[asyncio.Task[None]] = set()
        begun = 0
        try:
            while ends is None or loop.time() < ends:
                if len(under_way) < AT_ONCE_MAX:
                    task = asyncio.create_task(self._citizen())
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    begun += 1
                await asyncio.sleep(self._town.dice.expovariate(rate_per_s))
        finally:
            await asyncio.gather(*under_way)
        return begun

    async def _citizen(self) -> None:
        try:
            await self.citizen(self._town.dice.choice(UNITS))
        except DemoProblem as problem:
            self.failed += 1
            self.last_problem = str(problem)

    async def citizen(self, unit: Unit) -> None:
        """One dossier from its recording to the provider's call."""
        town = self._town
        owed = await town.record(self._desk(unit).next())
        if not owed.notice.outstanding_vnd:
            return
        by_gateway = town.dice.random() < GATEWAY_SHARE
        request = await town.request(owed, town.gateway(unit) if by_gateway else "vietqr")
        now = datetime.now(UTC)
        mishap = mishaps.cast(town.dice, self._rates, feed=not by_gateway)
        if by_gateway:
            await town.pay_at_gateway(request, now, mishap)
            landed, town.landed = town.landed, []
            for transfer in landed:
                await self._seen_at_the_bank(transfer)
            return
        person = owed.dossier.person
        text = people.typed(town.dice, request.reference, person)
        memo = people.wrapped(town.dice, text, person, now, unit.account)
        for transfer in town.transfer(unit, request.amount_vnd, now, memo, mishap):
            await self._seen_at_the_bank(transfer)

    async def _seen_at_the_bank(self, transfer: Transfer) -> None:
        self._town.bank.add([transfer.moved])
        await self._town.tell(transfer)

    def _desk(self, unit: Unit) -> Desk:
        """Today's desk of a unit; a full one goes on with the numbers of the next run."""
        day = business_day(datetime.now(UTC))
        desk, given = self._desks.get((unit, day), (None, 0))
        if desk is None or given % DESK_HOLDS == 0:
            later = self._run + given // DESK_HOLDS
            desk = Desk(town_dice(self._town), unit, day, later, FIRST_NUMBER)
        self._desks[unit, day] = desk, given + 1
        return desk


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulation has sent, and how it was answered."""

    begun: int
    failed: int
    last_problem: str
    tally: Mapping[str, int]


async def traffic(
    path: Path, rates: Rates, *, rate_per_s: float, seconds: float, seed: int | None
) -> Done:
    """Send traffic to the running demo of a `demo.json`; raises DemoProblem where it is none."""
    demo = await running_demo(path)
    async with Client(demo) as client:
        town = Town(client, demo, Bank(path.parent / BANK_NAME), random.Random(seed))
        simulator = Simulator(town, starts.take(path.parent), rates)
        begun = await simulator.run(rate_per_s, seconds)
    return Done(
        begun=begun,
        failed=simulator.failed,
        last_problem=simulator.last_problem,
        tally=town.tally,
    )


def town_dice(town: Town) -> random.Random:
    """Dice of their own for a desk, thrown by the town's."""
    return random.Random(town.dice.random())
