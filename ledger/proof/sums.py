"""Checkpoints and balances equal the sums of lines; what units owe each other mirrors."""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import DUE_FROM_UNITS, DUE_TO_UNITS
from ledger.balances import trial_balance
from ledger.proof import queries
from ledger.proof.findings import Finding, rows_of


async def sum_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Sums that are not those of the lines, at every checkpoint and now (invariant 4)."""
    key = {"book_id": book_id}
    async for row in rows_of(connection, queries.CHECKPOINT_DAYS, key):
        yield _sum_finding(
            book_id,
            "ledger.checkpoint_day",
            f"{row.account}/{row.value_date}/{row.segment}",
            (row.debit_vnd, row.credit_vnd),
            (row.told_debit_vnd, row.told_credit_vnd),
        )
    async for row in rows_of(connection, queries.CHECKPOINT_BALANCES, key):
        yield _sum_finding(
            book_id,
            "ledger.checkpoint_balance",
            f"{row.account}/{row.segment}",
            (row.debit_vnd, row.credit_vnd),
            (row.told_debit_vnd, row.told_credit_vnd),
        )
    async for row in rows_of(connection, queries.CHECKPOINT_COUNTS, key):
        yield Finding(
            invariant=4,
            book_id=book_id,
            table="ledger.checkpoint",
            row=str(row.segment),
            expected=f"{row.lines} lines, {row.segment_day}, closed {row.segment_closed_at}",
            found=f"{row.line_count} lines, {row.day}, closed {row.closed_at}",
        )
    async for row in rows_of(connection, queries.LAST_SUMMED, key):
        yield Finding(
            invariant=4,
            book_id=book_id,
            table="ledger.summed",
            row=str(book_id),
            expected=f"segment {row.last}",
            found=f"segment {row.segment}",
        )
    sums = {
        row.account: (row.debit_vnd, row.credit_vnd)
        for row in await connection.execute(queries.FULL_SUMS, key)
    }
    for told in (await trial_balance(connection, book_id)).rows:
        real = sums.get(told.account, (0, 0))
        if real != (told.debit_vnd, told.credit_vnd):
            yield _sum_finding(
                book_id,
                "ledger.account",
                told.account,
                real,
                (told.debit_vnd, told.credit_vnd),
            )


def _sum_finding(
    book_id: int, table: str, row: str, real: tuple[int, int], told: tuple[int, int]
) -> Finding:
    return Finding(
        invariant=4,
        book_id=book_id,
        table=table,
        row=row,
        expected=f"debit {real[0]:f}, credit {real[1]:f}: the sum of the lines",
        found=f"debit {told[0]:f}, credit {told[1]:f}",
    )


async def mirror_findings(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Money due between units that only one of them knows of (invariant 12)."""
    key: dict[str, object] = {"book_id": book_id, "due": [DUE_FROM_UNITS, DUE_TO_UNITS]}
    mirror = {"due_from": DUE_FROM_UNITS, "due_to": DUE_TO_UNITS}
    async for row in rows_of(connection, queries.UNMIRRORED, key | mirror):
        yield Finding(
            invariant=12,
            book_id=book_id,
            table="ledger.entry",
            row=f"shared id {row.shared_id}",
            expected=f"{DUE_FROM_UNITS} and {DUE_TO_UNITS} mirror between the books",
            found=f"{DUE_FROM_UNITS} {row.due_from_vnd:f}, {DUE_TO_UNITS} {row.due_to_vnd:f}",
        )
    async for row in rows_of(connection, queries.UNSHARED, key):
        yield Finding(
            invariant=12,
            book_id=book_id,
            table="ledger.entry",
            row=str(row.id),
            expected=f"a shared id on what touches {DUE_FROM_UNITS} or {DUE_TO_UNITS}",
            found="none",
        )
