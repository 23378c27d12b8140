"""Matching posts only what is unique from both sides; everything else says why not."""

from uuid import UUID

import msgspec
import pytest

from service.matching.model import Item, Money, Verdict
from service.matching.rules import judge
from tests.service.matching.makers import (
    KEYS,
    OTHERS,
    REFERENCES,
    by_code,
    by_reference,
    credit,
    notice,
    paid,
    token,
)


def one(money: Money, *items: Item) -> Verdict:
    """The verdict on the only movement."""
    (verdict,) = judge([money], items)
    return verdict


def told(verdict: Verdict) -> tuple[str, str, str | None, list[tuple[int, int]]]:
    """Rule, action, reason and allocations by the notice's number."""
    return (
        verdict.rule,
        verdict.action,
        verdict.reason,
        [(item_id.int, amount_vnd) for item_id, amount_vnd in verdict.allocations],
    )


def test_a_reference_with_the_exact_amount_posts() -> None:
    """R2: nothing is left to explain."""
    verdict = one(by_reference(1), notice(1), notice(2))
    assert told(verdict) == ("R2", "post", None, [(1, 100_000)])
    assert {field.verdict for field in verdict.fields if field.name == "reference"} == {"equal"}
    assert verdict.candidates == ()


def test_a_reference_over_two_notices_posts_both() -> None:
    """R2: one request may cover several notices; their exact sum pays all."""
    both = (REFERENCES[0],)
    items = (notice(1, 60_000, references=both), notice(2, 40_000, references=both))
    assert told(one(by_reference(1), *items)) == ("R2", "post", None, [(1, 60_000), (2, 40_000)])
    part = one(by_reference(1, 60_000), *items)
    assert told(part) == ("R2B", "case", "PARTIAL_PAYMENT", [])


def test_below_due_is_posted_in_part() -> None:
    """R2B: what came is allocated, the rest stays open."""
    verdict = one(by_reference(1, 30_000), notice(1))
    assert told(verdict) == ("R2B", "post", "UNDERPAYMENT", [(1, 30_000)])


def test_above_due_holds_the_rest() -> None:
    """R2B: what is due is allocated, the excess is held."""
    verdict = one(by_reference(1, 130_000), notice(1), notice(2, 50_000, group="x"))
    assert told(verdict) == ("R2B", "post", "OVERPAYMENT", [(1, 100_000)])


@pytest.mark.parametrize(
    ("sibling_vnd", "reason"), [(30_000, "AMBIGUOUS"), (40_000, "OVERPAYMENT")]
)
def test_above_due_is_ambiguous_when_a_sibling_could_want_the_rest(
    sibling_vnd: int, reason: str
) -> None:
    """R2B: an open sibling that the excess could pay stops the posting."""
    items = (notice(1, group="payer"), notice(2, sibling_vnd, group="payer"))
    assert one(by_reference(1, 130_000), *items).reason == reason


def test_a_paid_notice_makes_a_duplicate() -> None:
    """R2A: another movement for a paid notice is held for its payer, by reference or by code."""
    assert told(one(by_reference(1), paid(1))) == ("R2A", "case", "DUPLICATE_PAYMENT", [])
    assert told(one(by_code(1), paid(1))) == ("R3A", "case", "DUPLICATE_PAYMENT", [])


def test_a_cancelled_or_exempt_notice_takes_nothing() -> None:
    """Money after a cancellation is held under its own reason; for an exempt notice it is over."""
    cancelled = notice(1, 0, amount_vnd=100_000, state="cancelled")
    exempt = notice(1, 0, state="exempt")
    assert told(one(by_reference(1), cancelled)) == ("R2A", "case", "PAID_AFTER_CANCEL", [])
    assert told(one(by_code(1), cancelled)) == ("R3A", "case", "PAID_AFTER_CANCEL", [])
    assert told(one(by_reference(1), exempt)) == ("R2A", "case", "OVERPAYMENT", [])


def test_another_units_account_posts_nothing() -> None:
    """Money on an account that is not the notice's own waits for a person."""
    wrong = credit(1, references=(REFERENCES[0],), account=OTHERS)
    assert told(one(wrong, notice(1))) == ("R2", "case", "WRONG_ACCOUNT", [])
    wrong = credit(1, codes=(token(KEYS[0]),), account=OTHERS)
    assert told(one(wrong, notice(1))) == ("R3", "case", "WRONG_ACCOUNT", [])


