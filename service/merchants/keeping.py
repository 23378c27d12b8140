"""The rows of merchants: found, listed and added, their secrets sealed under the master key.

At most two secrets are valid at a time; they never leave here other than as
`providers.contract.Secret`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.catalog import CATALOG
from providers.contract import Option, Secret, Terms
from service.sealing import Sealer

SECRETS_MAX: Final = 2
MERCHANTS_MAX: Final = 10_000
WEAK_LIMIT: Final = "weak_limit_vnd"
"""The setting of a merchant that replaces the service's own limit for weak channels."""

FIND = sa.text("""
    select id, provider, merchant, book_id, serves, mode, settings, secrets_sealed
    from service.merchant
    where provider = :provider and merchant = :merchant and disabled_at is null
""")

SERVING = sa.text("""
    select id, provider, merchant, book_id, serves, mode, settings, secrets_sealed
    from service.merchant
    where provider = :provider and :book_id = any(serves) and disabled_at is null
    order by book_id <> :book_id, id limit 1
""")

OF_ID = sa.text("""
    select id, provider, merchant, book_id, serves, mode, settings, secrets_sealed
    from service.merchant where id = :id and disabled_at is null
""")

LIST = sa.text("""
    select id, provider, merchant, book_id, serves, mode, settings, secrets_sealed
    from service.merchant where disabled_at is null order by id limit :limit
""")

ADD = sa.text("""
    insert into service.merchant
        (provider, merchant, book_id, serves, mode, settings, secrets_sealed, secrets_since,
         created_at)
    values (:provider, :merchant, :book_id, cast(:serves as integer[]), :mode,
            cast(:settings as jsonb), :secrets_sealed, cast(:since as timestamptz[]), :now)
    returning id
""")


class Merchant(msgspec.Struct, frozen=True, kw_only=True):
    """One account at a provider; its clearing sits in `book_id`, and it serves several books."""

    id: int
    provider: str
    merchant: str
    book_id: int
    serves: frozenset[int]
    mode: str
    settings: Mapping[str, Option]
    secrets: tuple[Secret, ...]
    credentials: Mapping[str, Secret] = {}

    def weak_above_vnd(self, default_vnd: int) -> int | None:
        """Above how much a call proves too little to pay for anything; None: each proves itself."""
        provider = CATALOG.get(self.provider)
        if provider is None or self.mode not in provider.weak_modes:
            return None  # a provider that this build does not speak is believed by nobody
        told = self.settings.get(WEAK_LIMIT)
        return told if isinstance(told, int) else default_vnd

    @property
    def absent_keys(self) -> frozenset[str]:
        """Further keys of its provider that it was not given: one may do without a list's token."""
        return frozenset(CATALOG[self.provider].credentials).difference(self.credentials)

    @property
    def terms(self) -> Terms:
        """What the adapter needs to verify and to sign."""
        return Terms(
            merchant=self.merchant,
            secrets=self.secrets,
            credentials=self.credentials,
            options=self.settings,
            mode=self.mode,
            pay_address=str(self.settings.get("pay_address", "")),
            api_address=str(self.settings.get("api_address", "")),
        )


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a merchant: the secrets that verify, and further keys by name."""

    secrets: list[str]
    credentials: dict[str, str] = {}

    def __repr__(self) -> str:
        """Say how many there are, and nothing of them."""
        return f"Keys({len(self.secrets)} secrets, {len(self.credentials)} credentials)"


class NewMerchant(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant to be added; `serves` need not repeat its own book."""

    provider: str
    merchant: str
    book_id: int
    secrets: Sequence[str]
    serves: Sequence[int] = ()
    mode: str = ""
    settings: Mapping[str, Option] = {}
    credentials: Mapping[str, str] = {}


def _context(provider: str, merchant: str) -> bytes:
    return f"service.merchant.secrets:{provider}:{merchant}".encode()


def open_keys(sealer: Sealer, provider: str, merchant: str, sealed: bytes) -> Keys:
    """The keys of a merchant; raises SealBroken under another master key."""
    opened = sealer.open_with_master(_context(provider, merchant), sealed)
    return msgspec.json.decode(opened, type=Keys)


def seal_keys(sealer: Sealer, provider: str, merchant: str, keys: Keys) -> bytes:
    """The keys of a merchant as they are kept."""
    return sealer.seal_with_master(_context(provider, merchant), msgspec.json.encode(keys))


def _read(row: sa.Row[tuple[object, ...]], sealer: Sealer) -> Merchant:
    sealed = open_keys(sealer, row.provider, row.merchant, row.secrets_sealed)
    return Merchant(
        id=row.id,
        provider=row.provider,
        merchant=row.merchant,
        book_id=row.book_id,
        serves=frozenset(row.serves),
        mode=row.mode,
        settings=row.settings,
        secrets=tuple(Secret(text) for text in sealed.secrets),
        credentials={name: Secret(text) for name, text in sealed.credentials.items()},
    )


async def find(
    connection: AsyncConnection, sealer: Sealer, provider: str, merchant: str
) -> Merchant | None:
    """The live merchant of this name at this provider."""
    found = await connection.execute(FIND, {"provider": provider, "merchant": merchant})
    row = found.one_or_none()
    return None if row is None else _read(row, sealer)


async def serving(
    connection: AsyncConnection, sealer: Sealer, provider: str, book_id: int
) -> Merchant | None:
    """The live merchant of a provider that serves a book; the book's own comes first."""
    found = await connection.execute(SERVING, {"provider": provider, "book_id": book_id})
    row = found.one_or_none()
    return None if row is None else _read(row, sealer)


async def of_id(connection: AsyncConnection, sealer: Sealer, merchant_id: int) -> Merchant | None:
    """The live merchant of this id."""
    row = (await connection.execute(OF_ID, {"id": merchant_id})).one_or_none()
    return None if row is None else _read(row, sealer)


async def listing(connection: AsyncConnection, sealer: Sealer) -> list[Merchant]:
    """All live merchants."""
    rows = await connection.execute(LIST, {"limit": MERCHANTS_MAX})
    return [_read(row, sealer) for row in rows]


async def add(connection: AsyncConnection, sealer: Sealer, new: NewMerchant, now: datetime) -> int:
    """Add a merchant with one or two secrets; its id. Raises ValueError for none or too many."""
    if not 0 < len(new.secrets) <= SECRETS_MAX:
        message = f"a merchant has 1 to {SECRETS_MAX} secrets"
        raise ValueError(message)
    keys = Keys(
        secrets=[str(secret) for secret in new.secrets],
        credentials={name: str(text) for name, text in new.credentials.items()},
    )
    merchant_id = await connection.scalar(
        ADD,
        {
            "provider": new.provider,
            "merchant": new.merchant,
            "book_id": new.book_id,
            "serves": sorted({new.book_id, *new.serves}),
            "mode": new.mode,
            "settings": msgspec.json.encode(new.settings).decode(),
            "secrets_sealed": seal_keys(sealer, new.provider, new.merchant, keys),
            "since": [now for _ in new.secrets],
            "now": now,
        },
    )
    return int(str(merchant_id))
