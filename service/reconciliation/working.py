"""One run under way: plan in rounds, apply in chunks, rehearse. Which run, and when: see `runs`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import days
from service.database import snapshot, sqlstate
from service.problems import TRY_AGAIN
from service.reconciliation import payouts
from service.reconciliation.applying import Became, case_steps, post_steps
from service.reconciliation.counting import Counts, add
from service.reconciliation.messages import Run, RunStatus
from service.reconciliation.planning import plan
from service.reconciliation.steps import Step
from service.sealing import Sealer

CHUNK: Final = 200
ATTEMPTS: Final = 4
PAUSE_S: Final = 0.2
ROUNDS_MAX: Final = 4
"""Plans of one run; more than two are needed only where money arrives meanwhile."""
DRY_LOCK_TIMEOUT_MS: Final = 500
"""A dry run never keeps a payment waiting for longer."""
CHECKPOINT_LOCK_TIMEOUT_MS: Final = 500

Progress: TypeAlias = Callable[[Counts], None]

log = structlog.get_logger(__name__)

SET = sa.text("""
    update service.run
    set status = :status, counts = cast(:counts as jsonb),
        finished_at = case when :status in ('done', 'failed') then cast(:now as timestamptz) end
    where book_id = :book_id and id = :id
""")

ADD_STEPS = sa.text("""
    insert into service.run_step (book_id, run_id, position, movement_id, rule, verdict, reason,
                                  allocations, evidence)
    select :book_id, :run_id, told.position, told.movement_id, told.rule, told.verdict,
           told.reason, cast(told.allocations as jsonb), cast(told.evidence as jsonb)
    from unnest(cast(:positions as integer[]), cast(:movements as uuid[]), cast(:rules as text[]),
                cast(:verdicts as text[]), cast(:reasons as text[]), cast(:allocations as text[]),
                cast(:evidence as text[]))
        as told (position, movement_id, rule, verdict, reason, allocations, evidence)
""")

LAST = sa.text("""
    select coalesce(max(position), 0) from service.run_step
    where book_id = :book_id and run_id = :run_id
""")

NEXT = sa.text("""
    select position, evidence from service.run_step
    where book_id = :book_id and run_id = :run_id and applied is null and position > :after
    order by position limit :limit
""")

APPLIED = sa.text("""
    update service.run_step as step set applied = told.applied
    from unnest(cast(:positions as integer[]), cast(:applied as text[])) as told (position, applied)
    where step.book_id = :book_id and step.run_id = :run_id and step.position = told.position
""")

STAY = sa.text("select 1")
"""Asked while a plan grows: a transaction that is silent for long is ended by the server."""


async def checkpoint(engine: AsyncEngine, book_id: int) -> None:
    """Sum the book's closed segments, unless a writer is busy: then the worker does it later."""
    try:
        async with engine.begin() as connection:
            await _patience(connection, CHECKPOINT_LOCK_TIMEOUT_MS)
            await days.checkpoint(connection, book_id)
    except (DBAPIError, asyncpg.PostgresError) as error:
        if not TRY_AGAIN.match(sqlstate(error)):
            raise
        log.info("checkpoint_put_off", book_id=book_id)


async def _patience(connection: AsyncConnection, lock_timeout_ms: int) -> None:
    await connection.execute(
        sa.text("select set_config('lock_timeout', :ms, true)"), {"ms": str(lock_timeout_ms)}
    )


