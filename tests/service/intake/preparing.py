"""A database with notices and merchants, prepared once and copied for each example."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import create_engine
from tests.databases import Database, Databases
from tests.traffic import Orders


class Template:
    """A prepared database that copies are made of."""

    def __init__(self, databases: Databases, database: Database, orders: Orders) -> None:
        self.databases = databases
        self.database = database
        self.orders = orders

    def copy(self) -> AbstractContextManager[Database]:
        """Give a copy; only outside a running event loop."""
        return self.databases.clone(self.database.name)


@asynccontextmanager
async def pool(database: Database) -> AsyncIterator[AsyncEngine]:
    """Give the app role's pool on a database."""
    engine = create_engine(database.app_url, pool_size=6)
    try:
        yield engine
    finally:
        await engine.dispose()
