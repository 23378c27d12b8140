"""Every kind of line, tied or not: what it books, and how it is named."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.settlements import Fact
from service.settlements.contracts import Contract, add
from tests.makers import NOW
from tests.service.settlements.making import (
    Shop,
    at,
    bring,
    call,
    cases,
    facts,
    file_of,
    nothing_breaks,
    open_shop,
    other,
    owe,
    paid,
    verdicts,
)
from tests.service.statements.making import balance, every

pytestmark = pytest.mark.anyio


def back(fact: Fact, kind: str, *, gross_vnd: int | None = None) -> Fact:
    """A line that takes back (or gives again) the payment of another."""
    sign = 1 if kind == "chargeback_reversed" else -1
    return other(fact, kind=kind, gross_vnd=sign * (gross_vnd or fact.gross_vnd), fee_vnd=0)


async def statuses(engine: AsyncEngine) -> list[object]:
    """How the notices stand, the first one first."""
    found = await every(engine, "select status from service.notice_state order by notice_id")
    return [one for (one,) in found]


async def test_a_payment_that_nobody_called_about_is_booked_from_the_file(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """MISSING_CALLBACK: by order and exact amount its notice is paid, also of another book."""
    shop = await open_shop(engine)
    mine, theirs = await owe(engine, 50_000), await owe(engine, 70_000, book_id=2)
    payments = paid([*mine, *theirs])
    await bring(engine, shop, file_of(shop, facts(shop, payments)))
    assert await statuses(engine) == ["paid", "paid"]
    assert await cases(engine) == [
        ("settlement", "MISSING_CALLBACK", 50_000),
        ("settlement", "MISSING_CALLBACK", 70_000),
    ]
    assert await balance(engine, "1388") == 120_000 - 2 * 550
    assert (await balance(engine, "3389"), await balance(engine, "1389", 2)) == (-70_000, 70_000)
    await nothing_breaks(engine)
    await call(engine, shop, payments)
    assert await cases(engine) == []
    assert await balance(engine, "1130") == 0
    await nothing_breaks(engine)


async def test_money_that_fits_no_open_order_waits_as_the_table_says(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Unknown order, other amount, paid before: 3380, 3380 and 3381, each with its case."""
    shop = await open_shop(engine)
    owed = await owe(engine, 50_000, 70_000, 90_000)
    await call(engine, shop, paid(owed[2:], 30))
    payments = paid(owed)
    told = facts(shop, payments)
    told[0] = other(told[0], order="HUE01ZZZZZZZZZ", scope="HUE01ZZZZZZZZZ")
    told[1] = other(told[1], gross_vnd=69_000)
    await bring(engine, shop, file_of(shop, told))
    assert await cases(engine) == [
        ("settlement", "AMOUNT_MISMATCH", 69_000),
        ("settlement", "DUPLICATE_PAYMENT", 90_000),
        ("settlement", "ORPHAN_SETTLEMENT", 50_000),
    ]
    assert (await balance(engine, "3380"), await balance(engine, "3381")) == (-119_000, -90_000)
    await nothing_breaks(engine)


