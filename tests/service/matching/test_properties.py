"""What holds of matching whatever comes: order, uniqueness, sums, and what may post at all."""

from collections.abc import Sequence
from random import Random
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.matching.model import Item, Money, State, Verdict
from service.matching.rules import judge
from service.references.memo import DossierToken
from tests.service.matching.makers import (
    KEYS,
    OTHERS,
    OURS,
    REFERENCES,
    credit,
    notice,
    token,
)

AMOUNTS = st.sampled_from([20_000, 40_000, 60_000, 100_000])
NAMES = st.lists(st.sampled_from("abcd"), max_size=3, unique=True).map(tuple)


@st.composite
def items_of(draw: st.DrawFn) -> list[Item]:
    """Up to six notices that share dossiers, references, siblings and amounts."""
    made: list[Item] = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        amount_vnd = draw(AMOUNTS)
        state = draw(st.sampled_from(["open", "open", "open", "paid", "cancelled", "exempt"]))
        open_vnd = draw(st.sampled_from([amount_vnd, amount_vnd // 2])) if state == "open" else 0
        made.append(
            notice(
                number,
                open_vnd,
                amount_vnd=amount_vnd,
                state=msgspec.convert(state, State),
                key=draw(st.sampled_from(KEYS[:4])),
                references=tuple(draw(st.lists(st.sampled_from(REFERENCES[:4]), max_size=2))),
                group=draw(st.sampled_from([None, "x", "y"])),
                names=draw(NAMES),
            )
        )
    return made


@st.composite
def money_of(draw: st.DrawFn) -> list[Money]:
    """Up to six movements with evidence that may contradict itself and each other."""
    kinds = st.sampled_from(["whole", "whole", "padded", "truncated", "tail"])
    made: list[Money] = []
    for number in range(draw(st.integers(0, 6))):
        codes: list[DossierToken] = []
        for kind, key in draw(
            st.lists(st.tuples(kinds, st.sampled_from(KEYS[:5])), max_size=2, unique=True)
        ):
            cut = {"truncated": key[:-2], "tail": key[-10:]}.get(kind, key)
            codes.append(token(cut, kind))
        made.append(
            credit(
                number,
                draw(AMOUNTS) + draw(st.sampled_from([0, 0, 0, 20_000])),
                references=tuple(draw(st.lists(st.sampled_from(REFERENCES[:5]), max_size=2))),
                codes=tuple(codes),
                account=draw(st.sampled_from([OURS, OURS, OURS, OTHERS])),
                names=draw(NAMES),
            )
        )
    return made


@given(money_of(), items_of(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    money: list[Money], items: list[Item], dice: Random
) -> None:
    """Shuffled input gives equal verdicts."""
    expected = judge(money, items)
    dice.shuffle(money)
    dice.shuffle(items)
    assert judge(money, items) == expected


@given(money_of(), items_of())
def test_each_movement_has_one_verdict_and_nothing_is_paid_twice(
    money: list[Money], items: list[Item]
) -> None:
    """Allocations never exceed the movement, nor together what an item wants (invariant 5)."""
    verdicts = judge(money, items)
    assert sorted(one.money_id for one in verdicts) == sorted(one.id for one in money)
    came = {one.id: one.amount_vnd for one in money}
    left = {one.id: one.open_vnd if one.state == "open" else 0 for one in items}
    for verdict in verdicts:
        assert (verdict.action == "post") == bool(verdict.allocations)
        assert verdict.action == "post" or verdict.reason is not None
        assert sum(amount for _, amount in verdict.allocations) <= came[verdict.money_id]
        for item_id, amount_vnd in verdict.allocations:
            assert amount_vnd > 0
            left[item_id] -= amount_vnd
        for candidate in verdict.candidates:
            assert 0 < candidate.score == sum(candidate.terms.values()) <= 100
    assert min(left.values(), default=0) >= 0


@given(money_of(), items_of())
def test_an_item_is_posted_to_by_one_movement_at_most(
    money: list[Money], items: list[Item]
) -> None:
    """Uniqueness from the item's side: no two movements are posted to it in one judgement."""
    posted = [item_id for one in judge(money, items) for item_id, _ in one.allocations]
    assert len(posted) == len(set(posted))


@given(money_of(), items_of())
def test_only_sure_evidence_posts(money: list[Money], items: list[Item]) -> None:
    """What is posted names the item by a valid reference or a whole code, on its own account."""
    by_id: dict[UUID, Item] = {one.id: one for one in items}
    lines: dict[UUID, Money] = {one.id: one for one in money}
    for verdict in judge(money, items):
        line = lines[verdict.money_id]
        whole = {
            key for one in line.evidence.dossier_codes if one.kind == "whole" for key in one.keys
        }
        for item_id, _ in verdict.allocations:
            item = by_id[item_id]
            assert line.account in item.own_accounts
            assert set(item.references) & set(line.evidence.references) or item.dossier_key in whole


@given(money_of(), items_of())
def test_an_unrelated_line_or_item_changes_nothing(money: list[Money], items: list[Item]) -> None:
    """A stranger with another amount, code, name and group leaves all verdicts as they are."""
    stranger = notice(7, 7_777, key="0000099H582501010001", group="z", names=("q",))
    line = credit(99, 8_888, references=(REFERENCES[7],), names=("r",))
    expected = judge(money, items)
    assert judge(money, [*items, stranger]) == expected
    found: Sequence[Verdict] = judge([*money, line], items)
    assert [one for one in found if one.money_id != line.id] == expected
