"""People: local accounts with argon2, a lock after wrong passwords, and sessions."""

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.access.api_keys import NotGrantable, check_books
from service.access.audit import Allowance, Deed, record
from service.access.principals import ROLES, Principal, Role, scopes_of
from service.access.tokens import SESSION_PREFIX, digest, mint
from service.errors import Busy, SignInRefused

FAILURES_MAX: Final = 8
LOCKED_FOR: Final = timedelta(minutes=15)
SESSION_LASTS: Final = timedelta(hours=8)
PASSWORD_LENGTH_MIN: Final = 12
PASSWORD_LENGTH_MAX: Final = 200
STAFF_LISTED_MAX: Final = 1_000
HASHING_AT_ONCE: Final = 2
HASHING_WAITING_MAX: Final = 32
USERNAME: Final = re.compile(r"^[a-z0-9._-]{2,64}$")

ADD = sa.text("""
    insert into service.staff (id, username, password_hash, roles, books, created_at)
    values (uuidv7(), :username, :password_hash, cast(:roles as text[]),
            cast(:books as integer[]), :now)
    on conflict (username) do nothing
    returning id
""")

LIST = sa.text("""
    select id, username, roles, books, created_at, disabled_at, locked_until from service.staff
    order by username limit :limit
""")

DISABLE = sa.text("""
    with gone as (
        update service.staff set disabled_at = :now
        where username = :username and disabled_at is null returning id
    ), ended as (
        update service.staff_session set ended_at = :now
        where staff_id in (select id from gone) and ended_at is null
    )
    select id from gone
""")

SET_PASSWORD = sa.text("""
    with changed as (
        update service.staff
        set password_hash = :password_hash, failed_logins = 0, locked_until = null
        where username = :username returning id
    ), ended as (
        update service.staff_session set ended_at = :now
        where staff_id in (select id from changed) and ended_at is null
    )
    select id from changed
""")

# Each attempt is counted before the password is looked at, so that guesses sent at the same time
# cannot pass the limit together.
ATTEMPT = sa.text("""
    update service.staff set
        failed_logins = case when locked_until <= :now then 1 else failed_logins + 1 end,
        locked_until = case
            when locked_until <= :now then null
            when failed_logins + 1 >= :failures_max then cast(:locked_until as timestamptz)
        end
    where username = :username and disabled_at is null
        and (locked_until is null or locked_until <= :now)
    returning id, password_hash, books, roles
""")

WELCOME = sa.text("""
    with reset as (
        update service.staff set failed_logins = 0, locked_until = null where id = :id
    )
    insert into service.staff_session (token_hash, staff_id, created_at, expires_at)
    values (:token_hash, :id, :now, :expires_at)
""")

FIND = sa.text("""
    select staff.id, staff.username, staff.books, staff.roles
    from service.staff_session as session
    join service.staff as staff on staff.id = session.staff_id
    where session.token_hash = :token_hash and session.ended_at is null
        and session.expires_at > :now and staff.disabled_at is null
""")

END = sa.text("""
    update service.staff_session set ended_at = :now
    where token_hash = :token_hash and ended_at is null
""")


class StaffInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of an account."""

    id: UUID
    username: str
    roles: list[str]
    books: list[int]
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that succeeded; the token is shown once."""

    token: str
    expires_at: datetime
    username: str
    roles: list[str]
    books: list[int]


