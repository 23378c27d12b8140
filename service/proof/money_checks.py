"""Invariants 12 and 13: control accounts equal their open items; the bank account its lines."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

WAITING_REASONS: Final = [
    "UNIDENTIFIED_CREDIT",
    "AMOUNT_MISMATCH",
    "HELD_BY_PROVIDER",
    "AMBIGUOUS",
    "WRONG_ACCOUNT",
    "ORPHAN_SETTLEMENT",
    "DUPLICATE_SETTLEMENT",
    "SETTLEMENT_ADJUSTMENT",
    "CHARGEBACK_REVERSED",
]
"""Reasons that intake gives to money on 3380: while such a case is live, money waits there."""

# Each movement's lines on the control accounts of its own book, against its counters. Money of a
# reversed credit left its account under the movement that reversed it: see REVERSED.
OPEN_ITEMS = sa.text("""
    with side as (
        select movement_id, debit as account, amount_vnd from ledger.line
        where book_id = :book_id and movement_id is not null
          and debit in ('1130', '1380', '1388', '3380', '3381', '3382')
        union all
        select movement_id, credit, -amount_vnd from ledger.line
        where book_id = :book_id and movement_id is not null
          and credit in ('1130', '1380', '1388', '3380', '3381', '3382')
    ), net as (
        select movement_id, sum(amount_vnd) filter (where account = '1130') as clearing_vnd,
               sum(amount_vnd) filter (where account = '1380') as unexplained_vnd,
               sum(amount_vnd) filter (where account = '1388') as receivable_vnd,
               -sum(amount_vnd) filter (where account = '3380') as suspense_vnd,
               -sum(amount_vnd) filter (where account = '3381') as held_vnd,
               -sum(amount_vnd) filter (where account = '3382') as refund_vnd
        from side group by movement_id
    ), owed as (
        select movement_id, sum(vnd) as vnd from (
            select movement_id, receivable_vnd + disputed_vnd as vnd from service.settlement_line
            where book_id = :book_id and movement_book_id = :book_id
            union all
            select movement_id, -amount_vnd from service.payout_match where book_id = :book_id
        ) as told group by movement_id
    )
    select 'service.money_state' as tbl,
           cast(coalesce(state.movement_id, net.movement_id) as text) as row_id,
           format('lines: 1130 %s, 1380 %s, 3380 %s, 3381 %s, 1388 %s, 3382 %s',
                  coalesce(net.clearing_vnd, 0), coalesce(net.unexplained_vnd, 0),
                  coalesce(net.suspense_vnd, 0), coalesce(net.held_vnd, 0),
                  coalesce(net.receivable_vnd, 0), coalesce(net.refund_vnd, 0)) as expected,
           case when state.movement_id is null then 'no movement of this book'
                else format('clearing %s, unexplained %s, suspense %s, held %s, settled %s',
                            state.clearing_vnd, state.unexplained_vnd, state.suspense_vnd,
                            state.held_vnd, coalesce(owed.vnd, 0)) end as found
    from (select * from service.money_state where book_id = :book_id) as state
    full join net on net.movement_id = state.movement_id
    left join owed on owed.movement_id = coalesce(state.movement_id, net.movement_id)
    where state.movement_id is null
       or coalesce(net.clearing_vnd, 0) <> state.clearing_vnd
       or coalesce(net.unexplained_vnd, 0) <> state.unexplained_vnd
       or coalesce(net.receivable_vnd, 0) <> coalesce(owed.vnd, 0)
       or coalesce(net.refund_vnd, 0) <> 0
       or (state.reversed_vnd = 0 and (coalesce(net.suspense_vnd, 0) <> state.suspense_vnd
                                       or coalesce(net.held_vnd, 0) <> state.held_vnd))
    order by 2 limit :limit
