"""One way to pay one or more notices of a book."""

import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from providers import vietqr
from service.references import payment_reference
from tests.service.notices import recorded

pytestmark = pytest.mark.anyio


async def ask(
    client: httpx2.AsyncClient, provider: str, *notices: dict[str, Any], **more: object
) -> httpx2.Response:
    """Ask for a way to pay."""
    body = {"notice_ids": [one["id"] for one in notices], "provider": provider} | more
    return await client.post("/v1/payment-requests", json=body)


async def test_vietqr_asks_for_all_that_is_owed(client: httpx2.AsyncClient) -> None:
    """The payload names the book's own account, the sum, and the reference as the whole memo."""
    one, two = await recorded(client, 100_000), await recorded(client, 50_000)
    answer = await ask(client, "vietqr", one, two)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    payload = vietqr.read(made["qr_payload"])
    assert (payload.bin, payload.account) == ("970436", "0123456789")
    assert (payload.amount_vnd, payload.purpose) == (150_000, made["reference"])
    assert payment_reference.book_code(made["reference"]) == "01"
    assert payment_reference.from_numeric(made["numeric_reference"]) == made["reference"]
    assert made["redirect_url"] is None
    assert made["state"] == "open"


async def test_vnpay_gives_a_signed_link(client: httpx2.AsyncClient) -> None:
    """The link names our terminal, the reference and the amount in hundredths."""
    one = await recorded(client, 100_000)
    made = (await ask(client, "vnpay", one, return_url="https://motcua.example/xong")).json()
    query = parse_qs(urlsplit(made["redirect_url"]).query)
    assert query["vnp_TmnCode"] == ["HUE00001"]
    assert query["vnp_TxnRef"] == [made["reference"]]
    assert query["vnp_Amount"] == ["10000000"]
    assert query["vnp_ReturnUrl"] == ["https://motcua.example/xong"]
    assert len(query["vnp_SecureHash"][0]) == 128
    assert made["qr_payload"] is None


async def test_a_request_is_found_in_any_spelling(client: httpx2.AsyncClient) -> None:
    """People type a reference with blanks and small letters."""
    made = (await ask(client, "vietqr", await recorded(client))).json()
    shown = made["reference_shown"].lower().replace(" ", "-")
    assert (await client.get(f"/v1/payment-requests/{shown}")).json() == made
    assert (await client.get("/v1/payment-requests/HUE00000000000")).status_code == 404
    assert (await client.get("/v1/payment-requests/%00")).status_code == 404


async def test_the_picture_is_svg(client: httpx2.AsyncClient) -> None:
    """The QR code is drawn by us, and its title is the reference."""
    made = (await ask(client, "vietqr", await recorded(client))).json()
    picture = await client.get(f"/v1/payment-requests/{made['reference']}/qr.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.content.startswith(b"<?xml")
    assert made["reference"].encode() in picture.content


async def test_what_owes_nothing_cannot_be_asked_for(client: httpx2.AsyncClient) -> None:
    """Zero, cancelled, unknown and repeated notices are refused with their reasons."""
    zero, gone = await recorded(client, 0), await recorded(client)
    await client.post(f"/v1/fee-notices/{gone['id']}/cancellation", json={"reason": "rút"})
    refused = {
        "nothing-outstanding": await ask(client, "vietqr", zero),
        "notice-cancelled": await ask(client, "vietqr", gone),
        "invalid-request": await ask(client, "vietqr", {"id": str(uuid.uuid4())}),
    }
    one = await recorded(client)
    assert (await ask(client, "vietqr", one, one)).status_code == 422
    assert (await ask(client, "cash", one)).status_code == 422
    for code, answer in refused.items():
        assert answer.json()["type"] == f"/problems/{code}"


async def test_notices_of_two_books_are_not_paid_together(client: httpx2.AsyncClient) -> None:
    """One payment request belongs to one book."""
    one, other = await recorded(client), await recorded(client, collected_by="H57.31.15")
    answer = await ask(client, "vietqr", one, other)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/several-books"


async def test_an_amount_that_the_gateway_refuses_is_told(client: httpx2.AsyncClient) -> None:
    """The adapter's own limit is a refusal, not an error."""
    one = await recorded(client, *([10**12] * 50))
    answer = await ask(client, "vnpay", one)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/amount-not-payable"
