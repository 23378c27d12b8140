"""One transfer, told by payOS, a bank feed, another feed and the statement: one movement, once.

Invariants 3 and 5 of DESIGN: whatever the number and order of the windows that tell of it.
"""

import itertools
import random
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from providers import Outcome
from providers.acting import Payment
from providers.catalog import CATALOG
from service import merchants
from service.database import transaction
from service.intake import inbox
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.merchants import NewMerchant
from service.payments.booking import book
from service.payments.sightings import Booked
from service.proof import prove
from service.references import payment_reference
from service.sealing import Sealer
from tests.makers import ADD_ASKED, NOW, Made, make_notice, transfer
from tests.service.conftest import ADD_ACCOUNT, MASTER_KEY

pytestmark = pytest.mark.anyio

ACCOUNT: Final = "0161000000101"
STRANGE: Final = "9990000000000"
KEY: Final = "a-key-of-these-tests-0123456789"
MODES: Final = {"payos": "", "sepay": "hmac", "casso": "v2"}

ADD_NAMED = sa.text("""
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        amount_vnd, link, order_code, expires_at, created_at)
    values (1, :reference, :number, 'HUE', 'payos', :amount_vnd, 'x', :order_code, :expires_at,
        :now)
""")
MOVEMENTS = sa.text("""
    select movement.amount_vnd, state.allocated_vnd, state.suspense_vnd, state.held_vnd,
           (select count(*) from service.sighting as seen
            where seen.book_id = 1 and seen.movement_id = movement.id) as seen
    from service.movement join service.money_state as state
      on state.book_id = movement.book_id and state.movement_id = movement.id
    where movement.book_id = 1 order by movement.id
""")
CASES = sa.text("""
    select reason from service.unmatched where book_id = 1 and status <> 'resolved'
    order by reason
""")
PAID = sa.text("""
    select paid_vnd, held_vnd from service.notice_state
    where book_id = 1 and notice_id = :notice_id
""")


class Town:
    """One book, one account, and the merchants that watch it."""

    def __init__(self, engine: AsyncEngine, account_id: int) -> None:
        self.engine = engine
        self.sealer = Sealer(MASTER_KEY)
        self.directory = Directory(engine, self.sealer)
        self.account_id = account_id
        self._numbers = itertools.count(4_471_201)

    async def owed(self, *amounts: int, expires_at: datetime | None = None) -> Made:
        """A notice, its request, and the number by which payOS knows it."""
        async with transaction(self.engine) as connection:
            notice_id, code = await make_notice(connection, 1, amounts)
            reference = payment_reference.mint("01", secrets.token_bytes(5))
            number = payment_reference.numeric(reference)
            row = {"book_id": 1, "reference": reference, "amount_vnd": sum(amounts), "now": NOW}
            named = {"number": number, "order_code": str(number), "expires_at": expires_at}
            await connection.execute(ADD_NAMED, row | named)
            await connection.execute(ADD_ASKED, row | {"notice_id": notice_id, "position": 0})
        return Made(
            book_id=1,
            notice_id=notice_id,
            dossier_code=code,
            dossier_key="",
            reference=reference,
            amount_vnd=sum(amounts),
        )

    async def told(self, *calls: tuple[str, Payment]) -> list[Outcome]:
        """Believe the calls of providers about payments, as one group."""
        deliveries = []
        for name, payment in calls:
            merchant = await self.directory.merchant(name, "HUE")
            assert merchant is not None
            call = CATALOG[name].call_as_provider(payment, merchant.terms, NOW)  # type: ignore[attr-defined] # all of these act
            claims = tuple(CATALOG[name].read(call, merchant.terms, NOW))
            deliveries.append(
                Delivery(id=uuid7(), merchant=merchant, call=call, claims=claims, received_at=NOW)
            )
        async with transaction(self.engine) as connection:
            return await inbox.commit_group(
                connection, deliveries, directory=self.directory, sealer=self.sealer, now=NOW
            )

    async def line(self, amount_vnd: int, *traces: str, reference: str | None = None) -> Booked:
        """A line of the account's statement; `prove` of lines without a file is not asked for."""
        line = transfer(
            self.account_id, amount_vnd, view="statement", traces=traces, reference=reference
        )
        async with transaction(self.engine) as connection:
            (booked,) = await book(connection, [line], now=NOW)
        return booked

    async def movements(self) -> list[tuple[int, ...]]:
        """Amount, allocated, suspense, held, and how often seen."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(MOVEMENTS)]

    async def cases(self) -> list[str]:
        """The reasons of the open cases."""
        async with self.engine.connect() as connection:
            return list((await connection.execute(CASES)).scalars())

    async def paid(self, made: Made) -> tuple[int, int]:
        """What the notice has been paid, and what is held for its payer."""
        async with self.engine.connect() as connection:
            row = (await connection.execute(PAID, {"notice_id": made.notice_id})).one()
        return int(row.paid_vnd), int(row.held_vnd)

    def number(self) -> str:
        """A number that no feed gave yet."""
        return str(next(self._numbers))

    def payos(
        self, made: Made, amount_vnd: int, reference: str, **changes: str
    ) -> tuple[str, Payment]:
        """What payOS tells of a transfer to the order's link."""
        payment = Payment(
            order_code=order_code(made),
            transaction=reference,
            amount_vnd=amount_vnd,
            paid_at=NOW,
            memo="chuyen tien",
            own_account=ACCOUNT,
        )
        return "payos", msgspec.structs.replace(payment, **changes)

    def sepay(self, amount_vnd: int, reference: str, memo: str = "") -> tuple[str, Payment]:
        """What SePay tells of a transfer to the account."""
        return "sepay", Payment(
            order_code=None,
            transaction=self.number(),
            amount_vnd=amount_vnd,
            paid_at=NOW,
            status="credit",
            memo=memo or "chuyen tien",
            own_account=ACCOUNT,
            bank_reference=reference,
        )

    def casso(
        self, amount_vnd: int, reference: str, memo: str = "chuyen tien", **changes: object
    ) -> tuple[str, Payment]:
        """What Casso tells of a movement, under an id of its own."""
        payment = Payment(
            order_code=None,
            transaction=reference,
            scope=self.number(),
            amount_vnd=amount_vnd,
            paid_at=NOW,
            status="credit",
            memo=memo,
            own_account=ACCOUNT,
        )
        return "casso", msgspec.structs.replace(payment, **changes)


