"""What `loading` asks the database; each statement reads, or locks in (book, id) order."""

from typing import Final

import sqlalchemy as sa

# Two windows may tell of one transfer at the same moment: whoever holds the lock joins first.
LOCK: Final = sa.text("""
    select pg_advisory_xact_lock(told.key)
    from (select key from unnest(cast(:keys as bigint[])) as told (key) order by key) as told
""")

# A message names an order by our reference, or as its provider calls it (`told`).
REQUESTS: Final = """
    with told as (
        select book_id, name from unnest($1::integer[], $2::text[]) as told (book_id, name)
    ), named as (
        select told.name, request.* from told
        join service.payment_request as request
          on request.book_id = told.book_id and request.reference = told.name
        union all
        select told.name, request.* from told
        join service.payment_request as request
          on request.book_id = told.book_id and request.order_code = told.name
        where request.reference <> told.name
    )
    select named.name as told, named.book_id, named.reference, named.amount_vnd, named.expires_at,
           asked.notice_id
    from named
    join service.payment_request_notice as asked
      on asked.book_id = named.book_id and asked.reference = named.reference
    order by named.book_id, named.reference, asked.position
"""

BOOK_CODES: Final = """select code, book_id from ledger.book"""

SERVES: Final = """select id, serves from service.merchant where id = any($1::integer[])"""

# Other open notices of the same dossier or of the same payer; with $4 also those that owe nothing
# now, for money that goes out in the same group may open them again.
SIBLINGS: Final = """
    with asked as (
        select notice.book_id, notice.id, notice.dossier_key, notice.payer_key
        from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
        join service.notice on notice.book_id = told.book_id and notice.id = told.id
    ), near as (
        select asked.id as of_id, other.book_id, other.id
        from asked join service.notice as other
          on other.book_id = asked.book_id and other.dossier_key = asked.dossier_key
        union
        select asked.id, other.book_id, other.id
        from asked join service.notice as other
          on other.book_id = asked.book_id and other.payer_key = asked.payer_key
    )
    select of_id, book_id, id
    from (
        select near.of_id, near.book_id, near.id, row_number() over (
                   partition by near.of_id
                   order by state.outstanding_vnd = 0, near.book_id, near.id) as place
        from near
        join service.notice_state as state
          on state.book_id = near.book_id and state.notice_id = near.id
        where near.id <> near.of_id and (state.outstanding_vnd > 0 or $4::boolean)
    ) as other
    where place <= $3
    order by book_id, id
"""

NOTICES: Final = """
    select state.book_id, state.notice_id, notice.dossier_code, state.amount_vnd,
           state.exempted_vnd, state.written_off_vnd, state.paid_vnd, state.refunded_vnd,
           state.held_vnd, state.cancelled_at is not null as cancelled, state.version
    from (select distinct book_id, id from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
          order by 1, 2) as told
    join service.notice_state as state
      on state.book_id = told.book_id and state.notice_id = told.id
    join service.notice on notice.book_id = told.book_id and notice.id = told.id
    order by state.book_id, state.notice_id
    for no key update of state
"""

ITEMS: Final = """
    select item.book_id, item.notice_id, item.id, item.position, item.amount_vnd,
           item.exempted_vnd, item.paid_vnd, item.budget_subsection
    from unnest($1::integer[], $2::uuid[]) as told (book_id, notice_id)
    join service.notice_item as item
      on item.book_id = told.book_id and item.notice_id = told.notice_id
    order by item.book_id, item.notice_id, item.position
"""

BY_TRACE: Final = """
    select movement.book_id, movement.id
    from unnest($1::integer[], $2::text[], $3::text[]) as told (book_id, origin, trace)
    join service.movement
      on movement.book_id = told.book_id and movement.origin = told.origin
     and movement.trace = told.trace
"""

# Bank references are short and may come again in another year, so the day counts as well.
BY_BANK_REFERENCE: Final = """
    select told.position, movement.book_id, movement.id,
           movement.amount_vnd = told.amount_vnd and movement.direction = told.direction
           and not exists (
               select from service.sighting as own
               where own.book_id = movement.book_id and own.movement_id = movement.id
                 and own.seen_by = told.seen_by) as fits
    from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::date[], $6::date[],
                $7::bigint[], $8::text[], $9::text[])
        as told (position, book_id, origin, trace, from_on, to_on, amount_vnd, direction, seen_by)
    join service.token
      on token.book_id = told.book_id and token.kind = 'trace' and token.value = told.trace
    join service.movement
      on movement.book_id = token.book_id and movement.id = token.movement_id
     and movement.origin = told.origin
     and movement.value_date between told.from_on and told.to_on
"""

# What only other windows have told so far, of the same amount around the same day.
BY_AMOUNT: Final = """
    select distinct sighting.book_id, sighting.movement_id as id
    from (select distinct book_id, origin, amount_vnd, seen_by, happened_on
          from unnest($1::integer[], $2::text[], $3::bigint[], $4::text[], $5::date[])
            as told (book_id, origin, amount_vnd, seen_by, happened_on)) as told
    join service.account_window as other
      on other.book_id = told.book_id and other.origin = told.origin
     and other.seen_by <> told.seen_by
    join service.sighting
      on sighting.book_id = told.book_id and sighting.origin = told.origin
     and sighting.amount_vnd = told.amount_vnd and sighting.seen_by = other.seen_by
     and sighting.happened_on between told.happened_on - 1 and told.happened_on + 1
     and sighting.view in ('feed', 'statement')
    where sighting.movement_id is not null
      and not exists (
          select from service.sighting as own
          where own.book_id = sighting.book_id and own.movement_id = sighting.movement_id
            and own.seen_by = told.seen_by)
"""

MOVEMENTS: Final = """
    select movement.book_id, movement.id, movement.direction, movement.origin,
           movement.amount_vnd, movement.entry_id, money.allocated_vnd, money.suspense_vnd,
           money.held_vnd, money.unexplained_vnd, money.reversed_vnd, money.clearing_vnd,
           money.payout_vnd,
           array(select token.value from service.token
                 where token.book_id = movement.book_id and token.movement_id = movement.id
                   and token.kind = 'dossier') as dossiers
    from (select distinct book_id, id from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
          order by 1, 2) as told
    join service.movement on movement.book_id = told.book_id and movement.id = told.id
    join service.money_state as money
      on money.book_id = told.book_id and money.movement_id = told.id
    order by movement.book_id, movement.id
    for no key update of money
"""

SEEN: Final = """
    select sighting.book_id, sighting.movement_id, sighting.seen_by, sighting.traces,
           sighting.reference, sighting.happened_on
    from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
    join service.sighting
      on sighting.book_id = told.book_id and sighting.movement_id = told.id
    order by sighting.id
"""

# Where the money of a movement stands now: the net of its lines on the accounts that hold it.
PLACED: Final = """
    select line.book_id, line.movement_id, side.account, line.notice_id, line.item_id,
           line.budget_subsection, sum(side.amount_vnd)::bigint as amount_vnd
    from unnest($1::integer[], $2::uuid[]) as told (book_id, id)
    join ledger.line on line.book_id = told.book_id and line.movement_id = told.id
    cross join lateral (values (line.credit, line.amount_vnd), (line.debit, -line.amount_vnd))
        as side (account, amount_vnd)
    where side.account in ('1383', '3380', '3381', '3389')
    group by 1, 2, 3, 4, 5, 6
    having sum(side.amount_vnd) <> 0
    order by 1, 2, 3, 4, 5
"""
