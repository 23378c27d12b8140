"""Send a signed request to a provider: with a time limit, a size limit, and no surprises.

Knows no dialect: what a reply means is read by the adapter. Nothing of a request or reply is
logged but whom it was for and how it ended.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self
from urllib.parse import urlsplit

import httpx2
import msgspec
import stamina
import structlog

from providers import SignedRequest
from service.outbound import figures
from service.outbound.breaker import FAILURES_MAX, REST_S, Breaker

CONNECT_TIMEOUT_S: Final = 5.0
TIMEOUT_S: Final = 30.0
"""The longest silence within a reply; MoMo asks for at least this."""
WHOLE_TIMEOUT_S: Final = 60.0
"""The longest a whole reply may take, however busily it drips."""
CONNECTIONS_MAX: Final = 100
REPLY_BYTES_MAX: Final = 4_000_000
"""A page of SePay's list has 5,000 rows."""
AT_ONCE_MAX: Final = 8
"""Requests that may be under way to one address of a provider."""
SLOT_WITHIN_S: Final = 10.0
"""How long a request waits for one of them to end."""
ATTEMPTS_MAX: Final = 3
AGAIN_AFTER_S: Final = 0.3
AGAIN_AFTER_MAX_S: Final = 3.0
TOO_MANY: Final = 429
BROKEN: Final = 500

log = structlog.get_logger(__name__)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider answered."""

    status: int
    body: bytes


class Unreachable(Exception):
    """No whole reply came; whether the provider got the request is not known unless `unsent`."""

    def __init__(self, why: str, *, unsent: bool = False) -> None:
        super().__init__(why)
        self.unsent = unsent


class CircuitOpen(Unreachable):
    """The provider has failed too often lately: nothing was sent."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} is left alone for a while", unsent=True)


class Crowded(Unreachable):
    """Too many requests to the provider are under way: nothing was sent."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"too much is under way to {provider}", unsent=True)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much; tests have less patience."""

    connect_s: float = CONNECT_TIMEOUT_S
    silence_s: float = TIMEOUT_S
    whole_s: float = WHOLE_TIMEOUT_S
    reply_bytes_max: int = REPLY_BYTES_MAX
    at_once_max: int = AT_ONCE_MAX
    slot_within_s: float = SLOT_WITHIN_S
    failures_max: int = FAILURES_MAX
    rest_s: float = REST_S
    again_after_s: float = AGAIN_AFTER_S
    again_after_max_s: float = AGAIN_AFTER_MAX_S


class _Line:
    """The way to one address of a provider: its breaker and its slots."""

    def __init__(self, provider: str, limits: Limits, clock: Callable[[], float]) -> None:
        self.provider = provider
        self.breaker = Breaker(clock, failures_max=limits.failures_max, rest_s=limits.rest_s)
        self._slots = asyncio.Semaphore(limits.at_once_max)
        self._slot_within_s = limits.slot_within_s

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One of the requests that may be under way; raises Crowded or CircuitOpen."""
        try:
            async with asyncio.timeout(self._slot_within_s):
                await self._slots.acquire()
        except TimeoutError:
            raise Crowded(self.provider) from None
        try:
            if not self.breaker.admit():
                raise CircuitOpen(self.provider)
            yield
        finally:
            self._slots.release()


class Outbound:
    """One connection pool to all providers of a process; `async with Outbound() as outbound`."""

    def __init__(
        self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._lines: dict[tuple[str, str], _Line] = {}
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(self._limits.silence_s, connect=self._limits.connect_s),
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
            # Packed replies could unpack to any size before they are counted.
            headers={"Accept-Encoding": "identity", "User-Agent": "doisoat"},
            follow_redirects=False,  # a signed request is for one address
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(
        self, provider: str, request: SignedRequest, *, repeatable: bool = False
    ) -> Reply:
        """The provider's reply, whatever its status. Raises Unreachable (also CircuitOpen).

        What never left us is tried again a few times, after a short random wait. What may have
        arrived is sent again only where the caller says that it is `repeatable`: a question, or an
        order whose id makes the provider take it once.
        """
        line = self._line(provider, request.url)

        def again(error: Exception) -> bool:
            if isinstance(error, CircuitOpen | Crowded) or not isinstance(error, Unreachable):
                return False
            return error.unsent or repeatable

        async for attempt in stamina.retry_context(
            on=again,
            attempts=ATTEMPTS_MAX,
            timeout=None,
            wait_initial=self._limits.again_after_s,
            wait_max=self._limits.again_after_max_s,
            wait_jitter=self._limits.again_after_s,
        ):
            with attempt:
                async with line.slot():
                    return await self._once(line, request)
        raise AssertionError("the last attempt raises")

    def _line(self, provider: str, url: str) -> _Line:
        """One for each address: a mistyped one of one merchant leaves the others' open."""
        key = (provider, urlsplit(url).netloc)
        if key not in self._lines:
            self._lines[key] = _Line(provider, self._limits, self._clock)
        return self._lines[key]

    async def _once(self, line: _Line, request: SignedRequest) -> Reply:
        started = time.monotonic()
        ended = "abandoned"
        try:
            async with asyncio.timeout(self._limits.whole_s):
                reply = await self._exchange(request)
            ended = "refused" if _is_refusal(reply.status) else "answered"
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            ended = "unsent"
            raise Unreachable(type(error).__name__, unsent=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            ended = "no_reply"
            raise Unreachable(type(error).__name__) from None
        except Unreachable:
            ended = "no_reply"
            raise
        finally:
            _note(line, ended, time.monotonic() - started)
        return reply

    async def _exchange(self, request: SignedRequest) -> Reply:
        async with self._http.stream(
            request.method,
            request.url,
            headers=list(request.headers),
            content=request.body or None,
        ) as response:
            parts: list[bytes] = []
            size = 0
            async for part in response.aiter_bytes():
                size += len(part)
                if size > self._limits.reply_bytes_max:
                    raise Unreachable("an endless reply")
                parts.append(part)
            return Reply(status=response.status_code, body=b"".join(parts))


def jittered(seconds: float) -> float:
    """Between half of `seconds` and all of it, so that many do not come back at one moment."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it


def _is_refusal(status: int) -> bool:
    """Whether the provider's own front says that it cannot now."""
    return status >= BROKEN or status == TOO_MANY


def _note(line: _Line, ended: str, seconds: float) -> None:
    """Tell the breaker, the figures and the log how a request ended."""
    if ended == "abandoned":
        line.breaker.abandoned()
        return
    figures.SENT.labels(line.provider, ended).inc()
    figures.SECONDS.labels(line.provider).observe(seconds)
    told = {"provider": line.provider, "ended": ended, "duration_ms": round(seconds * 1000, 1)}
    if ended == "answered":
        line.breaker.succeeded()
        log.debug("outbound", **told)
        return
    was_open = line.breaker.is_open
    line.breaker.failed()
    log.warning("outbound", **told)
    if line.breaker.is_open and not was_open:
        figures.OPENED.labels(line.provider).inc()
        log.warning("outbound.circuit_open", provider=line.provider)
