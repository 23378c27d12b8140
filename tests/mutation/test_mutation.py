"""The changes are changes, the judge sees what is wrong, and the service stands them over HTTP."""

import random
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.databases import Database
from tests.faults.serving import SERVE, Process, free_port, settings_over, wait_until_up
from tests.mutation.judging import judge, material, mutants
from tests.mutation.operators import BODY, HEADS
from tests.mutation.over_http import compare, send
from tests.providers.spoken import SPOKEN
from tests.simulated.stage import furnish

SENT_EACH = 40


def test_the_judge_sees_what_is_believed_and_was_not_said() -> None:
    """Where nothing but a key proves a call, a changed body is believed: the judge counts it."""
    weak = [one for one in SPOKEN if one.is_weak]
    assert weak
    for spoken in weak:
        tally = judge(spoken, seed=1, count=400, table=BODY)
        assert tally.other > 0
        assert tally.faults
        assert tally.errors == 0


def test_each_operator_changes_something() -> None:
    """None of the changes is dead: each one makes something of some provider's call."""
    done: set[str] = set()
    for spoken in SPOKEN:
        dice = random.Random(7)
        made = material(spoken, dice)
        for name, operator in (BODY | HEADS).items():
            for call in made.calls:
                new = operator(dice, call, made.calls[0])
                if new is not None and new != call:
                    done.add(name)
    assert done == set(BODY | HEADS)


def test_equal_seeds_give_equal_changes() -> None:
    """A fault that `make mutate` finds can be made again."""
    spoken = SPOKEN[0]

    def calls() -> list[object]:
        dice = random.Random(5)
        return [one.call for one in mutants(spoken, material(spoken, dice), dice, 50)]

    assert calls() == calls()


@pytest.mark.anyio
async def test_over_http_no_changed_call_is_an_error_or_another_event(
    fresh_database: Database, engine: AsyncEngine, owner_engine: AsyncEngine, tmp_path: Path
) -> None:
    """A seeded sample of every provider: no status 500, no event that says something else."""
    seats = await furnish(engine, owner_engine, 1)
    settings = settings_over(fresh_database)
    with Process(SERVE, settings, free_port(), tmp_path / "log") as served:
        wait_until_up(served.base_url)
        for number, seat in enumerate(seats):
            sent, made = await send(seat, served.base_url, number, SENT_EACH)
            await compare(engine, seat, made, sent)
            assert (sent.errors, sent.other) == (0, 0), sent
            assert sent.sent > SENT_EACH / 2
