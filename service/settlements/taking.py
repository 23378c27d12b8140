"""Take one kept settlement file: read the whole, then book what is new of it chunk by chunk.

One transaction per chunk: lines, their sightings, entries, batches and how far the file is are
written together.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from providers.settlements import SettlementReader, Totals
from service.database import sqlstate
from service.import_queue import Kept
from service.problems import TRY_AGAIN
from service.sealing import Sealer
from service.settlements import contracts, due, gates
from service.settlements.booking import Chunk, book_chunk
from service.settlements.identity import Counted, Occurrences
from service.settlements.keeping import Payee, mapping_named, stream

ATTEMPTS: Final = 5
PAUSE_S: Final = 0.2
LOOKED_AT_ONCE: Final = 2_000
PROBLEM_CHARACTERS_MAX: Final = 500

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many lines are taken, and of how many."""

log = structlog.get_logger(__name__)

# A plan that was made and kept while the tables were empty would read all of them for every line.
PLAN_ANEW = sa.text("select set_config('plan_cache_mode', 'force_custom_plan', true)")

STATE = sa.text("""
    select status, mapping, lines_new + lines_known as taken from service.settlement
    where book_id = :book_id and id = :id
""")

REFUSE = sa.text("""
    update service.settlement
    set status = 'refused', problem = :problem, finished_at = :now
    where book_id = :book_id and id = :id and status = 'received'
""")

BEGIN = sa.text("""
    update service.settlement
    set status = 'importing', lines_read = :lines, gross_vnd = :gross_vnd, fee_vnd = :fee_vnd,
        net_vnd = :net_vnd, payout_vnd = :payout_vnd, batch_count = :batch_count,
        first_on = :first_on, last_on = :last_on, proven = :proven
    where book_id = :book_id and id = :id and status = 'received'
""")

ADD_BATCHES = sa.text("""
    insert into service.settlement_batch
        (book_id, id, merchant_id, number, settlement_id, first_on, last_on, due_on)
    select :book_id, told.id, :merchant_id, told.number, :id, told.first_on, told.last_on,
           told.due_on
    from unnest(cast(:ids as uuid[]), cast(:numbers as text[]), cast(:firsts as date[]),
                cast(:lasts as date[]), cast(:dues as date[]))
        as told (id, number, first_on, last_on, due_on)
    on conflict (book_id, merchant_id, number) do update
    set first_on = least(settlement_batch.first_on, excluded.first_on),
        last_on = greatest(settlement_batch.last_on, excluded.last_on),
        due_on = greatest(settlement_batch.due_on, excluded.due_on)
""")

BATCH_IDS = sa.text("""
    select number, id from service.settlement_batch
    where book_id = :book_id and merchant_id = :merchant_id
      and number = any(cast(:numbers as text[]))
""")

HOLD = sa.text("""
    select lines_new + lines_known as taken from service.settlement
    where book_id = :book_id and id = :id and status = 'importing' for update
""")

ADVANCE = sa.text("""
    update service.settlement
    set lines_new = lines_new + :new, lines_known = lines_known + :known
    where book_id = :book_id and id = :id
""")

FINISH = sa.text("""
    update service.settlement
    set status = 'done', finished_at = :now, fees_proven = not exists (
        select from service.settlement_line as line
        where line.book_id = :book_id and line.settlement_id = :id and line.kind = 'payment'
          and line.contract_fee_vnd is null)
    where book_id = :book_id and id = :id and status = 'importing'
""")


class _Moved(Exception):
    """Another import took this chunk meanwhile."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What the first reading of a file has shown."""

    totals: Totals

    @property
    def lines(self) -> int:
        """All of them, payouts too."""
        return self.totals.count + self.totals.payouts


