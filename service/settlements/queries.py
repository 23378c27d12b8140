"""Read settlements. Changes nothing."""

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.settlements.messages import Settlement, SettlementPage, SettlementStatus
from service.web import paging

CURSOR: Final = "settlements"
NO_ID: Final = UUID(int=0)

COLUMNS: Final = """
    file.book_id, file.id, merchant.provider, merchant.merchant,
    encode(file.sha256, 'hex') as sha256, file.mapping, file.size_bytes, file.status,
    file.lines_read, file.lines_new, file.lines_known, file.gross_vnd, file.fee_vnd, file.net_vnd,
    file.payout_vnd, file.batch_count, file.first_on, file.last_on, file.proven, file.fees_proven,
    file.problem, file.received_at, file.finished_at
"""

ONE = sa.text(f"""
    select {COLUMNS} from service.settlement as file
    join service.merchant as merchant on merchant.id = file.merchant_id
    where file.book_id = any(cast(:books as integer[])) and file.id = :id
""")  # noqa: S608 # a constant

PAGE = sa.text(f"""
    select found.* from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select {COLUMNS} from service.settlement as file
        join service.merchant as merchant on merchant.id = file.merchant_id
        where file.book_id = book.book_id
          and file.id > case when book.book_id = :after_book then cast(:after as uuid)
                 else :no_id end
          and (cast(:provider as text) is null or merchant.provider = :provider)
          and (cast(:status as text) is null or file.status = :status)
        order by file.id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by found.book_id, found.id limit :limit
""")  # noqa: S608 # a constant


class PageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which settlements are wanted."""

    books: list[int]
    limit: int
    provider: str | None = None
    status: SettlementStatus | None = None
    cursor: str | None = None


async def settlement(
    connection: AsyncConnection, books: list[int], settlement_id: UUID
) -> Settlement | None:
    """One settlement of these books."""
    found = await connection.execute(ONE, {"books": books, "id": settlement_id})
    row = found.mappings().one_or_none()
    return None if row is None else _shown(row)


async def page(connection: AsyncConnection, question: PageQuestion) -> SettlementPage:
    """A page of settlements in order of book and of arrival; raises InvalidCursor."""
    after_book, after = 0, NO_ID
    if question.cursor is not None:
        after_book, after = paging.decode(CURSOR, question.cursor, tuple[int, UUID])
    rows = await connection.execute(
        PAGE,
        {
            "books": question.books,
            "after_book": after_book,
            "after": after,
            "no_id": NO_ID,
            "provider": question.provider,
            "status": question.status,
            "limit": question.limit + 1,
        },
    )
    items = [_shown(row) for row in rows.mappings()]
    more = len(items) > question.limit
    items = items[: question.limit]
    last = items[-1] if more else None
    return SettlementPage(
        items=items,
        next_cursor=None if last is None else paging.encode(CURSOR, [last.book_id, last.id]),
    )


def _shown(row: sa.RowMapping) -> Settlement:
    """A row as it goes over the wire; a written-down mapping shows as its name."""
    values = dict(row)
    mapping = str(values["mapping"])
    if mapping.lstrip().startswith("{"):
        values["mapping"] = str(msgspec.json.decode(mapping, type=dict[str, object])["name"])
    return Settlement(**values | {"id": UUID(str(values["id"]))})
