"""What the tests of asking share."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.service.asking.making import World, world_of


@pytest.fixture
async def world(
    app: Litestar, engine: AsyncEngine, client: httpx2.AsyncClient
) -> AsyncIterator[World]:
    """Give a province with two gateways that serve HTTP."""
    async with world_of(app, engine, client, ["vnpay", "sandbox"]) as made:
        yield made
