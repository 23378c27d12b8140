"""What is overdue or off: fees against the contract, payments never settled, payouts never paid.

A thing is timing until its due day and grace are over, and a difference from then on, by itself.
Due days are working days: over Tết nothing becomes overdue.
"""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.accounts import business_day
from service import working_days
from service.payments.cases import end_cases, open_cases
from service.payments.sightings import Case, FieldVerdict
from service.settlements.keeping import Payee

DUE_DAYS: Final = 1
GRACE_DAYS: Final = 2
DAYS_MAX: Final = 60
FIELDS_MAX: Final = 10
"""Lines that a case about a batch's fees names."""
CASES_MAX: Final = 10_000
"""Cases of one kind that one look opens for a merchant; the next look opens more."""
MERCHANTS_MAX: Final = 10_000

SETTLING = sa.text("""
    select merchant.id, merchant.book_id, merchant.provider, merchant.merchant, merchant.serves,
           merchant.settings
    from service.merchant as merchant
    where merchant.disabled_at is null and exists (
        select from service.settlement as file
        where file.book_id = merchant.book_id and file.merchant_id = merchant.id
          and file.status = 'done')
    order by merchant.id limit :limit
""")

# Lines whose fee is further from the contract than it allows.
FEES_OFF = sa.text("""
    select batch.id, batch.number, line.row_number, line.trace, line.fee_vnd,
           line.contract_fee_vnd, line.happened_at,
           count(*) over (partition by batch.id) as lines,
           sum(line.fee_vnd - line.contract_fee_vnd) over (partition by batch.id)::bigint as off_vnd
    from service.settlement_line as line
    join service.settlement_batch as batch
      on batch.book_id = line.book_id and batch.id = line.batch_id
    where line.book_id = :book_id and line.settlement_id = :settlement_id
      and line.kind = 'payment' and line.contract_fee_vnd is not null
      and abs(line.fee_vnd - line.contract_fee_vnd) > (
          select contract.tolerance_vnd from service.fee_contract as contract
          where contract.book_id = line.book_id and contract.merchant_id = line.merchant_id
            and contract.valid_from <= line.value_date
          order by contract.valid_from desc limit 1)
    order by batch.id, line.ordinal
""")

# Money that calls told of, that no file settled, from the first settled day on.
UNSETTLED = sa.text("""
    select movement.id, movement.trace, movement.amount_vnd, movement.happened_at
    from service.money_state as money
    join service.movement as movement
      on movement.book_id = money.book_id and movement.id = money.movement_id
    where money.book_id = :book_id and money.clearing_vnd > 0 and movement.origin = :origin
      and movement.direction = 'in' and movement.value_date <= :until
      and movement.value_date >= (
          select min(file.first_on) from service.settlement as file
          where file.book_id = :book_id and file.merchant_id = :merchant_id
            and file.status = 'done')
      and not exists (
          select from service.settlement_line as line
          where line.book_id = money.book_id and line.movement_id = movement.id
            and line.kind = 'payment')
      and not exists (
          select from service.unmatched as live
          where live.book_id = money.book_id and live.subject_id = movement.id
            and live.reason = 'MISSING_SETTLEMENT' and live.status <> 'resolved')
    order by movement.id limit :limit
""")

# Money back at the provider that the books never gave: refunded there, and not by us.
NOT_BOOKED = sa.text("""
    select movement.id, movement.trace, money.clearing_vnd, movement.happened_at
    from service.money_state as money
    join service.movement as movement
      on movement.book_id = money.book_id and movement.id = money.movement_id
    where money.book_id = :book_id and money.clearing_vnd > 0 and movement.origin = :origin
      and exists (
          select from service.settlement_line as line
          where line.book_id = money.book_id and line.movement_id = movement.id
            and line.kind = 'payment' and line.verdict <> 'amount_mismatch')
      and exists (
          select from service.settlement_line as line
          where line.book_id = money.book_id and line.movement_id = movement.id
            and line.kind = 'refund')
      and not exists (
          select from service.unmatched as live
          where live.book_id = money.book_id and live.subject_id = movement.id
            and live.reason = 'REFUND_NOT_BOOKED' and live.status <> 'resolved')
    order by movement.id limit :limit
""")

UNPAID = sa.text("""
    select batch.id, batch.number, batch.receivable_vnd, batch.due_on, batch.last_on
    from service.settlement_batch as batch
    where batch.book_id = :book_id and batch.merchant_id = :merchant_id
      and batch.receivable_vnd > 0 and batch.due_on <= :until
      and not exists (
          select from service.unmatched as live
          where live.book_id = batch.book_id and live.subject_id = batch.id
            and live.reason in ('PAYOUT_MISSING', 'PAYOUT_MISMATCH') and live.status <> 'resolved')
    order by batch.id limit :limit
""")

