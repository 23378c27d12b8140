"""Any order of postings, repeats, reversals, checkpoints and day turns agrees with a dictionary.

Invariants 1, 2, 4 and 8, in two books at once. One transaction per program, rolled back, so that
every program starts from a clean database.
"""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from ledger import errors
from ledger.accounts import (
    BANK,
    BUSINESS_ZONE,
    CLEARING,
    DUE_FROM_UNITS,
    DUE_TO_UNITS,
    FEES_RECEIVABLE,
    NORMAL_SIDE,
    SUSPENSE,
    Book,
    open_book,
)
from ledger.balances import balance, trial_balance
from ledger.days import checkpoint, close_segment, sum_closed, turn_day
from ledger.entries import Entry, Line
from ledger.posting import hold_days, post
from ledger.proof import prove
from ledger.reversal import reverse
from service.database import create_engine
from tests.databases import Database
from tests.ledger.making import HAPPENED_AT

EXAMPLES = 40
STEPS = 20
BOOKS = (1, 2)
FIRST_DAY = HAPPENED_AT.astimezone(BUSINESS_ZONE).date()
WAYS = [(debit, credit) for debit in (CLEARING, BANK, FEES_RECEIVABLE) for credit in (SUSPENSE,)]
WAYS += [(SUSPENSE, CLEARING), (CLEARING, FEES_RECEIVABLE)]

books = st.sampled_from(BOOKS)
sources = st.sampled_from([f"s{number}" for number in range(12)])
value_dates = st.integers(-3, 1).map(lambda days: FIRST_DAY + timedelta(days=days))
told_lines = st.lists(
    st.tuples(st.sampled_from(WAYS), st.integers(1, 10**12)), min_size=1, max_size=3
)
told_entries = st.lists(st.tuples(books, sources, value_dates, told_lines), min_size=1, max_size=5)


class Fact(msgspec.Struct, frozen=True):
    """What the model remembers of a line."""

    book_id: int
    debit: str
    credit: str
    amount_vnd: int
    value_date: date
    recorded_at: datetime


