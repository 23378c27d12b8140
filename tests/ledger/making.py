"""Entries for the tests of the ledger, and short ways to post and prove."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ledger.accounts import CLEARING, FEES_RECEIVABLE
from ledger.entries import Entry, Line, Posted
from ledger.posting import post
from ledger.proof import Finding, prove

HAPPENED_AT = datetime(2026, 11, 2, 3, 4, 5, 678901, tzinfo=UTC)
VALUE_DATE = date(2026, 11, 2)


def line(amount_vnd: int = 150_000, debit: str = CLEARING, credit: str = FEES_RECEIVABLE) -> Line:
    """Make a line with every dimension but the bank account."""
    return Line(
        debit=debit,
        credit=credit,
        amount_vnd=amount_vnd,
        notice_id=uuid7(),
        item_id=uuid7(),
        movement_id=uuid7(),
        merchant="HUEPAY",
        budget_subsection="2106",
    )


def entry(
    source: str,
    *lines: Line,
    book_id: int = 1,
    value_date: date = VALUE_DATE,
    shared_id: UUID | None = None,
) -> Entry:
    """Make a payment of one line, or of the lines given."""
    return Entry(
        book_id=book_id,
        source=source,
        kind="payment",
        happened_at=HAPPENED_AT,
        value_date=value_date,
        lines=lines or (line(),),
        shared_id=shared_id,
    )


async def posted(engine: AsyncEngine, *entries: Entry) -> list[Posted]:
    """Post in a transaction of its own."""
    async with engine.begin() as connection:
        return await post(connection, entries)


async def proven(engine: AsyncEngine, book_ids: Sequence[int] = (1, 2)) -> list[Finding]:
    """All findings of a proof of the books."""
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    findings: list[Finding] = []
    async with snapshot.connect() as connection:
        for book_id in book_ids:
            findings.extend([finding async for finding in prove(connection, book_id)])
    return findings
