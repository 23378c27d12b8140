"""Payment references: mint, check, show, and turn into an integer and back.

A reference names a payment request; it holds no dossier and no person. The schemes are data:
a new one is one more row of `SCHEMES`. Whether a reference was ever issued is not known here.
"""

from collections.abc import Callable
from typing import Final

import msgspec

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
DIGITS: Final = "0123456789"
CHECK_MODULUS: Final = 1021
"""Prime and larger than 31 x 32: every substitution and swap of unequal neighbours shows."""
RANDOM_BYTES: Final = 5
"""What `mint` takes: 40 random bits, of which 35 are used."""
TEXT_CHARS_MAX: Final = 64
"""Anything longer is not a reference, however many separators it has."""
NUMERIC_MAX: Final = 2**53 - 1
"""Order codes of JSON providers must survive a double."""
OLDER_OFFSET: Final = 8_000_000_000_000_000
"""Added to the digits of an `HS` reference, so that its number is never that of a `HUE` one."""

_SEPARATORS: Final = " .-_/\t\r\n\u00a0"
_DROP_SEPARATORS: Final = {ord(mark): None for mark in _SEPARATORS}
_LOOKALIKES: Final = str.maketrans("OIL", "011")
_VALUES: Final = {letter: value for value, letter in enumerate(CROCKFORD)}


def _number(body: str) -> int:
    """The characters of `body` as one base-32 number."""
    number = 0
    for letter in body:
        number = number * 32 + _VALUES[letter]
    return number


def _letters(number: int, length: int) -> str:
    """`number` written in base 32 with `length` characters."""
    return "".join(CROCKFORD[number >> (5 * place) & 31] for place in range(length - 1, -1, -1))


def _check_prime(body: str) -> str:
    """Two check characters: the number modulo 1021 (rule of this project)."""
    return _letters(_number(body) % CHECK_MODULUS, 2)


def _check_mod97(body: str) -> str:
    """Two check digits after ISO 7064 MOD 97-10; `body` is digits."""
    return f"{98 - int(body) * 100 % 97:02d}"


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of reference is written: prefix, book, body, two check characters."""

    prefix: str
    alphabet: str
    book_chars: int
    """Leading characters after the prefix that name the book; 0 where the scheme has none."""
    body_chars: int
    """Characters between the prefix and the check, the book's included."""
    check: Callable[[str], str]
    groups: tuple[int, ...]
    """Lengths of the groups in which people are shown it."""

    @property
    def length(self) -> int:
        """Characters of a whole reference."""
        return len(self.prefix) + self.body_chars + 2


HUE: Final = Scheme(
    prefix="HUE",
    alphabet=CROCKFORD,
    book_chars=2,
    body_chars=9,
    check=_check_prime,
    groups=(3, 4, 4, 3),
)
"""What this service mints."""
HS: Final = Scheme(
    prefix="HS",
    alphabet=DIGITS,
    book_chars=0,
    body_chars=8,
    check=_check_mod97,
    groups=(2, 4, 4, 2),
)
"""Codes issued by an older system; still paid, never minted."""
SCHEMES: Final = (HUE, HS)


class PaymentReference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference whose check is right, in the one way it is stored."""

    text: str
    prefix: str
    book_code: str | None


def mint(book_code: str, random_bytes: bytes) -> str:
    """A new `HUE` reference of a book; the caller brings the randomness and tests uniqueness.

    `book_code` is two characters of Crockford's alphabet, `random_bytes` exactly RANDOM_BYTES.
    Raises ValueError for anything else.
    """
    if len(book_code) != HUE.book_chars or any(letter not in _VALUES for letter in book_code):
        raise ValueError(f"a book code is two characters of {CROCKFORD}, not {book_code!r}")
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"{RANDOM_BYTES} random bytes are needed, not {len(random_bytes)}")
    body = book_code + _letters(int.from_bytes(random_bytes), HUE.body_chars - HUE.book_chars)
    return HUE.prefix + body + HUE.check(body)


def read_body(scheme: Scheme, letters: str) -> PaymentReference | None:
    """The reference whose characters after the prefix are `letters` (upper case), if it holds.

    O counts as 0, I and L as 1. None when a character is foreign or the check is wrong.
    """
    known = letters.translate(_LOOKALIKES)
    if len(known) != scheme.body_chars + 2 or any(one not in scheme.alphabet for one in known):
        return None
    body = known[: scheme.body_chars]
    if scheme.check(body) != known[scheme.body_chars :]:
        return None
    book = body[: scheme.book_chars] or None
    return PaymentReference(text=scheme.prefix + known, prefix=scheme.prefix, book_code=book)


def parse(text: str) -> PaymentReference | None:
    """The reference written in `text`, whatever its case, separators and look-alikes; else None."""
    if len(text) > TEXT_CHARS_MAX:
        return None
    squeezed = text.translate(_DROP_SEPARATORS).upper()
    for scheme in SCHEMES:
        if squeezed.startswith(scheme.prefix):
            found = read_body(scheme, squeezed[len(scheme.prefix) :])
            if found is not None:
                return found
    return None


def _valid(reference: str) -> tuple[Scheme, PaymentReference]:
    """`reference` with its scheme; raises ValueError where it does not hold."""
    found = parse(reference)
    if found is None:
        raise ValueError("not a payment reference")
    return next(scheme for scheme in SCHEMES if scheme.prefix == found.prefix), found


def grouped(reference: str) -> str:
    """The reference as people are shown it: `HUE 007K 2M9Q 4X1PT`. ValueError if it is none."""
    scheme, found = _valid(reference)
    parts: list[str] = []
    start = 0
    for length in scheme.groups[:-1]:
        parts.append(found.text[start : start + length])
        start += length
    return " ".join([*parts, found.text[start:]])


def numeric(reference: str) -> int:
    """The reference as a positive integer up to 2^53 - 1, for providers with integer order codes.

    `HUE`: its 9 characters as a base-32 number, then two MOD 97-10 check digits (below 3.6e15).
    `HS`: its ten digits plus OLDER_OFFSET. ValueError if `reference` does not hold.
    """
    scheme, found = _valid(reference)
    body = found.text[len(scheme.prefix) : -2]
    if scheme is HS:
        return OLDER_OFFSET + int(found.text[len(scheme.prefix) :])
    number = _number(body)
    return number * 100 + int(_check_mod97(str(number)))


def from_numeric(number: int) -> str | None:
    """The reference that `numeric` gives this number for; None if there is none."""
    if not 0 <= number <= NUMERIC_MAX:
        return None
    if number >= OLDER_OFFSET:
        digits = f"{number - OLDER_OFFSET:010d}"
        older = read_body(HS, digits)
        return older.text if older is not None else None
    value, check = divmod(number, 100)
    if value >= 32**HUE.body_chars or f"{check:02d}" != _check_mod97(str(value)):
        return None
    body = _letters(value, HUE.body_chars)
    return HUE.prefix + body + HUE.check(body)


def book_code(reference: str) -> str | None:
    """The two characters that name the book; None for the older scheme or what is no reference."""
    found = parse(reference)
    return found.book_code if found is not None else None
