"""Kept files on their way into the books: what waits, and one import per owner at a time.

What one import has told is what the next is judged by, so imports of one owner (an account, a
merchant) take turns, in whatever process they run. How a file is imported is for the rooms that
keep it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import connection_apart

PAUSE_S: Final = 0.2
WAITING_MAX: Final = 100
"""What one turn of the worker takes up of a book."""

Outcome: TypeAlias = Literal["done", "refused", "elsewhere"]

log = structlog.get_logger(__name__)

TAKE_OWNER = sa.text("select pg_try_advisory_lock(:lock, :owner)")
LEAVE_OWNER = sa.text("select pg_advisory_unlock(:lock, :owner)")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A kept file; `new` is false where the same bytes were kept before."""

    book_id: int
    id: UUID
    new: bool


class OwnerBusy(Exception):
    """Another process imports a file of this owner; what it leaves is taken later."""


class ImportQueue:
    """The kept files of one kind."""

    def __init__(self, kind: str, lock: int) -> None:
        """`kind` names the table, a constant of the code, never input.

        `lock` is the first half of the advisory lock's key; the second is the owner.
        """
        self._event, self._id = f"{kind}_not_imported", f"{kind}_id"
        self._lock = lock
        self._waiting = sa.text(
            f"select id from service.{kind}"  # noqa: S608
            " where book_id = :book_id and status in ('received', 'importing')"
            " order by received_at, id limit :limit"
        )

    @asynccontextmanager
    async def alone(self, engine: AsyncEngine, owner: int) -> AsyncIterator[None]:
        """Hold an owner for this import on a connection of its own; raises OwnerBusy."""
        key = {"lock": self._lock, "owner": owner}
        async with connection_apart(engine) as connection:
            if not await connection.scalar(TAKE_OWNER, key):
                raise OwnerBusy
            try:
                yield
            finally:
                await asyncio.shield(connection.execute(LEAVE_OWNER, key))

    async def finish(
        self,
        engine: AsyncEngine,
        book_id: int,
        import_kept: Callable[[Kept], Awaitable[Outcome]],
    ) -> int:
        """Import what waits in a book, also what a killed process left; how many were finished.

        The oldest first. A file whose owner is being imported elsewhere is passed over.
        """
        async with engine.connect() as connection:
            found = await connection.scalars(
                self._waiting, {"book_id": book_id, "limit": WAITING_MAX}
            )
            waiting = [UUID(str(one)) for one in found]
        finished = 0
        for file_id in waiting:
            try:
                told = await import_kept(Kept(book_id=book_id, id=file_id, new=False))
            except OwnerBusy:
                continue
            except Exception:  # one that cannot be imported keeps no other waiting
                log.exception(self._event, **{self._id: str(file_id)})
            else:
                finished += told != "elsewhere"
        return finished


async def when_free(import_kept: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Import a file, waiting for its owner as long as another import has it."""
    while True:
        try:
            return await import_kept()
        except OwnerBusy:
            await asyncio.sleep(PAUSE_S)
