"""The sandbox over HTTP: an answer is a status and nothing else."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Call, Secret, Terms
from providers.acting import Payment
from providers.sandbox import ADAPTER
from providers.standard_webhooks import headers
from service import merchants
from service.merchants import NewMerchant
from service.proof import prove
from service.sealing import Sealer
from tests.makers import ADD_ASKED, ADD_REQUEST, NOW, make_notice
from tests.service.conftest import MASTER_KEY, client_of

pytestmark = pytest.mark.anyio

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TERMS = Terms(merchant="HUETEST1", secrets=(Secret(SECRET),))
PAID = Payment(order_code="HUE007K2M9Q4X1", transaction="tx-1", amount_vnd=50_000, paid_at=NOW)
EVENTS = sa.text("select provider_txn, status, outcome from service.event order by id")


async def test_a_payment_is_told_repeated_and_forged(
    app: Litestar, engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """204 for what was kept (also of unknown orders), 401 and 400 for the rest; booked once."""
    merchant = NewMerchant(provider="sandbox", merchant="HUETEST1", book_id=1, secrets=[SECRET])
    row = {"book_id": 1, "reference": PAID.order_code, "amount_vnd": 50_000}
    async with engine.begin() as connection:
        await merchants.add(connection, Sealer(MASTER_KEY), merchant, NOW)
        notice_id, _ = await make_notice(connection, 1, [50_000])
        await connection.execute(ADD_REQUEST, row | {"number": 7, "expires_at": None, "now": NOW})
        await connection.execute(ADD_ASKED, row | {"notice_id": notice_id, "position": 0})
    now = datetime.now(UTC)
    true = ADAPTER.call_as_provider(PAID, TERMS, now)
    unknown = msgspec.structs.replace(PAID, order_code="HUE007K2M9Q4X9", transaction="tx-2")
    ping = json.dumps({"type": "ping", "merchant": "HUETEST1"}).encode()
    calls = {
        "paid": (true, 204),
        "paid again": (true, 204),
        "unknown order": (ADAPTER.call_as_provider(unknown, TERMS, now), 204),
        "ping": (_signed(true, ping, now), 204),
        "changed": (msgspec.structs.replace(true, body=true.body + b" "), 401),
        "no object": (_signed(true, b"[]", now), 400),
        "by GET": (msgspec.structs.replace(true, method="GET", body=b""), 400),
    }
    async with client_of(app) as client:
        for what, (call, status) in calls.items():
            answer = await client.request(
                call.method, call.path, content=call.body, headers=dict(call.headers)
            )
            assert (answer.status_code, answer.content) == (status, b""), what
    async with engine.connect() as connection:
        events = [tuple(row) for row in await connection.execute(EVENTS)]
    assert events == [("tx-1", "paid", "booked"), ("tx-2", "paid", "unknown_order")]
    assert [finding async for finding in prove(engine)] == []


def _signed(call: Call, body: bytes, now: datetime) -> Call:
    proof = headers(Secret(SECRET), "msg_x", int(now.timestamp()), body)
    return msgspec.structs.replace(call, headers=proof, body=body)
