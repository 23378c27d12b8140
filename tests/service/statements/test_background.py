"""Background work never takes all connections: calls and other work go on beside it."""

import httpx2
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import create_engine
from service.web.background import background_of
from tests.databases import Database
from tests.service.statements.making import MAPPING, Row, add_account, csv, every

pytestmark = pytest.mark.anyio

POOL = 2
"""As many connections as one run needs."""


async def test_more_imports_and_runs_than_connections_all_end(
    app: Litestar, client: httpx2.AsyncClient, engine: AsyncEngine, fresh_database: Database
) -> None:
    """Each holds its lock beside the pool, so none waits for a connection another one keeps."""
    accounts = [await add_account(engine, number=f"55{number:06d}") for number in range(4)]
    small = create_engine(fresh_database.app_url, pool_size=POOL)
    whole, app.state.engine = app.state.engine, small
    try:
        for number, account in enumerate(accounts):
            file = csv([Row(amount_vnd=1_000 + n, memo=f"{number} {n}") for n in range(5)])
            told = await client.post(
                "/v1/statements",
                data={"account": str(account.id), "layout": MAPPING},
                files={"file": ("sao-ke.csv", file, "text/csv")},
            )
            assert told.status_code == 202
            for book_id in (1, 2):
                run = {"business_date": "2026-11-03", "book_id": book_id}
                told = await client.post("/v1/reconciliation-runs", json=run)
                assert told.status_code == 202
        await background_of(app.state).settled()
    finally:
        app.state.engine = whole
        await small.dispose()
    assert await every(engine, "select distinct status from service.statement") == [("done",)]
    assert await every(engine, "select distinct status from service.run") == [("done",)]
