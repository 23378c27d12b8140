"""Find dossier codes in a memo's row of letters, and say how much of each is left.

A code is read around its root (`H57`): the units before it, the date and the running number after
it. Only what has exactly one reading is `whole`; everything else is for people to look at.
The ladder is: whole (may match), padded, truncated, tail (suggestions).
"""

import re
from datetime import date
from typing import Final, Literal

import msgspec

from service.references import agency_code
from service.references.agency_code import AgencyCode
from service.references.dossier_code import SEQUENCE_CHARS_MIN, DossierCode, read_date
from service.references.errors import UnreadableCode
from service.references.memo_stream import DIGITLIKE, DIGITS, LOOKALIKES, Gap, Stream

TokenKind = Literal["whole", "padded", "truncated", "tail"]

YEARS: Final = range(2018, 2060)
"""Codes of this form began with NĐ 61/2018; earlier years in a memo are something else."""
TOKENS_MAX: Final = 16
WRAPS_MAX: Final = 1
"""Blanks at a place where no separator belongs: a statement's column wraps a code once."""

_YMD: Final = 6
_COMPLETE: Final = _YMD + SEQUENCE_CHARS_MIN
_LONGEST: Final = _YMD + 6
_UNITS: Final = 7
"""Characters of the three unit segments of QCVN 102: 3 + 2 + 2."""
_UNIT_BORDERS: Final = frozenset({0, 3, 5, 7})
_PIECES_MAX: Final = 8
_WRAPPED_PIECE_MIN: Final = 2
"""One digit after a blank is more likely a number of copies than the end of a running number."""
_UNIT_WIDTHS: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    2: ((2,),),
    3: ((3,),),
    4: ((2, 2),),
    5: ((2, 3), (3, 2)),
    6: ((2, 2, 2), (3, 3)),
}
"""How glued units of a high-to-low code can be cut; units have two or three digits."""

_ROOT: Final = re.compile(r"(?=[GH][0-9]{2})")
_HIGH_TO_LOW: Final = re.compile(
    r"(?<![0-9A-Z.])([GH][0-9]{2})"
    r"((?: ?\. ?(?:[0-9]{1,3}|[A-Z][0-9A-Z])){1,3}|(?: [0-9]{2,3}){1,3})"
    r" ?[-. /] ?([0-9]{6}) ?[-. /] ?([0-9]{4,6})(?![0-9A-Z])"
)
_TAIL: Final = re.compile(
    r"(?<![0-9])([0-9]{6})(?:([0-9]{4})|[-. /]([0-9]{4,6})|-([0-9]{1,3}))(?![0-9])"
)
_TAIL_IN_WORDS: Final = re.compile(
    r"(?<![0-9])([0-9]{1,6}) NGAY ([0-9]{2})[/.-]([0-9]{2})[/.-]20([0-9]{2})(?![0-9])"
)


class DossierToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a memo says of one dossier, in compact keys (`DossierCode.key`).

    whole: one key, the code has exactly one reading. padded: every key it could be, after leading
    zeros, segments or the number's zeros were put back. truncated: one key's beginning (agency,
    date, perhaps digits of the number). tail: date and number, the end of a key.
    """

    kind: TokenKind
    keys: tuple[str, ...]


class _Units(msgspec.Struct, frozen=True, kw_only=True):
    """Readings of what stands before a root, and where it starts."""

    start: int
    agencies: tuple[tuple[str, ...], ...]
    sure: bool
    wraps: int = 0


class _Number(msgspec.Struct, frozen=True, kw_only=True):
    """Date and running number after a root: digits, where they end, and whether all are there."""

    digits: str
    end: int
    complete: bool
    separate: bool = False
    """The running number stands apart from the date."""
    wraps: int = 0


class _Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Glued digits with the gap before them."""

    text: str
    gap: Gap
    end: int


def _day(ymd: str) -> date | None:
    day = read_date(ymd)
    return day if day is not None and day.year in YEARS else None


def _digits(text: str) -> str:
    """`text` with O as 0 and I, L as 1 where that makes it a number; else as it is."""
    known = text.translate(LOOKALIKES)
    return known if known.isdigit() else text


def _key(segments: tuple[str, ...], root: str, digits: str) -> str | None:
    day = _day(digits[:_YMD])
    if day is None:
        return None
    agency = agency_code.from_low_to_high(segments, root)
    return DossierCode(agency=agency, received_on=day, sequence=digits[_YMD:]).key


# ------------------------------------------------------------------ after the root


