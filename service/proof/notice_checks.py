"""Invariant 5: counters of notices, items and movements equal the facts they are sums of."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

COUNTERS = sa.text("""
    with items as (
        select notice_id, sum(amount_vnd) as amount_vnd, sum(exempted_vnd) as exempted_vnd,
               sum(paid_vnd) as paid_vnd
        from service.notice_item where book_id = :book_id group by notice_id
    ), allocated as (
        select notice_id, sum(amount_vnd) as paid_vnd
        from service.allocation where book_id = :book_id group by notice_id
    ), waived as (
        select notice_id, sum(amount_vnd) as exempted_vnd
        from service.notice_change where book_id = :book_id and kind = 'exemption'
        group by notice_id
    ), ended as (
        select distinct notice_id from service.notice_change
        where book_id = :book_id and kind = 'cancellation'
    ), returned as (
        select refund.notice_id, sum(part.amount_vnd) filter (where refund.kind = 'fee') as fee_vnd,
               sum(part.amount_vnd) filter (where refund.kind = 'held' and refund.over_notice)
                   as held_vnd
        from service.refund as refund
        join service.refund_part as part
          on part.book_id = refund.book_id and part.refund_id = refund.id and part.status = 'paid'
        where refund.notice_book_id = :book_id
        group by refund.notice_id
    ), held as (
        -- what is being given back (3382) is held until it is gone
        select notice_id, sum(case when credit = '3381' then amount_vnd else -amount_vnd end)
                   as held_vnd
        from ledger.line
        where book_id = :book_id and notice_id is not null and '3381' in (debit, credit)
          and '3382' not in (debit, credit)
        group by notice_id
    ), both_sides as (
        select coalesce(state.notice_id, notice.id) as notice_id, notice.id is null as orphan,
               state.notice_id is null as stateless,
               coalesce(items.amount_vnd, 0) as amount_vnd, coalesce(items.exempted_vnd, 0)
                   as exempted_vnd, coalesce(items.paid_vnd, 0) as paid_vnd,
               coalesce(allocated.paid_vnd, 0) as allocated_vnd,
               coalesce(waived.exempted_vnd, 0) as waived_vnd,
               coalesce(held.held_vnd, 0) - coalesce(returned.held_vnd, 0) as held_vnd,
               coalesce(returned.fee_vnd, 0) as returned_vnd,
               state.refunded_vnd as told_refunded_vnd,
               ended.notice_id is not null and state.cancelled_at is null as revived,
               state.amount_vnd as told_amount_vnd, state.exempted_vnd as told_exempted_vnd,
               state.paid_vnd as told_paid_vnd, state.held_vnd as told_held_vnd,
               state.outstanding_vnd, state.written_off_vnd, state.cancelled_at
        from (select * from service.notice_state where book_id = :book_id) as state
        full join (select id from service.notice where book_id = :book_id) as notice
          on notice.id = state.notice_id
        left join items on items.notice_id = coalesce(state.notice_id, notice.id)
        left join allocated on allocated.notice_id = coalesce(state.notice_id, notice.id)
        left join waived on waived.notice_id = coalesce(state.notice_id, notice.id)
        left join returned on returned.notice_id = coalesce(state.notice_id, notice.id)
        left join held on held.notice_id = coalesce(state.notice_id, notice.id)
        left join ended on ended.notice_id = coalesce(state.notice_id, notice.id)
    )
    select 'service.notice_state' as tbl, cast(notice_id as text) as row_id,
           case when orphan then 'a notice'
                when revived then 'cancelled, as a change says'
                else format('items %s, exempted %s (decided %s), paid %s (allocated %s), held %s, '
                            'refunded %s', amount_vnd, exempted_vnd, waived_vnd, paid_vnd,
                            allocated_vnd, held_vnd, returned_vnd)
           end as expected,
           case when orphan then 'the notice is not there'
                when stateless then 'it has no state'
                else format('amount %s, exempted %s, paid %s, held %s, refunded %s, outstanding %s',
                            told_amount_vnd, told_exempted_vnd, told_paid_vnd, told_held_vnd,
                            told_refunded_vnd, outstanding_vnd) end as found
    from both_sides
    where orphan or stateless or revived or told_amount_vnd <> amount_vnd
       or told_exempted_vnd <> exempted_vnd or exempted_vnd <> waived_vnd
       or told_paid_vnd <> paid_vnd or paid_vnd <> allocated_vnd or told_held_vnd <> held_vnd
       or told_refunded_vnd <> returned_vnd
       or outstanding_vnd < 0
       or outstanding_vnd <> case when cancelled_at is not null then 0
              else told_amount_vnd - told_exempted_vnd - written_off_vnd - told_paid_vnd end
    order by notice_id limit :limit
