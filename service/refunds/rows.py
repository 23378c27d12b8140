"""The rows of refunds: written down, locked, and moved on. Decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from service.errors import NotFound
from service.payments.giving_back import Taken
from service.payments.refunding import Part, Refund
from service.refunds.routing import Order

SYSTEM: Final = "system"

ADD = sa.text("""
    insert into service.refund (book_id, id, kind, movement_id, notice_book_id, notice_id, item_id,
        over_notice, amount_vnd, reason, note, payee_sealed, by_transfer, reference, asked_by,
        status, decision_id, asked_at, updated_at)
    values (:book_id, :id, :kind, :movement_id, :notice_book_id, :notice_id, :item_id,
        :over_notice, :amount_vnd, :reason, :note, :payee_sealed, :by_transfer, :reference,
        :asked_by, :status, :decision_id, :now, :now)
""")

FIND = sa.text("""
    select book_id, id, kind, movement_id, notice_book_id, notice_id, item_id, over_notice,
           amount_vnd, by_transfer, status
    from service.refund where book_id = any(cast(:books as integer[])) and id = :id
""")

LOCK = sa.text("""
    select status from service.refund where book_id = :book_id and id = :id for no key update
""")

# What other proposals have asked for of the same money.
PROPOSED_OF_MONEY = sa.text("""
    select coalesce(sum(amount_vnd), 0)::bigint from service.refund
    where book_id = :book_id and movement_id = :movement_id and status = 'proposed'
      and kind = :kind and id <> :id
""")

PROPOSED_OF_FEE = sa.text("""
    select coalesce(sum(amount_vnd), 0)::bigint from service.refund
    where notice_id = :notice_id and status = 'proposed' and kind = 'fee' and id <> :id
      and movement_id = :movement_id
      and (cast(:item_id as uuid) is null or item_id is null or item_id = :item_id)
""")

MOVE = sa.text("""
    update service.refund
    set status = :status, decision_id = coalesce(:decision_id, decision_id), updated_at = :now
    where book_id = :book_id and id = :id
""")

ADD_PART = sa.text("""
    insert into service.refund_part (book_id, refund_id, part, movement_id, route, amount_vnd,
        payable_vnd, status, merchant_id, provider, order_code, transaction_no, ordered_at,
        request_id, whole, next_at, updated_at)
    values (:book_id, :refund_id, :part, :movement_id, :route, :amount_vnd, :amount_vnd,
        'approved', :merchant_id, :provider, :order_code, :transaction_no, :ordered_at,
        :request_id, :whole, :next_at, :now)
""")

ADD_ITEMS = sa.text("""
    insert into service.refund_item (book_id, refund_id, part, position, undone, notice_id, item_id,
        movement_id, account, split_id, amount_vnd)
    select :book_id, :refund_id, :part, told.position, :undone, :notice_id, told.item_id,
        :movement_id, told.account, told.split_id, told.amount_vnd
    from unnest(cast(:items as uuid[]), cast(:accounts as text[]), cast(:splits as uuid[]),
                cast(:amounts as bigint[]))
        with ordinality as told (item_id, account, split_id, amount_vnd, position)
""")

ITEMS = sa.text("""
    select item.item_id, owed.budget_subsection, item.account, item.amount_vnd, item.split_id
    from service.refund_item as item
    join service.notice_item as owed
      on owed.book_id = item.book_id and owed.notice_id = item.notice_id and owed.id = item.item_id
    where item.book_id = :book_id and item.refund_id = :refund_id and item.part = :part
      and not item.undone
    order by item.position
""")

LOCK_PART = sa.text("""
    select part, route, amount_vnd, status, movement_id from service.refund_part
    where book_id = :book_id and refund_id = :refund_id and part = :part for no key update
""")

END_PART = sa.text("""
    update service.refund_part
    set status = :status, payable_vnd = 0, next_at = null, leased_until = null, updated_at = :now,
        refund_no = coalesce(:refund_no, refund_no), paid_by = :paid_by,
        treasury_no = :treasury_no, treasury_on = :treasury_on
    where book_id = :book_id and refund_id = :refund_id and part = :part
