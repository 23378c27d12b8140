"""How Alembic reaches the database: on the connection it is given, or by MIGRATION_DATABASE_URL.

The second way serves `alembic revision` and `alembic history` at a developer's desk; everything
else goes through service.migrations.run.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection

from service import settings
from service.migrations import run


def run_on(connection: Connection) -> None:
    """Run what was asked for, all of it in one transaction."""
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        run.prepare(connection)
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run_on(given)
else:
    asyncio.run(run.with_connection(settings.load().migration_database_url, run_on))
