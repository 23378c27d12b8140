"""`doisoat serve`: the HTTP service, until SIGTERM or Ctrl-C."""

import asyncio
import os

import click

from service.cli._place import ForPeople, place, pool, say
from service.settings import Settings


@click.command("serve")
@click.option("--host", help="Address to listen on; DOISOAT_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; DOISOAT_PORT.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes; DOISOAT_WORKERS.")
def command(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve HTTP; a stop finishes the open group and the open requests."""
    import msgspec

    with place(alone=True) as given:
        chosen = {"host": host, "port": port, "workers": workers}
        settings = msgspec.structs.replace(
            given, **{name: value for name, value in chosen.items() if value is not None}
        )
        asyncio.run(refuse_unfit(settings))
        serve(settings)


async def refuse_unfit(settings: Settings) -> None:
    """Refuse a login that could change facts, before anything listens."""
    from service.database import OwnerLogin, refuse_owner

    async with pool(settings) as engine, engine.connect() as connection:
        try:
            await refuse_owner(connection)
        except OwnerLogin as refusal:
            raise ForPeople(str(refusal)) from None


def serve(settings: Settings) -> None:
    """Run Granian until a signal; its processes read these settings from the environment."""
    import msgspec
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    from service.observe import logs
    from service.settings import Secret, as_environment

    # The owner's login stays out of the processes that serve.
    os.environ.pop("MIGRATION_DATABASE_URL", None)
    served = msgspec.structs.replace(settings, migration_database_url=Secret())
    os.environ.update(as_environment(served))
    say(f"serving {settings.base_url}")
    Server(
        "service.serving:make",
        factory=True,
        interface=Interfaces.ASGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        workers_kill_timeout=settings.shutdown_timeout_s,
        respawn_failed_workers=True,
        log_level=LogLevels(settings.log_level),
        log_dictconfig=logs.GRANIAN,
        log_access=False,
        websockets=False,
    ).serve()
