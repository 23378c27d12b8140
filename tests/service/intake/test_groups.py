"""A group's outcome is that of its members one by one, whoever cuts the groups (choice 7)."""

import asyncio
from collections.abc import Sequence

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Outcome
from service.database import transaction
from service.intake import inbox
from service.intake.deliveries import Delivery
from service.proof import prove
from tests.databases import Database
from tests.dumping import Dump, dump
from tests.makers import NOW
from tests.service.intake.preparing import Template, pool
from tests.traffic import TRAFFIC, Message, Messages


async def take(engine: AsyncEngine, messages: Messages, group: Sequence[Delivery]) -> list[Outcome]:
    """Book one group in one transaction."""
    async with transaction(engine) as connection:
        return await inbox.commit_group(
            connection, group, directory=messages.directory, sealer=messages.sealer, now=NOW
        )


Result = tuple[list[Outcome], list[str], Dump]


def booked(template: Template, traffic: Sequence[Message], sizes: Sequence[int]) -> Result:
    """Outcomes, findings and rows after `traffic` in groups of these sizes."""

    async def work(database: Database) -> Result:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            deliveries = await messages.deliveries(traffic)
            outcomes: list[Outcome] = []
            first = 0
            for size in sizes:
                outcomes += await take(engine, messages, deliveries[first : first + size])
                first += size
            findings = [str(finding) async for finding in prove(engine)]
            return outcomes, findings, await dump(engine)

    with template.copy() as database:
        return asyncio.run(work(database))


def cut(count: int, marks: Sequence[bool]) -> list[int]:
    """Sizes of the groups between the marks."""
    sizes = [0]
    for position in range(count):
        if position and marks[position % len(marks)]:
            sizes.append(0)
        sizes[-1] += 1
    return sizes


# Without shrinking: a failure of three databases per example would be made small for minutes.
@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(traffic=TRAFFIC, marks=st.lists(st.booleans(), min_size=1, max_size=14))
def test_a_group_is_its_members_one_by_one(
    template: Template, traffic: list[Message], marks: list[bool]
) -> None:
    """Whole, cut anywhere or singly: the same answers, the same rows, and all is proven (3)."""
    count = len(traffic)
    alone = booked(template, traffic, [1] * count)
    assert alone[1] == []
    for sizes in ([count], cut(count, marks)):
        outcomes, findings, rows = booked(template, traffic, sizes)
        assert findings == []
        assert outcomes == alone[0]
        for table, found in rows.items():
            assert (table, found) == (table, alone[2][table])
