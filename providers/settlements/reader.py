"""Read a settlement file line by line, and hold it against itself.

Net = gross − fee on every line, the trailer's count and sums, and each announced payout against the
lines of its batch: the first row that does not hold refuses the file, by row and column.
"""

import io
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import datetime
from typing import BinaryIO, Final, Literal

from typing_extensions import override

from providers.settlements.lines import SettlementLine, Totals, UnreadableSettlement
from providers.settlements.mapping import CURRENCIES, FEE_COLUMNS, Column, Kind, SettlementMapping
from providers.settlements.sums import Sums
from providers.tables import Cells, Heading, Row, csv_rows, find_headings, fold, workbook_rows
from providers.tables.workbook import WORKBOOK_BYTES_MAX
from providers.untrusted import VIETNAM, clean

HEADING_ROWS_MAX: Final = 100
LINES_MAX: Final = 1_000_000
NAME_CHARS_MAX: Final = 100
WORKBOOK_BEGINS: Final = b"PK\x03\x04"

SIGN: Final = {
    "payment": 1,
    "refund": -1,
    "chargeback": -1,
    "chargeback_reversed": 1,
    "reversal": -1,
    "payout": 1,
}
"""Which sign the gross of a kind has for us; an adjustment has either, a fee none."""


class SettlementReader:
    """Iterate once for the lines, then ask for `totals`. The file is left open."""

    def __init__(self, file: BinaryIO, mapping: SettlementMapping) -> None:
        self._file = file
        self._mapping = mapping
        self._cells = Cells(mapping)
        self._sums = Sums()
        self._kinds = {fold(w): kind for kind, words in mapping.kinds.items() for w in words}
        self._statuses = {fold(word) for word in mapping.statuses}
        self._trailer = tuple(fold(label) for label in mapping.trailer_labels)
        self._state: Literal["new", "reading", "read"] = "new"
        self.heading: Heading | None = None
        """The row of headings, once it was found."""

    def __iter__(self) -> Iterator[SettlementLine]:
        """The lines; UnreadableSettlement at the first row that does not fit."""
        if self._state != "new":
            raise ValueError("a settlement is read once")
        self._state = "reading"
        return self._lines()

    def totals(self) -> Totals:
        """What the whole comes to; ValueError before the last line was read."""
        if self._state != "read":
            raise ValueError("totals are known after the last line")
        return self._sums.totals()

    def _lines(self) -> Iterator[SettlementLine]:
        with closing(_rows(self._file, self._mapping)) as rows:
            heading = self.heading = self._heading(rows)
            last = heading.row
            for number, texts in rows:
                if not any(text.strip() for text in texts) or tuple(texts) == heading.texts:
                    continue
                last = number
                row = Row(number, texts, heading)
                if self._is_trailer(row):
                    continue
                if self._sums.trailer_row is not None:
                    raise UnreadableSettlement(number, None, "a line behind the trailer")
                line = self._line(row)
                self._sums.add(line, row)
                yield line
        if self._mapping.trailer_required and self._sums.trailer_row is None:
            raise UnreadableSettlement(last, None, "no trailer: the file is cut off")
        self._sums.finish()
        self._state = "read"

    def _heading(self, rows: Iterator[tuple[int, list[str]]]) -> Heading:
        last = 1
        for number, texts in rows:
            last = number
            heading = find_headings(number, texts, self._mapping.columns, self._mapping.needed)
            if heading is not None:
                return heading
            if number >= HEADING_ROWS_MAX:
                break
        raise UnreadableSettlement(last, None, "no row of headings that this mapping knows")

    def _line(self, row: Row) -> SettlementLine:
        row.check_width()
        if self._sums.lines >= LINES_MAX:
            raise UnreadableSettlement(row.number, None, "too many lines")
        kind = self._kind(row)
        self._check_words(row)
        happened_at = row.read("happened_at", self._moment)
        gross_vnd, fee_vnd = self._amounts(row, kind)
        order, transaction = self._name(row, "order"), self._name(row, "transaction")
        if kind not in {"fee", "adjustment", "payout"} and not transaction:
            raise row.unreadable("transaction", "no transaction")
        batch = self._name(row, "batch")
        if self._mapping.batches == "daily":
            batch = happened_at.date().isoformat()
        elif not batch:
            raise row.unreadable("batch", "no batch")
        elif self._mapping.batches == "counted" and not (batch.isascii() and batch.isdecimal()):
            raise row.unreadable("batch", "not a number")
        scope = {"order": order, "column": self._name(row, "scope"), "none": ""}
        return SettlementLine(
            ordinal=self._sums.lines + 1,
            row=row.number,
            kind=kind,
            transaction=transaction,
            scope=scope[self._mapping.scope],
            order=order,
            refund_reference=self._name(row, "refund_reference"),
            bank_reference=self._name(row, "bank_reference"),
            gross_vnd=gross_vnd,
            fee_vnd=fee_vnd,
            batch=batch,
            happened_at=happened_at,
        )

    def _moment(self, text: str) -> datetime:
        return self._cells.moment(text).replace(tzinfo=VIETNAM)

    def _name(self, row: Row, column: Column) -> str:
        name = clean(row.text(column)).strip()
        if len(name) > NAME_CHARS_MAX:
            raise row.unreadable(column, "too long")
        return name

    def _kind(self, row: Row) -> Kind:
        if not self._kinds:
            return "payment"
        kind = self._kinds.get(fold(row.text("kind")))
        if kind is None:
            raise row.unreadable("kind", "a word that the mapping does not know")
        return kind

    def _check_words(self, row: Row) -> None:
        if self._statuses and fold(row.text("status")) not in self._statuses:
            raise row.unreadable("status", "a word that the mapping does not count")
        currency = row.text("currency").strip().upper()
        if currency and currency not in CURRENCIES:
            raise row.unreadable("currency", "not đồng")

    def _amounts(self, row: Row, kind: Kind) -> tuple[int, int]:
        """Gross and fee from our side; what the line says of its net must follow from them."""
        sign = -1 if kind in self._mapping.negated else 1
        gross_vnd = sign * row.read("gross", self._cells.movement_vnd)
        fee_sign = -1 if self._mapping.fees_negative else 1
        fee_vnd = fee_sign * sum(row.read(one, self._cells.movement_vnd) for one in FEE_COLUMNS)
        told = row.text("net")
        net_vnd = None
        if not self._cells.is_empty(told):
            net_vnd = sign * row.read("net", self._cells.movement_vnd)
        if kind == "fee":
            gross_vnd, fee_vnd = 0, fee_vnd or -gross_vnd
        elif kind == "payout":
            gross_vnd, net_vnd = gross_vnd or net_vnd or 0, net_vnd or gross_vnd
            if fee_vnd:
                raise row.unreadable("fee", "a payout bears no fee")
        elif net_vnd is not None and not any(c in row.heading.index for c in FEE_COLUMNS):
            fee_vnd = gross_vnd - net_vnd
        if net_vnd is not None and net_vnd != gross_vnd - fee_vnd:
            off_vnd = net_vnd - (gross_vnd - fee_vnd)
            raise row.unreadable("net", f"it is not gross − fee: off by {off_vnd} đồng")
        if not (gross_vnd or fee_vnd):
            raise row.unreadable("gross", "no amount")
        if gross_vnd * SIGN.get(kind, 0) < 0 or (kind in SIGN and not gross_vnd):
            raise row.unreadable("gross", f"the sign or amount is none that a {kind} can have")
        return gross_vnd, fee_vnd

    def _is_trailer(self, row: Row) -> bool:
        """Whether a row is the trailer; if so, hold it against the lines so far."""
        label = next(text for text in row.texts if text.strip())
        folded = fold(label.partition(":")[0])
        if not any(folded == one or folded.startswith(f"{one} ") for one in self._trailer):
            return False
        dated = row.text("happened_at")
        if dated.strip() and dated != label:
            return False
        behind = label.partition(":")[2].strip()
        counted = behind or row.text(self._mapping.trailer_count).strip()
        count = int(counted) if counted.isascii() and counted.isdecimal() else None
        told: dict[str, int] = {}
        for column in ("gross", "net"):
            if not self._cells.is_empty(row.text(column)):
                told[column] = row.read(column, self._cells.total_vnd)
        fees = [one for one in FEE_COLUMNS if not self._cells.is_empty(row.text(one))]
        if fees:
            sign = -1 if self._mapping.fees_negative else 1
            told["fee"] = sign * sum(row.read(one, self._cells.total_vnd) for one in fees)
        self._sums.trailer(row, self._mapping.trailer_count, count, told)
        return True


def _rows(
    file: BinaryIO, mapping: SettlementMapping
) -> Generator[tuple[int, list[str]], None, None]:
    """Rows of a CSV or of a workbook: a workbook says what it is by its first bytes."""
    head = file.read(len(WORKBOOK_BEGINS))
    if head == WORKBOOK_BEGINS:
        rest = file.read(WORKBOOK_BYTES_MAX + 1)
        yield from workbook_rows(head + rest, mapping, mapping.sheet)
        return
    with closing(csv_rows(io.BufferedReader(_Rejoined(head, file)), mapping)) as rows:
        yield from rows


class _Rejoined(io.RawIOBase):
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file

    @override
    def readable(self) -> bool:
        """Yes."""
        return True

    @override
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer will do
        """Fill `buffer` with the next bytes; 0 at the end."""
        piece = self._head or self._file.read(len(buffer))
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        self._head = piece[count:] if self._head else b""
        return count
