-- Remittance: what of the fees is kept and what is the budget's, and how it gets there.

create table service.remittance (
    book_id integer not null,
    id uuid not null,
    rule text not null check (rule in ('monthly', 'weekly')),
    until date not null,
    due_on date not null,
    way text not null check (way in ('direct', 'treasury')),
    reference text not null,
    item_count bigint not null check (item_count > 0),
    split_vnd bigint not null check (split_vnd > 0),
    retained_vnd bigint not null check (retained_vnd >= 0),
    budget_vnd bigint not null check (budget_vnd >= 0),
    swept_vnd bigint not null default 0,
    status text not null default 'proposed' check (status in
        ('proposed', 'rejected', 'approved', 'swept', 'arrived', 'remitted')),
    paid_by uuid,
    slip_no text,
    slip_on date,
    arrived_on date,
    remitted_on date,
    recognition_id uuid,
    proposed_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (book_id, id),
    check (split_vnd = retained_vnd + budget_vnd)
);
create unique index remittance_by_reference on service.remittance (book_id, reference);
create unique index remittance_proposed on service.remittance (book_id, rule)
    where status = 'proposed';
create index remittance_by_status on service.remittance (book_id, status, id);
comment on table service.remittance is 'state: the fees of a book up to a day, taken apart and brought to the budget';

create table service.remittance_line (
    book_id integer not null,
    remittance_id uuid not null,
    code text not null,
    budget_subsection text not null,
    retained_percent smallint not null,
    item_count bigint not null,
    retained_vnd bigint not null check (retained_vnd >= 0),
    budget_vnd bigint not null check (budget_vnd >= 0),
    back_vnd bigint not null default 0,
    check (back_vnd between 0 and budget_vnd),
    primary key (book_id, remittance_id, code, budget_subsection, retained_percent)
);
comment on table service.remittance_line is 'fact with a counter: a remittance by fee, budget subsection (empty: none) and retained share; back_vnd is what of the budget''s share was refunded before it was remitted';

create table service.item_split (
    book_id integer not null,
    remittance_id uuid not null,
    item_id uuid not null,
    notice_id uuid not null,
    retained_vnd bigint not null check (retained_vnd >= 0),
    budget_vnd bigint not null check (budget_vnd >= 0),
    back_retained_vnd bigint not null default 0,
    back_budget_vnd bigint not null default 0,
    primary key (book_id, remittance_id, item_id),
    check (retained_vnd + budget_vnd > 0),
    check (back_retained_vnd between 0 and retained_vnd),
    check (back_budget_vnd between 0 and budget_vnd)
);
create index item_split_of_item on service.item_split (book_id, notice_id, item_id);
comment on table service.item_split is 'fact with two counters: what of an item a remittance took apart, and what of that was given back';

create table service.recognition (
    book_id integer not null,
    id uuid not null,
    until date not null,
    amount_vnd bigint not null check (amount_vnd > 0),
    status text not null default 'proposed' check (status in ('proposed', 'rejected', 'approved')),
    proposed_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (book_id, id)
);
create unique index recognition_proposed on service.recognition (book_id) where status = 'proposed';
comment on table service.recognition is 'state: retained shares that become revenue at the end of a period (3370 to 5140)';

alter table service.money_state add column remitted_vnd bigint not null default 0
    check (remitted_vnd >= 0);
alter table service.money_state drop constraint money_state_whole;
alter table service.money_state add constraint money_state_whole check (
    allocated_vnd + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd + payout_vnd
    + refund_vnd + remitted_vnd = amount_vnd);
comment on column service.money_state.remitted_vnd is
    'outgoing: what of it went to the Treasury for a remittance';

grant select, insert on service.remittance_line to doisoat_app;
grant update (back_vnd) on service.remittance_line to doisoat_app;
grant select, insert on service.item_split to doisoat_app;
grant update (back_retained_vnd, back_budget_vnd) on service.item_split to doisoat_app;
grant select, insert, update on service.remittance, service.recognition to doisoat_app;
grant select on
    service.remittance, service.remittance_line, service.item_split, service.recognition
    to doisoat_keeper;
