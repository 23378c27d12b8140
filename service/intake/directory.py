"""Who may call and whose accounts are watched: small tables, held in memory for a few seconds.

A merchant that was added, rotated or disabled is known everywhere within STALE_AFTER_S.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service import merchants
from service.merchants import Merchant
from service.sealing import Sealer

STALE_AFTER_S: Final = 5.0
ACCOUNTS_MAX: Final = 100_000

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
        self, engine: AsyncEngine, sealer: Sealer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._read_at = -STALE_AFTER_S
        self._merchants: Mapping[tuple[str, str], Merchant] = {}
        self._accounts: Mapping[str, OwnAccount] = {}
        self._reading = asyncio.Lock()

    async def merchant(self, provider: str, name: str) -> Merchant | None:
        """The live merchant of this name at this provider."""
        await self._refresh()
        return self._merchants.get((provider, name))

    def account(self, number: str) -> OwnAccount | None:
        """Our account of this number; None where no bank, or more than one, has it."""
        return self._accounts.get(number)

    async def _refresh(self) -> None:
        if self._clock() - self._read_at < STALE_AFTER_S:
            return
        async with self._reading:
            if self._clock() - self._read_at < STALE_AFTER_S:
                return
            async with self._engine.connect() as connection:
                found = await merchants.listing(connection, self._sealer)
                rows = (await connection.execute(ACCOUNTS, {"limit": ACCOUNTS_MAX})).all()
            self._merchants = {(one.provider, one.merchant): one for one in found}
            numbers = Counter(row.number for row in rows)
            self._accounts = {
                row.number: OwnAccount(id=row.id, book_id=row.book_id)
                for row in rows
                if numbers[row.number] == 1
            }
            self._read_at = self._clock()
