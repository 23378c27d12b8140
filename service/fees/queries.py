"""Read fee notices: one, a page, the states of many. Changes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.fees.messages import (
    FeeItem,
    FeeNotice,
    FeeNoticePage,
    FeeNoticeStatus,
    FeeNoticeStatuses,
    PayerShown,
    Status,
)
from service.sealing import KeyDropped, Sealer
from service.web import paging

CURSOR: Final = "fee-notices"
NO_ID: Final = UUID(int=0)

NOTICES = sa.text("""
    select notice.book_id, notice.id, notice.dossier_code, notice.procedure_code,
           notice.received_by, notice.decided_by, notice.collected_by, notice.channel,
           notice.payer_sealed, notice.due_on, notice.created_at, state.amount_vnd,
           state.exempted_vnd, state.written_off_vnd, state.paid_vnd, state.refunded_vnd,
           state.outstanding_vnd, state.held_vnd, state.status, state.settled, state.version
    from unnest(cast(:ids as uuid[])) with ordinality as asked (id, position)
    join service.notice as notice
      on notice.book_id = any(cast(:books as integer[])) and notice.id = asked.id
    join service.notice_state as state
      on state.book_id = notice.book_id and state.notice_id = notice.id
    order by asked.position
""")

ITEMS = sa.text("""
    select notice_id, id, code, kind, name, amount_vnd, exempted_vnd, paid_vnd, budget_subsection,
           retained_percent
    from service.notice_item
    where book_id = any(cast(:books as integer[])) and notice_id = any(cast(:ids as uuid[]))
    order by book_id, notice_id, position
""")

STATES = sa.text("""
    select notice.id, notice.dossier_code, state.status, state.settled, state.amount_vnd,
           state.exempted_vnd, state.paid_vnd, state.outstanding_vnd, state.held_vnd,
           state.version, state.updated_at
    from unnest(cast(:ids as uuid[])) with ordinality as asked (id, position)
    join service.notice as notice
      on notice.book_id = any(cast(:books as integer[])) and notice.id = asked.id
    join service.notice_state as state
      on state.book_id = notice.book_id and state.notice_id = notice.id
    order by asked.position
""")

# Each book gives at most a page of its own rows, from its index; their first page is the answer.
PAGE = sa.text("""
    select found.id, book.book_id
    from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select notice.id from service.notice as notice
        where notice.book_id = book.book_id
          and notice.id > case when book.book_id = :after_book
                              then cast(:after as uuid) else cast(:no_id as uuid) end
        order by notice.id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by book.book_id, found.id limit :limit
""")

PAGE_OF_STATUS = sa.text("""
    select found.id, book.book_id
    from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select state.notice_id as id from service.notice_state as state
        where state.book_id = book.book_id and state.status = :status
          and state.notice_id > case when book.book_id = :after_book
                              then cast(:after as uuid) else cast(:no_id as uuid) end
        order by state.notice_id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by book.book_id, found.id limit :limit
""")

PAGE_OF_DOSSIER = sa.text("""
    select notice.id, notice.book_id
    from unnest(cast(:books as integer[])) as book (book_id)
    join service.notice as notice
      on notice.book_id = book.book_id and notice.dossier_key = :dossier_key
    join service.notice_state as state
      on state.book_id = notice.book_id and state.notice_id = notice.id
    where notice.dossier_code = :dossier_code
      and (cast(:status as text) is null or state.status = :status)
      and (book.book_id, notice.id) > (:after_book, cast(:after as uuid))
    order by book.book_id, notice.id limit :limit
""")


class PageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which notices are wanted; a dossier by its canonical code and its matching key."""

    books: list[int]
    limit: int
    dossier_code: str | None = None
    dossier_key: str | None = None
    status: Status | None = None
    cursor: str | None = None


def payer_context(notice_id: UUID) -> bytes:
    """What a sealed payer is bound to."""
    return b"service.notice.payer:" + notice_id.bytes


async def notices(
    connection: AsyncConnection, sealer: Sealer, books: Sequence[int], ids: Sequence[UUID]
) -> list[FeeNotice]:
    """The notices of these books with these ids, in the order of `ids`; others are left out."""
    if not ids:
        return []
    wanted = {"books": list(books), "ids": list(ids)}
    rows = (await connection.execute(NOTICES, wanted)).all()
    items: dict[UUID, list[FeeItem]] = defaultdict(list)
    for item in await connection.execute(ITEMS, wanted):
        values = dict(item._mapping)  # noqa: SLF001 # SQLAlchemy's public way to a mapping
        items[UUID(str(values.pop("notice_id")))].append(
            FeeItem(**values | {"id": UUID(str(item.id))})
        )
    sealed = [(row.book_id, bytes(row.payer_sealed)) for row in rows if row.payer_sealed]
    await sealer.prepare_open(connection, sealed)
    found = []
    for row in rows:
        values = dict(row._mapping)  # noqa: SLF001 # SQLAlchemy's public way to a mapping
        book_id, payer = values.pop("book_id"), values.pop("payer_sealed")
        notice_id = UUID(str(row.id))
        values |= {
            "id": notice_id,
            "items": items[notice_id],
            "payer": _payer(sealer, book_id, notice_id, payer),
        }
        found.append(FeeNotice(**values))
    return found


def _payer(
    sealer: Sealer, book_id: int, notice_id: UUID, sealed: bytes | None
) -> PayerShown | None:
    """The payer; nobody where none was told, or where the key of that month was dropped."""
    if sealed is None:
        return None
    try:
        opened = sealer.open(book_id, payer_context(notice_id), bytes(sealed))
    except KeyDropped:
        return None
    return msgspec.json.decode(opened, type=PayerShown)


async def page(
    connection: AsyncConnection, sealer: Sealer, question: PageQuestion
) -> FeeNoticePage:
    """One page in order of book and id; raises InvalidCursor."""
    after_book, after = (0, NO_ID)
    if question.cursor is not None:
        after_book, after = paging.decode(CURSOR, question.cursor, tuple[int, UUID])
    statement = PAGE if question.status is None else PAGE_OF_STATUS
    statement = statement if question.dossier_key is None else PAGE_OF_DOSSIER
    parameters = {
        "books": question.books,
        "after_book": max(0, min(after_book, 2**31 - 1)),
        "after": after,
        "no_id": NO_ID,
        "status": question.status,
        "dossier_key": question.dossier_key,
        "dossier_code": question.dossier_code,
        "limit": question.limit + 1,
    }
    names = set(statement.compile().params)
    rows = (
        await connection.execute(
            statement, {name: value for name, value in parameters.items() if name in names}
        )
    ).all()
    shown = rows[: question.limit]
    found = await notices(connection, sealer, question.books, [UUID(str(row.id)) for row in shown])
    more = len(rows) > question.limit
    last = (shown[-1].book_id, UUID(str(shown[-1].id))) if more else None
    return FeeNoticePage(
        items=found, next_cursor=None if last is None else paging.encode(CURSOR, last)
    )


async def states(
    connection: AsyncConnection, books: Sequence[int], ids: Sequence[UUID]
) -> FeeNoticeStatuses:
    """The states of up to 500 notices, each once, in the order asked."""
    unique = list(dict.fromkeys(ids))
    rows = await connection.execute(STATES, {"books": list(books), "ids": unique})
    found = [
        FeeNoticeStatus(**dict(row._mapping) | {"id": UUID(str(row.id))})  # noqa: SLF001 # as above
        for row in rows
    ]
    known = {status.id for status in found}
    return FeeNoticeStatuses(items=found, unknown=[one for one in unique if one not in known])
