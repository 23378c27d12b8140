"""Recorded calls of MoMo and ZaloPay, sent over HTTP, are booked and answered as recorded."""

import json

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service import merchants
from service.merchants import NewMerchant
from service.proof import prove
from service.sealing import Sealer
from tests.makers import ADD_ASKED, ADD_REQUEST, NOW, make_notice
from tests.providers.wallets import recorded
from tests.service.conftest import MASTER_KEY, client_of

pytestmark = pytest.mark.anyio

EVENTS = sa.text("select scope, provider_txn, status, amount_vnd from service.event")
PAID = sa.text("select count(*) from service.notice_state where status = 'paid'")
DUPLICATE = {"return_code": 2, "return_message": "duplicate"}
MAC = {"return_code": -1, "return_message": "mac not equal"}
DONE = {"return_code": 1, "return_message": "success"}
UNKNOWN = {"return_code": 0, "return_message": "order not found"}


@pytest.mark.parametrize(
    ("provider", "name", "answers"),
    [
        ("momo", "gold_as_ipn_json_paid_qr_ascii", [(204, None), (204, None)]),
        ("momo", "amount_as_float_50000_0", [(204, None), (204, None)]),
        ("momo", "tampered_resultCode", [(401, None)]),
        ("zalopay", "gold_documented_callback", [(200, DONE), (200, DUPLICATE)]),
        ("zalopay", "uppercase_mac", [(200, DONE), (200, DUPLICATE)]),
        ("zalopay", "gold_documented_callback_reserialised", [(200, MAC)]),
        ("zalopay", "order_not_found_ask_retry", [(200, UNKNOWN)]),
    ],
)
async def test_a_recorded_call_is_answered_as_recorded(
    app: Litestar,
    engine: AsyncEngine,
    two_books: tuple[int, int],
    provider: str,
    name: str,
    answers: list[tuple[int, object]],
) -> None:
    """A true call pays its notice once; a forged one changes nothing (invariants 3 and 5)."""
    (vector,) = (one for one in recorded(provider) if one.name == name)
    terms, expect = vector.terms, vector.expect
    merchant = NewMerchant(
        provider=provider,
        merchant=terms.merchant,
        book_id=1,
        secrets=[str.__str__(secret) for secret in terms.secrets],
        credentials={key: str.__str__(one) for key, one in terms.credentials.items()},
    )
    known = "order_not_found" not in name
    async with engine.begin() as connection:
        await merchants.add(connection, Sealer(MASTER_KEY), merchant, NOW)
        if known:
            amount_vnd = int(str(expect["amount_vnd"]))
            row = {"book_id": 1, "reference": expect["order_id"], "amount_vnd": amount_vnd}
            notice_id, _ = await make_notice(connection, 1, [amount_vnd])
            await connection.execute(
                ADD_REQUEST, row | {"number": amount_vnd, "expires_at": None, "now": NOW}
            )
            await connection.execute(ADD_ASKED, row | {"notice_id": notice_id, "position": 0})
    async with client_of(app) as client:
        for status, body in answers:
            answer = await client.post(
                f"/callbacks/{provider}/{terms.merchant}",
                content=(vector.body or "").encode(),
                headers=vector.headers,
            )
            assert answer.status_code == status
            assert ("content-length" in answer.headers) == (status != 204)
            assert (json.loads(answer.content) if answer.content else None) == body
    async with engine.connect() as connection:
        events = [tuple(row) for row in await connection.execute(EVENTS)]
        paid = await connection.scalar(PAID)
    told = (expect["order_id"], expect["provider_txn_id"], expect["status"], expect["amount_vnd"])
    assert events == ([told] if expect["valid"] else [])
    assert paid == (1 if expect["valid"] and known else 0)
    assert [finding async for finding in prove(engine)] == []
