"""Which word of a provider about a payment may follow which, as data; and what they make together.

The state of a payment is a fold over everything its provider said of it, in the order of the
provider's time. It does not depend on the order in which the messages arrived, and nothing late
or contradictory takes a payment back: a contradiction is for a person. Pure; drawn into the docs.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from providers.contract import Status

Word: TypeAlias = Literal["news", "late", "contradiction"]
"""news: the state becomes what was said. late: it says less than is known, nothing changes.
contradiction: both cannot be true, nothing changes and a person looks."""


class Edge(NamedTuple):
    """What it means that a provider says `after` of a payment whose state is `before`."""

    before: Status
    after: Status
    word: Word


_BACK: Final = "refund_processing refund_failed refunded reversed"

# State: what is news then, and what is late. Whatever is in neither contradicts it.
_GRAPH: Final[Mapping[Status, tuple[str, str]]] = MappingProxyType(
    {
        "pending": (
            f"authorized paid failed cancelled expired held {_BACK}",
            "",
        ),
        "authorized": (
            f"paid failed cancelled expired held {_BACK}",
            "pending",
        ),
        # A second try under the same number may succeed; money given back had come first.
        "failed": (
            f"authorized paid held {_BACK}",
            "pending cancelled expired",
        ),
        "cancelled": (
            f"authorized paid held {_BACK}",
            "pending failed expired",
        ),
        "expired": (
            f"authorized paid held {_BACK}",
            "pending failed cancelled",
        ),
        # Kept back at the provider: let go, or given back.
        "held": (
            f"paid failed cancelled expired {_BACK}",
            "pending authorized",
        ),
        "paid": ("refund_processing refund_failed refunded", "pending authorized"),
        "refund_processing": (
            "refund_failed refunded reversed",
            "pending authorized held paid",
        ),
        # The money is still with us; it may be asked back again.
        "refund_failed": ("refund_processing refunded", "pending authorized held paid"),
        "refunded": ("", "pending authorized held paid refund_processing reversed"),
        "reversed": ("", "pending authorized held refund_processing refunded"),
        "credit": ("", ""),
        "debit": ("", ""),
    }
)

STATES: Final = tuple(_GRAPH)
"""What a payment may be; `ignored` tells of no payment and is left out."""

_SAID: Final = frozenset(get_args(Status)) - {"ignored"}

EDGES: Final = tuple(
    Edge(
        before,
        after,
        "news" if after in news.split() else "late" if after in late.split() else "contradiction",
    )
    for before, (news, late) in _GRAPH.items()
    for after in STATES
    if after != before
)
"""Every pair of unequal words, with what it means."""

TAKEN_BACK: Final[frozenset[Status]] = frozenset(
    {"held", "reversed", "refund_processing", "refunded"}
)
"""Said after `paid`: the provider has the money again, or still."""

FINAL: Final[frozenset[Status]] = frozenset(
    {"paid", "refund_processing", "refund_failed", "refunded", "reversed"}
)
"""Once one of these was true, no later message makes the payment anything outside of them."""

_WORDS: Final = {(edge.before, edge.after): edge.word for edge in EDGES}
_PLACE: Final = {
    status: place
    for place, status in enumerate(
        (
            "pending",
            "authorized",
            "failed",
            "cancelled",
            "expired",
            "held",
            "paid",
            "refund_processing",
            "refund_failed",
            "refunded",
            "reversed",
            "credit",
            "debit",
        )
    )
}
"""In which order words of one instant are read, so that the state is the same whoever came first.
"""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a provider said of a payment, and when it says that happened."""

    status: Status
    happened_at: datetime


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """What the words of a provider make together; positions are those in the sequence given."""

    state: Status | None
    """None where nothing told of a payment."""
    contradictions: tuple[tuple[int, int], ...]
    """Positions of two words that cannot both be true: what was known, and what contradicts it."""
    order: tuple[int, ...]
    """The positions in the order of the provider's time."""


def word(before: Status, after: Status) -> Word:
    """What it means to hear `after` of a payment that is `before`; a repeat is late."""
    return "late" if before == after else _WORDS[before, after]


def fold(told: Sequence[Told]) -> Folded:
    """The state of a payment of which `told` was said, given in the order of arrival.

    The state is the same for every order of arrival. Words of one instant contradict each other
    only where they arrived so that they do: nobody can say which of them was meant first.
    """
    known = [position for position, one in enumerate(told) if one.status in _SAID]
    ordered = sorted(known, key=lambda at: told[at].happened_at)
    settled = sorted(known, key=lambda at: (told[at].happened_at, _PLACE[told[at].status]))
    return Folded(
        state=_last(told[at].status for at in settled),
        contradictions=_contradictions(told, ordered),
        order=tuple(ordered),
    )


def _last(words: Iterable[Status]) -> Status | None:
    state: Status | None = None
    for said in words:
        if state is None or word(state, said) == "news":
            state = said
    return state


def _contradictions(told: Sequence[Told], ordered: Sequence[int]) -> tuple[tuple[int, int], ...]:
    found = []
    bearer: int | None = None
    for position in ordered:
        if bearer is None:
            bearer = position
            continue
        meaning = word(told[bearer].status, told[position].status)
        if meaning == "news":
            bearer = position
        elif meaning == "contradiction":
            found.append((bearer, position))
    return tuple(found)


def taken_back(told: Sequence[Told], folded: Folded, position: int) -> bool:
    """Whether the provider says it has back, or holds, what `told[position]` says was paid."""
    place = folded.order.index(position)
    return any(told[later].status in TAKEN_BACK for later in folded.order[place + 1 :])


def overtaken(told: Sequence[Told], folded: Folded, position: int) -> bool:
    """Whether a later `paid` has let go what `told[position]` says is held."""
    place = folded.order.index(position)
    return told[position].status == "held" and any(
        told[later].status == "paid" for later in folded.order[place + 1 :]
    )


PRECEDENCE: Final[tuple[Status, ...]] = (
    "paid",
    "credit",
    "refund_processing",
    "refund_failed",
    "reversed",
    "refunded",
    "held",
    "authorized",
    "pending",
    "expired",
    "cancelled",
    "failed",
    "debit",
)
"""Of several payments for one order, which one tells how the order stands."""


def of_order(states: Iterable[Status]) -> Status | None:
    """How an order stands whose payments are in `states`; None where there are none."""
    return min(states, key=PRECEDENCE.index, default=None)
