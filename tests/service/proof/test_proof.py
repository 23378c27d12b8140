"""`prove` finds nothing in honest books, and names the row that somebody changed."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ledger.proof import Finding
from service.proof import prove
from service.reconciliation.runs import reconcile
from tests.databases import Database, Databases
from tests.makers import TODAY
from tests.service.proof.filling import (
    DAY,
    bring_statement,
    change_notices,
    fill,
    place,
    pool,
    send,
    tamper,
)
from tests.service.statements.making import Row
from tests.traffic import ORDER_COUNT, TRAFFIC, Message, Orders, prepare


class Filled:
    """A prepared and a filled database that copies are made of."""

    def __init__(self, databases: Databases, prepared: str, filled: str, orders: Orders) -> None:
        self._databases = databases
        self._prepared = prepared
        self._filled = filled
        self.orders = orders

    def empty(self) -> AbstractContextManager[Database]:
        """Give a copy in which nothing has happened yet."""
        return self._databases.clone(self._prepared)

    def full(self) -> AbstractContextManager[Database]:
        """Give a copy in which everything has."""
        return self._databases.clone(self._filled)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[Filled]:
    """Fill a database once for all copies."""

    async def preparing(database: Database) -> Orders:
        async with pool(database.app_url) as engine:
            return await prepare(engine)

    async def filling(database: Database, orders: Orders) -> None:
        async with pool(database.app_url) as engine:
            await fill(engine, orders)

    with databases.clone() as prepared:
        orders = asyncio.run(preparing(prepared))
        with databases.clone(prepared.name) as full:
            asyncio.run(filling(full, orders))
            yield Filled(databases, prepared.name, full.name, orders)


async def findings(database: Database) -> list[Finding]:
    """What the app role's proof of all books finds."""
    async with pool(database.app_url) as engine:
        return [finding async for finding in prove(engine)]


def test_honest_books_are_proven(filled: Filled) -> None:
    """Calls, transfers, statements, exemptions and receipts: nothing is found."""
    with filled.full() as database:
        assert asyncio.run(findings(database)) == []


