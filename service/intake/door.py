"""The short way in for callbacks: the same work as `routes.receive` without the router around it.

At full load the router, its guards and its response objects cost more than reading, signing and
queueing a call. Whatever is not plainly a call of a known merchant goes on to the application,
which refuses it in the usual words; of very many calls to addresses of nobody, one at a time.
"""

from typing import Final

from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.status_codes import HTTP_204_NO_CONTENT
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from sqlalchemy.exc import SQLAlchemyError

from providers import Answer
from providers.catalog import CATALOG
from service.intake.intake import Intake
from service.intake.routes import CALL_BODY_BYTES_MAX, call_of
from service.merchants import Merchant
from service.observe.requests import tell_otherwise

PREFIX: Final = "/callbacks/"
SEGMENTS: Final = 4
DIGITS_MAX: Final = 10
TEMPLATE: Final = "/callbacks/{provider}/{merchant}"
"""What logs and figures call the route, here as in the router."""
CROWDED: Final = Answer(status=503, media_type="text/plain", body=b"")
"""For callers of addresses that are nobody's, where too many of them wait already."""


class CallbackDoor:
    """ASGI middleware that answers the calls of known merchants itself."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        """Wrap `app`; `state` holds the intake while the application lives."""
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a call, or pass it on untouched."""
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        intake: Intake | None = self._state.get("intake")
        merchant = await _known(scope, intake) if intake else None
        if intake is not None and merchant is None:
            stranger = await intake.stranger()
            if stranger.of_flood:
                tell_otherwise(scope)
            if not stranger.has_turn:
                await _send(send, CROWDED)
                return
        if intake is None or merchant is None or not _is_short(scope):
            await self._app(scope, receive, send)
            return
        body = await _body(receive) if scope["method"] == "POST" else b""
        if body is None:
            return  # the caller went away before it had said everything
        scope["path_template"] = TEMPLATE
        taken = await intake.take(merchant, call_of(scope, body))
        if taken.of_flood:
            tell_otherwise(scope)
        await _send(send, taken.answer)


def _is_short(scope: HTTPScope) -> bool:
    """Whether the body is known to be none, or within the limit."""
    if scope["method"] == "GET":
        return True
    if scope["method"] != "POST":
        return False
    for name, value in scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and len(value) < DIGITS_MAX and int(value) <= CALL_BODY_BYTES_MAX
    return False


async def _known(scope: HTTPScope, intake: Intake) -> Merchant | None:
    segments = scope["path"].split("/")
    if len(segments) != SEGMENTS or segments[2] not in CATALOG:
        return None
    try:
        return await intake.directory.merchant(segments[2], segments[3])
    except (SQLAlchemyError, OSError):  # the application says so in the provider's words
        return None


async def _body(receive: Receive) -> bytes | None:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.media_type.encode("latin-1")),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.status == HTTP_204_NO_CONTENT:
        headers = []  # RFC 9110, 8.6: such an answer must not even say that its body is empty
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": headers},
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
