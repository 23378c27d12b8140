"""Send signed calls over HTTP, and read what became of them as the one-stop and the books say."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx2
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Status, sepay, vnpay
from providers.acting import Payment
from service.database import transaction
from tests.faults.serving import FEED_TERMS, GATEWAY_TERMS, Told, deliver
from tests.makers import NOW, Made, make_owed
from tests.service.statements.making import FIRST_DAY, MAPPING, Row, csv
from tests.traffic import ACCOUNTS

ASKED_MAX = 400
"""How often a statement is asked for, until it is given up."""
NUMBERS = itertools.count(30_000_000)
AMOUNTS = itertools.count(1_000_001)
"""Below what a channel that proves only a key may allocate alone."""
LINES = sa.text("""
    select line.debit, line.credit, line.amount_vnd from service.event
    join ledger.line on line.movement_id = event.movement_id
    where event.provider_txn = :number order by line.entry_id, line.position
""")

TRACED = sa.text("""
    select line.debit, line.credit, line.amount_vnd from ledger.line
    where line.movement_id in (
        select movement_id from service.sighting where :trace = any(traces))
    order by line.entry_id, line.position
""")
DAY = (NOW + timedelta(hours=7)).date().toordinal() - FIRST_DAY.toordinal()
"""The day of the traffic, as statement rows count days."""


async def ipn(
    client: httpx2.AsyncClient,
    reference: str,
    amount_vnd: int,
    *,
    number: int | None = None,
    status: Status = "paid",
    amount_text: str = "",
) -> tuple[Told, str]:
    """Send a signed IPN; the answer and the transaction's number."""
    payment = Payment(
        order_code=reference,
        transaction=str(number or next(NUMBERS)),
        amount_vnd=amount_vnd,
        paid_at=NOW,
        status=status,
        amount_text=amount_text,
    )
    call = vnpay.ADAPTER.call_as_provider(payment, GATEWAY_TERMS, NOW)
    return await deliver(client, call), payment.transaction


async def webhook(
    client: httpx2.AsyncClient,
    memo: str,
    amount_vnd: int,
    *,
    account: str = ACCOUNTS[0],
    direction: Literal["in", "out"] = "in",
    bank_reference: str = "",
) -> tuple[Told, str]:
    """Send a webhook about a transfer; the answer and the transfer's number."""
    transfer = Payment(
        order_code=None,
        transaction=str(next(NUMBERS)),
        amount_vnd=amount_vnd,
        paid_at=NOW,
        status="credit" if direction == "in" else "debit",
        memo=memo,
        own_account=account,
        bank_reference=bank_reference,
    )
    call = sepay.ADAPTER.call_as_provider(transfer, FEED_TERMS, datetime.now(UTC))
    return await deliver(client, call), transfer.transaction


class After(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be seen after one call."""

    lines: list[tuple[str, str, int]]
    status: str | None = None
    paid_vnd: int = 0
    held_vnd: int = 0
    reason: str | None = None


async def seen(
    one_stop: httpx2.AsyncClient, books: AsyncEngine, number: str, owed: Made | None = None
) -> After:
    """What the books, the notice and the list say; the trial balance must tie."""
    trial = (await one_stop.get("/v1/ledger/trial-balance")).json()
    for book in trial["books"]:
        assert book["debit_vnd"] == book["credit_vnd"] == sum(r["debit_vnd"] for r in book["rows"])
    async with books.connect() as connection:
        lines = [tuple(row) for row in await connection.execute(LINES, {"number": number})]
    notice: dict[str, Any] = {"status": None, "paid_vnd": 0, "held_vnd": 0}
    if owed is not None:
        notice = (await one_stop.get(f"/v1/fee-notices/{owed.notice_id}")).json()
    return After(
        lines=lines,
        status=notice["status"],
        paid_vnd=notice["paid_vnd"],
        held_vnd=notice["held_vnd"],
        reason=await reason_of(one_stop, number),
    )


async def reason_of(one_stop: httpx2.AsyncClient, number: str) -> str | None:
    """Why the list has this transaction, if it has it."""
    cursor: dict[str, str] = {}
    while True:
        page = (await one_stop.get("/v1/unmatched-transactions", params=cursor)).json()
        for item in page["items"]:
            if item["external_id"] == number:
                return str(item["reason"])
        if page["next_cursor"] is None:
            return None
        cursor = {"cursor": page["next_cursor"]}


async def owed_of(
    books: AsyncEngine,
    *amounts: int,
    book_id: int = 1,
    expires_at: datetime | None = None,
    payer_key: bytes | None = None,
) -> Made:
    """A notice with its payment request."""
    async with transaction(books) as connection:
        return await make_owed(
            connection, book_id, *amounts, expires_at=expires_at, payer_key=payer_key
        )


async def import_statement(one_stop: httpx2.AsyncClient, rows: list[Row]) -> None:
    """Send a statement of the first book's account, and wait until it is booked."""
    told = await one_stop.post(
        "/v1/statements",
        data={"account": f"970436-{ACCOUNTS[0]}", "layout": MAPPING},
        files={"file": ("sao-ke.csv", csv(rows), "text/csv")},
    )
    assert told.status_code == 202, told.text
    address = f"/v1/statements/{told.json()['id']}"
    for _ in range(ASKED_MAX):
        if (await one_stop.get(address)).json()["status"] == "done":
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(address)


async def lines_of(books: AsyncEngine, bank_reference: str) -> list[tuple[str, str, int]]:
    """The lines of the one movement that bears this bank reference."""
    async with books.connect() as connection:
        return [tuple(row) for row in await connection.execute(TRACED, {"trace": bank_reference})]
