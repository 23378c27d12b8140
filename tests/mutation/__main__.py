"""`make mutate`: change valid calls of every provider, many times, and see what is believed.

Status 1 where anything but the original was believed, where an adapter failed, or where the service
answered with an error of its own.
"""

import argparse
import asyncio
import multiprocessing
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from service.database import create_engine
from service.proof import prove
from tests.databases import Database, Databases, Run
from tests.faults.serving import SERVE, Process, free_port, settings_over, wait_until_up
from tests.mutation.judging import Tally, judge
from tests.mutation.over_http import Sent, compare, send
from tests.providers.spoken import SPOKEN
from tests.simulated.stage import furnish

LEAST: Final = 100_000
CORES: Final = 2
HEAD: Final = "{:<18}{:>11}{:>12}{:>10}{:>8}{:>8}{:>9}\n"


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=120_000, help="through the adapters")
    parser.add_argument("--http", type=int, default=3_600, help="of all, through a real service")
    parser.add_argument("--seed", type=int, help="the same changes again")
    chosen = parser.parse_args()
    seed = secrets.randbelow(2**31) if chosen.seed is None else chosen.seed
    sys.stdout.write(f"seed {seed}, {len(SPOKEN)} providers and modes\n")
    good = through_adapters(seed, chosen.count)
    if chosen.http:
        good &= through_service(seed, chosen.http)
    return 0 if good else 1


def through_adapters(seed: int, count: int) -> bool:
    """Change calls in as many processes as there are cores; whether nothing was wrong."""
    share = -(-count // len(SPOKEN))
    begun = time.perf_counter()
    with multiprocessing.Pool(CORES) as pool:
        tallies = pool.starmap(
            _judged, [(number, seed, share) for number in range(len(SPOKEN))], chunksize=1
        )
    sys.stdout.write(
        HEAD.format("adapter", "mutations", "refused", "repeats", "other", "errors", "seconds")
    )
    for one in tallies:
        sys.stdout.write(
            HEAD.format(
                one.name, one.mutations, one.refused, one.same, one.other, one.errors,
                f"{one.seconds:.1f}",
            )
        )  # fmt: skip
    total = sum(one.mutations for one in tallies)
    wrong = sum(one.other + one.errors for one in tallies)
    took = time.perf_counter() - begun
    sys.stdout.write(f"{total} mutations in {took:.1f} s: {wrong} wrong\n")
    for tally in tallies:
        for fault in tally.faults:
            sys.stdout.write(f"{fault.provider}: {', '.join(fault.operators)}: {fault.what}\n")
            sys.stdout.write(f"  {fault.call!r}\n")
    return not wrong


def _judged(number: int, seed: int, count: int) -> Tally:
    return judge(SPOKEN[number], seed + number, count)


def through_service(seed: int, count: int) -> bool:
    """Send changed calls to a service of its own over a database of its own."""
    run = Run.begin()
    try:
        with Run.join().server() as server:
            databases = Databases(Run.join(), server)
            try:
                with databases.clone() as database:
                    sent = asyncio.run(_sent(database, seed, count))
            finally:
                databases.close()
    finally:
        run.end()
    sys.stdout.write(HEAD.format("service", "sent", "unsendable", "events", "other", "errors", ""))
    for one in sent:
        sys.stdout.write(
            HEAD.format(one.name, one.sent, one.unsendable, one.events, one.other, one.errors, "")
        )
    return not sum(one.other + one.errors for one in sent)


async def _sent(database: Database, seed: int, count: int) -> list[Sent]:
    share = -(-count // len(SPOKEN))
    engine, owner = create_engine(database.app_url), create_engine(database.owner_url, pool_size=2)
    told = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            seats = await furnish(engine, owner, 1)
            log = Path(folder) / "log"
            with Process(SERVE, settings_over(database), free_port(), log) as served:
                wait_until_up(served.base_url)
                for number, seat in enumerate(seats):
                    sent, made = await send(seat, served.base_url, seed + number, share)
                    await compare(engine, seat, made, sent)
                    told.append(sent)
            for finding in [found async for found in prove(engine)]:
                sys.stdout.write(f"prove: {finding}\n")
                told[0].errors += 1
        finally:
            await engine.dispose()
            await owner.dispose()
    return told


if __name__ == "__main__":
    sys.exit(main())
