"""The statements of the proof: each lists what breaks a rule, and nothing else.

Except the two that stream entries and postings, to be hashed again.
"""

import sqlalchemy as sa

from ledger.reading import ENTRY_COLUMNS, LINE_COLUMNS

ISOLATION = sa.text("select current_setting('transaction_isolation')")
ACCOUNTS = sa.text("select code from ledger.account where book_id = :book_id")

ENTRIES = sa.text(f"""
    select {ENTRY_COLUMNS}, line.position, {LINE_COLUMNS}, line.segment as line_segment,
           line.value_date as line_value_date, line.recorded_at as line_recorded_at
    from ledger.entry as entry
    left join ledger.line as line on line.book_id = entry.book_id and line.entry_id = entry.id
    where entry.book_id = :book_id
    order by entry.id
""")  # noqa: S608 - joined from constants

ORPHAN_LINES = sa.text("""
    select line.entry_id, line.position
    from ledger.line as line
    left join ledger.entry as entry on entry.book_id = line.book_id and entry.id = line.entry_id
    where line.book_id = :book_id and entry.id is null
    order by line.entry_id, line.position
""")

POSTINGS = sa.text("""
    select posting.id, posting.digest, posting.day, posting.segment, posting.recorded_at,
           member.entry_id, entry.hash, entry.posting_id, entry.day as entry_day,
           entry.segment as entry_segment, entry.recorded_at as entry_recorded_at
    from ledger.posting as posting
    left join lateral unnest(posting.entry_ids) as member (entry_id) on true
    left join ledger.entry as entry
      on entry.book_id = :book_id and entry.id = member.entry_id
    where posting.book_id = :book_id
    order by posting.id
""")

# Counting is cheap; naming compares every entry with the members of its posting.
COUNTS = sa.text("""
    select (select count(*) from ledger.entry where book_id = :book_id) as entries, (
        select count(*) from ledger.posting as posting
        cross join lateral unnest(posting.entry_ids) as member (entry_id)
        join ledger.entry as entry
          on entry.book_id = :book_id and entry.id = member.entry_id
         and entry.posting_id = posting.id
        where posting.book_id = :book_id
    ) as listed
""")
UNPOSTED = sa.text("""
    select entry.id, entry.posting_id from ledger.entry as entry
    where entry.book_id = :book_id and not exists (
        select from ledger.posting as posting
        where posting.book_id = :book_id and posting.id = entry.posting_id
          and entry.id = any(posting.entry_ids)
    )
    order by entry.id
""")

UNLIKE_REVERSALS = sa.text("""
    select reversal.id, reversal.reverses, original.id is null as missing,
           reversal.shared_id is distinct from original.shared_id as apart, uneven.position
    from ledger.entry as reversal
    left join ledger.entry as original
      on original.book_id = :book_id and original.id = reversal.reverses
    left join lateral (
        select coalesce(undone.position, done.position) as position
        from (select * from ledger.line where book_id = :book_id and entry_id = reversal.id)
            as undone
        full join (select * from ledger.line where book_id = :book_id and entry_id = original.id)
            as done on done.position = undone.position
        where (undone.debit, undone.credit, undone.amount_vnd, undone.notice_id, undone.item_id,
               undone.movement_id, undone.bank_account_id, undone.merchant,
               undone.budget_subsection)
           is distinct from
              (done.credit, done.debit, done.amount_vnd, done.notice_id, done.item_id,
               done.movement_id, done.bank_account_id, done.merchant, done.budget_subsection)
        order by 1 limit 1
    ) as uneven on true
    where reversal.book_id = :book_id and reversal.reverses is not null
      and (original.id is null or uneven.position is not null
           or reversal.shared_id is distinct from original.shared_id)
    order by reversal.id
""")
TWICE_REVERSED = sa.text("""
    select reverses, count(*) as times from ledger.entry
    where book_id = :book_id and reverses is not null
    group by reverses having count(*) > 1 order by reverses
""")

