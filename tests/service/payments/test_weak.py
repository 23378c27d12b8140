"""Money that only a weak channel told of pays nothing until another window agrees."""

from collections.abc import Sequence
from itertools import permutations
from typing import Literal

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.database import transaction
from service.payments.booking import book
from service.payments.sightings import Became, Sighting
from service.reconciliation import planning
from tests.makers import NOW, TODAY, Made, make_account, make_merchant, make_owed, transfer

pytestmark = pytest.mark.anyio

Window = Literal["weak", "strong", "statement"]

PAID = sa.text("select status from service.notice_state where notice_id = :id")
MONEY = sa.text("select allocated_vnd, suspense_vnd, held_vnd from service.money_state")
CASES = sa.text("select reason from service.unmatched where status <> 'resolved' order by reason")
ADD_EVENT = sa.text("""
    insert into service.event (book_id, id, call_id, merchant_id, provider_txn, status, amount_key,
                               amount_vnd, reference, happened_at, recorded_at, outcome)
    values (1, :id, uuidv7(), :merchant_id, :txn, 'credit', '50000', 50000, :reference, :now, :now,
            'held')
""")


def seen_by(window: Window, account: int, order: Made, amount_vnd: int = 50_000) -> Sighting:
    """One transfer as each window tells it; the bank's number is the same in all of them."""
    told = transfer(
        account,
        amount_vnd,
        view="statement" if window == "statement" else "feed",
        reference=order.reference,
        traces=("FT26001",),
    )
    return msgspec.structs.replace(told, seen_by=window, weak=window == "weak")


async def tell(connection: AsyncConnection, merchant_id: int, told: Sequence[Sighting]) -> None:
    """Book sightings; those of feeds have the event that intake would write with them."""
    for sighting in told:
        if sighting.view == "feed":
            row = {
                "id": sighting.id,
                "merchant_id": merchant_id,
                "txn": str(sighting.id),
                "reference": sighting.reference,
                "now": NOW,
            }
            await connection.execute(ADD_EVENT, row)


