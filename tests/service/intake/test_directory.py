"""Who may call is held in memory for seconds, and a name that is not there is looked up anew."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service import merchants
from service.database import transaction
from service.intake.directory import MISSED_AFTER_S, STALE_AFTER_S, Directory
from service.merchants import NewMerchant
from service.sealing import Sealer
from tests.service.conftest import MASTER_KEY, Province

pytestmark = pytest.mark.anyio


async def test_a_merchant_that_was_just_added_is_known_soon(
    engine: AsyncEngine, province: Province
) -> None:
    """A provider calls at once, and an answer of 404 is nowhere kept; strangers cost no more."""
    now = 0.0
    sealer = Sealer(MASTER_KEY)
    directory = Directory(engine, sealer, lambda: now)
    assert await directory.merchant("vnpay", "HUE00009") is None
    async with transaction(engine) as connection:
        new = NewMerchant(provider="vnpay", merchant="HUE00009", book_id=1, secrets=["a-secret"])
        await merchants.add(connection, sealer, new, datetime.now(UTC))
    assert await directory.merchant("vnpay", "HUE00009") is None
    now += MISSED_AFTER_S
    assert await directory.merchant("vnpay", "HUE00001") is not None
    assert await directory.merchant("vnpay", "HUE00009") is not None
    assert MISSED_AFTER_S < STALE_AFTER_S
