"""The two halves of a dossier code in a memo: units before its root, date and number after it.

Each half is read from the row of letters with how sure the reading is; service.references.
memo_codes puts them together.
"""

import re
from datetime import date
from typing import Final

import msgspec

from service.references.dossier_code import SEQUENCE_CHARS_MIN, read_date
from service.references.memo_stream import DIGITLIKE, DIGITS, LOOKALIKES, Gap, Stream

YEARS: Final = range(2018, 2060)
"""Codes of this form began with NĐ 61/2018; earlier years in a memo are something else."""
WRAPS_MAX: Final = 1
"""Blanks at a place where no separator belongs: a statement's column wraps a code once."""
YMD: Final = 6
COMPLETE: Final = YMD + SEQUENCE_CHARS_MIN
LONGEST: Final = YMD + 6

_UNITS: Final = 7
"""Characters of the three unit segments of QCVN 102: 3 + 2 + 2."""
_UNIT_BORDERS: Final = frozenset({0, 3, 5, 7})
_PIECES_MAX: Final = 8
_WRAPPED_PIECE_MIN: Final = 2
_TOKENS_MAX: Final = 4
_TOKEN_CHARS_MAX: Final = 12


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """Readings of what stands before a root, and where it starts."""

    start: int
    agencies: tuple[tuple[str, ...], ...]
    sure: bool
    wraps: int = 0


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """Date and running number after a root: digits, where they end, and whether all are there."""

    digits: str
    end: int
    complete: bool
    separate: bool = False
    """The running number stands apart from the date."""
    wraps: int = 0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Glued digits with the gap before them."""

    text: str
    gap: Gap
    end: int
    plain: bool
    """Written in digits only, without O, I or L."""
    last: bool
    """Nothing but a hard gap follows."""

    def may_end_number(self) -> bool:
        """Whether it may be the end of a running number that a blank tore.

        One digit before more words is more likely a number of copies, `L1` an instalment.
        """
        return self.plain and (self.last or len(self.text) >= _WRAPPED_PIECE_MIN)


def day_of(ymd: str) -> date | None:
    """The day of six digits, if it exists and dossier codes of that year do."""
    day = read_date(ymd)
    return day if day is not None and day.year in YEARS else None


def as_digits(text: str) -> str:
    """`text` with O as 0 and I, L as 1 where that makes it a number; else as it is."""
    known = text.translate(LOOKALIKES)
    return known if known.isdigit() else text


# ------------------------------------------------------------------ after the root


def pieces_after(stream: Stream, start: int) -> list[Piece]:
    """The digits from `start` on, piece by piece, until something else or a hard gap comes."""
    pieces: list[Piece] = []
    index = start
    while index < len(stream.letters) and len(pieces) < _PIECES_MAX:
        gap = stream.gaps[index]
        end = index
        allowed = DIGITLIKE
        while end < len(stream.letters) and not stream.used[end]:
            if stream.letters[end] not in allowed or (
                end > index and stream.gaps[end] is not Gap.GLUED
            ):
                break
            end += 1
        glued_word = (
            end < len(stream.letters)
            and stream.gaps[end] is Gap.GLUED
            and stream.letters[end] not in DIGITLIKE
        )
        if glued_word:  # then its O, I or L belong to the word
            while end > index and stream.letters[end - 1] not in DIGITS:
                end -= 1
        if end == index or gap is Gap.HARD:
            break
        text = stream.letters[index:end]
        if not DIGITS.intersection(text) and len(text) < SEQUENCE_CHARS_MIN:
            break
        pieces.append(
            Piece(
                text=text.translate(LOOKALIKES),
                gap=gap,
                end=end,
                plain=text.isdigit(),
                last=stream.gaps[end] is Gap.HARD,
            )
        )
        if glued_word:
            break
        index = end
    return pieces


def number_of(pieces: list[Piece]) -> Number | None:
    """Date and running number from the pieces after a root; None without a date that exists."""
    text = ""
    end = 0
    wraps = 0
    separate = False
    for piece in pieces:
        if len(text) >= COMPLETE:
            break
        joined = text + piece.text
        wrapped = len(text) not in {0, YMD}
        in_number = len(text) > YMD
        too_long = len(joined) > LONGEST
        doubtful = wrapped and (piece.gap is not Gap.SPACE or wraps >= WRAPS_MAX)
        if in_number:  # a wrapped number ends with its piece, and the piece is no stray digit
            doubtful |= len(joined) != COMPLETE or not piece.may_end_number()
        if too_long and not text:  # a number glued to what follows: only the date is sure
            text, end = joined[:YMD], piece.end
            return Number(digits=text, end=end, complete=False) if day_of(text) else None
        if too_long or doubtful:
            break
        separate |= len(text) == YMD
        wraps += wrapped
        text, end = joined, piece.end
    if len(text) < YMD or day_of(text[:YMD]) is None:
        return None
    return Number(
        digits=text, end=end, complete=len(text) >= COMPLETE, separate=separate, wraps=wraps
    )


# ------------------------------------------------------------------ before the root


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    """Glued characters before a root, with the gaps on both sides."""

    text: str
    start: int
    before: Gap
    after: Gap


def _tokens_before(stream: Stream, root: int) -> list[_Token]:
    """Up to four tokens before the root, nearest first, within twelve characters each."""
    tokens: list[_Token] = []
    end = root
    while end > 0 and len(tokens) < _TOKENS_MAX and stream.gaps[end] is not Gap.HARD:
        start = stream.token_start(end, max(0, end - _TOKEN_CHARS_MAX))
        if start == end:
            break
        tokens.append(
            _Token(
                text=stream.letters[start:end],
                start=start,
                before=stream.gaps[start],
                after=stream.gaps[end],
            )
        )
        end = start
    return tokens


def _dotted(tokens: list[_Token]) -> Units | None:
    """`000.00.24.` or `38.25.`, also with blanks where the first segment is `000`."""
    if not tokens or tokens[0].after is Gap.GLUED:
        return None
    if len(tokens) >= 3:  # noqa: PLR2004 - three segments
        third, second, first = tokens[:3]
        segments = (as_digits(first.text[-3:]), as_digits(second.text), as_digits(third.text))
        marked = all(token.after is Gap.MARK for token in tokens[:3])
        zeros = segments[0] == "000"
        word = first.text[:-3]
        if (
            len(segments[1]) in {2, 3}
            and len(segments[2]) in {2, 3}
            and segments[0].isdigit()
            and len(segments[0]) == 3  # noqa: PLR2004
            and (zeros or (marked and not word))
            and not DIGITS.intersection(word)
        ):
            return Units(start=first.start + len(word), agencies=(segments,), sure=True)
    if len(tokens) >= 2:  # noqa: PLR2004 - the province's short form
        second, first = tokens[:2]
        short = (as_digits(first.text), as_digits(second.text))
        if (
            all(len(part) == 2 for part in short)  # noqa: PLR2004
            and first.after is Gap.MARK
            and second.after is Gap.MARK
            and first.before in {Gap.SPACE, Gap.HARD}
            and any(part.isdigit() for part in short)
        ):
            return Units(start=first.start, agencies=(short,), sure=True)
    return None


def _compact(stream: Stream, root: int) -> Units | None:
    """`0000024`, wherever one blank fell; the first three must be zeros."""
    start = root - _UNITS
    if start < 0 or any(stream.used[start:root]) or Gap.HARD in stream.gaps[start + 1 : root + 1]:
        return None
    letters = stream.letters[start:root]
    segments = (as_digits(letters[:3]), as_digits(letters[3:5]), as_digits(letters[5:]))
    if segments[0] != "000" or not all(DIGITS.intersection(part) for part in segments[:2]):
        return None
    wraps = 0
    for offset in range(1, _UNITS + 1):
        gap = stream.gaps[start + offset]
        if gap is not Gap.GLUED and offset not in _UNIT_BORDERS:
            if gap is not Gap.SPACE:
                return None
            wraps += 1
    glued = stream.gaps[start] is Gap.GLUED
    if glued and stream.letters[start - 1] in DIGITS:  # one digit more: a longer unit, or noise
        longer = stream.letters[start - 1 : root]
        readings = [segments]
        if longer.startswith("00000"):
            readings.append(("000", "00", longer[5:]))
        return Units(start=start, agencies=tuple(readings), sure=False, wraps=wraps)
    return Units(start=start, agencies=(segments,), sure=wraps <= WRAPS_MAX, wraps=wraps)


def _short(tokens: list[_Token]) -> Units | None:
    """Units without their zeros or higher segments: `58`, `525`, `BD`; never sure."""
    if not tokens:
        return None
    nearest = tokens[0]
    units = nearest.text
    if not units.isdigit():
        trailing = re.search(r"[0-9]{1,6}$|(?<![0-9A-Z])0{0,4}[0-9A-Z]{2}$", units)
        apart = nearest.after is not Gap.GLUED
        if trailing is None or (apart and not (trailing[0] == units and DIGITS & set(units))):
            return None
        units = trailing[0]
    if len(units) > _UNITS - 1:
        return None
    start = nearest.start + len(nearest.text) - len(units)
    if nearest.after is not Gap.GLUED and len(tokens) > 1 and len(units) <= 2:  # noqa: PLR2004
        higher = tokens[1].text
        if len(higher) == 2 and higher.isdigit():  # noqa: PLR2004
            units, start = higher + units.zfill(2), tokens[1].start
    padded = units.zfill(_UNITS)
    readings = [(padded[:3], padded[3:5], padded[5:])]
    if len(units) == 3 and units[0] != "0":  # noqa: PLR2004 - a unit of three digits
        readings.append(("000", "00", units))
    return Units(start=start, agencies=tuple(readings), sure=False)


def units_before(stream: Stream, root: int) -> Units | None:
    """What stands before the root as units, the surest reading first; None if nothing does."""
    tokens = _tokens_before(stream, root)
    return _dotted(tokens) or _compact(stream, root) or _short(tokens)