def usable_password(password: str) -> str:
    """The password, if it is long enough and not too long; raises NotGrantable."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        message = f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters"
        raise NotGrantable(message)
    return password


async def add(
    connection: AsyncConnection,
    *,
    username: str,
    password: str,
    roles: Iterable[Role],
    books: Iterable[int],
    now: datetime,
) -> UUID:
    """Open an account; raises NotGrantable for a taken name, an unknown role or book."""
    wanted = sorted(set(roles))
    if not wanted or any(role not in ROLES for role in wanted):
        message = f"roles are: {', '.join(ROLES)}"
        raise NotGrantable(message)
    if not USERNAME.match(username):
        raise NotGrantable("a user name is 2 to 64 of a-z 0-9 . _ -")
    covered = sorted(set(books))
    await check_books(connection, covered)
    staff_id = await connection.scalar(
        ADD,
        {
            "username": username,
            "password_hash": PasswordHasher().hash(usable_password(password)),
            "roles": wanted,
            "books": covered,
            "now": now,
        },
    )
    if staff_id is None:
        raise NotGrantable("the user name is taken")
    return UUID(str(staff_id))


async def listing(connection: AsyncConnection) -> list[StaffInfo]:
    """All accounts by name; never their passwords."""
    rows = await connection.execute(LIST, {"limit": STAFF_LISTED_MAX})
    return [msgspec.convert(row._mapping, StaffInfo, from_attributes=True) for row in rows]  # noqa: SLF001 # SQLAlchemy's public way to a mapping


async def disable(connection: AsyncConnection, username: str, now: datetime) -> bool:
    """Close an account and end its sessions; False where there is none that is open."""
    return await connection.scalar(DISABLE, {"username": username, "now": now}) is not None


async def set_password(
    connection: AsyncConnection, username: str, password: str, now: datetime
) -> bool:
    """Give a new password, unlock, and end all sessions; False for an unknown name."""
    hashed = PasswordHasher().hash(usable_password(password))
    parameters = {"username": username, "password_hash": hashed, "now": now}
    return await connection.scalar(SET_PASSWORD, parameters) is not None


async def find(connection: AsyncConnection, token: str, now: datetime) -> Principal | None:
    """Who is signed in with this token; None for an unknown, ended or expired one."""
    row = (await connection.execute(FIND, {"token_hash": digest(token), "now": now})).one_or_none()
    if row is None:
        return None
    return Principal(
        kind="staff",
        id=UUID(str(row.id)),
        name=row.username,
        books=frozenset(row.books),
        scopes=scopes_of(row.roles),
        roles=frozenset(row.roles),
    )


async def end(connection: AsyncConnection, token: str, now: datetime) -> bool:
    """Sign out; False where the session had ended."""
    result = await connection.execute(END, {"token_hash": digest(token), "now": now})
    return bool(result.rowcount)


class SignIn:
    """Checks passwords: slow on purpose, in threads, few at once, with a bounded queue."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        # An unknown name costs what a wrong password costs, so that names cannot be told apart.
        self._nobody = ""
        self._slots = asyncio.Semaphore(HASHING_AT_ONCE)
        self._waiting = 0
        self._allowance = Allowance()

    async def __call__(
        self, engine: AsyncEngine, username: str, password: str, now: datetime
    ) -> Session:
        """Open a session; raises SignInRefused (which tells no reason) or Busy."""
        async with engine.begin() as connection:
            attempt = {
                "username": username,
                "now": now,
                "failures_max": FAILURES_MAX,
                "locked_until": now + LOCKED_FOR,
            }
            row = (await connection.execute(ATTEMPT, attempt)).one_or_none()
        hashed = self._nobody if row is None else row.password_hash
        right = await self._verify(hashed, password)
        if row is None or not right:
            # The name as typed is not kept: people type passwords into it.
            actor = "unknown" if row is None else f"staff:{row.id}"
            if self._allowance.take(actor):
                deed = Deed(
                    actor_kind="anonymous", actor=actor, action="sign-in", outcome="refused"
                )
                async with engine.begin() as connection:
                    await record(connection, deed, now)
            raise SignInRefused
        token = mint(SESSION_PREFIX)
        expires_at = now + SESSION_LASTS
        async with engine.begin() as connection:
            await connection.execute(
                WELCOME,
                {"id": row.id, "token_hash": digest(token), "now": now, "expires_at": expires_at},
            )
            deed = Deed(
                actor_kind="staff", actor=f"staff:{row.id}", action="sign-in", outcome="allowed"
            )
            await record(connection, deed, now)
        return Session(
            token=token,
            expires_at=expires_at,
            username=username,
            roles=sorted(row.roles),
            books=sorted(row.books),
        )

    async def _verify(self, hashed: str, password: str) -> bool:
        if self._waiting >= HASHING_WAITING_MAX:
            raise Busy
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(self._matches, hashed, password)
        finally:
            self._waiting -= 1

    def _matches(self, hashed: str, password: str) -> bool:
        if not hashed:
            self._nobody = hashed = self._nobody or self._hasher.hash(mint(SESSION_PREFIX))
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False
