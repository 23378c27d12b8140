"""Numbers as both wallets write them: whole ones in JSON, and times as milliseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from providers.contract import Terms
from providers.untrusted import YEAR_MAX, YEAR_MIN, NumberText

DIGITS_MAX = 30
"""A whole number with more digits is nobody's amount, time or transaction: it stays a text."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,30}", re.ASCII)
_YES = frozenset({"true", "yes", "1"})


def raw_text(found: object) -> str:
    """A JSON string or number exactly as it was sent; null, true, lists and objects as nothing."""
    return str(found) if isinstance(found, str) else ""


def integer_text(found: object) -> str:
    """A JSON number that is whole, written as an integer: `50000.0` and `5e4` are 50000.

    That is how a provider signs it, whatever a JSON writer on the way has made of it. A JSON
    string, and a number that is not whole, stays as it was written: nothing is guessed.
    """
    text = raw_text(found)
    if not isinstance(found, NumberText) or _DIGITS.fullmatch(text) or not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    if number.adjusted() >= DIGITS_MAX or number != number.to_integral_value():
        return text
    return str(int(number))


def transaction_text(number: str, unpaid: str) -> str:
    """A provider's transaction number without leading zeros; `unpaid` where it is none or 0."""
    if not _DIGITS.fullmatch(number):
        return number or unpaid
    return str(int(number)) if number.strip("0") else unpaid


def moment_of(milliseconds: str) -> datetime | None:
    """Milliseconds since 1970 as a time in UTC; None when they are no time of this century."""
    if not _DIGITS.fullmatch(milliseconds):
        return None
    try:
        moment = EPOCH + int(milliseconds) * MILLISECOND
    except OverflowError:
        return None
    return moment if YEAR_MIN <= moment.year <= YEAR_MAX else None


def milliseconds_of(moment: datetime) -> int:
    """An aware time as whole milliseconds since 1970."""
    return (moment - EPOCH) // MILLISECOND


def is_on(terms: Terms, name: str) -> bool:
    """Whether an option that is off by default is on: true, `true`, `yes` or 1."""
    return str(terms.options.get(name)).lower() in _YES


def option_text(terms: Terms, name: str, default: str) -> str:
    """An option's text; `default` where it is not set or empty."""
    value = terms.options.get(name)
    return default if value is None else str(value) or default


def is_page(address: str) -> bool:
    """Whether a provider's answer names a page that a citizen can be sent to."""
    return address.startswith(("https://", "http://")) and address.isprintable()
