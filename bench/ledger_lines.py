"""Ledger lines per second in bulk through post(), against bare SQL that writes the same rows.

The baseline starts from rows that are ready to be written, hashes included, and writes them to the
same tables and indexes in transactions of the same size: by unnest or by COPY, whichever is
faster. post() starts from entries: it checks, holds the day, hashes and remembers sources.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from bench.server import private_server
from ledger import hashing
from ledger.accounts import BANK, CLEARING, FEES_RECEIVABLE, OVERPAID, Book, open_book
from ledger.entries import Entry, Line, OpenDay
from ledger.posting import hold_days, post
from ledger.proof import prove
from service.database import create_engine, transaction
from service.dev.postgres import APP, OWNER
from service.migrations.run import upgrade

BOOK: Final = 1
ENTRIES_PER_CALL: Final = 500
LINES_PER_ENTRY: Final = 2
CALLS_PER_ROUND: Final = 30
ROUNDS: Final = 7
HAPPENED_AT: Final = datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)

COLUMNS: Final = {
    "entry": {
        "book_id": "integer",
        "id": "uuid",
        "posting_id": "uuid",
        "source": "text",
        "kind": "text",
        "happened_at": "timestamptz",
        "value_date": "date",
        "recorded_at": "timestamptz",
        "day": "date",
        "segment": "bigint",
        "line_count": "smallint",
        "parts": "bytea",
        "hash": "bytea",
    },
    "line": {
        "book_id": "integer",
        "entry_id": "uuid",
        "position": "smallint",
        "debit": "text",
        "credit": "text",
        "amount_vnd": "bigint",
        "segment": "bigint",
        "value_date": "date",
        "recorded_at": "timestamptz",
        "notice_id": "uuid",
        "item_id": "uuid",
        "movement_id": "uuid",
        "merchant": "text",
        "budget_subsection": "text",
    },
    "posting": {
        "book_id": "integer",
        "id": "uuid",
        "day": "date",
        "segment": "bigint",
        "recorded_at": "timestamptz",
        "entry_ids": "uuid[]",
        "digest": "bytea",
    },
}

Row = tuple[object, ...]


class Batch(msgspec.Struct, frozen=True):
    """The rows of one transaction, by table."""

    entry: list[Row]
    line: list[Row]
    posting: list[Row]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Lines a second of each side, round by round; `ratio` compares the medians."""

    post: list[float]
    unnest: list[float]
    copy: list[float]

    @property
    def baseline(self) -> list[float]:
        """The faster of the two bare ways."""
        return max(self.unnest, self.copy, key=statistics.median)

    @property
    def ratio(self) -> float:
        """post() over the baseline."""
        return statistics.median(self.post) / statistics.median(self.baseline)


def make_entries(count: int) -> list[Entry]:
    """Entries with fresh sources, of two lines with all dimensions."""
    return [
        Entry(
            book_id=BOOK,
            source=f"vnpay:HUEBENCH:{uuid7()}",
            kind="money_in",
            happened_at=HAPPENED_AT,
            value_date=HAPPENED_AT.date(),
            lines=tuple(
                Line(
                    debit=(CLEARING, BANK)[number % 2],
                    credit=(FEES_RECEIVABLE, OVERPAID)[number % 2],
                    amount_vnd=50_000 + number,
                    notice_id=uuid7(),
                    item_id=uuid7(),
                    movement_id=uuid7(),
                    merchant="HUEBENCH",
                    budget_subsection="2721",
                )
                for number in range(LINES_PER_ENTRY)
            ),
        )
        for _ in range(count)
    ]


def make_batch(entries: Sequence[Entry], held: OpenDay) -> Batch:
    """The same entries as rows that are ready to be written."""
    posting_id = uuid7()
    batch = Batch([], [], [])
    pairs: list[tuple[UUID, bytes]] = []
    recorded_us, day = hashing.microseconds(held.recorded_at), held.day.toordinal()
    for one in entries:
        head = hashing.head_bytes(one, posting_id, recorded_us, day, held.segment, len(one.lines))
        bodies = [hashing.line_bytes(at, line) for at, line in enumerate(one.lines, 1)]
        digest, parts = hashing.seal_entry(head, bodies)
        pairs.append((one.id, digest))
        what = (one.source, one.kind, one.happened_at, one.value_date)
        place = (held.recorded_at, held.day, held.segment)
        batch.entry.append((BOOK, one.id, posting_id, *what, *place, len(one.lines), parts, digest))
        batch.line.extend(
            (
                *(BOOK, one.id, at, line.debit, line.credit, line.amount_vnd),
                *(held.segment, one.value_date, held.recorded_at),
                *(line.notice_id, line.item_id, line.movement_id),
                *(line.merchant, line.budget_subsection),
            )
            for at, line in enumerate(one.lines, 1)
        )
    ids = sorted(one.id for one in entries)
    digest = hashing.posting_digest(BOOK, posting_id, pairs)
    batch.posting.append((BOOK, posting_id, held.day, held.segment, held.recorded_at, ids, digest))
    return batch


