"""The way to PostgreSQL: one pool per process, transactions, and a check of who we are.

Writes no tables and knows none by name: statements live with the room that uses them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

APPLICATION_NAME: Final = "doisoat"
CONNECT_TIMEOUT_S: Final = 10
COMMAND_TIMEOUT_MARGIN_S: Final = 15
"""The server gives up first and says why; the client only notices a dead connection."""
POOL_RECYCLE_S: Final = 3600
STATEMENT_CACHE_SIZE: Final = 500
URL_OF_DIALECT: Final = "postgresql+asyncpg://"

_APART: Final = WeakKeyDictionary[sa.Dialect, AsyncEngine]()
"""For each engine (by its dialect, which its variants share), a way round its pool."""

OWNED: Final = sa.text("""
    select (select rolsuper from pg_roles where rolname = current_user) as superuser,
           current_user as login,
           array(select format('%s.%s', n.nspname, c.relname)
                 from pg_class as c
                 join pg_namespace as n on n.oid = c.relnamespace
                 where n.nspname in ('ledger', 'service') and c.relkind in ('r', 'p')
                   and pg_has_role(current_user, c.relowner, 'member')
                 order by 1 limit 3) as owned
""")


class OwnerLogin(Exception):
    """The service's login could change what must never change."""

    for_people: ClassVar[bool] = True
    """The command line prints the message alone."""


def create_engine(
    url: str,
    *,
    pool_size: int = 10,
    pool_timeout_s: float = 10,
    statement_timeout_s: float = 60,
    lock_timeout_s: float = 10,
    application_name: str = APPLICATION_NAME,
) -> AsyncEngine:
    """Make the pool for `url`, a libpq address (`postgresql://…`, with sslmode and the like).

    No connection is opened yet; where that fails later, it is an OperationalError. Timeouts are in
    seconds and hold on the server. A connection that has died is noticed before it is given out.
    JIT is off: it costs more than short statements do.
    """
    dsn = plain(url)
    server_settings = {
        "application_name": application_name,
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": f"{round(statement_timeout_s * 1000)}",
        "lock_timeout": f"{round(lock_timeout_s * 1000)}",
        "idle_in_transaction_session_timeout": f"{round(statement_timeout_s * 2000)}",
    }

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(
                dsn,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=statement_timeout_s + COMMAND_TIMEOUT_MARGIN_S,
                statement_cache_size=STATEMENT_CACHE_SIZE,
                server_settings=server_settings,
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise sa.exc.OperationalError(None, None, error) from error

    engine = create_async_engine(
        URL_OF_DIALECT,
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        pool_recycle=POOL_RECYCLE_S,
        hide_parameters=True,  # an error must not carry personal data into a log
        json_serializer=_to_json,
        json_deserializer=msgspec.json.decode,
    )
    sa.event.listen(engine.sync_engine, "checkout", _refuse_closed)
    _APART[engine.dialect] = create_async_engine(
        URL_OF_DIALECT, async_creator=connect, poolclass=sa.NullPool
    )
    return engine


def plain(url: str) -> str:
    """Give the address as libpq and asyncpg read it, from any spelling SQLAlchemy knows."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("the database address must begin with postgresql://")
    return f"postgresql://{rest}"


@asynccontextmanager
async def transaction_apart(connection: AsyncConnection) -> AsyncIterator[AsyncConnection]:
    """Open a transaction beside the caller's, on a new connection to the same database.

    For the rare thing that must stay though the caller rolls back. It bypasses the pool: waiting
    for a second pooled connection while holding one is how a full pool stops for ever.
    """
    async with _APART[connection.dialect].begin() as beside:
        yield beside


@asynccontextmanager
async def connection_apart(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a connection beside the pool, each statement committed by itself; closed at the end.

    For a lock that is held while its holder asks the pool for connections again and again: long
    work that keeps one pooled connection and waits for another stops all who share the pool.
    """
    async with _APART[engine.dialect].connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")


def sqlstate(error: BaseException) -> str:
    """The server's code of an error, raised by the driver or wrapped by SQLAlchemy; else empty."""
    state = getattr(getattr(error, "orig", None) or error, "sqlstate", None)
    return state if isinstance(state, str) else ""


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open one transaction: committed at the end of the block, rolled back if it raises."""
    async with engine.begin() as connection:
        yield connection


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Read over one snapshot: what others commit meanwhile is not seen; nothing can be written."""
    async with engine.connect() as connection:
        await connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        async with connection.begin():
            yield connection


async def refuse_owner(connection: AsyncConnection) -> None:
    """Raise OwnerLogin where this login is superuser, or owns (or may become owner of) our tables.

    DESIGN choice 3: the service adds facts and cannot change them, not even by mistake.
    """
    row = (await connection.execute(OWNED)).one()
    if row.superuser:
        raise OwnerLogin(
            f"DATABASE_URL signs in as {row.login}, a superuser. Use the login of role doisoat_app."
        )
    if row.owned:
        raise OwnerLogin(
            f"DATABASE_URL signs in as {row.login}, which owns {', '.join(row.owned)}."
            " Use the login of role doisoat_app; the owner belongs in MIGRATION_DATABASE_URL."
        )


def _refuse_closed(
    connection: AdaptedConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Replace a connection the server has closed; the event loop noticed, so no round trip."""
    if connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