async def planned(connection: AsyncConnection) -> int:
    """How many movements a run would look at."""
    return sum([one.examined async for one in planning.plan(connection, 1, TODAY)])


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    "order",
    [
        *permutations(("weak", "statement")),
        *permutations(("weak", "strong")),
        *permutations(("weak", "strong", "statement")),
    ],
    ids="-".join,
)
async def test_every_order_of_arrival_ends_paid(
    engine: AsyncEngine,
    two_books: tuple[int, int],
    order: tuple[Window, ...],
    together: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whichever window tells first: nothing is paid by the weak one alone, all of it by two."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        merchant_id = await make_merchant(connection, 1, provider="sepay")
        owed = await make_owed(connection, 1, 50_000)
        told = [seen_by(window, account, owed) for window in order]
        await tell(connection, merchant_id, told)
    if together:
        async with transaction(engine) as connection:
            await book(connection, told, now=NOW)
    else:
        for count, sighting in enumerate(told, 1):
            async with transaction(engine) as connection:
                await book(connection, [sighting], now=NOW)
            async with transaction(engine) as connection:
                status = await connection.scalar(PAID, {"id": owed.notice_id})
                cases = list(await connection.scalars(CASES))
            if order[:count] == ("weak",):
                assert (status, cases) == ("open", ["WEAK_PROOF"])
            elif "strong" in order[:count] or count == len(order):
                assert (status, cases) == ("paid", [])
    async with transaction(engine) as connection:
        assert await connection.scalar(PAID, {"id": owed.notice_id}) == "paid"
        assert tuple((await connection.execute(MONEY)).one()) == (50_000, 0, 0)
        assert list(await connection.scalars(CASES)) == []


async def test_a_run_waits_for_a_second_window(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A run does not touch money that a weak channel told alone, and does once the bank agrees."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        merchant_id = await make_merchant(connection, 1, provider="sepay")
        owed = await make_owed(connection, 1, 50_000)
        weak = seen_by("weak", account, owed)
        weak = msgspec.structs.replace(
            weak, reference=None, tokens=(("dossier", owed.dossier_key),)
        )
        await tell(connection, merchant_id, [weak])
        (told,) = await book(connection, [weak], now=NOW)
        assert told.became is Became.UNPROVEN
        assert await planned(connection) == 0
        line = msgspec.structs.replace(seen_by("statement", account, owed), reference=None)
        await book(connection, [line], now=NOW)
        assert await planned(connection) == 1


async def test_two_weak_words_are_no_proof(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Another channel that proves only a key does not make the first one believed."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        merchant_id = await make_merchant(connection, 1, provider="sepay")
        owed = await make_owed(connection, 1, 50_000)
        first = seen_by("weak", account, owed)
        second = msgspec.structs.replace(seen_by("weak", account, owed), seen_by="another")
        await tell(connection, merchant_id, [first, second])
        for one in (first, second):
            (told,) = await book(connection, [one], now=NOW)
            assert told.became is Became.UNPROVEN
        assert await connection.scalar(PAID, {"id": owed.notice_id}) == "open"
        assert list(await connection.scalars(CASES)) == ["WEAK_PROOF"]


async def test_a_window_that_disagrees_contests(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """The bank's text names another order than the weak channel did: nothing moves (choice 10)."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        merchant_id = await make_merchant(connection, 1, provider="sepay")
        owed, other = await make_owed(connection, 1, 50_000), await make_owed(connection, 1, 50_000)
        weak, line = seen_by("weak", account, owed), seen_by("statement", account, other)
        await tell(connection, merchant_id, [weak])
        await book(connection, [weak], now=NOW)
        await book(connection, [line], now=NOW)
        for one in (owed, other):
            assert await connection.scalar(PAID, {"id": one.notice_id}) == "open"
        assert list(await connection.scalars(CASES)) == ["CONTESTED", "WEAK_PROOF"]


async def test_a_weak_word_takes_no_money_back(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Money that goes out, told by a weak channel, reopens no notice: a person looks."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        merchant_id = await make_merchant(connection, 1, provider="sepay")
        owed = await make_owed(connection, 1, 50_000)
        credit = seen_by("strong", account, owed)
        back = transfer(account, 50_000, traces=("FT26001",), direction="out")
        back = msgspec.structs.replace(back, seen_by="weak", weak=True)
        await tell(connection, merchant_id, [credit])
        await book(connection, [credit], now=NOW)
        await book(connection, [back], now=NOW)
        assert await connection.scalar(PAID, {"id": owed.notice_id}) == "paid"
        assert list(await connection.scalars(CASES)) == ["WEAK_PROOF"]


@pytest.mark.parametrize("amount_vnd", [40_000, 50_000, 60_000])
async def test_it_is_explained_by_the_same_table(
    engine: AsyncEngine, two_books: tuple[int, int], amount_vnd: int
) -> None:
    """Less, exact or more than is due: as if the weak channel had proven itself at once."""
    became: dict[bool, tuple[object, ...]] = {}
    for weak in (False, True):
        async with transaction(engine) as connection:
            account = await make_account(connection, 1)
            merchant_id = await make_merchant(connection, 1, provider="sepay")
            owed = await make_owed(connection, 1, 50_000)
            first = seen_by("weak" if weak else "strong", account, owed, amount_vnd)
            line = seen_by("statement", account, owed, amount_vnd)
            await tell(connection, merchant_id, [first])
            (told,) = await book(connection, [first], now=NOW)
            await book(connection, [line], now=NOW)
            where = sa.text(
                "select allocated_vnd, suspense_vnd, held_vnd, clearing_vnd"
                " from service.money_state where movement_id = :id"
            )
            money = (await connection.execute(where, {"id": told.movement_id})).one()
            status = await connection.scalar(PAID, {"id": owed.notice_id})
            cases = tuple(await connection.scalars(CASES))
            became[weak] = (*money, status, sorted(set(cases)))
    assert became[True] == became[False]
