"""Calls of the small province's VNPAY terminal, signed with whatever secret a test names."""

from datetime import UTC, datetime
from typing import Final

import httpx2
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from providers import Call, Secret, Status, Terms
from providers.acting import Payment
from providers.vnpay import ADAPTER
from service.merchants import changes
from service.merchants.changes import Name
from service.sealing import Sealer
from tests.service.conftest import MASTER_KEY

TERMINAL: Final = "HUE00001"
NAME: Final = Name("vnpay", TERMINAL)

LANES = sa.text("""
    select lane, replayed_at is not null as back, count(*) as calls
    from service.quarantine group by 1, 2 order by 1, 2
""")
CASES = sa.text("""
    select reason, status, fields from service.unmatched order by opened_at, id
""")
STATUS = sa.text("select status from service.notice_state where notice_id = :id")
EVENTS = sa.text("select count(*) from service.event")


def ipn(
    reference: str,
    secret: str,
    *,
    amount_vnd: int = 50_000,
    transaction: str = "14000001",
    status: Status = "paid",
    paid_at: datetime | None = None,
) -> Call:
    """An IPN about an order."""
    now = datetime.now(UTC)
    payment = Payment(
        order_code=reference,
        transaction=transaction,
        amount_vnd=amount_vnd,
        paid_at=paid_at or now,
        status=status,
    )
    terms = Terms(merchant=TERMINAL, secrets=[Secret(secret)])
    return ADAPTER.call_as_provider(payment, terms, now)


async def deliver(client: httpx2.AsyncClient, call: Call) -> str:
    """Send a call over HTTP; the code it was answered with."""
    answer = await client.get(f"{call.path}?{call.raw_query.decode()}")
    assert answer.status_code == 200
    return str(answer.json()["RspCode"])


async def lanes(engine: AsyncEngine) -> dict[tuple[str, bool], int]:
    """How many calls are kept, by lane and whether they came back."""
    async with engine.connect() as connection:
        return {(row.lane, row.back): row.calls for row in await connection.execute(LANES)}


async def rotate(engine: AsyncEngine, secret: str) -> None:
    """Put a secret of the terminal beside the one it has."""
    async with engine.begin() as connection:
        sealer = Sealer(MASTER_KEY)
        await changes.rotate(connection, sealer, NAME, secret, datetime.now(UTC))


async def status_of(connection: AsyncConnection, notice_id: object) -> str:
    """How a notice stands."""
    return str(await connection.scalar(STATUS, {"id": notice_id}))
