"""Recorded provider calls, sent over HTTP, get the verdict and the answer recorded with them."""

from http import HTTPStatus
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from providers import Answer, Claim, Outcome, Rejected
from service import merchants
from service.intake import intake
from service.merchants import NewMerchant
from service.proof import prove
from service.sealing import Sealer
from tests.makers import ADD_ASKED, ADD_REQUEST, NOW, make_notice
from tests.providers.answers import fits
from tests.providers.recorded import CALL_KINDS, Context, Vector, acknowledged, everything
from tests.service.conftest import MASTER_KEY, client_of

pytestmark = pytest.mark.anyio

CALLS = everything(*CALL_KINDS, "redirect")
TOLD_TWICE = {"paid", "already_recorded"}
"""States of an order whose call came before."""
MONEY = {"paid", "held", "reversed", "credit", "debit"}
"""Statuses of money that came or went."""

EVENTS = sa.text("""
    select provider_txn, status, amount_vnd, reference, scope, outcome from service.event
    order by provider_txn
""")
KEPT = sa.text("""
    select (select count(*) from service.call) as calls,
           (select count(*) from service.quarantine) as unbelieved,
           (select count(*) from service.movement) as movements
""")
PAID = sa.text("""
    select coalesce(sum(paid_vnd), 0)::bigint as paid_vnd,
           count(*) filter (where status = 'paid') as notices
    from service.notice_state
""")
AGAIN = {
    Outcome.BOOKED: Outcome.REPEAT_OF_PAID,
    Outcome.UNKNOWN_ORDER: Outcome.UNKNOWN_ORDER,
    Outcome.AMOUNT_DIFFERS: Outcome.AMOUNT_DIFFERS,
}
"""What a call is that comes once more, by what it was; else a repeat."""


async def asked(connection: AsyncConnection, reference: str, amount_vnd: int) -> None:
    """A payment request with a reference of an older system."""
    notice_id, _ = await make_notice(connection, 1, [amount_vnd])
    row = {"book_id": 1, "reference": reference, "amount_vnd": amount_vnd}
    await connection.execute(
        ADD_REQUEST, row | {"number": amount_vnd, "expires_at": None, "now": NOW}
    )
    await connection.execute(ADD_ASKED, row | {"notice_id": notice_id, "position": 0})


def verdict_of(vector: Vector) -> list[Claim] | Outcome:
    """What the adapter says of a call at its time, or how it refuses it."""
    try:
        return list(vector.adapter.read(vector.call, vector.terms, vector.now))
    except Rejected as rejected:
        return vector.refusal(rejected.why)


def due_vnd(vector: Vector) -> int | None:
    """What the order that a vector is about asks for; None where there is no order."""
    context = vector.context or Context()
    if vector.expect.order_id is None or context.order_state == "absent":
        return None
    return context.order_amount_vnd or vector.expect.amount_vnd or 50_000


async def prepare(connection: AsyncConnection, vector: Vector) -> None:
    """The merchant of a vector, and the order that it is about where there is one."""
    terms = vector.terms
    merchant = NewMerchant(
        provider=vector.provider,
        merchant=terms.merchant,
        book_id=1,
        mode=terms.mode,
        secrets=[str.__str__(secret) for secret in terms.secrets],
        credentials={name: str.__str__(text) for name, text in terms.credentials.items()},
    )
    await merchants.add(connection, Sealer(MASTER_KEY), merchant, NOW)
    amount_vnd = due_vnd(vector)
    if vector.expect.order_id is not None and amount_vnd is not None:
        await asked(connection, vector.expect.order_id, amount_vnd)


async def tell(client: httpx2.AsyncClient, vector: Vector) -> Answer:
    """Send a call, and what it is answered; an answer without a body has no length either."""
    query = vector.call.raw_query.decode()
    address = f"/callbacks/{vector.provider}/{vector.terms.merchant}"
    answer = await client.request(
        vector.method,
        address + (f"?{query}" if query else ""),
        content=vector.call.body,
        headers=vector.headers or {},
    )
    assert ("content-length" in answer.headers) == (answer.status_code != HTTPStatus.NO_CONTENT)
    return Answer(
        status=answer.status_code,
        media_type=answer.headers.get("content-type", ""),
        body=answer.content,
    )


async def found(engine: AsyncEngine) -> tuple[list[sa.Row[Any]], sa.Row[Any], sa.Row[Any]]:
    """The events, how much was kept, and what is paid."""
    async with engine.connect() as connection:
        return (
            list((await connection.execute(EVENTS)).all()),
            (await connection.execute(KEPT)).one(),
            (await connection.execute(PAID)).one(),
        )


@pytest.mark.parametrize(
    "vector", CALLS, ids=[f"{vector.provider}-{vector.name}" for vector in CALLS]
)
async def test_a_recorded_call_is_answered_as_recorded(
    app: Litestar,
    engine: AsyncEngine,
    two_books: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    vector: Vector,
) -> None:
    """Believed ones are events and pay what they say, once; the others change nothing."""
    if vector.clock_s is not None or vector.clock_ms is not None:
        monkeypatch.setattr(intake, "utc_now", lambda: vector.now)  # the hour of its signature
    async with engine.begin() as connection:
        await prepare(connection, vector)
    context = vector.context or Context()
    times = 2 if context.order_state in TOLD_TWICE else 1
    async with client_of(app) as client:
        for _ in range(times):
            told = await tell(client, vector)
        acknowledged(vector, told.status, told.media_type, told.body)
        events, kept, paid = await found(engine)
        again = await tell(client, vector)
    events_again, kept_again, paid_again = await found(engine)
    assert (events_again, paid_again) == (events, paid)
    assert kept_again.movements == kept.movements
    claims = verdict_of(vector)
    if isinstance(claims, Outcome):
        assert (events, kept.calls, kept.unbelieved, paid.paid_vnd) == ([], 0, 1, 0)
        assert (kept.movements, kept_again.calls) == (0, 0)
        assert not vector.expect.valid or vector.expect.reason or vector.kind == "redirect"
        read = b"" if vector.method == "GET" else vector.call.body
        for answer in (told, again):
            fits(answer, vector.provider, claims, read)
        return
    assert (kept.calls, kept.unbelieved) == (times, 0)
    assert (kept_again.calls, kept_again.unbelieved) == (times + 1, 0)
    claims.sort(key=lambda claim: claim.transaction)
    assert [
        (event.provider_txn, event.status, event.amount_vnd, event.scope) for event in events
    ] == [
        (one.transaction, one.status, one.amount_vnd, one.scope)
        for one in claims
        if not one.is_test
    ]
    for event in events:
        outcome = Outcome(event.outcome)
        if times == 1:
            fits(told, vector.provider, outcome, vector.call.body)
        fits(again, vector.provider, AGAIN.get(outcome, Outcome.REPEAT), vector.call.body)
        # A feed's code is looked for in the memo too, and is none where it was never issued here.
        assert claims[0].kind == "feed" or event.reference == vector.expect.order_id
    if all(one.is_test for one in claims):
        fits(again, vector.provider, Outcome.TEST, vector.call.body)
    moved = {
        (event.provider_txn, event.status, event.amount_vnd)
        for event in events
        if event.status in MONEY and event.amount_vnd is not None
    }
    assert kept.movements == len(moved)
    if claims[0].kind == "gateway" and claims[0].amount_vnd == due_vnd(vector):
        pays = claims[0].status == "paid" and not claims[0].is_test
        assert (paid.paid_vnd, paid.notices) == ((claims[0].amount_vnd, 1) if pays else (0, 0))
    assert [finding async for finding in prove(engine)] == []
