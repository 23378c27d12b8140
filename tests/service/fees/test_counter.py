"""Cash and card at the counter."""

from typing import Any

import httpx2
import pytest

from tests.service.notices import recorded

pytestmark = pytest.mark.anyio


async def take(client: httpx2.AsyncClient, made: dict[str, Any], **more: object) -> httpx2.Response:
    """Give a receipt for a notice."""
    body = {"notice_id": made["id"], "method": "cash", "amount_vnd": 100, "receipt_no": "BL-1"}
    return await client.post("/v1/counter-receipts", json=body | more)


async def balances_vnd(client: httpx2.AsyncClient) -> dict[str, int]:
    """The accounts of the first book that are not at nothing."""
    trial = (await client.get("/v1/ledger/trial-balance?book_id=1")).json()
    return {r["account"]: r["balance_vnd"] for r in trial["books"][0]["rows"] if r["balance_vnd"]}


async def test_cash_pays_and_stands_on_1110(client: httpx2.AsyncClient) -> None:
    """A part leaves the rest owed; the rest settles the notice."""
    made = await recorded(client, 150)
    first = await take(client, made)
    assert first.status_code == 201, first.text
    told = first.json()
    assert (told["notice_status"], told["outstanding_vnd"]) == ("partially_paid", 50)
    await take(client, made, amount_vnd=50, receipt_no="BL-2")
    found = (await client.get(f"/v1/fee-notices/{made['id']}")).json()
    assert (found["status"], found["settled"], found["paid_vnd"]) == ("paid", True, 150)
    assert await balances_vnd(client) == {"1110": 150, "3373": 150}


async def test_a_card_stands_on_1130(client: httpx2.AsyncClient) -> None:
    """POS money is the acquirer's until the bank shows it."""
    made = await recorded(client, 100)
    await take(client, made, method="pos")
    assert await balances_vnd(client) == {"1130": 100, "3373": 100}


async def test_a_receipt_that_does_not_fit_is_refused(client: httpx2.AsyncClient) -> None:
    """Above what is open, twice the same number, on a cancelled or a paid notice: nothing moves."""
    made, other = await recorded(client, 100), await recorded(client, 100)
    above = await take(client, made, amount_vnd=101)
    await take(client, made)
    again = await take(client, other)
    paid = await take(client, made, receipt_no="BL-2")
    await client.post(f"/v1/fee-notices/{other['id']}/cancellation", json={"reason": "rút"})
    gone = await take(client, other, receipt_no="BL-3")
    future = await take(client, made, received_at="2990-01-01T00:00:00Z")
    naive = await take(client, made, received_at="2026-01-01T00:00:00")
    answers = (above, again, paid, gone, future, naive)
    assert [answer.json()["type"].removeprefix("/problems/") for answer in answers] == [
        "above-outstanding",
        "receipt-repeated",
        "nothing-outstanding",
        "notice-cancelled",
        "invalid-request",
        "invalid-request",
    ]
    assert await balances_vnd(client) == {"1110": 100, "3373": 100}


async def test_money_on_a_notice_forbids_cancelling_it(client: httpx2.AsyncClient) -> None:
    """What somebody paid for is not cancelled away."""
    made = await recorded(client, 150)
    await take(client, made)
    answer = await client.post(f"/v1/fee-notices/{made['id']}/cancellation", json={"reason": "x"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/notice-has-money"
