"""What every operator is: one change to a valid call, made with dice."""

import random
from collections.abc import Callable
from typing import Final

import msgspec

from providers import Call

NUMBERS: Final = (
    "0",
    "-1",
    "1e5",
    "50000.0",
    "050000",
    "+1",
    "NaN",
    "99999999999999999999",
    "５００",
)
"""Numbers that readers disagree about."""

Operator = Callable[[random.Random, Call, Call], Call | None]
"""Dice, a call and another valid call of the same provider -> the changed call; None where it has
nothing to change. Equal dice give equal changes."""


def changed(call: Call, **changes: object) -> Call:
    """The call with other parts."""
    return msgspec.structs.replace(call, **changes)


def some_part(dice: random.Random, call: Call) -> str | None:
    """Which of body and query is to be changed; None where both are empty."""
    parts = [name for name in ("raw_query", "body") if getattr(call, name)]
    return dice.choice(parts) if parts else None


def is_form(call: Call, part: str) -> bool:
    """Whether a part is made of parameters."""
    raw: bytes = getattr(call, part)
    return b"=" in raw and not raw.startswith((b"{", b"["))
