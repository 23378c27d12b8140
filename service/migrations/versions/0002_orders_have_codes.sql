-- Orders bear the name that their provider knows, and events what their number is unique within.

alter table service.payment_request add column order_code text;
comment on column service.payment_request.order_code is
    'what the provider calls the order, where that is not the reference; stored, never parsed back';
create unique index payment_request_by_order_code on service.payment_request (book_id, order_code)
    where order_code is not null;

alter table service.event add column scope text not null default '';
comment on column service.event.scope is
    'what provider_txn is unique within: the order, a payment link; empty: the merchant';
alter table service.event
    drop constraint event_book_id_merchant_id_provider_txn_status_amount_key_key;
alter table service.event
    add unique (book_id, merchant_id, scope, provider_txn, status, amount_key);
