"""Recorded provider calls, sent over HTTP, get the verdict and the answer recorded with them."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from providers.sepay import HMAC
from providers.signing import hmac_sha256
from service import merchants
from service.merchants import NewMerchant
from service.proof import prove
from service.sealing import Sealer
from tests.makers import ADD_ASKED, ADD_REQUEST, NOW, make_notice
from tests.providers.making import Vector, vectors
from tests.service.conftest import MASTER_KEY, client_of

pytestmark = pytest.mark.anyio

CALLS = [
    *(("vnpay", vector) for vector in vectors("vnpay", "ipn")),
    *(("sepay", vector) for vector in vectors("sepay")),
]
TWICE = {"hmac_duplicate_id", "hmac_retry_new_timestamp_same_id"}
"""Recorded as the second delivery of what came before."""
STATUSES = {"suspected": "held"}
PREFIX = "sha256="
STATED = "X-SePay-Timestamp"
SIGNED = "X-SePay-Signature"

EVENTS = sa.text("select provider_txn, status, amount_vnd, reference from service.event")
KEPT = sa.text("""
    select (select count(*) from service.call) as calls,
           (select count(*) from service.quarantine) as unbelieved
""")


def moved(vector: Vector, now: datetime) -> dict[str, str]:
    """The headers, as they would have been had the call come today: stated and signed anew.

    A signature that fitted is made to fit; one that did not, and its form, stay as they were.
    """
    headers = dict(vector.headers)
    if vector.auth != HMAC or STATED not in headers or vector.clock_s is None:
        return headers
    body = (vector.body or "").encode()
    secret = vector.terms.secrets[0]
    stated = headers[STATED]
    given = headers.get(SIGNED, "")
    headers[STATED] = str(int(now.timestamp()) - vector.clock_s + int(stated))
    if given.removeprefix(PREFIX) == hmac_sha256(secret, stated.encode() + b"." + body):
        anew = hmac_sha256(secret, headers[STATED].encode() + b"." + body)
        headers[SIGNED] = PREFIX * given.startswith(PREFIX) + anew
    return headers


async def asked(connection: AsyncConnection, reference: str, amount_vnd: int) -> None:
    """A payment request with a reference of an older system."""
    notice_id, _ = await make_notice(connection, 1, [amount_vnd])
    row = {"book_id": 1, "reference": reference, "amount_vnd": amount_vnd}
    await connection.execute(
        ADD_REQUEST, row | {"number": amount_vnd, "expires_at": None, "now": NOW}
    )
    await connection.execute(ADD_ASKED, row | {"notice_id": notice_id, "position": 0})


@pytest.mark.parametrize(("name", "vector"), CALLS, ids=[vector.name for _, vector in CALLS])
async def test_a_recorded_call_is_answered_as_recorded(
    app: Litestar, engine: AsyncEngine, two_books: tuple[int, int], name: str, vector: Vector
) -> None:
    """Believed ones are events and answered by their outcome; the others change nothing."""
    merchant = NewMerchant(
        provider=name,
        merchant=vector.terms.merchant,
        book_id=1,
        mode=vector.terms.mode,
        secrets=[str.__str__(secret) for secret in vector.terms.secrets],
    )
    async with engine.begin() as connection:
        await merchants.add(connection, Sealer(MASTER_KEY), merchant, NOW)
        if vector.expect.order_id is not None:
            gateway_vnd = vector.context.order_amount_vnd or vector.expect.amount_vnd or 50_000
            await asked(connection, vector.expect.order_id, gateway_vnd)
    query = (vector.path_query or "").partition("?")[2]
    address = f"/callbacks/{name}/{vector.terms.merchant}" + (f"?{query}" if query else "")
    async with client_of(app) as client:
        for _ in range(2 if vector.name in TWICE else 1):
            answer = await client.request(
                vector.method,
                address,
                content=(vector.body or "").encode(),
                headers=moved(vector, datetime.now(UTC)),
            )
    assert _told(name, answer.status_code, answer.content) == _expected(name, vector)
    async with engine.connect() as connection:
        events = [tuple(row) for row in await connection.execute(EVENTS)]
        kept = (await connection.execute(KEPT)).one()
    if vector.expect.valid:
        ((transaction, status, amount_vnd, _),) = events
        expect = vector.expect
        assert (transaction, amount_vnd) == (expect.provider_txn_id, expect.amount_vnd)
        assert status == STATUSES.get(expect.status or "", expect.status)
        assert (kept.calls, kept.unbelieved) == (2 if vector.name in TWICE else 1, 0)
    else:
        assert (events, kept.calls, kept.unbelieved) == ([], 0, 1)
    assert [finding async for finding in prove(engine)] == []


def _told(name: str, status: int, body: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(body)
    return found if name == "vnpay" else {"http_status": status, "body": found}


def _expected(name: str, vector: Vector) -> dict[str, object]:
    """The recorded answer; where none was recorded, what the provider's page asks for."""
    if vector.expect.ack is not None:
        return vector.expect.ack
    if name == "sepay":
        done = bool(vector.expect.valid)
        return {"http_status": 200 if done else 401, "body": {"success": done}}
    if vector.expect.valid:
        return {"RspCode": "00", "Message": "Confirm Success"}
    return {"RspCode": "97", "Message": "Invalid signature"}
