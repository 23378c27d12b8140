"""Keep a settlement file, sealed, before anything in it is believed; the same file is kept once.

Nothing is read from the file here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from providers.settlements import (
    MAPPINGS,
    SettlementMapping,
    UnusableMapping,
    mapping_from_json,
)
from service.errors import EmptyFile
from service.import_queue import Kept
from service.sealed_files import FILE_BYTES_MAX, FileKey, Reading, Shelf
from service.sealing import Sealer
from service.settlements.errors import UnknownMapping, UnknownMerchant

SHELF: Final = Shelf("service.settlement_chunk", "settlement_id")

MERCHANT = sa.text("""
    select id, book_id, provider, merchant, serves, settings from service.merchant
    where provider = :provider and merchant = :merchant and disabled_at is null
      and book_id = any(cast(:books as integer[]))
""")

KEEP = sa.text("""
    insert into service.settlement
        (book_id, id, merchant_id, sha256, mapping, size_bytes, received_at)
    values (:book_id, :id, :merchant_id, :sha256, :mapping, :size_bytes, :now)
    on conflict (book_id, merchant_id, sha256) do nothing
    returning id
""")

FIND = sa.text("""
    select id from service.settlement
    where book_id = :book_id and merchant_id = :merchant_id and sha256 = :sha256
""")

# A file that was refused may be read better later: sent again, it gets another chance.
RETRY = sa.text("""
    update service.settlement
    set mapping = :mapping, status = 'received', problem = null, finished_at = null, lines_read = 0
    where book_id = :book_id and id = :id and status = 'refused'
""")


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """The merchant whose money a file settles; its book owns the clearing."""

    id: int
    book_id: int
    provider: str
    merchant: str
    serves: tuple[int, ...]
    settings: dict[str, str | int | bool | None] = {}

    @property
    def name(self) -> str:
        """How the ledger's lines name it."""
        return f"{self.provider}/{self.merchant}"

    @property
    def origin(self) -> str:
        """Where its money stands, as sightings name it."""
        return f"merchant:{self.name}"


def mapping_named(text: str) -> SettlementMapping:
    """The mapping of this name, or the one that `text` writes down as JSON; UnknownMapping."""
    if text in MAPPINGS:
        return MAPPINGS[text]
    if not text.lstrip().startswith("{"):
        known = ", ".join(sorted(MAPPINGS))
        raise UnknownMapping(f"no mapping of this name; there are: {known}")
    try:
        return mapping_from_json(text.encode())
    except UnusableMapping as error:
        raise UnknownMapping(str(error)) from None


async def payee(connection: AsyncConnection, books: Sequence[int], named: str) -> Payee:
    """The merchant named `provider/merchant`; UnknownMerchant where none of these books has it."""
    provider, _, merchant = named.strip().partition("/")
    found = await connection.execute(
        MERCHANT, {"provider": provider, "merchant": merchant, "books": list(books)}
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise UnknownMerchant
    return msgspec.convert(dict(row), Payee)


async def keep(
    engine: AsyncEngine,
    sealer: Sealer,
    whose: Payee,
    mapping: str,
    read: Reading,
    *,
    size_max: int = FILE_BYTES_MAX,
) -> Kept:
    """Keep the file that `read(size)` gives, in one transaction, and say where.

    The same bytes for the same merchant are the file kept before; if it was refused, it is to be
    read again. An empty `mapping` is that of the merchant's settings or else the provider's. Raises
    UnknownMapping, EmptyFile, TooLarge.
    """
    chosen = mapping or str(whose.settings.get("settlement_mapping") or whose.provider)
    mapping_named(chosen)
    now = datetime.now(UTC)
    file = FileKey(book_id=whose.book_id, id=uuid7(), received_at=now, size_max=size_max)
    key: dict[str, object] = {"book_id": whose.book_id, "merchant_id": whose.id}
    async with engine.begin() as connection:
        sha256, size = await SHELF.keep(connection, sealer, file, read)
        if not size:
            raise EmptyFile
        row = {"id": file.id, "mapping": chosen, "size_bytes": size, "now": now}
        key |= {"sha256": sha256}
        if await connection.scalar(KEEP, key | row) is not None:
            return Kept(book_id=whose.book_id, id=file.id, new=True)
        await connection.rollback()  # the pieces of a second copy are not kept
    async with engine.begin() as connection:
        found = UUID(str(await connection.scalar(FIND, key)))
        await connection.execute(RETRY, {"book_id": whose.book_id, "id": found, "mapping": chosen})
    return Kept(book_id=whose.book_id, id=found, new=False)


def stream(engine: AsyncEngine, sealer: Sealer, kept: Kept) -> BinaryIO:
    """A kept file for a reader in a thread; call it on the event loop."""
    return SHELF.stream(engine, sealer, kept.book_id, kept.id)
