"""Read refunds: one, many, a page. Changes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access import Principal
from service.refunds.messages import Payee, Refund, RefundPage, RefundPart, RefundStatus, RefundStep
from service.sealing import KeyDropped, Sealer
from service.web import paging

CURSOR: Final = "refunds"
NO_ID: Final = UUID(int=0)
STEPS_MAX: Final = 200
"""Steps shown of one refund, the newest of them; a ladder has fewer."""

REFUNDS = sa.text("""
    select refund.book_id, refund.id, refund.kind, refund.movement_id, refund.notice_id,
           refund.item_id, refund.amount_vnd, refund.reason, refund.note, refund.reference,
           refund.by_transfer, refund.status, refund.payee_sealed, refund.asked_at,
           refund.updated_at, coalesce(decision.approvals, 0) as approvals,
           coalesce(decision.approvals_needed, 1) as approvals_needed, decision.maker
    from unnest(cast(:ids as uuid[])) with ordinality as asked (id, position)
    join service.refund as refund
      on refund.book_id = any(cast(:books as integer[])) and refund.id = asked.id
    left join service.decision as decision
      on decision.book_id = refund.book_id and decision.id = refund.decision_id
    order by asked.position
""")

PARTS = sa.text("""
    select refund_id, part, route, amount_vnd, payable_vnd, status, provider, request_id, refund_no,
           paid_by, treasury_no, treasury_on
    from service.refund_part
    where book_id = any(cast(:books as integer[])) and refund_id = any(cast(:ids as uuid[]))
    order by book_id, refund_id, part
""")

STEPS = sa.text("""
    select found.* from unnest(cast(:books as integer[])) as book (book_id)
    cross join unnest(cast(:ids as uuid[])) as asked (id)
    cross join lateral (
        select refund_id, id, recorded_at, step, part, actor, detail from service.refund_step
        where refund_step.book_id = book.book_id and refund_step.refund_id = asked.id
        order by refund_step.id desc limit :limit
    ) as found
    order by found.refund_id, found.id
""")

PAGE = sa.text("""
    select found.id, book.book_id
    from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select refund.id from service.refund as refund
        where refund.book_id = book.book_id
          and refund.id > case when book.book_id = :after_book
                               then cast(:after as uuid) else cast(:no_id as uuid) end
        order by refund.id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by book.book_id, found.id limit :limit
""")

PAGE_OF_STATUS = sa.text("""
    select found.id, book.book_id
    from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select refund.id from service.refund as refund
        where refund.book_id = book.book_id and refund.status = :status
          and refund.id > case when book.book_id = :after_book
                               then cast(:after as uuid) else cast(:no_id as uuid) end
        order by refund.id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by book.book_id, found.id limit :limit
""")


class PageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which refunds are wanted."""

    limit: int
    status: RefundStatus | None = None
    cursor: str | None = None


def payee_context(refund_id: UUID) -> bytes:
    """What a sealed payee is bound to."""
    return b"service.refund.payee:" + refund_id.bytes


async def refunds(
    connection: AsyncConnection, sealer: Sealer, caller: Principal, ids: Sequence[UUID]
) -> list[Refund]:
    """The refunds of the caller's books with these ids, in the order of `ids`."""
    if not ids:
        return []
    wanted = {"books": caller.book_list, "ids": list(ids)}
    rows = (await connection.execute(REFUNDS, wanted)).mappings().all()
    parts: dict[UUID, list[RefundPart]] = defaultdict(list)
    for part in (await connection.execute(PARTS, wanted)).mappings():
        shown = {name: value for name, value in part.items() if name != "refund_id"}
        parts[UUID(str(part["refund_id"]))].append(
            RefundPart(**shown | {"paid_by": _uuid(part["paid_by"])})
        )
    steps: dict[UUID, list[RefundStep]] = defaultdict(list)
    for step in await connection.execute(STEPS, wanted | {"limit": STEPS_MAX}):
        steps[UUID(str(step.refund_id))].append(
            RefundStep(
                at=step.recorded_at,
                step=step.step,
                part=step.part,
                actor=step.actor,
                detail=step.detail,
            )
        )
    sealed = [(row["book_id"], bytes(row["payee_sealed"])) for row in rows if row["payee_sealed"]]
    if caller.kind == "staff":
        await sealer.prepare_open(connection, sealed)
    return [_shown(row, sealer, caller, parts, steps) for row in rows]


def _shown(
    row: sa.RowMapping,
    sealer: Sealer,
    caller: Principal,
    parts: dict[UUID, list[RefundPart]],
    steps: dict[UUID, list[RefundStep]],
) -> Refund:
    refund_id = UUID(str(row["id"]))
    values = {name: value for name, value in row.items() if name not in {"kind", "payee_sealed"}}
    payee = _payee(sealer, row, refund_id) if caller.kind == "staff" else None
    ids = {name: _uuid(row[name]) for name in ("movement_id", "notice_id", "item_id")}
    return Refund(
        **values | ids | {"id": refund_id},
        of=row["kind"],
        payee=payee,
        parts=parts[refund_id],
        steps=steps[refund_id],
    )


def _uuid(value: object) -> UUID | None:
    return None if value is None else UUID(str(value))


def _payee(sealer: Sealer, row: sa.RowMapping, refund_id: UUID) -> Payee | None:
    """Where the transfer goes; nobody where none was told, or its key was dropped."""
    if row["payee_sealed"] is None:
        return None
    try:
        opened = sealer.open(row["book_id"], payee_context(refund_id), bytes(row["payee_sealed"]))
    except KeyDropped:
        return None
    return msgspec.json.decode(opened, type=Payee)


async def page(
    connection: AsyncConnection, sealer: Sealer, caller: Principal, question: PageQuestion
) -> RefundPage:
    """One page in order of book and of asking; raises InvalidCursor."""
    after_book, after = 0, NO_ID
    if question.cursor is not None:
        after_book, after = paging.decode(CURSOR, question.cursor, tuple[int, UUID])
    wanted: dict[str, object] = {
        "books": caller.book_list,
        "after_book": max(0, min(after_book, 2**31 - 1)),
        "after": after,
        "no_id": NO_ID,
        "limit": question.limit + 1,
    }
    statement = PAGE
    if question.status is not None:
        statement, wanted = PAGE_OF_STATUS, wanted | {"status": question.status}
    rows = (await connection.execute(statement, wanted)).all()
    shown = rows[: question.limit]
    items = await refunds(connection, sealer, caller, [UUID(str(row.id)) for row in shown])
    more = len(rows) > question.limit
    last = (shown[-1].book_id, UUID(str(shown[-1].id))) if more else None
    return RefundPage(
        items=items, next_cursor=None if last is None else paging.encode(CURSOR, last)
    )
