"""Send a signed request to a provider: with a time limit, a size limit, and no surprises.

Knows no dialect: what a reply means is read by the adapter. Nothing of a request or reply is
logged but where it went and how it ended.
"""

from typing import Final, Self

import httpx2
import msgspec
import structlog

from providers import SignedRequest

CONNECT_TIMEOUT_S: Final = 5.0
TIMEOUT_S: Final = 30.0
"""MoMo asks for at least this."""
CONNECTIONS_MAX: Final = 20
REPLY_BYTES_MAX: Final = 4_000_000
"""A page of SePay's list has 5,000 rows."""

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


class Outbound:
    """One connection pool to all providers of a process; `async with Outbound() as outbound`."""

    def __init__(self) -> None:
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
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

    async def send(self, provider: str, request: SignedRequest) -> Reply:
        """The provider's reply, whatever its status. Raises Unreachable (also CircuitOpen)."""
        try:
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
                    if size > REPLY_BYTES_MAX:
                        raise Unreachable("an endless reply")
                    parts.append(part)
                return Reply(status=response.status_code, body=b"".join(parts))
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            log.warning("outbound.unsent", provider=provider, error=type(error).__name__)
            raise Unreachable(type(error).__name__, unsent=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            log.warning("outbound.no_reply", provider=provider, error=type(error).__name__)
            raise Unreachable(type(error).__name__) from None
