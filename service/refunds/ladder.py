"""When a refund without a final answer is asked about again: data, and one function."""

from datetime import timedelta
from typing import Final

MINUTES: Final = (1, 5, 15, 60)
HOURLY_UNTIL: Final = 27
"""Asks: after the first four, hourly until a day is over."""
DAILY_UNTIL: Final = 41
"""Asks: then daily for two weeks, for banks take that long."""
AGAIN_AFTER: Final = timedelta(minutes=1)
"""Before a provider that never heard of a refund is asked or told once more."""
SENDS_MAX: Final = 5
"""How often one request id is sent: each time only after the provider said twice that it never
heard of it."""


def wait_before(ask: int) -> timedelta | None:
    """How long to wait before the `ask`-th question (0 is the first); None: leave it to people."""
    if ask < len(MINUTES):
        return timedelta(minutes=MINUTES[ask])
    if ask < HOURLY_UNTIL:
        return timedelta(hours=1)
    return timedelta(days=1) if ask < DAILY_UNTIL else None
