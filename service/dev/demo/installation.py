"""Make the demo's installation, or find the one made before; refuse any other database.

Books, agencies, accounts, merchants, staff and the key are written directly, as an operator's
commands would; everything that happens to money goes over HTTP.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import open_book
from providers.catalog import CATALOG
from service import merchants, reference_data
from service.access import api_keys, staff
from service.access.principals import Role, Scope
from service.database import create_engine
from service.dev import demo_file
from service.dev.channels import (
    CASSO_ACCOUNT,
    CASSO_MERCHANT,
    GATEWAYS,
    SIMULATED,
    Channel,
    served_books,
)
from service.dev.demo_file import DemoFile, DemoMerchant, DemoProblem, DemoStaff
from service.dev.provider import agreed, settlement
from service.dev.provider.addresses import addressed
from service.dev.units import BIN, UNITS, Unit
from service.merchants import Merchant, NewMerchant
from service.sealing import Sealer
from service.settlements import contracts
from service.settlements.contracts import Contract

DEMO: Final = "demo"
KEY_NAME: Final = "one-stop (demo)"
ONE_STOP_SCOPES: Final[tuple[Scope, ...]] = (
    "notices:read",
    "notices:write",
    "requests:read",
    "requests:write",
    "counter:write",
    "events:read",
    "ledger:read",
    "unmatched:read",
    "refunds:read",
    "refunds:ask",
)
STAFF: Final[Mapping[str, Role]] = {
    "xem": "viewer",
    "lap": "maker",
    "duyet": "checker",
    "quantri": "admin",
    "kiemtoan": "auditor",
}
"""User name -> role: who looks, who proposes, who decides, who manages, who audits."""
CONTRACT: Final = Contract(valid_from=date(2026, 1, 1), rate_ppm=settlement.FEE_PER_10_000 * 100)
"""What every gateway of the demo charges."""
PASSWORD_BYTES: Final = 12
SECRET_BYTES: Final = 24

MADE_BY = sa.text("select made_by from service.installation where id = 1")
BOOKS = sa.text("select count(*) from ledger.book")
MARK = sa.text("""
    insert into service.installation (id, created_at, made_by) values (1, :now, 'demo')
""")
READDRESS = sa.text("""
    update service.merchant set settings = settings || cast(:settings as jsonb)
    where provider = :provider
""")
ACCOUNT = sa.text("""
    insert into service.bank_account (book_id, bin, number, holder_name, opened_at)
    values (:book_id, :bin, :number, :holder, :now)
    on conflict (bin, number) do nothing
""")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What was made or found; `new` when this is the first start."""

    new: bool
    agencies: int
    procedures: int
    demo: DemoFile


async def made_by(connection: AsyncConnection) -> str | None:
    """Who created this database: "demo", "operator", or None where nobody said so yet."""
    found = await connection.scalar(MADE_BY)
    if found is None and await connection.scalar(BOOKS):
        return "operator"
    return None if found is None else str(found)


async def ensure(
    database_url: str, master_key: bytes, data_dir: Path, base_url: str, street_url: str
) -> Made:
    """Make or complete the installation and write `demo.json`.

    `street_url` is where the simulated providers will be from now on.

    Raises DemoProblem where the database was created by somebody else.
    """
    path = data_dir / demo_file.NAME
    kept = demo_file.find(path)
    engine = create_engine(database_url, pool_size=2)
    try:
        async with engine.begin() as connection:
            maker = await made_by(connection)
            if maker not in {None, DEMO}:
                raise DemoProblem(
                    f"The database in {data_dir} was not created by the demo; it stays as it is."
                    " Choose another folder with --data."
                )
            sealer = Sealer(master_key)
            now = datetime.now(UTC)
            if maker is None:
                await _build(connection, sealer, now)
            for one in await merchants.listing(connection, sealer):
                if one.provider in SIMULATED:
                    await connection.execute(READDRESS, _addresses(one, street_url))
            loaded = await reference_data.load(
                connection, {unit.book.agency_code: unit.book.book_id for unit in UNITS}
            )
            demo = DemoFile(
                base_url=base_url,
                one_stop_api_key=await _key(connection, kept, now),
                webhook_secret=_webhook_secret(kept),
                staff=await _staff(connection, kept, now),
                merchants=_shown(await merchants.listing(connection, sealer)),
            )
        demo_file.write(path, demo)
    finally:
        await engine.dispose()
    return Made(
        new=maker is None, agencies=loaded.agencies, procedures=loaded.procedures, demo=demo
    )


