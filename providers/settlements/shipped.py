"""The mappings that come with us: JSON files beside this module, one a provider, to be edited."""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from providers.settlements.mapping import SettlementMapping, mapping_from_json


def _shipped() -> dict[str, SettlementMapping]:
    found = {}
    for path in sorted((files(__package__) / "mappings").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".json"):
            mapping = mapping_from_json(path.read_bytes())
            found[mapping.name] = mapping
    return found


MAPPINGS: Final[Mapping[str, SettlementMapping]] = MappingProxyType(_shipped())
"""By name, which is the provider's; `generic` is the one to copy for any other."""
