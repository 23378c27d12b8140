"""Invariants 5 and 12 for remittances: each split adds up, and what waits stands in the books."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

# The remittance, its lines and its items say the same, and no item was split beyond its amount.
TOTALS = sa.text("""
    with items as (
        select split.remittance_id, count(*) as item_count,
               sum(split.retained_vnd) as retained_vnd, sum(split.budget_vnd) as budget_vnd,
               sum(split.back_budget_vnd) as back_vnd
        from service.item_split as split where split.book_id = :book_id group by 1
    ), lines as (
        select remittance_id, sum(item_count) as item_count, sum(retained_vnd) as retained_vnd,
               sum(budget_vnd) as budget_vnd, sum(back_vnd) as back_vnd
        from service.remittance_line where book_id = :book_id group by 1
    )
    select 'service.remittance' as tbl, cast(remittance.id as text) as row_id,
           format('%s items, retained %s, budget %s, of it given back %s', items.item_count,
                  items.retained_vnd, items.budget_vnd, items.back_vnd) as expected,
           format('%s items, retained %s, budget %s; lines: %s, %s, %s, given back %s',
                  remittance.item_count, remittance.retained_vnd, remittance.budget_vnd,
                  lines.item_count, lines.retained_vnd, lines.budget_vnd, lines.back_vnd) as found
    from service.remittance as remittance
    left join items on items.remittance_id = remittance.id
    left join lines on lines.remittance_id = remittance.id
    where remittance.book_id = :book_id and (
        (remittance.item_count, remittance.retained_vnd, remittance.budget_vnd)
            is distinct from (items.item_count, items.retained_vnd, items.budget_vnd)
        or (remittance.item_count, remittance.retained_vnd, remittance.budget_vnd)
            is distinct from (lines.item_count, lines.retained_vnd, lines.budget_vnd)
        or (remittance.status in ('approved', 'swept', 'arrived')
            and lines.back_vnd <> items.back_vnd))
    union all
    select 'service.item_split', cast(split.item_id as text),
           format('at most %s đồng split and not given back', item.amount_vnd - item.exempted_vnd),
           split.vnd || ' đồng'
    from (
        select split.notice_id, split.item_id,
               sum(split.retained_vnd + split.budget_vnd - split.back_retained_vnd
                   - split.back_budget_vnd) as vnd
        from service.item_split as split
        join service.remittance as remittance
          on remittance.book_id = split.book_id and remittance.id = split.remittance_id
         and remittance.status <> 'rejected'
        where split.book_id = :book_id group by 1, 2
    ) as split
    join service.notice_item as item
      on item.book_id = :book_id and item.notice_id = split.notice_id and item.id = split.item_id
    where split.vnd > item.amount_vnd - item.exempted_vnd
    order by 1, 2 limit :limit
""")

# 3332 by budget subsection, 3370, 1131: open remittances, item by item.
BALANCES = sa.text("""
    with booked as (
        select side.account, case when side.account = '3332'
                                  then coalesce(line.budget_subsection, '') else '' end as part,
               sum(side.vnd) as vnd
        from ledger.line as line
        cross join lateral (values (line.credit, line.amount_vnd), (line.debit, -line.amount_vnd))
            as side (account, vnd)
        where line.book_id = :book_id and side.account in ('3332', '3370', '1131')
          and '9990' not in (line.debit, line.credit)
        group by 1, 2
    ), told as (
        select '3332' as account, line.budget_subsection as part,
               sum(line.budget_vnd - line.back_vnd) as vnd
        from service.remittance as remittance
        join service.remittance_line as line
          on line.book_id = remittance.book_id and line.remittance_id = remittance.id
        where remittance.book_id = :book_id
          and remittance.status in ('approved', 'swept', 'arrived')
        group by line.budget_subsection
        union all
        select '3370', '', sum(split.retained_vnd - split.back_retained_vnd)
        from service.remittance as remittance
        join service.item_split as split
          on split.book_id = remittance.book_id and split.remittance_id = remittance.id
        where remittance.book_id = :book_id and remittance.recognition_id is null
          and remittance.status not in ('proposed', 'rejected')
        union all
        select '1131', '', -sum(swept_vnd) from service.remittance
        where book_id = :book_id and status = 'swept'
    )
    select 'service.remittance' as tbl, coalesce(told.account, booked.account) || ' '
               || coalesce(told.part, booked.part) as row_id,
           coalesce(booked.vnd, 0) || ' đồng in the books' as expected,
           coalesce(told.vnd, 0) || ' đồng of open remittances' as found
    from told full join booked on booked.account = told.account and booked.part = told.part
    where coalesce(told.vnd, 0) <> coalesce(booked.vnd, 0)
    order by 2 limit :limit
""")

# What is held of fees (3373): what is owed or paid, less what was taken apart or given back.
HELD = sa.text("""
    with owed as (
        select sum(item.paid_vnd) + sum(case when state.cancelled_at is null
                   then item.amount_vnd - item.exempted_vnd - item.paid_vnd else 0 end) as vnd
        from service.notice_item as item
        join service.notice_state as state
          on state.book_id = item.book_id and state.notice_id = item.notice_id
        where item.book_id = :book_id and state.written_off_vnd = 0
    ), apart as (
        select sum(split_vnd) as vnd from service.remittance
        where book_id = :book_id and status not in ('proposed', 'rejected')
    ), back as (
        select sum(amount_vnd) as vnd from service.refund_item
        where book_id = :book_id and account = '3373'
    ), booked as (
        select sum(case when credit = '3373' then amount_vnd else -amount_vnd end) as vnd
        from ledger.line where book_id = :book_id and '3373' in (debit, credit)
    )
    select 'service.notice_item' as tbl, '3373' as row_id,
           coalesce(booked.vnd, 0) || ' đồng on 3373' as expected,
           format('%s owed or paid, %s taken apart, %s given back', owed.vnd, apart.vnd, back.vnd)
               as found
    from owed, apart, back, booked
    where coalesce(booked.vnd, 0)
          <> coalesce(owed.vnd, 0) - coalesce(apart.vnd, 0) - coalesce(back.vnd, 0)
    limit :limit
""")

DEBITS = sa.text("""
    with booked as (
        select line.movement_id, sum(line.amount_vnd) as vnd
        from ledger.line as line
        join ledger.entry as entry
          on entry.book_id = line.book_id and entry.id = line.entry_id
         and entry.kind = 'remittance_paid'
        where line.book_id = :book_id and line.movement_id is not null and line.credit = '1380'
        group by line.movement_id
    )
    select 'service.money_state' as tbl, cast(state.movement_id as text) as row_id,
           coalesce(booked.vnd, 0) || ' đồng remitted' as expected,
           state.remitted_vnd || ' đồng' as found
    from service.money_state as state
    left join booked on booked.movement_id = state.movement_id
    where state.book_id = :book_id and state.remitted_vnd <> coalesce(booked.vnd, 0)
    order by 2 limit :limit
""")

CHECKS: Final = (
    Check(invariant=5, name="splits", statement=TOTALS, counts="service.item_split"),
    Check(invariant=5, name="fees held", statement=HELD, counts="service.notice_item"),
    Check(invariant=12, name="remittances", statement=BALANCES, counts="service.remittance"),
    Check(invariant=12, name="remitted money", statement=DEBITS, counts="service.remittance"),
)
