-- One callback, one transaction, one statement: the same rows to the same tables as the service.
with told as materialized (
    select nextval('bench_number') as n
), ids as materialized (
    select n, uuidv7() as call_id, uuidv7() as event_id, uuidv7() as movement_id,
           uuidv7() as entry_id, uuidv7() as allocation_id, uuidv7() as posting_id,
           (10000000 + n)::text as txn, clock_timestamp() as now
    from told
), held as materialized (
    select book_id, day, segment from ledger.open_day where book_id = 1 for share
), owed as materialized (
    select request.reference, state.notice_id, state.paid_vnd, notice.dossier_code, state.version
    from ids
    join bench_order using (n)
    join service.payment_request as request
      on request.book_id = 1 and request.reference = bench_order.reference
    join service.payment_request_notice as asked
      on asked.book_id = 1 and asked.reference = request.reference
    join service.notice_state as state on state.book_id = 1 and state.notice_id = asked.notice_id
    join service.notice on notice.book_id = 1 and notice.id = asked.notice_id
    where state.outstanding_vnd >= 50000
    for no key update of state
), item as materialized (
    select item.id, item.budget_subsection from owed
    join service.notice_item as item on item.book_id = 1 and item.notice_id = owed.notice_id
), kept as (
    insert into service.call (book_id, id, merchant_id, received_at, sealed)
    select 1, call_id, 1, now, :call_bytes::text::bytea from ids
), believed as (
    insert into service.event (book_id, id, call_id, merchant_id, provider_txn, status, amount_key,
        amount_vnd, reference, happened_at, recorded_at, outcome, movement_id, memo_sealed)
    select 1, event_id, call_id, 1, txn, 'paid', '50000', 50000, reference, now, now, 'booked',
           movement_id, :memo_bytes::text::bytea
    from ids, owed
), seen as (
    insert into service.sighting (book_id, id, movement_id, view, seen_by, origin, direction,
        amount_vnd, traces, reference, happened_on, outcome, recorded_at)
    select 1, event_id, movement_id, 'callback', E'callback\x3avnpay/HUEBENCH', E'merchant\x3avnpay/HUEBENCH',
           'in', 50000, array[txn], reference, now::date, 'allocated', now
    from ids, owed
), moved as (
    insert into service.movement (book_id, id, direction, origin, trace, amount_vnd, happened_at,
        value_date, recorded_at, entry_id)
    select 1, movement_id, 'in', E'merchant\x3avnpay/HUEBENCH', txn, 50000, now, now::date, now, entry_id
    from ids, owed
), money as (
    insert into service.money_state (book_id, movement_id, amount_vnd, allocated_vnd, clearing_vnd)
    select 1, movement_id, 50000, 50000, 50000 from ids, owed
), paid as (
    update service.notice_state as state
    set paid_vnd = state.paid_vnd + 50000, version = state.version + 1, updated_at = now
    from ids, owed where state.book_id = 1 and state.notice_id = owed.notice_id
), paid_item as (
    update service.notice_item as changed set paid_vnd = changed.paid_vnd + 50000
    from owed, item
    where changed.book_id = 1 and changed.notice_id = owed.notice_id and changed.id = item.id
), allocated as (
    insert into service.allocation (book_id, id, notice_id, movement_book_id, movement_id,
        amount_vnd, entry_id, rule, recorded_at)
    select 1, allocation_id, notice_id, 1, movement_id, 50000, entry_id, 'callback', now
    from ids, owed
), news as (
    insert into service.outbox (book_id, id, type, dossier_code, notice_id, payload, recorded_at)
    select 1, uuidv7(), 'fee_notice.paid', dossier_code, notice_id,
           jsonb_build_object('notice_id', notice_id, 'dossier_code', dossier_code,
               'status', 'paid', 'amount_vnd', 50000, 'exempted_vnd', 0, 'paid_vnd', 50000,
               'held_vnd', 0, 'outstanding_vnd', 0, 'settled', true, 'version', version + 1),
           now
    from ids, owed
), entered as (
    insert into ledger.entry (book_id, id, posting_id, source, kind, happened_at, value_date,
        recorded_at, day, segment, line_count, parts, hash)
    select 1, entry_id, posting_id, 'movement:' || movement_id, 'money_in', now, now::date, now,
           day, segment, 1, :parts_bytes::text::bytea, sha256(movement_id::text::bytea)
    from ids, owed, held
), lined as (
    insert into ledger.line (book_id, entry_id, position, debit, credit, amount_vnd, segment,
        value_date, recorded_at, notice_id, item_id, movement_id, merchant, budget_subsection)
    select 1, entry_id, 1, '1130', '1383', 50000, segment, now::date, now, notice_id, item.id,
           movement_id, 'vnpay/HUEBENCH', item.budget_subsection
    from ids, owed, held, item
)
insert into ledger.posting (book_id, id, day, segment, recorded_at, entry_ids, digest)
select 1, posting_id, day, segment, now, array[entry_id], sha256(entry_id::text::bytea)
from ids, owed, held;
