"""Recorded calls of the national platform and OnePay, over HTTP: booked, refused, answered."""

import json

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service import merchants
from service.merchants import NewMerchant
from service.proof import prove
from service.sealing import Sealer
from tests.makers import ADD_ASKED, ADD_REQUEST, NOW, make_notice
from tests.providers.making import Vector, vectors
from tests.service.conftest import MASTER_KEY, client_of

pytestmark = pytest.mark.anyio

CALLS = [
    (name, vector)
    for name, chosen in (
        ("dvcqg", {"confirm_paid", "confirm_duplicate", "confirm_wrong_secret"}),
        ("onepay", {"gold_documented_return", "cancelled_by_user_99"}),
    )
    for vector in vectors(name, "ipn")
    if vector.name in chosen
]
TWICE = {"confirm_duplicate"}
MERCHANTS = {
    "dvcqg": NewMerchant(
        provider="dvcqg", merchant="H57", book_id=1, secrets=["hue-test-dvcqg-secret"]
    ),
    "onepay": NewMerchant(
        provider="onepay",
        merchant="ONEPAY",
        book_id=1,
        secrets=["A3EFDFABA8653DF2342E8DAC29B51AF0"],
        credentials={"access_code": "D67342C2"},
    ),
}

EVENTS = sa.text("select provider_txn, status, amount_vnd, reference, scope from service.event")
KEPT = sa.text("""
    select (select count(*) from service.call) as calls,
           (select count(*) from service.quarantine) as unbelieved
""")
PAID = sa.text("select sum(paid_vnd)::bigint from service.notice_state")


async def asked(connection: AsyncConnection, reference: str, amount_vnd: int) -> None:
    """A payment request of that reference and amount."""
    notice_id, _ = await make_notice(connection, 1, [amount_vnd])
    row = {"book_id": 1, "reference": reference, "amount_vnd": amount_vnd}
    await connection.execute(
        ADD_REQUEST, row | {"number": amount_vnd, "expires_at": None, "now": NOW}
    )
    await connection.execute(ADD_ASKED, row | {"notice_id": notice_id, "position": 0})


def expected(name: str, vector: Vector) -> tuple[int, object]:
    """The status and body of the answer that the provider's page asks for."""
    if name == "onepay":
        return 200, "responsecode=1&desc=confirm-success"
    sent = json.loads(vector.body or "")
    echoed = {key: sent[key] for key in ("MaDoiTac", "MaThamChieu", "ThoiGianGD", "MaXacThuc")}
    done = {"MaLoi": "00", "MoTaLoi": "Thành công"}
    return 200, (done if vector.expect.valid else {"MaLoi": "99"}) | echoed


@pytest.mark.parametrize(("name", "vector"), CALLS, ids=[vector.name for _, vector in CALLS])
async def test_a_recorded_call_is_answered_as_recorded(
    app: Litestar, engine: AsyncEngine, two_books: tuple[int, int], name: str, vector: Vector
) -> None:
    """A true call is booked once and answered "done" each time; a forged one changes nothing."""
    expect = vector.expect
    assert expect.order_id is not None
    assert expect.amount_vnd is not None
    merchant = MERCHANTS[name]
    async with engine.begin() as connection:
        await merchants.add(connection, Sealer(MASTER_KEY), merchant, NOW)
        await asked(connection, expect.order_id, expect.amount_vnd)
    query = (vector.path_query or "").partition("?")[2]
    address = f"/callbacks/{name}/{merchant.merchant}" + (f"?{query}" if query else "")
    times = 2 if vector.name in TWICE else 1
    async with client_of(app) as client:
        for _ in range(times):
            answer = await client.request(
                vector.method,
                address,
                content=(vector.body or "").encode(),
                headers=vector.headers,
            )
            status, body = expected(name, vector)
            assert answer.status_code == status
            told = answer.json() if isinstance(body, dict) else answer.text
            if isinstance(body, dict):
                told = {key: told[key] for key in body}
            assert told == body
    async with engine.connect() as connection:
        events = [tuple(row) for row in await connection.execute(EVENTS)]
        kept = (await connection.execute(KEPT)).one()
        paid_vnd = await connection.scalar(PAID)
    if expect.valid:
        txn, order = expect.provider_txn_id, expect.order_id
        assert events == [(txn, expect.status, expect.amount_vnd, order, order)]
        assert (kept.calls, kept.unbelieved) == (times, 0)
        assert paid_vnd == (expect.amount_vnd if expect.status == "paid" else 0)
    else:
        assert (events, kept.calls, kept.unbelieved, paid_vnd) == ([], 0, 1, 0)
    assert [finding async for finding in prove(engine)] == []
