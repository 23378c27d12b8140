"""The pool, its timeouts, and who may use it."""

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import OwnerLogin, create_engine, plain, refuse_owner, snapshot, transaction
from tests.databases import Database

pytestmark = pytest.mark.anyio

COUNT_KEYS = sa.text("select count(*) from service.data_key")
ADD_KEY = sa.text("""
    insert into service.data_key (book_id, month, wrapped, created_at)
    values (:book_id, '2026-11-01', '\\x00', now())
""")


async def test_the_app_role_may_serve(engine: AsyncEngine) -> None:
    """The app role owns nothing and is let in."""
    async with engine.connect() as connection:
        await refuse_owner(connection)


@pytest.mark.parametrize("role", ["owner_url", "superuser_url"])
async def test_an_owner_may_not_serve(fresh_database: Database, role: str) -> None:
    """A login that could change facts is refused, by name."""
    pool = create_engine(getattr(fresh_database, role))
    async with pool.connect() as connection:
        with pytest.raises(OwnerLogin, match="doisoat_app"):
            await refuse_owner(connection)
    await pool.dispose()


async def test_a_failed_transaction_leaves_nothing(engine: AsyncEngine) -> None:
    """What was written before an error is gone after it."""

    async def write_and_fail() -> None:
        async with transaction(engine) as connection:
            await connection.execute(ADD_KEY, {"book_id": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    async with transaction(engine) as connection:
        assert await connection.scalar(COUNT_KEYS) == 0


async def test_a_snapshot_sees_one_moment_and_writes_nothing(engine: AsyncEngine) -> None:
    """What others commit during a snapshot is not seen in it, and writing in it is refused."""
    async with snapshot(engine) as reader:
        assert await reader.scalar(COUNT_KEYS) == 0
        async with transaction(engine) as connection:
            await connection.execute(ADD_KEY, {"book_id": 1})
        assert await reader.scalar(COUNT_KEYS) == 0
        with pytest.raises(sa.exc.DBAPIError, match="read-only"):
            await reader.execute(ADD_KEY, {"book_id": 2})
    async with transaction(engine) as connection:
        assert await connection.scalar(COUNT_KEYS) == 1
        await connection.execute(ADD_KEY, {"book_id": 2})


async def test_a_statement_that_takes_too_long_is_ended(database_url: str) -> None:
    """The server itself ends a statement after the timeout."""
    pool = create_engine(database_url, statement_timeout_s=0.05)
    async with pool.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError, match="statement timeout"):
            await connection.execute(sa.text("select pg_sleep(60)"))
    await pool.dispose()


async def test_a_connection_the_server_closed_is_replaced(
    engine: AsyncEngine, fresh_database: Database
) -> None:
    """After the server dropped every connection, the next caller gets a working one."""
    async with transaction(engine) as connection:
        await connection.execute(COUNT_KEYS)
    superuser = await asyncpg.connect(fresh_database.superuser_url)
    await superuser.execute("""
        select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where datname = current_database() and usename = 'doisoat_app'
    """)
    await superuser.close()
    async with transaction(engine) as connection:
        assert await connection.scalar(COUNT_KEYS) == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://a:b@h/d", "postgresql://a:b@h/d"),
        ("postgresql+asyncpg://a@/d?host=/x", "postgresql://a@/d?host=/x"),
        ("postgresql://h/d?sslmode=require", "postgresql://h/d?sslmode=require"),
    ],
)
def test_every_spelling_of_an_address_is_understood(given: str, expected: str) -> None:
    """Platforms spell the scheme in three ways."""
    assert plain(given) == expected


def test_another_database_is_refused() -> None:
    """PostgreSQL only (DESIGN choice 1)."""
    with pytest.raises(ValueError, match="postgresql"):
        plain("mysql://h/d")