STATEMENT_ROWS = st.lists(
    st.builds(
        Row,
        amount_vnd=st.sampled_from([50_000, 40_000, 57_000, 15_000, -50_000, -15_000]),
        memo=st.sampled_from(["nop phi", *(f"order {order}" for order in range(ORDER_COUNT))]),
        reference=st.sampled_from(["", "FT26001", "FT26002", "FT26003"]),
        day=st.sampled_from([DAY - 1, DAY, DAY + 1]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=10, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(before=TRAFFIC, rows=STATEMENT_ROWS, after=TRAFFIC, placed=st.booleans())
def test_any_traffic_is_proven(
    filled: Filled, before: list[Message], rows: list[Row], after: list[Message], *, placed: bool
) -> None:
    """Random calls, a statement, a run, random calls: every invariant holds."""
    named = {f"order {order}": text for order, text in enumerate(filled.orders.references)}
    lines = [
        msgspec.structs.replace(row, memo=named.get(row.memo, row.memo))
        for row in sorted(rows, key=lambda row: row.day)
    ]

    async def work(database: Database) -> list[Finding]:
        async with pool(database.app_url) as engine:
            await send(engine, filled.orders, before)
            await bring_statement(engine, lines, 1_000_000)
            await change_notices(engine)
            if placed:
                await place(engine)
            for book_id in (1, 2):
                await reconcile(engine, book_id, TODAY + timedelta(days=2))
            await send(engine, filled.orders, after)
        return await findings(database)

    with filled.empty() as database:
        assert asyncio.run(work(database)) == []


CHOSEN = {
    "$LINE": "(book_id, entry_id, position) = $ONE returning entry_id || '/' || position",
    "$ONE": "(select book_id, entry_id, position from ledger.line where debit = '1130' limit 1)",
    "$ENTRY": """id = (select id from ledger.entry where kind = 'money_in' order by id limit 1)
                 returning id""",
}
"""What the statements below stand for."""

TAMPERED = {
    "an amount": (
        1,
        "ledger.line",
        "update ledger.line set amount_vnd = amount_vnd + 1 where $LINE",
    ),
    "an account": (1, "ledger.line", "update ledger.line set credit = '3382' where $LINE"),
    "a notice": (1, "ledger.line", "update ledger.line set notice_id = uuidv7() where $LINE"),
    "a movement": (1, "ledger.line", "update ledger.line set movement_id = null where $LINE"),
    "a merchant": (1, "ledger.line", "update ledger.line set merchant = 'x' where $LINE"),
    "a budget": (
        1,
        "ledger.line",
        "update ledger.line set budget_subsection = '9999' where $LINE",
    ),
    "a line's day": (
        1,
        "ledger.line",
        "update ledger.line set value_date = value_date - 1 where $LINE",
    ),
    "a time": (
        1,
        "ledger.entry",
        "update ledger.entry set happened_at = happened_at + interval '1 second' where $ENTRY",
    ),
    "a time of recording": (
        1,
        "ledger.entry",
        "update ledger.entry set recorded_at = recorded_at - interval '1 hour' where $ENTRY",
    ),
    "a line deleted": (1, "ledger.line", "delete from ledger.line where $LINE"),
    "a line inserted": (
        1,
        "ledger.line",
        """insert into ledger.line select book_id, entry_id, 99, debit, credit, amount_vnd,
            segment, value_date, recorded_at, notice_id, item_id, movement_id, bank_account_id,
            merchant, budget_subsection from ledger.line
            where (book_id, entry_id, position) = $ONE
            returning entry_id || '/' || position""",
    ),
    "an entry deleted": (
        2,
        "ledger.entry",
        """with gone as (
               select book_id, id from ledger.entry where kind = 'money_in' order by id limit 1
           ), lines as (
               delete from ledger.line using gone
               where line.book_id = gone.book_id and line.entry_id = gone.id
           )
           delete from ledger.entry using gone
           where entry.book_id = gone.book_id and entry.id = gone.id returning entry.id""",
    ),
    "what is paid": (
        5,
        "service.notice_state",
        """update service.notice_state set paid_vnd = paid_vnd - 1 where (book_id, notice_id) = (
               select book_id, notice_id from service.notice_state where paid_vnd > 0 limit 1)
           returning notice_id""",
    ),
    "what an item was paid": (
        5,
        "service.notice_item",
        """update service.notice_item set paid_vnd = paid_vnd - 1 where id = (
               select id from service.notice_item where paid_vnd > 0 limit 1)
           returning notice_id || '/' || id""",
    ),
    "what is held": (
        5,
        "service.notice_state",
        """update service.notice_state set held_vnd = 0 where held_vnd > 0 returning notice_id""",
    ),
    "an allocation deleted": (
        5,
        "service.notice_state",
        """delete from service.allocation where id = (
               select id from service.allocation where amount_vnd > 0 order by id desc limit 1)
           returning notice_id""",
    ),
    "an allocation moved": (
        5,
        "service.allocation",
        """update service.allocation set amount_vnd = amount_vnd - 1 where id = (
               select id from service.allocation where amount_vnd > 1 order by id desc limit 1)
           returning id""",
    ),
    "what is in suspense": (
        12,
        "service.money_state",
        """update service.money_state
           set suspense_vnd = suspense_vnd - 1, held_vnd = held_vnd + 1
           where movement_id = (
               select movement_id from service.money_state where suspense_vnd > 1 limit 1)
           returning movement_id""",
    ),
    "what is on clearing": (
        12,
        "service.money_state",
        """update service.money_state set clearing_vnd = 0 where movement_id = (
               select movement_id from service.money_state where clearing_vnd > 0 limit 1)
           returning movement_id""",
    ),
    "a case ended": (
        12,
        "service.money_state",
        """update service.unmatched set status = 'resolved' where id = (
               select id from service.unmatched where reason = 'UNIDENTIFIED_CREDIT' limit 1)
           returning subject_id""",
    ),
    "a placed event deleted": (
        10,
        "service.outbox",
        """delete from service.outbox where id = (
               select id from service.outbox where position = 2 and book_id = 1)
           returning 'notice ' || notice_id""",
    ),
    "a waiting event deleted": (
        10,
        "service.outbox",
        """delete from service.outbox where id = (
               select id from service.outbox where position is null order by id limit 1)
           returning 'notice ' || notice_id""",
    ),
    "an event told twice": (
        10,
        "service.outbox",
        """insert into service.outbox select book_id, uuidv7(), type, dossier_code, notice_id,
               payload, recorded_at from service.outbox where position = 1 and book_id = 1
           returning 'notice ' || notice_id""",
    ),
    "a position skipped": (
        10,
        "service.outbox",
        """update service.outbox set position = position + 1000 where id = (
               select id from service.outbox where book_id = 1 order by position desc nulls last
               limit 1) returning id""",
    ),
    "a statement line deleted": (
        3,
        "service.sighting",
        """delete from service.statement_line where id = (
               select id from service.statement_line order by ordinal limit 1) returning id""",
    ),
    "a call deleted": (
        3,
        "service.event",
        """with gone as (
               delete from service.call where id = (
                   select call_id from service.event order by id limit 1) returning id)
           select event.id from service.event join gone on gone.id = event.call_id""",
    ),
    "an event deleted": (
        3,
        "service.sighting",
        """delete from service.event where id = (
               select id from service.event where movement_id is not null order by id limit 1)
           returning id""",
    ),
    "a sighting deleted": (
        3,
        "service.event",
        """delete from service.sighting where id = (
               select id from service.sighting where view = 'callback' order by id limit 1)
           returning id""",
    ),
    "a movement deleted": (
        3,
        "service.movement",
        """delete from service.movement where id = (
               select id from service.movement order by id limit 1) returning id""",
    ),
    "a receipt deleted": (
        3,
        "service.sighting",
        """delete from service.counter_receipt where id = (
               select id from service.counter_receipt order by id limit 1) returning id""",
    ),
    "an exemption deleted": (
        5,
        "service.notice_state",
        """delete from service.notice_change where id = (
               select id from service.notice_change order by id limit 1) returning notice_id""",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_a_superuser_changed_is_named(filled: Filled, what: str) -> None:
    """Must show 8: the proof names the row, the invariant and what it should say."""
    invariant, table, statement = TAMPERED[what]
    for name, chosen in CHOSEN.items():
        statement = statement.replace(name, chosen)
    with filled.full() as database:
        rows = asyncio.run(tamper(database, statement))
        assert rows, "nothing was changed"
        named = asyncio.run(findings(database))
    places = [(one.invariant, one.table, one.row) for one in named]
    for row in rows:
        assert (invariant, table, row) in places


def test_a_proof_of_one_book_leaves_the_others_alone(filled: Filled) -> None:
    """What is broken in the first book is not found in the second."""

    async def of_book(database: Database, book_id: int) -> Sequence[Finding]:
        async with pool(database.app_url) as engine:
            return [finding async for finding in prove(engine, book_id)]

    statement = """update ledger.line set amount_vnd = amount_vnd + 1
                   where book_id = 1 and credit <> '3389' returning 1"""
    with filled.full() as database:
        asyncio.run(tamper(database, statement))
        assert asyncio.run(of_book(database, 1))
        assert asyncio.run(of_book(database, 2)) == []