def order_code(made: Made) -> str:
    """As payOS' adapter names orders."""
    return str(payment_reference.numeric(made.reference))


@pytest.fixture
async def town(engine: AsyncEngine, two_books: tuple[int, int]) -> Town:
    """One account, watched by payOS, SePay and Casso."""
    async with engine.begin() as connection:
        await connection.execute(
            ADD_ACCOUNT, {"book_id": 1, "bin": "970436", "number": ACCOUNT, "now": NOW}
        )
        account_id = await connection.scalar(sa.text("select id from service.bank_account"))
        for name, mode in MODES.items():
            await add_merchant(connection, name, mode)
    return Town(engine, int(str(account_id)))


async def add_merchant(connection: AsyncConnection, name: str, mode: str) -> None:
    """A merchant of these tests."""
    new = NewMerchant(provider=name, merchant="HUE", book_id=1, mode=mode, secrets=[KEY])
    await merchants.add(connection, Sealer(MASTER_KEY), new, NOW)


WINDOWS: Final = ("payos", "sepay", "statement")
ORDERS: Final = list(itertools.permutations(WINDOWS))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_one_transfer_is_one_movement_in_every_order(
    town: Town, order: Sequence[str]
) -> None:
    """PayOS, the feed and the statement share the bank's reference: booked once, by the order."""
    made = await town.owed(50_000)
    calls = {
        "payos": town.payos(made, 50_000, "FT26071000123"),
        "sepay": town.sepay(50_000, "FT26071000123"),
    }
    for window in order:
        if window in calls:
            await town.told(calls[window])
        else:
            await town.line(50_000, "FT26071000123")
    await town.told(*calls.values())  # both call again
    ((amount_vnd, allocated_vnd, suspense_vnd, held_vnd, seen),) = await town.movements()
    assert (amount_vnd, allocated_vnd, suspense_vnd, held_vnd) == (50_000, 50_000, 0, 0)
    assert seen == 3
    assert await town.paid(made) == (50_000, 0)
    assert await town.cases() == []


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_two_transfers_on_one_link_are_two_movements(
    town: Town, order: Sequence[str]
) -> None:
    """Partial payments add up; every window tells both, in any order (invariant 5)."""
    made = await town.owed(50_000)
    for window in order:
        for reference in ("FT26071000123", "FT26071000124"):
            if window == "statement":
                await town.line(25_000, reference)
            elif window == "payos":
                await town.told(town.payos(made, 25_000, reference))
            else:
                await town.told(town.sepay(25_000, reference))
    assert [(row[0], row[1], row[4]) for row in await town.movements()] == [
        (25_000, 25_000, 3),
        (25_000, 25_000, 3),
    ]
    assert await town.paid(made) == (50_000, 0)
    assert await town.cases() == ["UNDERPAYMENT"]  # of the first, which did not pay it all


