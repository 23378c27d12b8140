"""Which words of a provider end the asking."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from providers import Claim

UNSETTLED: Final = frozenset({"pending", "authorized", "held", "refund_processing", "ignored"})
"""After these something more is to be expected of the order."""
FAILING: Final = frozenset({"failed", "cancelled", "expired"})
"""While an order can be paid, a second try may follow these, under the same number."""
DONE: Final = frozenset({"paid", "refunded", "refund_failed", "credit", "debit", "reversed"})
"""After these the provider has told what became of the money."""
SILENT: Final = frozenset({"pending", "ignored"})
"""These tell nothing that a payment request does not say of itself: an answer of nothing else is
no event, only a reason to ask again."""
UNKNOWN_ORDER: Final = "unknown_order"
HELD: Final = "held"

Meaning: TypeAlias = Literal["done", "failing", "unsettled", "unknown"]


def meaning(statuses: Iterable[str]) -> Meaning:
    """What the words of one answer, or of all events of an order, say together."""
    said = set(statuses)
    if said & UNSETTLED:
        return "unsettled"
    if said & DONE:
        return "done"
    return "failing" if said else "unknown"


def summary(claims: Sequence[Claim]) -> str:
    """The answer in one word, or several with commas."""
    return ",".join(sorted({claim.status for claim in claims})) or UNKNOWN_ORDER
