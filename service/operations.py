"""What operators' machines ask: is it alive, is it ready, and the figures."""

from typing import Final, Literal

import msgspec
from litestar import Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from service.access import ANYONE
from service.errors import Busy, NotFound
from service.observe import health, metrics
from service.observe.health import Health
from service.problems import refusals

TAGS: Final = ["operations"]
NO_STORE: Final = {"Cache-Control": "no-store"}


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


@get(
    "/health/live",
    operation_id="readLiveness",
    summary="Is the process alive",
    tags=TAGS,
    opt=ANYONE,
)
async def live() -> Alive:
    """Say that the process answers."""
    return Alive()


@get(
    "/health/ready",
    operation_id="readReadiness",
    summary="Is the service ready: database and schema",
    tags=TAGS,
    opt=ANYONE,
    responses=refusals(Busy),
)
async def ready(state: State) -> Response[Health]:
    """Say whether calls will be served; otherwise 503 with the reason."""
    found = await health.ready(state.engine, state.revision)
    if not found.ready:
        raise Busy(found.database)
    return Response(found, headers=NO_STORE)


@get("/metrics", opt=ANYONE, include_in_schema=False, media_type=metrics.CONTENT_TYPE)
async def read_metrics(state: State) -> Response[bytes]:
    """All figures for Prometheus; an operator may switch them off."""
    if not state.settings.metrics:
        raise NotFound
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE, headers=NO_STORE)


ROUTES: Final[list[HTTPRouteHandler]] = [live, ready, read_metrics]
