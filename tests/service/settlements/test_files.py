"""Files: the same twice, overlapping, contradicting, with gaps, killed in the middle."""

import asyncio
import contextlib

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.sealing import Sealer
from service.settlements.importing import import_kept, import_waiting
from tests.service.settlements.making import (
    MASTER_KEY,
    at,
    bring,
    call,
    cases,
    facts,
    file_of,
    keep_file,
    nothing_breaks,
    open_shop,
    other,
    owe,
    paid,
)
from tests.service.statements.making import balance, every, tables

pytestmark = pytest.mark.anyio


async def test_the_same_file_twice_is_one_settlement(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The second copy is the first one's resource and writes nothing."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 70_000))
    await call(engine, shop, payments)
    data = file_of(shop, facts(shop, payments))
    first = await bring(engine, shop, data)
    before = await tables(engine)
    second = await bring(engine, shop, data)
    assert second["id"] == first["id"]
    assert await tables(engine) == before


async def test_overlapping_files_count_a_line_once(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """By transaction, kind, amount and batch, with multiplicity; chunks of any size."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 70_000, 90_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    await bring(engine, shop, file_of(shop, told[:2], payouts=False), chunk_lines=1)
    whole = await bring(engine, shop, file_of(shop, told), chunk_lines=2)
    assert (whole["lines_read"], whole["lines_new"], whole["lines_known"]) == (4, 2, 2)
    assert await balance(engine, "1388") == 210_000 - 3 * 550
    assert await cases(engine) == []
    await nothing_breaks(engine)


async def test_a_file_that_contradicts_an_earlier_one_is_refused(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Another fee of a known line, or a new line in a batch that was paid out, names the row."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 70_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    await bring(engine, shop, file_of(shop, told[:1]))
    before = await balance(engine, "1388")
    fee = await bring(engine, shop, file_of(shop, [other(told[0], fee_vnd=551)], payouts=False))
    assert fee["status"] == "refused"
    assert "row 2, column Fee" in fee["problem"]
    assert "off by 1 đồng" in fee["problem"]
    more = await bring(engine, shop, file_of(shop, told))
    assert more["status"] == "refused"
    assert "row 3: batch 7 was closed by an earlier file" in more["problem"]
    assert await balance(engine, "1388") == before
    await nothing_breaks(engine)


async def test_a_payout_that_is_not_its_batch_is_refused(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Also where the lines came in an earlier file than the payout."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    await bring(engine, shop, file_of(shop, told, payouts=False))
    payout = other(told[0], kind="payout", transaction="", order="", scope="", fee_vnd=0)
    wrong = await bring(
        engine, shop, file_of(shop, [other(payout, gross_vnd=49_451)], payouts=False)
    )
    assert "column Net: the payout of batch 7 is 49451" in wrong["problem"]
    assert "off by 1 đồng" in wrong["problem"]
    right = await bring(
        engine, shop, file_of(shop, [other(payout, gross_vnd=49_450)], payouts=False)
    )
    assert (right["status"], right["problem"]) == ("done", None)
    assert await every(engine, "select announced_vnd from service.settlement_batch") == [(49_450,)]


async def test_a_gap_between_counted_batches_is_a_case_until_it_is_filled(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Batch 9 behind batch 7 is taken, and says that 8 is missing; 8 ends the case."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 70_000, 90_000))
    await call(engine, shop, payments)
    told = [
        other(fact, batch=batch)
        for fact, batch in zip(facts(shop, payments), ("7", "8", "9"), strict=True)
    ]
    await bring(engine, shop, file_of(shop, told[:1]))
    await bring(engine, shop, file_of(shop, told[2:]))
    assert await cases(engine) == [("settlement", "SETTLEMENT_GAP", 89_450)]
    await bring(engine, shop, file_of(shop, told[1:2]))
    assert await cases(engine) == []


async def test_an_import_that_was_killed_goes_on(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Whatever was taken is not taken again; the worker finishes what is left."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, *range(50_000, 50_040)))
    await call(engine, shop, payments)
    kept = await keep_file(engine, shop, file_of(shop, facts(shop, payments)))
    sealer = Sealer(MASTER_KEY)
    reached = asyncio.Event()
    work = asyncio.create_task(
        import_kept(engine, sealer, kept, lambda *_: reached.set(), chunk_lines=3)
    )
    await reached.wait()
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    ((status, taken),) = await every(engine, "select status, lines_new from service.settlement")
    assert status == "importing"
    assert 0 < int(str(taken)) < 41
    await nothing_breaks(engine)
    assert await import_waiting(engine, sealer, 1) == 1
    told = await every(engine, "select status, lines_new from service.settlement")
    assert told == [("done", 41)]
    assert await balance(engine, "1388") == sum(one.amount_vnd - 550 for one in payments)
    await nothing_breaks(engine)


async def test_what_was_begun_is_finished_before_the_next_file(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The next file is judged by all that the one before it tells."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000, 70_000))
    await call(engine, shop, payments)
    told = facts(shop, payments)
    await keep_file(engine, shop, file_of(shop, told[:1]))
    async with engine.begin() as connection:
        await connection.exec_driver_sql("update service.settlement set status = 'importing'")
    kept = await keep_file(engine, shop, file_of(shop, told))
    await import_kept(engine, Sealer(MASTER_KEY), kept, clock=lambda: at(4))
    found = await every(engine, "select status from service.settlement order by id")
    assert found == [("done",), ("refused",)]


@pytest.mark.parametrize("known_by", ["calls", "a file"])
@pytest.mark.parametrize("provider", ["sandbox", "vnpay"])
async def test_another_merchants_file_is_refused(
    engine: AsyncEngine, two_books: tuple[int, int], provider: str, known_by: str
) -> None:
    """Taken under the wrong name it would book the same money a second time (3)."""
    shop = await open_shop(engine, provider)
    wrong = await open_shop(engine, provider, merchant="HUE2")
    payments = paid(await owe(engine, 50_000, 70_000))
    data = file_of(shop, facts(shop, payments))
    if known_by == "calls":
        await call(engine, shop, payments)
    else:
        await bring(engine, shop, data)
    before = await balance(engine, "1130"), await balance(engine, "1388")
    refused = await bring(engine, wrong, data)
    assert refused["status"] == "refused"
    assert "another merchant" in refused["problem"]
    assert (await balance(engine, "1130"), await balance(engine, "1388")) == before
    assert (await bring(engine, shop, data))["status"] == "done"
    await nothing_breaks(engine)
