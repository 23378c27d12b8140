"""JSON written anew as other languages write it: the texts that payOS and Casso sign.

Both sign not the bytes they send but what a program makes of the parsed body. Here is how such
programs write texts and numbers; which fields are signed in which order is in the adapters.
Numbers come in as `NumberText`, so that no digit is lost unless a dialect loses it.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from providers.untrusted import NumberText

DEPTH_MAX: Final = 32
"""Honest bodies are nested three deep."""

PLAIN_FROM, PLAIN_BELOW = 1e-6, 1e21
"""Between these JavaScript writes a number without an exponent."""

Escape: TypeAlias = Callable[[str], str]

_LONE = re.compile("[\ud800-\udfff]")
_GO = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in ("&", "<", ">", "\u2028", "\u2029")})


def javascript(text: str) -> str:
    """A string as JSON.stringify writes it: nothing escaped but what must be."""
    if text.isascii() and "\x7f" not in text:  # which Python alone escapes
        return ascii_only(text)
    return _LONE.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(text, ensure_ascii=False))


def ascii_only(text: str) -> str:
    """A string as Python's json and Java's older writers do: all but ASCII escaped."""
    return json.dumps(text)


def php(text: str) -> str:
    """A string as PHP's json_encode writes it: ASCII, and `/` escaped as well."""
    return ascii_only(text).replace("/", "\\/")


def php_unicode(text: str) -> str:
    """A string as PHP's json_encode does with JSON_UNESCAPED_UNICODE."""
    return javascript(text).replace("/", "\\/")


def go(text: str) -> str:
    """A string as Go's json.Marshal writes it: `&`, `<`, `>` and line separators escaped."""
    return javascript(text).translate(_GO)


def javascript_number(text: str) -> str:
    """A JSON number as JavaScript prints it: the nearest double, `50000.0` as `50000`."""
    number = float(text)
    if not math.isfinite(number):
        return text
    if number == 0:
        return "0"
    if PLAIN_FROM <= abs(number) < PLAIN_BELOW:
        return format(Decimal(repr(number)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(number).partition("e")
    return f"{mantissa}e{int(exponent):+d}" if exponent else mantissa


def with_javascript_numbers(found: object, depth: int = DEPTH_MAX) -> object:
    """`found` with every number as JavaScript prints it; ValueError when nested too deeply."""
    if isinstance(found, NumberText):
        return NumberText(javascript_number(found))
    return _each(found, depth, with_javascript_numbers)


def with_sorted_keys(found: object, depth: int = DEPTH_MAX) -> object:
    """`found` with the keys of all objects in ascending order; ValueError as above."""
    if isinstance(found, dict):
        return _each(sorted_by_key(found), depth, with_sorted_keys)
    return _each(found, depth, with_sorted_keys)


def with_lists_as_objects(found: object, depth: int = DEPTH_MAX) -> object:
    """`found` with `["a"]` as `{"0":"a"}`: what a careless sort of JavaScript makes of lists."""
    if isinstance(found, list):
        found = {str(place): one for place, one in enumerate(found)}
    return _each(found, depth, with_lists_as_objects)


def sorted_by_key(found: Mapping[str, object]) -> dict[str, object]:
    """One level of keys in ascending order of their UTF-16 units, as JavaScript sorts."""
    return dict(sorted(found.items(), key=lambda pair: utf16(pair[0])))


def utf16(text: str) -> bytes:
    """The UTF-16 units of `text`, two bytes each, the greater first; also of lone halves."""
    return text.encode("utf-16-be", "surrogatepass")


def utf8(text: str) -> bytes:
    """`text` in UTF-8 as JavaScript encodes it: half a surrogate pair becomes U+FFFD."""
    return _LONE.sub("\ufffd", text).encode()


def compact(found: object, escape: Escape = javascript, depth: int = DEPTH_MAX) -> str:
    """JSON without blanks, keys in their order; ValueError when nested too deeply."""
    if isinstance(found, NumberText):
        return str(found)
    if isinstance(found, str):
        return escape(found)
    if found is None or isinstance(found, bool):
        return json.dumps(found)
    if depth <= 0:
        raise ValueError("nested too deeply")
    if isinstance(found, dict):
        pairs = (f"{escape(k)}:{compact(v, escape, depth - 1)}" for k, v in found.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(found, list):
        return "[" + ",".join(compact(one, escape, depth - 1) for one in found) + "]"
    raise ValueError("no JSON")


def _each(found: object, depth: int, change: Callable[[object, int], object]) -> object:
    """`found` with whatever is in it changed."""
    if not isinstance(found, dict | list):
        return found
    if depth <= 0:
        raise ValueError("nested too deeply")
    if isinstance(found, dict):
        return {key: change(one, depth - 1) for key, one in found.items()}
    return [change(one, depth - 1) for one in found]
