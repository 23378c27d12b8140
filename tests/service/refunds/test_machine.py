"""Anything in any order, and people who race: the books hold, and no đồng is given back twice.

A program is a list of small steps; each either does something or is refused by name. At the end
the whole proof is run, and what the provider remembers is held against the books.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import Book, open_book
from service.database import create_engine, transaction
from service.errors import Refusal
from service.payments.refunding import Kind
from service.payments.sightings import Direction
from service.refunds.messages import NewOutcome, NewRefund, Refund
from service.remittance.messages import NewRemittance
from tests.conftest import BOOKS_OPENED_AT
from tests.databases import Database, Databases
from tests.makers import Made, transfer
from tests.service.refunds.making import Fault, Office, Provider, served
from tests.service.remittance.making import Treasurer

HOURS: Final = timedelta(hours=26)
PROGRAM_STEPS: Final = 35


class Pay(msgspec.Struct, frozen=True):
    """Another payment through the gateway, or by a transfer of more than is due."""

    notice: int
    by_transfer: bool
    more_vnd: int


class Ask(msgspec.Struct, frozen=True):
    """Somebody wants money back."""

    who: str
    notice: int
    of: Kind
    amount_vnd: int | None
    by_transfer: bool


class Decide(msgspec.Struct, frozen=True):
    """Several people decide the same refund at the same moment."""

    refund: int
    votes: tuple[tuple[str, bool], ...]


class Work(msgspec.Struct, frozen=True):
    """Two workers turn at once; the provider's answer may be lost; refunds may end meanwhile."""

    faults: tuple[Fault, ...]
    ends: bool


class Bank(msgspec.Struct, frozen=True):
    """The bank shows a debit, or its return, of a refund or of the remittance."""

    refund: int
    direction: Direction
    off_vnd: int


class Fail(msgspec.Struct, frozen=True):
    """Two people say that a part will not be paid this way."""

    refund: int
    part: int


class Remit(msgspec.Struct, frozen=True):
    """The fees so far are taken apart; the debit may follow."""

    approve: bool
    debit: bool


Step: TypeAlias = Pay | Ask | Decide | Work | Bank | Fail | Remit

FEW: Final = st.integers(0, 3)
PEOPLE: Final = st.sampled_from(["maker", "maker2", "both", "one-stop"])
CHECKERS: Final = st.sampled_from(["checker", "checker2", "both", "maker"])
AMOUNTS: Final = st.one_of(st.none(), st.sampled_from([1, 7_777, 20_000, 30_000, 50_000]))
WHICH: Final = st.integers(0, 7)
APPROVES: Final = st.just((("checker", True),))
RACES: Final = st.lists(
    st.tuples(CHECKERS, st.sampled_from([True, True, False])), min_size=2, max_size=3
).map(tuple)
FAULTS: Final[st.SearchStrategy[Fault]] = st.sampled_from(
    ["lost", "nothing", "forged", "duplicate", "refused"]
)
DECIDES: Final = st.builds(Decide, WHICH, st.one_of(APPROVES, APPROVES, RACES))
WORKS: Final = st.builds(Work, st.lists(FAULTS, max_size=2).map(tuple), st.booleans())
BANKS: Final = st.builds(
    Bank, WHICH, st.sampled_from(["out", "out", "in"]), st.sampled_from([0, 0, 0, 500])
)
# What moves things on comes more often than what begins them.
STEPS: Final[st.SearchStrategy[Step]] = st.one_of(
    st.builds(Pay, FEW, st.booleans(), st.sampled_from([0, 9_999])),
    st.builds(Ask, PEOPLE, FEW, st.sampled_from(["held", "fee", "fee"]), AMOUNTS, st.booleans()),
    st.builds(Fail, WHICH, st.sampled_from([1, 1, 2])),
    st.builds(Remit, st.sampled_from([True, True, False]), st.sampled_from([True, True, False])),
    *([DECIDES] * 4),
    *([WORKS] * 3),
    *([BANKS] * 2),
)
# Every program begins with money that can be given back, so that few of them test nothing.
BEGUN: Final[Sequence[Step]] = (
    Pay(notice=0, by_transfer=False, more_vnd=0),
    Pay(notice=0, by_transfer=False, more_vnd=0),
    Pay(notice=1, by_transfer=True, more_vnd=9_999),
    Ask(who="maker", notice=0, of="held", amount_vnd=None, by_transfer=False),
    Ask(who="maker", notice=1, of="held", amount_vnd=None, by_transfer=True),
    Ask(who="maker2", notice=0, of="fee", amount_vnd=30_000, by_transfer=False),
)


