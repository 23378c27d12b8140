"""The letters and digits of a memo as one row, with the gap before each kept.

Wraps, blanks and dots fall anywhere in a code, so codes are read from the row; the gaps then say
how sure the reading is. Reads nothing by itself.
"""

from enum import IntEnum
from typing import Final

SOFT_GAP_CHARS_MAX: Final = 3
_BLANKS: Final = frozenset(" ")
_MARKS: Final = frozenset(" .-_/")
LOOKALIKES: Final = str.maketrans("OIL", "011")
DIGITLIKE: Final = frozenset("0123456789OIL")
DIGITS: Final = frozenset("0123456789")


class Gap(IntEnum):
    """What stands between a character and the one before it."""

    GLUED = 0
    SPACE = 1
    """Blanks alone: a separator that was lost, or a column's wrap."""
    MARK = 2
    """A dot, hyphen, underscore or slash, perhaps with blanks."""
    HARD = 3
    """Anything else, and both ends of the memo: no code goes on across it."""


def _gap(between: str) -> Gap:
    if not between:
        return Gap.GLUED
    if len(between) > SOFT_GAP_CHARS_MAX or not _MARKS.issuperset(between):
        return Gap.HARD
    return Gap.SPACE if _BLANKS.issuperset(between) else Gap.MARK


class Stream:
    """The row: `letters[i]` stands after a gap `gaps[i]` and at `places[i]` of the text.

    `gaps` has one more than `letters`: the end is a hard gap.
    """

    def __init__(self, text: str) -> None:
        letters: list[str] = []
        self.gaps: list[Gap] = []
        self.places: list[int] = []
        last = 0
        for place, letter in enumerate(text):
            if not (letter.isascii() and letter.isalnum()):
                continue
            self.gaps.append(_gap(text[last:place]) if letters else Gap.HARD)
            letters.append(letter)
            self.places.append(place)
            last = place + 1
        self.gaps.append(Gap.HARD)
        self.letters = "".join(letters)
        self.used = [False] * len(letters)

    def token_start(self, index: int, least: int) -> int:
        """Where the glued characters that end just before `index` begin, at most `least` back."""
        start = index
        while start > least and not self.used[start - 1]:
            start -= 1
            if self.gaps[start] is not Gap.GLUED:
                break
        return start

    def use(self, start: int, end: int) -> None:
        """Mark `letters[start:end]` as read, so that nothing else is read from them."""
        self.used[start:end] = [True] * (end - start)

    def rest(self, text: str) -> str:
        """`text` with everything that was read blanked out by borders."""
        kept = list(text)
        for place, used in zip(self.places, self.used, strict=True):
            if used:
                kept[place] = "|"
        return "".join(kept)