MISPLACED = sa.text("""
    select entry.id, entry.segment, entry.day, entry.recorded_at, held.day as expected_day,
           held.begun, held.closed_at
    from ledger.entry as entry
    left join (
        select segment, day, closed_at,
               lag(closed_at, 1, '-infinity') over (order by segment) as begun
        from ledger.segment where book_id = :book_id
        union all
        select segment, day, 'infinity', coalesce((
            select closed_at from ledger.segment as before
            where before.book_id = :book_id and before.segment = open_day.segment - 1
        ), '-infinity')
        from ledger.open_day where book_id = :book_id
    ) as held on held.segment = entry.segment
    where entry.book_id = :book_id and (
        held.segment is null or held.day <> entry.day
        or entry.recorded_at <= held.begun or entry.recorded_at > held.closed_at)
    order by entry.id
""")
BROKEN_SEGMENTS = sa.text("""
    select expected.segment, segment.segment is null as missing
    from generate_series(1, greatest(
            (select open_day.segment - 1 from ledger.open_day where book_id = :book_id),
            (select max(segment) from ledger.segment where book_id = :book_id)))
        as expected (segment)
    left join ledger.segment as segment
      on segment.book_id = :book_id and segment.segment = expected.segment
    where segment.segment is null or segment.segment >= (
        select open_day.segment from ledger.open_day where book_id = :book_id)
    order by 1
""")

# Lines by stretch between checkpoints, against what the checkpoints say.
_STRETCHES = """
    turnover as (
        select side.account, side.value_date, side.segment, sum(debit_vnd) as debit_vnd,
               sum(credit_vnd) as credit_vnd, sum(debits) as debits
        from (
            select debit as account, value_date, segment, sum(amount_vnd) as debit_vnd,
                   0 as credit_vnd, count(*) as debits
            from ledger.line where book_id = :book_id group by debit, value_date, segment
            union all
            select credit, value_date, segment, 0, sum(amount_vnd), 0
            from ledger.line where book_id = :book_id group by credit, value_date, segment
        ) as side
        group by side.account, side.value_date, side.segment
    ), real as (
        select turnover.account, turnover.value_date, stretch.segment,
               sum(debit_vnd) as debit_vnd, sum(credit_vnd) as credit_vnd, sum(debits) as debits
        from turnover join lateral (
            select segment from ledger.checkpoint
            where book_id = :book_id and segment >= turnover.segment order by segment limit 1
        ) as stretch on true
        group by turnover.account, turnover.value_date, stretch.segment
    )
"""
CHECKPOINT_DAYS = sa.text(f"""
    with {_STRETCHES}
    select account, value_date, segment,
           coalesce(real.debit_vnd, 0) as debit_vnd, coalesce(real.credit_vnd, 0) as credit_vnd,
           coalesce(told.debit_vnd, 0) as told_debit_vnd,
           coalesce(told.credit_vnd, 0) as told_credit_vnd
    from real
    full join (select * from ledger.checkpoint_day where book_id = :book_id) as told
      using (account, value_date, segment)
    where coalesce(real.debit_vnd, 0) <> coalesce(told.debit_vnd, 0)
       or coalesce(real.credit_vnd, 0) <> coalesce(told.credit_vnd, 0)
    order by segment, account, value_date
""")  # noqa: S608 - joined from constants
CHECKPOINT_BALANCES = sa.text(f"""
    with {_STRETCHES}, summed as (
        select account.code as account, stretch.segment,
               sum(coalesce(sum(real.debit_vnd), 0)) over earlier as debit_vnd,
               sum(coalesce(sum(real.credit_vnd), 0)) over earlier as credit_vnd
        from (select segment from ledger.checkpoint where book_id = :book_id) as stretch
        cross join (
            select code from ledger.account where book_id = :book_id
            union select account from ledger.checkpoint_balance where book_id = :book_id
        ) as account
        left join real on real.account = account.code and real.segment = stretch.segment
        group by account.code, stretch.segment
        window earlier as (partition by account.code order by stretch.segment)
    )
    select account, segment,
           coalesce(summed.debit_vnd, 0) as debit_vnd, coalesce(summed.credit_vnd, 0) as credit_vnd,
           coalesce(told.debit_vnd, 0) as told_debit_vnd,
           coalesce(told.credit_vnd, 0) as told_credit_vnd
    from summed
    full join (select * from ledger.checkpoint_balance where book_id = :book_id) as told
      using (account, segment)
    where coalesce(summed.debit_vnd, 0) <> coalesce(told.debit_vnd, 0)
       or coalesce(summed.credit_vnd, 0) <> coalesce(told.credit_vnd, 0)
    order by segment, account
""")  # noqa: S608 - joined from constants
CHECKPOINT_COUNTS = sa.text(f"""
    with {_STRETCHES}, counted as (
        select segment, sum(debits) as lines from real group by segment
    )
    select checkpoint.segment, checkpoint.line_count, coalesce(counted.lines, 0) as lines,
           checkpoint.day, checkpoint.closed_at, segment.day as segment_day,
           segment.closed_at as segment_closed_at
    from ledger.checkpoint as checkpoint
    left join counted using (segment)
    left join ledger.segment as segment
      on segment.book_id = :book_id and segment.segment = checkpoint.segment
    where checkpoint.book_id = :book_id
      and (checkpoint.line_count <> coalesce(counted.lines, 0)
           or checkpoint.day is distinct from segment.day
           or checkpoint.closed_at is distinct from segment.closed_at)
    order by checkpoint.segment
""")  # noqa: S608 - joined from constants
LAST_SUMMED = sa.text("""
    select summed.segment, coalesce(max(checkpoint.segment), 0) as last
    from ledger.summed as summed
    left join ledger.checkpoint as checkpoint on checkpoint.book_id = summed.book_id
    where summed.book_id = :book_id
    group by summed.segment having summed.segment <> coalesce(max(checkpoint.segment), 0)
""")
FULL_SUMS = sa.text("""
    select account, sum(debit_vnd) as debit_vnd, sum(credit_vnd) as credit_vnd
    from (
        select debit as account, sum(amount_vnd) as debit_vnd, 0 as credit_vnd
        from ledger.line where book_id = :book_id group by debit
        union all
        select credit, 0, sum(amount_vnd) from ledger.line where book_id = :book_id group by credit
    ) as side
    group by account order by account
""")

