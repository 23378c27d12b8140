"""The outcome table, row by row, on the books."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.database import transaction
from service.payments.booking import book
from service.payments.sightings import Became, Booked, Sighting
from tests.makers import NOW, gateway, make_account, make_merchant, make_owed, transfer

pytestmark = pytest.mark.anyio


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the books say after one sighting."""

    lines: list[tuple[str, str, int]]
    status: str | None
    paid_vnd: int
    held_vnd: int
    reasons: list[str]


LINES = sa.text("""
    select debit, credit, amount_vnd from ledger.line where movement_id = :id
    order by entry_id, position
""")
STATE = sa.text("""
    select status, paid_vnd, held_vnd from service.notice_state where notice_id = :id
""")
REASONS = sa.text("""
    select reason from service.unmatched where subject_id = :id and status <> 'resolved'
    order by reason
""")


async def found(
    connection: AsyncConnection, movement_id: UUID | None, notice_id: UUID | None = None
) -> Found:
    """Read what the books say of a movement and a notice."""
    lines = (await connection.execute(LINES, {"id": movement_id})).all()
    state = (await connection.execute(STATE, {"id": notice_id})).one_or_none()
    reasons = (await connection.scalars(REASONS, {"id": movement_id})).all()
    return Found(
        lines=[tuple(line) for line in lines],
        status=state.status if state else None,
        paid_vnd=state.paid_vnd if state else 0,
        held_vnd=state.held_vnd if state else 0,
        reasons=list(reasons),
    )


async def take(engine: AsyncEngine, *sightings: Sighting) -> list[Booked]:
    """Book sightings as one group."""
    async with transaction(engine) as connection:
        return await book(connection, sightings, now=NOW)