""")

# What is receivable in the ledger is what is outstanding, item by item.
RECEIVABLE = sa.text("""
    with owed as (
        select notice_id, item_id,
               sum(case when debit = '1383' then amount_vnd else -amount_vnd end) as owed_vnd
        from ledger.line where book_id = :book_id and '1383' in (debit, credit)
        group by notice_id, item_id
    )
    select 'service.notice_item' as tbl,
           concat_ws('/', coalesce(item.notice_id, owed.notice_id), coalesce(item.id, owed.item_id))
               as row_id,
           case when item.id is null then 'an item, for 1383 names it'
                else format('%s đồng on 1383: %s, exempted %s, paid %s', item.open_vnd,
                            item.amount_vnd, item.exempted_vnd, item.paid_vnd) end as expected,
           coalesce(owed.owed_vnd, 0) || ' đồng' as found
    from (
        select item.notice_id, item.id, item.amount_vnd, item.exempted_vnd, item.paid_vnd,
               case when state.cancelled_at is not null then 0
                    else item.amount_vnd - item.exempted_vnd - item.paid_vnd end as open_vnd
        from service.notice_item as item
        left join service.notice_state as state
          on state.book_id = item.book_id and state.notice_id = item.notice_id
        where item.book_id = :book_id and coalesce(state.written_off_vnd, 0) = 0
    ) as item
    full join owed on owed.notice_id = item.notice_id and owed.item_id = item.id
    where (item.id is null and owed.owed_vnd <> 0)
       or (item.id is not null and item.open_vnd <> coalesce(owed.owed_vnd, 0))
    order by 2 limit :limit
""")

# An allocation and the lines of its entry say the same.
ALLOCATIONS = sa.text("""
    with told as (
        select entry_id, notice_id, sum(amount_vnd) as amount_vnd,
               min(cast(id as text)) as id
        from service.allocation where book_id = :book_id group by entry_id, notice_id
    ), booked as (
        select entry_id, notice_id,
               sum(case when credit = '1383' then amount_vnd else -amount_vnd end) as amount_vnd
        from ledger.line
        where book_id = :book_id and '1383' in (debit, credit) and movement_id is not null
        group by entry_id, notice_id
    )
    select 'service.allocation' as tbl,
           coalesce(told.id, format('entry %s, notice %s', booked.entry_id, booked.notice_id))
               as row_id,
           format('%s đồng on 1383 in entry %s', coalesce(booked.amount_vnd, 0),
                  coalesce(told.entry_id, booked.entry_id)) as expected,
           format('%s đồng allocated to notice %s', coalesce(told.amount_vnd, 0),
                  coalesce(told.notice_id, booked.notice_id)) as found
    from told
    full join booked on booked.entry_id = told.entry_id and booked.notice_id = told.notice_id
    where coalesce(told.amount_vnd, 0) <> coalesce(booked.amount_vnd, 0)
    order by 2 limit :limit
""")

# Over all books: money of one may pay notices of another.
OF_MOVEMENTS = sa.text("""
    with allocated as (
        select movement_id, sum(amount_vnd) as amount_vnd
        from service.allocation
        where book_id in (select book_id from ledger.book) and movement_book_id = :book_id
        group by movement_id
    )
    select 'service.money_state' as tbl,
           cast(coalesce(state.movement_id, allocated.movement_id) as text) as row_id,
           format('%s đồng allocated, at most %s', coalesce(allocated.amount_vnd, 0),
                  state.amount_vnd) as expected,
           state.allocated_vnd || ' đồng' as found
    from (select * from service.money_state where book_id = :book_id) as state
    full join allocated on allocated.movement_id = state.movement_id
    where state.movement_id is null or state.allocated_vnd <> coalesce(allocated.amount_vnd, 0)
       or coalesce(allocated.amount_vnd, 0) not between 0 and state.amount_vnd
    order by 2 limit :limit
""")

CHECKS: Final = (
    Check(invariant=5, name="counters", statement=COUNTERS, counts="service.notice_state"),
    Check(invariant=5, name="receivable", statement=RECEIVABLE, counts="service.notice_item"),
    Check(invariant=5, name="allocations", statement=ALLOCATIONS, counts="service.allocation"),
    Check(invariant=5, name="movements", statement=OF_MOVEMENTS, counts="service.money_state"),
)
