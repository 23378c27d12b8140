"""What is owed, in the books: assessed, added to, exempted, cancelled, brought in when opening.

Each function writes the counters, the entry and the outbox event in the caller's transaction, on a
notice that the caller has locked (or just made). Amounts of nothing are counted but not posted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from ledger.accounts import business_day
from ledger.entries import Entry, Line
from ledger.posting import post
from service import outbox
from service.outbox import EventType
from service.payments.effects import notice_news
from service.payments.state import Item, Notice

EntryKind: TypeAlias = Literal[
    "fee_assessed", "fee_added", "fee_exempted", "fee_cancelled", "book_opened"
]

ADD_ITEMS = sa.text("""
    insert into service.notice_item (book_id, notice_id, id, position, code, kind, name, amount_vnd,
                                     budget_subsection, retained_percent, added_at)
    select told.book_id, told.notice_id, told.id, told.position, told.code, told.kind, told.name,
           told.amount_vnd, told.budget_subsection, told.retained_percent, :now
    from unnest(cast(:book_ids as integer[]), cast(:notice_ids as uuid[]), cast(:ids as uuid[]),
                cast(:positions as smallint[]), cast(:codes as text[]), cast(:kinds as text[]),
                cast(:names as text[]), cast(:amounts as bigint[]), cast(:budgets as text[]),
                cast(:retained as smallint[]))
        as told (book_id, notice_id, id, position, code, kind, name, amount_vnd,
                 budget_subsection, retained_percent)
""")

ADD_STATES = sa.text("""
    insert into service.notice_state (book_id, notice_id, amount_vnd, updated_at)
    select told.book_id, told.notice_id, told.amount_vnd, :now
    from unnest(cast(:book_ids as integer[]), cast(:notice_ids as uuid[]),
                cast(:amounts as bigint[])) as told (book_id, notice_id, amount_vnd)
""")

SAVE_STATE = sa.text("""
    update service.notice_state
    set amount_vnd = :amount_vnd, exempted_vnd = :exempted_vnd, version = :version,
        cancelled_at = coalesce(cancelled_at, cast(:cancelled_at as timestamptz)),
        updated_at = :now
    where book_id = :book_id and notice_id = :notice_id
""")

# Of each item, what remittances took apart that is not paid (any more): its payment was reversed.
APART = sa.text("""
    select item.id as item_id, (apart.vnd + back.vnd - item.paid_vnd)::bigint as vnd
    from service.notice_item as item
    cross join lateral (
        select coalesce(sum(split.retained_vnd + split.budget_vnd), 0) as vnd
        from service.item_split as split
        join service.remittance as remittance
          on remittance.book_id = split.book_id and remittance.id = split.remittance_id
        where split.book_id = item.book_id and split.notice_id = item.notice_id
          and split.item_id = item.id and remittance.status <> 'rejected'
    ) as apart
    cross join lateral (
        select coalesce(sum(gone.amount_vnd), 0) as vnd from service.refund_item as gone
        where gone.book_id = item.book_id and gone.notice_id = item.notice_id
          and gone.item_id = item.id and gone.account = '3373'
    ) as back
    where item.book_id = :book_id and item.notice_id = :notice_id
      and apart.vnd + back.vnd > item.paid_vnd
""")

SAVE_ITEMS = sa.text("""
    update service.notice_item as item set exempted_vnd = told.exempted_vnd
    from unnest(cast(:ids as uuid[]), cast(:exempted as bigint[])) as told (id, exempted_vnd)
    where item.book_id = :book_id and item.notice_id = :notice_id and item.id = told.id
""")


class NewItem(msgspec.Struct, frozen=True, kw_only=True):
    """A fee item to be added to a notice."""

    id: UUID
    code: str
    kind: Literal["phi", "le_phi"]
    name: str
    amount_vnd: int
    budget_subsection: str | None
    retained_percent: int


Share: TypeAlias = tuple[Item, int]
"""An item and an amount in đồng of it."""


async def assess(
    connection: AsyncConnection, notice: Notice, items: Sequence[NewItem], now: datetime
) -> None:
    """Book a new notice: Dr 1383 / Cr 3373, one line for each item that is not of nothing.

    `notice` has no items yet and its row in service.notice is there; it is filled here.
    """
    await assess_rows(connection, [(notice, items)], now)
    lines = owed_lines(notice, [(item, item.amount_vnd) for item in notice.items])
    await _post(connection, notice, "fee_assessed", lines, now)
    await _tell(connection, notice, "fee_notice.recorded", now)


async def assess_rows(
    connection: AsyncConnection,
    notices: Sequence[tuple[Notice, Sequence[NewItem]]],
    now: datetime,
) -> None:
    """Add the items and counters of new notices; no entry and no event."""
    for notice, items in notices:
        notice.amount_vnd = sum(item.amount_vnd for item in items)
        notice.items = [_item(new, position) for position, new in enumerate(items, 1)]
    states = [notice for notice, _ in notices]
    await connection.execute(
        ADD_STATES,
        {
            "book_ids": [notice.book_id for notice in states],
            "notice_ids": [notice.id for notice in states],
            "amounts": [notice.amount_vnd for notice in states],
            "now": now,
        },
    )
    rows = [
        (notice, new, position)
        for notice, items in notices
        for position, new in enumerate(items, 1)
    ]
    await _add_items(connection, rows, now)


async def add(
    connection: AsyncConnection, notice: Notice, items: Sequence[NewItem], now: datetime
) -> None:
    """An additional charge on a locked notice: more items, the same entry as at first."""
    first = max((item.position for item in notice.items), default=0) + 1
    rows = [(notice, new, position) for position, new in enumerate(items, first)]
    await _add_items(connection, rows, now)
    added = [_item(new, position) for _, new, position in rows]
    notice.items += added
    notice.amount_vnd += sum(item.amount_vnd for item in added)
    notice.touch()
    await _save(connection, notice, now)
    lines = owed_lines(notice, [(item, item.amount_vnd) for item in added])
    await _post(connection, notice, "fee_added", lines, now)
    await _tell(connection, notice, "fee_notice.items_added", now)


async def apart_vnd(connection: AsyncConnection, notice: Notice) -> dict[UUID, int]:
    """What of a locked notice's items is not held (3373) any more though nobody has paid it.

    It was taken apart for the budget before its payment was reversed, and cannot be waived.
    """
    key = {"book_id": notice.book_id, "notice_id": notice.id}
    rows = await connection.execute(APART, key)
    return {UUID(str(row.item_id)): int(row.vnd) for row in rows}


async def exempt(
    connection: AsyncConnection, notice: Notice, shares: Sequence[Share], now: datetime
) -> None:
    """Waive parts of what is outstanding: Dr 3373 / Cr 1383; each share is at most its item's."""
    for item, amount_vnd in shares:
        item.exempted_vnd += amount_vnd
        notice.exempted_vnd += amount_vnd
        item.dirty = True
    notice.touch()
    await _save(connection, notice, now)
    lines = waived_lines(notice, shares)
    await _post(connection, notice, "fee_exempted", lines, now)
    await _tell(connection, notice, "fee_notice.exempted", now)


