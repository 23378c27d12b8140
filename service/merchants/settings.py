"""The settings that a merchant of any provider may have, and which values they take.

What only one provider knows is among the `options` of its adapter.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from providers.contract import Option
from providers.settlements import MAPPINGS, mapping_from_json
from service.merchants import WEAK_LIMIT

SETTLEMENT_DAYS_MAX: Final = 60
TEXT_CHARS_MAX: Final = 1_000


def _address(name: str, value: Option) -> None:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        good = parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{name} is no address that begins with https://")


def _limit(name: str, value: Option) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is an amount in whole đồng")


def _days(name: str, value: Option) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value > SETTLEMENT_DAYS_MAX:
        raise ValueError(f"{name} is 0 to {SETTLEMENT_DAYS_MAX} days")


def _mapping(_: str, value: Option) -> None:
    told = str(value)
    if told in MAPPINGS:
        return
    if not told.startswith("{"):
        raise ValueError(f"no mapping of this name; there are: {', '.join(sorted(MAPPINGS))}")
    mapping_from_json(told.encode())


def _text(name: str, value: Option) -> None:
    if len(str(value)) > TEXT_CHARS_MAX:
        raise ValueError(f"{name} has at most {TEXT_CHARS_MAX} characters")


OWN_SETTINGS: Final[Mapping[str, Callable[[str, Option], None]]] = MappingProxyType(
    {
        "pay_address": _address,
        "api_address": _address,
        WEAK_LIMIT: _limit,
        "settlement_mapping": _mapping,
        "settlement_due_days": _days,
        "settlement_grace_days": _days,
        "payout_words": _text,
    }
)
"""Settings of a merchant that every provider has, and what refuses a value that is none."""
