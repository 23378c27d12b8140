"""Take fees apart: one statement over all items of a book that are paid and not yet split.

The retained share of an item is rounded down to whole đồng over everything split of it so far, so
that its splits add up to exactly A x r% and the rest, in however many parts it was paid (accounting
page). What was split once is never split again: the rows of earlier splits are subtracted.
"""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.remittance.calendar import RULES, Rule, Rules

# Item by item: `live_vnd` is what is split and not given back, `split_vnd` all that ever was.
_UNSPLIT: Final = """
    fees as (
        select code, rule from unnest(cast(:fee_codes as text[]), cast(:fee_rules as text[]))
            as told (code, rule)
    ), procedures as (
        select code, rule
        from unnest(cast(:procedure_codes as text[]), cast(:procedure_rules as text[]))
            as told (code, rule)
    ), sectors as (
        select name, rule from unnest(cast(:sectors as text[]), cast(:sector_rules as text[]))
            as told (name, rule)
    ), split as (
        select split.item_id, sum(split.retained_vnd + split.budget_vnd) as split_vnd,
               sum(split.retained_vnd - split.back_retained_vnd) as live_retained_vnd,
               sum(split.retained_vnd - split.back_retained_vnd
                   + split.budget_vnd - split.back_budget_vnd) as live_vnd
        from service.item_split as split
        join service.remittance as remittance
          on remittance.book_id = split.book_id and remittance.id = split.remittance_id
        where split.book_id = :book_id and remittance.status <> 'rejected'
        group by split.item_id
    ), back as (
        select item_id, sum(amount_vnd) as held_vnd from service.refund_item
        where book_id = :book_id and account = '3373' group by item_id
    ), candidate as materialized (
        select item.notice_id, item.id as item_id, item.code,
               coalesce(item.budget_subsection, '') as budget_subsection, item.retained_percent,
               item.paid_vnd - coalesce(split.split_vnd, 0)
                   - coalesce(back.held_vnd, 0) as open_vnd,
               coalesce(split.split_vnd, 0) + coalesce(back.held_vnd, 0) as gone_vnd,
               coalesce(split.live_vnd, 0) as live_vnd,
               coalesce(split.live_retained_vnd, 0) as live_retained_vnd
        from service.notice_item as item
        join service.notice as notice
          on notice.book_id = item.book_id and notice.id = item.notice_id
        left join service.procedure as procedure on procedure.code = notice.procedure_code
        left join fees on fees.code = item.code
        left join procedures on procedures.code = notice.procedure_code
        left join sectors on sectors.name = procedure.sector
        left join split on split.item_id = item.id
        left join back on back.item_id = item.id
        where item.book_id = :book_id and item.paid_vnd > 0
          and item.paid_vnd > coalesce(split.split_vnd, 0) + coalesce(back.held_vnd, 0)
          and coalesce(fees.rule, procedures.rule, sectors.rule, :default_rule) = :rule
    ), until as (
        select candidate.item_id,
               sum(case when line.credit = '1383' then line.amount_vnd else -line.amount_vnd end)
                   as paid_vnd,
               min(line.value_date) as first_on
        from candidate
        join ledger.line as line
          on line.book_id = :book_id and line.notice_id = candidate.notice_id
         and line.item_id = candidate.item_id
        where line.movement_id is not null and '1383' in (line.debit, line.credit)
          and line.value_date <= cast(:until as date)
        group by candidate.item_id
    ), fresh as (
        select candidate.*, until.first_on,
               least(candidate.open_vnd, until.paid_vnd - candidate.gone_vnd) as new_vnd
        from candidate join until on until.item_id = candidate.item_id
    ), apart as (
        select fresh.*, greatest(0, least(new_vnd,
                   floor((live_vnd + new_vnd) * retained_percent / 100) - live_retained_vnd))
                   as retained_vnd
        from fresh where new_vnd > 0
    )
"""

SPLIT = sa.text(f"""
    with {_UNSPLIT}, items as (
        insert into service.item_split
            (book_id, remittance_id, item_id, notice_id, retained_vnd, budget_vnd)
        select :book_id, :id, item_id, notice_id, retained_vnd, new_vnd - retained_vnd from apart
    ), lines as (
        insert into service.remittance_line (book_id, remittance_id, code, budget_subsection,
            retained_percent, item_count, retained_vnd, budget_vnd)
        select :book_id, :id, code, budget_subsection, retained_percent, count(*),
               sum(retained_vnd), sum(new_vnd - retained_vnd)
        from apart group by code, budget_subsection, retained_percent
    )
    insert into service.remittance (book_id, id, rule, until, due_on, way, reference, item_count,
        split_vnd, retained_vnd, budget_vnd, proposed_at, updated_at)
    select :book_id, :id, :rule, :until, :due_on, :way, :reference, count(*), sum(new_vnd),
           sum(retained_vnd), sum(new_vnd - retained_vnd), :now, :now
    from apart having count(*) > 0
    returning item_count, split_vnd, budget_vnd
""")  # noqa: S608 # constants

UNSPLIT = sa.text(f"""
    with {_UNSPLIT}
    select count(*) as item_count, coalesce(sum(new_vnd), 0)::bigint as split_vnd,
           coalesce(sum(new_vnd - retained_vnd), 0)::bigint as budget_vnd, min(first_on) as first_on
    from apart
""")  # noqa: S608 # constants


class Unsplit(msgspec.Struct, frozen=True, kw_only=True):
    """What is paid and not taken apart yet; `budget_vnd` of it is the budget's."""

    item_count: int
    split_vnd: int
    budget_vnd: int
    first_on: date | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which fees are meant: of a book, with one calendar, paid until a day."""

    book_id: int
    rule: Rule
    until: date
    rules: Rules

    @property
    def parameters(self) -> dict[str, object]:
        """The statement's parameters."""
        return {
            "book_id": self.book_id,
            "rule": self.rule,
            "until": self.until,
            "default_rule": self.rules.default,
            "fee_codes": list(self.rules.fees),
            "fee_rules": list(self.rules.fees.values()),
            "procedure_codes": list(self.rules.procedures),
            "procedure_rules": list(self.rules.procedures.values()),
            "sectors": list(self.rules.sectors),
            "sector_rules": list(self.rules.sectors.values()),
        }


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A remittance to be: its id and reference, when it is due, and which way it goes."""

    id: UUID
    reference: str
    due_on: date
    way: str


async def split(
    connection: AsyncConnection, wanted: Wanted, named: Named, now: datetime
) -> Unsplit | None:
    """Write down how the fees come apart; None where there is nothing to take apart.

    The caller holds the book's lock on taking fees apart (`refund_loading.apart_key`).
    """
    told = msgspec.structs.asdict(named) | {"now": now}
    row = (await connection.execute(SPLIT, wanted.parameters | told)).one_or_none()
    if row is None:
        return None
    return Unsplit(
        item_count=int(row.item_count),
        split_vnd=int(row.split_vnd),
        budget_vnd=int(row.budget_vnd),
    )


async def unsplit(connection: AsyncConnection, wanted: Wanted) -> Unsplit:
    """What would be taken apart now."""
    row = (await connection.execute(UNSPLIT, wanted.parameters)).one()
    return Unsplit(
        item_count=row.item_count,
        split_vnd=row.split_vnd,
        budget_vnd=row.budget_vnd,
        first_on=row.first_on,
    )


__all__ = ["RULES", "Named", "Unsplit", "Wanted", "split", "unsplit"]
