"""What independent npm clients signed, recorded by `make crosscheck`, is believed by our side."""

import json

import pytest

from tests.crosscheck.node import HERE, Case
from tests.crosscheck.signed_by_others import RECORDED, cases, wrong

MADE: Case = json.loads(RECORDED.read_text(encoding="utf-8"))
SIGNED = list(zip(cases(), MADE["told"], strict=True))


@pytest.mark.parametrize(
    ("case", "told"), SIGNED, ids=[f"{case['op']}-{at}" for at, (case, _) in enumerate(SIGNED)]
)
def test_what_another_client_signed_is_believed(case: Case, told: Case) -> None:
    """The same order, amount and text come back from what somebody else's program signed."""
    assert wrong(case, told) == ""


@pytest.mark.parametrize("at", range(len(SIGNED)))
def test_what_another_client_signed_for_something_else_is_not(at: int) -> None:
    """A signature of one text proves no other text: each one is tried on the next of its kind."""
    case, _ = SIGNED[at]
    others = [told for one, told in SIGNED if one["op"] == case["op"] and one is not case]
    assert others
    for told in others:
        assert wrong(case, told)


def test_recordings_are_of_the_pinned_clients() -> None:
    """The versions that signed are those that are installed anew."""
    pinned = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert MADE["clients"] == pinned
    assert not (HERE / "package-lock.json").exists()
