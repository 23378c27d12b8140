"""Read a bank's CSV line by line, in constant memory, and check what it says of itself.

Running balances are checked row by row. Whether opening + lines = closing is told by `Totals.ties`;
what follows from it (the gate) is the caller's.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from typing import BinaryIO, Literal

from providers.statements.layout import Layout
from providers.statements.lines import StatementLine, Totals, UnreadableStatement
from providers.statements.sums import Sums
from providers.tables import Cells, Heading, Row, csv_rows, find_headings, fold

HEADING_ROWS_MAX = 100
"""How many rows of names and addresses may stand before the headings."""
LINES_MAX = 1_000_000


def read_lines(file: BinaryIO, layout: Layout) -> Iterator[StatementLine]:
    """The lines of a statement, lazily; UnreadableStatement at the first row that does not fit."""
    return iter(StatementReader(file, layout))


class StatementReader:
    """Iterate once for the lines, then ask for `totals`. The file is left open."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._layout = layout
        self._cells = Cells(layout)
        self._sums = Sums(layout)
        self._opening = tuple(fold(label) for label in layout.opening_labels)
        self._closing = tuple(fold(label) for label in layout.closing_labels)
        self._total = tuple(fold(label) for label in layout.total_labels)
        self._state: Literal["new", "reading", "read"] = "new"

    def __iter__(self) -> Iterator[StatementLine]:
        """The lines; UnreadableStatement at the first row that does not fit."""
        if self._state != "new":
            raise ValueError("a statement is read once")
        self._state = "reading"
        return self._lines()

    def totals(self) -> Totals:
        """What the whole comes to; ValueError before the last line was read."""
        if self._state != "read":
            raise ValueError("totals are known after the last line")
        return self._sums.totals()

    def _lines(self) -> Iterator[StatementLine]:
        with closing(csv_rows(self._file, self._layout)) as rows:
            heading = self._heading(rows)
            last = heading.row
            for number, texts in rows:
                last = number
                row = Row(number, texts, heading)
                line = self._line(row)
                if line is not None:
                    self._sums.add(line, row.name("balance"))
                    yield line
        self._sums.finish(last)
        self._state = "read"

    def _heading(self, rows: Iterator[tuple[int, list[str]]]) -> Heading:
        """The first row that names every column needed; labels before it may give balances."""
        last = 1
        columns = self._layout.columns
        sides = {"amount"} if "amount" in columns else {"debit", "credit"}
        needed = frozenset({"booked_on", "memo"} | sides)
        for number, texts in rows:
            last = number
            heading = find_headings(number, texts, columns, needed)
            if heading is not None:
                return heading
            self._take_summary(number, texts, None)
            if number >= HEADING_ROWS_MAX:
                break
        raise UnreadableStatement(last, None, "no row of headings that this layout knows")

    def _line(self, row: Row) -> StatementLine | None:
        """The movement in a row; None for blank rows, repeated headings, summaries and remarks."""
        if tuple(row.texts) == row.heading.texts or not any(text.strip() for text in row.texts):
            return None
        try:
            booked_on = self._cells.day(row.text("booked_on"))
        except ValueError as error:
            if self._is_no_line(row):
                return None
            raise row.unreadable("booked_on", str(error)) from None
        row.check_width()
        signed_vnd = self._signed_vnd(row)
        if self._sums.count >= LINES_MAX:
            raise UnreadableStatement(row.number, None, "too many lines")
        return StatementLine(
            ordinal=self._sums.count + 1,
            row=row.number,
            booked_on=booked_on,
            value_on=self._value_on(row, booked_on),
            direction="in" if signed_vnd > 0 else "out",
            amount_vnd=abs(signed_vnd),
            bank_reference=row.text("bank_reference").strip(),
            memo=row.text("memo").strip(),
            counterparty_account=row.text("counterparty_account").strip(),
            counterparty_name=row.text("counterparty_name").strip(),
            balance_vnd=self._balance_vnd(row),
        )

    def _is_no_line(self, row: Row) -> bool:
        """Whether a row without a date is a summary, or a remark that bears no money."""
        dated = row.text("booked_on").strip()
        if self._take_summary(row.number, [dated] if dated else row.texts, row):
            return True
        return all(self._cells.is_empty(row.text(c)) for c in ("debit", "credit", "amount"))

    def _signed_vnd(self, row: Row) -> int:
        """What the row adds to the account; exactly one side is filled."""
        if "amount" in row.heading.index:
            signed_vnd = row.read("amount", self._cells.movement_vnd)
        else:
            debit_vnd = row.read("debit", self._cells.amount_vnd)
            credit_vnd = row.read("credit", self._cells.amount_vnd)
            if debit_vnd and credit_vnd:
                raise row.unreadable("credit", "both debit and credit are filled")
            signed_vnd = credit_vnd - debit_vnd
        if signed_vnd == 0:
            side: Literal["amount", "credit"] = (
                "amount" if "amount" in row.heading.index else "credit"
            )
            raise row.unreadable(side, "no amount")
        return signed_vnd

    def _value_on(self, row: Row, booked_on: date) -> date:
        if self._cells.is_empty(row.text("value_on")):
            return booked_on
        return row.read("value_on", self._cells.day)

    def _balance_vnd(self, row: Row) -> int | None:
        if self._cells.is_empty(row.text("balance")):
            return None
        return row.read("balance", self._cells.signed_vnd)

    def _take_summary(self, number: int, labels: Sequence[str], row: Row | None) -> bool:
        """Whether a row is an opening, a closing or a total; if so, keep what it says.

        `labels` are the cells that may be the label; before the headings they are the whole row.
        """
        for text in labels:
            folded = fold(text.partition(":")[0])
            texts = labels if row is None else row.texts
            if _begins(folded, self._opening):
                self._sums.opening(number, self._beside(number, text, texts, row))
            elif _begins(folded, self._closing):
                self._sums.closing(self._beside(number, text, texts, row))
            elif row is not None and _begins(folded, self._total):
                self._take_total(row)
            else:
                continue
            return True
        return False

    def _beside(self, number: int, label: str, texts: Sequence[str], row: Row | None) -> int:
        """The one amount that belongs to a label: behind its colon, under the balance, or alone."""
        behind = label.partition(":")[2]
        if behind.strip():
            texts = [behind]
        elif row is not None and not self._cells.is_empty(row.text("balance")):
            texts = [row.text("balance")]
        found = []
        for text in texts:
            try:
                found.append(self._cells.signed_vnd(text))
            except ValueError:  # the label itself, a currency, a blank
                continue
        if len(found) != 1:
            raise UnreadableStatement(number, label.strip(), "no single amount beside the label")
        return found[0]

    def _take_total(self, row: Row) -> None:
        """Keep the sums that a row of totals states; one that states none is a remark."""
        debit, credit = row.text("debit"), row.text("credit")
        if not (self._cells.is_empty(debit) and self._cells.is_empty(credit)):
            debits_vnd = row.read("debit", self._cells.total_vnd)
            self._sums.total(row.number, debits_vnd, row.read("credit", self._cells.total_vnd))


def _begins(folded: str, labels: Sequence[str]) -> bool:
    """Whether a text begins with one of the labels, in whole words."""
    return any(folded == label or folded.startswith(f"{label} ") for label in labels)
