"""While the database is away or busy, providers are answered "try again" in their own words."""

import asyncio

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar

from providers import Outcome
from service.database import create_engine
from service.intake.directory import STALE_AFTER_S
from tests.databases import Database
from tests.service.intake.preparing import Template, pool
from tests.service.intake.test_committing import answers
from tests.traffic import Ipn, Messages

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
CASES = sa.text("select reason from service.unmatched where reason = 'CALL_NOT_BOOKED'")


@pytest.mark.anyio
@pytest.mark.parametrize("known", [True, False])
async def test_a_callback_is_answered_though_nothing_can_be_read(
    app: Litestar,
    client: httpx2.AsyncClient,
    known: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """VNPAY reads its code 99, not a page about a failure, whether merchants were known or not."""
    address = "/callbacks/vnpay/HUE00001"
    if known:
        assert (await client.get(address)).json()["RspCode"] == "97"
    away = create_engine(NOWHERE)
    intake = app.state.intake
    directory = intake.directory
    directory._engine = intake._quarantine._engine = away
    later = directory._clock() + STALE_AFTER_S
    directory._clock = lambda: later
    for path in (address, address + "/"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["RspCode"]) == (200, "99")
    assert (await client.post("/callbacks/sepay/ANY", content=b"{}")).status_code in {404, 503}
    await away.dispose()


def test_a_notice_that_somebody_holds_makes_no_case(template: Template) -> None:
    """The call is asked for again, and nothing says that it could not be booked."""

    async def work(database: Database) -> None:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            impatient = create_engine(database.app_url, lock_timeout_s=0.05)
            async with engine.connect() as holding:
                await holding.execute(sa.text("select from service.notice_state for update"))
                told = await answers(impatient, messages, [Ipn(order=0)])
            assert told == [Outcome.TRY_AGAIN]
            assert await answers(impatient, messages, [Ipn(order=0)]) == [Outcome.BOOKED]
            await impatient.dispose()
            async with engine.connect() as connection:
                assert (await connection.execute(CASES)).all() == []

    with template.copy() as database:
        asyncio.run(work(database))
