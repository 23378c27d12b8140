"""The back office of the demo's days: statements are imported, each day is reconciled."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import msgspec

from service.dev.channels import GATEWAYS
from service.dev.client import Client
from service.dev.demo_file import DemoProblem
from service.dev.provider import settlement
from service.dev.provider.serving import Running
from service.dev.town import Town
from service.dev.units import BIN, UNITS

OVERLAP: Final = timedelta(days=1)
LATER_RUN_OVERLAP: Final = timedelta(days=10)
"""A later start's statement reaches back over what moved since the statement before."""
POLL_S: Final = 0.1
WITHIN_S: Final = 120.0
IMPORTED: Final = "done"
ENDED: Final = frozenset({"done", "refused", "failed"})


class Statement(msgspec.Struct, kw_only=True):
    """A statement, as far as the demo needs it."""

    id: UUID
    status: str
    lines_new: int
    lines_known: int
    proven: bool | None
    problem: str | None


async def import_statements(
    town: Town, days: Sequence[date], *, first_run: bool
) -> tuple[int, int, int]:
    """Import one statement per unit and day, some reaching back; files, new and known lines."""
    files = new = known = 0
    for unit in UNITS:
        for number, day in enumerate(days):
            back = OVERLAP * (number % 2) if first_run else LATER_RUN_OVERLAP
            file = town.bank.statement(unit.account, day - back, day)
            if file is None:
                continue
            taken = await town.client.upload(
                "/v1/statements",
                Statement,
                fields={"account": f"{BIN}-{unit.account}", "layout": "vietcombank"},
                file=file,
                role="maker",
            )
            taken = await _imported(town.client, taken)
            files += 1
            new += taken.lines_new
            known += taken.lines_known
    return files, new, known


async def _imported(client: Client, statement: Statement) -> Statement:
    """Wait until a statement is imported; raises DemoProblem where it was refused."""
    for _ in range(round(WITHIN_S / POLL_S)):
        if statement.status in ENDED:
            break
        await asyncio.sleep(POLL_S)
        statement = await client.ask(
            "GET", f"/v1/statements/{statement.id}", Statement, role="maker"
        )
    if statement.status != IMPORTED:
        raise DemoProblem(f"A statement was not imported: {statement.status} {statement.problem}")
    return statement


class Settlement(msgspec.Struct, kw_only=True):
    """A settlement file, as far as the demo needs it."""

    id: UUID
    status: str
    lines_read: int
    problem: str | None


async def import_settlements(
    town: Town, there: Mapping[str, Running], days: Sequence[date]
) -> tuple[int, int]:
    """Import each gateway's settlement file of each day; files and lines."""
    files = lines = 0
    for name, running in there.items():
        if name not in GATEWAYS:
            continue
        merchant = running.actor.terms.merchant
        for day in days:
            file = settlement.of_day(running.actor.shop, name, merchant, day)
            taken = await town.client.upload(
                "/v1/settlements",
                Settlement,
                fields={"merchant": f"{name}/{merchant}"},
                file=file,
                role="maker",
            )
            taken = await _settled(town.client, taken)
            files += 1
            lines += taken.lines_read
    return files, lines


async def _settled(client: Client, taken: Settlement) -> Settlement:
    """Wait until a settlement is imported; raises DemoProblem where it was refused."""
    for _ in range(round(WITHIN_S / POLL_S)):
        if taken.status in ENDED:
            break
        await asyncio.sleep(POLL_S)
        taken = await client.ask("GET", f"/v1/settlements/{taken.id}", Settlement, role="maker")
    if taken.status != IMPORTED:
        raise DemoProblem(f"A settlement was not imported: {taken.status} {taken.problem}")
    return taken


class Run(msgspec.Struct, kw_only=True):
    """A reconciliation run, as far as the demo needs it."""

    id: UUID
    status: str


async def reconcile(town: Town, days: Sequence[date]) -> int:
    """Reconcile each book for each day; how many runs. Raises DemoProblem where one failed."""
    for day in days:
        for unit in UNITS:
            body = {"book_id": unit.book.book_id, "business_date": day.isoformat()}
            run = await town.client.ask(
                "POST", "/v1/reconciliation-runs", Run, body=body, role="maker"
            )
            for _ in range(round(WITHIN_S / POLL_S)):
                if run.status in ENDED:
                    break
                await asyncio.sleep(POLL_S)
                run = await town.client.ask(
                    "GET", f"/v1/reconciliation-runs/{run.id}", Run, role="maker"
                )
            if run.status != "done":
                raise DemoProblem(f"The run of {day} in book {unit.book.book_id}: {run.status}")
    return len(days) * len(UNITS)
