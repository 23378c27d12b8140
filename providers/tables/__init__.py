"""Tables that people exchange as files, CSV and XLSX: cells, rows, headings; no meaning yet."""

from providers.tables.cells import Cells
from providers.tables.errors import UnreadableTable
from providers.tables.rows import Heading, Row, csv_rows, find_headings
from providers.tables.style import DateStyle, Delimited, Style, fold
from providers.tables.workbook import workbook_rows

__all__ = [
    "Cells",
    "DateStyle",
    "Delimited",
    "Heading",
    "Row",
    "Style",
    "UnreadableTable",
    "csv_rows",
    "find_headings",
    "fold",
    "workbook_rows",
]
