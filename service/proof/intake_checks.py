"""Invariant 3: what was acknowledged is kept, and money that moved is booked in exactly once."""

from typing import Final

import sqlalchemy as sa

from ledger import accounts
from service.proof.checks import Check

MONEY_ACCOUNTS: Final = [
    accounts.CASH,
    accounts.BANK,
    accounts.CLEARING,
    accounts.PROVIDER_RECEIVABLE,
    accounts.SERVICE_COST,
]
"""Where money itself stands, or is kept as a fee; a line between two of them moves it and books
nothing in. A payout (3380 / 1388) is no second booking: it says what the bank credit was."""

MONEY_STATUSES: Final = ["paid", "held", "reversed", "credit", "debit"]
"""What an event says when money moved (service.intake)."""

DOUBTS: Final = ["SAME_MOVEMENT_UNSURE", "CONTESTED"]
"""Reasons of a case about a sighting that no movement has."""

CALLS_KEPT = sa.text("""
    select 'service.event' as tbl, cast(event.id as text) as row_id,
           'its call ' || event.call_id as expected, 'the call is not there' as found
    from service.event as event
    left join service.merchant as merchant on merchant.id = event.merchant_id
    where event.book_id = :book_id and not exists (
        select from service.call as call
        where call.book_id = merchant.book_id and call.id = event.call_id)
    order by event.id limit :limit
""")

EVENTS_SIGHTED = sa.text("""
    select 'service.event' as tbl, cast(event.id as text) as row_id,
           format('a sighting of %s đồng, movement %s', event.amount_vnd, event.movement_id)
               as expected,
           case when sighting.id is null then 'no sighting'
                else format('%s đồng, movement %s', sighting.amount_vnd, sighting.movement_id)
           end as found
    from service.event as event
    left join service.sighting as sighting
      on sighting.book_id = event.book_id and sighting.id = event.id
    where event.book_id = :book_id and event.amount_vnd is not null
      and event.status = any(cast(:statuses as text[]))
      and (sighting.id is null or sighting.movement_id is distinct from event.movement_id
           or sighting.amount_vnd <> event.amount_vnd)
    order by event.id limit :limit
""")

UNREADABLE_SEEN = sa.text("""
    select 'service.event' as tbl, cast(event.id as text) as row_id,
           'a case AMOUNT_UNREADABLE' as expected, 'no case' as found
    from service.event as event
    where event.book_id = :book_id and event.amount_vnd is null and not exists (
        select from service.unmatched as open
        where open.book_id = event.book_id and open.subject_id = event.id
          and open.reason = 'AMOUNT_UNREADABLE')
    order by event.id limit :limit
""")

# Every window's row has its sighting, and every sighting its row.
WINDOWS = sa.text("""
    select coalesce(told.tbl, 'service.sighting') as tbl,
           cast(coalesce(told.id, sighting.id) as text) as row_id,
           case when sighting.id is null then 'a sighting'
                when told.id is null then 'the ' || sighting.view || ' it was seen in'
                else format('%s %s đồng', told.direction, told.amount_vnd) end as expected,
           case when sighting.id is null then 'no sighting'
                when told.id is null then 'it is not there'
                else format('%s %s đồng', sighting.direction, sighting.amount_vnd) end as found
    from (
        select id, 'service.statement_line' as tbl, direction, amount_vnd
        from service.statement_line where book_id = :book_id
        union all
        select id, 'service.counter_receipt', 'in', amount_vnd
        from service.counter_receipt where book_id = :book_id
        union all
        select id, 'service.settlement_line', case when gross_vnd > 0 then 'in' else 'out' end,
               abs(gross_vnd)
        from service.settlement_line where book_id = :book_id and sighted
        union all
        select id, 'service.event', null, amount_vnd
        from service.event where book_id = :book_id and amount_vnd is not null
          and status = any(cast(:statuses as text[]))
    ) as told
    full join (select id, view, direction, amount_vnd from service.sighting
               where book_id = :book_id) as sighting
      on sighting.id = told.id
    where sighting.id is null or told.id is null or sighting.amount_vnd <> told.amount_vnd
       or sighting.direction <> told.direction
    order by 2 limit :limit
""")

SIGHTINGS_BELONG = sa.text("""
    select 'service.sighting' as tbl, cast(sighting.id as text) as row_id,
           case when sighting.movement_id is null
                then 'a live case ' || array_to_string(cast(:doubts as text[]), ' or ')
                else format('movement %s: %s %s đồng at %s', sighting.movement_id,
                            sighting.direction, sighting.amount_vnd, sighting.origin)
           end as expected,
           case when sighting.movement_id is null then 'no case'
                when movement.id is null then 'the movement is not there'
                else format('%s %s đồng at %s', movement.direction, movement.amount_vnd,
                            movement.origin)
           end as found
    from service.sighting as sighting
    left join service.movement as movement
      on movement.book_id = sighting.book_id and movement.id = sighting.movement_id
    where sighting.book_id = :book_id and case
        when sighting.movement_id is null then not exists (
            select from service.unmatched as open
            where open.book_id = sighting.book_id and open.subject_id = sighting.id
              and open.status <> 'resolved' and open.reason = any(cast(:doubts as text[])))
        else movement.id is null or movement.amount_vnd <> sighting.amount_vnd
             or movement.direction <> sighting.direction or movement.origin <> sighting.origin
        end
    order by sighting.id limit :limit
""")

