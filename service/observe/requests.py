"""One canonical line and one measurement for every request, whatever became of it.

Wraps the whole application, so that requests for which there is no route are seen too. The path is
the route's template and the query string is never looked at: providers put money and names there.
"""

import re
import time
from typing import Final, cast

import structlog
from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from uuid_utils import uuid7

from service.observe import metrics

REQUEST_ID_HEADER: Final = "X-Request-Id"
REQUEST_ID_LOWER: Final = REQUEST_ID_HEADER.lower().encode()
"""As a server hands it on: names of headers are in lower case."""
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
NO_ROUTE: Final = "none"
NO_ANSWER: Final = 499
"""The status of a caller that went away before the answer."""
QUIET_ROUTES: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Machines ask these every few seconds: logged at level debug, measured like all."""
SERVER_ERROR: Final = 500
TOLD_OTHERWISE: Final = "doisoat_told_otherwise"
"""Key of a scope: see `tell_otherwise`."""

log = structlog.get_logger(__name__)


def observe(app: Litestar) -> None:
    """Put the observer around `app`; once, where the application is made."""
    app.asgi_handler = RequestObserver(app.asgi_handler)


class RequestObserver:
    """ASGI middleware; what runs inside may add to the line with structlog's bind_contextvars."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP requests are told of."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = NO_ANSWER
        request_id = _request_id(scope)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_on)
        finally:
            _tell(scope, status, time.perf_counter() - started)
            structlog.contextvars.clear_contextvars()


def tell_otherwise(scope: Scope) -> None:
    """Log this request at level debug only: somebody else tells what came of very many like it."""
    cast("dict[str, object]", scope)[TOLD_OTHERWISE] = True


def _request_id(scope: Scope) -> str:
    """Take the caller's id where it is a plain one, else make one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_LOWER:
            given = value.decode("latin-1")
            return given if REQUEST_ID.fullmatch(given) else str(uuid7())
    return str(uuid7())


def _tell(scope: HTTPScope, status: int, seconds: float) -> None:
    route = str(scope.get("path_template") or NO_ROUTE)
    metrics.request_done(scope["method"], route, status, seconds)
    quiet = route in QUIET_ROUTES or TOLD_OTHERWISE in scope
    write = log.debug if quiet else log.info
    if status >= SERVER_ERROR:
        write = log.error
    actor = getattr(scope.get("user"), "actor", None)
    write(
        "request",
        method=scope["method"],
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 2),
        **({"actor": actor} if isinstance(actor, str) else {}),
    )
