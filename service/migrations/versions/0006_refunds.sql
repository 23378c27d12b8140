-- Refunds: decisions by two people, what is given back, and how far each part of it is.

-- ---------------------------------------------------------------- decisions by two people

create table service.decision (
    book_id integer not null,
    id uuid not null,
    kind text not null check (kind ~ '^[a-z_]{1,40}$'),
    subject_id uuid not null,
    amount_vnd bigint not null check (amount_vnd > 0),
    maker text not null check (maker ~ '^staff:[0-9a-f-]{36}$'),
    approvals_needed smallint not null check (approvals_needed between 1 and 3),
    detail jsonb not null default '{}',
    proposed_at timestamptz not null,
    status text not null default 'proposed' check (status in ('proposed', 'approved', 'rejected')),
    approvals smallint not null default 0 check (approvals between 0 and approvals_needed),
    decided_at timestamptz,
    primary key (book_id, id),
    unique (book_id, id, maker),
    check (status <> 'approved' or approvals = approvals_needed),
    check ((status = 'proposed') = (decided_at is null))
);
create unique index decision_live on service.decision (book_id, kind, subject_id)
    where status = 'proposed';
create index decision_of_subject on service.decision (book_id, subject_id, id);
comment on table service.decision is 'state: what a person proposed; maker is a person, never a key; detail holds no personal data';

create table service.decision_vote (
    book_id integer not null,
    decision_id uuid not null,
    checker text not null check (checker ~ '^staff:[0-9a-f-]{36}$'),
    maker text not null,
    verdict text not null check (verdict in ('approved', 'rejected')),
    reason text,
    voted_at timestamptz not null,
    primary key (book_id, decision_id, checker),
    foreign key (book_id, decision_id, maker) references service.decision (book_id, id, maker),
    check (maker <> checker)
);
comment on table service.decision_vote is 'fact: what another person said to it; each once, and never the maker (invariant 7)';

-- ---------------------------------------------------------------- money that is given back

alter table service.money_state
    add column refund_vnd bigint not null default 0 check (refund_vnd >= 0),
    add column fee_refund_vnd bigint not null default 0;
alter table service.money_state drop constraint money_state_check1;
alter table service.money_state add constraint money_state_whole check (
    allocated_vnd + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd + payout_vnd
    + refund_vnd = amount_vnd);
alter table service.money_state add constraint money_state_fee_refunds check (
    fee_refund_vnd between 0 and allocated_vnd);
comment on column service.money_state.refund_vnd is
    'incoming: what left 3380 and 3381 for 3382; outgoing: the refund on 3382 that it paid';
comment on column service.money_state.fee_refund_vnd is
    'what of allocated_vnd is given back by decision; allocated_vnd stays gross';

create table service.refund (
    book_id integer not null,
    id uuid not null,
    kind text not null check (kind in ('held', 'suspense', 'fee')),
    movement_id uuid not null,
    notice_book_id integer,
    notice_id uuid,
    item_id uuid,
    over_notice boolean not null default false,
    amount_vnd bigint not null check (amount_vnd > 0),
    reason text not null,
    note text,
    payee_sealed bytea,
    by_transfer boolean not null default false,
    reference text not null,
    asked_by text not null,
    status text not null check (status in
        ('asked', 'proposed', 'rejected', 'approved', 'sending', 'unknown', 'processing', 'paid', 'failed')),
    decision_id uuid,
    asked_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (book_id, id),
    check (kind <> 'fee' or notice_id is not null),
    check ((notice_id is null) = (notice_book_id is null)),
    check (status in ('asked', 'rejected') or decision_id is not null)
);
create unique index refund_by_reference on service.refund (book_id, reference);
create index refund_of_movement on service.refund (book_id, movement_id, id);
create index refund_of_notice on service.refund (notice_id) where notice_id is not null;
create index refund_by_status on service.refund (book_id, status, id);
comment on table service.refund is 'state: money to be given back, from the wish to the end; in the book where the money came in';

create table service.refund_part (
    book_id integer not null,
    refund_id uuid not null,
    part smallint not null check (part > 0),
    movement_id uuid not null,
    route text not null check (route in ('provider', 'transfer', 'treasury')),
    amount_vnd bigint not null check (amount_vnd > 0),
    payable_vnd bigint not null,
    status text not null check (status in ('approved', 'sending', 'unknown', 'processing', 'paid', 'failed')),
    merchant_id integer,
    provider text,
    order_code text,
    transaction_no text,
    ordered_at timestamptz,
    request_id text,
    whole boolean not null default false,
    asked_by text,
    first_sent_at timestamptz,
    sends smallint not null default 0,
    asks smallint not null default 0,
    next_at timestamptz,
    leased_until timestamptz,
    refund_no text,
    paid_by uuid,
    treasury_no text,
    treasury_on date,
    updated_at timestamptz not null,
    primary key (book_id, refund_id, part),
    foreign key (book_id, refund_id) references service.refund (book_id, id),
    check (payable_vnd = case when status in ('paid', 'failed') then 0 else amount_vnd end),
    check ((route = 'provider') = (request_id is not null)),
    check (route = 'provider' or status in ('approved', 'paid', 'failed'))
);
create unique index refund_request_once on service.refund_part (book_id, request_id)
    where request_id is not null;
create unique index refund_under_way_once on service.refund_part (book_id, merchant_id, order_code)
    where status in ('sending', 'unknown', 'processing');
create index refund_part_of_order on service.refund_part (book_id, merchant_id, order_code)
    where route = 'provider';
create index refund_part_due on service.refund_part (next_at)
    where route = 'provider' and status in ('approved', 'sending', 'unknown', 'processing');
create index refund_part_of_movement on service.refund_part (book_id, movement_id);
comment on table service.refund_part is 'state: one way by which a refund goes; payable_vnd is what of it stands on 3382';

create table service.refund_step (
    book_id integer not null,
    id uuid not null,
    refund_id uuid not null,
    part smallint,
    step text not null check (step in ('asked', 'proposed', 'approved', 'rejected', 'sent', 'unsent',
        'no_answer', 'answered', 'asked_provider', 'unheard', 'paid', 'returned', 'failed', 'gave_up', 'recorded')),
    detail text,
    actor text not null,
    recorded_at timestamptz not null,
    primary key (book_id, id)
);
create index refund_step_of_refund on service.refund_step (book_id, refund_id, id);
comment on table service.refund_step is 'fact: what was done about a refund and what was answered; no personal data';

create table service.refund_item (
    book_id integer not null,
    refund_id uuid not null,
    part smallint not null,
    position smallint not null,
    undone boolean not null,
    notice_id uuid not null,
    item_id uuid not null,
    movement_id uuid not null,
    account text not null check (account in ('3373', '3370', '5140', '3332', '1388')),
    split_id uuid,
    amount_vnd bigint not null check (amount_vnd <> 0),
    primary key (book_id, refund_id, part, position, undone),
    check ((amount_vnd < 0) = undone),
    check ((account = '3373') = (split_id is null))
);
create index refund_item_of_notice on service.refund_item (book_id, notice_id);
comment on table service.refund_item is 'fact: which fee item is given back, and from which account; a negative row undoes one; in the book of the notice';

-- Refunds have cases of their own.
grant select, insert on service.decision_vote, service.refund_step, service.refund_item
    to doisoat_app;
grant select, insert, update on service.decision, service.refund, service.refund_part
    to doisoat_app;
grant select on
    service.decision, service.decision_vote, service.refund, service.refund_part,
    service.refund_step, service.refund_item
    to doisoat_keeper;