UNMIRRORED = sa.text("""
    with mine as (
        select distinct entry.shared_id
        from ledger.entry as entry
        join ledger.line as line on line.book_id = entry.book_id and line.entry_id = entry.id
        where entry.book_id = :book_id and entry.shared_id is not null
          and (array[line.debit, line.credit]) && cast(:due as text[])
    ), due as (
        select mine.shared_id,
            sum(amount_vnd) filter (where line.debit = :due_from) as lent,
            sum(amount_vnd) filter (where line.credit = :due_from) as lent_back,
            sum(amount_vnd) filter (where line.credit = :due_to) as borrowed,
            sum(amount_vnd) filter (where line.debit = :due_to) as borrowed_back
        from mine
        cross join ledger.book as book
        join ledger.entry as entry
          on entry.book_id = book.book_id and entry.shared_id = mine.shared_id
        join ledger.line as line on line.book_id = entry.book_id and line.entry_id = entry.id
        group by mine.shared_id
    ), net as (
        select shared_id, coalesce(lent, 0) - coalesce(lent_back, 0) as due_from_vnd,
               coalesce(borrowed, 0) - coalesce(borrowed_back, 0) as due_to_vnd
        from due
    )
    select shared_id, due_from_vnd, due_to_vnd from net
    where due_from_vnd <> due_to_vnd order by shared_id
""")
UNSHARED = sa.text("""
    select distinct entry.id from ledger.line as line
    join ledger.entry as entry on entry.book_id = line.book_id and entry.id = line.entry_id
    where line.book_id = :book_id and entry.shared_id is null
      and (array[line.debit, line.credit]) && cast(:due as text[])
    order by entry.id
""")
