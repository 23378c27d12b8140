"""Invariant 12 at the providers: 1388 is the open batches and disputes, each equal to its lines."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

# A batch's counters are the sums of its lines, and what is owed of it is what was not paid out.
BATCHES = sa.text("""
    with told as (
        select batch_id, count(*) filter (where kind <> 'payout') as lines,
               coalesce(sum(net_vnd) filter (where kind <> 'payout'), 0) as net_vnd,
               sum(receivable_vnd) as receivable_vnd
        from service.settlement_line where book_id = :book_id group by batch_id
    ), paid as (
        select batch_id, sum(amount_vnd) as vnd from service.payout_match
        where book_id = :book_id group by batch_id
    )
    select 'service.settlement_batch' as tbl,
           cast(coalesce(batch.id, told.batch_id, paid.batch_id) as text) as row_id,
           format('%s lines of net %s, owed %s, paid %s', coalesce(told.lines, 0),
                  coalesce(told.net_vnd, 0),
                  coalesce(told.receivable_vnd, 0) - coalesce(paid.vnd, 0), coalesce(paid.vnd, 0))
               as expected,
           case when batch.id is null then 'it is not there'
                else format('%s lines of net %s, owed %s, paid %s', batch.line_count,
                            batch.net_vnd, batch.receivable_vnd, batch.paid_vnd) end as found
    from (select * from service.settlement_batch where book_id = :book_id) as batch
    full join told on told.batch_id = batch.id
    full join paid on paid.batch_id = coalesce(batch.id, told.batch_id)
    where batch.id is null or batch.line_count <> coalesce(told.lines, 0)
       or batch.net_vnd <> coalesce(told.net_vnd, 0) or batch.paid_vnd <> coalesce(paid.vnd, 0)
       or batch.receivable_vnd <> coalesce(told.receivable_vnd, 0) - coalesce(paid.vnd, 0)
    order by 2 limit :limit
""")

# Each line that books moved 1388 by what it says, in the one entry that it caused.
LINES_BOOKED = sa.text("""
    select 'service.settlement_line' as tbl, cast(line.id as text) as row_id,
           format('%s đồng on 1388 by its own entry', line.receivable_vnd + line.disputed_vnd)
               as expected,
           coalesce(booked.vnd, 0) || ' đồng' as found
    from service.settlement_line as line
    left join lateral (
        select sum(case when side.debit = '1388' then side.amount_vnd else 0 end)
               - sum(case when side.credit = '1388' then side.amount_vnd else 0 end) as vnd
        from ledger.entry as entry
        join ledger.line as side
          on side.book_id = entry.book_id and side.entry_id = entry.id
        where entry.book_id = line.book_id and entry.source = 'settlement:' || line.id
    ) as booked on true
    where line.book_id = :book_id
      and coalesce(booked.vnd, 0) <> line.receivable_vnd + line.disputed_vnd
    order by line.id limit :limit
""")

# What the credits of our accounts count as payouts is what the batches were paid.
PAID_OUT = sa.text("""
    select 'service.money_state' as tbl, cast(state.movement_id as text) as row_id,
           coalesce(told.vnd, 0) || ' đồng of payouts' as expected,
           state.payout_vnd || ' đồng' as found
    from service.money_state as state
    left join (select movement_id, sum(amount_vnd) as vnd from service.payout_match
               where book_id = :book_id group by movement_id) as told
      on told.movement_id = state.movement_id
    where state.book_id = :book_id and state.payout_vnd <> coalesce(told.vnd, 0)
    order by 2 limit :limit
""")

CHECKS: Final = (
    Check(invariant=12, name="batches", statement=BATCHES, counts="service.settlement_batch"),
    Check(
        invariant=12,
        name="settlement lines",
        statement=LINES_BOOKED,
        counts="service.settlement_line",
    ),
    Check(invariant=12, name="payouts", statement=PAID_OUT, counts="service.payout_match"),
)
