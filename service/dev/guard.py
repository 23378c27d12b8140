"""Let the simulator near no service but a demo: its file, its key, and the mark in its database."""

from pathlib import Path

import asyncpg

from service.dev import demo_file
from service.dev.client import Client
from service.dev.cluster import Cluster
from service.dev.demo_file import DemoFile, DemoProblem
from service.dev.postgres import Server

MADE_BY = "select made_by from service.installation where id = 1"


async def running_demo(path: Path) -> DemoFile:
    """The demo of this file, once it is sure that it runs and that the demo created its database.

    Raises DemoProblem otherwise. Nothing is started and nothing is changed.
    """
    demo = demo_file.read(path)
    await _refuse_foreign_database(path.parent)
    async with Client(demo) as client:
        if not await client.ready():
            raise DemoProblem(f"{demo.base_url} does not answer. Start `make demo` first.")
        await client.ask(
            "GET", "/v1/fee-notices", dict[str, object], params={"limit": "1"}
        )  # refused where the key is not that of this service
    return demo


async def _refuse_foreign_database(folder: Path) -> None:
    """Refuse where the folder's database does not run, or bears no mark of the demo."""
    server = Server(folder / "postgres")  # made absolute there
    if server.pid is None:
        raise DemoProblem(f"No private PostgreSQL runs in {folder}. Start `make demo` first.")
    cluster: Cluster = server.cluster
    try:
        connection = await asyncpg.connect(cluster.dsn("doisoat_app", "doisoat"))
    except (OSError, asyncpg.PostgresError) as error:
        raise DemoProblem(f"The database in {folder} cannot be asked: {error}") from None
    try:
        maker = await connection.fetchval(MADE_BY)
    finally:
        await connection.close()
    if maker != "demo":
        raise DemoProblem(f"The database in {folder} was not created by the demo; nothing is sent.")
