"""A run beside traffic: a row that somebody holds is no failure."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import create_engine
from service.reconciliation import working
from service.reconciliation.runs import reconcile
from tests.databases import Database
from tests.service.reconciliation.making import UNTIL, Owed, owe, reference, statuses
from tests.service.statements.making import Row, add_account, csv, import_bytes, one

pytestmark = pytest.mark.anyio

HOLD = sa.text("select from service.notice_state for update")


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_notice_that_somebody_holds_fails_no_step(
    engine: AsyncEngine,
    two_books: tuple[int, int],
    fresh_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    dry_run: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A lock not given in time is asked for again; a dry run says that the books are moving."""
    monkeypatch.setattr(working, "DRY_LOCK_TIMEOUT_MS", 50)
    owed = Owed(dossier="000.00.23.H57-261101-0001", amount_vnd=200_000, reference=reference(1))
    (notice,) = await owe(engine, owed)
    account = await add_account(engine)
    await import_bytes(engine, account, csv([Row(amount_vnd=200_000, memo=reference(1))]))
    impatient = create_engine(fresh_database.app_url, lock_timeout_s=0.05)
    try:
        async with engine.connect() as holding:
            await holding.execute(HOLD)
            running = asyncio.create_task(reconcile(impatient, 1, UNTIL, dry_run=dry_run))
            if dry_run:
                counts = (await running).counts
                assert (counts.failed, counts.changed_meanwhile) == (0, 1)
                return
            while await one(engine, "select count(*) as n from service.run_step") == {"n": 0}:  # noqa: ASYNC110 - of the run
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # at least one attempt meets the lock
            await holding.rollback()
        counts = (await running).counts
    finally:
        await impatient.dispose()
    assert (counts.failed, counts.posted) == (0, 1)
    assert await statuses(engine, notice) == ["paid"]
