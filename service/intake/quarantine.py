"""Keep calls we do not believe in a bounded lane of their own, so that they cost little.

A call that looks like an open order with the right amount may be true and signed with a secret we
do not know yet: at most ORDER_CALLS_MAX of those are kept per order. The rest turn in a ring per
merchant by bytes. Calls that are proven but cannot be read or booked are kept until they were.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from providers import Call, Hint
from service.database import transaction
from service.intake import figures
from service.merchants import Merchant
from service.payments.cases import open_cases
from service.payments.loading import lock, lock_key
from service.payments.sightings import Case
from service.references import payment_reference
from service.sealing import Sealer

QUEUE_MAX: Final = 1_000
BATCH_MAX: Final = 100
ORDER_CALLS_MAX: Final = 20
ORDER_KEPT_FOR: Final = timedelta(days=60)
RING_BYTES_MAX: Final = 1_000_000
CALL_BYTES_MAX: Final = 65_536
"""More of an unbelieved call is not kept."""
KEPT_WITHIN_S: Final = 5.0

Lane: TypeAlias = Literal["order", "ring", "stuck"]
Kept: TypeAlias = Literal["kept", "full"]

log = structlog.get_logger(__name__)

# Open orders that unbelieved calls name, with how many such calls are kept already.
ORDERS = sa.text("""
    select request.reference, request.amount_vnd,
           (select count(*) from service.quarantine as kept
            where kept.book_id = :book_id and kept.reference = request.reference
              and kept.lane = 'order' and kept.received_at > :since) as kept
    from unnest(cast(:references as text[])) as told (reference)
    join service.payment_request as request
      on request.book_id = any(cast(:serves as integer[])) and request.reference = told.reference
    where exists (
        select from service.payment_request_notice as asked
        join service.notice_state as state
          on state.book_id = asked.book_id and state.notice_id = asked.notice_id
        where asked.book_id = request.book_id and asked.reference = request.reference
          and state.outstanding_vnd > 0)
""")

KEEP = sa.text("""
    insert into service.quarantine
        (book_id, id, merchant_id, lane, reference, why, received_at, size_bytes, digest, sealed)
    select :book_id, told.id, :merchant_id, told.lane, told.reference, told.why, told.received_at,
           length(told.sealed), told.digest, told.sealed
    from unnest(cast(:ids as uuid[]), cast(:lanes as text[]), cast(:references as text[]),
                cast(:whys as text[]), cast(:times as timestamptz[]), cast(:digests as bytea[]),
                cast(:sealed as bytea[]))
        as told (id, lane, reference, why, received_at, digest, sealed)
    on conflict (book_id, merchant_id, digest) where lane = 'stuck' and replayed_at is null
        do nothing
    returning id
""")

TURN = sa.text("""
    delete from service.quarantine as old
    using (select id from (
               select id, sum(size_bytes) over (order by id desc) as total
               from service.quarantine
               where book_id = :book_id and merchant_id = :merchant_id and lane = 'ring') as ring
           where total > :bytes_max) as gone
    where old.book_id = :book_id and old.id = gone.id
