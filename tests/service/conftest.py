"""A small province: agencies, accounts, a merchant, keys; and the application over it."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final, cast

import httpx2
import msgspec
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service import merchants
from service.access import api_keys
from service.access.principals import KEY_SCOPES
from service.app import create_app
from service.merchants import NewMerchant
from service.sealing import Sealer
from service.settings import Secret, Settings
from tests.databases import Database

MASTER_KEY: Final = bytes(range(32))
AGENCIES: Final = [
    ("H57", "2025-01-01", None, None, None),
    ("H57.23", "2025-03-01", None, None, 1),
    ("H57.31.15", "2025-07-01", None, None, 2),
    ("H57.25", "2020-01-01", "2025-06-30", "H57.31.15", None),
    ("H57.02", "2025-03-01", None, None, None),
]
"""Two that collect, a district that has ended, and two that collect nothing."""
ACCOUNTS: Final = [(1, "970436", "0123456789"), (2, "970436", "9876543210")]

ADD_AGENCY = sa.text("""
    insert into service.agency (code, valid_from, valid_to, legacy_code, name, level, successor,
                                book_id)
    values (:code, cast(:valid_from as text)::date, cast(:valid_to as text)::date, :code, :code,
            'so', :successor, :book_id)
""")
ADD_ACCOUNT = sa.text("""
    insert into service.bank_account (book_id, bin, number, holder_name, opened_at)
    values (:book_id, :bin, :number, 'DON VI THU', :now)
""")


class Province(msgspec.Struct, frozen=True, kw_only=True):
    """What a test needs to know of the small province."""

    key: str
    """A key of the one-stop: both books, every scope a key can have."""
    key_of_one: str
    """The same for the first book alone."""
    vnpay_secret: str = "a-secret-of-the-terminal"


@pytest.fixture(scope="session")
def built_app() -> Litestar:
    """Build the application once: it takes a good part of a second."""
    return create_app(Settings())


def settings_of(database: Database) -> Settings:
    """Give settings that name a database."""
    key = base64.b64encode(MASTER_KEY).decode()
    return Settings(
        database_url=Secret(database.app_url), master_key=Secret(key), work_in_server=False
    )


@pytest.fixture
def settings(fresh_database: Database) -> Settings:
    """Give settings that name the test's own database."""
    return settings_of(fresh_database)


@pytest.fixture
async def app(
    built_app: Litestar, settings: Settings, anyio_backend: str
) -> AsyncIterator[Litestar]:
    """Run the application over the test's own database."""
    built_app.state.settings = settings
    built_app.state.doorkeeper.forget_all()
    async with built_app.lifespan():
        yield built_app


async def fill(engine: AsyncEngine) -> Province:
    """Fill two open books with what calls need."""
    now = datetime.now(UTC)
    made = Province(key="", key_of_one="")
    async with engine.begin() as connection:
        for code, valid_from, valid_to, successor, book_id in AGENCIES:
            await connection.execute(
                ADD_AGENCY,
                {
                    "code": code,
                    "valid_from": valid_from,
                    "valid_to": valid_to,
                    "successor": successor,
                    "book_id": book_id,
                },
            )
        for book_id, bin_, number in ACCOUNTS:
            account = {"book_id": book_id, "bin": bin_, "number": number, "now": now}
            await connection.execute(ADD_ACCOUNT, account)
        merchant = NewMerchant(
            provider="vnpay",
            merchant="HUE00001",
            book_id=1,
            serves=[1, 2],
            secrets=[made.vnpay_secret],
        )
        await merchants.add(connection, Sealer(MASTER_KEY), merchant, now)
        _, key = await api_keys.create(
            connection, name="one-stop", books=[1, 2], scopes=KEY_SCOPES, now=now
        )
        _, key_of_one = await api_keys.create(
            connection, name="one", books=[1], scopes=KEY_SCOPES, now=now
        )
    return Province(key=key, key_of_one=key_of_one)


@pytest.fixture
async def province(engine: AsyncEngine, two_books: tuple[int, int]) -> Province:
    """Fill two books with what calls need."""
    return await fill(engine)


def client_of(app: Litestar, key: str = "") -> httpx2.AsyncClient:
    """Give a client over the application itself, without a network."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx2.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers)


@pytest.fixture
async def client(app: Litestar, province: Province) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client with the one-stop's key."""
    async with client_of(app, province.key) as made:
        yield made


@pytest.fixture
async def stranger(app: Litestar, province: Province) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client without any credential."""
    async with client_of(app) as made:
        yield made
