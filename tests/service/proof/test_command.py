"""`doisoat prove` says one line per invariant and ends with status 1 where one is broken."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from service.proof.invariants import INVARIANTS
from service.settings import Secret, Settings, as_environment
from tests.databases import Database, Databases
from tests.service.proof.filling import fill, pool, tamper
from tests.traffic import prepare


def proven(database: Database, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command over a database."""
    settings = Settings(database_url=Secret(database.app_url), master_key=Secret("A" * 43 + "="))
    return subprocess.run(
        [sys.executable, "-m", "service", "prove", *options],
        env=os.environ | as_environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def filled_database(databases: Databases, fresh_database: Database) -> Database:
    """Give a database in which everything has happened."""

    async def work() -> None:
        async with pool(fresh_database.app_url) as engine:
            await fill(engine, await prepare(engine))

    asyncio.run(work())
    return fresh_database


def test_the_command_says_what_was_proven_and_what_is_broken(filled_database: Database) -> None:
    """Status 0 and a line per invariant; then status 1 and the name of the row."""
    honest = proven(filled_database)
    assert (honest.returncode, honest.stderr) == (0, "")
    lines = honest.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        [str(invariant.number), "ok"] for invariant in INVARIANTS
    ]
    (row,) = asyncio.run(
        tamper(
            filled_database,
            """update ledger.line set amount_vnd = 1 where (entry_id, position) = (
                   select entry_id, position from ledger.line
                   where book_id = 2 and credit = '3373' limit 1)
               returning entry_id || '/' || position""",
        )
    )
    broken = proven(filled_database)
    assert broken.returncode == 1
    assert f"ledger.line {row}" in broken.stdout
    told = json.loads(proven(filled_database, "--json", "--book", "2").stdout)
    assert told["holds"] is False
    assert row in [finding["row"] for finding in told["invariants"][0]["findings"]]
    assert proven(filled_database, "--book", "1").returncode == 0


def test_a_book_that_is_not_there_is_said_so(filled_database: Database) -> None:
    """One sentence, and no traceback."""
    ended = proven(filled_database, "--book", "7")
    assert ended.returncode == 1
    assert "there is no book 7; there are: 1, 2" in ended.stderr
    assert "Traceback" not in ended.stderr
