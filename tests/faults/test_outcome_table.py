"""Every row of the outcome table through HTTP: answer, entry, notice, case, trial balance."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.acting import Payment
from providers.vnpay import ADAPTER
from service.proof import prove
from tests.faults.calling import (
    AMOUNTS,
    DAY,
    NUMBERS,
    After,
    import_statement,
    ipn,
    lines_of,
    owed_of,
    seen,
    webhook,
)
from tests.faults.serving import GATEWAY_TERMS, deliver
from tests.makers import NOW
from tests.service.notices import recorded
from tests.service.statements.making import Row

pytestmark = pytest.mark.anyio


async def test_a_fee_is_paid_once_whatever_is_sent(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Must show 2: forged first, then true, repeated, changed: one payment, the right answers."""
    today = datetime.now(UTC) + timedelta(hours=7)
    fee = await recorded(one_stop, 200_000, dossier_code=f"000.00.23.H57-{today:%y%m%d}-0042")
    asked = await one_stop.post(
        "/v1/payment-requests",
        json={
            "notice_ids": [fee["id"]],
            "provider": "vnpay",
            "return_url": "https://dvc.hue.gov.vn/x",
        },
        headers={"Idempotency-Key": "must-show-2"},
    )
    assert asked.status_code == 201, asked.text
    payment = Payment(
        order_code=asked.json()["reference"],
        transaction=str(next(NUMBERS)),
        amount_vnd=200_000,
        paid_at=NOW,
    )
    true = ADAPTER.call_as_provider(payment, GATEWAY_TERMS, NOW)
    signature = true.raw_query.rpartition(b"=")[2]
    forged = msgspec.structs.replace(
        true, raw_query=true.raw_query.replace(signature, b"0" * len(signature))
    )
    dearer = msgspec.structs.replace(
        true, raw_query=true.raw_query.replace(b"20000000", b"90000000")
    )
    told = [(await deliver(provider, call)).code for call in (forged, true, true, dearer, forged)]
    assert told == ["97", "00", "02", "97", "97"]
    shown = (await one_stop.get(f"/v1/fee-notices/{fee['id']}")).json()
    assert (shown["status"], shown["settled"], shown["paid_vnd"]) == ("paid", True, 200_000)
    after = await seen(one_stop, books, payment.transaction)
    assert (after.lines, after.reason) == ([("1130", "1383", 200_000)], None)


