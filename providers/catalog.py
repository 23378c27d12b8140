"""Which providers there are: name -> adapter."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from providers.contract import Provider
from providers.sepay import Sepay
from providers.vnpay import Vnpay

_ALL: Final[tuple[Provider, ...]] = (Vnpay(), Sepay())

CATALOG: Final[Mapping[str, Provider]] = MappingProxyType(
    {provider.name: provider for provider in _ALL}
)
"""Every provider this build can speak to, by the name in its callback address."""
