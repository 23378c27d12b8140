"""A flood of junk while a provider signs with a secret that we do not have yet.

One merchant's secret was changed at the provider first: its true calls are not believed, among
very many forged ones at the same address. Meanwhile another merchant's believed calls arrive at a
steady pace, as they did in a quiet phase of the same run. Afterwards the secret is rotated, and
`callbacks replay` must bring back every true call.
"""

import argparse
import asyncio
import itertools
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import msgspec
import sqlalchemy as sa
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from bench import load, seeding
from bench.callbacks import Bench, say
from bench.server import private_server
from providers import Secret, Terms
from providers.acting import Payment
from providers.vnpay import ADAPTER
from service.database import create_engine, transaction
from service.dev.postgres import APP
from service.intake.replaying import Replay, Wanted
from service.merchants import NewMerchant, changes
from service.merchants.changes import Name
from service.proof import prove
from service.sealing import Sealer

FLOODED: Final = "HUEFLOOD"
OLD: Final = "the-secret-that-we-know-of"
NEW: Final = "the-secret-that-the-provider-signs-with-already"
DATABASE: Final = "bench_service"
BELIEVED_PER_S: Final = 100.0
TRUE_CALLS: Final = 300
DECOYS: Final = 100
"""Open orders that forged calls name with the right amount until their shelves are full."""
FORGED_PER_TRUE: Final = 8
"""Forged calls that name the order of a true call with the right amount: fewer than a shelf."""
KINDS: Final = 20_000
"""Different junk calls; they come round again."""
QUIET_S: Final = 30.0
WINDOW_S: Final = 10.0
"""Each begins with new orders and new connections, which its first calls feel."""
SLOWEST_JUNK_PER_S: Final = 50.0
"""No flood is slower than this: how long it may take."""
RETRIES_MAX: Final = 50
FACTOR_MAX: Final = 2.0
DONE: Final = b'"RspCode":"00"'
NOT_BELIEVED: Final = b'"RspCode":"97"'

PAID = sa.text("""
    select count(*) from service.payment_request_notice as asked
    join service.notice_state as state
      on state.book_id = asked.book_id and state.notice_id = asked.notice_id
    where asked.reference = any(cast(:references as text[])) and state.status = 'paid'
""")


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    quiet_p99_ms: float
    flood_p99_ms: float
    junk: int
    junk_per_s: float
    true_calls: int
    came_back: int
    paid: int
    findings: tuple[str, ...]

    @property
    def factor(self) -> float:
        """How much slower believed calls were meanwhile."""
        return self.flood_p99_ms / self.quiet_p99_ms

    @property
    def lost(self) -> int:
        """True calls that did not come back."""
        return self.true_calls - min(self.came_back, self.paid)


def request_of(merchant: str, query: bytes) -> bytes:
    """An IPN as bytes for the wire."""
    return b"GET /callbacks/vnpay/%b?%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (
        merchant.encode(),
        query,
    )


def signed(reference: str, transaction: int) -> bytes:
    """A true call, signed with the secret that we do not have yet."""
    payment = Payment(
        order_code=reference,
        transaction=str(transaction),
        amount_vnd=seeding.AMOUNT_VND,
        paid_at=datetime.now(UTC),
    )
    terms = Terms(merchant=FLOODED, secrets=[Secret(NEW)])
    return ADAPTER.call_as_provider(payment, terms, payment.paid_at).raw_query


def forged(reference: str, amount_vnd: int, dice: random.Random) -> bytes:
    """A call that nobody signed."""
    return (
        f"vnp_Amount={amount_vnd * 100}&vnp_BankCode=NCB&vnp_CardType=ATM"
        f"&vnp_OrderInfo=Nop+phi&vnp_PayDate=20261103100000&vnp_ResponseCode=00"
        f"&vnp_TmnCode={FLOODED}&vnp_TransactionNo={dice.randrange(10**8)}"
        f"&vnp_TransactionStatus=00&vnp_TxnRef={reference}"
        f"&vnp_SecureHash={dice.randbytes(64).hex()}"
    ).encode()


