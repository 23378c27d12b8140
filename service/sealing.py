"""Personal data at rest: sealed columns, keyed hashes to search by, and erasure by dropping a key.

AES-256-GCM. A data key per (book, month of recording) is kept in service.data_key, wrapped under
the master key; the master key itself never touches the database. Dropping a month's key makes all
that was sealed under it unreadable, in every backup too. What is sealed never says what it is.

A sealed value is: version (1 byte), month (2 bytes), nonce (12 bytes), ciphertext and tag. Book and
context (table, column, row) are authenticated, so that a value moved elsewhere does not open.
"""

import hmac
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timedelta, timezone
from typing import Final

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.ext.asyncio import AsyncConnection

from service.database import transaction_apart

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
VERSION: Final = 1
HEADER: Final = struct.Struct(">BH12s")
MASTER_HEADER: Final = struct.Struct(">B12s")
BOOK: Final = struct.Struct(">BHq")
SEARCH_HASH_BYTES: Final = 16
CACHE_SIZE_MAX: Final = 4096
"""Data keys held in memory: 65 books and five years fit."""
CACHE_AGE_MAX_S: Final = 600.0
"""A dropped key is forgotten by every running process after this time at the latest."""
ZONE: Final = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
MONTHS: Final = 12

FIND: Final = sa.text("""
    select key.book_id, key.month, key.wrapped
    from unnest(cast(:book_ids as integer[]), cast(:months as date[])) as wanted (book_id, month)
    join service.data_key as key using (book_id, month)
""")
ADD: Final = sa.text("""
    insert into service.data_key (book_id, month, wrapped, created_at)
    select book_id, month, wrapped, now()
    from unnest(cast(:book_ids as integer[]), cast(:months as date[]), cast(:wrapped as bytea[]))
         as made (book_id, month, wrapped)
    order by book_id, month
    on conflict (book_id, month) do nothing
""")


class KeyDropped(Exception):
    """What was sealed in this month of this book has been erased for good."""


class KeyNotReady(LookupError):
    """A bug of ours: a value was sealed or opened before its key was prepared."""


class SealBroken(Exception):
    """A sealed value was changed, cut, moved to another row, or sealed under another master key."""


class _Held(msgspec.Struct, frozen=True):
    """A data key in memory; `aead` is None where the key was dropped."""

    aead: AESGCM | None
    read_at: float


_Slot = tuple[int, int]  # book and month number


