"""Rows of a table under its headings, lazily and with limits; no meaning yet."""

import csv
import io
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import BinaryIO, TypeVar

import msgspec

from providers.tables.errors import UnreadableTable
from providers.tables.style import Delimited, fold

LINE_CHARS_MAX = 16_384
ROW_LINES_MAX = 50
"""A quoted memo may wrap; a quote that is never closed must not swallow the file."""
COLUMNS_MAX = 100

_Read = TypeVar("_Read")
_Column = TypeVar("_Column", bound=str)


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """Where each column stands, and what the file calls it."""

    row: int
    texts: Sequence[str]
    index: Mapping[str, int]
    width: int


class Row:
    """One row under its headings."""

    def __init__(self, number: int, texts: Sequence[str], heading: Heading) -> None:
        self.number = number
        self.texts = texts
        self.heading = heading

    def text(self, column: str) -> str:
        """The cell of a column; empty where the file has no such column."""
        at = self.heading.index.get(column)
        return self.texts[at] if at is not None and at < len(self.texts) else ""

    def read(self, column: str, how: Callable[[str], _Read]) -> _Read:
        """The cell as `how` reads it; its ValueError becomes UnreadableTable."""
        try:
            return how(self.text(column))
        except ValueError as error:
            raise self.unreadable(column, str(error)) from None

    def unreadable(self, column: str, why: str) -> UnreadableTable:
        """The refusal that names this row, and the column by the file's own heading."""
        return UnreadableTable(self.number, self.name(column), why)

    def name(self, column: str) -> str:
        """What the file calls a column."""
        at = self.heading.index.get(column)
        return column if at is None else self.heading.texts[at].strip()

    def check_width(self) -> None:
        """Refuse a row that is cut off, or split by a delimiter that was not quoted."""
        if len(self.texts) < self.heading.width:
            raise UnreadableTable(self.number, None, "the row is cut off")
        if any(text.strip() for text in self.texts[len(self.heading.texts) :]):
            raise UnreadableTable(self.number, None, "the row has more cells than headings")


def find_headings(
    row: int,
    texts: Sequence[str],
    columns: Mapping[_Column, Sequence[str]],
    needed: frozenset[str],
) -> Heading | None:
    """The headings in a row; None when a column that is needed is not there.

    `columns` gives the names each column is known by. UnreadableTable when two headings claim one
    column.
    """
    wanted = {fold(name): column for column, names in columns.items() for name in names}
    index: dict[str, int] = {}
    for at, text in enumerate(texts):
        column = wanted.get(fold(text))
        if column is None:
            continue
        if column in index:
            raise UnreadableTable(row, text.strip(), "a second heading for the same column")
        index[column] = at
    if not needed <= index.keys():
        return None
    width = max(index.values()) + 1
    return Heading(row=row, texts=tuple(texts), index=index, width=width)


def csv_rows(file: BinaryIO, how: Delimited) -> Generator[tuple[int, list[str]], None, None]:
    """(row number, cells) of each row, blank ones too; the file is left open."""
    text = io.TextIOWrapper(file, encoding=how.encoding, newline="")
    number = 0
    try:
        lines = _Lines(text)
        for cells in csv.reader(lines, delimiter=how.delimiter, strict=True):
            number += 1
            lines.of_row = 0
            if len(cells) > COLUMNS_MAX:
                raise UnreadableTable(number, None, "too many columns")
            yield number, cells
    except UnicodeError:
        raise UnreadableTable(number + 1, None, f"not {how.encoding} text") from None
    except csv.Error as error:
        raise UnreadableTable(number + 1, None, str(error)) from None
    finally:
        if not file.closed:
            text.detach()  # or the wrapper would close the caller's file with itself


class _Lines:
    """The physical lines of a text, none of them endless, and no row of too many."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.of_row = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LINE_CHARS_MAX + 1)
        self.of_row += 1
        if not line:
            raise StopIteration
        if len(line) > LINE_CHARS_MAX or self.of_row > ROW_LINES_MAX:
            raise csv.Error("an endless row: is a quote not closed?")
        if "\x00" in line:
            raise csv.Error("a NUL character: is this a text file?")
        return line
