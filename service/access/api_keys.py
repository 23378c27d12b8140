"""Machines: keys stored as hashes, bound to books and scopes. A key is shown once, when made."""

import hmac
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access.principals import KEY_SCOPES, STAFF_ONLY, Principal, Scope
from service.access.tokens import KEY_PREFIX, digest, mint

CREATE = sa.text("""
    insert into service.api_key (id, name, key_hash, books, scopes, created_at)
    values (uuidv7(), :name, :key_hash, cast(:books as integer[]), cast(:scopes as text[]), :now)
    returning id
""")

FIND = sa.text("""
    select id, name, key_hash, books, scopes from service.api_key
    where key_hash = :key_hash and revoked_at is null
""")

LIST = sa.text("""
    select id, name, books, scopes, created_at, revoked_at from service.api_key
    order by id limit :limit
""")

REVOKE = sa.text("""
    update service.api_key set revoked_at = :now where id = :id and revoked_at is null
""")

UNKNOWN_BOOKS = sa.text("""
    select asked.book_id from unnest(cast(:books as integer[])) as asked (book_id)
    where not exists (select from ledger.book where book.book_id = asked.book_id)
    order by asked.book_id
""")

KEYS_LISTED_MAX = 1_000
NAME_LENGTH_MAX = 100


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a key after it was made."""

    id: UUID
    name: str
    books: list[int]
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None


class NotGrantable(ValueError):
    """A scope or book that a key or an account cannot have."""


async def create(
    connection: AsyncConnection,
    *,
    name: str,
    books: Iterable[int],
    scopes: Iterable[Scope],
    now: datetime,
) -> tuple[UUID, str]:
    """Make a key; its id, and the key itself, which is kept nowhere. Raises NotGrantable."""
    wanted = sorted(set(scopes))
    if forbidden := [scope for scope in wanted if scope in STAFF_ONLY or scope not in KEY_SCOPES]:
        message = f"a key cannot have: {', '.join(forbidden)}"
        raise NotGrantable(message)
    covered = sorted(set(books))
    await check_books(connection, covered)
    if not wanted or not name or len(name) > NAME_LENGTH_MAX:
        message = f"a key needs a scope, and a name of 1 to {NAME_LENGTH_MAX} characters"
        raise NotGrantable(message)
    key = mint(KEY_PREFIX)
    key_id = await connection.scalar(
        CREATE,
        {"name": name, "key_hash": digest(key), "books": covered, "scopes": wanted, "now": now},
    )
    return UUID(str(key_id)), key


async def check_books(connection: AsyncConnection, books: list[int]) -> None:
    """Refuse an empty list and books that are not open; raises NotGrantable."""
    if not books:
        raise NotGrantable("at least one book is needed")
    unknown = (await connection.scalars(UNKNOWN_BOOKS, {"books": books})).all()
    if unknown:
        message = f"no such book: {', '.join(map(str, unknown))}"
        raise NotGrantable(message)


async def find(connection: AsyncConnection, key: str) -> Principal | None:
    """Who holds this key; None for an unknown or revoked one."""
    wanted = digest(key)
    row = (await connection.execute(FIND, {"key_hash": wanted})).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.key_hash), wanted):
        return None
    return Principal(
        kind="api_key",
        id=UUID(str(row.id)),
        name=row.name,
        books=frozenset(row.books),
        scopes=frozenset(row.scopes) - STAFF_ONLY,
    )


async def listing(connection: AsyncConnection) -> list[KeyInfo]:
    """All keys, the oldest first; never their hashes."""
    rows = await connection.execute(LIST, {"limit": KEYS_LISTED_MAX})
    return [msgspec.convert(row._mapping, KeyInfo, from_attributes=True) for row in rows]  # noqa: SLF001 # SQLAlchemy's public way to a mapping


async def revoke(connection: AsyncConnection, key_id: UUID, now: datetime) -> bool:
    """End a key; False where there is none that is live. Takes effect within CACHED_S seconds."""
    return bool((await connection.execute(REVOKE, {"id": key_id, "now": now})).rowcount)
