"""The example memos against a crowd of notices: the exact are posted, none is posted wrongly."""

from datetime import date
from pathlib import Path
from uuid import UUID, uuid5

import msgspec
import pytest

from service.matching.model import Codes, Item, Money, Verdict
from service.matching.rules import judge
from service.references.memo import scan

FILE = Path(__file__).parents[2] / "data" / "memo_examples.jsonl"
SPACE = UUID(int=8)
OURS = "0531000000001"
FEES = (20_000, 50_000, 75_000, 135_000, 200_000)
SUGGESTED = {
    "leading zeros dropped",
    "truncated in the sequence",
    "VietQR 19-char cut of the stripped code",
    "only date and sequence kept",
    "payment reference cut by 2",
    "payment reference, one letter wrong",
    "one digit wrong",
}
"""Something is left of the code, so the right notice must lead the candidates."""


class Example(msgspec.Struct):
    """One line of the example file."""

    id: str
    raw_memo: str
    dossier_code: str | None
    payment_ref: str | None
    expected: str
    mutation: str


EXAMPLES = [msgspec.json.decode(line, type=Example) for line in FILE.read_bytes().splitlines()]


def fee_vnd(key: str) -> int:
    """A dossier's fee: few and round, so that amounts repeat as they do in life."""
    return FEES[sum(key.encode()) % len(FEES)]


def keys_of(example: Example) -> list[str]:
    """Compact keys of the dossiers an example is about."""
    codes = (example.dossier_code or "").split("|")
    return [code.replace(".", "").replace("-", "") for code in codes if code]


def notices() -> list[Item]:
    """One open notice for each dossier of the file."""
    references: dict[str, tuple[str, ...]] = {}
    for example in EXAMPLES:
        for key in keys_of(example):
            references[key] = (*references.get(key, ()), *filter(None, [example.payment_ref]))
    return [
        Item(
            id=uuid5(SPACE, key),
            dossier_key=key,
            references=own,
            amount_vnd=fee_vnd(key),
            open_vnd=fee_vnd(key),
            state="open",
            own_accounts=(OURS,),
            created_on=date(2000 + int(key[-10:-8]), int(key[-8:-6]), int(key[-6:-4])),
        )
        for key, own in references.items()
    ]


def credit(example: Example) -> Money:
    """The transfer that carried the memo, of exactly what its dossiers owe."""
    return Money(
        id=uuid5(SPACE, example.id),
        amount_vnd=sum(map(fee_vnd, keys_of(example))) or FEES[0],
        direction="in",
        happened_on=date(2026, 12, 31),
        account=OURS,
        evidence=Codes.of(scan(example.raw_memo)),
    )


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """All examples judged together against all notices."""
    found = {one.money_id: one for one in judge([credit(one) for one in EXAMPLES], notices())}
    return {one.id: found[uuid5(SPACE, one.id)] for one in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.id)
def test_no_memo_is_posted_to_another_dossier(
    example: Example, verdicts: dict[str, Verdict]
) -> None:
    """Whatever is posted pays exactly the dossiers the memo was about."""
    posted = {item_id for item_id, _ in verdicts[example.id].allocations}
    assert posted in (set(), {uuid5(SPACE, key) for key in keys_of(example)})


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.expected == "exact"], ids=lambda one: one.id
)
def test_every_exact_memo_is_posted(example: Example, verdicts: dict[str, Verdict]) -> None:
    """An exact reference or code is posted whole and without a case."""
    verdict = verdicts[example.id]
    assert (verdict.action, verdict.reason) == ("post", None)


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.expected == "multi"], ids=lambda one: one.id
)
def test_two_dossiers_in_one_transfer_are_posted_together(
    example: Example, verdicts: dict[str, Verdict]
) -> None:
    """R4: two whole codes and exactly their sum."""
    assert (verdicts[example.id].rule, len(verdicts[example.id].allocations)) == ("R4", 2)


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.mutation in SUGGESTED], ids=lambda one: one.id
)
def test_a_damaged_code_has_the_right_notice_first(
    example: Example, verdicts: dict[str, Verdict]
) -> None:
    """What is cut or mistyped is a case whose first candidate is the right notice."""
    verdict = verdicts[example.id]
    assert verdict.action == "case"
    assert verdict.candidates[0].item_id == uuid5(SPACE, keys_of(example)[0])


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.expected == "no_reference"], ids=lambda one: one.id
)
def test_a_memo_without_a_code_is_unidentified(
    example: Example, verdicts: dict[str, Verdict]
) -> None:
    """The amount alone never posts and never claims to have found anything."""
    verdict = verdicts[example.id]
    assert (verdict.rule, verdict.reason) == ("none", "UNIDENTIFIED_CREDIT")