def test_a_whole_code_with_the_exact_amount_posts() -> None:
    """R3: the dossier's one open notice of this amount is paid."""
    assert told(one(by_code(1), notice(1), notice(2))) == ("R3", "post", None, [(1, 100_000)])


@pytest.mark.parametrize(
    ("amount_vnd", "reason"), [(99_999, "UNDERPAYMENT"), (100_001, "OVERPAYMENT")]
)
def test_a_whole_code_with_another_amount_is_a_case(amount_vnd: int, reason: str) -> None:
    """R3B: a code has no check, so another amount may mean another dossier."""
    verdict = one(by_code(1, amount_vnd), notice(1))
    assert told(verdict) == ("R3B", "case", reason, [])
    assert verdict.candidates[0].item_id == UUID(int=1)


def test_a_dossier_with_several_notices_posts_only_what_is_meant_one_way() -> None:
    """R3, R4: one of them or all of them; sums that can be made in two ways are ambiguous."""
    fees = (notice(1, 60_000), notice(2, 40_000, key=KEYS[0]))
    assert told(one(by_code(1, 60_000), *fees)) == ("R3", "post", None, [(1, 60_000)])
    assert told(one(by_code(1), *fees)) == ("R4", "post", None, [(1, 60_000), (2, 40_000)])
    three = (*fees, notice(3, 20_000, key=KEYS[0]))
    assert one(by_code(1, 60_000), *three).reason == "AMBIGUOUS"
    assert one(by_code(1, 80_000), *three).reason == "AMBIGUOUS"
    assert one(by_code(1, 50_000), *three).reason == "PARTIAL_PAYMENT"


def test_a_paid_notice_of_the_same_amount_makes_a_code_ambiguous() -> None:
    """Counted over paid notices too: the money may be a second payment."""
    items = (notice(1), msgspec.structs.replace(paid(2), dossier_key=KEYS[0]))
    assert told(one(by_code(1), *items)) == ("R3B", "case", "AMBIGUOUS", [])


def test_several_codes_post_only_their_exact_sum() -> None:
    """R4: all known, all open, sum equal; else a person decides, with all as candidates."""
    codes = (token(KEYS[0]), token(KEYS[1]))
    items = (notice(1, 60_000), notice(2, 40_000))
    exact = one(credit(1, codes=codes), *items)
    assert told(exact) == ("R4", "post", None, [(1, 60_000), (2, 40_000)])
    other = one(credit(1, 90_000, codes=codes), *items)
    assert told(other) == ("R4", "case", "COMBINED_UNRESOLVED", [])
    assert {one.item_id.int for one in other.candidates} == {1, 2}
    unknown = one(credit(1, 60_000, codes=codes), items[0])
    assert told(unknown) == ("R4", "case", "COMBINED_UNRESOLVED", [])
    settled = one(credit(1, 60_000, codes=codes), items[0], paid(2, 40_000))
    assert told(settled) == ("R4", "case", "COMBINED_UNRESOLVED", [])


def test_a_reference_and_another_dossiers_code_disagree() -> None:
    """Two different things are named: only their exact sum would post."""
    money = credit(1, references=(REFERENCES[0],), codes=(token(KEYS[1]),))
    assert told(one(money, notice(1), notice(2))) == ("R4", "case", "COMBINED_UNRESOLVED", [])
    same = credit(1, references=(REFERENCES[0],), codes=(token(KEYS[0]),))
    assert told(one(same, notice(1), notice(2))) == ("R2", "post", None, [(1, 100_000)])


def test_a_code_nobody_issued_explains_no_excess() -> None:
    """A reference with an unknown code posts its exact amount and nothing else."""
    codes = (token(KEYS[6]),)
    for amount_vnd, reason in ((100_000, None), (150_000, "COMBINED_UNRESOLVED")):
        money = credit(1, amount_vnd, references=(REFERENCES[0],), codes=codes)
        assert one(money, notice(1)).reason == reason


@pytest.mark.parametrize("make", [by_reference, by_code])
def test_two_movements_for_one_notice_both_wait(make: object) -> None:
    """The item has two fitting lines, so neither is posted, whichever came first."""
    assert callable(make)
    verdicts = judge([make(1), make(2)], [notice(1)])
    assert [(one.action, one.reason) for one in verdicts] == [("case", "AMBIGUOUS")] * 2


