"""Find dossier codes in a memo's row of letters, and say how much of each is left.

A code is read around its root (`H57`): the units before it, the date and the running number after
it. Only what has exactly one reading is `whole`; everything else is for people to look at.
The ladder is: whole (may match), padded, truncated, tail (suggestions).
"""

import re
from itertools import pairwise
from typing import Final, Literal

import msgspec

from service.references import agency_code
from service.references.agency_code import AgencyCode
from service.references.dossier_code import SEQUENCE_CHARS_MIN, DossierCode
from service.references.errors import UnreadableCode
from service.references.memo_parts import (
    COMPLETE,
    LONGEST,
    WRAPS_MAX,
    YMD,
    Piece,
    as_digits,
    day_of,
    number_of,
    pieces_after,
    units_before,
)
from service.references.memo_stream import DIGITS, Gap, Stream

TokenKind = Literal["whole", "padded", "truncated", "tail"]

TOKENS_MAX: Final = 16

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


def _key(segments: tuple[str, ...], root: str, digits: str) -> str | None:
    day = day_of(digits[:YMD])
    if day is None:
        return None
    agency = agency_code.from_low_to_high(segments, root)
    return DossierCode(agency=agency, received_on=day, sequence=digits[YMD:]).key


# ------------------------------------------------------------------ the whole


def _low_to_high(stream: Stream, root: int) -> list[DossierToken]:
    """The code around the root at `root`, units before it; what is read is marked as read."""
    number = number_of(pieces_after(stream, root + 3))
    if number is None:
        return []
    name = stream.letters[root : root + 3]
    units = units_before(stream, root)
    if units is None:
        if not number.complete:
            return []
        # A date right after the root: the units are lost, or the date is made of them.
        cuts = [
            msgspec.structs.replace(one, kind="padded") for one in _torn_high_to_low(stream, root)
        ]
        stream.use(root, number.end)
        return [*cuts, DossierToken(kind="tail", keys=(number.digits,))]
    root_wraps = sum(gap is not Gap.GLUED for gap in stream.gaps[root + 1 : root + 3])
    sure = units.sure and units.wraps + root_wraps + number.wraps <= WRAPS_MAX
    stream.use(units.start, number.end)
    keys = _keys(units.agencies, name, number.digits)
    if number.complete:
        return [DossierToken(kind="whole" if sure and len(keys) == 1 else "padded", keys=keys)]
    found = [DossierToken(kind="truncated", keys=keys)]
    digits, sequence = number.digits[:YMD], number.digits[YMD:]
    if number.separate and sequence:
        filled = digits + sequence.zfill(SEQUENCE_CHARS_MIN)
        found.append(DossierToken(kind="padded", keys=_keys(units.agencies, name, filled)))
    return found


def _keys(agencies: tuple[tuple[str, ...], ...], root: str, digits: str) -> tuple[str, ...]:
    keys = {key for one in agencies if (key := _key(one, root, digits)) is not None}
    return tuple(sorted(keys))


class _Cut(msgspec.Struct, frozen=True, kw_only=True):
    """Digits after a root, cut into units, date and running number."""

    key: str
    borders: frozenset[int]
    date_at: int


def _cuts(root: str, digits: str) -> list[_Cut]:
    """Every way to cut `digits` so that the date exists; no unit is all zeros."""
    cuts: list[_Cut] = []
    for length, ways in _UNIT_WIDTHS.items():
        rest = digits[length:]
        if not COMPLETE <= len(rest) <= LONGEST:
            continue
        for widths in ways:
            borders = [0]
            for width in widths:
                borders.append(borders[-1] + width)
            segments = tuple(digits[a:b] for a, b in pairwise(borders))
            key = _key(tuple(reversed(segments)), root, rest)
            if key is not None and all(part.strip("0") for part in segments):
                date_at = borders[-1]
                cuts.append(
                    _Cut(key=key, borders=frozenset((*borders, date_at + YMD)), date_at=date_at)
                )
    return cuts


def _fits(cut: _Cut, pieces: list[Piece], total: int, wraps: int) -> bool:
    """Whether the gaps between `pieces` stand where this cut has borders, but for one wrap."""
    place = 0
    for piece in pieces:
        if place not in cut.borders:
            wraps += 1
            if piece.gap is not Gap.SPACE or wraps > WRAPS_MAX:
                return False
            in_number = place > cut.date_at + YMD
            number = total - cut.date_at - YMD
            if in_number and not (number == SEQUENCE_CHARS_MIN and piece.may_end_number()):
                return False
        place += len(piece.text)
    return True


def _torn_high_to_low(stream: Stream, root: int) -> list[DossierToken]:
    """`H571524260105 0001`, `H57.15-26 0105-0001`: every cut that fits the gaps is a reading."""
    if root and stream.gaps[root] is Gap.GLUED and stream.letters[root - 1] in DIGITS:
        return []
    name = stream.letters[root : root + 3]
    wraps = sum(gap is not Gap.GLUED for gap in stream.gaps[root + 1 : root + 3])
    taken: list[Piece] = []
    text = ""
    for piece in pieces_after(stream, root + 3):
        taken.append(piece)
        text += piece.text
        fitting = {cut.key for cut in _cuts(name, text) if _fits(cut, taken, len(text), wraps)}
        if fitting:
            stream.use(root, piece.end)
            kind: TokenKind = "whole" if len(fitting) == 1 else "padded"
            return [DossierToken(kind=kind, keys=tuple(sorted(fitting)))]
    return []


def find_high_to_low(text: str) -> tuple[list[DossierToken], str]:
    """Codes such as `H57.15-260105-0001` in `text`, and the text with them cut out."""
    found: list[DossierToken] = []

    def take(match: re.Match[str]) -> str:
        units = ".".join(as_digits(unit) for unit in match[2].replace(".", " ").split())
        day = day_of(match[3])
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
        found += _low_to_high(stream, root) or _torn_high_to_low(stream, root)
    return found


def find_tails(rest: str) -> list[DossierToken]:
    """Dates with a running number in what nothing else was read from; suggestions at most."""
    found: list[DossierToken] = []
    for match in _TAIL.finditer(rest):
        sequence = match[2] or match[3] or match[4].zfill(SEQUENCE_CHARS_MIN)
        if day_of(match[1]) is not None:
            found.append(DossierToken(kind="tail", keys=(match[1] + sequence,)))
    for match in _TAIL_IN_WORDS.finditer(rest):
        ymd = match[4] + match[3] + match[2]
        if day_of(ymd) is not None:
            key = ymd + match[1].zfill(SEQUENCE_CHARS_MIN)
            found.append(DossierToken(kind="tail", keys=(key,)))
    return found[:TOKENS_MAX]
