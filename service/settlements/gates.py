"""What must hold of a settlement file against the files before it, and what is missing between.

A file that contradicts what was told before is refused whole, by row, and nothing is booked.
A gap between counted batches is taken, with a case: these lines happened, others are missing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.settlements import Batch, Totals
from service.payments.cases import end_cases, open_cases
from service.payments.sightings import Case, FieldVerdict
from service.settlements.identity import Counted, trace
from service.settlements.keeping import Payee

GAP: Final = "SETTLEMENT_GAP"

KNOWN = sa.text("""
    select told.fingerprint, told.occurrence, known.fee_vnd
    from unnest(cast(:prints as bytea[]), cast(:occurrences as integer[]))
        as told (fingerprint, occurrence)
    cross join lateral (
        select line.fee_vnd from service.settlement_line as line
        where line.book_id = :book_id and line.fingerprint = told.fingerprint
          and line.occurrence = told.occurrence limit 1
    ) as known
""")

BATCHES = sa.text("""
    select number, line_count, net_vnd, announced_vnd from service.settlement_batch
    where book_id = :book_id and merchant_id = :merchant_id
      and number = any(cast(:numbers as text[]))
""")

# Counted batches of this file, and those behind them: whether the one before is there.
COUNTED = sa.text("""
    with counted as (
        select id, number, cast(number as numeric) as place, net_vnd, first_on
        from service.settlement_batch
        where book_id = :book_id and merchant_id = :merchant_id and number ~ '^[0-9]{1,30}$'
    )
    select here.id, here.number, here.net_vnd, here.first_on,
           (select max(before.number) from counted as before where before.place < here.place and
               before.place = (select max(place) from counted where place < here.place)) as before,
           exists (select from counted as next where next.place = here.place - 1) as follows
    from counted as here
    where here.place > (select min(place) from counted)
      and (here.number = any(cast(:numbers as text[]))
           or exists (select from counted as mine
                      where mine.number = any(cast(:numbers as text[]))
                        and mine.place = here.place - 1))
""")


# Payments of these lines that another merchant of the provider has told of, by call or by file.
ELSEWHERE = sa.text("""
    select told.row_number
    from unnest(cast(:rows as integer[]), cast(:scopes as text[]), cast(:numbers as text[]),
                cast(:traces as text[]), cast(:orders as text[]))
        as told (row_number, scope, number, trace, reference)
    join service.merchant as other
      on other.provider = :provider and other.id <> :merchant_id
    where exists (
            select from service.event as event
            where event.book_id = other.book_id and event.merchant_id = other.id
              and event.scope = told.scope and event.provider_txn = told.number
              and event.reference = told.reference and event.movement_id is not null)
       or exists (
            select from service.settlement_line as line
            where line.book_id = other.book_id and line.merchant_id = other.id
              and line.trace = told.trace and line.reference = told.reference)
    order by told.row_number limit 1
""")


class Contradiction(Exception):
    """Why the file cannot be taken; names row and column where there are some."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A line that an earlier file told."""

    fee_vnd: int


class Fresh(msgspec.Struct, kw_only=True):
    """What a file adds to one batch."""

    count: int = 0
    net_vnd: int = 0
    row: int = 0


async def known(
    connection: AsyncConnection, whose: Payee, lines: Sequence[Counted]
) -> dict[tuple[bytes, int], Known]:
    """Which of `lines` were told by an earlier file, by identity."""
    rows = await connection.execute(
        KNOWN,
        {
            "book_id": whose.book_id,
            "prints": [one.fingerprint for one in lines],
            "occurrences": [one.occurrence for one in lines],
        },
    )
    return {(bytes(row.fingerprint), row.occurrence): Known(fee_vnd=row.fee_vnd) for row in rows}


