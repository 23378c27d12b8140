"""The state of a payment is a fold: the same for every order of arrival, and never taken back."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract import Status
from providers.states import (
    EDGES,
    FINAL,
    PRECEDENCE,
    STATES,
    Told,
    Word,
    fold,
    of_order,
    overtaken,
    taken_back,
    word,
)

START = datetime(2026, 11, 3, 3, tzinfo=UTC)
GATEWAY: list[Status] = [status for status in STATES if status not in {"credit", "debit"}]
TOLD = st.builds(
    Told,
    status=st.sampled_from(GATEWAY),
    happened_at=st.integers(0, 4).map(lambda minute: START + timedelta(minutes=minute)),
)


def said(*words: tuple[Status, int]) -> list[Told]:
    """Words with the minute in which they happened, in the order of arrival."""
    return [
        Told(status=status, happened_at=START + timedelta(minutes=minute))
        for status, minute in words
    ]


def test_every_pair_of_words_has_a_meaning() -> None:
    """The graph is whole: each pair of unequal words once, and every word has its place."""
    assert len(EDGES) == len(STATES) * (len(STATES) - 1)
    assert len({(edge.before, edge.after) for edge in EDGES}) == len(EDGES)
    assert {*STATES, "ignored"} == set(get_args(Status))
    assert sorted(PRECEDENCE) == sorted(STATES)


@given(told=st.lists(TOLD, min_size=1, max_size=6), dice=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_state(told: list[Told], dice: Random) -> None:
    """Whatever order the messages came in, the state is one (choice 6 of DESIGN)."""
    turned = list(told)
    dice.shuffle(turned)
    assert fold(turned).state == fold(told).state


@given(told=st.lists(TOLD, min_size=1, max_size=5, unique_by=lambda one: one.happened_at))
def test_the_order_of_arrival_changes_no_contradiction(told: list[Told]) -> None:
    """With a time of its own for each message, the same pairs contradict each other."""

    def pairs(arrived: list[Told]) -> set[tuple[Told, Told]]:
        return {(arrived[known], arrived[new]) for known, new in fold(arrived).contradictions}

    for order in permutations(range(len(told))):
        assert pairs([told[at] for at in order]) == pairs(told)


@given(told=st.lists(TOLD, max_size=5), late=TOLD)
def test_nothing_undoes_a_final_state(told: list[Told], late: Told) -> None:
    """A further message, early or late, never makes paid or given back anything less."""
    if fold(told).state in FINAL:
        assert fold([*told, late]).state in FINAL
    if any(one.status == "paid" for one in told):
        assert fold(told).state in FINAL


@pytest.mark.parametrize(
    ("told", "state", "contradicts"),
    [
        (said(("pending", 0), ("paid", 1)), "paid", 0),
        (said(("paid", 1), ("pending", 0)), "paid", 0),
        (said(("paid", 0), ("pending", 1)), "paid", 0),
        (said(("failed", 0), ("paid", 1)), "paid", 0),
        (said(("paid", 1), ("failed", 0)), "paid", 0),
        (said(("paid", 0), ("failed", 1)), "paid", 1),
        (said(("failed", 1), ("paid", 0)), "paid", 1),
        (said(("paid", 0), ("failed", 0)), "paid", 1),
        (said(("failed", 0), ("paid", 0)), "paid", 0),
        (said(("held", 0), ("paid", 1)), "paid", 0),
        (said(("paid", 0), ("held", 1)), "paid", 1),
        (said(("paid", 0), ("refunded", 1)), "refunded", 0),
        (said(("refunded", 1), ("paid", 0)), "refunded", 0),
        (said(("paid", 0), ("refund_processing", 1), ("refund_failed", 2)), "refund_failed", 0),
        (said(("ignored", 0)), None, 0),
        ([], None, 0),
    ],
)
def test_what_words_make_together(told: list[Told], state: Status | None, contradicts: int) -> None:
    """Pending then paid is news; late words change nothing; paid then failed is for a person."""
    folded = fold(told)
    assert (folded.state, len(folded.contradictions)) == (state, contradicts)


def test_a_repeat_adds_nothing() -> None:
    """The same word again is late, whatever it is."""
    words: set[Word] = {word(status, status) for status in STATES}
    assert words == {"late"}


def test_held_and_let_go() -> None:
    """What is held is let go by a later `paid`; what was paid is back with a later `reversed`."""
    let_go = said(("held", 0), ("paid", 1))
    assert overtaken(let_go, fold(let_go), 0)
    assert not taken_back(let_go, fold(let_go), 1)
    back = said(("reversed", 1), ("paid", 0))
    assert taken_back(back, fold(back), 1)


def test_one_paid_attempt_makes_the_order_paid() -> None:
    """An order with a failed and a paid attempt is paid; without attempts nothing is known."""
    assert of_order(["failed", "paid"]) == "paid"
    assert of_order(["expired", "pending"]) == "pending"
    assert of_order([]) is None
