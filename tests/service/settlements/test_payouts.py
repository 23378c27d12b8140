"""Payouts at the bank: equal sums that are unique from both sides, and nothing else (R1)."""

from datetime import date
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service.matching.payouts import Batch, Credit, pair
from service.payments.booking import book
from service.reconciliation.runs import reconcile
from service.sealing import Sealer
from service.statements.keeping import Account
from tests.makers import NOW, make_account, transfer
from tests.service.settlements.making import (
    ACCOUNT,
    MASTER_KEY,
    PAID_ON,
    Shop,
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
)
from tests.service.statements.making import Row, balance, csv, every, import_bytes

pytestmark = pytest.mark.anyio
UNTIL = date(2026, 11, 30)


async def settled(engine: AsyncEngine, shop: Shop, *amounts: int) -> None:
    """Payments that were called about and settled, each in a batch of its own."""
    payments = paid(await owe(engine, *amounts))
    await call(engine, shop, payments)
    told = [other(fact, batch=str(number)) for number, fact in enumerate(facts(shop, payments), 7)]
    await bring(engine, shop, file_of(shop, told))


async def credits_of(engine: AsyncEngine, *amounts: int, memo: str = "chuyen tien") -> None:
    """A statement with incoming transfers on the payouts' day."""
    found = await every(
        engine, "select id from service.bank_account where number = :number", number=ACCOUNT
    )
    account = Account(id=int(str(found[0][0])), book_id=1, bin="970436", number=ACCOUNT)
    rows = [
        Row(amount_vnd=vnd, day=2, memo=memo, reference=f"CT{number}{vnd}")
        for number, vnd in enumerate(amounts)
    ]
    await import_bytes(engine, account, csv(rows))


async def test_a_credit_that_equals_one_batch_is_its_payout(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """3380 / 1388: the batch is paid, the credit is explained, a dry run says it beforehand."""
    shop = await open_shop(engine)
    await settled(engine, shop, 50_000, 70_000)
    await credits_of(engine, 49_450, 12_345)
    rehearsed = await reconcile(engine, 1, UNTIL, dry_run=True)
    assert (rehearsed.counts.payouts, await balance(engine, "1388")) == (1, 118_900)
    run = await reconcile(engine, 1, UNTIL)
    assert (run.counts.payouts, run.counts.payouts_vnd) == (1, 49_450)
    assert (await balance(engine, "1388"), await balance(engine, "3380")) == (69_450, -12_345)
    assert await cases(engine) == [("bank", "UNIDENTIFIED_CREDIT", 12_345)]
    batches = await every(
        engine, "select number, receivable_vnd, paid_vnd from service.settlement_batch order by 1"
    )
    assert batches == [("7", 0, 49_450), ("8", 69_450, 0)]
    await nothing_breaks(engine)
    assert (await reconcile(engine, 1, UNTIL)).counts.payouts == 0


@pytest.mark.parametrize("came", [(118_900,), (40_000, 9_450), (49_450, 49_450), (50_000,)])
async def test_sums_are_booked_only_where_they_have_one_solution(
    engine: AsyncEngine, two_books: tuple[int, int], came: tuple[int, ...]
) -> None:
    """Two batches in one credit, one batch in two; two that fit, or none, are left to people."""
    shop = await open_shop(engine)
    await settled(engine, shop, 50_000, 70_000)
    await credits_of(engine, *came)
    run = await reconcile(engine, 1, UNTIL)
    sure = came in {(118_900,), (40_000, 9_450)}
    assert (run.counts.payouts, run.counts.payouts_vnd) == ((1, sum(came)) if sure else (0, 0))
    assert await balance(engine, "1388") == 118_900 - (sum(came) if sure else 0)
    await nothing_breaks(engine)


async def test_an_amount_that_a_notice_has_needs_the_providers_words(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A citizen's transfer could be of just this amount; the contract's words tell them apart."""
    shop = await open_shop(engine, settings={"payout_words": "QUYET TOAN PHI"})
    await owe(engine, 49_450)
    await settled(engine, shop, 50_000)
    await credits_of(engine, 49_450)
    assert (await reconcile(engine, 1, UNTIL)).counts.payouts == 0
    sealer = Sealer(MASTER_KEY)
    assert (await reconcile(engine, 1, UNTIL, sealer=sealer)).counts.payouts == 0
    await credits_of(engine, 49_450, memo="QUYET TOAN PHI NGAY 03")
    run = await reconcile(engine, 1, UNTIL, sealer=sealer)
    assert (run.counts.payouts, await balance(engine, "3380")) == (1, -49_450)
    await nothing_breaks(engine)


async def test_other_money_than_the_batch_is_a_mismatch(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Overdue, and one credit in the provider's words came instead: both amounts are named."""
    shop = await open_shop(engine, settings={"payout_words": "QUYET TOAN PHI"})
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    await bring(engine, shop, file_of(shop, facts(shop, payments)), day=20)
    assert ("settlement", "PAYOUT_MISSING", 49_450) in await cases(engine)
    await credits_of(engine, 49_449, memo="QUYET TOAN PHI NGAY 03")
    await reconcile(engine, 1, UNTIL, sealer=Sealer(MASTER_KEY))
    told = [one for one in await cases(engine) if one[0] == "settlement"]
    assert told == [("settlement", "PAYOUT_MISMATCH", 1)]


BATCHES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([10, 20, 30, 50])), max_size=5
)
CREDITS = st.lists(st.tuples(st.sampled_from([10, 20, 30, 50, 60]), st.booleans()), max_size=5)


