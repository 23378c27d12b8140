"""Take one kept file: read the whole, then book what is new of it chunk by chunk.

One transaction per chunk: lines, their sightings and how far the file is are written together.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from providers.statements import StatementLine, StatementReader, Totals
from service.database import sqlstate
from service.import_queue import Kept
from service.payments.booking import book
from service.problems import TRY_AGAIN
from service.sealing import Sealer
from service.statements import gates
from service.statements.keeping import Account, layout_named, stream
from service.statements.lines import (
    BARE_BYTES,
    Counted,
    Identity,
    Like,
    Occurrences,
    context,
    new_id,
    sealed_part,
    sighting,
)

ATTEMPTS: Final = 5
PAUSE_S: Final = 0.2
KNOWN_AT_ONCE: Final = 5_000
PROBLEM_CHARACTERS_MAX: Final = 500

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many lines are taken, and of how many."""

log = structlog.get_logger(__name__)

STATE = sa.text("""
    select statement.status, statement.layout, statement.lines_new + statement.lines_known as taken,
           account.id, account.book_id, account.bin, account.number
    from service.statement
    join service.bank_account as account on account.id = statement.bank_account_id
    where statement.book_id = :book_id and statement.id = :id
""")

REFUSE = sa.text("""
    update service.statement
    set status = 'refused', problem = :problem, finished_at = :now
    where book_id = :book_id and id = :id and status = 'received'
""")

BEGIN = sa.text("""
    update service.statement
    set status = 'importing', lines_read = :count, credits_vnd = :credits_vnd,
        debits_vnd = :debits_vnd, opening_vnd = :opening_vnd, closing_vnd = :closing_vnd,
        first_on = :first_on, last_on = :last_on, proven = :proven
    where book_id = :book_id and id = :id and status = 'received'
""")

HOLD = sa.text("""
    select lines_new + lines_known as taken from service.statement
    where book_id = :book_id and id = :id and status = 'importing' for update
""")

ADVANCE = sa.text("""
    update service.statement
    set lines_new = lines_new + :new, lines_known = lines_known + :known
    where book_id = :book_id and id = :id
""")

FINISH = sa.text("""
    update service.statement set status = 'done', finished_at = :now
    where book_id = :book_id and id = :id and status = 'importing'
""")

# The same line of another file that states balances or does not, too: a file without balances has
# as many of a kind as all files together told at most; one with them has its n-th of a kind where
# a file without them had its n-th.
KNOWN = sa.text("""
    select told.fingerprint, told.occurrence
    from unnest(cast(:prints as bytea[]), cast(:occurrences as integer[]), cast(:bares as bytea[]),
                cast(:bare_occurrences as integer[]))
        as told (fingerprint, occurrence, bare, bare_occurrence)
    where exists (
        select from service.statement_line as line
        where line.book_id = :book_id and line.bank_account_id = :account_id
          and line.fingerprint = told.fingerprint and line.occurrence = told.occurrence)
    or exists (
        select from service.statement_line as line
        where line.book_id = :book_id and line.bank_account_id = :account_id
          and line.fingerprint = told.bare and line.occurrence = told.bare_occurrence)
    or told.bare is null and told.occurrence <= (
        select count(*) from service.statement_line as line
        where line.book_id = :book_id and line.bank_account_id = :account_id
          and line.fingerprint
              between substr(told.fingerprint, 1, :bare_bytes) || cast(:lowest as bytea)
              and substr(told.fingerprint, 1, :bare_bytes) || cast(:highest as bytea))
""")

ADD = sa.text("""
    insert into service.statement_line
        (book_id, id, statement_id, ordinal, bank_account_id, value_date, direction, amount_vnd,
         fingerprint, occurrence, balance_vnd, memo_sealed, recorded_at)
    select :book_id, told.id, :statement_id, told.ordinal, :account_id, told.value_date,
           told.direction, told.amount_vnd, told.fingerprint, told.occurrence, told.balance_vnd,
           told.memo_sealed, :now
    from unnest(cast(:ids as uuid[]), cast(:ordinals as integer[]), cast(:days as date[]),
                cast(:directions as text[]), cast(:amounts as bigint[]), cast(:prints as bytea[]),
                cast(:occurrences as integer[]), cast(:balances as bigint[]),
                cast(:sealed as bytea[]))
        as told (id, ordinal, value_date, direction, amount_vnd, fingerprint, occurrence,
                 balance_vnd, memo_sealed)
    on conflict (book_id, bank_account_id, fingerprint, occurrence) do nothing
    returning id
""")


