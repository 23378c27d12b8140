"""What goes wrong between a payer and us, as dice: repeats, forgeries, lost calls, odd amounts.

Pure: says what is sent, and sends nothing.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from providers import Call, Secret, Terms
from providers.signing_as import Payment, vnpay_ipn

COPIES_MAX: Final = 3
SHORT_BY_VND: Final = 5_000
OVER_BY_VND: Final = (1_000, 5_000, 20_000)
NOT_THE_SECRET: Final = Secret("this-is-not-the-secret-of-anybody")
SUSPECTED_FRAUD: Final = "07"
GATEWAY_FAILED: Final = ("24", "02")
"""The payer turned back: response code, transaction status."""


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
    return msgspec.structs.replace(terms, secrets=[NOT_THE_SECRET])


def gateway_calls(
    dice: random.Random, payment: Payment, terms: Terms, mishap: str
) -> Sequence[Call]:
    """The IPNs about `payment`, in the order in which they are sent."""
    true = vnpay_ipn(payment, terms)
    calls = [true]
    replace = msgspec.structs.replace
    match mishap:
        case "duplicate":
            calls = [true] * dice.randint(2, COPIES_MAX + 1)
        case "forged_first":
            calls = [vnpay_ipn(payment, forged(terms)), true]
        case "lost":
            calls = []
        case "wrong_amount":
            odd = replace(payment, amount_vnd=other_amount(dice, payment.amount_vnd))
            calls = [vnpay_ipn(odd, terms)]
        case "failed_first":
            code, status = GATEWAY_FAILED
            failed = replace(
                payment, transaction="0", response_code=code, transaction_status=status
            )
            calls = [vnpay_ipn(failed, terms), true]
        case "held":
            code = SUSPECTED_FRAUD
            calls = [
                vnpay_ipn(replace(payment, response_code=code, transaction_status=code), terms)
            ]
        case "twice":
            again = replace(payment, transaction=f"{payment.transaction}9")
            calls = [true, vnpay_ipn(again, terms)]
    return calls
