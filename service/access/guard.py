"""The one gate: a route without a name for what it allows is closed.

A handler says `opt=allow("notices:read")` or `opt=ANYONE`; nothing else opens it.
"""

import time
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from sqlalchemy.ext.asyncio import AsyncEngine

from service.access import api_keys, staff
from service.access.audit import Allowance, Deed, record
from service.access.principals import SCOPES, Principal, Scope
from service.access.tokens import KEY_PREFIX, bearer
from service.errors import Forbidden, Unauthenticated

CACHED_S: Final = 3.0
"""A revoked key or an ended session is refused everywhere at the latest after this many seconds."""
CACHED_MAX: Final = 2_000
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

OPT: Final = "allow"
ANYONE: Final[dict[str, object]] = {OPT: "anyone"}
"""For callbacks, health and public pages: the handler itself decides whom to believe."""

RefusedKind: TypeAlias = Literal["anonymous", "api_key", "staff"]
Connection: TypeAlias = ASGIConnection[BaseRouteHandler, object, object, State]


def allow(*scopes: Scope) -> dict[str, object]:
    """The `opt` of a handler that is open to whoever has one of `scopes`."""
    if not scopes or any(scope not in SCOPES for scope in scopes):
        message = f"no such scope: {scopes}"
        raise ValueError(message)
    return {OPT: frozenset(scopes)}


class Doorkeeper:
    """Knows who is calling, for some seconds, and opens or refuses."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Principal]] = {}
        self._allowance = Allowance()

    async def authorize(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Litestar's guard; puts the principal into the scope, or raises a refusal."""
        allowed = handler.opt.get(OPT)
        if allowed == "anyone":
            return
        engine: AsyncEngine = connection.app.state.engine
        action = f"{connection.scope.get('method', '')} {connection.scope.get('path_template', '')}"
        principal = await self.identify(engine, connection.headers.get("authorization", ""))
        if principal is None:
            await self._write_down(engine, "anonymous", "anonymous", action)
            raise Unauthenticated
        if not isinstance(allowed, frozenset) or not allowed & principal.scopes:
            await self._write_down(engine, principal.kind, principal.actor, action)
            needed = " or ".join(sorted(allowed)) if isinstance(allowed, frozenset) else ""
            raise Forbidden(f"this needs the scope {needed}" if needed else "")
        if principal.kind == "staff" and connection.scope.get("method") not in SAFE_METHODS:
            deed = Deed(
                actor_kind="staff",
                actor=principal.actor,
                action=action,
                outcome="allowed",
                subject=subject_of(connection),
            )
            async with engine.begin() as transaction:
                await record(transaction, deed, datetime.now(UTC))
        connection.scope["user"] = principal

    async def identify(self, engine: AsyncEngine, header: str) -> Principal | None:
        """Who sent this Authorization header; remembered for CACHED_S."""
        token = bearer(header)
        if token is None:
            return None
        now = time.monotonic()
        if (found := self._known.get(token)) and found[0] > now:
            return found[1]
        async with engine.connect() as connection:
            if token.startswith(KEY_PREFIX):
                principal = await api_keys.find(connection, token)
            else:
                principal = await staff.find(connection, token, datetime.now(UTC))
        if principal is None:
            self._known.pop(token, None)
            return None
        if len(self._known) >= CACHED_MAX:
            self._known.clear()
        self._known[token] = (now + CACHED_S, principal)
        return principal

    def forget(self, token: str) -> None:
        """Ask the database again at the next call with this token."""
        self._known.pop(token, None)

    def forget_all(self) -> None:
        """Begin afresh: ask the database for everybody, and write refusals down again."""
        self._known.clear()
        self._allowance = Allowance()

    async def _write_down(
        self, engine: AsyncEngine, kind: RefusedKind, actor: str, action: str
    ) -> None:
        if not self._allowance.take(actor):
            return
        deed = Deed(actor_kind=kind, actor=actor, action=action, outcome="refused")
        async with engine.begin() as connection:
            await record(connection, deed, datetime.now(UTC))


def subject_of(connection: Connection) -> str | None:
    """The id in the address, where it is one: what the deed was about."""
    for value in connection.path_params.values():
        if isinstance(value, UUID):
            return str(value)
    return None