def junk(first: int, seed: int) -> list[bytes]:
    """Calls of every kind that is not true; `first` is the number of the first true order."""
    dice = random.Random(seed)
    made = []
    for number in range(KINDS):
        kind = number % 100
        if kind < 55:
            query = forged(f"DON{dice.randrange(10**9)}", 50_000, dice)
        elif kind < 75:  # well made, and of no order
            query = forged(seeding.reference(10**9 + dice.randrange(10**8)), 50_000, dice)
        elif kind < 94:  # of an open order, with another amount
            one = seeding.reference(first + dice.randrange(TRUE_CALLS))
            query = forged(one, 50_001 + dice.randrange(1000), dice)
        elif kind < 99:
            query = dice.randbytes(100).hex().encode()
        else:
            decoy = first + TRUE_CALLS + dice.randrange(DECOYS)
            query = forged(seeding.reference(decoy), seeding.AMOUNT_VND, dice)
        made.append(request_of(FLOODED, query))
    return made


async def send_junk(port: int, count: int, connections: int, first: int, per_s: float) -> None:
    """The other process: send `count` junk calls, and print how many a second it were."""
    kinds = itertools.cycle(junk(first, 7))
    measured = await load.run(
        port,
        itertools.islice(kinds, count),
        connections=connections,
        seconds=count / SLOWEST_JUNK_PER_S + 60,
        done=NOT_BELIEVED,
        per_second=per_s or None,
        count=count,
    )
    p99_ms = measured.percentile(0.99) * 1000
    sys.stdout.write(f"{measured.answers} {measured.answers / measured.seconds:.1f} {p99_ms:.1f}\n")


class FloodBench:
    """One server, one service process, a process that floods it."""

    def __init__(self, bench: Bench, count: int, connections: int, per_s: float) -> None:
        self.bench = bench
        self.count = count
        self.connections = connections
        self.per_s = per_s
        self.sealer = Sealer(bench.key)
        self.true_first = 0

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[AsyncEngine]:
        """The app role's pool."""
        made = create_engine(self.bench.server.dsn(APP, DATABASE), pool_size=4)
        yield made
        await made.dispose()

    async def prepare(self) -> None:
        """Orders of both merchants, and the flooded one with the old secret."""
        await self.bench.prepare()
        async with self.engine() as engine, transaction(engine) as connection:
            new = NewMerchant(
                provider="vnpay", merchant=FLOODED, book_id=seeding.BOOK, secrets=[OLD]
            )
            await changes.add(connection, self.sealer, new, datetime.now(UTC))
        self.true_first = await self.bench.fill(DATABASE, TRUE_CALLS + DECOYS)

    async def latencies(self, port: int, seconds: float) -> list[float]:
        """What believed calls took at their steady pace."""
        count = round(BELIEVED_PER_S * seconds) + 5
        first = await self.bench.fill(DATABASE, count)
        measured = await load.run(
            port,
            iter(self.bench.requests(first, count)),
            connections=32,
            seconds=seconds,
            done=DONE,
            per_second=BELIEVED_PER_S,
        )
        if measured.done < measured.answers:
            message = f"{measured.answers - measured.done} believed calls were not booked"
            raise RuntimeError(message)
        return measured.latencies

    async def quiet(self, port: int) -> list[float]:
        """What they take while nobody floods, measured window by window as during the flood."""
        found: list[float] = []
        for _ in range(round(QUIET_S / WINDOW_S)):
            found += await self.latencies(port, WINDOW_S)
        return found

    async def true_calls(self, port: int) -> list[str]:
        """Send the true calls one by one, again where the service asks for it; their orders."""
        references = [seeding.reference(self.true_first + n) for n in range(TRUE_CALLS)]
        dice = random.Random(11)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, reference in enumerate(references):
            calls = [forged(reference, seeding.AMOUNT_VND, dice) for _ in range(FORGED_PER_TRUE)]
            calls.insert(dice.randrange(len(calls)), signed(reference, 90_000_000 + number))
            for query in calls:
                await _until_kept(reader, writer, request_of(FLOODED, query))
        writer.close()
        return references

    async def run(self) -> Flood:
        """Quiet, flood, rotate, replay."""
        async with self.bench.serving() as port:
            await self.latencies(port, 5)
            quiet = await self.quiet(port)
            say(f"quiet before: {_shown(quiet)} at {BELIEVED_PER_S:.0f} believed calls a second")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.flood", str(port), str(self.count)),
                *(str(self.connections), str(self.true_first), str(self.per_s)),
                stdout=asyncio.subprocess.PIPE,
            )
            sending = asyncio.create_task(self.true_calls(port))
            meanwhile: list[float] = []
            ended = asyncio.create_task(process.communicate())
            while not ended.done():
                meanwhile += await self.latencies(port, WINDOW_S)
            out, _ = await ended
            references = await sending
            sent, rate, junk_p99_ms = (float(part) for part in out.split())
            say(f"flood: {_shown(meanwhile)} under {sent:,.0f} junk calls at {rate:,.0f} a second")
            say(f"  junk was answered in {junk_p99_ms:.0f} ms (p99)")
            after = await self.quiet(port)
            say(f"quiet after: {_shown(after)}")
            quiet += after  # a machine that others use is not as quick at all times
        return await self._bring_back(sorted(quiet), sorted(meanwhile), (sent, rate), references)

    async def _bring_back(
        self,
        quiet: Sequence[float],
        meanwhile: Sequence[float],
        sent: tuple[float, float],
        references: Sequence[str],
    ) -> Flood:
        name = Name("vnpay", FLOODED)
        async with self.engine() as engine:
            async with transaction(engine) as connection:
                await changes.rotate(connection, self.sealer, name, NEW, datetime.now(UTC))
            done = await Replay(engine, self.sealer).run(Wanted(provider="vnpay", merchant=FLOODED))
            again = await Replay(engine, self.sealer).run(
                Wanted(provider="vnpay", merchant=FLOODED)
            )
            async with engine.connect() as connection:
                paid = await connection.scalar(PAID, {"references": list(references)})
            findings = [str(finding) async for finding in prove(engine)]
        say(
            f"replay: {done.judged:,} judged, {done.came_back:,} came back, {again.came_back} when"
            f" it was run again; {paid} of {len(references)} orders are paid"
        )
        return Flood(
            quiet_p99_ms=_p99(quiet) * 1000,
            flood_p99_ms=_p99(meanwhile) * 1000,
            junk=round(sent[0]),
            junk_per_s=sent[1],
            true_calls=len(references),
            came_back=done.came_back,
            paid=int(paid or 0),
            findings=tuple(findings),
        )