class Work:
    """One run under way."""

    def __init__(
        self, engine: AsyncEngine, run: Run, tell: Progress, sealer: Sealer | None = None
    ) -> None:
        self._engine = engine
        self._run = run
        self._tell = tell
        self._sealer = sealer
        self._counts = run.counts
        self._key: dict[str, object] = {"book_id": run.book_id, "run_id": run.id}
        self._failed: set[UUID] = set()

    async def set(self, status: RunStatus) -> None:
        """Write down how the run stands."""
        async with self._engine.begin() as connection:
            await self._set(status, self._counts, connection)

    async def _set(self, status: RunStatus, counts: Counts, connection: AsyncConnection) -> None:
        row = {
            "book_id": self._run.book_id,
            "id": self._run.id,
            "status": status,
            "counts": msgspec.json.encode(counts).decode(),
            "now": datetime.now(UTC),
        }
        await connection.execute(SET, row)

    async def _plans(self) -> AsyncIterator[Sequence[Step]]:
        """The steps of a new plan, block by block; counts what was looked at."""
        examined = unchanged = 0
        first = not self._counts.examined
        async with snapshot(self._engine) as reading:
            async for planned in plan(reading, self._run.book_id, self._run.business_date):
                examined += planned.examined
                unchanged += planned.examined - len(planned.steps)
                self._counts = msgspec.structs.replace(
                    self._counts,
                    examined=examined if first else self._counts.examined,
                    unchanged=unchanged,
                )
                self._tell(self._counts)
                yield [step for step in planned.steps if step.movement_id not in self._failed]

    async def go(self) -> None:
        """Apply what a killed process left, then plan and apply until nothing is left to do."""
        before = self._counts.posted
        await self._apply()
        await self._pay_out(dry_run=False)
        for left in reversed(range(ROUNDS_MAX)):
            posts = await self._plan(both=not left)
            await self._apply()
            if not posts:
                break
        if self._counts.posted > before:
            await checkpoint(self._engine, self._run.book_id)
        await self.set("done")

    async def _pay_out(self, *, dry_run: bool) -> None:
        """Rule R1, before others look at the credits that are payouts."""
        paid = await payouts.pay(
            self._engine,
            self._sealer,
            self._run.book_id,
            self._run.business_date,
            dry_run=dry_run,
        )
        if paid.count:
            rules = self._counts.by_rule
            self._counts = msgspec.structs.replace(
                self._counts,
                payouts=self._counts.payouts + paid.count,
                payouts_vnd=self._counts.payouts_vnd + paid.amount_vnd,
                by_rule=rules | {payouts.RULE: rules.get(payouts.RULE, 0) + paid.count},
            )

    async def _plan(self, *, both: bool) -> bool:
        """Write a plan in one transaction: of postings, or of cases where there are none to post.

        Says whether there were postings. `both` keeps cases beside them.
        """
        posts = False
        async with self._engine.begin() as connection:
            position = int(str(await connection.scalar(LAST, self._key)))
            start = position
            cases = await connection.begin_nested()
            async for steps in self._plans():
                await connection.execute(STAY)
                if not (posts or both) and any(step.verdict == "post" for step in steps):
                    await cases.rollback()
                    posts, position = True, start
                kept = [step for step in steps if both or not posts or step.verdict == "post"]
                if kept:
                    await connection.execute(ADD_STEPS, self._rows(kept, position))
                position += len(kept)
            if not posts:
                await cases.commit()
            await self._set("applying", self._counts, connection)
        return posts

    def _rows(self, steps: Sequence[Step], position: int) -> dict[str, object]:
        encode = msgspec.json.encode
        return self._key | {
            "positions": list(range(position + 1, position + len(steps) + 1)),
            "movements": [step.movement_id for step in steps],
            "rules": [step.rule for step in steps],
            "verdicts": [step.verdict for step in steps],
            "reasons": [step.reason for step in steps],
            "allocations": [encode(step.shares).decode() for step in steps],
            "evidence": [encode(step).decode() for step in steps],
        }

    async def _apply(self) -> None:
        """Apply what is planned and not yet applied, chunk by chunk."""
        after = 0
        while chunk := await self._next(after):
            after = chunk[-1][0]
            await self._take(chunk)
            self._tell(self._counts)

    async def _next(self, after: int) -> list[tuple[int, Step]]:
        async with self._engine.connect() as connection:
            rows = await connection.execute(NEXT, self._key | {"after": after, "limit": CHUNK})
            return [(row.position, msgspec.convert(row.evidence, Step)) for row in rows]

    async def _take(self, chunk: Sequence[tuple[int, Step]]) -> None:
        """Apply a chunk in one transaction; one that cannot be is taken step by step."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._commit(chunk)
            except (DBAPIError, asyncpg.PostgresError) as error:
                if not TRY_AGAIN.match(sqlstate(error)):
                    break
                await asyncio.sleep(PAUSE_S * (attempt + 1))
            except Exception:  # one poisoned step must not keep the others
                log.exception("run_chunk_failed", book_id=self._run.book_id, steps=len(chunk))
                break
        if len(chunk) > 1:
            for one in chunk:
                await self._take([one])
            return None
        self._failed.add(chunk[0][1].movement_id)
        return await self._commit(chunk, ["failed"])

    async def _commit(
        self, chunk: Sequence[tuple[int, Step]], became: Sequence[Became] = ()
    ) -> None:
        """Apply a chunk (or write down what it `became`) and how far the run is, together."""
        steps = [step for _, step in chunk]
        async with self._engine.begin() as connection:
            found = became or await self._become(connection, steps)
            counts = add(self._counts, steps, found)
            columns = {"positions": [position for position, _ in chunk], "applied": list(found)}
            await connection.execute(APPLIED, self._key | columns)
            await self._set("applying", counts, connection)
        self._counts = counts

    async def _become(self, connection: AsyncConnection, steps: Sequence[Step]) -> list[Became]:
        now = datetime.now(UTC)
        posts = [step for step in steps if step.verdict == "post"]
        rest = [step for step in steps if step.verdict == "case"]
        found: dict[UUID, Became] = {}
        if posts:
            posted = await post_steps(connection, self._run.book_id, posts, now)
            found |= zip((step.movement_id for step in posts), posted, strict=True)
        if rest:
            cased = await case_steps(connection, self._run.book_id, rest, now)
            found |= zip((step.movement_id for step in rest), cased, strict=True)
        return [found[step.movement_id] for step in steps]

    async def rehearse(self) -> None:
        """Apply every chunk and roll it back: what would change, and nothing does."""
        self._counts = Counts()
        await self._pay_out(dry_run=True)
        async for steps in self._plans():
            for start in range(0, len(steps), CHUNK):
                part = steps[start : start + CHUNK]
                self._counts = add(self._counts, part, await self._tried(part))
                self._tell(self._counts)
        await self.set("done")

    async def _tried(self, steps: Sequence[Step]) -> list[Became]:
        try:
            async with self._engine.connect() as connection, connection.begin() as transaction:
                await _patience(connection, DRY_LOCK_TIMEOUT_MS)
                became = await self._become(connection, steps)
                await transaction.rollback()
                return became
        except (DBAPIError, asyncpg.PostgresError) as error:
            if TRY_AGAIN.match(sqlstate(error)):
                return ["changed"] * len(steps)
            return await self._tried_singly(steps)
        except Exception:  # one poisoned step must not hide what would become of the others
            log.exception("run_chunk_would_fail", book_id=self._run.book_id, steps=len(steps))
            return await self._tried_singly(steps)

    async def _tried_singly(self, steps: Sequence[Step]) -> list[Became]:
        if len(steps) == 1:
            return ["failed"]
        return [one for step in steps for one in await self._tried([step])]