""")

# A refund stands as its slowest part does.
SETTLE = sa.text("""
    update service.refund
    set updated_at = :now, status = (
        select status from service.refund_part as part
        where part.book_id = refund.book_id and part.refund_id = refund.id
        order by array_position(array['unknown', 'sending', 'processing', 'approved', 'failed',
                                      'paid'], part.status)
        limit 1)
    where book_id = :book_id and id = :refund_id
""")

STEP = sa.text("""
    insert into service.refund_step
        (book_id, id, refund_id, part, step, detail, actor, recorded_at)
    values (:book_id, uuidv7(), :refund_id, :part, :step, :detail, :actor, :now)
""")

FREE_SPLITS = sa.text("""
    update service.item_split as split
    set back_budget_vnd = back_budget_vnd - told.amount_vnd
    from unnest(cast(:splits as uuid[]), cast(:items as uuid[]), cast(:amounts as bigint[]))
        as told (remittance_id, item_id, amount_vnd)
    where split.book_id = :book_id and split.remittance_id = told.remittance_id
      and split.item_id = told.item_id
""")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as it is kept; `status` may have moved on until it is locked."""

    refund: Refund
    by_transfer: bool
    status: str


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A locked part."""

    part: int
    route: str
    amount_vnd: int
    status: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a part ended, and what shows it."""

    status: str
    refund_no: str | None = None
    paid_by: UUID | None = None
    treasury_no: str | None = None
    treasury_on: object = None


async def find(connection: AsyncConnection, books: Sequence[int], refund_id: UUID) -> Row:
    """A refund of these books; raises NotFound."""
    wanted = {"books": list(books), "id": refund_id}
    row = (await connection.execute(FIND, wanted)).one_or_none()
    if row is None:
        raise NotFound
    notice = None if row.notice_id is None else (row.notice_book_id, UUID(str(row.notice_id)))
    return Row(
        refund=Refund(
            book_id=row.book_id,
            id=refund_id,
            kind=row.kind,
            movement_id=UUID(str(row.movement_id)),
            amount_vnd=row.amount_vnd,
            notice=notice,
            item_id=None if row.item_id is None else UUID(str(row.item_id)),
            over_notice=row.over_notice,
        ),
        by_transfer=row.by_transfer,
        status=row.status,
    )


async def lock(connection: AsyncConnection, refund: Refund) -> str:
    """Lock a refund, after its notice and its money; how it stands now."""
    key = {"book_id": refund.book_id, "id": refund.id}
    return str(await connection.scalar(LOCK, key))


async def proposed_vnd(connection: AsyncConnection, refund: Refund) -> int:
    """What other proposals have asked for of the same money; the money is locked."""
    wanted = {
        "movement_id": refund.movement_id,
        "id": refund.id,
        "notice_id": refund.notice[1] if refund.notice and refund.of_fee else None,
        "item_id": refund.item_id,
    }
    if refund.of_fee:
        return int(str(await connection.scalar(PROPOSED_OF_FEE, wanted)))
    del wanted["item_id"], wanted["notice_id"]
    more = {"book_id": refund.book_id, "kind": refund.kind}
    return int(str(await connection.scalar(PROPOSED_OF_MONEY, wanted | more)))


async def move(
    connection: AsyncConnection,
    refund: Refund,
    status: str,
    now: datetime,
    decision_id: UUID | None = None,
) -> None:
    """Say how a refund stands."""
    key = {"book_id": refund.book_id, "id": refund.id}
    told = {"status": status, "decision_id": decision_id, "now": now}
    await connection.execute(MOVE, key | told)


async def step(  # one row of facts
    connection: AsyncConnection,
    refund: Refund,
    name: str,
    actor: str,
    now: datetime,
    *,
    part: int | None = None,
    detail: str | None = None,
) -> None:
    """Write down what was done."""
    key = {"book_id": refund.book_id, "refund_id": refund.id, "part": part}
    told = {"step": name, "detail": detail, "actor": actor, "now": now}
    await connection.execute(STEP, key | told)


