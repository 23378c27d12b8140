"""What a later window says against an allocation is a case, and nothing is moved (choice 10)."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import transaction
from service.payments.booking import book
from service.payments.explaining import Explanation, explain
from service.payments.sightings import Became
from tests.makers import NOW, make_account, make_owed, transfer

pytestmark = pytest.mark.anyio

CASES = sa.text("select reason from service.unmatched where subject_id = :id")
PAID = sa.text("select paid_vnd from service.notice_state where notice_id = :id")


@pytest.mark.parametrize("same", [True, False])
async def test_a_reference_of_another_notice_contests_what_a_run_has_matched(
    engine: AsyncEngine,
    two_books: tuple[int, int],
    same: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The statement's text named no request; the feed's names one, of this notice or another."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        paid = await make_owed(connection, 1, 50_000)
        other = await make_owed(connection, 1, 50_000)
        line = transfer(account, 50_000, view="statement", traces=("FT9",))
        (first,) = await book(connection, [line], now=NOW)
        assert first.movement_id is not None
        matched = Explanation(
            book_id=1,
            movement_id=first.movement_id,
            suspense_vnd=50_000,
            rule="R3",
            shares=((paid.notice_id, 50_000),),
            happened_at=NOW,
        )
        assert await explain(connection, [matched], now=NOW) == ["applied"]
        reference = paid.reference if same else other.reference
        told = transfer(account, 50_000, reference=reference, traces=("FT9",))
        (later,) = await book(connection, [told], now=NOW)
        cases = list(await connection.scalars(CASES, {"id": told.id}))
        assert (later.became, later.new_movement) == (Became.ATTACHED, False)
        assert cases == ([] if same else ["CONTESTED"])
        assert await connection.scalar(PAID, {"id": paid.notice_id}) == 50_000
        assert await connection.scalar(PAID, {"id": other.notice_id}) == 0