def _p99(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


def _shown(latencies: Sequence[float]) -> str:
    ordered = sorted(latencies)
    p50_ms = ordered[len(ordered) // 2] * 1000
    return f"p50 {p50_ms:.1f} ms, p99 {_p99(ordered) * 1000:.1f} ms of {len(ordered):,}"


async def _until_kept(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> None:
    """As a provider does: call again while the answer is "try again"."""
    for _ in range(RETRIES_MAX):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        if NOT_BELIEVED in await reader.readexactly(length):
            return
        await asyncio.sleep(0.2)
    message = "a call was never kept"
    raise RuntimeError(message)


async def run(count: int, connections: int = 32, per_s: float = 0.0) -> bool:
    """Measure and print; true where nothing is lost and believed calls hardly noticed."""
    with private_server() as server:
        bench = FloodBench(Bench(server, QUIET_S), count, connections, per_s)
        await bench.prepare()
        flood = await bench.run()
    say(
        f"flood of {flood.junk:,}: believed calls' p99 is {flood.factor:.2f} times the quiet one;"
        f" {flood.lost} of {flood.true_calls} true calls lost"
    )
    say("prove: " + ("every invariant holds" if not flood.findings else flood.findings[0]))
    return not flood.findings and not flood.lost and flood.factor <= FACTOR_MAX


def main() -> None:
    """The process that floods: port, count, connections, first true order, calls a second."""
    parser = argparse.ArgumentParser(prog="bench.flood")
    for name in ("port", "count", "connections", "first"):
        parser.add_argument(name, type=int)
    parser.add_argument("per_s", type=float)
    given = parser.parse_args()
    uvloop.run(send_junk(given.port, given.count, given.connections, given.first, given.per_s))


if __name__ == "__main__":
    main()