async def add_part(
    connection: AsyncConnection,
    refund: Refund,
    part: Part,
    order: tuple[Order | None, str | None, bool],
    now: datetime,
) -> None:
    """Write an approved part and what it is made of; `order`: the provider's, our id, whole."""
    at, request_id, whole = order
    by_provider = part.route == "provider" and at is not None
    await connection.execute(
        ADD_PART,
        {
            "book_id": refund.book_id,
            "refund_id": refund.id,
            "part": part.part,
            "movement_id": refund.movement_id,
            "route": part.route,
            "amount_vnd": part.amount_vnd,
            "merchant_id": at.merchant_id if at and by_provider else None,
            "provider": at.provider if at and by_provider else None,
            "order_code": at.order_code if at and by_provider else None,
            "transaction_no": at.transaction_no if at and by_provider else None,
            "ordered_at": at.ordered_at if at and by_provider else None,
            "request_id": request_id if by_provider else None,
            "whole": whole,
            "next_at": now if by_provider else None,
            "now": now,
        },
    )
    await add_items(connection, refund, part.part, part.taken)


async def add_items(
    connection: AsyncConnection,
    refund: Refund,
    part: int,
    taken: Sequence[Taken],
    *,
    undone: bool = False,
) -> None:
    """Write from which items and accounts a part of a refunded fee is, or is no longer."""
    if not taken or refund.notice is None:
        return
    sign = -1 if undone else 1
    await connection.execute(
        ADD_ITEMS,
        {
            "book_id": refund.notice[0],
            "refund_id": refund.id,
            "part": part,
            "undone": undone,
            "notice_id": refund.notice[1],
            "movement_id": refund.movement_id,
            "items": [one.item_id for one in taken],
            "accounts": [one.account for one in taken],
            "splits": [one.split_id for one in taken],
            "amounts": [sign * one.amount_vnd for one in taken],
        },
    )


async def lock_part(connection: AsyncConnection, refund: Refund, part: int) -> PartRow | None:
    """Lock one part, after its refund."""
    key = {"book_id": refund.book_id, "refund_id": refund.id, "part": part}
    row = (await connection.execute(LOCK_PART, key)).one_or_none()
    if row is None:
        return None
    return PartRow(part=row.part, route=row.route, amount_vnd=row.amount_vnd, status=row.status)


async def items_of(connection: AsyncConnection, refund: Refund, part: int) -> tuple[Taken, ...]:
    """What a part of a refunded fee is made of."""
    if refund.notice is None or not refund.of_fee:
        return ()
    key = {"book_id": refund.notice[0], "refund_id": refund.id, "part": part}
    return tuple(
        Taken(
            item_id=UUID(str(row.item_id)),
            budget_subsection=row.budget_subsection,
            account=row.account,
            amount_vnd=row.amount_vnd,
            split_id=None if row.split_id is None else UUID(str(row.split_id)),
        )
        for row in await connection.execute(ITEMS, key)
    )


async def end_part(
    connection: AsyncConnection, refund: Refund, part: int, ended: Ended, now: datetime
) -> None:
    """A part is paid or has failed; the refund stands as its slowest part does."""
    key = {"book_id": refund.book_id, "refund_id": refund.id}
    told = msgspec.structs.asdict(ended)
    await connection.execute(END_PART, key | {"part": part, "now": now} | told)
    await connection.execute(SETTLE, key | {"now": now})


async def free_splits(connection: AsyncConnection, refund: Refund, taken: Sequence[Taken]) -> None:
    """The budget keeps what the Treasury did not give back: it may be asked for again."""
    if refund.notice is None or not taken:
        return
    await connection.execute(
        FREE_SPLITS,
        {
            "book_id": refund.notice[0],
            "splits": [one.split_id for one in taken],
            "items": [one.item_id for one in taken],
            "amounts": [one.amount_vnd for one in taken],
        },
    )


async def undo_items(
    connection: AsyncConnection, refund: Refund, part: int, taken: Sequence[Taken]
) -> None:
    """What was taken apart and not given back is held again, and split anew; a claim is none."""
    undone = [
        one
        if one.account == accounts.PROVIDER_RECEIVABLE
        else msgspec.structs.replace(one, account=accounts.FEES_HELD, split_id=None)
        for one in taken
    ]
    await add_items(connection, refund, part, undone, undone=True)
