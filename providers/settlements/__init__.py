"""Providers' settlement files, from files to lines; what a line means is not decided here."""

from providers.settlements.lines import (
    Batch,
    Fact,
    SettlementLine,
    Totals,
    UnreadableSettlement,
)
from providers.settlements.mapping import (
    Column,
    Kind,
    SettlementMapping,
    UnusableMapping,
    mapping_from_json,
)
from providers.settlements.reader import SettlementReader
from providers.settlements.shipped import MAPPINGS

__all__ = [
    "MAPPINGS",
    "Batch",
    "Column",
    "Fact",
    "Kind",
    "SettlementLine",
    "SettlementMapping",
    "SettlementReader",
    "Totals",
    "UnreadableSettlement",
    "UnusableMapping",
    "mapping_from_json",
]
