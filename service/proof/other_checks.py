"""Invariants 6, 10 and 11 (claims, outbox, stored answers), and 7, of which no fact exists yet."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

CLAIMED_ONCE = sa.text("""
    select 'service.claim' as tbl, item_kind || ' ' || item_id as row_id,
           'one live match' as expected,
           format('%s matches, the first is %s', count(*), min(cast(match_id as text))) as found
    from service.claim where book_id = :book_id
    group by item_kind, item_id having count(*) > 1
    order by 2 limit :limit
""")

CLAIMED_THERE = sa.text("""
    select 'service.claim' as tbl, claim.item_kind || ' ' || claim.item_id as row_id,
           'an item of this book' as expected, 'it is not there' as found
    from service.claim as claim
    where claim.book_id = :book_id and case claim.item_kind
        when 'movement' then not exists (
            select from service.movement as item
            where item.book_id = claim.book_id and item.id = claim.item_id)
        when 'statement_line' then not exists (
            select from service.statement_line as item
            where item.book_id = claim.book_id and item.id = claim.item_id)
        when 'settlement_batch' then not exists (
            select from service.settlement_batch as item
            where item.book_id = claim.book_id and item.id = claim.item_id)
        when 'event' then not exists (
            select from service.event as item
            where item.book_id = claim.book_id and item.id = claim.item_id)
        else false end
    order by 2 limit :limit
""")

# A notice has the versions 1 to n, and each is told by one event; what was open when a book began
# was brought in without telling.
EVENT_PER_VERSION = sa.text("""
    with told as (
        select notice_id, count(*) as events,
               count(distinct cast(payload ->> 'version' as integer)) as versions,
               min(cast(payload ->> 'version' as integer)) as first,
               max(cast(payload ->> 'version' as integer)) as last
        from service.outbox where book_id = :book_id and notice_id is not null
        group by notice_id
    ), broken as (
        select coalesce(state.notice_id, told.notice_id) as notice_id, state.version,
               case when notice.opening then 2 else 1 end as first, told.events, told.versions,
               told.first as told_first, told.last as told_last
        from (select * from service.notice_state where book_id = :book_id) as state
        left join service.notice as notice
          on notice.book_id = :book_id and notice.id = state.notice_id
        full join told on told.notice_id = state.notice_id
        where state.notice_id is null
           or coalesce(told.events, 0)
              <> state.version - (case when notice.opening then 1 else 0 end)
           or coalesce(told.versions, 0) <> coalesce(told.events, 0)
           or told.last <> state.version
           or told.first <> (case when notice.opening then 2 else 1 end)
    )
    select 'service.outbox' as tbl, 'notice ' || notice_id as row_id,
           format('one event for each version %s to %s', first, version) as expected,
           coalesce('none of version ' || (
               select min(missing.version) from generate_series(broken.first, broken.version)
                   as missing (version)
               where not exists (
                   select from service.outbox as event
                   where event.book_id = :book_id and event.notice_id = broken.notice_id
                     and cast(event.payload ->> 'version' as integer) = missing.version)),
               format('%s events of %s versions', events, versions)) as found
    from broken order by 2 limit :limit
