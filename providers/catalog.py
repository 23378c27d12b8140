"""Which providers there are: name -> adapter."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from providers.contract import Provider

_NAMES: Final = (
    "vnpay",
    "sepay",
    "momo",
    "zalopay",
    "payos",
    "casso",
    "dvcqg",
    "sandbox",
    "onepay",
)
"""One line for each: a module of this name beside this one, whose `ADAPTER` speaks it."""


def _adapter(name: str) -> Provider:
    found: Provider = import_module(f"providers.{name}").ADAPTER
    return found


CATALOG: Final[Mapping[str, Provider]] = MappingProxyType({name: _adapter(name) for name in _NAMES})
"""Every provider this build can speak to, by the name in its callback address."""
