"""Where providers call: the exact bytes in, the provider's own answer out.

The method, the body and the answer are the provider's; nothing of the query goes to a log.
"""

from typing import Final

from litestar import HttpMethod, Request, Response, route
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody
from litestar.types import HTTPScope, Method
from sqlalchemy.exc import SQLAlchemyError

from providers import Call, Outcome
from providers.catalog import CATALOG
from service.access.guard import ANYONE
from service.access.principals import Principal
from service.errors import Busy, NotFound, TooLarge
from service.observe.requests import tell_otherwise
from service.problems import refusals

CALL_BODY_BYTES_MAX: Final = 262_144
PATH_TEMPLATE: Final = "/callbacks/{provider:str}/{merchant:str}"


def _operation_id(_: HTTPRouteHandler, method: HttpMethod | Method, __: object) -> str:
    """One name for each method: a description may not use a name twice."""
    return f"receiveCallbackBy{HttpMethod(method).value.title()}"


@route(
    PATH_TEMPLATE,
    http_method=[HttpMethod.GET, HttpMethod.POST],
    operation_id=_operation_id,
    summary="Where a payment provider calls",
    description=(
        "Method, body and answer are the provider's own: see the page of the provider. "
        "The answer is given after the call and its booking are committed."
    ),
    tags=["callbacks"],
    opt=ANYONE,
    request_max_body_size=CALL_BODY_BYTES_MAX,
    exclude_from_csrf=True,
    responses=refusals(NotFound, TooLarge, Busy),
    status_code=200,
)
async def receive(
    provider: FromPath[str],
    merchant: FromPath[str],
    body: RawBody,
    request: Request[Principal | None, object, State],
    state: State,
) -> Response[bytes]:
    """Keep what a provider tells us and answer in its own dialect; commit before the answer."""
    if provider not in CATALOG:
        raise NotFound("no such provider or merchant")
    call = call_of(request.scope, body)
    try:
        known = await state.intake.directory.merchant(provider, merchant)
    except (SQLAlchemyError, OSError):  # also TimeoutError: nothing was ever read of merchants
        answer = CATALOG[provider].answer(Outcome.TRY_AGAIN, call)
    else:
        if known is None:
            raise NotFound("no such provider or merchant")
        answer, of_flood = await state.intake.take(known, call)
        if of_flood:
            tell_otherwise(request.scope)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


def call_of(scope: HTTPScope, body: bytes) -> Call:
    """The delivery exactly as it came in."""
    return Call(
        method=scope["method"],
        path=scope["path"],
        raw_query=scope["query_string"],
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ),
        body=body,
    )


ROUTES: Final[list[HTTPRouteHandler]] = [receive]
