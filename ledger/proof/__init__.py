"""Recompute everything a book says and name each row that does not hold.

Covers invariants 1, 2, 4, 8 and the mirror of 12, as far as the ledger's own tables tell. Rows are
streamed, so that memory stays bounded. It finds what somebody changed with the rights to change
anything, but not one who also rewrote every hash: against that stand the seals of closed days.
"""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import SnapshotNeeded
from ledger.proof import queries
from ledger.proof.entries import entry_findings, orphan_findings
from ledger.proof.findings import Finding
from ledger.proof.postings import posting_findings, reversal_findings, segment_findings
from ledger.proof.sums import mirror_findings, sum_findings

__all__ = ["Finding", "prove"]

_SNAPSHOTS = ("repeatable read", "serializable")
_PARTS = (
    entry_findings,
    orphan_findings,
    posting_findings,
    reversal_findings,
    segment_findings,
    sum_findings,
    mirror_findings,
)


async def prove(connection: AsyncConnection, book_id: int) -> AsyncIterator[Finding]:
    """Yield what breaks an invariant of the ledger in a book; nothing when all holds.

    The caller's transaction must be REPEATABLE READ, so that all parts see one state; raises
    SnapshotNeeded otherwise.
    """
    isolation = (await connection.execute(queries.ISOLATION)).scalar_one()
    if isolation not in _SNAPSHOTS:
        raise SnapshotNeeded(f"a proof needs one snapshot (repeatable read), not {isolation}")
    for part in _PARTS:
        async for finding in part(connection, book_id):
            yield finding
