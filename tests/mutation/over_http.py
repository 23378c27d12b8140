"""Changed calls against a running service: no status 500, and no event that nobody meant.

Requests are written byte by byte: no client between us and the service mends what was broken.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Call, Claim
from tests.mutation.judging import Material, material, mutants
from tests.simulated.stage import Seat

AT_ONCE: Final = 8
CALLS: Final = 20
ANSWER_WITHIN_S: Final = 30.0
BLANKS: Final = (b"\r", b"\n", b" ", b"\x00")
SERVER_ERROR: Final = 500
BUSY: Final = 503
"""What many providers are to be told where they should try again: no fault."""

EVENTS = sa.text("""
    select event.provider_txn, event.scope, event.status, event.amount_vnd
    from service.event as event
    join service.merchant as merchant on merchant.id = event.merchant_id
    where merchant.provider = :provider and merchant.merchant = :merchant
""")


class Sent(msgspec.Struct, kw_only=True):
    """What became of the changed calls of one merchant."""

    name: str
    sent: int = 0
    unsendable: int = 0
    """Changed calls that HTTP itself cannot carry."""
    statuses: dict[int, int] = {}
    errors: int = 0
    """Answers with status 500 or above that are no "try again", and connections that broke."""
    events: int = 0
    other: int = 0
    """Events that say what none of the valid calls said."""


async def send(seat: Seat, base_url: str, seed: int, count: int) -> tuple[Sent, Material]:
    """Send `count` changed calls of a merchant, a few at once; what they were made from."""
    dice, now = random.Random(seed), datetime.now(UTC)
    made = material(seat.spoken, dice, now, CALLS)
    sent = Sent(name=seat.spoken.name)
    statuses = Counter[int]()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(call: Call) -> None:
        async with gate:
            status = await _post(base_url, call)
        statuses[status] += 1

    calls = [mutant.call for mutant in mutants(seat.spoken, made, dice, count)]
    carried = [call for call in calls if _can_be_sent(call)]
    await asyncio.gather(*(one(call) for call in carried))
    sent.sent, sent.unsendable = len(carried), len(calls) - len(carried)
    sent.statuses = dict(statuses)
    sent.errors = sum(
        times
        for status, times in statuses.items()
        if not status or (status >= SERVER_ERROR and status != BUSY)
    )
    return sent, made


async def compare(engine: AsyncEngine, seat: Seat, made: Material, sent: Sent) -> None:
    """Count the events of a merchant that say what no valid call said."""
    key = {"provider": seat.spoken.provider, "merchant": seat.merchant}
    async with engine.connect() as connection:
        found = [tuple(row) for row in await connection.execute(EVENTS, key)]
    meant = _meant(made.said)
    sent.events = len(found)
    sent.other = sum(event not in meant for event in found)


def _meant(said: Sequence[Sequence[Claim]]) -> set[tuple[object, ...]]:
    return {
        (claim.transaction, claim.scope, claim.status, claim.amount_vnd)
        for claims in said
        for claim in claims
    }


def _can_be_sent(call: Call) -> bool:
    heads = b"".join(f"{name}{value}".encode("utf-8", "replace") for name, value in call.headers)
    return not any(blank in call.raw_query for blank in BLANKS) and not any(
        blank in heads for blank in (b"\r", b"\n", b"\x00")
    )


async def _post(base_url: str, call: Call) -> int:
    """The status of the answer; 0 where the connection broke before there was one."""
    where = urlsplit(base_url)
    query = b"?" + call.raw_query if call.raw_query else b""
    heads = [f"{name}: {value}".encode("utf-8", "replace") for name, value in call.headers]
    lines = [
        call.method.encode() + b" " + call.path.encode() + query + b" HTTP/1.1",
        f"Host: {where.netloc}".encode(),
        f"Content-Length: {len(call.body)}".encode(),
        b"Connection: close",
        *heads,
    ]
    async with asyncio.timeout(ANSWER_WITHIN_S):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + call.body)
            await writer.drain()
            first = await reader.readline()
        except ConnectionError:
            return 0
        finally:
            writer.close()
    parts = first.split()
    return int(parts[1]) if len(parts) > 1 else 0
