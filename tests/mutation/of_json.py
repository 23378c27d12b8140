"""Changes of a JSON body, and of the JSON that one of its strings holds."""

import random
import unicodedata
from collections.abc import Callable
from typing import Final

from providers import Call
from tests.mutation import json_text
from tests.mutation.base import NUMBERS, Operator, changed
from tests.mutation.json_text import Node, Number, Pairs

DEPTH: Final = 2_000
HELD: Final = 0.7
"""Share of changes that go into JSON held by a string, where there is some."""
SEPARATORS: Final = "|&=.:,_"
"""What dialects put between the values that they sign."""


def _json(change: Callable[[random.Random, Node], Node | None]) -> Operator:
    """Change the structure of the body, or of the JSON that one of its strings holds."""

    def operator(dice: random.Random, call: Call, _: Call) -> Call | None:
        node = parsed(call)
        if node is None:
            return None
        found = _inside(dice, node, change)
        if found is None:
            return None
        text = json_text.write(found, blank=dice.choice(("", "", " ")))
        return changed(call, body=text.encode("utf-8", "surrogatepass"))

    return operator


def parsed(call: Call) -> Node | None:
    """The JSON of a body; None where it is none."""
    try:
        return json_text.parse(call.body.decode())
    except (ValueError, RecursionError):
        return None


def _inside(
    dice: random.Random, node: Node, change: Callable[[random.Random, Node], Node | None]
) -> Node | None:
    """The change at the outermost object, or within a string that is itself JSON."""
    if isinstance(node, Pairs):
        for at, (key, value) in enumerate(node):
            held = _held(value) if dice.random() < HELD else None
            if held is not None:
                inner = change(dice, held)
                if inner is None:
                    return None
                node[at] = (key, json_text.write(inner))
                return node
    return change(dice, node)


def _held(value: Node) -> Node | None:
    """The JSON object that a string holds."""
    if not isinstance(value, str) or not value.startswith("{"):
        return None
    try:
        return json_text.parse(value)
    except (ValueError, RecursionError):
        return None


def _at_object(change: Callable[[random.Random, Pairs], None]) -> Operator:
    """Change some object of the body in place."""

    def somewhere(dice: random.Random, node: Node) -> Node | None:
        found = [one for one in json_text.objects(node) if one]
        if not found:
            return None
        change(dice, dice.choice(found))
        return node

    return _json(somewhere)


def _drop_key(dice: random.Random, found: Pairs) -> None:
    del found[dice.randrange(len(found))]


def _repeat_key(dice: random.Random, found: Pairs) -> None:
    key, value = dice.choice(found)
    other: Node = dice.choice((value, None, Number("1"), "x"))
    found.insert(dice.randint(0, len(found)), (key, other))


def _shuffle_keys(dice: random.Random, found: Pairs) -> None:
    dice.shuffle(found)


def _spell_number(dice: random.Random, found: Pairs) -> None:
    at = dice.randrange(len(found))
    key, value = found[at]
    if isinstance(value, Number):
        text = str.__str__(value)
        new: Node = dice.choice(
            (text, Number(f"{text}.0"), Number(f"{text}0"), Number(f"-{text}"), Number(f"{text}e0"),
             Number(dice.choice(NUMBERS)), Number(f" {text} "))
        )  # fmt: skip
    elif isinstance(value, str):
        new = Number(value) if value.isascii() and value.isdecimal() else dice.choice(NUMBERS)
    else:
        new = Number("0")
    found[at] = (key, new)


def _null(dice: random.Random, found: Pairs) -> None:
    at = dice.randrange(len(found))
    found[at] = (found[at][0], dice.choice((None, True, False, "", "null", Number("0"))))


def _nest(dice: random.Random, found: Pairs) -> None:
    at = dice.randrange(len(found))
    key, value = found[at]
    wrapped: tuple[Node, ...] = ([value], Pairs([(key, value)]), [], Pairs())
    found[at] = (key, dice.choice(wrapped))


def _exchange(dice: random.Random, found: Pairs) -> None:
    """Two values change places."""
    one, other = dice.randrange(len(found)), dice.randrange(len(found))
    (key, value), (key_too, value_too) = found[one], found[other]
    found[one], found[other] = (key, value_too), (key_too, value)


def _shift(dice: random.Random, found: Pairs) -> None:
    """Text moves from one string to another across a separator: the joined text may stay."""
    texts = [at for at, (_, value) in enumerate(found) if isinstance(value, str) and value]
    cuts = [
        (at, mark)
        for at in texts
        for mark in SEPARATORS
        if mark in str(found[at][1])
    ]  # fmt: skip
    if not cuts or len(texts) < 2:  # two
        return
    at, mark = dice.choice(cuts)
    key, value = found[at]
    head, _, tail = str(value).partition(mark)
    other = dice.choice([one for one in texts if one != at])
    key_too, value_too = found[other]
    if dice.random() < 0.5:  # one or the other
        found[at], found[other] = (key, tail), (key_too, f"{value_too}{mark}{head}")
    else:
        found[at], found[other] = (key, head), (key_too, f"{tail}{mark}{value_too}")


def _spell_text(dice: random.Random, found: Pairs) -> None:
    at = dice.randrange(len(found))
    key, value = found[at]
    if isinstance(value, str) and not isinstance(value, Number):
        form = dice.choice(("NFC", "NFD"))
        texts = (
            unicodedata.normalize(form, value),  # type: ignore[arg-type]
            value.upper(),
            value.lower(),
            f"{value} ",
            f"{value}\u0000",
            f"{value}\ud800",
            value[:-1],
        )
        found[at] = (key, dice.choice(texts))


def _strange_key(dice: random.Random, found: Pairs) -> None:
    values: tuple[Node, ...] = ("x", Number("1"), None, Pairs(), [Number("1"), "x"])
    key = dice.choice(("extra", "__proto__", "", "Amount", found[0][0].upper()))
    found.insert(dice.randint(0, len(found)), (key, dice.choice(values)))


def _spell_json(dice: random.Random, call: Call, _: Call) -> Call | None:
    """The same JSON in other bytes: escapes, blanks, a byte order mark."""
    node = parsed(call)
    if node is None:
        return None
    text = json_text.write(node, ascii_only=dice.random() < 0.5, blank=dice.choice(("", " ")))
    text = dice.choice((text, text.replace("/", "\\/"), f"\ufeff{text}", f" {text}\n"))
    return changed(call, body=text.encode())


def _deep(dice: random.Random, call: Call, _: Call) -> Call | None:
    node = parsed(call)
    if not isinstance(node, Pairs):
        return None
    depth = dice.choice((3, DEPTH))
    text = json_text.write(node)
    hole = dice.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth))
    return changed(call, body=f'{{"deep":{hole},{text[1:]}'.encode())


BODY: Final[dict[str, Operator]] = {
    "drop a key": _at_object(_drop_key),
    "repeat a key": _at_object(_repeat_key),
    "shuffle keys": _at_object(_shuffle_keys),
    "spell a number": _at_object(_spell_number),
    "null": _at_object(_null),
    "nest": _at_object(_nest),
    "exchange values": _at_object(_exchange),
    "shift text": _at_object(_shift),
    "spell a text": _at_object(_spell_text),
    "strange key": _at_object(_strange_key),
    "spell JSON": _spell_json,
    "nest deeply": _deep,
}
