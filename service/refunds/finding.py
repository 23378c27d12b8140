"""Which money a call means: what is held for a notice's payer, waits for it, or has paid it."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access import Principal
from service.decisions.errors import NotAPerson
from service.errors import NotFound
from service.payments.refunding import Kind
from service.payments.state import NoticeKey
from service.refunds.errors import NothingToRefund, SeveralMoneys

LISTED_MAX: Final = 20
HELD_REASONS: Final = [
    "DUPLICATE_PAYMENT",
    "OVERPAYMENT",
    "PAID_AFTER_CANCEL",
    "PAID_EXPIRED_ORDER",
    "REFUND_FAILED",
]

# Held over this notice by the books, or held because of it by a live case.
HELD = sa.text("""
    select money.book_id, money.movement_id
    from (
        select line.book_id, line.movement_id from ledger.line as line
        where line.book_id = :notice_book and line.notice_id = :notice_id
          and '3381' in (line.debit, line.credit) and line.movement_id is not null
        union
        select open.book_id, open.subject_id from service.unmatched as open
        where open.book_id = any(cast(:books as integer[])) and open.status <> 'resolved'
          and open.subject_kind = 'movement' and open.reason = any(cast(:reasons as text[]))
          and open.candidates @> jsonb_build_array(
              jsonb_build_object('id', cast(cast(:notice_id as uuid) as text)))
    ) as found
    join service.money_state as money
      on money.book_id = found.book_id and money.movement_id = found.movement_id
    where money.held_vnd > 0 and money.book_id = any(cast(:books as integer[]))
    order by 1, 2 limit :limit
""")

PAID = sa.text("""
    select movement_book_id as book_id, movement_id from service.allocation
    where book_id = :notice_book and notice_id = :notice_id
    group by 1, 2 having sum(amount_vnd) > 0
    order by 1, 2 limit :limit
""")

ONE = sa.text("""
    select book_id from service.money_state
    where book_id = any(cast(:books as integer[])) and movement_id = :movement_id
""")

OVER = sa.text("""
    select exists (
        select from ledger.line as line
        where line.book_id = :notice_book and line.notice_id = :notice_id
          and line.movement_id = :movement_id and '3381' in (line.debit, line.credit))
""")


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The movement that is meant; `over_notice`: the books hold it over the notice itself."""

    book_id: int
    movement_id: UUID
    over_notice: bool = False


async def money(
    connection: AsyncConnection,
    caller: Principal,
    kind: Kind,
    notice: NoticeKey,
    movement_id: UUID | None,
) -> Money:
    """The one movement that a call means.

    Raises NothingToRefund, SeveralMoneys, NotFound for a movement of other books, NotAPerson where
    a key names money that nothing ties to the notice.
    """
    tied = await _tied(connection, caller, kind, notice)
    if movement_id is not None:
        chosen = [one for one in tied if one[1] == movement_id]
        if not chosen and kind == "fee":
            raise NothingToRefund
        if not chosen:
            if caller.kind != "staff":
                raise NotAPerson
            chosen = [(await book_of(connection, caller, movement_id), movement_id)]
    else:
        chosen = list(tied)
    if not chosen:
        raise NothingToRefund
    if len(chosen) > 1:
        raise SeveralMoneys(", ".join(str(one) for _, one in chosen))
    book_id, found = chosen[0]
    caller.cover(book_id)
    over = False
    if kind == "held" and book_id == notice[0]:
        key = {"notice_book": notice[0], "notice_id": notice[1], "movement_id": found}
        over = bool(await connection.scalar(OVER, key))
    return Money(book_id=book_id, movement_id=found, over_notice=over)


async def book_of(connection: AsyncConnection, caller: Principal, movement_id: UUID) -> int:
    """The book of a movement; raises NotFound where it is none of the caller's."""
    wanted = {"books": caller.book_list, "movement_id": movement_id}
    book_id: int | None = await connection.scalar(ONE, wanted)
    if book_id is None:
        raise NotFound
    return book_id


async def _tied(
    connection: AsyncConnection, caller: Principal, kind: Kind, notice: NoticeKey
) -> Sequence[tuple[int, UUID]]:
    if kind == "suspense":
        if caller.kind != "staff":
            raise NotAPerson
        return []
    key: dict[str, object] = {
        "notice_book": notice[0],
        "notice_id": notice[1],
        "limit": LISTED_MAX,
    }
    if kind == "held":
        more = {"books": caller.book_list, "reasons": HELD_REASONS}
        rows = await connection.execute(HELD, key | more)
    else:
        rows = await connection.execute(PAID, key)
    return [(row.book_id, UUID(str(row.movement_id))) for row in rows]
