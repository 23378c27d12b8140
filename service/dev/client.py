"""Speak to a running service over HTTP, as the one-stop, as staff, and as payment providers do.

Every call has a timeout; a service that is busy or starting is asked again a few times.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Self, TypeVar

import httpx2
import msgspec

from providers import Call
from service.dev.demo_file import DemoFile, DemoProblem

TIMEOUT_S: Final = 30.0
CONNECTIONS_MAX: Final = 32
TRIES_MAX: Final = 6
PAUSE_S: Final = 0.3
TRY_AGAIN: Final = frozenset({429, 503})
SHOWN_CHARS_MAX: Final = 300

Answer = TypeVar("Answer")


class Refused(DemoProblem):
    """The service refused a call that the demo believes to be right."""

    def __init__(self, method: str, path: str, response: httpx2.Response) -> None:
        text = response.text[:SHOWN_CHARS_MAX]
        super().__init__(f"{method} {path} was answered {response.status_code}: {text}")
        self.status = response.status_code


class Client:
    """One connection pool to a service; `async with Client(demo) as client`."""

    def __init__(self, demo: DemoFile) -> None:
        """Describe; nothing is opened before it is entered."""
        self._demo = demo
        self._tokens: dict[str, str] = {}
        self._http = httpx2.AsyncClient(
            base_url=demo.base_url,
            timeout=TIMEOUT_S,
            limits=httpx2.Limits(
                max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX
            ),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def ready(self) -> bool:
        """Whether the service says that it will serve calls."""
        try:
            return (await self._http.get("/health/ready")).is_success
        except httpx2.TransportError:
            return False

    async def ask(
        self,
        method: str,
        path: str,
        kind: type[Answer],
        *,
        body: object = None,
        key: str | None = None,
        role: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the API as the one-stop, or as staff of `role`; the answer as `kind`.

        `key` is an Idempotency-Key. Raises Refused for anything but success.
        """
        headers = {"Authorization": f"Bearer {await self._token(role)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        response = await self._send(
            self._http.build_request(method, path, headers=headers, content=content, params=params)
        )
        if not response.is_success:
            raise Refused(method, path, response)
        return msgspec.json.decode(response.content, type=kind)

    async def upload(
        self, path: str, kind: type[Answer], *, fields: Mapping[str, str], file: bytes, role: str
    ) -> Answer:
        """Send a file as a form, as staff of `role`."""
        response = await self._send(
            self._http.build_request(
                "POST",
                path,
                headers={"Authorization": f"Bearer {await self._token(role)}"},
                data=dict(fields),
                files={"file": ("sao-ke.csv", file, "text/csv")},
            )
        )
        if not response.is_success:
            raise Refused("POST", path, response)
        return msgspec.json.decode(response.content, type=kind)

    async def deliver(self, call: Call) -> httpx2.Response:
        """Call back as a provider does, with exactly the bytes of `call`."""
        target = call.path + (f"?{call.raw_query.decode()}" if call.raw_query else "")
        return await self._send(
            self._http.build_request(
                call.method, target, headers=list(call.headers), content=call.body or None
            )
        )

    async def _token(self, role: str | None) -> str:
        if role is None:
            return self._demo.one_stop_api_key
        if role not in self._tokens:
            login = self._demo.login(role)
            response = await self._send(
                self._http.build_request(
                    "POST",
                    "/v1/sessions",
                    json={"username": login.username, "password": login.password},
                )
            )
            if not response.is_success:
                raise Refused("POST", "/v1/sessions", response)
            self._tokens[role] = str(response.json()["token"])
        return self._tokens[role]

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and again where the service was busy or gone; the last answer counts."""
        for attempt in range(1, TRIES_MAX + 1):
            try:
                response = await self._http.send(request)
            except httpx2.TransportError as error:
                if attempt == TRIES_MAX:
                    raise DemoProblem(f"{self._demo.base_url} does not answer: {error}") from None
            else:
                if response.status_code not in TRY_AGAIN or attempt == TRIES_MAX:
                    return response
            await asyncio.sleep(PAUSE_S * attempt)
        raise AssertionError("unreachable")