async def test_a_payment_that_is_settled_twice_waits_in_suspense(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The provider owes and will claw back: 1388 has it, 3380 too, and no notice hears of it."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    await bring(engine, shop, file_of(shop, told + told))
    assert await verdicts(engine) == ["settled", "duplicate", "payout"]
    assert await cases(engine) == [("settlement", "DUPLICATE_SETTLEMENT", 50_000)]
    assert (await balance(engine, "1388"), await balance(engine, "3380")) == (98_900, -50_000)
    await nothing_breaks(engine)


async def test_refunds_lessen_the_batch_and_leave_clearing_to_be_explained(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Known: 1130 / 1388 of its payment. Of nothing, or too much: 1380 with the case."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 70_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    strange = other(back(told[0], "refund"), transaction="X9", order="X9", scope="X9")
    refunds = [back(told[0], "refund", gross_vnd=30_000), back(told[1], "refund"), strange]
    again = other(back(told[1], "refund", gross_vnd=1), refund_reference="second")
    await bring(engine, shop, file_of(shop, [*told, *refunds, again], payouts=False))
    assert await verdicts(engine) == [
        "settled", "settled", "refunded", "refunded", "no_original", "refund_exceeds"
    ]  # fmt: skip
    assert await cases(engine) == [
        ("settlement", "REFUND_EXCEEDS", 1),
        ("settlement", "REFUND_NOT_BOOKED", 30_000),
        ("settlement", "REFUND_NOT_BOOKED", 70_000),
        ("settlement", "REFUND_NO_ORIGINAL", 50_000),
    ]
    assert (await balance(engine, "1130"), await balance(engine, "1380")) == (100_000, 50_001)
    assert await balance(engine, "1388") == 120_000 - 1_100 - 150_001
    await nothing_breaks(engine)


async def test_a_dispute_stays_owed_until_it_is_decided(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A chargeback leaves its batch and is owed as a dispute; won, it is the new batch's."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    lost = [*told, back(told[0], "chargeback"), back(told[0], "chargeback", gross_vnd=1)]
    await bring(engine, shop, file_of(shop, lost, payouts=False))
    assert await verdicts(engine) == ["settled", "disputed", "no_original"]
    assert await statuses(engine) == ["paid"]
    assert await balance(engine, "1388") == 50_000 - 550 - 1
    open_batch = await every(engine, "select receivable_vnd from service.settlement_batch")
    assert open_batch == [(-551,)]
    await nothing_breaks(engine)
    won = [other(back(told[0], "chargeback_reversed"), batch="8")]
    await bring(engine, shop, file_of(shop, won))
    assert (await verdicts(engine))[3:] == ["dispute_won", "payout"]
    assert await balance(engine, "1388") == 50_000 - 550 - 1
    assert ("settlement", "CHARGEBACK", 50_000) not in await cases(engine)
    await nothing_breaks(engine)


async def test_a_reversal_opens_the_notice_again(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The provider takes the payment back whole: the mirror of its booking, and a case."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    await bring(engine, shop, file_of(shop, [*told, back(told[0], "reversal")], payouts=False))
    assert await verdicts(engine) == ["settled", "reversed"]
    assert await statuses(engine) == ["open"]
    assert await cases(engine) == [("settlement", "PAYMENT_REVERSED", 50_000)]
    assert (await balance(engine, "1388"), await balance(engine, "1383")) == (-550, 50_000)
    await nothing_breaks(engine)


async def test_fees_and_adjustments_without_a_payment(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A fee is a cost of the batch; an adjustment is money in or out that a person explains."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    fee = other(told[0], kind="fee", transaction="", order="", scope="", gross_vnd=0, fee_vnd=99)
    more = other(fee, kind="adjustment", gross_vnd=40, fee_vnd=0)
    less = other(fee, kind="adjustment", gross_vnd=-15, fee_vnd=0)
    await bring(engine, shop, file_of(shop, [*told, fee, more, less]))
    assert await verdicts(engine) == ["settled", "fee", "adjusted", "adjusted", "payout"]
    assert await balance(engine, "6140") == 649
    assert await balance(engine, "1388") == 50_000 - 649 + 40 - 15
    assert await cases(engine) == [
        ("settlement", "OUT_OF_SCOPE", 15),
        ("settlement", "SETTLEMENT_ADJUSTMENT", 40),
    ]
    await nothing_breaks(engine)


async def contract(engine: AsyncEngine, shop: Shop) -> None:
    """A contract of 1.1 % from the first of November on."""
    async with engine.begin() as connection:
        merchant_id = await connection.scalar(
            sa.text("select id from service.merchant where provider = :p"), {"p": shop.provider}
        )
        agreed = Contract(valid_from=at(1).date(), rate_ppm=11_000)
        await add(connection, 1, int(str(merchant_id)), agreed, NOW)


async def test_fees_are_recomputed_by_the_contract_of_the_day(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """One đồng off is one case for the batch that names the line; without a contract: unproven."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 50_000, 50_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    row = await bring(engine, shop, file_of(shop, [other(told[2], batch="6")]))
    assert row["fees_proven"] is False
    await contract(engine, shop)
    told[1] = other(told[1], fee_vnd=551)
    row = await bring(engine, shop, file_of(shop, told[:2]))
    assert (row["status"], row["fees_proven"]) == ("done", True)
    assert await cases(engine) == [("settlement", "FEE_MISMATCH", 1)]
    ((fields,),) = await every(engine, "select fields from service.unmatched")
    assert isinstance(fields, list)
    assert (fields[1]["expected"], fields[1]["found"]) == (550, 551)
    assert fields[1]["name"].startswith("fee_vnd of row 3 ")
    await nothing_breaks(engine)


@pytest.mark.parametrize(
    ("gross_vnd", "terms", "fee_vnd"),
    [
        (50_000, {}, 550),
        (45_454, {}, 500),
        (45_500, {}, 501),
        (45_455, {"rounding": "down"}, 500),
        (45_455, {"rounding": "up"}, 501),
        (10_000, {"fixed_vnd": 1_000}, 1_110),
        (10_000, {"minimum_vnd": 2_000}, 2_000),
        (10_000_000, {"maximum_vnd": 50_000}, 50_000),
    ],
)
def test_a_contract_is_exact(gross_vnd: int, terms: dict[str, int], fee_vnd: int) -> None:
    """Rate, fixed part, bounds and the stated rounding give one fee, in whole đồng."""
    agreed = Contract(valid_from=at(1).date(), rate_ppm=11_000, **terms)  # type: ignore[arg-type]
    assert agreed.fee_vnd(gross_vnd) == fee_vnd


async def test_what_no_file_settles_in_time_is_missing(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Timing first, a difference after due day and grace; it comes right when a file tells it."""
    shop = await open_shop(engine)
    first, second = paid(await owe(engine, 50_000, 70_000))
    await call(engine, shop, [first, second])
    told = facts(shop, [first, second])
    paid_3rd = file_of(shop, told[:1])
    await bring(engine, shop, paid_3rd, day=6)
    assert await cases(engine) == []
    late = [other(told[0], transaction="F", order="F", scope="F", happened_at=at(9), batch="8")]
    await bring(engine, shop, file_of(shop, late, payouts=False), day=9)
    missing = [("callback", "MISSING_SETTLEMENT", 70_000), ("settlement", "PAYOUT_MISSING", 49_450)]
    assert [one for one in await cases(engine) if "MISSING" in one[1]] == missing
    await bring(engine, shop, file_of(shop, [other(told[1], batch="9")]), day=9)
    assert missing[0] not in await cases(engine)
    await nothing_breaks(engine)
