"""Whether this process should get traffic. `live` needs nothing; `ready` asks the database.

Knows no routes: the application mounts these under /health.
"""

import asyncio
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

TIMEOUT_S: Final = 3.0
"""Shorter than what a probe waits."""

REVISION: Final = sa.text("select version_num from public.alembic_version")

Word = Literal["ok", "unreachable", "not-migrated"]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe is told: no names, no addresses."""

    ready: bool
    database: Word


async def ready(engine: AsyncEngine, revision: str) -> Health:
    """Tell whether the database answers in TIMEOUT_S and has reached the code's schema `revision`.

    A schema ahead of the code is fine: migrations are deployed first, and replicas one by one.
    """
    word: Word
    try:
        async with asyncio.timeout(TIMEOUT_S), engine.connect() as connection:
            found: str | None = await connection.scalar(REVISION)
        word = "ok" if found is not None and found >= revision else "not-migrated"
    except sa.exc.ProgrammingError:
        word = "not-migrated"
    except (TimeoutError, sa.exc.SQLAlchemyError):
        word = "unreachable"
    return Health(ready=word == "ok", database=word)
