"""Callbacks booked per second over HTTP, against pgbench that writes the same rows.

Each round runs the service, then pgbench, every side on a database of its own on the same durable
server. The baseline is one transaction per callback with a statement for each table, prepared, at
its best number of clients. A second, harder figure has all its rows written by one chained
statement, which no service that decides between reading and writing could send. The service's
background work (placing events in the feed) is off, since pgbench has none. The books are proven
after the last round.
"""

import asyncio
import base64
import contextlib
import itertools
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
import sqlalchemy as sa

from bench import load, seeding
from bench.server import private_server
from providers import Secret, Terms
from providers.acting import Payment
from providers.vnpay import ADAPTER
from service.database import create_engine, transaction
from service.dev.postgres import APP, OWNER, Server
from service.migrations.run import upgrade
from service.proof import prove
from service.sealing import Sealer

CLIENTS: Final = (8, 16, 32, 64)
CONNECTIONS: Final = 256
"""Calls under way at full load; at half load only as many as the pace needs."""
STARTED_WITHIN_S: Final = 60.0
RATE_MAX: Final = 4_000
"""More callbacks a second than this machine can do: how many are prepared for a round."""
BASELINES: Final = ("plain", "chained")
HERE: Final = Path(__file__).parent
TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
DONE: Final = b'"RspCode":"00"'