class Town:
    """Four notices in two books, and everybody who may do something about them."""

    def __init__(self, office: Office, provider: Provider) -> None:
        """Nothing has happened yet."""
        self.office = office
        self.provider = provider
        self.treasurer = Treasurer(office)
        self.notices: list[Made] = []
        self.refunds: list[UUID] = []
        self.number = 14_000_000
        self.done = 0

    async def begin(self) -> None:
        """Record what is owed."""
        for book_id, amounts in ((1, (50_000, 20_001)), (1, (33_333,)), (2, (40_000,)), (1, (7,))):
            self.notices.append(await self.office.owed(book_id, *amounts))

    async def take(self, step: Step) -> None:
        """Do one step; being refused is an outcome like another."""
        try:
            await getattr(self, type(step).__name__.lower())(step)
            self.done += 1
        except Refusal:
            pass

    async def one(self, number: int, *statuses: str, route: str = "") -> Refund:
        """One of the refunds that stand so; of all, where none does."""
        found = [await self.office.found(wanted) for wanted in self.refunds]
        fitting = [
            one
            for one in found
            if one.status in statuses and (not route or route in {p.route for p in one.parts})
        ]
        return (fitting or found)[number % len(fitting or found)]

    async def pay(self, step: Pay) -> None:
        """Money comes in."""
        owed = self.notices[step.notice]
        self.number += 1
        if step.by_transfer and owed.book_id == 1:
            amount_vnd = owed.amount_vnd + step.more_vnd
            seen = transfer(
                self.office.account,
                amount_vnd,
                reference=owed.reference,
                traces=[f"FT{self.number}"],
            )
            await self.office.book(seen)
        else:
            await self.office.paid(owed, number=self.number)
            self.provider.pay(owed.reference, owed.amount_vnd, str(self.number))

    async def ask(self, step: Ask) -> None:
        """Somebody wishes, or proposes twice at the same moment."""
        new = NewRefund(
            of=step.of,
            reason="other",
            amount_vnd=step.amount_vnd,
            by_transfer=step.by_transfer,
        )
        notice_id = self.notices[step.notice].notice_id
        both = await asyncio.gather(
            self.office.ask(step.who, notice_id, new),
            self.office.ask("maker2", notice_id, new),
            return_exceptions=True,
        )
        self.refunds += [one.id for one in both if not isinstance(one, BaseException)]
        raise_unexpected(both)

    async def decide(self, step: Decide) -> None:
        """People race for one decision; at most one of them ends it."""
        found = await self.one(step.refund, "asked", "proposed")
        wanted = found.id
        if found.status == "asked":
            await self.office.take_up("maker", wanted)
        raise_unexpected(
            await asyncio.gather(
                *(
                    self.office.decide(who, wanted, "approved" if yes else "rejected")
                    for who, yes in step.votes
                ),
                return_exceptions=True,
            )
        )

    async def work(self, step: Work) -> None:
        """Two workers at once; time passes."""
        self.provider.faults = list(step.faults)
        async with self.office.sender() as one, self.office.sender() as two:
            await asyncio.gather(one.work(), two.work())
        if step.ends:
            self.provider.finish()
        self.office.now += HOURS

    async def bank(self, step: Bank) -> None:
        """A statement line that names a refund."""
        wanted = "paid" if step.direction == "in" else "approved"
        found = await self.one(step.refund, wanted, route="transfer")
        amounts = [part.amount_vnd for part in found.parts if part.route == "transfer"]
        if found.book_id != 1 or not amounts:
            return
        self.number += 1
        seen = transfer(
            self.office.account,
            amounts[0] + step.off_vnd,
            view="statement",
            direction=step.direction,
            reference=found.reference,
            traces=[f"FT{self.number}"],
        )
        await self.office.book(seen)

    async def fail(self, step: Fail) -> None:
        """Two people give one part up."""
        wanted = (await self.one(step.refund, "approved", "unknown")).id
        await self.office.outcome("maker", wanted, NewOutcome(outcome="failed", part=step.part))
        await self.office.decide("checker2", wanted)

    async def remit(self, step: Remit) -> None:
        """Take apart, decide, and perhaps pay."""
        proposed = await self.treasurer.propose(new=NewRemittance(rule="monthly"))
        verdict = "approved" if step.approve else "rejected"
        found = await self.treasurer.decide(proposed.id, verdict=verdict)  # type: ignore[arg-type]
        if step.debit and found.due_vnd:
            self.number += 1
            seen = transfer(
                self.office.account,
                found.due_vnd,
                view="statement",
                direction="out",
                reference=found.reference,
                traces=[f"FT{self.number}"],
            )
            await self.office.book(seen)


