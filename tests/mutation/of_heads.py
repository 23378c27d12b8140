"""Changes of the headers, and calls put together from two."""

import random
from collections.abc import Callable
from typing import Final

from providers import Call
from tests.mutation import json_text, query_text
from tests.mutation.base import Operator, changed, is_form, some_part
from tests.mutation.of_json import parsed


def _on_heads(
    change: Callable[[random.Random, list[tuple[str, str]], Call], list[tuple[str, str]]],
) -> Operator:
    def operator(dice: random.Random, call: Call, other: Call) -> Call | None:
        if not call.headers:
            return None
        return changed(call, headers=tuple(change(dice, list(call.headers), other)))

    return operator


def _drop_head(dice: random.Random, heads: list[tuple[str, str]], _: Call) -> list[tuple[str, str]]:
    del heads[dice.randrange(len(heads))]
    return heads


def _change_head(
    dice: random.Random, heads: list[tuple[str, str]], _: Call
) -> list[tuple[str, str]]:
    at = dice.randrange(len(heads))
    name, value = heads[at]
    cut = dice.randrange(len(value)) if value else 0
    digits = [here for here, char in enumerate(value) if char.isdigit()]
    texts = [
        value[:cut],
        f"{value}0",
        f" {value}",
        value.swapcase(),
        value.upper(),
        "",
        value[::-1],
    ]
    if digits:
        here = dice.choice(digits)
        texts += [value[:here] + str(dice.randrange(10)) + value[here + 1 :]] * 3
    heads[at] = (name, dice.choice(texts))
    return heads


def _repeat_head(
    dice: random.Random, heads: list[tuple[str, str]], other: Call
) -> list[tuple[str, str]]:
    name, value = dice.choice(heads)
    said = [told for head, told in other.headers if head == name]
    heads.insert(dice.randint(0, len(heads)), (name, dice.choice([*said, value, "", value + "0"])))
    return heads


def _spell_head(
    dice: random.Random, heads: list[tuple[str, str]], _: Call
) -> list[tuple[str, str]]:
    dice.shuffle(heads)
    return [(dice.choice((name.upper(), name.lower(), name)), value) for name, value in heads]


def _content_type(
    dice: random.Random, heads: list[tuple[str, str]], _: Call
) -> list[tuple[str, str]]:
    kinds = ("text/plain", "multipart/form-data", "application/xml", "", "application/json; x=\x00")
    kept = [(name, value) for name, value in heads if name.lower() != "content-type"]
    return [("Content-Type", dice.choice(kinds)), *kept]


def _heads_of_another(dice: random.Random, call: Call, other: Call) -> Call | None:
    """The proof of one call with what another says."""
    del dice
    return changed(call, headers=other.headers) if call.headers else None


def _one_head_of_another(dice: random.Random, call: Call, other: Call) -> Call | None:
    if not call.headers:
        return None
    taken = dict(other.headers)
    name = dice.choice(call.headers)[0]
    return changed(
        call,
        headers=tuple((one, taken.get(one, told) if one == name else told)
                      for one, told in call.headers),
    )  # fmt: skip


def _halves(dice: random.Random, call: Call, other: Call) -> Call | None:
    part = some_part(dice, call)
    if part is None:
        return None
    raw, raw_too = getattr(call, part), getattr(other, part)
    cut = dice.randrange(len(raw))
    return changed(call, **{part: raw[:cut] + raw_too[cut:]})


def _piece_of_another(dice: random.Random, call: Call, other: Call) -> Call | None:
    """One parameter or one field of another call, its signature among them."""
    part = some_part(dice, call)
    if part is not None and is_form(call, part):
        found = query_text.pieces(getattr(call, part))
        at = dice.randrange(len(found))
        key = found[at].partition("=")[0]
        said = [one for one in query_text.pieces(getattr(other, part)) if one.startswith(f"{key}=")]
        if not said:
            return None
        return changed(call, **{part: query_text.joined([*found[:at], said[0], *found[at + 1 :]])})
    node, node_too = parsed(call), parsed(other)
    pairs = list(zip(json_text.objects(node), json_text.objects(node_too), strict=False))
    pairs = [(one, two) for one, two in pairs if one and two]
    if not pairs:
        return None
    one, two = dice.choice(pairs)
    at = dice.randrange(len(one))
    key = one[at][0]
    one[at] = (key, dict(two).get(key, one[at][1]))
    return changed(call, body=json_text.write(node).encode())


def _other_method(dice: random.Random, call: Call, _: Call) -> Call | None:
    return changed(call, method=dice.choice(("PUT", "HEAD", "get", "POST", "GET")))


def _in_query(dice: random.Random, call: Call, _: Call) -> Call | None:
    """What the body said, said by the query too, or the other way round."""
    if dice.random() < 0.5:  # one or the other
        return changed(call, raw_query=call.raw_query + b"&" + call.body[:2_000])
    return changed(call, body=call.body + call.raw_query)


BODY: Final[dict[str, Operator]] = {
    "halves of two": _halves,
    "piece of another": _piece_of_another,
    "other method": _other_method,
    "say it twice": _in_query,
    "heads of another": _heads_of_another,
}


HEADS: Final[dict[str, Operator]] = {
    "drop a header": _on_heads(_drop_head),
    "change a header": _on_heads(_change_head),
    "repeat a header": _on_heads(_repeat_head),
    "spell headers": _on_heads(_spell_head),
    "content type": _on_heads(_content_type),
    "one header of another": _one_head_of_another,
}