# Cases of time that have come right since.
CAME_RIGHT = sa.text("""
    select live.subject_id, live.reason
    from service.unmatched as live
    left join service.money_state as money
      on money.book_id = live.book_id and money.movement_id = live.subject_id
    left join service.settlement_batch as batch
      on batch.book_id = live.book_id and batch.id = live.subject_id
    where live.book_id = :book_id and live.status <> 'resolved' and live.provider = :provider
      and case live.reason
          when 'MISSING_SETTLEMENT' then money.clearing_vnd <= 0 or exists (
              select from service.settlement_line as line
              where line.book_id = live.book_id and line.movement_id = live.subject_id
                and line.kind = 'payment')
          when 'REFUND_NOT_BOOKED' then money.clearing_vnd <= 0
          when 'PAYOUT_MISSING' then batch.receivable_vnd <= 0
          when 'PAYOUT_MISMATCH' then batch.receivable_vnd <= 0
          else false end
""")


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """When a merchant's money must be settled, and how long one waits before asking."""

    due_days: int = DUE_DAYS
    grace_days: int = GRACE_DAYS

    @classmethod
    def of(cls, whose: Payee) -> "Policy":
        """By the merchant's settings `settlement_due_days` and `settlement_grace_days`."""
        return cls(
            due_days=_days(whose.settings.get("settlement_due_days"), DUE_DAYS),
            grace_days=_days(whose.settings.get("settlement_grace_days"), GRACE_DAYS),
        )

    def due_on(self, day: date) -> date:
        """The day by which money of `day` is settled and paid out."""
        return working_days.later(day, self.due_days)

    def overdue_until(self, today: date, days: int) -> date:
        """The last day whose money is overdue `today`, if it was due after `days` working days."""
        day = today
        while working_days.later(day, days) >= today:
            day -= timedelta(days=1)
        return day


def _days(told: object, default: int) -> int:
    text = str(told) if told is not None and not isinstance(told, bool) else ""
    return min(int(text), DAYS_MAX) if text.isascii() and text.isdecimal() else default


async def tell_fees(
    connection: AsyncConnection, whose: Payee, settlement_id: object, now: datetime
) -> None:
    """One case for each batch of a file whose fees are not the contract's; it names the lines."""
    rows = await connection.execute(
        FEES_OFF, {"book_id": whose.book_id, "settlement_id": settlement_id}
    )
    fields: dict[object, list[FieldVerdict]] = {}
    heads: dict[object, sa.Row[tuple[object, ...]]] = {}
    for row in rows:
        heads.setdefault(row.id, row)
        told = fields.setdefault(row.id, [])
        if len(told) < FIELDS_MAX:
            told.append(
                FieldVerdict(
                    name=f"fee_vnd of row {row.row_number} ({row.trace})",
                    expected=row.contract_fee_vnd,
                    found=row.fee_vnd,
                    verdict="differs",
                )
            )
    cases = [
        Case(
            book_id=whose.book_id,
            subject_kind="settlement_batch",
            subject_id=_uuid(batch_id),
            side="settlement",
            reason="FEE_MISMATCH",
            provider=whose.provider,
            external_id=head.number,
            amount_vnd=abs(head.off_vnd),
            happened_at=head.happened_at,
            fields=(
                FieldVerdict(name="lines", expected=0, found=head.lines, verdict="differs"),
                *fields[batch_id],
            ),
        )
        for batch_id, head in heads.items()
    ]
    await open_cases(connection, cases, now)


async def tell_overdue(connection: AsyncConnection, whose: Payee, now: datetime) -> int:
    """Open what has become overdue of one merchant, end what has come right; how many it opened."""
    policy, today = Policy.of(whose), business_day(now)
    key: dict[str, object] = {
        "book_id": whose.book_id,
        "merchant_id": whose.id,
        "origin": whose.origin,
        "limit": CASES_MAX,
    }
    right = await connection.execute(CAME_RIGHT, key | {"provider": whose.provider})
    await end_cases(
        connection,
        [(whose.book_id, _uuid(row.subject_id), row.reason, "it came right") for row in right],
        now,
    )
    unsettled = policy.overdue_until(today, policy.due_days + policy.grace_days)
    cases = [
        _case(whose, "MISSING_SETTLEMENT", row, row.amount_vnd)
        for row in await connection.execute(UNSETTLED, key | {"until": unsettled})
    ]
    cases += [
        _case(whose, "REFUND_NOT_BOOKED", row, row.clearing_vnd)
        for row in await connection.execute(NOT_BOOKED, key)
    ]
    unpaid = policy.overdue_until(today, policy.grace_days)
    cases += [
        Case(
            book_id=whose.book_id,
            subject_kind="settlement_batch",
            subject_id=_uuid(row.id),
            side="settlement",
            reason="PAYOUT_MISSING",
            provider=whose.provider,
            external_id=row.number,
            amount_vnd=row.receivable_vnd,
            happened_at=datetime.combine(row.due_on, datetime.min.time(), now.tzinfo),
            fields=(
                FieldVerdict(
                    name="payout_vnd", expected=row.receivable_vnd, found=None, verdict="missing"
                ),
                FieldVerdict(
                    name="due_on", expected=row.due_on.isoformat(), found=None, verdict="missing"
                ),
            ),
        )
        for row in await connection.execute(UNPAID, key | {"until": unpaid})
    ]
    await open_cases(connection, cases, now)
    return len(cases)


def _case(whose: Payee, reason: str, row: sa.Row[tuple[object, ...]], amount_vnd: int) -> Case:
    return Case(
        book_id=whose.book_id,
        subject_kind="movement",
        subject_id=_uuid(row.id),
        side="callback" if reason == "MISSING_SETTLEMENT" else "settlement",
        reason=reason,
        provider=whose.provider,
        external_id=str(row.trace or row.id),
        amount_vnd=amount_vnd,
        happened_at=row.happened_at,
        fields=(
            FieldVerdict(name="gross_vnd", expected=amount_vnd, found=None, verdict="missing"),
        ),
    )


def _uuid(told: object) -> UUID:
    return UUID(str(told))


async def look(engine: AsyncEngine, now: datetime) -> int:
    """Look for what is overdue at every merchant that settles by files; for the worker's turn."""
    async with engine.connect() as connection:
        rows = (await connection.execute(SETTLING, {"limit": MERCHANTS_MAX})).mappings().all()
    opened = 0
    for row in rows:
        async with engine.begin() as connection:
            opened += await tell_overdue(connection, msgspec.convert(dict(row), Payee), now)
    return opened
