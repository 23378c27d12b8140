"""Who may call and whose accounts are watched: small tables, held in memory for a few seconds.

A merchant that was added, rotated or disabled is known everywhere within STALE_AFTER_S, unless the
database is away: then nothing can be booked either, and what was known last still holds.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from service import merchants
from service.merchants import Merchant
from service.sealing import Sealer
from service.settings import WEAK_LIMIT_VND

STALE_AFTER_S: Final = 5.0
MISSED_AFTER_S: Final = 1.0
"""As old as what was read may be where it does not hold a name; strangers make it no younger."""
READ_WITHIN_S: Final = 2.0
"""Callers wait meanwhile; their answers are due within five seconds."""
ACCOUNTS_MAX: Final = 100_000

log = structlog.get_logger(__name__)

ACCOUNTS = sa.text("""
    select id, book_id, bin, number from service.bank_account order by id limit :limit
""")


class OwnAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A collecting unit's own bank account."""

    id: int
    book_id: int


class Directory:
    """Merchants by (provider, merchant), own accounts by number."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        clock: Callable[[], float] = time.monotonic,
        *,
        weak_limit_vnd: int = WEAK_LIMIT_VND,
    ) -> None:
        self.weak_limit_vnd = weak_limit_vnd
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._read_at = -STALE_AFTER_S
        self._known = False
        self._merchants: Mapping[tuple[str, str], Merchant] = {}
        self._by_id: Mapping[int, Merchant] = {}
        self._accounts: Mapping[str, OwnAccount] = {}
        self._reading = asyncio.Lock()

    async def merchant(self, provider: str, name: str) -> Merchant | None:
        """The live merchant of this name at this provider.

        Raises what the database raises where the tables could not be read even once.
        """
        await self._refresh()
        if (provider, name) not in self._merchants:
            # Perhaps just added: its provider gets 404, and nothing keeps what it said.
            await self._refresh(MISSED_AFTER_S)
        return self._merchants.get((provider, name))

    async def by_id(self, merchant_id: int) -> Merchant | None:
        """The live merchant of this id. Raises as `merchant` does."""
        await self._refresh()
        return self._by_id.get(merchant_id)

    async def every(self, provider: str) -> list[Merchant]:
        """All live merchants at a provider. Raises as `merchant` does."""
        await self._refresh()
        return [one for one in self._by_id.values() if one.provider == provider]

    def account(self, number: str) -> OwnAccount | None:
        """Our account of this number; None where no bank, or more than one, has it."""
        return self._accounts.get(number)

    async def _refresh(self, stale_after_s: float = STALE_AFTER_S) -> None:
        if self._clock() - self._read_at < stale_after_s:
            return
        async with self._reading:
            if self._clock() - self._read_at < stale_after_s:
                return
            try:
                async with asyncio.timeout(READ_WITHIN_S):
                    await self._read()
            except Exception as error:
                if not self._known:
                    raise
                # With what was known, the provider can be answered "try again" in its own words.
                log.warning("intake.directory_not_read", error=type(error).__name__)
                self._read_at = self._clock()

    async def _read(self) -> None:
        async with self._engine.connect() as connection:
            found = await merchants.listing(connection, self._sealer)
            rows = (await connection.execute(ACCOUNTS, {"limit": ACCOUNTS_MAX})).all()
        self._merchants = {(one.provider, one.merchant): one for one in found}
        self._by_id = {one.id: one for one in found}
        numbers = Counter(row.number for row in rows)
        self._accounts = {
            row.number: OwnAccount(id=row.id, book_id=row.book_id)
            for row in rows
            if numbers[row.number] == 1
        }
        self._known = True
        self._read_at = self._clock()
