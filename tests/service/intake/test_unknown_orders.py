"""An order we do not know is asked about a few times, then the provider may stop asking."""

import asyncio

import pytest
import sqlalchemy as sa

from providers import UNKNOWN_ASKED_MAX, Outcome
from tests.databases import Database
from tests.service.intake.preparing import Template, pool
from tests.service.intake.test_groups import take
from tests.traffic import UNKNOWN_ORDER, Ipn, Messages

COUNTED = sa.text("select asked from service.unknown_order")


@pytest.mark.parametrize("sizes", [[1] * 6, [6], [2, 4], [5, 1]])
def test_the_first_deliveries_are_asked_for_again(template: Template, sizes: list[int]) -> None:
    """UNKNOWN_ASKED_MAX times UNKNOWN_ORDER, then UNKNOWN_AGAIN, whoever cuts the groups (7)."""

    async def work(database: Database) -> list[Outcome]:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            deliveries = await messages.deliveries([Ipn(order=UNKNOWN_ORDER)] * sum(sizes))
            told: list[Outcome] = []
            for size in sizes:
                told += await take(engine, messages, deliveries[len(told) : len(told) + size])
            async with engine.connect() as connection:
                assert await connection.scalar(COUNTED) == UNKNOWN_ASKED_MAX + 1
            return told

    with template.copy() as database:
        assert asyncio.run(work(database)) == [
            *[Outcome.UNKNOWN_ORDER] * UNKNOWN_ASKED_MAX,
            *[Outcome.UNKNOWN_AGAIN] * (6 - UNKNOWN_ASKED_MAX),
        ]


def test_a_known_order_counts_nothing(template: Template) -> None:
    """Repeats of a payment that was booked touch no counter."""

    async def work(database: Database) -> None:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            deliveries = await messages.deliveries([Ipn(order=0)] * 5)
            told = await take(engine, messages, deliveries)
            assert told == [Outcome.BOOKED, *[Outcome.REPEAT_OF_PAID] * 4]
            async with engine.connect() as connection:
                assert (await connection.execute(COUNTED)).all() == []

    with template.copy() as database:
        asyncio.run(work(database))