@given(BATCHES, CREDITS)
def test_what_is_paired_is_whole_and_nobodys_twice(
    owed: list[tuple[str, int]], came: list[tuple[int, bool]]
) -> None:
    """Sums are equal, no member is in two payouts, and none has an equal rival outside."""
    batches = [
        Batch(
            id=UUID(int=number),
            merchant=merchant,
            number=str(number),
            owed_vnd=vnd,
            first_on=PAID_ON,
            until=PAID_ON,
            words=frozenset(),
        )
        for number, (merchant, vnd) in enumerate(owed)
    ]
    credits_ = [
        Credit(
            id=UUID(int=100 + number),
            amount_vnd=vnd,
            arrived_on=PAID_ON,
            words=frozenset(),
            popular=popular,
        )
        for number, (vnd, popular) in enumerate(came)
    ]
    found = pair(batches, credits_)
    members = [one.id for payout in found for one in payout.batches]
    members += [one.id for payout in found for one in payout.credits]
    assert len(members) == len(set(members))
    for payout in found:
        assert sum(b.owed_vnd for b in payout.batches) == sum(c.amount_vnd for c in payout.credits)
        assert sum(part[2] for part in payout.parts) == sum(b.owed_vnd for b in payout.batches)
        assert not any(credit.popular for credit in payout.credits)
        if len(payout.batches) == len(payout.credits) == 1:
            vnd = payout.batches[0].owed_vnd
            assert sum(b.owed_vnd == vnd for b in batches) == 1
            assert sum(c.amount_vnd == vnd for c in credits_) == 1


async def test_what_only_a_weak_channel_told_pays_no_batch(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Forged, it would hide that the provider never paid; the bank's own word is a payout."""
    shop = await open_shop(engine)
    await settled(engine, shop, 50_000)
    async with engine.begin() as connection:
        account = await make_account(connection, 1)
        told = msgspec.structs.replace(transfer(account, 49_450), happened_on=PAID_ON)
        await book(connection, [msgspec.structs.replace(told, weak=True)], now=NOW)
    assert (await reconcile(engine, 1, UNTIL)).counts.payouts == 0
    async with engine.begin() as connection:
        seen = msgspec.structs.replace(transfer(account, 49_450, view="statement"), id=uuid7())
        await book(connection, [msgspec.structs.replace(seen, happened_on=PAID_ON)], now=NOW)
    assert (await reconcile(engine, 1, UNTIL)).counts.payouts == 1
