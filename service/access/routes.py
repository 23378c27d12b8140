"""Staff sign-in and sign-out."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import Request, delete, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from service.access import staff
from service.access.guard import ANYONE, allow
from service.access.principals import Principal
from service.access.staff import PASSWORD_LENGTH_MAX, Session
from service.access.tokens import bearer
from service.errors import (
    Busy,
    Forbidden,
    InvalidRequest,
    MalformedRequest,
    SignInRefused,
    TooLarge,
    Unauthenticated,
)
from service.problems import refusals
from service.strict_json import StrictJSON

TAGS: Final = ["access"]


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants to sign in."""

    username: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9._-]{2,64}$")]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=PASSWORD_LENGTH_MAX)]


@post(
    "/v1/sessions",
    operation_id="signIn",
    summary="Sign in",
    description="Gives a bearer token for a person. It ends after eight hours, or by signing out.",
    tags=TAGS,
    opt=ANYONE,
    dto=StrictJSON[Credentials],
    return_dto=None,
    responses=refusals(MalformedRequest, SignInRefused, TooLarge, InvalidRequest, Busy),
)
async def sign_in(data: JSONBody[Credentials], state: State) -> Session:
    """Open a session for a person."""
    session: Session = await state.sign_in(
        state.engine, data.username, data.password, datetime.now(UTC)
    )
    return session


@delete(
    "/v1/sessions",
    operation_id="signOut",
    summary="Sign out",
    description="Ends the session whose token the call carries.",
    tags=TAGS,
    opt=allow("session:own"),
    responses=refusals(Unauthenticated, Forbidden, Busy),
)
async def sign_out(request: Request[Principal, object, State], state: State) -> None:
    """End the caller's session."""
    token = bearer(request.headers.get("authorization", ""))
    if token is None:
        raise Unauthenticated
    state.doorkeeper.forget(token)
    async with state.engine.begin() as connection:
        await staff.end(connection, token, datetime.now(UTC))


ROUTES: Final[list[HTTPRouteHandler]] = [sign_in, sign_out]
