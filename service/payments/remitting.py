"""What a remittance books: the split, its way to the Treasury, and the retained share at the end.

Entries of the accounting page, by budget subsection: items stand in `service.item_split`, so that
a million of them is one entry. Money that leaves the bank account is booked in `dues`.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from ledger.entries import Entry, Line
from ledger.posting import post

SPLIT: Final = "fees_split"
ARRIVED: Final = "remittance_arrived"
REMITTED: Final = "remittance_paid"
RECOGNISED: Final = "retained_recognised"


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under one budget subsection."""

    budget_subsection: str | None
    retained_vnd: int = 0
    budget_vnd: int = 0


class When(msgspec.Struct, frozen=True, kw_only=True):
    """When it happened outside, to the instant and to the day."""

    at: datetime
    on: date


async def split(
    connection: AsyncConnection,
    book_id: int,
    remittance_id: UUID,
    shares: Sequence[Shares],
    when: When,
) -> None:
    """Dr 3373 / Cr 3370 what is retained, Cr 3332 what is the budget's."""
    lines = [
        Line(
            debit=accounts.FEES_HELD,
            credit=credit,
            amount_vnd=amount_vnd,
            budget_subsection=share.budget_subsection,
        )
        for share in shares
        for credit, amount_vnd in (
            (accounts.RETAINED, share.retained_vnd),
            (accounts.BUDGET_PAYABLE, share.budget_vnd),
        )
        if amount_vnd
    ]
    await _post(connection, book_id, f"remittance:{remittance_id}:split", SPLIT, lines, when)


async def arrive(
    connection: AsyncConnection, book_id: int, remittance_id: UUID, amount_vnd: int, when: When
) -> None:
    """Dr 1122 / Cr 1131: the swept money is on the Treasury's pending account."""
    line = Line(debit=accounts.TREASURY, credit=accounts.TREASURY_TRANSIT, amount_vnd=amount_vnd)
    await _post(connection, book_id, f"remittance:{remittance_id}:arrived", ARRIVED, [line], when)


async def remit(
    connection: AsyncConnection,
    book_id: int,
    remittance_id: UUID,
    shares: Sequence[Shares],
    when: When,
) -> None:
    """Dr 3332 / Cr 1122: the budget has its share, by the payment slip."""
    lines = [
        Line(
            debit=accounts.BUDGET_PAYABLE,
            credit=accounts.TREASURY,
            amount_vnd=share.budget_vnd,
            budget_subsection=share.budget_subsection,
        )
        for share in shares
        if share.budget_vnd
    ]
    await _post(connection, book_id, f"remittance:{remittance_id}:paid", REMITTED, lines, when)


async def recognise(
    connection: AsyncConnection,
    book_id: int,
    recognition_id: UUID,
    shares: Sequence[Shares],
    when: When,
) -> None:
    """Dr 3370 / Cr 5140: the retained share is the unit's revenue."""
    lines = [
        Line(
            debit=accounts.RETAINED,
            credit=accounts.RETAINED_REVENUE,
            amount_vnd=share.retained_vnd,
            budget_subsection=share.budget_subsection,
        )
        for share in shares
        if share.retained_vnd
    ]
    await _post(connection, book_id, f"recognition:{recognition_id}", RECOGNISED, lines, when)


async def _post(  # noqa: PLR0917 # an entry has this many facts
    connection: AsyncConnection,
    book_id: int,
    source: str,
    kind: str,
    lines: Sequence[Line],
    when: When,
) -> None:
    if not lines:
        return
    entry = Entry(
        book_id=book_id,
        source=source,
        kind=kind,
        happened_at=when.at,
        value_date=when.on,
        lines=tuple(lines),
    )
    await post(connection, [entry])
