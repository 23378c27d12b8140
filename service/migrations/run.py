"""Bring a database to a revision of the schema, by the owner's login.

All steps of one run are one transaction; two runs at once wait for each other; no step waits for a
lock longer than LOCK_TIMEOUT, so that a migration never queues the whole service behind itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final, cast

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.util import await_only

from service.database import create_engine

FOLDER: Final = Path(__file__).parent
LOCK_TIMEOUT: Final = "5s"
STATEMENT_TIMEOUT_S: Final = 3600
ADVISORY_LOCK: Final = 0x646F69736F6174
"""The letters "doisoat": one migration at a time in a database."""
ROLES: Final = ("doisoat_owner", "doisoat_app", "doisoat_keeper")

WAIT: Final = sa.text("select pg_advisory_xact_lock(:number)")
LIMIT: Final = sa.text("select set_config('lock_timeout', :timeout, true)")
MISSING_ROLES: Final = sa.text("""
    select wanted.name from unnest(cast(:roles as text[])) as wanted (name)
    where not exists (select from pg_roles where rolname = wanted.name)
    order by wanted.name
""")


class MissingRoles(Exception):
    """The database server lacks roles that the schema grants to."""

    for_people: ClassVar[bool] = True
    """The command line prints the message alone."""


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` (the owner's login) up to `revision`.

    Raises MissingRoles where an operator has not made the three roles yet.
    """
    await with_connection(url, lambda given: command.upgrade(_config(given), revision))


async def downgrade(url: str, revision: str) -> None:
    """Take the database at `url` down to `revision`; "base" removes both schemas and all data."""
    await with_connection(url, lambda given: command.downgrade(_config(given), revision))


async def revision_of(url: str) -> str | None:
    """Give the revision the database at `url` is at, None where it was never migrated."""
    found: list[str | None] = []

    def read(connection: sa.Connection) -> None:
        found.append(MigrationContext.configure(connection).get_current_revision())

    await with_connection(url, read)
    return found[0]


def head() -> str:
    """Give the newest revision this code knows."""
    newest = ScriptDirectory(str(FOLDER)).get_current_head()
    if newest is None:
        raise LookupError("there is no migration")
    return newest


async def with_connection(url: str, work: Callable[[sa.Connection], None]) -> None:
    """Run blocking `work` on a connection of its own; what it did is committed at the end."""
    engine = create_engine(
        url,
        application_name="doisoat migrate",
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        lock_timeout_s=STATEMENT_TIMEOUT_S,
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(work)
    finally:
        await engine.dispose()


def prepare(connection: sa.Connection) -> None:
    """Check the roles, wait for other migrations, and forbid long waits for locks."""
    missing = list(connection.scalars(MISSING_ROLES, {"roles": list(ROLES)}))
    if missing:
        raise MissingRoles(
            f"The database server has no role {', '.join(missing)}."
            " Create the three roles first: see the deployment guide."
        )
    connection.execute(WAIT, {"number": ADVISORY_LOCK})
    connection.execute(LIMIT, {"timeout": LOCK_TIMEOUT})


def run_script(connection: sa.Connection, path: Path) -> None:
    """Run a file of several statements inside the open transaction."""
    script = path.read_text(encoding="utf-8")
    connection.execute(sa.text("select 1"))  # opens the transaction, which the driver does lazily
    driver = cast("asyncpg.Connection[asyncpg.Record]", connection.connection.driver_connection)
    await_only(driver.execute(script))


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
