"""What is said when an official code cannot be read."""

from typing import Literal

What = Literal["agency_code", "dossier_code", "procedure_code"]
Why = Literal[
    "empty",
    "too-long",
    "bad-form",
    "ambiguous-agency",
    "impossible-date",
    "future-date",
]

SHOWN_CHARS_MAX = 64
"""A refusal repeats at most this much of what was written."""

_IN_WORDS: dict[Why, str] = {
    "empty": "nothing is written",
    "too-long": "it is longer than any such code",
    "bad-form": "it does not have the form of such a code",
    "ambiguous-agency": "both ends could be the root of the agency",
    "impossible-date": "there is no such date",
    "future-date": "its date has not come yet",
}


class UnreadableCode(ValueError):
    """A code that is not in any notation we know; `why` is stable and fit for a translation."""

    def __init__(self, what: What, text: str, why: Why) -> None:
        self.what = what
        self.text = text[:SHOWN_CHARS_MAX]
        self.why = why
        super().__init__(f"{what} {self.text!r}: {_IN_WORDS[why]}")