def raise_unexpected(results: Sequence[object]) -> None:
    """Refusals are expected; anything else is not."""
    for one in results:
        if isinstance(one, BaseException) and not isinstance(one, Refusal):
            raise one


async def held(town: Town) -> None:
    """The proof, and the provider's memory against ours."""
    office, shop = town.office, town.provider.shop
    assert await office.proven() == []
    ours = {}
    for wanted in town.refunds:
        found = await office.found(wanted)
        for part in found.parts:
            if part.request_id is not None:
                ours[part.request_id] = (part.amount_vnd, part.status)
    for request_id, refund in shop.refunds.items():
        amount_vnd, status = ours.pop(request_id)
        assert amount_vnd == refund.amount_vnd
        assert status != "failed"
    # What the provider never did is not paid in our books.
    assert all(status != "paid" for _, status in ours.values())


async def run(engine: AsyncEngine, program: Sequence[Step]) -> int:
    """Do a program in a clean database; how many steps were not refused."""
    async with transaction(engine) as connection:
        for book_id, code in ((1, "01"), (2, "02")):
            book = Book(book_id=book_id, code=code, name="Sở Tư pháp", agency_code="H57.23")
            await open_book(connection, book, BOOKS_OPENED_AT)
    provider = Provider()
    with served(provider) as address:
        office = Office(engine)
        await office.open(address)
        town = Town(office, provider)
        await town.begin()
        for step in (*BEGUN, *program):
            await town.take(step)
        await held(town)
    return town.done


def drawn(dice: Random) -> list[Step]:
    """A long program, wide rather than small: what one generator seldom reaches, another does."""
    faults: list[Fault] = ["lost", "nothing", "forged", "duplicate", "refused"]
    makers = ["maker", "maker2", "both", "one-stop"]
    checkers = ["checker", "checker2", "both", "maker"]
    kinds: list[Kind] = ["held", "fee", "fee"]
    ways: list[Direction] = ["out", "out", "in"]

    def step() -> Step:  # noqa: PLR0911 # one for each kind
        match dice.choice("PAAFRDDDDWWWBB"):
            case "P":
                return Pay(dice.randrange(4), dice.random() < 0.5, dice.choice([0, 9_999]))
            case "A":
                amount_vnd = dice.choice([None, 1, 7_777, 20_000, 30_000, 50_000])
                who, of = dice.choice(makers), dice.choice(kinds)
                return Ask(who, dice.randrange(4), of, amount_vnd, dice.random() < 0.5)
            case "F":
                return Fail(dice.randrange(8), dice.choice([1, 1, 2]))
            case "R":
                return Remit(dice.random() < 0.7, dice.random() < 0.7)
            case "D":
                votes = tuple((dice.choice(checkers), dice.random() < 0.7) for _ in range(3))
                alone = dice.random() < 0.6
                return Decide(dice.randrange(8), (("checker", True),) if alone else votes)
            case "W":
                some = tuple(dice.choice(faults) for _ in range(dice.choice([0, 0, 1, 2])))
                return Work(some, dice.random() < 0.6)
            case _:
                return Bank(dice.randrange(8), dice.choice(ways), dice.choice([0, 0, 0, 500]))

    return [step() for _ in range(PROGRAM_STEPS)]


def in_a_clean_database(databases: Databases, program: Sequence[Step]) -> None:
    """Run a program; what it began with must have happened, so that it tested something."""

    async def work(database: Database) -> int:
        engine = create_engine(database.app_url, pool_size=8)
        try:
            return await run(engine, program)
        finally:
            await engine.dispose()

    with databases.clone() as database:
        assert asyncio.run(work(database)) >= len(BEGUN) - 1


@settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(program=st.lists(STEPS, min_size=10, max_size=24))
def test_nothing_is_given_back_twice_whatever_happens(
    databases: Databases, program: list[Step]
) -> None:
    """Invariants 1 to 13 after any program of payments, decisions, lost answers and debits."""
    in_a_clean_database(databases, program)


@pytest.mark.parametrize("seed", range(6))
def test_the_books_hold_after_long_programs(databases: Databases, seed: int) -> None:
    """The same over programs that reach every entry of the accounting page's refunds."""
    in_a_clean_database(databases, drawn(Random(seed)))
