"""Balances at any instant, on either time axis: a checkpoint and the lines after it.

`at` is when we recorded (a line counts when recorded_at <= at), `value_date` the outside's day;
together they say what we believed at `at` about that day. An `at` later than the last closed
segment may still gain lines of transactions that are open now.
"""

from datetime import date, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import Side
from ledger.errors import MalformedEntry, UnknownAccount, UnknownBook

# point: the last checkpoint whose lines were all recorded by :at. Lines after the checkpoint that
# follows it were all recorded after :at, so reading stops there.
_BALANCES = """
    with point as (
        select coalesce((
            select segment from ledger.checkpoint
            where book_id = :book_id
              and (cast(:at as timestamptz) is null or closed_at <= cast(:at as timestamptz))
            order by segment desc limit 1), 0) as segment
    ), stretch as (
        select segment as after, coalesce((
            select checkpoint.segment from ledger.checkpoint as checkpoint
            where book_id = :book_id and checkpoint.segment > point.segment
              and cast(:at as timestamptz) is not null
            order by checkpoint.segment limit 1), 9223372036854775807) as upto
        from point
    )
    select account.code, account.normal_side,
        coalesce(summed.debit_vnd, 0) - coalesce(later.debit_vnd, 0) + coalesce((
            select sum(amount_vnd) from ledger.line
            where book_id = :book_id and debit = account.code
              and segment > (select after from stretch) and segment <= (select upto from stretch)
              and (cast(:at as timestamptz) is null or recorded_at <= cast(:at as timestamptz))
              and (cast(:value_date as date) is null or value_date <= cast(:value_date as date))
        ), 0) as debit_vnd,
        coalesce(summed.credit_vnd, 0) - coalesce(later.credit_vnd, 0) + coalesce((
            select sum(amount_vnd) from ledger.line
            where book_id = :book_id and credit = account.code
              and segment > (select after from stretch) and segment <= (select upto from stretch)
              and (cast(:at as timestamptz) is null or recorded_at <= cast(:at as timestamptz))
              and (cast(:value_date as date) is null or value_date <= cast(:value_date as date))
        ), 0) as credit_vnd
    from ledger.account as account
    left join lateral (
        select debit_vnd, credit_vnd from ledger.checkpoint_balance
        where book_id = :book_id and account = account.code
          and segment = (select after from stretch)
    ) as summed on true
    left join lateral (
        select sum(debit_vnd) as debit_vnd, sum(credit_vnd) as credit_vnd
        from ledger.checkpoint_day
        where book_id = :book_id and account = account.code
          and value_date > cast(:value_date as date) and segment <= (select after from stretch)
    ) as later on true
    where account.book_id = :book_id
"""
ONE_BALANCE = sa.text(f"{_BALANCES} and account.code = :account")
ALL_BALANCES = sa.text(f"{_BALANCES} order by account.code")


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Turnover of an account since its beginning; `balance_vnd` is positive on its normal side."""

    account: str
    normal_side: Side
    debit_vnd: int
    credit_vnd: int

    @property
    def balance_vnd(self) -> int:
        """Debit less credit of a debit account, credit less debit of a credit account."""
        net = self.debit_vnd - self.credit_vnd
        return net if self.normal_side == "debit" else -net


class TrialBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Every account of a book, in order of code."""

    rows: tuple[Balance, ...]

    @property
    def debit_vnd(self) -> int:
        """All debits; equals all credits, since a line has both."""
        return sum(row.debit_vnd for row in self.rows)

    @property
    def credit_vnd(self) -> int:
        """All credits."""
        return sum(row.credit_vnd for row in self.rows)


async def balance(
    connection: AsyncConnection,
    book_id: int,
    account: str,
    at: datetime | None = None,
    value_date: date | None = None,
) -> Balance:
    """The balance of one account, now or at an instant, of all days or up to a value date.

    Read from indexes: a checkpoint row and the lines after it. Raises UnknownAccount, also for a
    book that was never opened, and MalformedEntry for an `at` without a zone.
    """
    key = {"book_id": book_id, "account": account, "at": _instant(at), "value_date": value_date}
    row = (await connection.execute(ONE_BALANCE, key)).one_or_none()
    if row is None:
        raise UnknownAccount(account)
    return Balance(
        account=row.code,
        normal_side=row.normal_side,
        debit_vnd=int(row.debit_vnd),
        credit_vnd=int(row.credit_vnd),
    )


async def trial_balance(
    connection: AsyncConnection,
    book_id: int,
    at: datetime | None = None,
    value_date: date | None = None,
) -> TrialBalance:
    """The balances of all accounts of a book, as of one snapshot. Raises as balance() does."""
    key = {"book_id": book_id, "at": _instant(at), "value_date": value_date}
    rows = tuple(
        Balance(
            account=row.code,
            normal_side=row.normal_side,
            debit_vnd=int(row.debit_vnd),
            credit_vnd=int(row.credit_vnd),
        )
        for row in await connection.execute(ALL_BALANCES, key)
    )
    if not rows:
        raise UnknownBook(book_id)
    return TrialBalance(rows=rows)


def _instant(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise MalformedEntry("an instant needs a zone")
    return at