class Overlap:
    """Holds a file, while it is read the first time, against what was told before."""

    def __init__(self, whose: Payee, fee_column: str) -> None:
        self._whose = whose
        self._fee_column = fee_column
        self._fresh: dict[str, Fresh] = {}

    async def look(self, connection: AsyncConnection, lines: Sequence[Counted]) -> None:
        """The next lines; raises Contradiction for a known one with another fee.

        Also for a payment of another merchant's: booked here, its money would be booked twice.
        """
        await self._hold_apart(connection, lines)
        told = await known(connection, self._whose, lines)
        for one in lines:
            before = told.get(one.identity)
            if before is None:
                fresh = self._fresh.setdefault(one.line.batch, Fresh(row=one.line.row))
                fresh.count += one.line.kind != "payout"
                fresh.net_vnd += 0 if one.line.kind == "payout" else one.line.net_vnd
            elif before.fee_vnd != one.line.fee_vnd:
                raise Contradiction(
                    f"row {one.line.row}, column {self._fee_column}: the fee is {one.line.fee_vnd},"
                    f" an earlier file said {before.fee_vnd}:"
                    f" off by {one.line.fee_vnd - before.fee_vnd} đồng"
                )

    async def _hold_apart(self, connection: AsyncConnection, lines: Sequence[Counted]) -> None:
        own = [one.line for one in lines if one.line.kind == "payment" and one.line.order]
        row = await connection.scalar(
            ELSEWHERE,
            {
                "provider": self._whose.provider,
                "merchant_id": self._whose.id,
                "rows": [line.row for line in own],
                "scopes": [line.scope for line in own],
                "numbers": [line.transaction for line in own],
                "traces": [trace(line) for line in own],
                "orders": [line.order for line in own],
            },
        )
        if row is not None:
            raise Contradiction(
                f"row {row}: this payment was told of by another merchant of the provider;"
                " is the file that merchant's?"
            )

    async def finish(self, connection: AsyncConnection, totals: Totals) -> None:
        """All is read; raises Contradiction for a batch that an earlier file had closed."""
        announced = {one.number: one for one in totals.batches if one.payout_vnd is not None}
        rows = await connection.execute(
            BATCHES,
            {
                "book_id": self._whose.book_id,
                "merchant_id": self._whose.id,
                "numbers": [one.number for one in totals.batches],
            },
        )
        for row in rows:
            fresh = self._fresh.pop(row.number, None)
            if fresh is None:
                continue
            if row.announced_vnd is not None:
                raise Contradiction(
                    f"row {fresh.row}: batch {row.number} was closed by an earlier file with a"
                    f" payout of {row.announced_vnd}, and this line was not in it"
                )
            self._hold(row.number, row.net_vnd + fresh.net_vnd, announced)
        for number, fresh in self._fresh.items():
            self._hold(number, fresh.net_vnd, announced)

    @staticmethod
    def _hold(number: str, net_vnd: int, announced: Mapping[str, Batch]) -> None:
        """A payout must be what all files together tell of its batch."""
        batch = announced.get(number)
        if batch is None or batch.payout_vnd is None or batch.payout_vnd == net_vnd:
            return
        off_vnd = batch.payout_vnd - net_vnd
        raise Contradiction(
            f"row {batch.payout_row}, column {batch.payout_column}: the payout of batch {number} is"
            f" {batch.payout_vnd}, its lines come to {net_vnd}: off by {off_vnd} đồng"
        )


async def tell_gaps(
    connection: AsyncConnection, whose: Payee, numbers: Sequence[str], now: datetime
) -> None:
    """Open a case for each counted batch that does not follow, and end those that now do."""
    rows = await connection.execute(
        COUNTED,
        {"book_id": whose.book_id, "merchant_id": whose.id, "numbers": list(numbers)},
    )
    cases: list[Case] = []
    ended: list[tuple[int, UUID, str, str]] = []
    for row in rows:
        batch_id = UUID(str(row.id))
        if row.follows:
            ended.append((whose.book_id, batch_id, GAP, "the batch before it came"))
            continue
        wanted = str(int(row.number) - 1)
        cases.append(
            Case(
                book_id=whose.book_id,
                subject_kind="settlement_batch",
                subject_id=batch_id,
                side="settlement",
                reason=GAP,
                provider=whose.provider,
                external_id=row.number,
                amount_vnd=abs(row.net_vnd),
                happened_at=now,
                fields=(
                    FieldVerdict(
                        name="batch", expected=wanted, found=row.before, verdict="differs"
                    ),
                ),
            )
        )
    await end_cases(connection, ended, now)
    await open_cases(connection, cases, now)