""")

LAST_EVENT = sa.text("""
    with last as (
        select distinct on (notice_id) notice_id, id, payload
        from service.outbox where book_id = :book_id and notice_id is not null
        order by notice_id, cast(payload ->> 'version' as integer) desc
    )
    select 'service.outbox' as tbl, cast(last.id as text) as row_id,
           format('notice %s: amount %s, exempted %s, paid %s, held %s, outstanding %s',
                  state.notice_id, state.amount_vnd, state.exempted_vnd, state.paid_vnd,
                  state.held_vnd, state.outstanding_vnd) as expected,
           format('amount %s, exempted %s, paid %s, held %s, outstanding %s',
                  last.payload ->> 'amount_vnd', last.payload ->> 'exempted_vnd',
                  last.payload ->> 'paid_vnd', last.payload ->> 'held_vnd',
                  last.payload ->> 'outstanding_vnd') as found
    from last
    join service.notice_state as state
      on state.book_id = :book_id and state.notice_id = last.notice_id
    where cast(last.payload ->> 'version' as integer) = state.version
      and (state.amount_vnd, state.exempted_vnd, state.paid_vnd, state.held_vnd,
           state.outstanding_vnd)
          is distinct from
          (cast(last.payload ->> 'amount_vnd' as bigint),
           cast(last.payload ->> 'exempted_vnd' as bigint),
           cast(last.payload ->> 'paid_vnd' as bigint),
           cast(last.payload ->> 'held_vnd' as bigint),
           cast(last.payload ->> 'outstanding_vnd' as bigint))
    order by 2 limit :limit
""")

POSITIONS = sa.text("""
    with placed as (
        select id, position, lag(position, 1, 0) over (order by position) as before
        from service.outbox where book_id = :book_id and position is not null
    )
    select 'service.outbox' as tbl, cast(id as text) as row_id,
           'position ' || before + 1 as expected, 'position ' || position as found
    from placed where position <> before + 1
    union all
    select 'service.feed_position', cast(:book_id as text),
           'position ' || coalesce(last.position, 0), 'position ' || coalesce(feed.position, 0)
    from (select max(position) as position from placed) as last
    full join (select position from service.feed_position where book_id = :book_id) as feed on true
    where coalesce(last.position, 0) <> coalesce(feed.position, 0)
    order by 1, 2 limit :limit
""")

IN_ORDER = sa.text("""
    select 'service.outbox' as tbl, cast(id as text) as row_id,
           format('after version %s of notice %s', before, notice_id) as expected,
           format('version %s at position %s', version, position) as found
    from (
        select id, notice_id, position, cast(payload ->> 'version' as integer) as version,
               lag(cast(payload ->> 'version' as integer))
                   over (partition by notice_id order by position) as before
        from service.outbox
        where book_id = :book_id and position is not null and notice_id is not null
    ) as event
    where version <= before
    order by 2 limit :limit
""")

ANSWERED_ONCE = sa.text("""
    select 'service.idempotency' as tbl, caller || ' ' || key as row_id,
           'one answer' as expected,
           format('%s answers, %s requests', count(*), count(distinct request_hash)) as found
    from service.idempotency where book_id = :book_id
    group by caller, key having count(*) > 1
    order by 2 limit :limit
""")

# Says nothing while there are none; a table of decisions that nobody proves would be a hole.
UNPROVEN_DECISIONS = sa.text("""
    select table_schema || '.' || table_name as tbl, column_name as row_id,
           'a proof that maker and checker differ' as expected, 'this proof has none' as found
    from information_schema.columns
    where table_schema in ('ledger', 'service') and column_name in ('maker', 'maker_id')
      and cast(:book_id as integer) is not null
    order by 1, 2 limit :limit
""")

NO_DECISIONS: Final = "chưa ghi nhận quyết định nào / no decisions are recorded yet"

CHECKS: Final = (
    Check(invariant=6, name="claims", statement=CLAIMED_ONCE, counts="service.claim"),
    Check(invariant=6, name="claimed items", statement=CLAIMED_THERE, counts="service.claim"),
    Check(
        invariant=7,
        name="decisions",
        statement=UNPROVEN_DECISIONS,
        counts="",
        note=NO_DECISIONS,
    ),
    Check(invariant=10, name="versions", statement=EVENT_PER_VERSION, counts="service.outbox"),
    Check(invariant=10, name="last events", statement=LAST_EVENT, counts="service.outbox"),
    Check(invariant=10, name="positions", statement=POSITIONS, counts="service.outbox"),
    Check(invariant=10, name="order", statement=IN_ORDER, counts="service.outbox"),
    Check(invariant=11, name="answers", statement=ANSWERED_ONCE, counts="service.idempotency"),
)