LENGTHS = sa.text("""
    select (select avg(length(sealed)) from service.call) as call_bytes,
           coalesce((select avg(length(memo_sealed)) from service.event), 0) as memo_bytes
""")
COUNT = sa.text("""
    select (select count(*) from service.call), (select count(*) from service.movement),
           (select count(*) from ledger.entry where kind = 'money_in'),
           (select coalesce(sum(paid_vnd), 0) from service.notice_state)
""")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round: callbacks per second of the service and of each baseline."""

    service: float
    plain: float
    chained: float

    @property
    def ratio(self) -> float:
        """The service against a transaction of one statement per table."""
        return self.service / self.plain

    @property
    def harder(self) -> float:
        """The service against a transaction of one chained statement."""
        return self.service / self.chained


class Bench:
    """One server, one database for the service and one for pgbench."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self.seconds = seconds
        self.key = secrets.token_bytes(32)
        self.terms = Terms(merchant=seeding.MERCHANT, secrets=[Secret(seeding.SECRET)])
        self.used = {"bench_service": 0, "bench_pgbench": 0}
        self.lengths = (900, 80)

    async def prepare(self) -> None:
        """Migrate both databases and open the book in each."""
        for name in self.used:
            self.server.create_database(name)
            owner_url = self.server.dsn(OWNER, name)
            await upgrade(owner_url)
            owner, app = create_engine(owner_url), create_engine(self.server.dsn(APP, name))
            await seeding.prepare(owner, app, Sealer(self.key))
            if name == "bench_pgbench":
                script = (HERE / "baseline" / "prepare.sql").read_text()
                for statement in filter(str.strip, script.split(";")):
                    async with transaction(owner) as connection:
                        await connection.execute(sa.text(statement))
            await app.dispose()
            await owner.dispose()

    async def fill(self, name: str, count: int) -> int:
        """Add `count` notices that wait; the number of the first."""
        first = self.used[name] + 1
        self.used[name] += count
        app = create_engine(self.server.dsn(APP, name), statement_timeout_s=600)
        async with transaction(app) as connection:
            await seeding.fill(connection, first, first + count - 1)
        await app.dispose()
        return first

    def requests(self, first: int, count: int) -> list[bytes]:
        """Signed IPNs for `count` notices, as bytes for the wire."""
        made = []
        for number in range(first, first + count):
            payment = Payment(
                order_code=seeding.reference(number),
                transaction=str(10_000_000 + number),
                amount_vnd=seeding.AMOUNT_VND,
                paid_at=datetime.now(UTC),
                memo="Nop phi le phi",  # as short as in the calls of the figures so far
            )
            query = ADAPTER.call_as_provider(payment, self.terms, payment.paid_at).raw_query
            made.append(
                b"GET /callbacks/vnpay/%b?%b HTTP/1.1\r\nHost: localhost\r\n\r\n"
                % (quote(seeding.MERCHANT).encode(), query)
            )
        return made

    async def service_rate(self, port: int) -> float:
        """Callbacks booked per second over HTTP, at full load."""
        count = round(RATE_MAX * self.seconds)
        first = await self.fill("bench_service", count)
        measured = await load.run(
            port,
            iter(self.requests(first, count)),
            connections=CONNECTIONS,
            seconds=self.seconds,
            done=DONE,
        )
        return measured.rate

    async def pgbench_rate(self, script: str, clients: int, seconds: float) -> float:
        """Transactions per second of a baseline script; each books one callback."""
        await self._refill()
        call_bytes, memo_bytes = self.lengths
        command = [
            str(self.server.binaries.folder / "pgbench"),
            *("-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(round(seconds))),
            *("-f", str(HERE / "baseline" / f"{script}.sql")),
            *("-D", f"call_bytes={'x' * call_bytes}", "-D", f"memo_bytes={'x' * memo_bytes}"),
            *("-D", "parts_bytes=abcdefgh", "-h", str(self.server.cluster.socket_folder)),
            *("-U", APP, "bench_pgbench"),
        ]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, errors = await process.communicate()
        found = TPS.search(out.decode())
        if process.returncode or found is None:
            message = f"pgbench failed: {errors.decode()[-500:]}"
            raise RuntimeError(message)
        return float(found.group(1))

    async def _refill(self) -> None:
        """Keep enough notices waiting for one more run of pgbench."""
        engine = create_engine(self.server.dsn(OWNER, "bench_pgbench"), statement_timeout_s=600)
        wanted = round(RATE_MAX * self.seconds)
        async with transaction(engine) as connection:
            used = await connection.scalar(sa.text("select last_value from bench_number"))
            missing = int(used) + wanted - self.used["bench_pgbench"]
        if missing > 0:
            first = await self.fill("bench_pgbench", missing)
            rows = [(n, seeding.reference(n)) for n in range(first, first + missing)]
            async with transaction(engine) as connection:
                await connection.execute(
                    sa.text(
                        "insert into bench_order (n, reference) select * from"
                        " unnest(cast(:n as bigint[]), cast(:r as text[]))"
                    ),
                    {"n": [n for n, _ in rows], "r": [text for _, text in rows]},
                )
        await engine.dispose()

    async def learn_lengths(self) -> None:
        """How long the service's sealed columns are, so that pgbench writes as much."""
        engine = create_engine(self.server.dsn(OWNER, "bench_service"))
        async with engine.connect() as connection:
            row = (await connection.execute(LENGTHS)).one()
        await engine.dispose()
        self.lengths = (round(row.call_bytes), round(row.memo_bytes))

    async def best_clients(self, script: str) -> int:
        """The number of clients at which a baseline is fastest."""
        rates = {
            clients: await self.pgbench_rate(script, clients, max(3.0, self.seconds / 4))
            for clients in CLIENTS
        }
        say(f"  {script}: " + ", ".join(f"{c} clients {r:,.0f}/s" for c, r in rates.items()))
        return max(rates, key=lambda clients: rates[clients])

    async def checked(self) -> list[str]:
        """What the books say is wrong; nothing, one hopes."""
        engine = create_engine(self.server.dsn(APP, "bench_service"), statement_timeout_s=600)
        findings = [str(finding) async for finding in prove(engine)]
        async with engine.connect() as connection:
            calls, movements, entries, paid_vnd = (await connection.execute(COUNT)).one()
        await engine.dispose()
        say(
            f"  {calls:,} calls kept, {movements:,} movements, {entries:,} bookings,"
            f" {int(paid_vnd):,} đồng paid"
        )
        return findings

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """The service as a process of its own, as in production; its port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("DOISOAT_")},
            "DATABASE_URL": self.server.dsn(APP, "bench_service"),
            "DOISOAT_MASTER_KEY": base64.b64encode(self.key).decode(),
            "DOISOAT_PORT": str(port),
            "DOISOAT_WORK_IN_SERVER": "false",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "serve"), env=environment
        )
        try:
            await _answering(port)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _answering(port: int) -> None:
    async with asyncio.timeout(STARTED_WITHIN_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


def say(text: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def run(rounds: int = 5, seconds: float = 20.0) -> bool:
    """Measure and print; true where the service is at least as fast and the books are right."""
    with private_server() as server:
        return await _measure(Bench(server, seconds), rounds)


async def _measure(bench: Bench, rounds: int) -> bool:
    await bench.prepare()
    async with bench.serving() as port:
        say("warming up")
        await bench.service_rate(port)
        await bench.learn_lengths()
        clients = {script: await bench.best_clients(script) for script in BASELINES}
        made = []
        for number in range(rounds):
            one = Round(
                service=await bench.service_rate(port),
                plain=await bench.pgbench_rate("plain", clients["plain"], bench.seconds),
                chained=await bench.pgbench_rate("chained", clients["chained"], bench.seconds),
            )
            made.append(one)
            say(
                f"round {number + 1}: service {one.service:,.0f}/s, pgbench plain"
                f" {one.plain:,.0f}/s, chained {one.chained:,.0f}/s,"
                f" ratios {one.ratio:.2f} and {one.harder:.2f}"
            )
        await _half_load(bench, port, statistics.median(one.service for one in made) / 2)
    for name, ratios in (
        ("a transaction per callback", sorted(one.ratio for one in made)),
        ("the same in one chained statement", sorted(one.harder for one in made)),
    ):
        say(
            f"callbacks over HTTP / {name}: median {statistics.median(ratios):.2f},"
            f" spread {ratios[0]:.2f} to {ratios[-1]:.2f} over {len(ratios)} rounds"
        )
    findings = await bench.checked()
    say("prove: " + ("every invariant holds" if not findings else "; ".join(findings[:5])))
    return not findings and statistics.median(one.ratio for one in made) >= 1.0


async def _half_load(bench: Bench, port: int, per_second: float) -> None:
    count = round(per_second * bench.seconds) + 1
    first = await bench.fill("bench_service", count)
    requests: Iterator[bytes] = itertools.islice(iter(bench.requests(first, count)), count)
    measured = await load.run(
        port,
        requests,
        connections=CONNECTIONS,
        seconds=bench.seconds,
        done=DONE,
        per_second=per_second,
    )
    p50, p95, p99 = (measured.percentile(share) * 1000 for share in (0.5, 0.95, 0.99))
    say(f"half load ({per_second:,.0f}/s): p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
