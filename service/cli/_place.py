"""Where a command works: the database, private or given, and a connection to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service import settings as settings_
from service.database import create_engine
from service.dev.postgres import OWNER, Server
from service.migrations import run
from service.observe import logs
from service.settings import Settings

Result = TypeVar("Result")


class ForPeople(click.ClickException):
    """Something a person can mend, said in one sentence."""


def say(text: str) -> None:
    """Tell the operator what happens, on standard error."""
    click.echo(text, err=True)


@contextlib.contextmanager
def place(*, alone: bool = False) -> Iterator[Settings]:
    """Settings whose database addresses are set; a private server is started and migrated.

    `alone`: be the only server process of a private database. Logging is set up on the way.
    """
    settings = settings_.load()
    logs.configure(settings.log, settings.log_level)
    if not settings.private:
        yield settings
        return
    server = Server(settings.data_dir / "postgres", say=say)
    server.start(alone=alone)
    try:
        addressed = settings_.at_private_server(settings, server.dsn(), server.dsn(OWNER))
        asyncio.run(run.upgrade(addressed.migration_database_url))
        yield addressed
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def pool(settings: Settings, size: int = 2) -> AsyncIterator[AsyncEngine]:
    """A small pool as the app role."""
    engine = create_engine(settings.database_url, pool_size=size)
    try:
        yield engine
    finally:
        await engine.dispose()


def in_transaction(
    settings: Settings, do: Callable[[AsyncConnection], Awaitable[Result]]
) -> Result:
    """Run `do` in one transaction as the app role, and give what it gives."""

    async def work() -> Result:
        async with pool(settings) as engine, engine.begin() as connection:
            return await do(connection)

    return asyncio.run(work())


def numbers(_: click.Context, __: click.Parameter, text: str) -> list[int]:
    """Book numbers written with commas."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter("numbers with commas, such as 1,2") from None


def words(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    """Names written with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
