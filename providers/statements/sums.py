"""Add up a statement while it is read, and hold each balance against what came before.

It knows lines and balances, not files.
"""

from datetime import date

from providers.statements.layout import Layout
from providers.statements.lines import StatementLine, Totals, UnreadableStatement


class Sums:
    """The running state of one statement."""

    def __init__(self, layout: Layout) -> None:
        self._checks_balances = layout.running_balances
        self._newest_first = layout.row_order == "newest_first"
        self._opening_vnd: int | None = None
        self._closing_vnd: int | None = None
        self._implied_vnd: int | None = None
        """From running balances: the opening, or the closing where the newest row is first."""
        self._total_row: tuple[int, int, int] | None = None
        self._credits_vnd = 0
        self._debits_vnd = 0
        self._first_on: date | None = None
        self._last_on: date | None = None
        self.count = 0

    @property
    def _net_vnd(self) -> int:
        return self._credits_vnd - self._debits_vnd

    def opening(self, row: int, opening_vnd: int) -> None:
        """The opening balance that the file states; UnreadableStatement for a second, other one."""
        if self._opening_vnd not in {None, opening_vnd}:
            raise UnreadableStatement(
                row, None, "a second opening balance: is this two statements?"
            )
        self._opening_vnd = opening_vnd

    def closing(self, closing_vnd: int) -> None:
        """The closing balance as the file states it; of several, the last one counts."""
        self._closing_vnd = closing_vnd

    def total(self, row: int, debits_vnd: int, credits_vnd: int) -> None:
        """A row of totals; the last one must equal the sums of the whole."""
        self._total_row = row, debits_vnd, credits_vnd

    def add(self, line: StatementLine, balance_name: str) -> None:
        """Count a line; UnreadableStatement when its balance does not follow."""
        before_vnd = self._net_vnd
        if line.direction == "in":
            self._credits_vnd += line.amount_vnd
        else:
            self._debits_vnd += line.amount_vnd
        self.count += 1
        self._first_on = min(line.booked_on, self._first_on or line.booked_on)
        self._last_on = max(line.booked_on, self._last_on or line.booked_on)
        if line.balance_vnd is not None and self._checks_balances:
            # Whatever the row, opening = balance - all so far; read backwards, closing = balance +
            # all newer ones. One that differs means a row is missing, doubled or changed.
            newest = self._newest_first
            implied_vnd = line.balance_vnd + (before_vnd if newest else -self._net_vnd)
            expected_vnd = self._implied_vnd
            if expected_vnd is None:
                expected_vnd = self._closing_vnd if newest else self._opening_vnd
            if expected_vnd is not None and implied_vnd != expected_vnd:
                off_vnd = implied_vnd - expected_vnd
                raise UnreadableStatement(
                    line.row, balance_name, f"the balance does not follow: off by {off_vnd} đồng"
                )
            self._implied_vnd = implied_vnd

    def finish(self, row: int) -> None:
        """Hold the whole against the file's own totals; `row` is the last one."""
        if self._total_row is not None:
            total_row, debits_vnd, credits_vnd = self._total_row
            if (debits_vnd, credits_vnd) != (self._debits_vnd, self._credits_vnd):
                raise UnreadableStatement(
                    total_row,
                    None,
                    f"the totals are {debits_vnd} out and {credits_vnd} in, "
                    f"the lines {self._debits_vnd} and {self._credits_vnd}",
                )
        implied_vnd, _ = self._implied()
        if None not in {implied_vnd, self._opening_vnd} and implied_vnd != self._opening_vnd:
            raise UnreadableStatement(
                row, None, "the opening balance is not the one the running balances start from"
            )

    def totals(self) -> Totals:
        """Everything added up; a stated balance goes before an implied one."""
        implied_opening_vnd, implied_closing_vnd = self._implied()
        opening_vnd, closing_vnd = self._opening_vnd, self._closing_vnd
        return Totals(
            opening_vnd=implied_opening_vnd if opening_vnd is None else opening_vnd,
            closing_vnd=implied_closing_vnd if closing_vnd is None else closing_vnd,
            credits_vnd=self._credits_vnd,
            debits_vnd=self._debits_vnd,
            count=self.count,
            first_on=self._first_on,
            last_on=self._last_on,
        )

    def _implied(self) -> tuple[int | None, int | None]:
        """Opening and closing as the running balances imply them."""
        if self._implied_vnd is None:
            return None, None
        if self._newest_first:
            return self._implied_vnd - self._net_vnd, self._implied_vnd
        return self._implied_vnd, self._implied_vnd + self._net_vnd
