"""Opaque keyset cursors: where the next page begins, in a shape that only this service reads.

A cursor holds the list's name and the last row's key; nothing secret, nothing personal.
"""

import base64
import binascii
from typing import Final, TypeVar

import msgspec

from service.errors import InvalidCursor

CURSOR_LENGTH_MAX: Final = 2_000
PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 200

Key = TypeVar("Key")


def encode(name: str, key: object) -> str:
    """The cursor of the list `name` after the row with `key` (anything msgspec can write)."""
    packed = msgspec.msgpack.encode([name, key])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(name: str, cursor: str, kind: type[Key]) -> Key:
    """The key in a cursor of the list `name`; raises InvalidCursor for anything else."""
    if len(cursor) > CURSOR_LENGTH_MAX:
        raise InvalidCursor
    try:
        packed = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        found, raw = msgspec.msgpack.decode(packed, type=tuple[str, msgspec.Raw])
        if found != name:
            raise InvalidCursor
        return msgspec.msgpack.decode(raw, type=kind)
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidCursor from None
