"""Run the service as a process of its own over a test database, and talk to it as others do."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx2
import msgspec

from providers import Call, Secret, Terms
from providers.sepay import API_KEY
from service.settings import Secret as SecretText
from service.settings import Settings, as_environment
from tests.databases import Database
from tests.traffic import FEED, GATEWAY, MASTER_KEY

UP_WITHIN_S: Final = 60.0
ROOT: Final = Path(__file__).parents[2]
FORKING: Final = Path(__file__).with_name("forking_server.py")
SERVE: Final = ("-m", "service", "serve")

GATEWAY_TERMS: Final = Terms(merchant=GATEWAY[1], secrets=(Secret("s3cret-" + GATEWAY[1]),))
FEED_TERMS: Final = Terms(merchant=FEED[1], secrets=(Secret("s3cret-" + FEED[1]),), mode=API_KEY)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider was answered."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        """VNPAY's word."""
        return str(msgspec.json.decode(self.body)["RspCode"])


def settings_over(database: Database) -> Settings:
    """Settings of a service over a test database."""
    key = base64.b64encode(MASTER_KEY).decode()
    return Settings(
        database_url=SecretText(database.app_url),
        master_key=SecretText(key),
        ask_providers=False,  # the real ones shall not be asked
        pull_feeds=False,
    )


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Process:
    """A Python process in a session of its own, so that all of it can be killed at once."""

    def __init__(self, arguments: Sequence[str], settings: Settings, port: int, log: Path) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        environment = os.environ | as_environment(settings)
        environment |= {"DOISOAT_PORT": str(port), "PYTHONPATH": str(ROOT)}
        with log.open("ab") as written:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=written,
                start_new_session=True,
            )

    def ask(self, line: str) -> str:
        """Write a line to the process and read one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self._process.stdout.readline().decode().strip()

    def __enter__(self) -> Self:
        """Run until the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill what is left."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def wait_until_up(base_url: str) -> None:
    """Wait until the service is ready."""
    until = time.monotonic() + UP_WITHIN_S
    with httpx2.Client(base_url=base_url, timeout=5) as client:
        while time.monotonic() < until:
            try:
                if client.get("/health/ready").status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.02)
    raise TimeoutError(f"{base_url} is not up after {UP_WITHIN_S} s")


async def deliver(client: httpx2.AsyncClient, call: Call) -> Told:
    """Send a call to the address it was signed for."""
    query = f"?{call.raw_query.decode()}" if call.raw_query else ""
    answer = await client.request(
        call.method, call.path + query, content=call.body, headers=list(call.headers)
    )
    return Told(status=answer.status_code, body=answer.content)