async def test_fifty_copies_racing_are_one_payment(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Must show 9: one is told "00" and 49 are told "02"; the money is there once."""
    owed = await owed_of(books, 50_000)
    number = next(NUMBERS)
    told = await asyncio.gather(
        *(ipn(provider, owed.reference, 50_000, number=number) for _ in range(50))
    )
    assert sorted(answer.code for answer, _ in told) == ["00"] + ["02"] * 49
    after = await seen(one_stop, books, str(number), owed)
    assert after == After(lines=[("1130", "1383", 50_000)], status="paid", paid_vnd=50_000)


GATEWAY_ROWS: dict[str, tuple[str, str | None, str, str | None, dict[str, Any]]] = {
    "exact": ("00", "1383", "paid", None, {}),
    "other amount": ("04", "3380", "open", "AMOUNT_MISMATCH", {"amount_vnd": 49_000}),
    "unknown order": ("01", "3380", "open", "UNIDENTIFIED_CREDIT", {"reference": "HUE01ZZZZZZZZZ"}),
    "cancelled": ("00", "3381", "cancelled", "PAID_AFTER_CANCEL", {}),
    "expired": ("00", "3381", "open", "PAID_EXPIRED_ORDER", {}),
    "suspected fraud": ("00", "3380", "open", "HELD_BY_PROVIDER", {"status": "held"}),
    "unreadable": ("00", None, "open", "AMOUNT_UNREADABLE", {"amount_text": "5000055"}),
    "not paid": ("00", None, "open", None, {"status": "cancelled"}),
}


@pytest.mark.parametrize("row", GATEWAY_ROWS)
async def test_a_gateways_row(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine, row: str
) -> None:
    """Money at a gateway: the answer, where it stands, the notice and the case."""
    code, account, status, reason, how = GATEWAY_ROWS[row]
    expires_at = NOW - timedelta(hours=1) if row == "expired" else None
    owed = await owed_of(books, 50_000, expires_at=expires_at)
    if row == "cancelled":
        path = f"/v1/fee-notices/{owed.notice_id}/cancellation"
        assert (await one_stop.post(path, json={"reason": "rút hồ sơ"})).status_code == 200
    what: dict[str, Any] = {"reference": owed.reference, "amount_vnd": 50_000, **how}
    told, number = await ipn(provider, **what)
    assert told.code == code
    after = await seen(one_stop, books, number, owed)
    assert after == After(
        lines=[("1130", account, what["amount_vnd"])] if account else [],
        status=status,
        paid_vnd=50_000 if account == "1383" else 0,
        reason=reason,
    )


async def test_a_second_payment_of_a_paid_notice_is_the_payers(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Another movement for a paid notice: "02", 3381 whole, DUPLICATE_PAYMENT."""
    owed = await owed_of(books, 50_000)
    first, _ = await ipn(provider, owed.reference, 50_000)
    second, number = await ipn(provider, owed.reference, 50_000)
    assert (first.code, second.code) == ("00", "02")
    assert await seen(one_stop, books, number, owed) == After(
        lines=[("1130", "3381", 50_000)],
        status="paid",
        paid_vnd=50_000,
        reason="DUPLICATE_PAYMENT",
    )


async def test_money_of_one_book_pays_a_notice_of_another(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """One merchant serves two books: 1130/3389 in its own, 1389/1383 in the other (12)."""
    owed = await owed_of(books, 50_000, book_id=2)
    told, number = await ipn(provider, owed.reference, 50_000)
    assert told.code == "00"
    after = await seen(one_stop, books, number, owed)
    assert sorted(after.lines) == [("1130", "3389", 50_000), ("1389", "1383", 50_000)]
    assert (after.status, after.reason) == ("paid", None)


TRANSFER_ROWS = {
    "exact": (50_000, [("1130", "1383", 50_000)], "paid", 50_000, 0, None),
    "below due": (30_000, [("1130", "1383", 30_000)], "partially_paid", 30_000, 0, "UNDERPAYMENT"),
    "above due": (
        60_000,
        [("1130", "1383", 50_000), ("1130", "3381", 10_000)],
        "paid",
        50_000,
        10_000,
        "OVERPAYMENT",
    ),
}


@pytest.mark.parametrize("row", TRANSFER_ROWS)
async def test_a_transfer_by_references_row(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine, row: str
) -> None:
    """A bank transfer with a valid reference pays what is due; the rest is the payer's."""
    amount_vnd, lines, status, paid_vnd, held_vnd, reason = TRANSFER_ROWS[row]
    owed = await owed_of(books, 50_000)
    told, number = await webhook(provider, f"NGUYEN VAN A {owed.reference} nop phi", amount_vnd)
    assert (told.status, told.body) == (200, b'{"success":true}')
    assert await seen(one_stop, books, number, owed) == After(
        lines=lines, status=status, paid_vnd=paid_vnd, held_vnd=held_vnd, reason=reason
    )


async def test_an_excess_that_a_sibling_explains_waits(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Above due, and another open notice of the payer is the rest: 3380 whole, AMBIGUOUS."""
    payer = str(next(NUMBERS)).encode()
    owed = await owed_of(books, 50_000, payer_key=payer)
    await owed_of(books, 20_000, payer_key=payer)
    _, number = await webhook(provider, owed.reference, 70_000)
    assert await seen(one_stop, books, number, owed) == After(
        lines=[("1130", "3380", 70_000)], status="open", reason="AMBIGUOUS"
    )


async def test_a_transfer_without_a_reference_waits(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """No valid reference: "success", 3380, UNIDENTIFIED_CREDIT."""
    told, number = await webhook(provider, "nop phi ho so", 51_000 + Random().randrange(999))
    assert told.status == 200
    after = await seen(one_stop, books, number)
    assert [line[:2] for line in after.lines] == [("1130", "3380")]
    assert after.reason == "UNIDENTIFIED_CREDIT"


async def test_money_that_goes_out_is_unexplained(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Outgoing money that names no credit: 1380, with a case."""
    told, number = await webhook(provider, "chuyen di", 9_000, direction="out")
    assert told.status == 200
    assert await seen(one_stop, books, number) == After(
        lines=[("1380", "1130", 9_000)], reason="OUT_OF_SCOPE"
    )


async def test_a_reversed_transfer_opens_its_notice_again(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """A debit with the bank reference and amount of one credit undoes it, with a case."""
    owed = await owed_of(books, 50_000)
    bank_reference = f"FT{next(NUMBERS)}"
    await webhook(provider, owed.reference, 50_000, bank_reference=bank_reference)
    _, number = await webhook(
        provider, "hoan tien", 50_000, direction="out", bank_reference=bank_reference
    )
    assert await seen(one_stop, books, number, owed) == After(
        lines=[("1383", "1130", 50_000)], status="open", reason="BANK_REVERSAL"
    )


async def test_a_statement_line_of_known_money_moves_it_to_the_bank(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Seen before: 1121 / 1130 and nothing else; the notice stays paid once."""
    amount_vnd = next(AMOUNTS)  # of no other test: amount, day and account join sightings
    owed = await owed_of(books, amount_vnd)
    bank_reference = f"FT{next(NUMBERS)}"
    _, number = await webhook(provider, owed.reference, amount_vnd, bank_reference=bank_reference)
    row = Row(amount_vnd=amount_vnd, memo="nop phi", reference=bank_reference, day=DAY)
    await import_statement(one_stop, [row])
    assert await seen(one_stop, books, number, owed) == After(
        lines=[("1130", "1383", amount_vnd), ("1121", "1130", amount_vnd)],
        status="paid",
        paid_vnd=amount_vnd,
    )


async def test_a_statement_line_first_is_explained_by_the_later_sighting(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """1121 / 3380 at first; the webhook is attached and moves 3380 to the notice, no more."""
    amount_vnd = next(AMOUNTS)  # of no other test: amount, day and account join sightings
    owed = await owed_of(books, amount_vnd)
    bank_reference = f"FT{next(NUMBERS)}"
    row = Row(amount_vnd=amount_vnd, memo="nop phi", reference=bank_reference, day=DAY)
    await import_statement(one_stop, [row])
    assert await lines_of(books, bank_reference) == [("1121", "3380", amount_vnd)]
    told, number = await webhook(
        provider, owed.reference, amount_vnd, bank_reference=bank_reference
    )
    assert told.status == 200
    assert await seen(one_stop, books, number, owed) == After(
        lines=[("1121", "3380", amount_vnd), ("3380", "1383", amount_vnd)],
        status="paid",
        paid_vnd=amount_vnd,
    )


async def test_after_all_of_it_the_books_are_proven(
    provider: httpx2.AsyncClient, one_stop: httpx2.AsyncClient, books: AsyncEngine
) -> None:
    """Whatever the tests of this process have sent so far, every invariant holds."""
    owed = await owed_of(books, 50_000)
    await ipn(provider, owed.reference, 50_000)
    assert [finding async for finding in prove(books)] == []
