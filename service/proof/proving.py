"""Run the checks over one snapshot, book by book, and say for each what was looked at."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import ledger.proof
from ledger.proof import Finding
from service.database import snapshot
from service.proof import (
    intake_checks,
    money_checks,
    notice_checks,
    other_checks,
    settlement_checks,
)
from service.proof.checks import Check

FINDINGS_MAX: Final = 20
"""Rows that one check names; the first one is enough to begin with."""
LEDGER_FINDINGS_MAX: Final = 200
STATEMENT_TIMEOUT_S: Final = 3_600
"""One statement of the proof of a large book; ask for an engine with as much."""

CHECKS: Final[tuple[Check, ...]] = (
    *intake_checks.CHECKS,
    *notice_checks.CHECKS,
    *other_checks.CHECKS,
    *money_checks.CHECKS,
    *settlement_checks.CHECKS,
)

LEDGER_INVARIANTS: Final = {
    1: "ledger.line",
    2: "ledger.entry",
    4: "ledger.checkpoint_balance",
    8: "ledger.segment",
    12: "ledger.entry",
}
"""What the ledger proves of itself, and the table whose rows count as looked at."""

BOOKS = sa.text("select book_id from ledger.book order by book_id")

COUNTS = {
    table: sa.text(f"select count(*) from {table} where book_id = :book_id")  # noqa: S608 - constants
    for table in {check.counts for check in CHECKS if check.counts}
    | set(LEDGER_INVARIANTS.values())
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one invariant in one book: how many rows, and which of them break it."""

    book_id: int
    invariant: int
    name: str
    rows: int
    note: str = ""
    findings: tuple[Finding, ...] = ()


STEPS_PER_BOOK: Final = len(CHECKS) + len(LEDGER_INVARIANTS)


async def prove(engine: AsyncEngine, book_id: int | None = None) -> AsyncIterator[Finding]:
    """Everything that breaks an invariant in a book, or in all; nothing when all holds.

    Names at most FINDINGS_MAX rows per check (LEDGER_FINDINGS_MAX of the ledger's own).
    """
    async with snapshot(engine) as connection:
        for one in await books(connection, book_id):
            async for step in examine(connection, one):
                for finding in step.findings:
                    yield finding


async def books(connection: AsyncConnection, book_id: int | None) -> Sequence[int]:
    """The book asked for, or all of them in order."""
    if book_id is not None:
        return [book_id]
    return [int(one) for one in await connection.scalars(BOOKS)]


async def examine(connection: AsyncConnection, book_id: int) -> AsyncIterator[Step]:
    """Every step of the proof of a book, as it is done; the connection must hold one snapshot."""
    for step in await _ledger(connection, book_id):
        yield step
    for check in CHECKS:
        yield await _check(connection, book_id, check)


async def _ledger(connection: AsyncConnection, book_id: int) -> list[Step]:
    found: dict[int, list[Finding]] = {number: [] for number in LEDGER_INVARIANTS}
    count = 0
    async for finding in ledger.proof.prove(connection, book_id):
        found[finding.invariant].append(finding)
        count += 1
        if count == LEDGER_FINDINGS_MAX:
            break
    return [
        Step(
            book_id=book_id,
            invariant=number,
            name="ledger",
            rows=await _count(connection, book_id, table),
            findings=tuple(found[number]),
        )
        for number, table in LEDGER_INVARIANTS.items()
    ]


async def _check(connection: AsyncConnection, book_id: int, check: Check) -> Step:
    rows = await connection.execute(
        check.statement, {"book_id": book_id, "limit": FINDINGS_MAX, **check.params}
    )
    findings = tuple(
        Finding(
            invariant=check.invariant,
            book_id=book_id,
            table=row.tbl,
            row=row.row_id,
            expected=row.expected,
            found=row.found,
        )
        for row in rows
    )
    return Step(
        book_id=book_id,
        invariant=check.invariant,
        name=check.name,
        rows=await _count(connection, book_id, check.counts) if check.counts else 0,
        note=check.note,
        findings=findings,
    )


async def _count(connection: AsyncConnection, book_id: int, table: str) -> int:
    return int(str(await connection.scalar(COUNTS[table], {"book_id": book_id})))
