"""Find payment references in a memo's row of letters, whole and damaged.

A whole one holds by its check characters; whether it was issued is for the caller to look up.
"""

from typing import Final

from service.references.memo_stream import DIGITLIKE, DIGITS, LOOKALIKES, Gap, Stream
from service.references.payment_reference import HS, HUE, read_body

GAPS_MAX: Final = 4
"""Three separators of the grouped form, and one wrap."""
DAMAGED_BODY_CHARS_MIN: Final = 6
"""Fewer characters after HUE tell nothing: it is also the city's name."""
FOUND_MAX: Final = 16

_ALPHABET: Final = frozenset(HUE.alphabet + "OIL")
_HUE_LETTERS: Final = HUE.body_chars + 2
_HS_DIGITS: Final = HS.body_chars + 2


def _soft(stream: Stream, start: int, end: int) -> int | None:
    """How many gaps are inside `start:end`; None if one is hard or something was read there."""
    if end > len(stream.letters) or any(stream.used[start:end]):
        return None
    inner = stream.gaps[start + 1 : end]
    return None if Gap.HARD in inner else sum(gap is not Gap.GLUED for gap in inner)


def _read_hue(stream: Stream, start: int) -> str | None:
    end = start + HUE.length
    gaps = _soft(stream, start, end)
    if gaps is None or gaps > GAPS_MAX:
        return None
    found = read_body(HUE, stream.letters[start + len(HUE.prefix) : end])
    return found.text if found is not None else None


def _read_hs(stream: Stream, start: int) -> str | None:
    """An older reference: prefix glued to its digits, since `hs 0912…` is `hồ sơ` and a phone."""
    end = start + HS.length
    gaps = _soft(stream, start, end)
    first = start + len(HS.prefix)
    if gaps is None or gaps > 1 or Gap.MARK in stream.gaps[start + 1 : end]:
        return None
    if stream.gaps[first] is not Gap.GLUED:
        return None
    if stream.gaps[end] is Gap.GLUED and stream.letters[end] in DIGITS:
        return None
    found = read_body(HS, stream.letters[first:end])
    return found.text if found is not None else None


def find_whole(stream: Stream) -> tuple[str, ...]:
    """References whose check holds, in order of appearance; what they use is marked as read."""
    found: dict[str, None] = {}
    for scheme, read in ((HUE, _read_hue), (HS, _read_hs)):
        start = stream.letters.find(scheme.prefix)
        while start >= 0 and len(found) < FOUND_MAX:
            reference = read(stream, start)
            if reference is not None:
                found[reference] = None
                stream.use(start, start + scheme.length)
            start = stream.letters.find(scheme.prefix, start + 1)
    return tuple(found)


def _damaged_hue(stream: Stream, start: int) -> str | None:
    """What is glued to HUE, up to a whole length, with at most one soft gap further on."""
    if any(gap is not Gap.GLUED for gap in stream.gaps[start + 1 : start + 4]):
        return None
    first = start + len(HUE.prefix)
    end = first
    gaps = 0
    while end < len(stream.letters) and end < first + _HUE_LETTERS:
        if stream.gaps[end] is not Gap.GLUED:
            gaps += 1
            if gaps > 1 or stream.gaps[end] is Gap.HARD:
                break
        if stream.used[end] or stream.letters[end] not in _ALPHABET:
            break
        end += 1
    body = stream.letters[first:end].translate(LOOKALIKES)
    # Books are numbered from 00: a word after the city's name has no digit so early.
    if len(body) < DAMAGED_BODY_CHARS_MIN or not DIGITS.intersection(body[: HUE.book_chars]):
        return None
    return HUE.prefix + body


def _damaged_hs(stream: Stream, start: int) -> str | None:
    """HS and about the right number of digits, at most one gap, whose check does not hold."""
    first = start + len(HS.prefix)
    end = first
    gaps = int(stream.gaps[first - 1] is not Gap.GLUED)
    while end < len(stream.letters) and stream.letters[end] in DIGITLIKE and not stream.used[end]:
        gaps += stream.gaps[end] is not Gap.GLUED
        if gaps > 1 or stream.gaps[end] is Gap.HARD or end > first + _HS_DIGITS:
            break
        end += 1
    digits = stream.letters[first:end].translate(LOOKALIKES)
    if not _HS_DIGITS - 2 <= len(digits) <= _HS_DIGITS + 1:
        return None
    return HS.prefix + digits


def find_damaged(stream: Stream) -> tuple[str, ...]:
    """Texts of a reference's shape that do not hold: cut, or with a wrong character."""
    found: dict[str, None] = {}
    for scheme, read in ((HUE, _damaged_hue), (HS, _damaged_hs)):
        start = stream.letters.find(scheme.prefix)
        while start >= 0 and len(found) < FOUND_MAX:
            if not any(stream.used[start : start + len(scheme.prefix)]):
                reference = read(stream, start)
                if reference is not None:
                    found[reference] = None
            start = stream.letters.find(scheme.prefix, start + 1)
    return tuple(found)
