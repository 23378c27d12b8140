"""Keep a statement file, sealed, before anything in it is believed; the same file is kept once.

Nothing is read from the file here.
"""

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from providers.statements import LAYOUTS, Layout, UnusableLayout, layout_from_json
from service.errors import TooLarge
from service.sealing import Sealer
from service.statements.errors import EmptyFile, UnknownLayout

CHUNK_BYTES: Final = 1_000_000
FILE_BYTES_MAX: Final = 100_000_000
"""What is taken where no setting says otherwise."""
FETCH_TIMEOUT_S: Final = 60.0

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

KEEP_CHUNK = sa.text("""
    insert into service.statement_chunk (book_id, statement_id, position, sealed)
    values (:book_id, :statement_id, :position, :sealed)
""")

CHUNK = sa.text("""
    select sealed from service.statement_chunk
    where book_id = :book_id and statement_id = :statement_id and position = :position
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


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A kept file; `new` is false where the same bytes were kept before."""

    book_id: int
    id: UUID
    new: bool


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
    read: Callable[[int], Awaitable[bytes]],
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
    digest = hashlib.sha256()
    size = position = 0
    key: dict[str, object] = {"book_id": account.book_id, "bank_account_id": account.id}
    async with engine.begin() as connection:
        await sealer.prepare(connection, [account.book_id], now)
        while piece := await read(CHUNK_BYTES):
            size += len(piece)
            if size > size_max:
                raise TooLarge(f"a statement file has at most {size_max} bytes")
            digest.update(piece)
            await connection.execute(
                KEEP_CHUNK,
                {
                    "book_id": account.book_id,
                    "statement_id": statement_id,
                    "position": position,
                    "sealed": sealer.seal(
                        account.book_id, now, _context(statement_id, position), piece
                    ),
                },
            )
            position += 1
        if not size:
            raise EmptyFile
        row = {"id": statement_id, "layout": layout, "size_bytes": size, "now": now}
        key |= {"sha256": digest.digest()}
        if await connection.scalar(KEEP, key | row) is not None:
            return Kept(book_id=account.book_id, id=statement_id, new=True)
        await connection.rollback()  # the chunks of a second copy are not kept
    async with engine.begin() as connection:
        found = UUID(str(await connection.scalar(FIND, key)))
        await connection.execute(RETRY, {"book_id": account.book_id, "id": found, "layout": layout})
    return Kept(book_id=account.book_id, id=found, new=False)


class KeptFile(io.RawIOBase):
    """A kept file as a readable stream, for a thread beside the event loop that opens the chunks.

    One chunk is in memory at a time, and nothing is written to disk.
    """

    def __init__(
        self, engine: AsyncEngine, sealer: Sealer, book_id: int, statement_id: UUID
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._book_id = book_id
        self._statement_id = statement_id
        self._loop = asyncio.get_running_loop()
        self._position = 0
        self._rest = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer will do
        """Fill `buffer` with the next bytes; 0 at the end."""
        if not self._rest:
            waiting = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
            self._rest = waiting.result(FETCH_TIMEOUT_S)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    async def _next(self) -> bytes:
        async with self._engine.connect() as connection:
            plain = await chunk(
                connection, self._sealer, self._book_id, self._statement_id, self._position
            )
        self._position += 1
        return plain or b""


def stream(engine: AsyncEngine, sealer: Sealer, kept: Kept) -> BinaryIO:
    """A kept file for a reader in a thread; call it on the event loop."""
    return io.BufferedReader(KeptFile(engine, sealer, kept.book_id, kept.id), CHUNK_BYTES)


async def chunk(
    connection: AsyncConnection, sealer: Sealer, book_id: int, statement_id: UUID, position: int
) -> bytes | None:
    """One piece of a kept file, opened; None behind the last one."""
    sealed = await connection.scalar(
        CHUNK, {"book_id": book_id, "statement_id": statement_id, "position": position}
    )
    if sealed is None:
        return None
    await sealer.prepare_open(connection, [(book_id, bytes(sealed))])
    return sealer.open(book_id, _context(statement_id, position), bytes(sealed))


def _context(statement_id: UUID, position: int) -> bytes:
    return b"service.statement_chunk:%s:%d" % (statement_id.bytes, position)
