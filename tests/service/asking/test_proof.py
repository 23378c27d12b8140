"""`prove` names the order that somebody made to end in silence."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.proof import prove
from tests.service.asking.making import World

pytestmark = pytest.mark.anyio

BREAKS = {
    "a question, for vnpay can be asked": "delete from service.question",
    "a case NO_ANSWER": """
        update service.question set state = 'ended', next_at = null, ended_at = now()""",
    "an event of the order": """
        update service.question set state = 'answered', answer = 'paid', next_at = null,
               ended_at = now()""",
}


@pytest.mark.parametrize("expected", BREAKS)
async def test_a_silent_end_is_found(
    world: World, owner_engine: AsyncEngine, expected: str
) -> None:
    """Invariant 3: no question, an end without a case, an answer without an event."""
    request = await world.request("vnpay", 50_000)
    assert [finding async for finding in prove(world.engine)] == []
    async with owner_engine.begin() as connection:
        await connection.execute(sa.text(BREAKS[expected]))
    (finding,) = [finding async for finding in prove(world.engine)]
    assert finding.invariant == 3
    assert finding.row == request.reference
    assert finding.expected.startswith(expected)
