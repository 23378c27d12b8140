"""What a remittance books: the split, its way to the Treasury, and the retained share at the end.

Entries of the accounting page, by budget subsection: items stand in `service.item_split`, so that
a million of them is one entry. Money that leaves the bank account is booked in `dues`.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from ledger.entries import Entry, Line
from ledger.posting import post
from service.payments import dues, loading, refund_loading, writing
from service.payments.effects import Effects
from service.payments.refunding import NotEnough
from service.payments.state import Due, Movement, World

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


async def locked_debit(
    connection: AsyncConnection, book_id: int, movement_id: UUID
) -> tuple[World, Movement | None]:
    """Lock the movement that is said to have paid a remittance, before the remittance itself."""
    await loading.lock(connection, [refund_loading.apart_key(book_id)])
    driver = await loading.raw(connection)
    world = World()
    for movement in await loading.lock_movements(driver, [(book_id, movement_id)]):
        world.add(movement)
    return world, next(iter(world.movements), None)


async def due_of(connection: AsyncConnection, book_id: int, reference: str) -> Due | None:
    """What a remittance waits for, locked; None where it waits for nothing."""
    world = World()
    await dues.load(await loading.raw(connection), [(book_id, reference)], world)
    due = world.dues.get((book_id, reference))
    return due if due is not None and due.status == "waits" else None


async def pay_by_debit(
    connection: AsyncConnection, due: Due, locked: tuple[World, Movement], now: datetime
) -> None:
    """People say which unexplained debit paid a remittance: 3332, or 1131, / 1380 of that debit.

    Raises NotEnough unless it is unexplained and of this amount.
    """
    world, debit = locked
    if debit.direction != "out" or debit.unexplained_vnd != due.amount_vnd:
        raise NotEnough(debit.unexplained_vnd)
    kind, _, name = debit.origin.partition(":")
    on = min(seen.happened_on for seen in debit.seen)
    effects = Effects()
    effects.entries.append(
        Entry(
            book_id=due.book_id,
            source=f"remittance:{due.id}:debit",
            kind=REMITTED,
            happened_at=datetime.combine(on, time(), accounts.BUSINESS_ZONE),
            value_date=on,
            lines=tuple(
                Line(
                    debit=account,
                    credit=accounts.OUTGOING_UNEXPLAINED,
                    amount_vnd=amount_vnd,
                    movement_id=debit.id,
                    bank_account_id=int(name) if kind == "account" else None,
                    budget_subsection=subsection,
                )
                for account, subsection, amount_vnd in due.lines
            ),
        )
    )
    debit.unexplained_vnd = 0
    debit.remitted_vnd = due.amount_vnd
    debit.dirty = True
    due.status = "paid"
    effects.dues.append((due, debit, on))
    effects.resolve(debit.book_id, debit.id, "paid a remittance")
    await writing.write(connection, world, effects, now=now)


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