""")

# Reversed credits and what reversed them, by origin and amount: as many of one as of the other,
# and nothing of theirs is left on any account but the money's own.
REVERSED = sa.text("""
    with reversed as (
        select movement.id, movement.origin, movement.amount_vnd, movement.direction
        from service.money_state as state
        join service.movement as movement
          on movement.book_id = state.book_id and movement.id = state.movement_id
        where state.book_id = :book_id and state.reversed_vnd > 0
    ), net as (
        select reversed.origin, reversed.amount_vnd, side.account, sum(side.vnd) as left_vnd
        from reversed
        join ledger.line as line
          on line.book_id = :book_id and line.movement_id = reversed.id
        cross join lateral (values (line.debit, line.amount_vnd), (line.credit, -line.amount_vnd))
            as side (account, vnd)
        where side.account not in ('1110', '1121', '1130', '1388', '6140')
        group by reversed.origin, reversed.amount_vnd, side.account
    ), uneven as (
        select origin, amount_vnd,
               format('%s in, %s out', count(*) filter (where direction = 'in'),
                      count(*) filter (where direction = 'out')) as found
        from reversed group by origin, amount_vnd
        having count(*) filter (where direction = 'in')
            <> count(*) filter (where direction = 'out')
        union all
        select origin, amount_vnd, format('%s đồng are left on %s', left_vnd, account)
        from net where left_vnd <> 0
    )
    select 'service.money_state' as tbl, (
               select min(cast(id as text)) from reversed
               where reversed.origin = uneven.origin and reversed.amount_vnd = uneven.amount_vnd
           ) as row_id,
           format('credits of %s đồng at %s, each reversed whole by one debit', amount_vnd, origin)
               as expected, found
    from uneven order by 2 limit :limit
""")

# Lines of control accounts that no movement explains: a statement line in doubt with its live
# case, a provider's fee that is of no payment, or what an older system brought in.
WITHOUT_MOVEMENT = sa.text("""
    select 'ledger.line' as tbl, line.entry_id || '/' || line.position as row_id,
           'an open item: a movement, a statement line in doubt, an opening balance' as expected,
           format('%s đồng from %s to %s in an entry %s', line.amount_vnd, line.credit, line.debit,
                  entry.kind) as found
    from ledger.line as line
    left join ledger.entry as entry
      on entry.book_id = line.book_id and entry.id = line.entry_id
    where line.book_id = :book_id and line.movement_id is null
      and (line.debit in ('1130', '1380', '1388', '3380', '3381', '3382')
           or line.credit in ('1130', '1380', '1388', '3380', '3381', '3382'))
      and '9990' not in (line.debit, line.credit)
      and not (entry.kind = 'unsure' and exists (
          select from service.sighting as sighting
          join service.unmatched as open
            on open.book_id = sighting.book_id and open.subject_id = sighting.id
           and open.reason = 'SAME_MOVEMENT_UNSURE' and open.status <> 'resolved'
          where sighting.book_id = line.book_id
            and 'sighting:' || sighting.id = entry.source
            and sighting.amount_vnd = line.amount_vnd))
      and not (entry.kind = 'settled' and exists (
          select from service.settlement_line as told
          where told.book_id = line.book_id and told.movement_id is null
            and told.id = cast(case entry.kind when 'settled' then substr(entry.source, 12) end
                               as uuid)
            and abs(told.receivable_vnd) = line.amount_vnd))
    order by line.entry_id, line.position limit :limit
