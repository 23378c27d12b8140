"""One server process for the tests of a worker, over a prepared database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.access import api_keys
from service.access.principals import KEY_SCOPES
from tests.databases import Database, Databases
from tests.faults.serving import (
    SERVE,
    Process,
    free_port,
    settings_over,
    wait_until_up,
)
from tests.service.conftest import ADD_AGENCY, AGENCIES
from tests.service.intake.preparing import pool
from tests.traffic import prepare


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A service that runs: where it is, its database, and a key of the one-stop."""

    base_url: str
    database: Database
    key: str


async def furnish(database: Database) -> str:
    """Fill the database with what calls need; a key for everything a machine may do."""
    columns = ("code", "valid_from", "valid_to", "successor", "book_id")
    async with pool(database) as engine:
        await prepare(engine)
        async with engine.begin() as connection:
            for row in AGENCIES:
                await connection.execute(ADD_AGENCY, dict(zip(columns, row, strict=True)))
            _, key = await api_keys.create(
                connection,
                name="one-stop",
                books=[1, 2],
                scopes=KEY_SCOPES,
                now=datetime.now(UTC),
            )
    return key


@pytest.fixture(scope="session")
def running(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run `doisoat serve` once for all tests of a worker."""
    log: Path = tmp_path_factory.mktemp("serve") / "log"
    port = free_port()
    with databases.clone() as database:
        key = asyncio.run(furnish(database))
        with Process(SERVE, settings_over(database), port, log) as server:
            wait_until_up(server.base_url)
            yield Running(base_url=server.base_url, database=database, key=key)


@pytest.fixture
async def provider(running: Running, anyio_backend: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client without a credential: a provider, or whoever says that it is one."""
    async with httpx2.AsyncClient(base_url=running.base_url, timeout=30) as client:
        yield client


@pytest.fixture
async def one_stop(running: Running, anyio_backend: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client with the one-stop's key."""
    headers = {"Authorization": f"Bearer {running.key}"}
    async with httpx2.AsyncClient(base_url=running.base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
async def books(running: Running, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    """Give the app role's pool on the server's database, to prepare and to look."""
    async with pool(running.database) as engine:
        yield engine