async def _build(connection: AsyncConnection, sealer: Sealer, now: datetime) -> None:
    """Mark the database as the demo's, and open what a first start needs."""
    await connection.execute(MARK, {"now": now})
    for unit in UNITS:
        await open_book(connection, unit.book, now)
        await connection.execute(
            ACCOUNT,
            {
                "book_id": unit.book.book_id,
                "bin": BIN,
                "number": unit.account,
                "holder": unit.holder,
                "now": now,
            },
        )
        await merchants.add(connection, sealer, _feed(unit), now)
    for name, channel in GATEWAYS.items():
        made = _gateway(name, channel)
        merchant_id = await merchants.add(connection, sealer, made, now)
        if not channel.to_account:
            await contracts.add(connection, made.book_id, merchant_id, CONTRACT, now)
    await _second_account(connection, sealer, now)


def _gateway(name: str, channel: Channel) -> NewMerchant:
    """A merchant at a gateway, with keys as this provider writes them."""
    drawn = agreed.fresh(name)
    return NewMerchant(
        provider=name,
        merchant=channel.merchant,
        book_id=UNITS[0].book.book_id,
        serves=served_books(name),
        mode=drawn.mode,
        secrets=drawn.secrets,
        credentials=drawn.credentials,
    )


async def _second_account(connection: AsyncConnection, sealer: Sealer, now: datetime) -> None:
    """The account that Casso watches."""
    unit = UNITS[1]
    account = {"book_id": unit.book.book_id, "bin": BIN, "holder": unit.holder, "now": now}
    await connection.execute(ACCOUNT, account | {"number": CASSO_ACCOUNT})
    drawn = agreed.fresh("casso")
    feed = NewMerchant(
        provider="casso",
        merchant=CASSO_MERCHANT,
        book_id=unit.book.book_id,
        mode=drawn.mode,
        secrets=drawn.secrets,
        credentials=drawn.credentials,
    )
    await merchants.add(connection, sealer, feed, now)


def _addresses(merchant: Merchant, street_url: str) -> dict[str, object]:
    """The settings that lead a merchant to its simulated provider."""
    adapter = CATALOG[merchant.provider]
    found = addressed(adapter, merchant.terms, f"{street_url}/{merchant.provider}")
    settings = {"pay_address": found.pay_address, "api_address": found.api_address}
    told = {name: address for name, address in settings.items() if address}
    return {"provider": merchant.provider, "settings": msgspec.json.encode(told).decode()}


def _feed(unit: Unit) -> NewMerchant:
    """The bank feed that watches a unit's account."""
    return NewMerchant(
        provider="sepay",
        merchant=unit.sepay_merchant,
        book_id=unit.book.book_id,
        mode=unit.sepay_mode,
        secrets=[_secret()],
    )


def _secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


async def _key(connection: AsyncConnection, kept: DemoFile | None, now: datetime) -> str:
    """The one-stop's key: the one in the file if it still opens, else a new one."""
    if kept is not None and await api_keys.find(connection, kept.one_stop_api_key) is not None:
        return kept.one_stop_api_key
    _, key = await api_keys.create(
        connection,
        name=KEY_NAME,
        books=[unit.book.book_id for unit in UNITS],
        scopes=ONE_STOP_SCOPES,
        now=now,
    )
    return key


def _webhook_secret(kept: DemoFile | None) -> str:
    """What events are signed with on their way to the one-stop, as Standard Webhooks write it."""
    if kept is not None:
        return kept.webhook_secret
    return f"whsec_{secrets.token_urlsafe(SECRET_BYTES)}"


async def _staff(
    connection: AsyncConnection, kept: DemoFile | None, now: datetime
) -> list[DemoStaff]:
    """The logins of the file, or new passwords for accounts whose file is lost."""
    known = {one.username for one in await staff.listing(connection)}
    if kept is not None and known >= set(STAFF) == {one.username for one in kept.staff}:
        return kept.staff
    logins = []
    for username, role in STAFF.items():
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        if username in known:
            await staff.set_password(connection, username, password, now)
        else:
            await staff.add(
                connection,
                username=username,
                password=password,
                roles=[role],
                books=[unit.book.book_id for unit in UNITS],
                now=now,
            )
        logins.append(DemoStaff(username=username, password=password, role=role))
    return logins


def _shown(found: list[Merchant]) -> dict[str, DemoMerchant]:
    """The merchants by provider, as the file tells them."""
    watched = {unit.sepay_merchant: unit.account for unit in UNITS}
    watched |= {CASSO_MERCHANT: CASSO_ACCOUNT}
    watched |= {one.merchant: UNITS[0].account for one in GATEWAYS.values() if one.to_account}
    told: dict[str, list[DemoMerchant]] = {}
    for one in found:
        told.setdefault(one.provider, []).append(
            DemoMerchant(
                merchant=one.merchant,
                secrets=[str(secret) for secret in one.secrets],
                mode=one.mode,
                credentials={name: str(text) for name, text in one.credentials.items()},
                settings=dict(one.settings),
                account=watched.get(one.merchant, ""),
            )
        )
    return {
        provider: msgspec.structs.replace(first, others=others)
        for provider, (first, *others) in told.items()
    }