class Sealer:
    """Seals and opens; holds a bounded number of data keys in memory for a bounded time."""

    def __init__(self, master_key: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the 32 bytes of the master key; ValueError for any other length."""
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"the master key must have {KEY_BYTES} bytes")
        self._wrapping = AESGCM(_derive(master_key, b"wrap"))
        self._direct = AESGCM(_derive(master_key, b"direct"))
        self._search = _derive(master_key, b"search")
        self._clock = clock
        self._held: OrderedDict[_Slot, _Held] = OrderedDict()

    async def prepare(
        self, connection: AsyncConnection, book_ids: Collection[int], at: datetime
    ) -> None:
        """Make ready to `seal` for these books at this time; costs nothing when it is.

        A new month's key is committed at once on a connection of its own: a caller that rolls back
        must not leave a key in memory that the database does not have. At most CACHE_SIZE_MAX / 2
        books. Raises KeyDropped where the month was erased already.
        """
        month = _month_number(at)
        slots = {(book_id, month) for book_id in book_ids}
        await self._load(connection, slots)
        if missing := sorted(slot for slot in slots if slot not in self._held):
            async with transaction_apart(connection) as beside:
                await beside.execute(ADD, self._new_keys(missing))
                await self._load(beside, set(missing))
        for slot in slots:
            self._key(slot)

    async def prepare_open(
        self, connection: AsyncConnection, sealed: Iterable[tuple[int, bytes]]
    ) -> None:
        """Make ready to `open` these (book, sealed value) pairs; costs nothing when it is.

        Says nothing of dropped keys: `open` does, value by value. Raises SealBroken for a value
        that is none of ours.
        """
        await self._load(connection, {(book_id, _header(value)[0]) for book_id, value in sealed})

    def seal(self, book_id: int, at: datetime, context: bytes, plain: bytes) -> bytes:
        """Seal `plain` under the key of the book and of the month of `at` (time of recording).

        `context` names table, column and row; the same must be given to `open`. Raises KeyNotReady
        without `prepare`, KeyDropped where the month was erased.
        """
        month = _month_number(at)
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = BOOK.pack(VERSION, month, book_id) + context
        sealed = self._key((book_id, month)).encrypt(nonce, plain, bound)
        return HEADER.pack(VERSION, month, nonce) + sealed

    def open(self, book_id: int, context: bytes, sealed: bytes) -> bytes:
        """Give back what was sealed.

        Raises SealBroken where anything was changed, KeyDropped where it was erased, KeyNotReady
        without `prepare` or `prepare_open`.
        """
        month, nonce = _header(sealed)
        bound = BOOK.pack(VERSION, month, book_id) + context
        try:
            return self._key((book_id, month)).decrypt(nonce, sealed[HEADER.size :], bound)
        except InvalidTag:
            raise SealBroken("a sealed value does not open in this place") from None

    def search_hash(self, book_id: int, word: str) -> bytes:
        """Give 16 bytes by which equal words of a book are found without reading them.

        Normalise the word first. Without the master key it can be neither guessed nor compared
        between books.
        """
        message = struct.pack(">q", book_id) + word.encode()
        return hmac.digest(self._search, message, "sha256")[:SEARCH_HASH_BYTES]

    def seal_with_master(self, context: bytes, plain: bytes) -> bytes:
        """Seal what lives longer than a month, such as a merchant's secrets; needs no `prepare`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return MASTER_HEADER.pack(VERSION, nonce) + self._direct.encrypt(nonce, plain, context)

    def open_with_master(self, context: bytes, sealed: bytes) -> bytes:
        """Give back what `seal_with_master` sealed; raises SealBroken where it was changed."""
        try:
            version, nonce = MASTER_HEADER.unpack_from(sealed)
            if version == VERSION:
                return self._direct.decrypt(nonce, sealed[MASTER_HEADER.size :], context)
        except (struct.error, InvalidTag):
            pass
        raise SealBroken("a sealed secret does not open: is the master key the right one?")

    def _key(self, slot: _Slot) -> AESGCM:
        try:
            held = self._held[slot]
        except KeyError:
            raise KeyNotReady(f"the key of book {slot[0]} was not prepared") from None
        if held.aead is None:
            raise KeyDropped(f"book {slot[0]}, month {_first_day(slot[1]):%Y-%m} was erased")
        return held.aead

    async def _load(self, connection: AsyncConnection, slots: set[_Slot]) -> None:
        """Read those keys that are not held, or held too long."""
        oldest = self._clock() - CACHE_AGE_MAX_S
        wanted = [s for s in slots if (h := self._held.get(s)) is None or h.read_at < oldest]
        if not wanted:
            return
        if len(wanted) > CACHE_SIZE_MAX // 2:
            raise ValueError("too many keys at once")
        columns = {
            "book_ids": [book_id for book_id, _ in wanted],
            "months": [_first_day(month) for _, month in wanted],
        }
        for row in await connection.execute(FIND, columns):
            self._hold((row.book_id, _month_number(row.month)), row.wrapped)

    def _hold(self, slot: _Slot, wrapped: bytes | None) -> None:
        aead = None
        if wrapped is not None:
            try:
                key = self._wrapping.decrypt(
                    wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrapping_context(slot)
                )
            except InvalidTag:
                raise SealBroken(
                    f"the data key of book {slot[0]} does not open: is this the right master key?"
                ) from None
            aead = AESGCM(key)
        self._held[slot] = _Held(aead, self._clock())
        self._held.move_to_end(slot)
        while len(self._held) > CACHE_SIZE_MAX:
            self._held.popitem(last=False)

    def _new_keys(self, slots: list[_Slot]) -> dict[str, list[object]]:
        wrapped = []
        for slot in slots:
            nonce = secrets.token_bytes(NONCE_BYTES)
            fresh = AESGCM.generate_key(bit_length=KEY_BYTES * 8)
            wrapped.append(nonce + self._wrapping.encrypt(nonce, fresh, _wrapping_context(slot)))
        return {
            "book_ids": [book_id for book_id, _ in slots],
            "months": [_first_day(month) for _, month in slots],
            "wrapped": list(wrapped),
        }


def month_of(at: datetime) -> date:
    """Give the first day of the month, in Vietnam, whose key seals what is recorded at `at`."""
    return _first_day(_month_number(at))


def _month_number(at: date) -> int:
    """Count months from year 0; fits two bytes until the year 5461."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError("sealing needs an aware time")
        at = at.astimezone(ZONE)
    return at.year * MONTHS + at.month - 1


def _first_day(month: int) -> date:
    return date(month // MONTHS, month % MONTHS + 1, 1)


def _header(sealed: bytes) -> tuple[int, bytes]:
    """Give month number and nonce of a sealed value."""
    try:
        version, month, nonce = HEADER.unpack_from(sealed)
        _first_day(month)
    except (struct.error, ValueError):
        raise SealBroken("a sealed value has been cut or changed") from None
    if version != VERSION:
        raise SealBroken(f"a sealed value of unknown version {version}")
    return month, nonce


def _wrapping_context(slot: _Slot) -> bytes:
    return b"data key" + BOOK.pack(VERSION, slot[1], slot[0])


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    info = b"doisoat 1 " + purpose
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(master_key)
