"""What a settlement file says: lines, batches, totals, and why a file cannot be read."""

from datetime import date, datetime

import msgspec

from providers.settlements.mapping import Kind
from providers.tables import UnreadableTable

UnreadableSettlement = UnreadableTable
"""A settlement that is not taken; names the row, and the column by the file's own heading."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One line as the provider meant it, whatever signs and words its file uses.

    Amounts are signed from our side: a payment's gross is positive, that of a refund, a chargeback
    or a reversal negative, a fee that we bear positive. `net_vnd` = gross − fee is what the line
    adds to what the provider owes us. A payout's gross is what was paid out, and adds nothing.
    """

    kind: Kind
    transaction: str
    """The provider's number of the payment that the line is about."""
    order: str
    """What the provider calls the order, or the merchant's own reference."""
    gross_vnd: int
    fee_vnd: int
    batch: str
    happened_at: datetime
    scope: str = ""
    """What the transaction's number is unique within; see SettlementMapping.scope."""
    refund_reference: str = ""
    bank_reference: str = ""

    @property
    def net_vnd(self) -> int:
        """What the line adds to what the provider owes us."""
        return self.gross_vnd - self.fee_vnd


class SettlementLine(Fact, frozen=True, kw_only=True):
    """A fact with its place in a file."""

    ordinal: int
    """1 for the first line of the file."""
    row: int
    """The row of the file it stands in, as a spreadsheet counts."""


class Batch(msgspec.Struct, kw_only=True):
    """One batch of a file, added up; `payout_vnd` is None where the file announces none."""

    number: str
    count: int = 0
    gross_vnd: int = 0
    fee_vnd: int = 0
    net_vnd: int = 0
    payout_vnd: int | None = None
    payout_row: int | None = None
    payout_column: str = ""
    paid_on: date | None = None
    first_on: date
    last_on: date


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole file comes to; payouts are no part of the sums."""

    count: int
    gross_vnd: int
    fee_vnd: int
    net_vnd: int
    payouts: int
    payout_vnd: int
    first_on: date | None
    last_on: date | None
    by_kind: dict[str, int]
    batches: tuple[Batch, ...]
    trailer_row: int | None
    """Where the file states its own count and sums; None: nothing proves it complete."""
