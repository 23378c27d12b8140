"""A channel that proves nothing but a key pays only small amounts by itself (Must show: weak)."""

import asyncio
from itertools import permutations

import pytest
import sqlalchemy as sa

from providers import Outcome
from service.proof import prove
from service.settings import WEAK_LIMIT_VND
from tests.databases import Database
from tests.service.intake.preparing import Template, pool
from tests.service.intake.test_groups import take
from tests.traffic import WEAK_FEED, Messages, Transfer

CALLED = Transfer(id=1, order=0, weak=True, bank_reference="FT26001")
LISTED = Transfer(id=1, order=0, weak=True, bank_reference="FT26001", asked=True)
"""The same transfer in the bank's list, which we asked for."""
ANOTHER_FEED = Transfer(id=9, order=0, bank_reference="FT26001")
SMALL = Transfer(id=2, order=3, weak=True)

MONEY = sa.text("select sum(allocated_vnd), sum(suspense_vnd) from service.money_state")
LIVE = sa.text("select reason from service.unmatched where status <> 'resolved'")


def told(template: Template, traffic: list[Transfer]) -> tuple[list[Outcome], int, int, list[str]]:
    """Outcomes one by one; what is allocated and in suspense, and which cases are live."""

    async def work(database: Database) -> tuple[list[Outcome], int, int, list[str]]:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            outcomes = []
            for delivery in await messages.deliveries(traffic):
                outcomes += await take(engine, messages, [delivery])
            async with engine.connect() as connection:
                allocated_vnd, suspense_vnd = (await connection.execute(MONEY)).one()
                live = [str(one) for one in await connection.scalars(LIVE)]
            assert [finding async for finding in prove(engine)] == []
            return outcomes, allocated_vnd, suspense_vnd, live

    with template.copy() as database:
        return asyncio.run(work(database))


def test_a_weak_call_above_the_limit_waits(template: Template) -> None:
    """The money is in suspense with its own case; the provider is told that it arrived (12)."""
    assert told(template, [CALLED]) == ([Outcome.HELD], 0, 50_000, ["WEAK_PROOF"])


def test_a_weak_call_up_to_the_limit_pays(template: Template) -> None:
    """15,000 đồng of a limit of 30,000 pay at once."""
    assert told(template, [SMALL]) == ([Outcome.BOOKED], 15_000, 0, [])


def test_calling_again_proves_nothing(template: Template) -> None:
    """The same key once more is the same weak word."""
    assert told(template, [CALLED, CALLED])[1:] == (0, 50_000, ["WEAK_PROOF"])


@pytest.mark.parametrize(
    "traffic",
    [
        *permutations([CALLED, LISTED]),
        *permutations([CALLED, ANOTHER_FEED]),
        *permutations([CALLED, LISTED, ANOTHER_FEED]),
        [LISTED],
    ],
    ids=lambda traffic: "-".join(
        "listed" if one.asked else "called" if one.weak else "another" for one in traffic
    ),
)
def test_another_window_agrees(template: Template, traffic: list[Transfer]) -> None:
    """The bank's own list, or a feed that proves itself, before or after: paid once (3)."""
    assert told(template, list(traffic))[1:] == (50_000, 0, [])


async def _limit(template: Template, database: Database) -> int | None:
    async with pool(database) as engine:
        merchant = await Messages(engine, template.orders).directory.merchant(*WEAK_FEED)
        assert merchant is not None
        return merchant.weak_above_vnd(WEAK_LIMIT_VND)


def test_a_merchant_may_have_a_limit_of_its_own(template: Template) -> None:
    """The setting of the merchant replaces the service's."""
    with template.copy() as database:
        assert asyncio.run(_limit(template, database)) == 30_000
