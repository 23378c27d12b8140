"""When a provider is left alone: after so many failures in a row, for a while, then one probe.

Pure but for the clock it is given; one for each address of a provider.
"""

from collections.abc import Callable
from typing import Final

FAILURES_MAX: Final = 5
"""Requests in a row without a usable reply; the next one is not sent."""
REST_S: Final = 60.0
"""How long nothing is sent then; after it one request probes, and its end decides."""


class Breaker:
    """Counts how requests ended; `clock` gives seconds that only grow."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        failures_max: int = FAILURES_MAX,
        rest_s: float = REST_S,
    ) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._rest_s = rest_s
        self._failures = 0
        self._rests_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the provider has failed too often and has not answered since."""
        return self._failures >= self._failures_max

    def admit(self) -> bool:
        """Whether one more request may be sent; every admitted one must end in a call below."""
        if not self.is_open:
            return True
        if self._probing or self._clock() < self._rests_until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """A reply came: all is well."""
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        """No usable reply came."""
        self._failures += 1
        self._probing = False
        if self.is_open:
            self._rests_until = self._clock() + self._rest_s

    def abandoned(self) -> None:
        """The request was given up by its caller: it says nothing of the provider."""
        self._probing = False