async def test_a_group_gives_what_its_members_give(town: Town) -> None:
    """Everything in one group: one movement for each transfer, no case but what is still owed."""
    made = await town.owed(50_000)
    outcomes = await town.told(
        town.sepay(20_000, "FT1234567890"),
        town.payos(made, 20_000, "FT1234567890"),
        town.payos(made, 10_000, "FT1234567891"),
        town.casso(20_000, "FT1234567890"),
        town.payos(made, 20_000, "FT1234567890"),
        town.sepay(10_000, "FT1234567891"),
    )
    assert outcomes == [
        Outcome.UNKNOWN_ORDER,
        Outcome.BOOKED,
        Outcome.BOOKED,
        Outcome.BOOKED,
        Outcome.REPEAT_OF_PAID,
        Outcome.BOOKED,
    ]
    assert [(row[0], row[1], row[4]) for row in await town.movements()] == [
        (20_000, 20_000, 3),
        (10_000, 10_000, 2),
    ]
    assert set(await town.cases()) == {"UNDERPAYMENT"}
    assert [finding async for finding in prove(town.engine)] == []


@pytest.mark.parametrize("seed", range(4))
async def test_many_transfers_of_one_amount_are_told_by_everybody_in_any_order(
    town: Town, seed: int
) -> None:
    """Five reports of each of twelve equal transfers, shuffled and grouped: twelve bookings."""
    dice = random.Random(seed)
    made = await town.owed(12 * 25_000)
    reports: list[tuple[str, Payment] | str] = []
    for number in range(12):
        reference = f"FT260710001{number:02d}"
        reports += [
            town.payos(made, 25_000, reference),
            town.sepay(25_000, reference),
            town.casso(25_000, reference),
            town.casso(25_000, reference),
            reference,
        ]
    dice.shuffle(reports)
    group: list[tuple[str, Payment]] = []
    for report in reports:
        if isinstance(report, str):
            await town.line(25_000, report)
            continue
        group.append(report)
        if dice.random() < 0.4:
            await town.told(*group)
            group = []
    await town.told(*group)
    assert await town.movements() == [(25_000, 25_000, 0, 0, 5)] * 12
    assert await town.paid(made) == (300_000, 0)
    assert set(await town.cases()) <= {"UNDERPAYMENT"}


async def test_a_feed_without_the_banks_reference_is_joined_by_ours(town: Town) -> None:
    """PayOS names the order by a number, the feed's text by our reference: it is one order."""
    made = await town.owed(50_000)
    await town.told(town.payos(made, 50_000, "FT26071000123"))
    await town.told(town.sepay(50_000, "", memo=f"NGUYEN VAN A {made.reference} nop phi"))
    line = await town.line(50_000, reference=made.reference)
    assert not line.new_movement
    assert [row[4] for row in await town.movements()] == [3]
    assert await town.cases() == []


async def test_a_feed_that_names_nothing_is_not_surely_the_same(town: Town) -> None:
    """No common reference and no name: a person decides, and nothing is credited twice."""
    made = await town.owed(50_000)
    await town.told(town.payos(made, 50_000, "FT26071000123"))
    await town.told(town.sepay(50_000, "9988776655"))
    assert [row[:2] for row in await town.movements()] == [(50_000, 50_000)]
    assert await town.cases() == ["SAME_MOVEMENT_UNSURE"]


async def test_an_account_that_is_not_ours_is_the_merchants_own_place(town: Town) -> None:
    """The money is where only payOS sees it; the order decides, and the amount must be exact."""
    made = await town.owed(50_000)
    (exact,) = await town.told(town.payos(made, 50_000, "FT1", own_account=STRANGE))
    assert exact is Outcome.BOOKED
    other = await town.owed(60_000)
    (less,) = await town.told(town.payos(other, 20_000, "FT2", own_account=STRANGE))
    assert less is Outcome.AMOUNT_DIFFERS
    assert await town.paid(made) == (50_000, 0)
    assert await town.paid(other) == (0, 0)
    async with town.engine.connect() as connection:
        origins = await connection.execute(sa.text("select distinct origin from service.movement"))
        assert list(origins.scalars()) == ["merchant:payos/HUE"]


@pytest.mark.parametrize(
    ("amount_vnd", "outcome", "paid", "case"),
    [
        (50_000, Outcome.BOOKED, (50_000, 0), []),
        (20_000, Outcome.BOOKED, (20_000, 0), ["UNDERPAYMENT"]),
        (70_000, Outcome.BOOKED, (50_000, 20_000), ["OVERPAYMENT"]),
    ],
)
async def test_a_link_is_paid_like_a_transfer(
    town: Town, amount_vnd: int, outcome: Outcome, paid: tuple[int, int], case: list[str]
) -> None:
    """The payer may change the amount: less is a part, more is held for them."""
    made = await town.owed(50_000)
    assert await town.told(town.payos(made, amount_vnd, "FT1")) == [outcome]
    assert await town.paid(made) == paid
    assert await town.cases() == case


