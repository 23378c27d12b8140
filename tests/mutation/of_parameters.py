"""Changes of the parameters of a query or a form."""

import random
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from providers import Call
from tests.mutation import query_text
from tests.mutation.base import NUMBERS, Operator, changed, is_form, some_part


def _on_pieces(change: Callable[[random.Random, list[str]], list[str] | None]) -> Operator:
    def operator(dice: random.Random, call: Call, _: Call) -> Call | None:
        part = some_part(dice, call)
        if part is None or not is_form(call, part):
            return None
        found = change(dice, query_text.pieces(getattr(call, part)))
        return None if found is None else changed(call, **{part: query_text.joined(found)})

    return operator


def _drop_piece(dice: random.Random, found: list[str]) -> list[str]:
    at = dice.randrange(len(found))
    return found[:at] + found[at + 1 :]


def _repeat_piece(dice: random.Random, found: list[str]) -> list[str]:
    return _put(dice, found, dice.choice(found))


def _repeat_otherwise(dice: random.Random, found: list[str]) -> list[str]:
    key, value = query_text.decoded(dice.choice(found))
    return _put(dice, found, query_text.encoded(key, dice.choice(("", "1", value + "0"))))


def _shuffle_pieces(dice: random.Random, found: list[str]) -> list[str]:
    return dice.sample(found, len(found))


def _another_value(dice: random.Random, found: list[str]) -> list[str]:
    at = dice.randrange(len(found))
    key, value = query_text.decoded(found[at])
    _, other = query_text.decoded(dice.choice(found))
    text = dice.choice((other, value[::-1], value + "0", value[:-1], dice.choice(NUMBERS), ""))
    return [*found[:at], query_text.encoded(key, text), *found[at + 1 :]]


def _encode_otherwise(dice: random.Random, found: list[str]) -> list[str]:
    at = dice.randrange(len(found))
    key, value = query_text.decoded(found[at])
    piece = dice.choice(
        (
            f"{key}={value}".replace("&", "%26"),
            "".join(f"%{byte:02x}" for byte in key.encode()) + "=" + quote(value),
            found[at].replace("+", "%20"),
            found[at].replace("%20", "+"),
            f"{quote(key)}={quote(value, safe='')}",
            f"{quote(key)}={quote(quote(value))}",
        )
    )
    return [*found[:at], piece.encode().decode("latin-1"), *found[at + 1 :]]


def _merge_pieces(dice: random.Random, found: list[str]) -> list[str] | None:
    """Two parameters become one whose value holds the other: the joined text may stay the same."""
    if len(found) < 2:  # two
        return None
    one, other = sorted(dice.sample(range(len(found)), 2))
    key, value = query_text.decoded(found[one])
    key_too, value_too = query_text.decoded(found[other])
    merged = query_text.encoded(key, f"{value}&{key_too}={value_too}")
    return [*found[:one], merged, *found[one + 1 : other], *found[other + 1 :]]


def _split_piece(dice: random.Random, found: list[str]) -> list[str] | None:
    """A value with a separator in it becomes two parameters."""
    at = dice.randrange(len(found))
    key, value = query_text.decoded(found[at])
    head, mark, tail = value.partition("&")
    if not mark:
        return None
    key_too, _, value_too = tail.partition("=")
    parts = [query_text.encoded(key, head), query_text.encoded(key_too, value_too)]
    return [*found[:at], *parts, *found[at + 1 :]]


def _spell_key(dice: random.Random, found: list[str]) -> list[str]:
    at = dice.randrange(len(found))
    key, _, value = found[at].partition("=")
    return [*found[:at], f"{dice.choice((key.upper(), key + '%20', ' ' + key))}={value}",
            *found[at + 1 :]]  # fmt: skip


def _normal_form(dice: random.Random, found: list[str]) -> list[str]:
    form = dice.choice(("NFC", "NFD", "NFKC", "NFKD"))
    return [
        query_text.encoded(key, unicodedata.normalize(form, value))  # type: ignore[arg-type]
        for key, value in map(query_text.decoded, found)
    ]


def _strange_piece(dice: random.Random, found: list[str]) -> list[str]:
    keys = [query_text.decoded(piece)[0] for piece in found]
    prefix = dice.choice(keys).partition("_")[0]
    strange = ("utm=1", f"{prefix}_Extra=1", f"{prefix}_Extra=", "", "=", "&", "%00=1")
    return _put(dice, found, dice.choice(strange))


def _put(dice: random.Random, found: list[str], piece: str) -> list[str]:
    at = dice.randint(0, len(found))
    return [*found[:at], piece, *found[at:]]


BODY: Final[dict[str, Operator]] = {
    "drop a parameter": _on_pieces(_drop_piece),
    "repeat a parameter": _on_pieces(_repeat_piece),
    "repeat a parameter otherwise": _on_pieces(_repeat_otherwise),
    "shuffle parameters": _on_pieces(_shuffle_pieces),
    "another value": _on_pieces(_another_value),
    "encode otherwise": _on_pieces(_encode_otherwise),
    "merge parameters": _on_pieces(_merge_pieces),
    "split a parameter": _on_pieces(_split_piece),
    "spell a parameter's name": _on_pieces(_spell_key),
    "normal form of parameters": _on_pieces(_normal_form),
    "strange parameter": _on_pieces(_strange_piece),
}
