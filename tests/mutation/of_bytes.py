"""Changes of single bytes and slices, blind to what they mean."""

import random
from collections.abc import Callable
from typing import Final

from providers import Call
from tests.mutation.base import Operator, changed, some_part

LONG: Final = 70_000


def _on_bytes(change: Callable[[random.Random, bytes], bytes]) -> Operator:
    def operator(dice: random.Random, call: Call, _: Call) -> Call | None:
        part = some_part(dice, call)
        return None if part is None else changed(call, **{part: change(dice, getattr(call, part))})

    return operator


def _flip(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << dice.randrange(8)]) + raw[at + 1 :]


def _overwrite(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + dice.choice(b'0919&=%+|"\\{}[], \x00\xff').to_bytes(1, "big") + raw[at + 1 :]


def _insert(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + dice.randbytes(dice.randint(1, 3)) + raw[at:]


def _cut(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + raw[at + dice.randint(1, 8) :]


def _truncate(dice: random.Random, raw: bytes) -> bytes:
    return raw[: dice.randrange(len(raw))]


def _double(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + raw[at : at + dice.randint(1, 20)] + raw[at:]


def _lengthen(dice: random.Random, raw: bytes) -> bytes:
    return raw + dice.choice((b" ", b"&x=1", b"\n", b"0")) * dice.choice((1, LONG))


BODY: Final[dict[str, Operator]] = {
    "flip a bit": _on_bytes(_flip),
    "overwrite a byte": _on_bytes(_overwrite),
    "insert bytes": _on_bytes(_insert),
    "cut bytes": _on_bytes(_cut),
    "truncate": _on_bytes(_truncate),
    "double a slice": _on_bytes(_double),
    "lengthen": _on_bytes(_lengthen),
}