async def test_an_exact_gateway_payment_pays_the_notice(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Order, exact amount: D 1130 / C 1383 by item, and the notice is paid."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 1, 50_000, 20_000)
        merchant_id = await make_merchant(connection, 1)
    (booked,) = await take(engine, gateway(owed, 70_000, merchant_id))
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
    assert booked.became is Became.ALLOCATED
    assert after == Found(
        lines=[("1130", "1383", 50_000), ("1130", "1383", 20_000)],
        status="paid",
        paid_vnd=70_000,
        held_vnd=0,
        reasons=[],
    )


GATEWAY_ROWS = [
    # amount, reference known, held, expired, cancelled -> became, credit account, status, reason
    pytest.param(49_000, "", Became.AMOUNT_DIFFERS, "3380", "open", "AMOUNT_MISMATCH", id="amount"),
    pytest.param(
        50_000,
        "unknown",
        Became.UNKNOWN_ORDER,
        "3380",
        "open",
        "UNIDENTIFIED_CREDIT",
        id="unknown",
    ),
    pytest.param(50_000, "held", Became.KEPT, "3380", "open", "HELD_BY_PROVIDER", id="held"),
    pytest.param(
        50_000, "expired", Became.KEPT, "3381", "open", "PAID_EXPIRED_ORDER", id="expired"
    ),
    pytest.param(
        50_000,
        "cancelled",
        Became.KEPT,
        "3381",
        "cancelled",
        "PAID_AFTER_CANCEL",
        id="cancelled",
    ),
]


@pytest.mark.parametrize(
    ("amount_vnd", "how", "became", "credit", "status", "reason"), GATEWAY_ROWS
)
async def test_gateway_money_that_pays_nothing_is_kept_with_a_case(
    engine: AsyncEngine,
    two_books: tuple[int, int],
    amount_vnd: int,
    how: str,
    became: Became,
    credit: str,
    status: str,
    reason: str,
) -> None:
    """Money a gateway holds for no payable order goes whole to 3380 or 3381, with its case."""
    async with transaction(engine) as connection:
        expires_at = NOW - timedelta(minutes=1) if "expired" in how else None
        owed = await make_owed(connection, 1, 50_000, expires_at=expires_at)
        merchant_id = await make_merchant(connection, 1)
        if "cancelled" in how:
            await connection.execute(
                sa.text(
                    "update service.notice_state set cancelled_at = now() where notice_id = :n"
                ),
                {"n": owed.notice_id},
            )
    told = gateway(
        owed,
        amount_vnd,
        merchant_id,
        reference="HUE01000000000" if "unknown" in how else None,
        held="held" in how,
    )
    (booked,) = await take(engine, told)
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
    assert booked.became is became
    assert after == Found(
        lines=[("1130", credit, amount_vnd)],
        status=status,
        paid_vnd=0,
        held_vnd=0,
        reasons=[reason],
    )


async def test_a_second_movement_for_a_paid_notice_is_the_payers(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Another movement for a paid notice: D 1130 / C 3381 whole, the notice is unchanged."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 1, 50_000)
        merchant_id = await make_merchant(connection, 1)
    first = gateway(owed, 50_000, merchant_id, transaction="1")
    second = gateway(owed, 50_000, merchant_id, transaction="2")
    _, booked = await take(engine, first, second)
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
    assert booked.became is Became.ANOTHER_FOR_PAID
    assert after == Found(
        lines=[("1130", "3381", 50_000)],
        status="paid",
        paid_vnd=50_000,
        held_vnd=0,
        reasons=["DUPLICATE_PAYMENT"],
    )


TRANSFER_ROWS = [
    pytest.param(50_000, [("1130", "1383", 50_000)], "paid", 0, [], id="exact"),
    pytest.param(
        30_000, [("1130", "1383", 30_000)], "partially_paid", 0, ["UNDERPAYMENT"], id="below"
    ),
    pytest.param(
        60_000,
        [("1130", "1383", 50_000), ("1130", "3381", 10_000)],
        "paid",
        10_000,
        ["OVERPAYMENT"],
        id="above",
    ),
]


@pytest.mark.parametrize(("amount_vnd", "lines", "status", "held_vnd", "reasons"), TRANSFER_ROWS)
async def test_a_transfer_with_a_valid_reference(
    engine: AsyncEngine,
    two_books: tuple[int, int],
    amount_vnd: int,
    lines: list[tuple[str, str, int]],
    status: str,
    held_vnd: int,
    reasons: list[str],
) -> None:
    """A transfer by reference pays up to what is due; the rest is the payer's."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 1, 50_000)
        account = await make_account(connection, 1)
    (booked,) = await take(engine, transfer(account, amount_vnd, reference=owed.reference))
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
    assert after.lines == lines
    assert (after.status, after.held_vnd, after.reasons) == (status, held_vnd, reasons)


async def test_an_excess_that_another_open_notice_explains_is_for_a_person(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Above due, and an open sibling could explain the rest: all to 3380, AMBIGUOUS."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 1, 50_000, payer_key=b"p")
        await make_owed(connection, 1, 20_000, payer_key=b"p")
        account = await make_account(connection, 1)
    (booked,) = await take(engine, transfer(account, 70_000, reference=owed.reference))
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
    assert after.lines == [("1130", "3380", 70_000)]
    assert (after.status, after.reasons) == ("open", ["AMBIGUOUS"])


async def test_a_transfer_without_a_reference_waits_in_suspense(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A transfer without a valid reference: D 1130 / C 3380, UNIDENTIFIED_CREDIT."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
    (booked,) = await take(engine, transfer(account, 50_000))
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id)
    assert after.lines == [("1130", "3380", 50_000)]
    assert after.reasons == ["UNIDENTIFIED_CREDIT"]


async def test_a_reference_at_another_units_account_is_for_a_person(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A valid reference at the wrong account stays in suspense as WRONG_ACCOUNT."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 1, 50_000)
        account = await make_account(connection, 2)
    told = transfer(account, 50_000, book_id=2, reference=owed.reference)
    (booked,) = await take(engine, told)
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
    assert after.lines == [("1130", "3380", 50_000)]
    assert (after.status, after.reasons) == ("open", ["WRONG_ACCOUNT"])


async def test_money_for_another_units_notice_mirrors_between_the_books(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """One merchant, two books: 1130/3389 where the money is, 1389/1383 where it is owed (12)."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 2, 50_000)
        merchant_id = await make_merchant(connection, 1, serves=[2])
    (booked,) = await take(engine, gateway(owed, 50_000, merchant_id, book_id=1))
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
        shared = (
            await connection.execute(
                sa.text("select book_id, kind from ledger.entry where shared_id = :m order by 1"),
                {"m": booked.movement_id},
            )
        ).all()
    assert sorted(after.lines) == [("1130", "3389", 50_000), ("1389", "1383", 50_000)]
    assert [tuple(row) for row in shared] == [(1, "money_in"), (2, "due_from_unit")]
    assert after.status == "paid"


async def test_outgoing_money_is_unexplained_until_somebody_says(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Outgoing money that names no credit: D 1380 / C 1130 with a case."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
    out = transfer(account, 9_000, direction="out")
    (booked,) = await take(engine, out)
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id)
    assert after.lines == [("1380", "1130", 9_000)]
    assert after.reasons == ["OUT_OF_SCOPE"]


@pytest.mark.parametrize("how", ["together", "apart"])
async def test_a_reversed_credit_opens_its_notice_again(
    engine: AsyncEngine, two_books: tuple[int, int], how: str
) -> None:
    """A debit with the trace and amount of one credit undoes it: the notice is open again."""
    async with transaction(engine) as connection:
        owed = await make_owed(connection, 1, 50_000)
        account = await make_account(connection, 1)
    credit = transfer(account, 50_000, reference=owed.reference, traces=["FT9"])
    debit = transfer(account, 50_000, direction="out", traces=["FT9"])
    if how == "together":
        _, booked = await take(engine, credit, debit)
    else:
        await take(engine, credit)
        (booked,) = await take(engine, debit)
    async with engine.connect() as connection:
        after = await found(connection, booked.movement_id, owed.notice_id)
        live = await connection.scalar(
            sa.text("select sum(amount_vnd) from service.allocation where notice_id = :n"),
            {"n": owed.notice_id},
        )
    assert after.lines == [("1383", "1130", 50_000)]
    assert (after.status, after.paid_vnd, after.reasons) == ("open", 0, ["BANK_REVERSAL"])
    assert live == 0
