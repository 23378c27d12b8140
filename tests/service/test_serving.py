"""The real server process: it serves, refuses an owner's login, and stops losing nobody."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.settings import Settings, as_environment
from tests.databases import Database
from tests.service.conftest import Province
from tests.service.notices import notice, recorded

pytestmark = pytest.mark.anyio

UP_WITHIN_S = 60.0
OWN_OBJECTS_MIN = 50_000
"""Modules, routes and tables alone are more."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def environment(settings: Settings, port: int) -> dict[str, str]:
    """What the process reads."""
    return os.environ | as_environment(settings) | {"DOISOAT_PORT": str(port)}


async def up(client: httpx2.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    async with asyncio.timeout(UP_WITHIN_S):
        while True:
            assert process.poll() is None, "the server ended"
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.1)


@pytest.fixture
async def served(
    settings: Settings, province: Province, tmp_path: Path
) -> AsyncIterator[tuple[httpx2.AsyncClient, subprocess.Popen[bytes]]]:
    """Run `doisoat serve` over the test's own database."""
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 # returns at once
            [sys.executable, "-m", "service", "serve"],
            env=environment(settings, port),
            stdout=log,
            stderr=log,
        )
    headers = {"Authorization": f"Bearer {province.key}"}
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60
        ) as client:
            await up(client, process)
            yield client, process
    finally:
        process.kill()
        process.wait()


async def test_a_stop_finishes_the_call_that_is_under_way(
    served: tuple[httpx2.AsyncClient, subprocess.Popen[bytes]], engine: AsyncEngine
) -> None:
    """A call that waits for a lock when SIGTERM comes is still answered, and the end is clean."""
    client, process = served
    made = await recorded(client)
    path = f"/v1/fee-notices/{made['id']}/cancellation"
    async with engine.connect() as connection:
        await connection.execute(sa.text("select from service.notice_state for update"))
        call = asyncio.create_task(client.post(path, json={"reason": "rút hồ sơ"}))
        waiting = sa.text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
        async with asyncio.timeout(UP_WITHIN_S), engine.connect() as watching:
            while not await watching.scalar(waiting):
                await watching.rollback()
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert process.poll() is None
        await connection.rollback()
    answer = await call
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert await asyncio.to_thread(process.wait, UP_WITHIN_S) == 0


async def test_two_hundred_racing_calls_over_sockets_make_one_notice(
    served: tuple[httpx2.AsyncClient, subprocess.Popen[bytes]], engine: AsyncEngine
) -> None:
    """Invariant 11 over a real server: one notice, one answer."""
    client, _ = served
    headers = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(
        *(client.post("/v1/fee-notices", json=notice(), headers=headers) for _ in range(200))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("select count(*) from service.notice")) == 1


def test_a_login_that_owns_the_facts_is_refused(
    settings: Settings, fresh_database: Database
) -> None:
    """`serve` does not start with the owner's login."""
    given = environment(settings, free_port()) | {"DATABASE_URL": fresh_database.owner_url}
    ended = subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        env=given,
        capture_output=True,
        timeout=UP_WITHIN_S,
        check=False,
    )
    assert ended.returncode != 0
    assert b"doisoat_owner" in ended.stderr
    assert b"Traceback" not in ended.stderr


async def test_no_worker_outlives_its_server(
    served: tuple[httpx2.AsyncClient, subprocess.Popen[bytes]],
) -> None:
    """A server killed with SIGKILL takes its workers along: the port is free again."""
    client, process = served
    process.kill()
    process.wait()
    async with asyncio.timeout(UP_WITHIN_S):
        while True:
            try:
                await client.get("/health/live")
            except httpx2.TransportError:
                return
            await asyncio.sleep(0.05)


def test_what_lives_as_long_as_the_process_is_not_looked_through(settings: Settings) -> None:
    """Once it has started, a serving process keeps its own objects from the garbage collector."""
    program = (
        "import gc, service.serving\n"
        "application = service.serving.make()\n"
        "for start in application.on_startup: start()\n"
        "print(gc.get_freeze_count())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(settings, 1),
        capture_output=True,
        check=True,
        timeout=UP_WITHIN_S,
    )
    assert int(told.stdout) > OWN_OBJECTS_MIN
