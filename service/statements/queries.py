"""Read statements and bank accounts. Changes nothing."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.statements.errors import UnknownBankAccount
from service.statements.keeping import Account
from service.statements.messages import Statement, StatementPage, StatementStatus
from service.web import paging

CURSOR: Final = "statements"
NO_ID: Final = UUID(int=0)

ACCOUNT = sa.text("""
    select id, book_id, bin, number from service.bank_account
    where book_id = any(cast(:books as integer[]))
      and (id = :id or (bin = :bin and number = :number))
""")

COLUMNS: Final = """
    book_id, id, bank_account_id, encode(sha256, 'hex') as sha256, layout, size_bytes, status,
    lines_read, lines_new, lines_known, credits_vnd, debits_vnd, opening_vnd, closing_vnd,
    first_on, last_on, proven, problem, received_at, finished_at
"""

ONE = sa.text(f"""
    select {COLUMNS} from service.statement
    where book_id = any(cast(:books as integer[])) and id = :id
""")  # noqa: S608 # a constant

PAGE = sa.text(f"""
    select found.* from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select {COLUMNS} from service.statement
        where statement.book_id = book.book_id
          and statement.id > case when book.book_id = :after_book then cast(:after as uuid)
                 else :no_id end
          and (cast(:account_id as integer) is null or bank_account_id = :account_id)
          and (cast(:status as text) is null or status = :status)
        order by statement.id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by found.book_id, found.id limit :limit
""")  # noqa: S608 # a constant


class PageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which statements are wanted."""

    books: list[int]
    limit: int
    bank_account_id: int | None = None
    status: StatementStatus | None = None
    cursor: str | None = None


async def account(connection: AsyncConnection, books: Sequence[int], named: str) -> Account:
    """The account named by its id (`7`) or by bank and number (`970436-0071001234567`).

    Raises UnknownBankAccount where none of these books has it.
    """
    bin_, separator, number = named.strip().partition("-")
    by_id = int(named) if not separator and named.strip().isdecimal() and len(named) < 10 else -1  # noqa: PLR2004
    found = await connection.execute(
        ACCOUNT, {"books": list(books), "id": by_id, "bin": bin_, "number": number.strip()}
    )
    row = found.one_or_none()
    if row is None:
        raise UnknownBankAccount
    return Account(id=row.id, book_id=row.book_id, bin=row.bin, number=row.number)


async def statement(
    connection: AsyncConnection, books: Sequence[int], statement_id: UUID
) -> Statement | None:
    """One statement of these books."""
    row = (
        (await connection.execute(ONE, {"books": list(books), "id": statement_id}))
        .mappings()
        .one_or_none()
    )
    return None if row is None else shown(row)


async def page(connection: AsyncConnection, question: PageQuestion) -> StatementPage:
    """A page of statements in order of book and of arrival; raises InvalidCursor."""
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
            "account_id": question.bank_account_id,
            "status": question.status,
            "limit": question.limit + 1,
        },
    )
    items = [shown(row) for row in rows.mappings()]
    more = len(items) > question.limit
    items = items[: question.limit]
    last = items[-1] if more else None
    return StatementPage(
        items=items,
        next_cursor=None if last is None else paging.encode(CURSOR, [last.book_id, last.id]),
    )


def shown(row: sa.RowMapping) -> Statement:
    """A row as it goes over the wire; a written-down layout shows as its name."""
    values = dict(row)
    layout = str(values["layout"])
    if layout.lstrip().startswith("{"):
        values["layout"] = str(msgspec.json.decode(layout, type=dict[str, object])["name"])
    return Statement(**values | {"id": UUID(str(values["id"]))})
