"""JSON as text with a structure: order, repeats of keys and the spelling of numbers survive."""

import json
from collections.abc import Iterator
from typing import TypeAlias, Union, cast


class Pairs(list["tuple[str, Node]"]):
    """An object: its keys with their values, in order; a key may repeat."""


class Number(str):
    """A number as it is spelled."""

    __slots__ = ()


Node: TypeAlias = Union[Pairs, "list[Node]", str, bool, None]
"""What stands at a place; a plain list is an array, a plain str is a string."""


def parse(text: str) -> Node:
    """The structure of `text`; ValueError where it is no JSON."""
    found: Node = json.loads(text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number)
    return found


def write(node: Node, *, ascii_only: bool = False, blank: str = "") -> str:
    """The text of a structure; `blank` stands behind each comma and colon."""
    if isinstance(node, Pairs):
        inner = (
            f"{json.dumps(key, ensure_ascii=ascii_only)}:{blank}"
            f"{write(value, ascii_only=ascii_only, blank=blank)}"
            for key, value in node
        )
        return "{" + f",{blank}".join(inner) + "}"
    if isinstance(node, list):
        values = cast("list[Node]", node)
        each = (write(value, ascii_only=ascii_only, blank=blank) for value in values)
        return "[" + f",{blank}".join(each) + "]"
    if isinstance(node, Number):
        return str.__str__(node)
    return json.dumps(node, ensure_ascii=ascii_only)


def objects(node: Node) -> Iterator[Pairs]:
    """Every object of a structure, the outermost first."""
    if isinstance(node, Pairs):
        yield node
        for _, value in node:
            yield from objects(value)
    elif isinstance(node, list):
        for value in cast("list[Node]", node):
            yield from objects(value)