class _Moved(Exception):
    """Another import took this chunk meanwhile."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What the first reading of a file has shown."""

    totals: Totals
    crowded: dict[Like, list[Identity]]
    """Lines that are like others in the file, in order."""


class Taking:
    """One import of one file."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        kept: Kept,
        account: Account,
        chunk_lines: int,
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._kept = kept
        self._account = account
        self._chunk_lines = chunk_lines
        self._key: dict[str, object] = {"book_id": kept.book_id, "id": kept.id}
        self._peers: dict[Like, int] = {}

    async def _reader(self) -> StatementReader:
        async with self._engine.connect() as connection:
            row = (await connection.execute(STATE, self._key)).one()
        layout = layout_named(row.layout)
        return StatementReader(stream(self._engine, self._sealer, self._kept), layout)

    async def read_whole(self) -> Read:
        """Read the file to its end, booking nothing; raises UnreadableStatement."""
        reader = await self._reader()
        return await asyncio.to_thread(self._read_whole, reader)

    def _read_whole(self, reader: StatementReader) -> Read:
        counter = Occurrences(self._sealer, self._account)
        likes: dict[Like, list[Identity]] = {}
        for counted in counter.count(reader):
            likes.setdefault(counted.like, []).append(counted.identity)
        return Read(
            totals=reader.totals(),
            crowded={like: lines for like, lines in likes.items() if len(lines) > 1},
        )

    async def refuse(self, problem: str) -> None:
        """Say why the file is not taken; nothing of it was booked."""
        async with self._engine.begin() as connection:
            await connection.execute(
                REFUSE,
                self._key | {"problem": problem[:PROBLEM_CHARACTERS_MAX], "now": datetime.now(UTC)},
            )

    async def begin(self, totals: Totals) -> None:
        """Write down what the whole comes to, and the account's opening where it is the first."""
        async with self._engine.begin() as connection:
            row = msgspec.structs.asdict(totals) | {"proven": bool(totals.ties)}
            began = await connection.execute(BEGIN, self._key | row)
            span = gates.span_of(self._kept.id, totals)
            if began.rowcount and span is not None:
                await gates.book_opening(connection, self._account, span)

    async def take(self, read: Read, progress: Progress) -> None:
        """Book the lines that no file told before, chunk by chunk."""
        self._peers = await self._new_peers(read)
        reader = await self._reader()
        counter = Occurrences(self._sealer, self._account)
        lines = iter(reader)
        taken = await self._taken()
        while batch := await asyncio.to_thread(self._next, lines, counter):
            last = batch[-1].line.ordinal
            while last > taken:
                left = [one for one in batch if one.line.ordinal > taken]
                taken = await self._take_chunk(left)
                progress(taken, read.totals.count)

    def _next(self, lines: Iterator[StatementLine], counter: Occurrences) -> list[Counted]:
        return counter.count(islice(lines, self._chunk_lines))

    async def _taken(self) -> int:
        async with self._engine.connect() as connection:
            row = (await connection.execute(STATE, self._key)).one()
        return int(row.taken)

    async def _new_peers(self, read: Read) -> dict[Like, int]:
        """How many lines that no file told before are like one another."""
        peers: dict[Like, int] = {}
        told = [(like, line) for like, lines in read.crowded.items() for line in lines]
        async with self._engine.connect() as connection:
            for start in range(0, len(told), KNOWN_AT_ONCE):
                part = told[start : start + KNOWN_AT_ONCE]
                known = await self._known(connection, [line for _, line in part])
                new = Counter(like for like, line in part if line[:2] not in known)
                for like, count in new.items():
                    peers[like] = peers.get(like, 0) + count
        return peers

    async def _known(
        self, connection: AsyncConnection, lines: Sequence[Identity]
    ) -> set[tuple[bytes, int]]:
        rows = await connection.execute(
            KNOWN,
            {
                "book_id": self._account.book_id,
                "account_id": self._account.id,
                "prints": [line.fingerprint for line in lines],
                "occurrences": [line.occurrence for line in lines],
                "bares": [line.bare for line in lines],
                "bare_occurrences": [line.bare_occurrence for line in lines],
                "bare_bytes": BARE_BYTES,
                "lowest": bytes(BARE_BYTES),
                "highest": b"\xff" * BARE_BYTES,
            },
        )
        return {(bytes(row.fingerprint), row.occurrence) for row in rows}

    async def _take_chunk(self, chunk: Sequence[Counted]) -> int:
        """Book a chunk, trying again where the database asks for it; how far the file is then."""
        for attempt in range(ATTEMPTS):
            peers = dict(self._peers)
            try:
                async with self._engine.begin() as connection:
                    await self._book(connection, chunk, peers)
            except _Moved:
                return await self._taken()
            except (DBAPIError, asyncpg.PostgresError) as error:
                state = sqlstate(error)
                if attempt + 1 == ATTEMPTS or not TRY_AGAIN.match(state):
                    raise
                log.warning("statement_chunk_again", sqlstate=state)
                await asyncio.sleep(PAUSE_S * (attempt + 1))
            else:
                self._peers = peers
                break
        return chunk[-1].line.ordinal

    async def _book(
        self, connection: AsyncConnection, chunk: Sequence[Counted], peers: dict[Like, int]
    ) -> None:
        now = datetime.now(UTC)
        taken = await connection.scalar(HOLD, self._key)
        if taken is None or int(taken) != chunk[0].line.ordinal - 1:
            raise _Moved
        known = await self._known(connection, [one.identity for one in chunk])
        fresh = [one for one in chunk if (one.fingerprint, one.occurrence) not in known]
        if fresh:
            await self._sealer.prepare(connection, [self._account.book_id], now)
            ids = [new_id() for _ in fresh]
            await connection.execute(ADD, self._rows(fresh, ids, now))
            sightings = []
            for line_id, one in zip(ids, fresh, strict=True):
                left = peers.get(one.like, 1)
                peers[one.like] = max(left - 1, 1)
                sightings.append(sighting(self._sealer, self._account, line_id, one, left))
            await book(connection, sightings, now=now)
        counts = {"new": len(fresh), "known": len(chunk) - len(fresh)}
        await connection.execute(ADVANCE, self._key | counts)

    def _rows(
        self, fresh: Sequence[Counted], ids: Sequence[UUID], now: datetime
    ) -> dict[str, object]:
        book_id = self._account.book_id
        return {
            "book_id": book_id,
            "statement_id": self._kept.id,
            "account_id": self._account.id,
            "now": now,
            "ids": list(ids),
            "ordinals": [one.line.ordinal for one in fresh],
            "days": [one.line.booked_on for one in fresh],
            "directions": [one.line.direction for one in fresh],
            "amounts": [one.line.amount_vnd for one in fresh],
            "prints": [one.fingerprint for one in fresh],
            "occurrences": [one.occurrence for one in fresh],
            "balances": [one.line.balance_vnd for one in fresh],
            "sealed": [
                self._sealer.seal(book_id, now, context(line_id), sealed_part(one.line))
                for line_id, one in zip(ids, fresh, strict=True)
            ],
        }

    async def finish(self, totals: Totals) -> None:
        """All lines are taken: hold the statement against its neighbours and call it done."""
        now = datetime.now(UTC)
        async with self._engine.begin() as connection:
            finished = await connection.execute(FINISH, self._key | {"now": now})
            span = gates.span_of(self._kept.id, totals)
            if finished.rowcount and span is not None:
                await gates.hold_against_neighbours(connection, self._account, span, now)
