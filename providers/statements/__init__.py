"""Bank statements, from files to lines, one at a time; what a line means is not decided here."""

from providers.statements.layout import (
    LAYOUTS,
    VIETCOMBANK,
    Column,
    Layout,
    UnusableLayout,
    layout_from_json,
)
from providers.statements.lines import StatementLine, Totals, UnreadableStatement
from providers.statements.reader import StatementReader, read_lines

__all__ = [
    "LAYOUTS",
    "VIETCOMBANK",
    "Column",
    "Layout",
    "StatementLine",
    "StatementReader",
    "Totals",
    "UnreadableStatement",
    "UnusableLayout",
    "layout_from_json",
    "read_lines",
]