BOOKED_ONCE = sa.text("""
    with booked as (
        select movement_id, entry_id, sum(amount_vnd) filter (where inward) as in_vnd,
               sum(amount_vnd) filter (where not inward) as out_vnd
        from (
            select movement_id, entry_id, amount_vnd,
                   debit = any(cast(:money as text[])) as inward,
                   credit = any(cast(:money as text[])) as outward
            from ledger.line where book_id = :book_id and movement_id is not null
              and not (debit = '3380' and credit = '1388')
        ) as line
        where inward <> outward
        group by movement_id, entry_id
    ), counted as (
        select movement_id, count(*) as entries, sum(coalesce(in_vnd, 0)) as in_vnd,
               sum(coalesce(out_vnd, 0)) as out_vnd, min(cast(entry_id as text)) as entry_id
        from booked group by movement_id
    )
    select 'service.movement' as tbl,
           cast(coalesce(movement.id, counted.movement_id) as text) as row_id,
           case when movement.id is null then 'a movement, for money is booked for it'
                else format('one entry movement:%s (%s) that books %s %s đồng', movement.id,
                            movement.entry_id, movement.direction, movement.amount_vnd)
           end as expected,
           case when movement.id is null then 'it is not there'
                when counted.movement_id is null then 'no money is booked for it'
                else format('%s entries book %s đồng in and %s out; the first is %s (%s)',
                            counted.entries, counted.in_vnd, counted.out_vnd, counted.entry_id,
                            entry.source)
           end as found
    from (select * from service.movement where book_id = :book_id) as movement
    full join counted on counted.movement_id = movement.id
    left join ledger.entry as entry
      on entry.book_id = :book_id and entry.id = movement.entry_id
    where movement.id is null or counted.movement_id is null or counted.entries <> 1
       or counted.entry_id <> cast(movement.entry_id as text)
       or entry.source is distinct from 'movement:' || movement.id
       or (counted.in_vnd, counted.out_vnd) <> case movement.direction
              when 'in' then (cast(movement.amount_vnd as numeric), 0.0)
              else (0.0, cast(movement.amount_vnd as numeric)) end
    order by 2 limit :limit
""")

MOVEMENTS_WHOLE = sa.text("""
    select 'service.movement' as tbl, cast(movement.id as text) as row_id,
           format('seen by somebody, and its state of %s đồng', movement.amount_vnd) as expected,
           case when state.movement_id is null then 'it has no state'
                when state.amount_vnd <> movement.amount_vnd
                then format('its state is of %s đồng', state.amount_vnd)
                else 'nobody saw it' end as found
    from service.movement as movement
    left join service.money_state as state
      on state.book_id = movement.book_id and state.movement_id = movement.id
    where movement.book_id = :book_id and (
        state.amount_vnd is distinct from movement.amount_vnd or not exists (
            select from service.sighting as sighting
            where sighting.book_id = movement.book_id and sighting.movement_id = movement.id))
    order by movement.id limit :limit
""")

RECEIPTS = sa.text("""
    select 'service.counter_receipt' as tbl, cast(receipt.id as text) as row_id,
           format('movement %s for notice %s', receipt.movement_id, receipt.notice_id) as expected,
           format('movement %s, %s đồng for the notice', sighting.movement_id, allocated.vnd)
               as found
    from service.counter_receipt as receipt
    left join service.sighting as sighting
      on sighting.book_id = receipt.book_id and sighting.id = receipt.id
    left join lateral (
        select sum(amount_vnd) as vnd from service.allocation as allocation
        where allocation.book_id = receipt.book_id
          and allocation.movement_id = receipt.movement_id
          and allocation.notice_id = receipt.notice_id
    ) as allocated on true
    where receipt.book_id = :book_id
      and (sighting.movement_id is distinct from receipt.movement_id
           or allocated.vnd is distinct from receipt.amount_vnd)
    order by receipt.id limit :limit
""")

CHECKS: Final = (
    Check(invariant=3, name="calls", statement=CALLS_KEPT, counts="service.event"),
    Check(
        invariant=3,
        name="events",
        statement=EVENTS_SIGHTED,
        counts="service.event",
        params={"statuses": MONEY_STATUSES},
    ),
    Check(invariant=3, name="unreadable", statement=UNREADABLE_SEEN, counts="service.event"),
    Check(
        invariant=3,
        name="windows",
        statement=WINDOWS,
        counts="service.sighting",
        params={"statuses": MONEY_STATUSES},
    ),
    Check(
        invariant=3,
        name="sightings",
        statement=SIGHTINGS_BELONG,
        counts="service.sighting",
        params={"doubts": DOUBTS},
    ),
    Check(
        invariant=3,
        name="bookings",
        statement=BOOKED_ONCE,
        counts="service.movement",
        params={"money": MONEY_ACCOUNTS},
    ),
    Check(invariant=3, name="movements", statement=MOVEMENTS_WHOLE, counts="service.movement"),
    Check(invariant=3, name="receipts", statement=RECEIPTS, counts="service.counter_receipt"),
)
