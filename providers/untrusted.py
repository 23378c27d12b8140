"""Reading what strangers send: strict JSON, clean texts, whole amounts, local times.

Every function either gives a harmless value or says None or ValueError; none guesses.
"""

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NoReturn

from providers.contract import AMOUNT_VND_MAX

VIETNAM: Final = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""No daylight saving time since 1975, so a fixed offset is exact for every payment."""

KEY_CHARS_MAX = 100
"""Longest order, transaction number or amount text that may become part of a key."""

YEAR_MIN, YEAR_MAX = 2000, 2100
"""A time outside is a slip of the sender, and is read as no time."""

# Never three zeros behind the dot: a Vietnamese `50.000` is fifty thousand, and nobody can be sure.
_WHOLE = re.compile(r"([0-9]{1,18})(?:\.0{1,2})?", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]+", re.ASCII)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII)
_SPACED = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})", re.ASCII
)


class NumberText(str):
    """A JSON number as it was written, so that no digit is lost and none is made up."""

    __slots__ = ()


def json_object(raw: bytes) -> dict[str, object]:
    """The object in `raw` (UTF-8), numbers kept as text.

    Refuses by ValueError: what is no JSON object, repeated keys, NaN and Infinity, and nesting
    deeper than the parser goes.
    """
    try:
        found: object = json.loads(
            raw.decode("utf-8"),
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repeats,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - bad input, not a bad call of ours
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def clean(text: str) -> str:
    """`text` with U+FFFD for what PostgreSQL cannot keep: NUL and halves of surrogate pairs."""
    if text.isascii() and "\x00" not in text:
        return text
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


def text_of(found: object) -> str:
    """A JSON string or number as clean text; null, true, lists and objects as nothing."""
    return clean(str(found)) if isinstance(found, str) else ""


def key_of(found: object) -> str:
    """A JSON string or number fit to be part of a key; ValueError when it is not.

    Printable ASCII without blanks, at most KEY_CHARS_MAX characters.
    """
    if not isinstance(found, str) or len(found) > KEY_CHARS_MAX or not _KEY.fullmatch(found):
        raise ValueError("not fit to be a key")
    return str(found)


def amount_text_of(found: object) -> str:
    """An amount as written, for the key; ValueError for a container or an endless text."""
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > KEY_CHARS_MAX:
        raise ValueError("not an amount")
    return clean(str(found))


def whole_vnd(text: str) -> int | None:
    """Positive whole đồng in decimal digits (`50000`, `50000.00`); None for anything else."""
    match = _WHOLE.fullmatch(text)
    if match is None:
        return None
    amount_vnd = int(match[1])
    return amount_vnd if 0 < amount_vnd <= AMOUNT_VND_MAX else None


def compact_time(text: str) -> datetime | None:
    """`yyyyMMddHHmmss` on a Vietnamese clock, in UTC; None when it is no such time."""
    return _time(_COMPACT.fullmatch(text))


def spaced_time(text: str) -> datetime | None:
    """`yyyy-MM-dd HH:mm:ss` on a Vietnamese clock, in UTC; None when it is no such time."""
    return _time(_SPACED.fullmatch(text))


def _time(match: re.Match[str] | None) -> datetime | None:
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if not YEAR_MIN <= year <= YEAR_MAX:
        return None
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=VIETNAM)
    except ValueError:
        return None
    return local.astimezone(UTC)


def written_compactly(moment: datetime) -> str:
    """An aware time as `yyyyMMddHHmmss` on a Vietnamese clock."""
    return moment.astimezone(VIETNAM).strftime("%Y%m%d%H%M%S")


def plain_ascii(text: str, chars_max: int) -> str:
    """`text` as letters, digits, blanks, dots and hyphens: what every gateway and bank keeps."""
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else " " for c in bare)
    return " ".join(kept.split())[:chars_max].rstrip()