""")

# Money that waits is on the list, and what the list says waits does wait.
LISTED = sa.text("""
    with live as (
        select subject_id, min(cast(id as text)) as id, min(reason) as reason
        from service.unmatched
        where book_id = :book_id and subject_kind = 'movement' and status <> 'resolved'
        group by subject_id
    )
    select 'service.money_state' as tbl, cast(state.movement_id as text) as row_id,
           'a live case' as expected,
           format('none, with %s đồng in suspense, %s held, %s unexplained', state.suspense_vnd,
                  state.held_vnd, state.unexplained_vnd) as found
    from service.money_state as state
    left join live on live.subject_id = state.movement_id
    where state.book_id = :book_id and live.id is null
      and (state.suspense_vnd > 0 or state.held_vnd > 0 or state.unexplained_vnd > 0)
    union all
    select 'service.unmatched', cast(open.id as text),
           format('money in suspense, as %s says', open.reason),
           case when state.movement_id is null then 'no movement' else 'none waits' end
    from service.unmatched as open
    left join service.money_state as state
      on state.book_id = open.book_id and state.movement_id = open.subject_id
    where open.book_id = :book_id and open.subject_kind = 'movement'
      and open.status <> 'resolved' and open.reason = any(cast(:reasons as text[]))
      and coalesce(state.suspense_vnd, 0) = 0
    order by 2 limit :limit
""")

# By account and day, so it holds at the end of every statement; opening entries are against 9990.
AT_THE_BANK = sa.text("""
    with booked as (
        select bank_account_id, value_date,
               sum(case when debit = '1121' then amount_vnd else -amount_vnd end) as vnd
        from ledger.line
        where book_id = :book_id and '1121' in (debit, credit) and '9990' not in (debit, credit)
        group by bank_account_id, value_date
    ), told as (
        select bank_account_id, value_date,
               sum(case when direction = 'in' then amount_vnd else -amount_vnd end) as vnd
        from service.statement_line where book_id = :book_id
        group by bank_account_id, value_date
    )
    select 'service.bank_account' as tbl,
           format('%s on %s', coalesce(told.bank_account_id, booked.bank_account_id),
                  coalesce(told.value_date, booked.value_date)) as row_id,
           coalesce(told.vnd, 0) || ' đồng of statement lines' as expected,
           coalesce(booked.vnd, 0) || ' đồng on 1121' as found
    from told
    full join booked on booked.bank_account_id = told.bank_account_id
                    and booked.value_date = told.value_date
    where coalesce(told.vnd, 0) <> coalesce(booked.vnd, 0)
    order by 2 limit :limit
""")

# Each statement line moved its account once, by the entry that it caused.
LINES_BOOKED = sa.text("""
    select 'service.statement_line' as tbl, cast(line.id as text) as row_id,
           format('%s %s đồng on 1121 by its own entry', line.direction, line.amount_vnd)
               as expected,
           coalesce(booked.vnd, 0) || ' đồng' as found
    from service.statement_line as line
    left join service.sighting as sighting
      on sighting.book_id = line.book_id and sighting.id = line.id
    left join lateral (
        select sum(case when side.debit = '1121' then side.amount_vnd
                        when side.credit = '1121' then -side.amount_vnd end) as vnd
        from ledger.entry as entry
        join ledger.line as side
          on side.book_id = entry.book_id and side.entry_id = entry.id
         and side.bank_account_id = line.bank_account_id
        where entry.book_id = line.book_id
          and entry.source in ('sighting:' || line.id, 'movement:' || sighting.movement_id)
    ) as booked on true
    where line.book_id = :book_id
      and coalesce(booked.vnd, 0) <> case line.direction
              when 'in' then line.amount_vnd else -line.amount_vnd end
    order by line.id limit :limit
""")

CHECKS: Final = (
    Check(invariant=12, name="open items", statement=OPEN_ITEMS, counts="service.money_state"),
    Check(invariant=12, name="reversals", statement=REVERSED, counts="service.money_state"),
    Check(
        invariant=12, name="without a movement", statement=WITHOUT_MOVEMENT, counts="ledger.line"
    ),
    Check(
        invariant=12,
        name="the list",
        statement=LISTED,
        counts="service.unmatched",
        params={"reasons": WAITING_REASONS},
    ),
    Check(invariant=13, name="bank days", statement=AT_THE_BANK, counts="service.statement"),
    Check(
        invariant=13,
        name="statement lines",
        statement=LINES_BOOKED,
        counts="service.statement_line",
    ),
)