async def cancel(connection: AsyncConnection, notice: Notice, now: datetime) -> None:
    """Cancel a notice that no money is on: Dr 3373 / Cr 1383 for all that is outstanding."""
    lines = waived_lines(notice, [(item, item.open_vnd) for item in notice.items])
    notice.cancelled = True
    notice.touch()
    await _save(connection, notice, now)
    await _post(connection, notice, "fee_cancelled", lines, now)
    await _tell(connection, notice, "fee_notice.cancelled", now)


def owed_lines(
    notice: Notice, shares: Sequence[Share], credit: str = accounts.FEES_HELD
) -> tuple[Line, ...]:
    """Dr 1383 / Cr `credit`, one line for each share that is not of nothing."""
    return _lines(notice, shares, accounts.FEES_RECEIVABLE, credit)


def waived_lines(notice: Notice, shares: Sequence[Share]) -> tuple[Line, ...]:
    """Dr 3373 / Cr 1383, one line for each share that is not of nothing."""
    return _lines(notice, shares, accounts.FEES_HELD, accounts.FEES_RECEIVABLE)


def _lines(notice: Notice, shares: Sequence[Share], debit: str, credit: str) -> tuple[Line, ...]:
    return tuple(
        Line(
            debit=debit,
            credit=credit,
            amount_vnd=amount_vnd,
            notice_id=notice.id,
            item_id=item.id,
            budget_subsection=item.budget_subsection,
        )
        for item, amount_vnd in shares
        if amount_vnd > 0
    )


def _item(new: NewItem, position: int) -> Item:
    return Item(
        id=new.id,
        position=position,
        amount_vnd=new.amount_vnd,
        exempted_vnd=0,
        paid_vnd=0,
        budget_subsection=new.budget_subsection,
    )


async def _add_items(
    connection: AsyncConnection, rows: Sequence[tuple[Notice, NewItem, int]], now: datetime
) -> None:
    await connection.execute(
        ADD_ITEMS,
        {
            "book_ids": [notice.book_id for notice, _, _ in rows],
            "notice_ids": [notice.id for notice, _, _ in rows],
            "ids": [new.id for _, new, _ in rows],
            "positions": [position for _, _, position in rows],
            "codes": [new.code for _, new, _ in rows],
            "kinds": [new.kind for _, new, _ in rows],
            "names": [new.name for _, new, _ in rows],
            "amounts": [new.amount_vnd for _, new, _ in rows],
            "budgets": [new.budget_subsection for _, new, _ in rows],
            "retained": [new.retained_percent for _, new, _ in rows],
            "now": now,
        },
    )


async def _save(connection: AsyncConnection, notice: Notice, now: datetime) -> None:
    key = {"book_id": notice.book_id, "notice_id": notice.id}
    await connection.execute(
        SAVE_STATE,
        key
        | {
            "amount_vnd": notice.amount_vnd,
            "exempted_vnd": notice.exempted_vnd,
            "version": notice.version,
            "cancelled_at": now if notice.cancelled else None,
            "now": now,
        },
    )
    changed = [item for item in notice.items if item.dirty]
    if changed:
        columns = {
            "ids": [item.id for item in changed],
            "exempted": [item.exempted_vnd for item in changed],
        }
        await connection.execute(SAVE_ITEMS, key | columns)


async def _post(
    connection: AsyncConnection,
    notice: Notice,
    kind: EntryKind,
    lines: tuple[Line, ...],
    now: datetime,
) -> None:
    if not lines:
        return
    entry = Entry(
        book_id=notice.book_id,
        # Told once: a notice has each version once, held by the lock on its row.
        source=f"notice:{notice.id}:{notice.version}",
        kind=kind,
        happened_at=now,
        value_date=business_day(now),
        lines=lines,
    )
    await post(connection, [entry])


async def _tell(
    connection: AsyncConnection, notice: Notice, kind: EventType, now: datetime
) -> None:
    await outbox.write(connection, [notice_news(notice, kind)], now)
