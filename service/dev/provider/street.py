"""All simulated providers of a demo behind one address, each below its own name."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from service.dev.provider.serving import Plan, Running, listening, playing

NOT_FOUND: Final = 404


class Street:
    """ASGI: `/momo/v2/gateway/api/create` is `/v2/gateway/api/create` of MoMo."""

    def __init__(self, houses: Mapping[str, ASGIApp]) -> None:
        """Take the application of each provider."""
        self._houses = houses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the provider its path begins with."""
        _, name, *rest = scope["path"].split("/", 2)
        house = self._houses.get(name)
        if house is None:
            await _nobody(send)
            return
        path = f"/{rest[0] if rest else ''}"
        inside = dict(scope) | {"path": path, "raw_path": path.encode()}
        await house(cast("Any", inside), receive, send)


@contextlib.asynccontextmanager
async def street(plans: Sequence[Plan]) -> AsyncIterator[Mapping[str, Running]]:
    """Serve all `plans` on the host and port of the first one, until the end of the block.

    DemoProblem where the port is taken.
    """
    first = plans[0]
    async with contextlib.AsyncExitStack() as stack:
        made = {}
        for plan in plans:
            below = f"/{plan.provider}"
            named = msgspec.structs.replace(plan, public_url=first.base_url + below, below=below)
            made[plan.provider] = await stack.enter_async_context(playing(named))
        apps = {name: app for name, (_, app) in made.items()}
        await stack.enter_async_context(listening(Street(apps), first.port, first.host))
        yield {name: running for name, (running, _) in made.items()}


async def _nobody(send: Send) -> None:
    await send({"type": "http.response.start", "status": NOT_FOUND, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
