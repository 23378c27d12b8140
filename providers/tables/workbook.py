"""Rows of an XLSX sheet as texts in a stated style, with limits before anything is unpacked.

A spreadsheet is an archive of XML: a few kilobytes may claim to be terabytes, and one far cell
makes a dense sheet of billions. So the archive is packed anew with every part cut at a limit, and
the sheet's cells are counted by a plain XML parser, before the reader of workbooks sees them.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Final
from xml.parsers import expat

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from providers.tables.cells import NOT_WHOLE
from providers.tables.errors import UnreadableTable
from providers.tables.rows import COLUMNS_MAX, LINE_CHARS_MAX
from providers.tables.style import Style

WORKBOOK_BYTES_MAX: Final = 30_000_000
"""Of the file as it is sent."""
UNPACKED_BYTES_MAX: Final = 300_000_000
"""Of all its parts together."""
PARTS_MAX: Final = 500
SHEETS_MAX: Final = 50
CELLS_MAX: Final = 4_000_000
"""Of the rectangle that holds every cell of a sheet."""
COPY_BYTES: Final = 1_000_000
EXACT_MAX: Final = 2**53
"""Above this a spreadsheet's number is no longer exact."""

DAMAGED: Final = (
    CalamineError,
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,  # an encrypted part
    ValueError,
)

Cell = int | float | str | bool | datetime | date | time | object
_LETTERS: Final = 26
DIGITS_MAX: Final = 8


def workbook_rows(data: bytes, style: Style, sheet: str = "") -> Iterator[tuple[int, list[str]]]:
    """(row number, texts) of each row of a sheet; UnreadableTable for what is no such workbook.

    `sheet` names it; empty: the workbook has only one with cells. Numbers come as plain digits,
    dates in the style's own way; a number that is not whole is a text that no amount can be.
    """
    if len(data) > WORKBOOK_BYTES_MAX:
        raise UnreadableTable(1, None, f"a workbook has at most {WORKBOOK_BYTES_MAX} bytes")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(_packed_anew(data)))
        found = _sheet(book, sheet)
        cells_of = found.to_python(skip_empty_area=True)
    except UnreadableTable:
        raise
    except DAMAGED as error:
        raise UnreadableTable(1, None, f"not a workbook that can be read: {error}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a bug of the reader's raises
            raise
        raise UnreadableTable(1, None, "not a workbook that can be read") from None
    first = 1 if found.start is None else found.start[0] + 1
    for number, cells in enumerate(cells_of, first):
        left = 0 if found.start is None else found.start[1]
        yield number, [""] * left + [_text(cell, style, number) for cell in cells]


def _sheet(book: CalamineWorkbook, name: str) -> CalamineSheet:
    if len(book.sheets_metadata) > SHEETS_MAX:
        raise UnreadableTable(1, None, f"more than {SHEETS_MAX} sheets")
    if name:
        if name not in book.sheet_names:
            raise UnreadableTable(1, None, f"no sheet {name}")
        return book.get_sheet_by_name(name)
    sheets = [
        sheet
        for one in book.sheets_metadata
        if one.typ == SheetTypeEnum.WorkSheet
        and (sheet := book.get_sheet_by_name(one.name)).total_height
    ]
    if len(sheets) != 1:
        names = ", ".join(sheet.name for sheet in sheets)
        raise UnreadableTable(1, None, f"the mapping must name the sheet; there are: {names}")
    return sheets[0]


def _packed_anew(data: bytes) -> bytes:
    """The same archive with honest sizes; no part and no sheet of it beyond the limits."""
    packed = io.BytesIO()
    left = UNPACKED_BYTES_MAX
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as honest,
    ):
        parts = archive.infolist()
        if len(parts) > PARTS_MAX:
            raise UnreadableTable(1, None, f"more than {PARTS_MAX} parts in the workbook")
        if len({part.filename for part in parts}) != len(parts):
            raise UnreadableTable(1, None, "two parts of the workbook have one name")
        for part in parts:
            if not part.filename.endswith((".xml", ".rels")):
                continue  # pictures and printers' settings
            counter = _Counter()
            with archive.open(part) as source, honest.open(part.filename, "w") as target:
                while piece := source.read(COPY_BYTES):
                    left -= len(piece)
                    if left < 0:
                        raise UnreadableTable(1, None, "the workbook unpacks to too much")
                    counter.feed(piece)
                    target.write(piece)
            counter.finish()
    return packed.getvalue()


class _Counter:
    """Walks one part's XML and refuses a sheet that is too large, and any document type."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate("utf-8")  # as the reader of workbooks takes it
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._row = self._column = self._rows = self._columns = 0

    def feed(self, piece: bytes) -> None:
        """Read on."""
        self._parser.Parse(piece, False)  # noqa: FBT003 # expat's own signature

    def finish(self) -> None:
        """The part is read."""
        self._parser.Parse(b"", True)  # noqa: FBT003

    def _doctype(self, *_: object) -> None:
        raise UnreadableTable(1, None, "the workbook declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(":")[2]
        if kind == "row":
            self._row = _number(attributes.get("r", "")) or self._row + 1
            self._column = 0
        elif kind == "c":
            letters, digits = _split(attributes.get("r", ""))
            self._column = letters or self._column + 1
            self._row = digits or self._row
            self._columns = max(self._columns, self._column)
            if self._columns > COLUMNS_MAX:
                raise UnreadableTable(max(self._row, 1), None, "too many columns")
        else:
            return
        self._rows = max(self._rows, self._row)
        if self._rows * max(self._columns, 1) > CELLS_MAX:
            raise UnreadableTable(
                max(self._row, 1), None, f"a sheet of more than {CELLS_MAX} cells"
            )


def _split(reference: str) -> tuple[int, int]:
    """Column and row of `AB12`; 0 where it tells none."""
    letters = reference.rstrip("0123456789")[:8]
    column = 0
    for letter in letters:
        column = column * _LETTERS + ord(letter.upper()) - ord("A") + 1
    return column, _number(reference[len(letters) :])


def _number(digits: str) -> int:
    """A row's number; 0 where it is none. Longer than any sheet is the limit of all sheets."""
    return int(digits[:DIGITS_MAX]) if digits.isascii() and digits.isdecimal() else 0


def _text(cell: Cell, style: Style, row: int) -> str:
    if isinstance(cell, str):
        if len(cell) > LINE_CHARS_MAX:
            raise UnreadableTable(row, None, "an endless cell")
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, int | float):
        whole = cell == cell // 1 and abs(cell) < EXACT_MAX
        return str(int(cell)) if whole else f"{NOT_WHOLE}{cell!r}"
    if isinstance(cell, date):  # a datetime is one, too
        day = style.date_style.replace("yyyy", f"{cell:%Y}")
        day = day.replace("mm", f"{cell:%m}").replace("dd", f"{cell:%d}")
        if not isinstance(cell, datetime):
            return day
        return f"{day}{cell:%H%M%S}" if style.date_style == "yyyymmdd" else f"{day} {cell:%H:%M:%S}"
    return str(cell)
