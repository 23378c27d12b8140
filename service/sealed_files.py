"""Files that people send us: kept sealed, piece by piece, and read again as a stream.

One piece is in memory at a time, and nothing is written to disk. Whose files they are, and what
makes two of them the same, is for the rooms that take them.
"""

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.errors import TooLarge
from service.sealing import Sealer

CHUNK_BYTES: Final = 1_000_000
FILE_BYTES_MAX: Final = 100_000_000
"""What is taken where no setting says otherwise."""
FETCH_TIMEOUT_S: Final = 60.0

Reading = Callable[[int], Awaitable[bytes]]
"""Gives at most so many next bytes; none at the end."""


class Shelf:
    """Where one kind of file is kept: a table of pieces and its column that names the file."""

    def __init__(self, table: str, file_column: str) -> None:
        """Both names are constants of the code, never input."""
        self._table = table
        self._keep = sa.text(
            f"insert into {table} (book_id, {file_column}, position, sealed)"  # noqa: S608
            " values (:book_id, :file_id, :position, :sealed)"
        )
        self._piece = sa.text(
            f"select sealed from {table} where book_id = :book_id"  # noqa: S608
            f" and {file_column} = :file_id and position = :position"
        )

    async def keep(
        self, connection: AsyncConnection, sealer: Sealer, file: "FileKey", read: Reading
    ) -> tuple[bytes, int]:
        """Keep what `read` gives in the caller's transaction; its SHA-256 and size in bytes.

        Raises TooLarge.
        """
        digest = hashlib.sha256()
        size = position = 0
        await sealer.prepare(connection, [file.book_id], file.received_at)
        while piece := await read(CHUNK_BYTES):
            size += len(piece)
            if size > file.size_max:
                raise TooLarge(f"such a file has at most {file.size_max} bytes")
            digest.update(piece)
            context = self._context(file.id, position)
            sealed = sealer.seal(file.book_id, file.received_at, context, piece)
            await connection.execute(
                self._keep,
                {
                    "book_id": file.book_id,
                    "file_id": file.id,
                    "position": position,
                    "sealed": sealed,
                },
            )
            position += 1
        return digest.digest(), size

    async def piece(
        self,
        connection: AsyncConnection,
        sealer: Sealer,
        book_id: int,
        file_id: UUID,
        position: int,
    ) -> bytes | None:
        """One piece of a kept file, opened; None behind the last one."""
        sealed = await connection.scalar(
            self._piece, {"book_id": book_id, "file_id": file_id, "position": position}
        )
        if sealed is None:
            return None
        await sealer.prepare_open(connection, [(book_id, bytes(sealed))])
        return sealer.open(book_id, self._context(file_id, position), bytes(sealed))

    def stream(self, engine: AsyncEngine, sealer: Sealer, book_id: int, file_id: UUID) -> BinaryIO:
        """A kept file for a reader in a thread beside the event loop; call it on the loop."""
        return io.BufferedReader(_Kept(self, engine, sealer, book_id, file_id), CHUNK_BYTES)

    def _context(self, file_id: UUID, position: int) -> bytes:
        return b"%s:%s:%d" % (self._table.encode(), file_id.bytes, position)


class FileKey(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is about to be kept."""

    book_id: int
    id: UUID
    received_at: datetime
    size_max: int = FILE_BYTES_MAX


class _Kept(io.RawIOBase):
    def __init__(
        self, shelf: Shelf, engine: AsyncEngine, sealer: Sealer, book_id: int, file_id: UUID
    ) -> None:
        self._shelf = shelf
        self._engine = engine
        self._sealer = sealer
        self._book_id = book_id
        self._file_id = file_id
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
            plain = await self._shelf.piece(
                connection, self._sealer, self._book_id, self._file_id, self._position
            )
        self._position += 1
        return plain or b""
