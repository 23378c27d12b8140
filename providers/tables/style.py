"""How a file writes numbers, dates and words: stated for the whole file, never guessed per cell."""

import unicodedata
from typing import Literal, Protocol

DateStyle = Literal[
    "dd/mm/yyyy", "dd-mm-yyyy", "dd.mm.yyyy", "yyyy-mm-dd", "yyyy/mm/dd", "yyyymmdd"
]


class Style(Protocol):
    """Numbers and dates of one file."""

    @property
    def date_style(self) -> DateStyle:
        """The order and marks of a date; a time of day may stand behind it."""
        ...

    @property
    def thousands(self) -> str:
        """The mark between groups of three digits; may be empty."""
        ...

    @property
    def decimal_mark(self) -> str:
        """Only zeros may follow it: a đồng has no parts. May be empty."""
        ...


class Delimited(Protocol):
    """The text of one CSV."""

    @property
    def delimiter(self) -> str:
        """What parts cells."""
        ...

    @property
    def encoding(self) -> str:
        """How characters are bytes."""
        ...


def fold(text: str) -> str:
    """`text` for comparing: without marks, case, punctuation and doubled blanks."""
    parts = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    bare = (c for c in parts if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in bare).split())
