"""Add up a settlement file while it is read: the whole, each kind, each batch.

It knows lines and rows, not files.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date

from providers.settlements.lines import Batch, SettlementLine, Totals, UnreadableSettlement
from providers.tables import Row

BATCHES_MAX = 10_000
"""Of one file."""


class Sums:
    """The running state of one file."""

    def __init__(self) -> None:
        self.lines = 0
        self.trailer_row: int | None = None
        self._kinds: Counter[str] = Counter()
        self._batches: dict[str, Batch] = {}
        self._count = 0
        self._gross_vnd = self._fee_vnd = self._net_vnd = 0
        self._payout_vnd = 0

    def add(self, line: SettlementLine, row: Row) -> None:
        """Count a line; UnreadableSettlement for a second payout of one batch."""
        self.lines += 1
        self._kinds[line.kind] += 1
        day = line.happened_at.date()
        batch = self._batches.get(line.batch)
        if batch is None:
            if len(self._batches) >= BATCHES_MAX:
                raise UnreadableSettlement(line.row, None, "too many batches")
            batch = Batch(number=line.batch, first_on=day, last_on=day)
            self._batches[line.batch] = batch
        if line.kind == "payout":
            column = "net" if row.text("net").strip() else "gross"
            if batch.payout_vnd is not None:
                raise row.unreadable(column, f"a second payout of batch {line.batch}")
            batch.payout_vnd, batch.payout_row = line.gross_vnd, line.row
            batch.payout_column, batch.paid_on = row.name(column), day
            self._payout_vnd += line.gross_vnd
            return
        batch.first_on, batch.last_on = min(batch.first_on, day), max(batch.last_on, day)
        batch.count += 1
        batch.gross_vnd += line.gross_vnd
        batch.fee_vnd += line.fee_vnd
        batch.net_vnd += line.net_vnd
        self._count += 1
        self._gross_vnd += line.gross_vnd
        self._fee_vnd += line.fee_vnd
        self._net_vnd += line.net_vnd

    def trailer(self, row: Row, counted: str, count: int | None, told: Mapping[str, int]) -> None:
        """The file's own count and sums; UnreadableSettlement where the lines have others.

        `counted` is the column under which the count stands.
        """
        if self.trailer_row is not None:
            raise UnreadableSettlement(row.number, None, "a second trailer")
        self.trailer_row = row.number
        if count is not None and count != self._count:
            raise row.unreadable(
                counted, f"the trailer counts {count} lines, there are {self._count}"
            )
        mine = {"gross": self._gross_vnd, "fee": self._fee_vnd, "net": self._net_vnd}
        for column, told_vnd in told.items():
            if told_vnd != mine[column]:
                off_vnd = told_vnd - mine[column]
                raise row.unreadable(
                    column,
                    f"the trailer says {told_vnd}, the lines {mine[column]}: off by {off_vnd} đồng",
                )

    def finish(self) -> None:
        """Hold each announced payout against the lines of its batch."""
        for batch in self._batches.values():
            if batch.payout_vnd is not None and batch.count and batch.payout_vnd != batch.net_vnd:
                off_vnd = batch.payout_vnd - batch.net_vnd
                raise UnreadableSettlement(
                    batch.payout_row or 1,
                    batch.payout_column,
                    f"the payout of batch {batch.number} is {batch.payout_vnd}, its lines come to"
                    f" {batch.net_vnd}: off by {off_vnd} đồng",
                )

    def totals(self) -> Totals:
        """Everything added up."""
        days: list[date] = [d for b in self._batches.values() for d in (b.first_on, b.last_on)]
        return Totals(
            count=self._count,
            gross_vnd=self._gross_vnd,
            fee_vnd=self._fee_vnd,
            net_vnd=self._net_vnd,
            payouts=self._kinds["payout"],
            payout_vnd=self._payout_vnd,
            first_on=min(days, default=None),
            last_on=max(days, default=None),
            by_kind=dict(sorted(self._kinds.items())),
            batches=tuple(self._batches.values()),
            trailer_row=self.trailer_row,
        )
