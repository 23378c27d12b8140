"""The feed that the one-stop may poll."""

from typing import Annotated, Final

from litestar import Request, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from service.access import Principal, allow
from service.errors import InvalidCursor
from service.outbox import feed
from service.outbox.feed import EventPage
from service.problems import refusals
from service.web.calls import ASKED, Limit
from service.web.paging import CURSOR_LENGTH_MAX


@get(
    "/v1/events",
    operation_id="readEvents",
    summary="What changed, in order per dossier",
    description=(
        "Every change of a fee notice is exactly one event. Keep `next_after` once you have dealt"
        " with the page, and ask with it again; nothing is missed, an event may come twice."
    ),
    tags=["events"],
    opt=allow("events:read"),
    responses=refusals(*ASKED, InvalidCursor),
)
async def read_events(
    request: Request[Principal, object, State],
    state: State,
    after: Annotated[
        str | None,
        QueryParameter(
            description="`next_after` of the page before; without it, from the beginning.",
            min_length=1,
            max_length=CURSOR_LENGTH_MAX,
        ),
    ] = None,
    limit: Limit = 100,
) -> EventPage:
    """Events after a cursor."""
    async with state.engine.connect() as connection:
        return await feed.read(connection, request.user.book_list, after, limit)


ROUTES: Final[list[HTTPRouteHandler]] = [read_events]
