"""When a provider is asked about a payment request that stays silent.

Data: an adapter may carry a `ladder` of its own, times after the opening in rising order.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from providers.catalog import CATALOG

LADDER: Final[tuple[timedelta, ...]] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    *(timedelta(hours=hour) for hour in range(1, 25)),
)
"""Most payments are made within minutes, and a callback that is lost is missed by the citizen at
the counter; the rest of a day covers a provider that is away."""

AFTER_EXPIRY: Final = timedelta(minutes=1)
"""One rung more, when nobody can pay any longer: ZaloPay tells no failure at all and asks to be
questioned after the expiry, MoMo may deliver but once."""

CASE_DUE_AFTER: Final = timedelta(days=1)
"""How long the owner of a case of no answer has."""
CASE_OWNER: Final = "maker"
"""The role whose list it is on; it looks into the provider's portal and settles the case."""


def rungs(provider: str, opened_at: datetime, expires_at: datetime | None) -> list[datetime]:
    """All instants at which a question is due, in order; the last one ends the ladder."""
    ladder: Sequence[timedelta] = getattr(CATALOG.get(provider), "ladder", LADDER)
    found = {opened_at + wait for wait in ladder}
    if expires_at is not None:
        found.add(expires_at + AFTER_EXPIRY)
    return sorted(found)


def next_rung(
    provider: str, opened_at: datetime, expires_at: datetime | None, now: datetime
) -> datetime | None:
    """The first rung after `now`: those missed while nobody asked are not made up for.

    None where the ladder has ended.
    """
    following = (at for at in rungs(provider, opened_at, expires_at) if at > now)
    return next(following, None)
