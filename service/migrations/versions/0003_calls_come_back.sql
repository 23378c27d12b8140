-- Calls that were not believed come back; deliveries about an unknown order are counted; what a
-- provider said of an order is found by the order; a merchant's secrets have an age.

alter table service.quarantine add column tried_at timestamptz;
comment on column service.quarantine.tried_at is
    'when a stuck call was last tried again without success; tries counts how often';
create index quarantine_by_age on service.quarantine (received_at);

create table service.unknown_order (
    book_id integer not null,
    event_id uuid not null,
    asked integer not null check (asked > 1),
    primary key (book_id, event_id)
);
comment on table service.unknown_order is
    'state: how often an event about an order we do not know was delivered, from the second time on';
grant select, insert, update on service.unknown_order to doisoat_app;
grant select on service.unknown_order to doisoat_keeper;

create index event_of_order on service.event (book_id, reference) where reference is not null;

alter table service.merchant add column secrets_since timestamptz[] not null default '{}';
comment on column service.merchant.secrets_since is
    'since when each secret is ours, in their order; empty: since created_at';
