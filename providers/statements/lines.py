"""What a statement says: lines, totals, and why a file cannot be read."""

from datetime import date
from typing import Literal

import msgspec

from providers.tables import UnreadableTable

UnreadableStatement = UnreadableTable
"""A statement that is not taken; names the row, and the column by the file's own heading."""


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One movement as the bank wrote it down."""

    ordinal: int
    """1 for the first line of the file."""
    row: int
    """The row of the file it stands in, as a spreadsheet counts."""
    booked_on: date
    value_on: date
    direction: Literal["in", "out"]
    amount_vnd: int
    bank_reference: str
    memo: str
    counterparty_account: str
    counterparty_name: str
    balance_vnd: int | None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole statement comes to; balances are None where nothing tells them."""

    opening_vnd: int | None
    closing_vnd: int | None
    credits_vnd: int
    debits_vnd: int
    count: int
    first_on: date | None
    last_on: date | None

    @property
    def ties(self) -> bool | None:
        """Whether opening + lines = closing; None where a balance is not known."""
        if self.opening_vnd is None or self.closing_vnd is None:
            return None
        return self.opening_vnd + self.credits_vnd - self.debits_vnd == self.closing_vnd
