"""The queue before the books: poison is isolated, and two processes at once book a call once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from random import Random

import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Outcome
from service.intake.deliveries import EventKey, events_of, repeated
from service.intake.group_commit import Committer
from service.proof import prove
from tests.databases import Database
from tests.makers import NOW
from tests.service.intake.preparing import Template, pool
from tests.traffic import TRAFFIC, Ipn, Message, Messages, Transfer

DEADLOCKS = sa.text("""
    select pg_stat_clear_snapshot(), deadlocks from pg_stat_database
    where datname = current_database()
""")
STUCK = sa.text("select lane, why, replayed_at from service.quarantine order by received_at")


def clock() -> datetime:
    """The time of every booking here."""
    return NOW


async def answers(
    engine: AsyncEngine, messages: Messages, traffic: Sequence[Message]
) -> list[Outcome]:
    """What one process answers when all of `traffic` arrives at once."""
    deliveries = await messages.deliveries(traffic)
    committer = Committer(engine, messages.sealer, messages.directory, clock)
    committer.start()
    try:
        return await asyncio.gather(*(committer.take(one) for one in deliveries))
    finally:
        await committer.close()


@settings(max_examples=12, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(traffic=TRAFFIC, dice=st.randoms(use_true_random=False))
def test_two_processes_book_each_call_once(
    template: Template, traffic: list[Message], dice: Random
) -> None:
    """Must show 5: groups that share events and notices neither lock each other out nor double."""
    orders = [[*range(len(traffic))] * 2 for _ in range(2)]
    for order in orders:
        dice.shuffle(order)

    async def process(database: Database, order: Sequence[int]) -> list[Outcome]:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            return await answers(engine, messages, [traffic[index] for index in order])

    async def work(database: Database) -> None:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            keys = [
                events_of(one, messages.directory, messages.sealer)[0].key
                for one in await messages.deliveries(traffic)
            ]
        told = await asyncio.gather(*(process(database, order) for order in orders))
        by_event: dict[EventKey, list[Outcome]] = {}
        for order, outcomes in zip(orders, told, strict=True):
            for index, outcome in zip(order, outcomes, strict=True):
                by_event.setdefault(keys[index], []).append(outcome)
        # Answers to questions of ours are not counted among a provider's deliveries.
        questioned = {
            key
            for key, one in zip(keys, traffic, strict=True)
            if isinstance(one, Transfer) and one.asked
        }
        for key, outcomes in by_event.items():
            counts = [*range(2, len(outcomes) + 1)]
            if key in questioned:
                counts = [2] * len(counts)
            told_ = Counter(
                Outcome.UNKNOWN_ORDER if key in questioned and one is Outcome.UNKNOWN_AGAIN else one
                for one in outcomes
            )
            assert any(
                told_ == Counter([first, *(repeated(first, n) for n in counts)])
                for first in outcomes
            ), outcomes
        async with pool(database) as engine, engine.connect() as connection:
            assert (await connection.execute(DEADLOCKS)).one().deadlocks == 0
            assert [finding async for finding in prove(engine)] == []

    with template.copy() as database:
        asyncio.run(work(database))


@settings(max_examples=12, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(traffic=TRAFFIC, places=st.sets(st.integers(0, 13), min_size=1, max_size=3))
def test_poison_changes_no_other_answer(
    template: Template, traffic: list[Message], places: set[int]
) -> None:
    """Must show 5: with poison anywhere in a group, the others are answered as without it."""
    poisoned = list(traffic)
    for place in sorted(places):
        poisoned.insert(place, Ipn(order=0, transaction=place, poisoned=True))

    async def work(database: Database, messages: Sequence[Message]) -> list[Outcome]:
        async with pool(database) as engine:
            told = await answers(engine, Messages(engine, template.orders), messages)
            assert [finding async for finding in prove(engine)] == []
        assert all(
            outcome is Outcome.TRY_AGAIN
            for message, outcome in zip(messages, told, strict=True)
            if _is_poison(message)
        )
        return [
            outcome
            for message, outcome in zip(messages, told, strict=True)
            if not _is_poison(message)
        ]

    with template.copy() as database:
        alone = asyncio.run(work(database, traffic))
    with template.copy() as database:
        assert asyncio.run(work(database, poisoned)) == alone


def _is_poison(message: Message) -> bool:
    return isinstance(message, Ipn) and message.poisoned


def test_a_call_that_cannot_be_booked_stops_no_other(template: Template) -> None:
    """Of a group with two poisoned calls the others are booked; those two are kept as stuck."""
    traffic: list[Message] = [
        Ipn(order=0, transaction=1),
        Ipn(order=1, transaction=2, poisoned=True),
        Transfer(id=1, order=2),
        Ipn(order=3, transaction=3, poisoned=True),
        Ipn(order=6, transaction=4),
    ]

    async def work(database: Database) -> None:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            assert await answers(engine, messages, traffic) == [
                Outcome.BOOKED,
                Outcome.TRY_AGAIN,
                Outcome.BOOKED,
                Outcome.TRY_AGAIN,
                Outcome.BOOKED,
            ]
            async with engine.connect() as connection:
                stuck = [tuple(row) for row in await connection.execute(STUCK)]
            assert stuck == [("stuck", "UnknownBook", None)] * 2
            assert [finding async for finding in prove(engine)] == []

    with template.copy() as database:
        asyncio.run(work(database))


def test_what_cannot_even_be_kept_stops_no_other(template: Template) -> None:
    """Where a book's month was erased, its calls are answered "try again" and the rest booked."""
    erase = sa.text("""
        insert into service.data_key (book_id, month, wrapped, created_at, dropped_at)
        values (99, '2026-11-01', null, now(), now())
    """)

    async def work(database: Database) -> None:
        async with pool(database) as engine:
            async with engine.begin() as connection:
                await connection.execute(erase)
            messages = Messages(engine, template.orders)
            traffic = [Ipn(order=1, poisoned=True), Ipn(order=0, transaction=2)]
            told = await answers(engine, messages, traffic)
        assert told == [Outcome.TRY_AGAIN, Outcome.BOOKED]

    with template.copy() as database:
        asyncio.run(work(database))
