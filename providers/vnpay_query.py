"""VNPAY's signed queries: how checkout links, IPNs and return addresses are written and verified.

Both sides sign alike: parameters sorted by name, form-encoded, HMAC-SHA512 over the text.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from providers.contract import Secret, Terms
from providers.signing import form_encoded, hmac_sha512, is_signed
from providers.untrusted import clean

QUERY_BYTES_MAX = 8_192
"""An IPN is about 500 bytes; a longer query than this is not read."""

PARAMETERS_MAX = 100
"""An IPN has about a dozen parameters."""

_PREFIX: Final = b"vnp_"
_UNSIGNED: Final = frozenset({b"vnp_SecureHash", b"vnp_SecureHashType"})

Parameter = tuple[bytes, bytes, bytes]
"""Key, piece as it came, value."""


def signed_query(fields: Mapping[str, str], terms: Terms) -> str:
    """`fields` as VNPAY writes and signs them: sorted, form-encoded, without empty ones."""
    signed = "&".join(
        f"{form_encoded(key.encode())}={form_encoded(value.encode())}"
        for key, value in sorted(fields.items())
        if value
    )
    return f"{signed}&vnp_SecureHash={hmac_sha512(terms.secrets[0], signed.encode())}"


def parameters(raw_query: bytes) -> list[Parameter]:
    """Each vnp_ parameter, sorted by key; keys may repeat. ValueError for too many."""
    pieces = raw_query.split(b"&")
    if len(pieces) > PARAMETERS_MAX:
        raise ValueError("too many parameters")
    found = []
    for piece in pieces:
        key, _, value = piece.replace(b"+", b" ").partition(b"=")
        name = unquote_to_bytes(key)
        if name.startswith(_PREFIX):
            found.append((name, piece, unquote_to_bytes(value)))
    return sorted(found, key=lambda parameter: parameter[0])


def fields_of(found: Sequence[Parameter]) -> dict[bytes, str]:
    """Name -> value as clean text; fewer than `found` where a name repeats."""
    return {key: clean(value.decode("utf-8", "replace")) for key, _, value in found}


def is_true(found: Sequence[Parameter], given: str, secrets: Sequence[Secret]) -> bool:
    """Whether `given` is the signature of the parameters under any of `secrets`."""
    return is_signed(given, secrets, _messages(found), hmac_sha512)


def _messages(found: Sequence[Parameter]) -> Iterator[bytes]:
    """The texts that may have been signed, the likeliest first.

    As it came (survives another encoder's idea of `~ ! ( )`) and encoded anew (survives a proxy
    that rewrites `+` to `%20`); each without empty values, as the Java sample, and with them, as
    the PHP sample. All of them decode to the same fields, so none lets a changed one pass.
    """
    signed = [parameter for parameter in found if parameter[0] not in _UNSIGNED]
    filled = [parameter for parameter in signed if parameter[2]]
    choices = (filled, signed) if len(filled) < len(signed) else (filled,)
    for chosen in choices:
        yield b"&".join(piece for _, piece, _ in chosen)
    for chosen in choices:
        pairs = (f"{form_encoded(key)}={form_encoded(value)}" for key, _, value in chosen)
        yield "&".join(pairs).encode()