def _pieces(stream: Stream, start: int) -> list[_Piece]:
    """The digits from `start` on, piece by piece, until something else or a hard gap comes."""
    pieces: list[_Piece] = []
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
        pieces.append(_Piece(text=text.translate(LOOKALIKES), gap=gap, end=end))
        if glued_word:
            break
        index = end
    return pieces


def _number(pieces: list[_Piece]) -> _Number | None:
    """Date and running number from the pieces after a root; None without a date that exists."""
    text = ""
    end = 0
    wraps = 0
    separate = False
    for piece in pieces:
        if len(text) >= _COMPLETE:
            break
        joined = text + piece.text
        wrapped = len(text) not in {0, _YMD}
        in_number = len(text) > _YMD
        too_long = len(joined) > _LONGEST
        doubtful = wrapped and (piece.gap is not Gap.SPACE or wraps >= WRAPS_MAX)
        if in_number:  # a wrapped number ends with its piece, and the piece is no stray digit
            doubtful |= len(joined) != _COMPLETE or len(piece.text) < _WRAPPED_PIECE_MIN
        if too_long and not text:  # a number glued to what follows: only the date is sure
            text, end = joined[:_YMD], piece.end
            return _Number(digits=text, end=end, complete=False) if _day(text) else None
        if too_long or doubtful:
            break
        separate |= len(text) == _YMD
        wraps += wrapped
        text, end = joined, piece.end
    if len(text) < _YMD or _day(text[:_YMD]) is None:
        return None
    return _Number(
        digits=text, end=end, complete=len(text) >= _COMPLETE, separate=separate, wraps=wraps
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
    while end > 0 and len(tokens) < 4 and stream.gaps[end] is not Gap.HARD:  # noqa: PLR2004
        start = stream.token_start(end, max(0, end - 12))
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


def _dotted(tokens: list[_Token]) -> _Units | None:
    """`000.00.24.` or `38.25.`, also with blanks where the first segment is `000`."""
    if not tokens or tokens[0].after is Gap.GLUED:
        return None
    if len(tokens) >= 3:  # noqa: PLR2004 - three segments
        third, second, first = tokens[:3]
        segments = (_digits(first.text[-3:]), _digits(second.text), _digits(third.text))
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
            return _Units(start=first.start + len(word), agencies=(segments,), sure=True)
    if len(tokens) >= 2:  # noqa: PLR2004 - the province's short form
        second, first = tokens[:2]
        short = (_digits(first.text), _digits(second.text))
        if (
            all(len(part) == 2 for part in short)  # noqa: PLR2004
            and first.after is Gap.MARK
            and second.after is Gap.MARK
            and first.before in {Gap.SPACE, Gap.HARD}
            and any(part.isdigit() for part in short)
        ):
            return _Units(start=first.start, agencies=(short,), sure=True)
    return None


def _compact(stream: Stream, root: int) -> _Units | None:
    """`0000024`, wherever one blank fell; the first three must be zeros."""
    start = root - _UNITS
    if start < 0 or any(stream.used[start:root]) or Gap.HARD in stream.gaps[start + 1 : root + 1]:
        return None
    letters = stream.letters[start:root]
    segments = (_digits(letters[:3]), _digits(letters[3:5]), _digits(letters[5:]))
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
        return _Units(start=start, agencies=tuple(readings), sure=False, wraps=wraps)
    return _Units(start=start, agencies=(segments,), sure=wraps <= WRAPS_MAX, wraps=wraps)


def _short(tokens: list[_Token]) -> _Units | None:
    """Units without their zeros or higher segments: `58`, `525`, `BD`; never sure."""
    if not tokens:
        return None
    nearest = tokens[0]
    units = nearest.text
    if not units.isdigit():
        trailing = re.search(r"[0-9]{1,6}$|(?<![0-9A-Z])0{0,4}[0-9A-Z]{2}$", units)
        if trailing is None or (nearest.after is not Gap.GLUED and trailing[0] != units):
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
    return _Units(start=start, agencies=tuple(readings), sure=False)


# ------------------------------------------------------------------ the whole


def _low_to_high(stream: Stream, root: int) -> list[DossierToken]:
    """The code around the root at `root`, units before it; what is read is marked as read."""
    number = _number(_pieces(stream, root + 3))
    if number is None:
        return []
    name = stream.letters[root : root + 3]
    tokens = _tokens_before(stream, root)
    units = _dotted(tokens) or _compact(stream, root) or _short(tokens)
    if units is None:
        if number.complete:
            stream.use(root, number.end)
            return [DossierToken(kind="tail", keys=(number.digits,))]
        return []
    root_wraps = sum(gap is not Gap.GLUED for gap in stream.gaps[root + 1 : root + 3])
    sure = units.sure and units.wraps + root_wraps + number.wraps <= WRAPS_MAX
    stream.use(units.start, number.end)
    keys = _keys(units.agencies, name, number.digits)
    if number.complete:
        return [DossierToken(kind="whole" if sure and len(keys) == 1 else "padded", keys=keys)]
    found = [DossierToken(kind="truncated", keys=keys)]
    digits, sequence = number.digits[:_YMD], number.digits[_YMD:]
    if number.separate and sequence:
        filled = digits + sequence.zfill(SEQUENCE_CHARS_MIN)
        found.append(DossierToken(kind="padded", keys=_keys(units.agencies, name, filled)))
    return found


def _keys(agencies: tuple[tuple[str, ...], ...], root: str, digits: str) -> tuple[str, ...]:
    keys = {key for one in agencies if (key := _key(one, root, digits)) is not None}
    return tuple(sorted(keys))


def _glued_high_to_low(stream: Stream, root: int) -> list[DossierToken]:
    """`H571524260105 0001`, `H5715-260105-0001`: every cut that gives a date is a reading."""
    if root and stream.gaps[root] is Gap.GLUED and stream.letters[root - 1] in DIGITS:
        return []
    pieces = _pieces(stream, root + 3)
    if not pieces or pieces[0].gap is not Gap.GLUED:
        return []
    name = stream.letters[root : root + 3]
    taken = pieces[:1]
    keys = _cuts(name, pieces[0].text)
    for more in (2, 3):
        if keys or len(pieces) < more:
            break
        taken = pieces[:more]
        keys = _cuts(name, "".join(piece.text for piece in taken))
    if not keys:
        return []
    wraps = sum(piece.gap is Gap.SPACE for piece in taken[1:])
    stream.use(root, taken[-1].end)
    sure = len(keys) == 1 and wraps <= WRAPS_MAX
    return [DossierToken(kind="whole" if sure else "padded", keys=keys)]


def _cuts(root: str, digits: str) -> tuple[str, ...]:
    """Keys of every way to cut `digits` into units, date and running number."""
    keys: set[str] = set()
    for length, ways in _UNIT_WIDTHS.items():
        rest = digits[length:]
        if not _COMPLETE <= len(rest) <= _LONGEST:
            continue
        for widths in ways:
            segments: list[str] = []
            start = 0
            for width in widths:
                segments.append(digits[start : start + width])
                start += width
            key = _key(tuple(reversed(segments)), root, rest)
            if key is not None and all(part.strip("0") for part in segments):
                keys.add(key)
    return tuple(sorted(keys))


def find_high_to_low(text: str) -> tuple[list[DossierToken], str]:
    """Codes such as `H57.15-260105-0001` in `text`, and the text with them cut out."""
    found: list[DossierToken] = []

    def take(match: re.Match[str]) -> str:
        units = ".".join(match[2].replace(".", " ").split())
        day = _day(match[3])
        try:
            agency: AgencyCode | None = agency_code.parse(f"{match[1]}.{units}")
        except UnreadableCode:
            agency = None
        if day is None or agency is None or not agency.units:
            return match[0]
        code = DossierCode(agency=agency, received_on=day, sequence=match[4])
        found.append(DossierToken(kind="whole", keys=(code.key,)))
        return "|"

    return found, _HIGH_TO_LOW.sub(take, text)


def find_around_roots(stream: Stream) -> list[DossierToken]:
    """Codes around each `H57`-like root of the row."""
    found: list[DossierToken] = []
    for match in _ROOT.finditer(stream.letters):
        root = match.start()
        if len(found) >= TOKENS_MAX:
            break
        if any(stream.used[root : root + 3]) or Gap.HARD in stream.gaps[root + 1 : root + 3]:
            continue
        found += _low_to_high(stream, root) or _glued_high_to_low(stream, root)
    return found


def find_tails(rest: str) -> list[DossierToken]:
    """Dates with a running number in what nothing else was read from; suggestions at most."""
    found: list[DossierToken] = []
    for match in _TAIL.finditer(rest):
        sequence = match[2] or match[3] or match[4].zfill(SEQUENCE_CHARS_MIN)
        if _day(match[1]) is not None:
            found.append(DossierToken(kind="tail", keys=(match[1] + sequence,)))
    for match in _TAIL_IN_WORDS.finditer(rest):
        ymd = match[4] + match[3] + match[2]
        if _day(ymd) is not None:
            key = ymd + match[1].zfill(SEQUENCE_CHARS_MIN)
            found.append(DossierToken(kind="tail", keys=(key,)))
    return found[:TOKENS_MAX]
