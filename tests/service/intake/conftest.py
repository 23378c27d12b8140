"""What the tests of intake share: one prepared database."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.databases import Database, Databases
from tests.service.intake.preparing import Template, pool
from tests.traffic import Orders, prepare


@pytest.fixture(scope="session")
def template(databases: Databases) -> Iterator[Template]:
    """Prepare notices and merchants once for all copies."""

    async def fill(database: Database) -> Orders:
        async with pool(database) as engine:
            return await prepare(engine)

    with databases.clone() as database:
        yield Template(databases, database, asyncio.run(fill(database)))
