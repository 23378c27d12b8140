"""Events of one notice are placed in the order of its versions, whatever clocks gave the ids."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service import outbox
from service.proof import prove
from tests.makers import make_notice

pytestmark = pytest.mark.anyio

LATER = UUID("01900000-0000-7000-8000-000000000009")
EARLIER = UUID("01900000-0000-7000-8000-000000000001")
OTHER = UUID("01900000-0000-7000-8000-000000000005")

# A second version told by a process whose clock is behind that of the first.
RETELL = sa.text("""
    update service.notice_state set version = 2 where notice_id = :notice_id
""")
REPLACE = sa.text("""
    insert into service.outbox (book_id, id, type, dossier_code, notice_id, payload, recorded_at)
    select book_id, :id, type, dossier_code, notice_id,
           jsonb_set(payload, '{version}', to_jsonb(cast(:version as integer))), recorded_at
    from service.outbox where notice_id = :notice_id order by id limit 1
""")
FORGET = sa.text("delete from service.outbox where id not in (:first, :second, :third)")
POSITIONS = sa.text("select id from service.outbox order by position")


async def test_a_clock_that_is_behind_does_not_turn_the_order(
    engine: AsyncEngine, owner_engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Version 1 with the later id goes before version 2 with the earlier one (invariant 10)."""
    async with engine.begin() as connection:
        notice_id, _ = await make_notice(connection, 1, [50_000])
        other_id, _ = await make_notice(connection, 1, [50_000])
        await connection.execute(RETELL, {"notice_id": notice_id})
        for about, id_, version in (
            (notice_id, LATER, 1),
            (notice_id, EARLIER, 2),
            (other_id, OTHER, 1),
        ):
            row = {"notice_id": about, "id": id_, "version": version}
            await connection.execute(REPLACE, row)
    async with owner_engine.begin() as connection:
        await connection.execute(FORGET, {"first": LATER, "second": EARLIER, "third": OTHER})
    async with engine.begin() as connection:
        assert await outbox.place(connection, 1) == 3
        assert list(await connection.scalars(POSITIONS)) == [OTHER, LATER, EARLIER]
    assert [finding async for finding in prove(engine)] == []