""")


class Unbelieved(msgspec.Struct, frozen=True, kw_only=True):
    """A call with what the adapter said against it."""

    merchant: Merchant
    call: Call
    why: str
    hint: Hint | None
    authentic: bool
    received_at: datetime


class _Waiting(NamedTuple):
    unbelieved: Unbelieved
    kept: asyncio.Future[Kept]


async def keep_stuck(
    connection: AsyncConnection,
    sealer: Sealer,
    merchant: Merchant,
    call: Call,
    *,
    why: str,
    now: datetime,
) -> None:
    """Keep a proven call that could not be read or booked, once, with a case for people."""
    row = Unbelieved(
        merchant=merchant, call=call, why=why, hint=None, authentic=True, received_at=now
    )
    await _keep(connection, sealer, merchant, [(row, "stuck")], now)


async def _keep(
    connection: AsyncConnection,
    sealer: Sealer,
    merchant: Merchant,
    rows: Sequence[tuple[Unbelieved, Lane]],
    now: datetime,
) -> None:
    if not rows:
        return
    book_id = merchant.book_id
    await sealer.prepare(connection, [book_id], now)
    ids = [uuid7() for _ in rows]
    kept = await connection.scalars(
        KEEP,
        {
            "book_id": book_id,
            "merchant_id": merchant.id,
            "ids": ids,
            "lanes": [lane for _, lane in rows],
            "references": [_reference(row) if lane == "order" else None for row, lane in rows],
            "whys": [row.why for row, _ in rows],
            "times": [row.received_at for row, _ in rows],
            "digests": [_digest(row.call) for row, _ in rows],
            "sealed": [
                sealer.seal(book_id, now, _context(call_id), _bytes(row.call))
                for call_id, (row, _) in zip(ids, rows, strict=True)
            ],
        },
    )
    for _, lane in rows:
        figures.QUARANTINED.labels(lane).inc()
    added = set(kept)
    stuck = [
        Case(
            book_id=book_id,
            subject_kind="call",
            subject_id=call_id,
            side="callback",
            reason="CALL_NOT_BOOKED",
            provider=merchant.provider,
            external_id=(row.hint.transaction if row.hint else None) or "",
            amount_vnd=None,
            happened_at=row.received_at,
        )
        for call_id, (row, lane) in zip(ids, rows, strict=True)
        if lane == "stuck" and call_id in added
    ]
    await open_cases(connection, stuck, now)


def _context(call_id: UUID) -> bytes:
    return b"service.quarantine:" + call_id.bytes


def _digest(call: Call) -> bytes:
    """What a repeat of a call has in common with it: not its headers, which may be signed anew."""
    told = (call.method, call.path, call.raw_query, call.body)
    return hashlib.sha256(msgspec.msgpack.encode(told)).digest()


def _bytes(call: Call) -> bytes:
    """The call as it came, cut where it is longer than an honest one ever is."""
    return msgspec.msgpack.encode(
        msgspec.structs.replace(
            call,
            raw_query=call.raw_query[:CALL_BYTES_MAX],
            body=call.body[:CALL_BYTES_MAX],
            headers=call.headers[:100],
        )
    )


def _reference(row: Unbelieved) -> str | None:
    if row.hint is None or not row.hint.reference:
        return None
    parsed = payment_reference.parse(row.hint.reference)
    return parsed.text if parsed else None


class Quarantine:
    """The lane: one writer and one short queue, so that a flood cannot take connections."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE_MAX)
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the lane; needs a running loop."""
        self._writer = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what waits, then stop."""
        await self._queue.join()
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer

    async def keep(self, unbelieved: Unbelieved) -> Kept:
        """Keep a call; "full" where it may be a true one and there is no room to keep it."""
        waiting = _Waiting(unbelieved, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            return "full"
        try:
            return await asyncio.wait_for(waiting.kept, KEPT_WITHIN_S)
        except TimeoutError:
            return "full"

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                answers = await self._write([waiting.unbelieved for waiting in batch])
            except Exception as error:  # noqa: BLE001 - the lane must outlive what it is thrown
                log.warning("quarantine.not_kept", size=len(batch), error=type(error).__name__)
                answers = ["full"] * len(batch)
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.kept.done():
                    waiting.kept.set_result(answer)
                self._queue.task_done()

    async def _write(self, batch: Sequence[Unbelieved]) -> list[Kept]:
        answers: list[Kept] = ["kept"] * len(batch)
        by_merchant: dict[int, list[int]] = {}
        for position, row in enumerate(batch):
            by_merchant.setdefault(row.merchant.id, []).append(position)
        now = self._clock()
        for positions in by_merchant.values():
            merchant = batch[positions[0]].merchant
            async with transaction(self._engine) as connection:
                # Two processes count and turn the ring of one merchant after each other.
                await lock(connection, [lock_key("quarantine", merchant.id)])
                rows = [batch[position] for position in positions]
                lanes = await self._lanes_of(connection, merchant, rows, now)
                for position, lane in zip(positions, lanes, strict=True):
                    if lane is None:
                        answers[position] = "full"
                kept = [(row, lane) for row, lane in zip(rows, lanes, strict=True) if lane]
                await _keep(connection, self._sealer, merchant, kept, now)
                await connection.execute(
                    TURN,
                    {
                        "book_id": merchant.book_id,
                        "merchant_id": merchant.id,
                        "bytes_max": RING_BYTES_MAX,
                    },
                )
        return answers

    async def _lanes_of(
        self,
        connection: AsyncConnection,
        merchant: Merchant,
        rows: Sequence[Unbelieved],
        now: datetime,
    ) -> list[Lane | None]:
        """The lane of each call; None where its order has as many as are kept."""
        references = sorted({ref for row in rows if (ref := _reference(row))})
        orders: dict[str, list[int]] = {}
        if references:
            found = await connection.execute(
                ORDERS,
                {
                    "book_id": merchant.book_id,
                    "serves": sorted(merchant.serves),
                    "references": references,
                    "since": now - ORDER_KEPT_FOR,
                },
            )
            orders = {row.reference: [row.amount_vnd, row.kept] for row in found}
        lanes: list[Lane | None] = []
        for row in rows:
            order = orders.get(_reference(row) or "")
            if row.authentic:
                lanes.append("stuck")
            elif order is None or row.hint is None or row.hint.amount_vnd != order[0]:
                lanes.append("ring")
            elif order[1] < ORDER_CALLS_MAX:
                order[1] += 1
                lanes.append("order")
            else:
                log.error("quarantine.order_full", merchant=merchant.merchant)
                lanes.append(None)
        return lanes
