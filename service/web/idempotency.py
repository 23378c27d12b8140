"""One effect and one answer for one idempotency key (invariant 11).

The key's row is written in the transaction of the effect. Callers that race wait for each other
on an advisory lock; the primary key is what holds even without it. Refusals are not remembered:
they changed nothing, so the same call may be tried again.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias, TypeVar, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import Response
from litestar.enums import MediaType
from litestar.params import HeaderParameter
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.errors import Busy, IdempotencyKeyReused
from service.sealing import Sealer

HEADER: Final = "Idempotency-Key"
KEY_LENGTH_MAX: Final = 200
KEPT_FOR: Final = timedelta(days=30)
PURGED_AT_ONCE: Final = 5_000
ATTEMPTS: Final = 3

RequiredKey: TypeAlias = Annotated[
    str,
    HeaderParameter(
        name=HEADER,
        min_length=1,
        max_length=KEY_LENGTH_MAX,
        pattern=r"^[!-~]+$",
        description="A new random key for each thing you want done; the same when you repeat it.",
    ),
]
OptionalKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        required=False,
        min_length=1,
        max_length=KEY_LENGTH_MAX,
        pattern=r"^[!-~]+$",
        description="Optional here; with it, a repeated call has one effect and one answer.",
    ),
]

LOCK = sa.text("select pg_advisory_xact_lock(:lock)")

FIND = sa.text("""
    select request_hash, book_id, status, answer_sealed from service.idempotency
    where caller = :caller and key = :key
""")

KEEP = sa.text("""
    insert into service.idempotency
        (caller, key, route, request_hash, book_id, status, answer_sealed, created_at)
    values (:caller, :key, :route, :request_hash, :book_id, :status, :answer_sealed, :now)
""")

# Set-based and bounded; by the app role, which may delete nothing else of this kind.
PURGE = sa.text("""
    delete from service.idempotency where (caller, key) in (
        select caller, key from service.idempotency
        where created_at < :before order by created_at limit :limit
    )
""")

Wire = TypeVar("Wire")


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an action did: in which book, and the answer's bytes (JSON)."""

    book_id: int
    status: int
    body: bytes


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is to have one effect: who calls, with which key, what and where."""

    caller: UUID
    key: str | None
    route: str
    request: msgspec.Struct

    @property
    def request_hash(self) -> bytes:
        """SHA-256 over the address and the body as it was understood, not as it was spelled."""
        canonical = msgspec.json.encode(self.request, order="deterministic")
        return hashlib.sha256(self.route.encode() + b"\0" + canonical).digest()

    @property
    def lock(self) -> int:
        """The advisory lock of caller and key."""
        digest = hashlib.sha256(b"idempotency" + self.caller.bytes + (self.key or "").encode())
        return int.from_bytes(digest.digest()[:8], signed=True)

    @property
    def context(self) -> bytes:
        """What the sealed answer is bound to."""
        return b"service.idempotency:" + self.caller.bytes + (self.key or "").encode()


Act: TypeAlias = Callable[[AsyncConnection, datetime], Awaitable[Done]]


async def once(engine: AsyncEngine, sealer: Sealer, call: Once, act: Act) -> Done:
    """Do `act` in one transaction, or give the answer it gave before.

    Raises IdempotencyKeyReused where the key belongs to another call, and whatever `act` raises.
    """
    for _ in range(ATTEMPTS):
        try:
            async with engine.begin() as connection:
                return await _once(connection, sealer, call, act)
        except IntegrityError as error:
            if "idempotency_pkey" not in str(error.orig):
                raise
    raise Busy


async def _once(connection: AsyncConnection, sealer: Sealer, call: Once, act: Act) -> Done:
    now = datetime.now(UTC)
    if call.key is None:
        return await act(connection, now)
    await connection.execute(LOCK, {"lock": call.lock})
    wanted = {"caller": call.caller, "key": call.key}
    row = (await connection.execute(FIND, wanted)).one_or_none()
    if row is not None:
        if bytes(row.request_hash) != call.request_hash:
            raise IdempotencyKeyReused
        sealed = bytes(row.answer_sealed)
        await sealer.prepare_open(connection, [(row.book_id, sealed)])
        body = sealer.open(row.book_id, call.context, sealed)
        return Done(book_id=row.book_id, status=row.status, body=body)
    done = await act(connection, now)
    await sealer.prepare(connection, [done.book_id], now)
    answer = {
        "route": call.route,
        "request_hash": call.request_hash,
        "book_id": done.book_id,
        "status": done.status,
        "answer_sealed": sealer.seal(done.book_id, now, call.context, done.body),
        "now": now,
    }
    await connection.execute(KEEP, wanted | answer)
    return done


def answer(done: Done, kind: type[Wire]) -> Response[Wire]:
    """The remembered bytes as the answer; `kind` is only what the reference says of them."""
    del kind
    return cast(
        "Response[Wire]",
        Response(done.body, status_code=done.status, media_type=MediaType.JSON),
    )


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Forget keys older than KEPT_FOR, at most PURGED_AT_ONCE; how many were forgotten."""
    result = await connection.execute(PURGE, {"before": now - KEPT_FOR, "limit": PURGED_AT_ONCE})
    return int(result.rowcount)