def test_a_reference_goes_before_a_code() -> None:
    """The reference pays; the code then names a paid notice."""
    first, second = judge([by_reference(1), by_code(2)], [notice(1)])
    assert told(first) == ("R2", "post", None, [(1, 100_000)])
    assert told(second) == ("R3A", "case", "DUPLICATE_PAYMENT", [])


def test_an_unsettled_reference_keeps_codes_from_posting() -> None:
    """What a reference claims and a person must decide is not paid by a weaker rule."""
    wrong = credit(1, references=(REFERENCES[0],), account=OTHERS)
    first, second = judge([wrong, by_code(2)], [notice(1)])
    assert (first.reason, second.reason) == ("WRONG_ACCOUNT", "AMBIGUOUS")
    assert second.allocations == ()


def test_a_code_does_not_complete_a_part_payment() -> None:
    """The remainder of a part payment by reference is not paid by a code in the same run."""
    first, second = judge([by_reference(1, 30_000), by_code(2, 70_000)], [notice(1)])
    assert told(first) == ("R2B", "post", "UNDERPAYMENT", [(1, 30_000)])
    assert told(second) == ("R3", "case", "AMBIGUOUS", [])


@pytest.mark.parametrize(
    ("kind", "key"),
    [("padded", KEYS[0]), ("truncated", KEYS[0][:-2]), ("tail", KEYS[0][-10:])],
)
def test_a_fragment_suggests_and_never_posts(kind: str, key: str) -> None:
    """R5: even with the exact amount a person decides; the right one is first."""
    money = credit(1, codes=(token(key, kind),))
    others = [notice(5, key="0000015H572602280005"), notice(6, key="0000016H572602280006")]
    verdict = one(money, notice(1), *others)
    assert told(verdict) == ("R5", "case", "UNIDENTIFIED_CREDIT", [])
    assert verdict.candidates[0].item_id == UUID(int=1)


def test_a_fragment_that_fits_two_is_ambiguous() -> None:
    """A truncated code of two open notices with this amount names neither."""
    money = credit(1, codes=(token(KEYS[0][:-2], "truncated"),))
    assert told(one(money, notice(1), notice(2))) == ("R5", "case", "AMBIGUOUS", [])


def test_a_mistyped_code_or_reference_ranks_its_neighbour_first() -> None:
    """One wrong digit posts nothing, and the notice one edit away with this amount leads."""
    typed = KEYS[0][:-1] + "9"
    others = [notice(number) for number in (5, 6)]
    for money in (
        credit(1, codes=(token(typed),)),
        credit(1, damaged=(REFERENCES[0][:5] + "Z" + REFERENCES[0][6:],)),
        credit(1, damaged=(REFERENCES[0][:-2],)),
    ):
        verdict = one(money, notice(1), *(msgspec.structs.replace(o, open_vnd=1) for o in others))
        assert (verdict.action, verdict.reason) == ("case", "UNIDENTIFIED_CREDIT")
        assert verdict.candidates[0].item_id == UUID(int=1)


def test_amount_and_name_only_suggest() -> None:
    """The same amount alone is no fit; with the whole name it leads; two such are ambiguous."""
    named = ("a", "b", "c")
    items = [notice(1), notice(2, names=named)]
    nameless = one(credit(1), *items)
    assert told(nameless) == ("none", "case", "UNIDENTIFIED_CREDIT", [])
    assert len(nameless.candidates) == 2
    verdict = one(credit(1, names=(*named, "d")), *items)
    assert told(verdict) == ("R5", "case", "UNIDENTIFIED_CREDIT", [])
    assert verdict.candidates[0].item_id == UUID(int=2)
    twins = [*items, notice(3, names=named)]
    assert one(credit(1, names=named), *twins).reason == "AMBIGUOUS"


def test_outgoing_money_is_out_of_scope() -> None:
    """Money that goes out pays no notice."""
    out = msgspec.structs.replace(by_reference(1), direction="out")
    assert told(one(out, notice(1))) == ("none", "case", "OUT_OF_SCOPE", [])


def test_what_cannot_be_is_refused() -> None:
    """Impossible amounts and ids given twice are errors of the caller."""
    with pytest.raises(ValueError, match="positive"):
        credit(1, 0)
    with pytest.raises(ValueError, match="open amount"):
        notice(1, 5, amount_vnd=4)
    with pytest.raises(ValueError, match="twice"):
        judge([credit(1), credit(1)], [])
    with pytest.raises(ValueError, match="twice"):
        judge([], [notice(1), notice(1)])
