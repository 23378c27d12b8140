-- One callback, one transaction, a statement for each table: the same rows as the service writes.
begin;
select day as day, segment as segment from ledger.open_day where book_id = 1 for share \gset
select nextval('bench_number') as n, uuidv7() as call_id, uuidv7() as event_id,
       uuidv7() as movement_id, uuidv7() as entry_id, uuidv7() as posting_id \gset
select request.reference as reference, state.notice_id as notice_id, item.id as item_id
from bench_order
join service.payment_request as request
  on request.book_id = 1 and request.reference = bench_order.reference
join service.payment_request_notice as asked
  on asked.book_id = 1 and asked.reference = request.reference
join service.notice_state as state on state.book_id = 1 and state.notice_id = asked.notice_id
join service.notice_item as item on item.book_id = 1 and item.notice_id = asked.notice_id
where bench_order.n = :n::bigint and state.outstanding_vnd >= 50000
for no key update of state \gset
insert into service.call (book_id, id, merchant_id, received_at, sealed)
values (1, :call_id::text::uuid, 1, now(), :call_bytes::text::bytea);
insert into service.event (book_id, id, call_id, merchant_id, provider_txn, status, amount_key,
    amount_vnd, reference, happened_at, recorded_at, outcome, movement_id, memo_sealed)
values (1, :event_id::text::uuid, :call_id::text::uuid, 1, (10000000 + :n::bigint)::text, 'paid', '50000',
    50000, :reference::text, now(), now(), 'booked', :movement_id::text::uuid, :memo_bytes::text::bytea);
insert into service.sighting (book_id, id, movement_id, view, seen_by, origin, direction,
    amount_vnd, traces, reference, happened_on, outcome, recorded_at)
values (1, :event_id::text::uuid, :movement_id::text::uuid, 'callback', E'callback\x3avnpay/HUEBENCH',
    E'merchant\x3avnpay/HUEBENCH', 'in', 50000, array[(10000000 + :n::bigint)::text], :reference::text,
    current_date, 'allocated', now());
insert into service.movement (book_id, id, direction, origin, trace, amount_vnd, happened_at,
    value_date, recorded_at, entry_id)
values (1, :movement_id::text::uuid, 'in', E'merchant\x3avnpay/HUEBENCH', (10000000 + :n::bigint)::text, 50000,
    now(), current_date, now(), :entry_id::text::uuid);
insert into service.money_state (book_id, movement_id, amount_vnd, allocated_vnd, clearing_vnd)
values (1, :movement_id::text::uuid, 50000, 50000, 50000);
update service.notice_state
set paid_vnd = paid_vnd + 50000, version = version + 1, updated_at = now()
where book_id = 1 and notice_id = :notice_id::text::uuid;
update service.notice_item set paid_vnd = paid_vnd + 50000
where book_id = 1 and notice_id = :notice_id::text::uuid and id = :item_id::text::uuid;
insert into service.allocation (book_id, id, notice_id, movement_book_id, movement_id,
    amount_vnd, entry_id, rule, recorded_at)
values (1, uuidv7(), :notice_id::text::uuid, 1, :movement_id::text::uuid, 50000,
    :entry_id::text::uuid, 'callback', now());
insert into service.outbox (book_id, id, type, dossier_code, notice_id, payload, recorded_at)
values (1, uuidv7(), 'fee_notice.paid', '000.00.23.H57-261102-' || :n::text, :notice_id::text::uuid,
    jsonb_build_object('notice_id', :notice_id::text, 'dossier_code', '000.00.23.H57-261102-' || :n::text,
        'status', 'paid', 'amount_vnd', 50000, 'exempted_vnd', 0, 'paid_vnd', 50000, 'held_vnd', 0,
        'outstanding_vnd', 0, 'settled', true, 'version', 2), now());
insert into ledger.entry (book_id, id, posting_id, source, kind, happened_at, value_date,
    recorded_at, day, segment, line_count, parts, hash)
values (1, :entry_id::text::uuid, :posting_id::text::uuid, 'movement:' || :movement_id::text,
    'money_in', now(), current_date, now(), :day::text::date, :segment::bigint, 1,
    :parts_bytes::text::bytea, sha256(:movement_id::text::bytea));
insert into ledger.line (book_id, entry_id, position, debit, credit, amount_vnd, segment,
    value_date, recorded_at, notice_id, item_id, movement_id, merchant, budget_subsection)
values (1, :entry_id::text::uuid, 1, '1130', '1383', 50000, :segment::bigint, current_date, now(),
    :notice_id::text::uuid, :item_id::text::uuid, :movement_id::text::uuid, 'vnpay/HUEBENCH',
    '2721');
insert into ledger.posting (book_id, id, day, segment, recorded_at, entry_ids, digest)
values (1, :posting_id::text::uuid, :day::text::date, :segment::bigint, now(),
    array[:entry_id::text::uuid], sha256(:entry_id::text::bytea));
commit;
