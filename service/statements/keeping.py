"""Keep a statement file, sealed, before anything in it is believed; the same file is kept once.

Nothing is read from the file here.
"""

from datetime import UTC, datetime
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from providers.statements import LAYOUTS, Layout, UnusableLayout, layout_from_json
from service.errors import EmptyFile
from service.import_queue import Kept
from service.sealed_files import FILE_BYTES_MAX, FileKey, Reading, Shelf
from service.sealing import Sealer
from service.statements.errors import UnknownLayout

SHELF: Final = Shelf("service.statement_chunk", "statement_id")

KEEP = sa.text("""
    insert into service.statement
        (book_id, id, bank_account_id, sha256, layout, size_bytes, received_at)
    values (:book_id, :id, :bank_account_id, :sha256, :layout, :size_bytes, :now)
    on conflict (book_id, bank_account_id, sha256) do nothing
    returning id
""")

FIND = sa.text("""
    select id from service.statement
    where book_id = :book_id and bank_account_id = :bank_account_id and sha256 = :sha256
""")

# A file that was refused may be read better later: with another layout it gets another chance.
RETRY = sa.text("""
    update service.statement
    set layout = :layout, status = 'received', problem = null, finished_at = null, lines_read = 0
    where book_id = :book_id and id = :id and status = 'refused' and layout <> :layout
""")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A bank account of a collecting unit."""

    id: int
    book_id: int
    bin: str
    number: str

    @property
    def origin(self) -> str:
        """How sightings name it."""
        return f"account:{self.id}"

    @property
    def provider(self) -> str:
        """How cases name the bank."""
        return f"bank:{self.bin}"


def layout_named(text: str) -> Layout:
    """The layout of this name, or the one that `text` writes down as JSON; UnknownLayout."""
    if text in LAYOUTS:
        return LAYOUTS[text]
    if not text.lstrip().startswith("{"):
        known = ", ".join(sorted(LAYOUTS))
        raise UnknownLayout(f"no layout of this name; there are: {known}")
    try:
        return layout_from_json(text.encode())
    except UnusableLayout as error:
        raise UnknownLayout(str(error)) from None


async def keep(
    engine: AsyncEngine,
    sealer: Sealer,
    account: Account,
    layout: str,
    read: Reading,
    *,
    size_max: int = FILE_BYTES_MAX,
) -> Kept:
    """Keep the file that `read(size)` gives, in one transaction, and say where.

    The same bytes for the same account are the file kept before; if it was refused and `layout` is
    another one, it is to be read again. Raises UnknownLayout, EmptyFile, TooLarge.
    """
    layout_named(layout)
    statement_id = uuid7()
    now = datetime.now(UTC)
    file = FileKey(book_id=account.book_id, id=statement_id, received_at=now, size_max=size_max)
    key: dict[str, object] = {"book_id": account.book_id, "bank_account_id": account.id}
    async with engine.begin() as connection:
        sha256, size = await SHELF.keep(connection, sealer, file, read)
        if not size:
            raise EmptyFile
        row = {"id": statement_id, "layout": layout, "size_bytes": size, "now": now}
        key |= {"sha256": sha256}
        if await connection.scalar(KEEP, key | row) is not None:
            return Kept(book_id=account.book_id, id=statement_id, new=True)
        await connection.rollback()  # the chunks of a second copy are not kept
    async with engine.begin() as connection:
        found = UUID(str(await connection.scalar(FIND, key)))
        await connection.execute(RETRY, {"book_id": account.book_id, "id": found, "layout": layout})
    return Kept(book_id=account.book_id, id=found, new=False)


def stream(engine: AsyncEngine, sealer: Sealer, kept: Kept) -> BinaryIO:
    """A kept file for a reader in a thread; call it on the event loop."""
    return SHELF.stream(engine, sealer, kept.book_id, kept.id)