class LedgerMachine(RuleBasedStateMachine):
    """Drives the ledger in one transaction beside a plain dictionary."""

    def __init__(self, runner: asyncio.Runner, engine: AsyncEngine) -> None:
        super().__init__()
        self.runner = runner
        snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
        self.connection: AsyncConnection = runner.run(snapshot.connect().start())
        self.facts: list[Fact] = []
        self.told: dict[tuple[int, str], Entry] = {}
        self.reversed: set[tuple[int, str]] = set()
        self.days = dict.fromkeys(BOOKS, FIRST_DAY)
        self.instants: list[datetime] = []

    def teardown(self) -> None:
        """Prove the books, then leave nothing behind."""
        try:
            if self.told:
                assert self.runner.run(self.findings()) == []
        finally:
            self.runner.run(self.connection.close())

    async def findings(self) -> list[object]:
        """All that a proof finds."""
        return [one for book in BOOKS async for one in prove(self.connection, book)]

    @initialize()
    def open(self) -> None:
        """Begin with two open books."""
        for book_id in BOOKS:
            book = Book(book_id=book_id, code=f"0{book_id}", name="Đơn vị", agency_code="H57")
            self.runner.run(open_book(self.connection, book, HAPPENED_AT))

    def remember(self, entry: Entry, recorded_at: datetime) -> None:
        """Note a new entry in the model."""
        self.told[entry.book_id, entry.source] = entry
        self.instants.append(recorded_at)
        self.facts.extend(
            Fact(
                entry.book_id,
                line.debit,
                line.credit,
                line.amount_vnd,
                entry.value_date,
                recorded_at,
            )
            for line in entry.lines
        )

    @rule(told=told_entries)
    def post(self, told: list[tuple[int, str, date, list[tuple[tuple[str, str], int]]]]) -> None:
        """Tell entries, some for the second time; only the first telling counts."""
        entries = [
            Entry(
                book_id=book_id,
                source=source,
                kind="payment",
                happened_at=HAPPENED_AT,
                value_date=value_date,
                lines=tuple(
                    Line(debit=debit, credit=credit, amount_vnd=amount_vnd)
                    for (debit, credit), amount_vnd in lines
                ),
            )
            for book_id, source, value_date, lines in told
        ]
        days = self.runner.run(hold_days(self.connection, BOOKS))
        answers = self.runner.run(post(self.connection, entries, days))
        for entry, answer in zip(entries, answers, strict=True):
            key = (entry.book_id, entry.source)
            assert answer.new == (key not in self.told)
            if answer.new:
                self.remember(entry, days[entry.book_id].recorded_at)
            assert answer.entry_id == self.told[key].id

    @rule(amount_vnd=st.integers(1, 10**9), source=sources, lender=books)
    def lend(self, amount_vnd: int, source: str, lender: int) -> None:
        """Receive in one book for a notice of the other, under a shared id."""
        shared_id = uuid7()
        key = f"lend:{source}:{lender}"
        pair = [
            Entry(
                book_id=book_id,
                source=key,
                kind="between",
                happened_at=HAPPENED_AT,
                value_date=FIRST_DAY,
                shared_id=shared_id,
                lines=(Line(debit=debit, credit=credit, amount_vnd=amount_vnd),),
            )
            for book_id, debit, credit in (
                (lender, CLEARING, DUE_TO_UNITS),
                (3 - lender, DUE_FROM_UNITS, FEES_RECEIVABLE),
            )
        ]
        days = self.runner.run(hold_days(self.connection, BOOKS))
        for entry, answer in zip(
            pair, self.runner.run(post(self.connection, pair, days)), strict=True
        ):
            assert answer.new == ((entry.book_id, key) not in self.told)
            if answer.new:
                self.remember(entry, days[entry.book_id].recorded_at)

    @precondition(lambda self: self.told)
    @rule(pick=st.randoms(use_true_random=False), value_date=value_dates)
    def reverse(self, pick: Random, value_date: date) -> None:
        """Reverse any entry; the second reversal is refused."""
        alone = [key for key, entry in self.told.items() if entry.shared_id is None]
        if not alone:
            return
        book_id, source = pick.choice(alone)
        original = self.told[book_id, source]
        days = self.runner.run(hold_days(self.connection, BOOKS))
        undo = reverse(
            self.connection,
            book_id,
            original.id,
            source=f"undo:{len(self.told)}",
            happened_at=HAPPENED_AT,
            value_date=value_date,
            days=days,
        )
        if (book_id, source) in self.reversed:
            with pytest.raises(errors.AlreadyReversed):
                self.runner.run(undo)
            return
        answer = self.runner.run(undo)
        self.reversed.add((book_id, source))
        mirrored = tuple(
            Line(debit=line.credit, credit=line.debit, amount_vnd=line.amount_vnd)
            for line in original.lines
        )
        self.remember(
            Entry(
                book_id=book_id,
                id=answer.entry_id,
                source=answer.source,
                kind="reversal",
                happened_at=HAPPENED_AT,
                value_date=value_date,
                lines=mirrored,
            ),
            days[book_id].recorded_at,
        )

    @rule(book_id=books)
    def checkpoint(self, book_id: int) -> None:
        """Close and sum."""
        self.runner.run(checkpoint(self.connection, book_id))

    @rule(book_id=books)
    def close_segment(self, book_id: int) -> None:
        """Close without summing."""
        self.instants.append(self.runner.run(close_segment(self.connection, book_id)).closed_at)

    @rule(book_id=books)
    def sum_closed(self, book_id: int) -> None:
        """Sum what is closed."""
        self.runner.run(sum_closed(self.connection, book_id))

    @rule(book_id=books, days=st.integers(-1, 2))
    def turn_day(self, book_id: int, days: int) -> None:
        """Turn the day forward; backward is refused."""
        day = self.days[book_id] + timedelta(days=days)
        if days < 0:
            with pytest.raises(errors.DayIsOver):
                self.runner.run(turn_day(self.connection, book_id, day))
            return
        assert (self.runner.run(turn_day(self.connection, book_id, day)) is None) == (days == 0)
        self.days[book_id] = day

    def expected(
        self, book_id: int, at: datetime | None, value_date: date | None
    ) -> dict[str, tuple[int, int]]:
        """Debits and credits by account, after the model."""
        sums = dict.fromkeys(NORMAL_SIDE, (0, 0))
        for fact in self.facts:
            if (
                fact.book_id == book_id
                and (at is None or fact.recorded_at <= at)
                and (value_date is None or fact.value_date <= value_date)
            ):
                debit, credit = sums[fact.debit]
                sums[fact.debit] = (debit + fact.amount_vnd, credit)
                debit, credit = sums[fact.credit]
                sums[fact.credit] = (debit, credit + fact.amount_vnd)
        return sums

    def compare(self, book_id: int, at: datetime | None, value_date: date | None) -> None:
        """Check every account of a book against the model."""
        found = self.runner.run(trial_balance(self.connection, book_id, at, value_date))
        assert found.debit_vnd == found.credit_vnd
        sums = {row.account: (row.debit_vnd, row.credit_vnd) for row in found.rows}
        assert sums == self.expected(book_id, at, value_date)

    @precondition(lambda self: self.instants)
    @rule(book_id=books, pick=st.data(), value_date=st.none() | value_dates)
    def look_back(self, book_id: int, pick: st.DataObject, value_date: date | None) -> None:
        """Balances at any recorded instant, of any day, agree with the model."""
        at = pick.draw(st.sampled_from(self.instants))
        self.compare(book_id, at, value_date)
        self.compare(book_id, at - timedelta(microseconds=1), value_date)
        self.compare(book_id, None, value_date)
        one = self.runner.run(balance(self.connection, book_id, CLEARING, at, value_date))
        debit, credit = self.expected(book_id, at, value_date)[CLEARING]
        assert one.balance_vnd == debit - credit

    @invariant()
    def balances_agree(self) -> None:
        """Balances now agree with the model, and debits equal credits."""
        for book_id in BOOKS if self.told else ():
            self.compare(book_id, None, None)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Give a loop that outlives the steps of a program."""
    with asyncio.Runner() as made:
        yield made


def test_the_ledger_agrees_with_a_dictionary(
    runner: asyncio.Runner, worker_database: Database
) -> None:
    """No program of posts, repeats, reversals, checkpoints and day turns makes them differ."""
    engine = create_engine(worker_database.app_url, pool_size=1)

    class Bound(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(runner, engine)

    try:
        run_state_machine_as_test(
            Bound,
            settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS),
        )
    finally:
        runner.run(engine.dispose())
