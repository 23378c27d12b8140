"""Random bearer tokens and their hashes; the token itself is kept nowhere."""

import hashlib
import re
import secrets
from typing import Final, Literal, TypeAlias

TOKEN_BYTES: Final = 32
KEY_PREFIX: Final = "dsk_"
SESSION_PREFIX: Final = "dss_"
TOKEN_SHAPE: Final = re.compile(r"^(dsk_|dss_)[A-Za-z0-9_-]{43}$")

TokenKind: TypeAlias = Literal["api_key", "staff"]


def mint(prefix: str) -> str:
    """A new token of 256 random bits; a prefix tells people and scanners what it is."""
    return prefix + secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> bytes:
    """SHA-256 of a token: enough for 256 random bits, and fast on the hot path."""
    return hashlib.sha256(token.encode()).digest()


def bearer(header: str) -> str | None:
    """The token of an Authorization header; None where it is not one of ours by its shape."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and TOKEN_SHAPE.match(token) else None
