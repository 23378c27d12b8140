"""Must show 12: whatever the description allows or forbids, a real server answers as it says.

Examples are few here, so that the suite stays short; `SCHEMATHESIS_EXAMPLES` asks for more.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig

from ledger.accounts import Book, open_book
from service.app import create_app
from service.database import create_engine
from service.openapi import document
from service.settings import Settings, as_environment
from tests.databases import Databases
from tests.service.conftest import Province, fill, settings_of
from tests.service.test_serving import free_port

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "6"))
UP_WITHIN_S = 60.0

# What fits its schema may still be refused with 422: an agency that is not there, a code that no
# calendar has. All other checks hold.
CHECKS = {"positive_data_acceptance": {"enabled": False}}
# An unknown parameter whose value is nothing leaves no trace in the address, so that accepting it
# is right; that unknown parameters are refused is tested with the fee calls.
GENERATION = {"allow-extra-parameters": False}
PHASES = {"coverage": {"enabled": EXAMPLES > 50}}

schema = schemathesis.openapi.from_dict(
    document(create_app(Settings())),
    config=SchemathesisConfig.from_dict(
        {"checks": CHECKS, "phases": PHASES, "generation": GENERATION}
    ),
)


async def prepare(url: str) -> Province:
    """Open two books and fill them."""
    engine = create_engine(url, pool_size=2)
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        for book_id, agency in ((1, "H57.23"), (2, "H57.31.15")):
            book = Book(book_id=book_id, code=f"0{book_id}", name=agency, agency_code=agency)
            await open_book(connection, book, now)
    province = await fill(engine)
    await engine.dispose()
    return province


@pytest.fixture(scope="module")
def address_and_key(databases: Databases) -> Iterator[tuple[str, str]]:
    """A real server over a database of its own: its address, and a key with every scope."""
    with databases.clone() as database:
        province = asyncio.run(prepare(database.app_url))
        port = free_port()
        given = msgspec.structs.replace(settings_of(database), port=port)
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            env=os.environ | as_environment(given),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/health/ready", process)
            yield address, province.key
        finally:
            process.kill()
            process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    until = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        try:
            if httpx2.get(address).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    pytest.fail("the server did not come up")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
def test_the_server_keeps_the_description(case: Any, address_and_key: tuple[str, str]) -> None:  # noqa: ANN401 # schemathesis' own type
    """No 500, no undocumented status, media type or shape; what does not fit is refused."""
    address, key = address_and_key
    case.call_and_validate(base_url=address, headers={"Authorization": f"Bearer {key}"})
