"""What may go wrong between a provider and us, and how often: changeable while it runs."""

import random
from typing import Annotated, Final

import msgspec

from providers.contract import Secret, Terms

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

DELAY_MAX_S: Final = 120.0
"""The longest that a late callback waits, before `speed` divides it."""
HELD_BACK_MAX_S: Final = 2.0
"""The longest that a call waits to be overtaken where no other one comes; real seconds."""
OVERTAKEN_BY_MAX: Final = 4
COPIES_MAX: Final = 3
"""Further copies of a call that comes more than once."""
FALSE_SECRETS: Final = ("00112233445566778899AABBCCDDEEFF", "ffffffffffffffffffffffffffffffff")
"""Keys of somebody who does not know the merchant's: hexadecimal, so that every dialect signs."""


class Knobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of all callbacks suffer something; each between 0 and 1."""

    loss: Share = 0.0
    """Never sent, as if the network had swallowed them and the provider had been content."""
    delay: Share = 0.0
    """Sent late, by up to DELAY_MAX_S."""
    duplication: Share = 0.0
    """Sent again although they were answered "done"."""
    reordering: Share = 0.0
    """Held back until others have overtaken them."""
    forgery: Share = 0.0
    """Accompanied by a call that is signed with a false key and tells another amount."""


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one callback."""

    lost: bool
    forged: bool
    late_s: float
    copies: int
    overtaken_by: int
    """Calls that go first; 0: it is not held back."""


def cast(dice: random.Random, knobs: Knobs) -> Fate:
    """The fate of the next callback; equal dice and knobs give equal fates."""
    lost, late, again, back, forged = (dice.random() for _ in range(5))
    return Fate(
        lost=lost < knobs.loss,
        forged=forged < knobs.forgery,
        late_s=dice.uniform(0, DELAY_MAX_S) if late < knobs.delay else 0.0,
        copies=dice.randint(1, COPIES_MAX) if again < knobs.duplication else 0,
        overtaken_by=dice.randint(1, OVERTAKEN_BY_MAX) if back < knobs.reordering else 0,
    )


def false_terms(terms: Terms) -> Terms:
    """Terms of somebody who does not know the merchant's secret."""
    false = next(text for text in FALSE_SECRETS if text not in terms.secrets)
    return msgspec.structs.replace(terms, secrets=(Secret(false),))
