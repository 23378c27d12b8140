"""What every test may ask for: a clean database of its own, and two books in it.

`fresh_database` is a clone of the migrated template, made for one test (about 50 ms). `engine` is
the app role's pool on it. `worker_database` is one clone per worker, for what leaves nothing
behind.
"""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import create_engine, transaction
from service.dev.postgres import Server
from tests.databases import RUN_VARIABLE, Database, Databases, Run

RUN = pytest.StashKey[Run]()
BOOKS_OPENED_AT: Final = datetime(2026, 11, 2, 1, tzinfo=UTC)

hypothesis_settings.register_profile(
    "house",
    deadline=None,  # two workers share two cores: time says nothing
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Open the run in the process that leads it; nothing is started yet."""
    if not hasattr(config, "workerinput"):
        for name in [n for n in os.environ if n.startswith(("DOISOAT_", "PG"))]:
            del os.environ[name]
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop("MIGRATION_DATABASE_URL", None)
        os.environ.pop(RUN_VARIABLE, None)
        config.stash[RUN] = Run.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run started."""
    if RUN in config.stash:
        config.stash[RUN].end()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put logging back as it was before a test, or a command that it ran, set it up."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Start or join the run's PostgreSQL server."""
    with Run.join().server() as started:
        yield started


@pytest.fixture(scope="session")
def databases(server: Server) -> Iterator[Databases]:
    """Give the maker of clones; migrates the template once per run."""
    made = Databases(Run.join(), server)
    yield made
    made.close()


@pytest.fixture(scope="session")
def worker_database(databases: Databases) -> Iterator[Database]:
    """Give one clone for all tests of a worker that leave nothing behind."""
    with databases.clone() as database:
        yield database


@pytest.fixture
def fresh_database(databases: Databases) -> Iterator[Database]:
    """Give a clean migrated database to one test."""
    with databases.clone() as database:
        yield database


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[Database]:
    """Give a database to which nothing was done yet."""
    with databases.clone("template0") as database:
        yield database


@pytest.fixture
def database_url(fresh_database: Database) -> str:
    """Give the app role's address of the test's own database."""
    return fresh_database.app_url


@pytest.fixture
def owner_url(fresh_database: Database) -> str:
    """Give the owner role's address of the test's own database."""
    return fresh_database.owner_url


@pytest.fixture
async def engine(database_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    """Give the app role's pool on the test's own database."""
    pool = create_engine(database_url)
    yield pool
    await pool.dispose()


@pytest.fixture
async def owner_engine(owner_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    """Give the owner's pool on the test's own database, to break what the app role cannot."""
    pool = create_engine(owner_url, pool_size=2)
    yield pool
    await pool.dispose()


@pytest.fixture
async def two_books(engine: AsyncEngine) -> tuple[int, int]:
    """Open two books with their charts in the test's own database, and give their ids."""
    from ledger.accounts import Book, open_book  # noqa: PLC0415 (not every test needs the ledger)

    books = (
        Book(book_id=1, code="01", name="Sở Tư pháp", agency_code="H57.23"),
        Book(book_id=2, code="02", name="UBND phường Thuận Hóa", agency_code="H57.31.15"),
    )
    async with transaction(engine) as connection:
        for book in books:
            await open_book(connection, book, BOOKS_OPENED_AT)
    return 1, 2
