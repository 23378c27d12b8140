"""Read, under lock, what a refund may take: a movement's money, a notice, its items and splits."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.payments import loading
from service.payments.giving_back import OPEN, Refundable, Split
from service.payments.state import Movement, NoticeKey, World

PAID_BY: Final = """
    select line.item_id, sum(case when line.credit = '1383' then line.amount_vnd
                                  else -line.amount_vnd end)::bigint as paid_vnd
    from ledger.line
    where line.book_id = $1 and line.movement_id = $2 and line.notice_id = $3
      and '1383' in (line.debit, line.credit)
    group by 1
"""

GIVEN_BACK: Final = """
    select item_id, coalesce(sum(amount_vnd) filter (where movement_id = $3), 0)::bigint
               as of_movement_vnd,
           coalesce(sum(amount_vnd) filter (where account = '3373'), 0)::bigint as of_held_vnd
    from service.refund_item where book_id = $1 and notice_id = $2 group by 1
"""

SPLITS: Final = """
    select split.item_id, split.remittance_id, remittance.status,
           remittance.recognition_id is not null as recognised, split.retained_vnd,
           split.budget_vnd, split.back_retained_vnd, split.back_budget_vnd, item.code,
           item.retained_percent
    from service.item_split as split
    join service.remittance as remittance
      on remittance.book_id = split.book_id and remittance.id = split.remittance_id
    join service.notice_item as item
      on item.book_id = split.book_id and item.notice_id = split.notice_id
     and item.id = split.item_id
    where split.book_id = $1 and split.notice_id = $2 and remittance.status <> 'rejected'
    order by split.remittance_id desc
"""

SAVE_SPLITS = sa.text("""
    update service.item_split as split
    set back_retained_vnd = told.retained_vnd, back_budget_vnd = told.budget_vnd
    from unnest(cast(:remittances as uuid[]), cast(:items as uuid[]),
                cast(:retained as bigint[]), cast(:budget as bigint[]))
        as told (remittance_id, item_id, retained_vnd, budget_vnd)
    where split.book_id = :book_id and split.remittance_id = told.remittance_id
      and split.item_id = told.item_id
""")

DISPUTED = sa.text("""
    select greatest(coalesce(sum(disputed_vnd), 0), 0)::bigint from service.settlement_line
    where book_id = :book_id and movement_id = :movement_id
""")

# Only what is still on its way makes a remittance smaller; what the budget has is a claim.
SAVE_LINE = sa.text("""
    update service.remittance_line as line set back_vnd = back_vnd + :amount_vnd
    where book_id = :book_id and remittance_id = :remittance_id and code = :code
      and budget_subsection = :subsection and retained_percent = :percent
""")


def apart_key(book_id: int) -> int:
    """The lock of whoever takes the fees of a book apart, or gives a fee of it back."""
    return loading.lock_key("fees apart", book_id)


async def load(
    connection: AsyncConnection,
    movement: tuple[int, UUID],
    notice: NoticeKey | None,
    *,
    also: Sequence[tuple[int, UUID]] = (),
) -> tuple[World, Movement]:
    """Lock a notice (and the splitting of its book), a movement, and `also` other movements.

    The notice and the movement must be there.
    """
    keys = [apart_key(notice[0])] if notice is not None else []
    await loading.lock(connection, keys)
    driver = await loading.raw(connection)
    world = World()
    world.notices = await loading.lock_notices(driver, [notice] if notice is not None else [])
    for found in await loading.lock_movements(driver, sorted({movement, *also})):
        world.add(found)
    (chosen,) = [m for m in world.movements if (m.book_id, m.id) == movement]
    return world, chosen


async def disputed_vnd(connection: AsyncConnection, movement: Movement) -> int:
    """What the payer's bank has taken back of a movement, by settlements, and has not lost."""
    key = {"book_id": movement.book_id, "movement_id": movement.id}
    return int(str(await connection.scalar(DISPUTED, key)))


async def refundable(
    connection: AsyncConnection, world: World, movement_id: UUID, notice: NoticeKey
) -> list[Refundable]:
    """The items of a locked notice that the movement has paid, in order, with their splits."""
    driver = await loading.raw(connection)
    book_id, notice_id = notice
    paid = {
        row["item_id"]: row["paid_vnd"]
        for row in await driver.fetch(PAID_BY, book_id, movement_id, notice_id)
    }
    back = {
        row["item_id"]: row
        for row in await driver.fetch(GIVEN_BACK, book_id, notice_id, movement_id)
    }
    splits: dict[UUID, list[Split]] = {}
    for row in await driver.fetch(SPLITS, book_id, notice_id):
        item_id, *columns = row
        split = Split(*columns)
        split.before_vnd = split.back_budget_vnd
        splits.setdefault(item_id, []).append(split)
    found = []
    for item in world.notices[notice].items:
        mine = splits.get(item.id, [])
        gone = back.get(item.id)
        of_held = gone["of_held_vnd"] if gone else 0
        split_vnd = sum(one.retained_vnd + one.budget_vnd for one in mine)
        found.append(
            Refundable(
                item_id=item.id,
                budget_subsection=item.budget_subsection,
                paid_vnd=paid.get(item.id, 0) - (gone["of_movement_vnd"] if gone else 0),
                unsplit_vnd=max(item.paid_vnd - split_vnd - of_held, 0),
                splits=mine,
            )
        )
    return [one for one in found if one.paid_vnd > 0]


async def save_splits(
    connection: AsyncConnection, book_id: int, items: Sequence[Refundable]
) -> None:
    """Write the counters of splits that a refund has taken from."""
    changed = [(item, split) for item in items for split in item.splits if split.dirty]
    if not changed:
        return
    await connection.execute(
        SAVE_SPLITS,
        {
            "book_id": book_id,
            "remittances": [split.remittance_id for _, split in changed],
            "items": [item.item_id for item, _ in changed],
            "retained": [split.back_retained_vnd for _, split in changed],
            "budget": [split.back_budget_vnd for _, split in changed],
        },
    )
    for item, split in changed:
        if split.status in OPEN and split.back_budget_vnd != split.before_vnd:
            line = {
                "book_id": book_id,
                "remittance_id": split.remittance_id,
                "code": split.code,
                "subsection": item.budget_subsection or "",
                "percent": split.retained_percent,
                "amount_vnd": split.back_budget_vnd - split.before_vnd,
            }
            await connection.execute(SAVE_LINE, line)