class Taking:
    """One import of one file."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        kept: Kept,
        whose: Payee,
        chunk_lines: int,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._kept = kept
        self._whose = whose
        self._chunk_lines = chunk_lines
        self._clock = clock
        self._key: dict[str, object] = {"book_id": kept.book_id, "id": kept.id}
        self._chunk: Chunk | None = None

    async def _reader(self) -> SettlementReader:
        async with self._engine.connect() as connection:
            row = (await connection.execute(STATE, self._key)).one()
        mapping = mapping_named(row.mapping)
        return SettlementReader(stream(self._engine, self._sealer, self._kept), mapping)

    async def read_whole(self, *, gates_too: bool) -> Read:
        """Read the file to its end, booking nothing; raises UnreadableSettlement, Contradiction.

        `gates_too`: hold it against what earlier files told.
        """
        reader = await self._reader()
        occurrences = Occurrences(self._whose)
        lines = iter(reader)
        overlap: gates.Overlap | None = None
        while True:
            batch = await asyncio.to_thread(self._next, lines, occurrences, LOOKED_AT_ONCE)
            if overlap is None:
                heading = reader.heading
                at = heading.index.get("fee") if heading else None
                name = heading.texts[at].strip() if heading and at is not None else "fee"
                overlap = gates.Overlap(self._whose, name)
            if not batch:
                break
            if gates_too:
                async with self._engine.begin() as connection:
                    await connection.execute(PLAN_ANEW)
                    await overlap.look(connection, batch)
        totals = reader.totals()
        if gates_too:
            async with self._engine.connect() as connection:
                await overlap.finish(connection, totals)
        return Read(totals=totals)

    @staticmethod
    def _next(lines: Iterator[object], occurrences: Occurrences, count: int) -> list[Counted]:
        return occurrences.count(islice(lines, count))  # type: ignore[arg-type] # of the reader

    async def refuse(self, problem: str) -> None:
        """Say why the file is not taken; nothing of it was booked."""
        async with self._engine.begin() as connection:
            await connection.execute(
                REFUSE,
                self._key | {"problem": problem[:PROBLEM_CHARACTERS_MAX], "now": self._clock()},
            )

    async def begin(self, read: Read) -> None:
        """Write down what the whole comes to, and the batches that are new."""
        totals = read.totals
        row: dict[str, object] = {
            "lines": read.lines,
            "gross_vnd": totals.gross_vnd,
            "fee_vnd": totals.fee_vnd,
            "net_vnd": totals.net_vnd,
            "payout_vnd": totals.payout_vnd,
            "batch_count": len(totals.batches),
            "first_on": totals.first_on,
            "last_on": totals.last_on,
            "proven": totals.trailer_row is not None,
        }
        policy = due.Policy.of(self._whose)
        batches = {
            "merchant_id": self._whose.id,
            "ids": [uuid7() for _ in totals.batches],
            "numbers": [one.number for one in totals.batches],
            "firsts": [one.first_on for one in totals.batches],
            "lasts": [one.last_on for one in totals.batches],
            "dues": [one.paid_on or policy.due_on(one.last_on) for one in totals.batches],
        }
        async with self._engine.begin() as connection:
            await connection.execute(BEGIN, self._key | row)
            await connection.execute(ADD_BATCHES, self._key | batches)
            found = await connection.execute(
                BATCH_IDS,
                {
                    "book_id": self._whose.book_id,
                    "merchant_id": self._whose.id,
                    "numbers": batches["numbers"],
                },
            )
            state = (await connection.execute(STATE, self._key)).one()
            self._chunk = Chunk(
                whose=self._whose,
                settlement_id=self._kept.id,
                batches={one.number: UUID(str(one.id)) for one in found},
                contracts=await contracts.listing(connection, self._whose.book_id, self._whose.id),
                money=mapping_named(state.mapping).money,
            )

    async def take(self, read: Read, progress: Progress) -> None:
        """Book the lines that no file told before, chunk by chunk."""
        reader = await self._reader()
        occurrences = Occurrences(self._whose)
        lines = iter(reader)
        taken = await self._taken()
        while batch := await asyncio.to_thread(self._next, lines, occurrences, self._chunk_lines):
            last = batch[-1].line.ordinal
            while last > taken:
                left = [one for one in batch if one.line.ordinal > taken]
                taken = await self._take_chunk(left)
                progress(taken, read.lines)

    async def _taken(self) -> int:
        async with self._engine.connect() as connection:
            row = (await connection.execute(STATE, self._key)).one()
        return int(row.taken)

    async def _take_chunk(self, lines: Sequence[Counted]) -> int:
        """Book a chunk, trying again where the database asks for it; how far the file is then."""
        for attempt in range(ATTEMPTS):
            try:
                async with self._engine.begin() as connection:
                    await self._book(connection, lines)
            except _Moved:
                return await self._taken()
            except (DBAPIError, asyncpg.PostgresError) as error:
                state = sqlstate(error)
                if attempt + 1 == ATTEMPTS or not TRY_AGAIN.match(state):
                    raise
                log.warning("settlement_chunk_again", sqlstate=state)
                await asyncio.sleep(PAUSE_S * (attempt + 1))
            else:
                break
        return lines[-1].line.ordinal

    async def _book(self, connection: AsyncConnection, lines: Sequence[Counted]) -> None:
        if self._chunk is None:
            message = "an import takes lines after it has begun"
            raise RuntimeError(message)
        await connection.execute(PLAN_ANEW)
        taken = await connection.scalar(HOLD, self._key)
        if taken is None or int(taken) != lines[0].line.ordinal - 1:
            raise _Moved
        known = await gates.known(connection, self._whose, lines)
        fresh = [one for one in lines if one.identity not in known]
        if fresh:
            await book_chunk(connection, self._chunk, fresh, self._clock())
        counts = {"new": len(fresh), "known": len(lines) - len(fresh)}
        await connection.execute(ADVANCE, self._key | counts)

    async def finish(self, read: Read) -> None:
        """All lines are taken: name what is off, what is missing and what is overdue."""
        now = self._clock()
        async with self._engine.begin() as connection:
            finished = await connection.execute(FINISH, self._key | {"now": now})
            if not finished.rowcount:
                return
            numbers = [one.number for one in read.totals.batches]
            state = (await connection.execute(STATE, self._key)).one()
            mapping = mapping_named(state.mapping)
            if mapping.batches == "counted":
                await gates.tell_gaps(connection, self._whose, numbers, now)
            if mapping.money == "provider":
                await due.tell_fees(connection, self._whose, self._kept.id, now)
                await due.tell_overdue(connection, self._whose, now)
