"""Invariants 5 and 12 for refunds: 3382 and the claims on the budget equal their open items."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

# 3382 by refund: every line of it belongs to the refund that its entry's source names, or was
# brought in when the book was opened.
PAYABLE = sa.text("""
    with net as (
        select split_part(entry.source, ':', 1) as kind, split_part(entry.source, ':', 2) as id,
               sum(case when line.credit = '3382' then line.amount_vnd else -line.amount_vnd end)
                   as vnd
        from ledger.line as line
        join ledger.entry as entry
          on entry.book_id = line.book_id and entry.id = line.entry_id
        where line.book_id = :book_id and '3382' in (line.debit, line.credit)
          and '9990' not in (line.debit, line.credit)
        group by 1, 2
    ), told as (
        select refund_id, sum(payable_vnd) as vnd from service.refund_part
        where book_id = :book_id group by refund_id
    )
    select 'service.refund_part' as tbl, coalesce(cast(told.refund_id as text), net.id) as row_id,
           coalesce(net.vnd, 0) || ' đồng on 3382' as expected,
           coalesce(told.vnd || ' đồng payable', 'no refund') as found
    from told full join net on net.kind = 'refund' and net.id = cast(told.refund_id as text)
    where told.refund_id is null or told.vnd <> coalesce(net.vnd, 0)
    order by 2 limit :limit
""")

# Parts are all of their refund, once it is approved, and none before.
WHOLE = sa.text("""
    select 'service.refund' as tbl, cast(refund.id as text) as row_id,
           case when refund.status in ('asked', 'proposed', 'rejected') then 'no parts'
                else refund.amount_vnd || ' đồng in parts' end as expected,
           coalesce(parts.vnd, 0) || ' đồng, ' || refund.status as found
    from service.refund as refund
    left join lateral (
        select sum(amount_vnd) as vnd,
               (array_agg(status order by array_position(
                   array['unknown', 'sending', 'processing', 'approved', 'failed', 'paid'],
                   status)))[1] as status
        from service.refund_part as part
        where part.book_id = refund.book_id and part.refund_id = refund.id
    ) as parts on true
    where refund.book_id = :book_id and case
        when refund.status in ('asked', 'proposed', 'rejected') then parts.vnd is not null
        else parts.vnd is distinct from refund.amount_vnd or parts.status <> refund.status end
    order by 2 limit :limit
""")

# What left 3380, 3381 or an allocation of a movement for refunds; what a debit paid.
OF_MOVEMENTS = sa.text("""
    with taken as (
        select refund.movement_id,
               sum(part.amount_vnd) filter (where refund.kind <> 'fee' and part.status <> 'failed')
                   as refund_vnd,
               sum(part.amount_vnd) filter (where refund.kind = 'fee' and part.status <> 'failed')
                   as fee_refund_vnd
        from service.refund as refund
        join service.refund_part as part
          on part.book_id = refund.book_id and part.refund_id = refund.id
        where refund.book_id = :book_id group by refund.movement_id
    ), moved as (
        select line.movement_id,
               sum(case when entry.kind = 'refund_paid' then line.amount_vnd end) as paid_vnd,
               sum(case when entry.kind = 'refund_returned' then line.amount_vnd end)
                   as returned_vnd
        from ledger.line as line
        join ledger.entry as entry
          on entry.book_id = line.book_id and entry.id = line.entry_id
         and entry.kind in ('refund_paid', 'refund_returned')
        where line.book_id = :book_id and line.movement_id is not null
          and (line.debit, line.credit) in (('3382', '1380'), ('3380', '3382'))
        group by line.movement_id
    )
    select 'service.money_state' as tbl, cast(state.movement_id as text) as row_id,
           format('%s đồng refunded, %s of its fees',
                  coalesce(taken.refund_vnd, 0) + coalesce(moved.paid_vnd, 0)
                      + coalesce(moved.returned_vnd, 0), coalesce(taken.fee_refund_vnd, 0))
               as expected,
           format('%s, %s', state.refund_vnd, state.fee_refund_vnd) as found
    from service.money_state as state
    left join taken on taken.movement_id = state.movement_id
    left join moved on moved.movement_id = state.movement_id
    where state.book_id = :book_id
      and (state.refund_vnd, state.fee_refund_vnd) is distinct from
          (coalesce(taken.refund_vnd, 0) + coalesce(moved.paid_vnd, 0)
               + coalesce(moved.returned_vnd, 0), coalesce(taken.fee_refund_vnd, 0))
    order by 2 limit :limit
""")

# What a refund took of fee items adds up to its parts, and to the claims on the budget (1388).
CLAIMS = sa.text("""
    with claimed as (
        select sum(item.amount_vnd) as vnd
        from service.refund_item as item
        join service.refund as refund
          on refund.notice_book_id = item.book_id and refund.id = item.refund_id
        join service.refund_part as part
          on part.book_id = refund.book_id and part.refund_id = refund.id
         and part.part = item.part and part.status <> 'paid'
        where item.book_id = :book_id and item.account = '1388'
    ), booked as (
        select sum(case when debit = '1388' then amount_vnd else -amount_vnd end) as vnd
        from ledger.line
        where book_id = :book_id and '1388' in (debit, credit) and merchant = 'NSNN'
    )
    select 'ledger.line' as tbl, '1388 NSNN' as row_id,
           coalesce(claimed.vnd, 0) || ' đồng of open refunds' as expected,
           coalesce(booked.vnd, 0) || ' đồng' as found
    from claimed, booked where coalesce(claimed.vnd, 0) <> coalesce(booked.vnd, 0)
    union all
    select 'service.refund_item', cast(refund.id as text),
           part.amount_vnd || ' đồng of items in part ' || part.part,
           coalesce(items.vnd, 0) || ' đồng'
    from service.refund as refund
    join service.refund_part as part
      on part.book_id = refund.book_id and part.refund_id = refund.id
    left join lateral (
        select sum(amount_vnd) as vnd from service.refund_item as item
        where item.book_id = refund.notice_book_id and item.refund_id = refund.id
          and item.part = part.part
    ) as items on true
    where refund.notice_book_id = :book_id and refund.kind = 'fee'
      and coalesce(items.vnd, 0) <> case when part.status = 'failed' then 0
                                         else part.amount_vnd end
    order by 1, 2 limit :limit
""")

# A fee is not given back twice: never more of an item than was paid on it.
ITEMS = sa.text("""
    with back as (
        select notice_id, item_id, sum(amount_vnd) as vnd from service.refund_item
        where book_id = :book_id group by notice_id, item_id
    )
    select 'service.notice_item' as tbl, back.notice_id || '/' || back.item_id as row_id,
           format('at most %s đồng given back', coalesce(item.paid_vnd, 0)) as expected,
           back.vnd || ' đồng' as found
    from back
    left join service.notice_item as item
      on item.book_id = :book_id and item.notice_id = back.notice_id and item.id = back.item_id
    where back.vnd not between 0 and coalesce(item.paid_vnd, 0)
    order by 2 limit :limit
""")

CHECKS: Final = (
    Check(invariant=12, name="refunds payable", statement=PAYABLE, counts="service.refund_part"),
    Check(invariant=12, name="refund parts", statement=WHOLE, counts="service.refund"),
    Check(invariant=12, name="refunded money", statement=OF_MOVEMENTS, counts="service.refund"),
    Check(invariant=12, name="budget claims", statement=CLAIMS, counts="service.refund_item"),
    Check(invariant=5, name="refunded items", statement=ITEMS, counts="service.refund_item"),
)