async def test_a_second_transfer_for_a_paid_link_is_held(town: Town) -> None:
    """Another transfer, another reference: it is the payer's, and a person hears of it."""
    made = await town.owed(50_000)
    outcomes = await town.told(town.payos(made, 50_000, "FT1"), town.payos(made, 50_000, "FT2"))
    assert outcomes == [Outcome.BOOKED, Outcome.ANOTHER_FOR_PAID]
    assert [row[1:4] for row in await town.movements()] == [(50_000, 0, 0), (0, 0, 50_000)]
    assert await town.cases() == ["DUPLICATE_PAYMENT"]


async def test_an_expired_link_pays_nothing_by_itself(town: Town) -> None:
    """The money is held, as that of any expired request."""
    made = await town.owed(50_000, expires_at=NOW - timedelta(minutes=1))
    assert await town.told(town.payos(made, 50_000, "FT1")) == [Outcome.HELD]
    assert await town.cases() == ["PAID_EXPIRED_ORDER"]


async def test_one_transfer_with_two_amounts_is_one_movement(town: Town) -> None:
    """PayOS contradicts itself: the first is booked, the second is for a person."""
    made = await town.owed(50_000)
    one = town.payos(made, 50_000, "FT1")
    two = town.payos(made, 60_000, "FT1")
    assert await town.told(one) == [Outcome.BOOKED]
    assert await town.told(two) == [Outcome.AMOUNT_DIFFERS]
    assert [row[0] for row in await town.movements()] == [50_000]
    assert await town.cases() == ["CONTESTED"]
    assert [finding async for finding in prove(town.engine)] == []


async def test_one_transfer_told_of_two_links_is_one_movement(town: Town) -> None:
    """It pays the first; that it should pay another order too is contested."""
    made, other = await town.owed(50_000), await town.owed(50_000)
    assert await town.told(town.payos(made, 50_000, "FT1")) == [Outcome.BOOKED]
    await town.told(town.payos(other, 50_000, "FT1"))
    assert [row[0] for row in await town.movements()] == [50_000]
    assert (await town.paid(made), await town.paid(other)) == ((50_000, 0), (0, 0))
    assert await town.cases() == ["CONTESTED"]
    assert [finding async for finding in prove(town.engine)] == []


# Several connections of Casso to one account


@pytest.mark.parametrize("together", [True, False])
async def test_two_connections_tell_one_movement(
    town: Town,
    together: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Other ids, the same account, reference, amount, direction and day: one booking."""
    made = await town.owed(50_000)
    memo = f"{made.reference} nop le phi"
    calls = [town.casso(50_000, "FT26071000123", memo) for _ in range(3)]
    if together:
        await town.told(*calls)
    else:
        for call in calls:
            await town.told(call)
    line = await town.line(50_000, "FT26071000123")
    assert not line.new_movement
    assert [row[:2] for row in await town.movements()] == [(50_000, 50_000)]
    assert await town.paid(made) == (50_000, 0)
    assert await town.cases() == []


@pytest.mark.parametrize("days", [-1, 1])
async def test_the_same_reference_on_the_next_day_is_unsure(town: Town, days: int) -> None:
    """Perhaps two clocks, perhaps two transfers: never a second booking without a person."""
    await town.told(town.casso(50_000, "FT26071000123"))
    later = town.casso(50_000, "FT26071000123", paid_at=NOW + timedelta(days=days))
    await town.told(later)
    assert len(await town.movements()) == 1
    assert await town.cases() == ["SAME_MOVEMENT_UNSURE", "UNIDENTIFIED_CREDIT"]
    assert [finding async for finding in prove(town.engine)] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_vnd": 11_000},
        {"status": "debit"},
        {"transaction": "FT26071000124"},
        {"own_account": STRANGE},
        {"paid_at": NOW + timedelta(days=2)},
        {"transaction": ""},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_what_differs_is_another_movement(town: Town, changes: dict[str, object]) -> None:
    """A fee may bear the reference of its transfer; two transfers in one minute are two."""
    await town.told(town.casso(50_000, "FT26071000123"))
    name, payment = town.casso(50_000, "FT26071000123")
    await town.told((name, msgspec.structs.replace(payment, **changes)))
    assert len(await town.movements()) == 2
    assert "SAME_MOVEMENT_UNSURE" not in await town.cases()
    assert [finding async for finding in prove(town.engine)] == []


async def test_one_number_that_turns_around_is_unsure(town: Town) -> None:
    """The same id and reference, once in and once out: a person decides."""
    name, payment = town.casso(50_000, "FT26071000123")
    await town.told((name, payment))
    await town.told((name, msgspec.structs.replace(payment, status="debit")))
    assert len(await town.movements()) == 1
    assert "SAME_MOVEMENT_UNSURE" in await town.cases()
    assert [finding async for finding in prove(town.engine)] == []
