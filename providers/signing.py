"""Constant-time checks, HMACs, the form encoding that gateways sign, and the freshness window.

It knows recipes, not providers: which fields are signed in which order is in each adapter.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from providers.contract import Secret

_BARE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._")
_BLANK: Final = ord(" ")
_ENCODED: Final = tuple(
    "+" if byte == _BLANK else chr(byte) if byte in _BARE else f"%{byte:02X}" for byte in range(256)
)


def hmac_sha256(secret: Secret, message: bytes) -> str:
    """HMAC-SHA256 in lower-case hexadecimal; the key is the text's bytes."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def hmac_sha512(secret: Secret, message: bytes) -> str:
    """HMAC-SHA512 in lower-case hexadecimal; the key is the text's bytes."""
    return hmac.new(secret.encode(), message, hashlib.sha512).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )


def same_hex(given: str, expected: str) -> bool:
    """As `same`, in any case of letters: a digest in capitals is the same digest."""
    return same(given.lower(), expected.lower())


def is_any_of(given: str, secrets: Iterable[Secret]) -> bool:
    """Whether `given` is one of `secrets`; looks at all of them whichever fits."""
    found = False
    for secret in secrets:
        found |= bool(secret) and same(given, secret)
    return found


def is_signed(
    given: str,
    secrets: Sequence[Secret],
    messages: Iterable[bytes],
    digest: Callable[[Secret, bytes], str],
) -> bool:
    """Whether `given` is the digest of any of `messages` under any of `secrets`.

    The likeliest message comes first: the others are made only where it does not fit. An empty
    secret signs nothing: a merchant without a key believes nobody.
    """
    for message in messages:
        for secret in secrets:
            if secret and same_hex(given, digest(secret, message)):
                return True
    return False


def form_encoded(raw: bytes) -> str:
    """`raw` as java.net.URLEncoder and the WHATWG form encoding write it.

    Blank is `+`; letters, digits and `*-._` stay; all else is `%XX` in capitals, also `~`.
    """
    if raw.isalnum():
        return raw.decode("ascii")  # the usual value: nothing in it needs encoding
    return "".join(_ENCODED[byte] for byte in raw)


def is_fresh(sent_at_s: int, now: datetime, freshness_s: int) -> bool:
    """Whether a signed Unix time is at most `freshness_s` seconds before or after `now`."""
    return abs(now.timestamp() - sent_at_s) <= freshness_s
