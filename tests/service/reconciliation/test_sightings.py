"""One transfer through its windows, in every order, is one; two honest equal ones are two."""

from itertools import permutations
from typing import Literal

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.payments.booking import book
from service.payments.sightings import Sighting
from service.reconciliation.runs import reconcile
from service.statements.lines import instant
from tests.service.reconciliation.making import UNTIL, Owed, live, owe, reference, statuses
from tests.service.reconciliation.transfers import told
from tests.service.statements.making import (
    FIRST_DAY,
    Row,
    add_account,
    balance,
    csv,
    every,
    import_bytes,
)

pytestmark = pytest.mark.anyio

DOSSIER = "000.00.23.H57-261101-0001"
CODES = ("1121", "1130", "1383", "3380", "3381")
ORDERS = list(permutations(range(3)))
Window = Literal["feed", "statement"]


async def one_by_one(engine: AsyncEngine, *sightings: Sighting) -> None:
    """Book each report in a transaction of its own; a webhook told again is the same event."""
    seen = set()
    for sighting in sightings:
        if sighting.id in seen:
            continue  # the inbox knows the event: it never reaches the booking twice
        seen.add(sighting.id)
        async with engine.begin() as connection:
            await book(connection, [sighting], now=instant(FIRST_DAY))


@pytest.mark.parametrize("order", ORDERS)
async def test_one_transfer_in_every_order_is_one_credit(
    engine: AsyncEngine, two_books: tuple[int, int], order: tuple[int, ...]
) -> None:
    """Webhook, webhook again and statement: one credit and the same balances (must show 4)."""
    (notice,) = await owe(engine, Owed(dossier=DOSSIER, amount_vnd=50_000, reference=reference(1)))
    account = await add_account(engine)
    memo = f"MBVCB.5718214601.{reference(1)}.CT tu 27078"
    webhook = told("feed", account.id, 50_000, memo, bank_reference="FT26306000001")
    line = told("statement", account.id, 50_000, memo, bank_reference="FT26306000001")
    windows = [webhook, webhook, line]
    await one_by_one(engine, *(windows[place] for place in order))
    await reconcile(engine, 1, UNTIL)
    assert [await balance(engine, code) for code in CODES] == [50_000, 0, 0, 0, 0]
    assert await statuses(engine, notice) == ["paid"]
    assert await live(engine) == []
    assert await every(engine, "select count(*) from service.movement") == [(1,)]


@pytest.mark.parametrize("order", ORDERS)
async def test_the_same_without_a_common_bank_reference(
    engine: AsyncEngine, two_books: tuple[int, int], order: tuple[int, ...]
) -> None:
    """Account, direction, amount, day and the reference in the memo join them as well."""
    await owe(engine, Owed(dossier=DOSSIER, amount_vnd=50_000, reference=reference(1)))
    account = await add_account(engine)
    webhook = told("feed", account.id, 50_000, f"nop phi {reference(1)}")
    line = told("statement", account.id, 50_000, f"CT DEN:951699865230 {reference(1).lower()}")
    windows = [webhook, webhook, line]
    await one_by_one(engine, *(windows[place] for place in order))
    await reconcile(engine, 1, UNTIL)
    assert [await balance(engine, code) for code in CODES] == [50_000, 0, 0, 0, 0]


@pytest.mark.parametrize("first", ["feed", "statement"])
async def test_two_honest_equal_transfers_are_two(
    engine: AsyncEngine, two_books: tuple[int, int], first: Window
) -> None:
    """In one minute, with nothing to tell them apart, told by both windows: two, not four."""
    account = await add_account(engine)
    feed = [told("feed", account.id, 50_000, "nop phi") for _ in range(2)]
    if first == "feed":
        await one_by_one(engine, *feed)
    await import_bytes(
        engine, account, csv([Row(amount_vnd=50_000, memo="nop phi")] * 2, opening_vnd=0)
    )
    assert await balance(engine, "1121") == 100_000
    if first == "statement":
        for left, sighting in zip((2, 1), feed, strict=True):
            told_last = told("feed", account.id, 50_000, "nop phi", peers=left)
            assert told_last.amount_vnd == sighting.amount_vnd
            await one_by_one(engine, told_last)
    assert await every(engine, "select count(*) from service.movement") == [(2,)]
    assert await balance(engine, "3380") == -100_000


async def test_a_statement_joins_the_feed_and_the_run_explains_what_the_feed_could_not(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A transfer by dossier code waits, is seen at the bank, and is matched by a run."""
    (notice,) = await owe(engine, Owed(dossier=DOSSIER, amount_vnd=50_000))
    account = await add_account(engine)
    await one_by_one(engine, told("feed", account.id, 50_000, f"nop phi {DOSSIER}"))
    assert await balance(engine, "1130") == 50_000
    rows = [Row(amount_vnd=50_000, memo=f"nop phi {DOSSIER}")]
    await import_bytes(engine, account, csv(rows, opening_vnd=0))
    assert (await balance(engine, "1130"), await balance(engine, "1121")) == (0, 50_000)
    run = await reconcile(engine, 1, UNTIL)
    assert run.counts.by_rule == {"R3": 1}
    assert await statuses(engine, notice) == ["paid"]