def unnest_statement(table: str) -> str:
    """An insert from one array for each column; the members of a posting come as one array."""
    columns = COLUMNS[table]
    if table == "posting":
        values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        return f"insert into ledger.posting ({', '.join(columns)}) values ({values})"  # noqa: S608 - constants
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1))
    return f"insert into ledger.{table} ({', '.join(columns)}) select * from unnest({arrays})"  # noqa: S608 - constants


STATEMENTS: Final = {table: unnest_statement(table) for table in COLUMNS}


async def write_unnest(connection: "asyncpg.Connection[asyncpg.Record]", batch: Batch) -> None:
    """Write one batch with an insert for each table."""
    async with connection.transaction():
        await connection.execute(STATEMENTS["entry"], *map(list, zip(*batch.entry, strict=True)))
        await connection.execute(STATEMENTS["line"], *map(list, zip(*batch.line, strict=True)))
        await connection.execute(STATEMENTS["posting"], *batch.posting[0])


async def write_copy(connection: "asyncpg.Connection[asyncpg.Record]", batch: Batch) -> None:
    """Write one batch with a COPY for each table."""
    async with connection.transaction():
        for table, rows in (
            ("entry", batch.entry),
            ("line", batch.line),
            ("posting", batch.posting),
        ):
            await connection.copy_records_to_table(
                table, schema_name="ledger", columns=list(COLUMNS[table]), records=rows
            )


async def timed(write: Callable[[], Awaitable[None]]) -> float:
    """Lines a second of one round."""
    start = time.perf_counter()
    await write()
    seconds = time.perf_counter() - start
    return CALLS_PER_ROUND * ENTRIES_PER_CALL * LINES_PER_ENTRY / seconds


async def post_round(engine: AsyncEngine) -> float:
    """One round through post(), a transaction for each call."""
    calls = [make_entries(ENTRIES_PER_CALL) for _ in range(CALLS_PER_ROUND)]

    async def write() -> None:
        for entries in calls:
            async with transaction(engine) as connection:
                await post(connection, entries)

    return await timed(write)


async def bare_round(
    engine: AsyncEngine,
    connection: "asyncpg.Connection[asyncpg.Record]",
    write_batch: Callable[["asyncpg.Connection[asyncpg.Record]", Batch], Awaitable[None]],
) -> float:
    """One round of bare SQL; the rows are made before the clock starts."""
    async with transaction(engine) as holding:
        held = (await hold_days(holding, [BOOK]))[BOOK]
    batches = [make_batch(make_entries(ENTRIES_PER_CALL), held) for _ in range(CALLS_PER_ROUND)]

    async def write() -> None:
        for batch in batches:
            await write_batch(connection, batch)

    return await timed(write)


async def run(app_url: str, rounds: int = ROUNDS) -> Result:
    """Measure on an empty migrated database; the sides take turns, each first in its turn.

    Raises AssertionError when the books do not prove afterwards.
    """
    engine = create_engine(app_url)
    connection = await asyncpg.connect(app_url)
    try:
        async with transaction(engine) as opening:
            book = Book(book_id=BOOK, code="01", name="Sở Tư pháp", agency_code="H57.23")
            await open_book(opening, book, HAPPENED_AT)
        result = Result(post=[], unnest=[], copy=[])
        sides: list[tuple[list[float], Callable[[], Awaitable[float]]]] = [
            (result.post, lambda: post_round(engine)),
            (result.unnest, lambda: bare_round(engine, connection, write_unnest)),
            (result.copy, lambda: bare_round(engine, connection, write_copy)),
        ]
        for number in range(rounds + 1):
            for at in range(len(sides)):
                into, measure = sides[(number + at) % len(sides)]
                rate = await measure()
                if number:  # the first round only warms up
                    into.append(rate)
        snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
        async with snapshot.connect() as proving:
            findings = [finding async for finding in prove(proving, BOOK)]
        assert not findings, findings[:3]
    finally:
        await connection.close()
        await engine.dispose()
    return result


def report(result: Result) -> str:
    """What was measured, for people."""
    rows = [("post()", result.post), ("unnest", result.unnest), ("COPY", result.copy)]
    lines = [
        f"  {name:8}{statistics.median(rates):>10,.0f} lines/s  "
        f"({min(rates):,.0f} to {max(rates):,.0f})"
        for name, rates in rows
    ]
    paired = [ours / best for ours, best in zip(result.post, result.baseline, strict=True)]
    spread = f"{min(paired):.2f} to {max(paired):.2f}"
    return "\n".join(
        itertools.chain(
            [f"Ledger lines in bulk, {len(result.post)} alternating rounds, proven after:"],
            lines,
            [f"  ratio to the faster bare way: {result.ratio:.2f} ({spread})"],
        )
    )


def measure(rounds: int = ROUNDS) -> None:
    """Measure on a private durable server and print the report."""
    with private_server() as server:
        server.create_database("bench_lines")
        asyncio.run(upgrade(server.dsn(OWNER, "bench_lines")))
        print(report(asyncio.run(run(server.dsn(APP, "bench_lines"), rounds))))
