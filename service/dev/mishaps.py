"""What goes wrong between a payer and us, as dice: repeats, forgeries, lost calls, odd amounts.

Pure: says what is sent, and sends nothing.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from providers import Call, Terms
from providers.acting import Acts, Payment
from service.dev.provider.knobs import false_terms

COPIES_MAX: Final = 3
SHORT_BY_VND: Final = 5_000
OVER_BY_VND: Final = (1_000, 5_000, 20_000)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How often, of all payments, something goes wrong; each between 0 and 1."""

    duplicates: float = 0.07
    forged: float = 0.02
    lost: float = 0.03
    late: float = 0.02
    wrong_amounts: float = 0.02
    failed_first: float = 0.01
    held: float = 0.004
    twice: float = 0.006

    @property
    def table(self) -> Mapping[str, float]:
        """Mishap -> share of payments."""
        return {
            "duplicate": self.duplicates,
            "forged_first": self.forged,
            "lost": self.lost,
            "late": self.late,
            "wrong_amount": self.wrong_amounts,
            "failed_first": self.failed_first,
            "held": self.held,
            "twice": self.twice,
        }


FEED_KNOWS: Final = frozenset(
    {"duplicate", "forged_first", "lost", "late", "wrong_amount", "twice"}
)
"""What can happen to a bank transfer; a bank feed knows no failed and no held payments."""


def cast(dice: random.Random, rates: Rates, *, feed: bool) -> str:
    """The mishap of one payment; "" for none."""
    drawn = dice.random()
    for name, share in rates.table.items():
        if drawn < share:
            return "" if feed and name not in FEED_KNOWS else name
        drawn -= share
    return ""


def other_amount(dice: random.Random, amount_vnd: int) -> int:
    """An amount that is not what is due: a little less where that is possible, or more."""
    if amount_vnd > SHORT_BY_VND * 2 and dice.random() < 0.5:  # noqa: PLR2004 # one or the other
        return amount_vnd - SHORT_BY_VND
    return amount_vnd + dice.choice(OVER_BY_VND)


def forged(terms: Terms) -> Terms:
    """Terms of somebody who does not know the secret."""
    return false_terms(terms)


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one payment: what the provider remembers, and the calls it sends."""

    payments: Sequence[Payment]
    calls: Sequence[Call]


def at_gateway(
    dice: random.Random, payment: Payment, acts: Acts, terms: Terms, mishap: str, *, now: datetime
) -> Happened:
    """Payments and calls in the order in which they happen; the clock of signatures is `now`.

    What a provider has no callback for does not happen: then all goes well.
    """
    replace = msgspec.structs.replace
    payments = [payment]
    false: Sequence[Call] = ()
    copies = 0 if mishap == "lost" else 1
    match mishap:
        case "duplicate":
            copies = dice.randint(2, COPIES_MAX + 1)
        case "forged_first":
            false = (acts.call_as_provider(payment, forged(terms), now),)
        case "wrong_amount":
            payments = [replace(payment, amount_vnd=other_amount(dice, payment.amount_vnd))]
        case "failed_first":
            failed = replace(payment, transaction=f"{payment.transaction}8", status="cancelled")
            payments = [failed, payment]
        case "held":
            payments = [replace(payment, status="held")]
        case "twice":
            payments = [payment, replace(payment, transaction=f"{payment.transaction}9")]
    try:
        calls = [acts.call_as_provider(one, terms, now) for one in payments]
    except ValueError:
        payments, calls = [payment], [acts.call_as_provider(payment, terms, now)]
    return Happened(payments=payments, calls=[*false, *calls * copies])
