"""Read remittances: one, many, a page. Changes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access import Principal
from service.remittance.messages import Remittance, RemittanceLine, RemittancePage
from service.web import paging

CURSOR: Final = "remittances"
NO_ID: Final = UUID(int=0)

REMITTANCES = sa.text("""
    select remittance.book_id, remittance.id, remittance.rule, remittance.until, remittance.due_on,
           remittance.way, remittance.reference, remittance.status, remittance.item_count,
           remittance.split_vnd, remittance.retained_vnd, remittance.budget_vnd,
           remittance.swept_vnd, remittance.slip_no, remittance.slip_on, remittance.remitted_on,
           remittance.recognition_id is not null as recognised, remittance.proposed_at,
           coalesce(decision.approvals, 0) as approvals,
           coalesce(decision.approvals_needed, 1) as approvals_needed, decision.maker
    from unnest(cast(:ids as uuid[])) with ordinality as asked (id, position)
    join service.remittance as remittance
      on remittance.book_id = any(cast(:books as integer[])) and remittance.id = asked.id
    left join lateral (
        select approvals, approvals_needed, maker from service.decision
        where decision.book_id = remittance.book_id and decision.subject_id = remittance.id
        order by decision.id desc limit 1
    ) as decision on true
    order by asked.position
""")

LINES = sa.text("""
    select remittance_id, code, nullif(budget_subsection, '') as budget_subsection,
           retained_percent, item_count, retained_vnd, budget_vnd, back_vnd as given_back_vnd
    from service.remittance_line
    where book_id = any(cast(:books as integer[])) and remittance_id = any(cast(:ids as uuid[]))
    order by book_id, remittance_id, code, 3, retained_percent
""")

PAGE = sa.text("""
    select found.id, book.book_id
    from unnest(cast(:books as integer[])) as book (book_id)
    cross join lateral (
        select remittance.id from service.remittance as remittance
        where remittance.book_id = book.book_id
          and remittance.id > case when book.book_id = :after_book
                                   then cast(:after as uuid) else cast(:no_id as uuid) end
        order by remittance.id limit :limit
    ) as found
    where book.book_id >= :after_book
    order by book.book_id, found.id limit :limit
""")


async def remittances(
    connection: AsyncConnection, caller: Principal, ids: Sequence[UUID]
) -> list[Remittance]:
    """The remittances of the caller's books with these ids, in the order of `ids`."""
    if not ids:
        return []
    wanted = {"books": caller.book_list, "ids": list(ids)}
    lines: dict[UUID, list[RemittanceLine]] = defaultdict(list)
    for line in (await connection.execute(LINES, wanted)).mappings():
        shown = {name: value for name, value in line.items() if name != "remittance_id"}
        lines[UUID(str(line["remittance_id"]))].append(RemittanceLine(**shown))
    found = []
    for row in (await connection.execute(REMITTANCES, wanted)).mappings():
        remittance_id = UUID(str(row["id"]))
        own = lines[remittance_id]
        left = sum(line.budget_vnd - line.given_back_vnd for line in own)
        waits = row["status"] in {"approved", "swept", "arrived"}
        values = {**row, "id": remittance_id, "due_vnd": left if waits else 0, "lines": own}
        found.append(Remittance(**values))
    return found


async def page(
    connection: AsyncConnection, caller: Principal, limit: int, cursor: str | None
) -> RemittancePage:
    """One page in order of book and of proposing; raises InvalidCursor."""
    after_book, after = 0, NO_ID
    if cursor is not None:
        after_book, after = paging.decode(CURSOR, cursor, tuple[int, UUID])
    wanted = {
        "books": caller.book_list,
        "after_book": max(0, min(after_book, 2**31 - 1)),
        "after": after,
        "no_id": NO_ID,
        "limit": limit + 1,
    }
    rows = (await connection.execute(PAGE, wanted)).all()
    shown = rows[:limit]
    items = await remittances(connection, caller, [UUID(str(row.id)) for row in shown])
    more = len(rows) > limit
    last = (shown[-1].book_id, UUID(str(shown[-1].id))) if more else None
    return RemittancePage(
        items=items, next_cursor=None if last is None else paging.encode(CURSOR, last)
    )


def encoded(found: Remittance) -> bytes:
    """A remittance as an answer's bytes."""
    return msgspec.json.encode(found)
