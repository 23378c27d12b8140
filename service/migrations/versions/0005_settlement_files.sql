-- Settlement files: what providers say they owe us, line by line, and what they have paid of it.

create table service.fee_contract (
    book_id integer not null,
    merchant_id integer not null,
    valid_from date not null,
    valid_to date,
    rate_ppm integer not null check (rate_ppm between 0 and 1000000),
    fixed_vnd bigint not null check (fixed_vnd >= 0),
    minimum_vnd bigint not null check (minimum_vnd >= 0),
    maximum_vnd bigint check (maximum_vnd >= minimum_vnd),
    rounding text not null check (rounding in ('half_up', 'down', 'up')),
    tolerance_vnd bigint not null default 0 check (tolerance_vnd between 0 and 1000),
    recorded_at timestamptz not null,
    primary key (book_id, merchant_id, valid_from),
    check (valid_to is null or valid_to >= valid_from)
);
comment on table service.fee_contract is 'fact: what a provider may charge for a payment from a day on; rate_ppm is parts per million of the amount';

create table service.settlement (
    book_id integer not null,
    id uuid not null,
    merchant_id integer not null,
    sha256 bytea not null check (length(sha256) = 32),
    mapping text not null,
    size_bytes bigint not null,
    status text not null default 'received' check (status in ('received', 'importing', 'done', 'refused')),
    lines_read bigint not null default 0,
    lines_new bigint not null default 0,
    lines_known bigint not null default 0,
    gross_vnd bigint not null default 0,
    fee_vnd bigint not null default 0,
    net_vnd bigint not null default 0,
    payout_vnd bigint not null default 0,
    batch_count integer not null default 0,
    first_on date,
    last_on date,
    proven boolean,
    fees_proven boolean,
    problem text,
    received_at timestamptz not null,
    finished_at timestamptz,
    primary key (book_id, id),
    unique (book_id, merchant_id, sha256)
);
create index settlement_of_merchant on service.settlement (book_id, merchant_id, first_on);
create index settlement_waiting on service.settlement (book_id, received_at, id) where status in ('received', 'importing');
comment on table service.settlement is 'state: one settlement file; the same file twice is the same row; proven: its own trailer ties; fees_proven: a contract explains every fee';

create table service.settlement_chunk (
    book_id integer not null,
    settlement_id uuid not null,
    position integer not null,
    sealed bytea not null,
    primary key (book_id, settlement_id, position)
);
comment on table service.settlement_chunk is 'fact: the bytes of the file, sealed';

create table service.settlement_batch (
    book_id integer not null,
    id uuid not null,
    merchant_id integer not null,
    number text not null,
    settlement_id uuid not null,
    first_on date not null,
    last_on date not null,
    line_count bigint not null default 0,
    gross_vnd bigint not null default 0,
    fee_vnd bigint not null default 0,
    net_vnd bigint not null default 0,
    announced_vnd bigint,
    due_on date not null,
    receivable_vnd bigint not null default 0,
    paid_vnd bigint not null default 0,
    paid_at timestamptz,
    primary key (book_id, id),
    unique (book_id, merchant_id, number)
);
create index settlement_batch_open on service.settlement_batch (book_id, merchant_id, last_on) where receivable_vnd <> 0;
comment on table service.settlement_batch is 'state: a batch of a provider, the open item of account 1388: receivable_vnd = its lines less what was paid out; 0 where the money never stands at the provider';

create table service.settlement_line (
    book_id integer not null,
    id uuid not null,
    settlement_id uuid not null,
    merchant_id integer not null,
    batch_id uuid not null,
    ordinal integer not null check (ordinal > 0),
    row_number integer not null check (row_number > 0),
    kind text not null check (kind in ('payment', 'refund', 'chargeback', 'chargeback_reversed', 'reversal', 'fee', 'adjustment', 'payout')),
    trace text not null,
    reference text,
    refund_reference text,
    gross_vnd bigint not null,
    fee_vnd bigint not null,
    net_vnd bigint not null,
    contract_fee_vnd bigint,
    happened_at timestamptz not null,
    value_date date not null,
    fingerprint bytea not null check (length(fingerprint) = 32),
    occurrence integer not null check (occurrence > 0),
    verdict text not null,
    movement_book_id integer,
    movement_id uuid,
    sighted boolean not null,
    receivable_vnd bigint not null,
    disputed_vnd bigint not null,
    recorded_at timestamptz not null,
    primary key (book_id, id),
    unique (book_id, fingerprint, occurrence),
    check (net_vnd = gross_vnd - fee_vnd),
    check ((movement_id is null) = (movement_book_id is null))
);
create index settlement_line_of_batch on service.settlement_line (book_id, batch_id, ordinal);
create index settlement_line_of_settlement on service.settlement_line (book_id, settlement_id, ordinal);
create index settlement_line_of_trace on service.settlement_line (book_id, trace, merchant_id);
create index settlement_line_of_movement on service.settlement_line (book_id, movement_id) where movement_id is not null;
comment on table service.settlement_line is 'fact: a line of a settlement file, once however many files carry it; signed from our side; what it adds to its batch and to disputes on 1388; the fingerprint is also of the merchant';

create table service.payout_match (
    book_id integer not null,
    id uuid not null,
    batch_id uuid not null,
    movement_id uuid not null,
    amount_vnd bigint not null check (amount_vnd > 0),
    rule text not null,
    entry_id uuid not null,
    recorded_at timestamptz not null,
    primary key (book_id, id),
    unique (book_id, batch_id, movement_id)
);
create index payout_match_of_movement on service.payout_match (book_id, movement_id);
comment on table service.payout_match is 'fact: which part of a bank credit is the payout of which batch';

alter table service.money_state add column payout_vnd bigint not null default 0;
alter table service.money_state drop constraint money_state_check1;
alter table service.money_state drop constraint money_state_check;
alter table service.money_state add constraint money_state_check
    check (allocated_vnd >= 0 and suspense_vnd >= 0 and held_vnd >= 0 and unexplained_vnd >= 0
           and reversed_vnd >= 0 and payout_vnd >= 0);
alter table service.money_state add constraint money_state_check1
    check (allocated_vnd + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd + payout_vnd = amount_vnd);
comment on column service.money_state.payout_vnd is 'what of a bank credit is the payout of a provider''s batches';

alter table service.unmatched drop constraint unmatched_subject_kind_check;
alter table service.unmatched add constraint unmatched_subject_kind_check
    check (subject_kind in ('movement', 'event', 'statement_line', 'statement', 'notice', 'call',
                            'settlement', 'settlement_line', 'settlement_batch'));

grant select, insert on
    service.fee_contract, service.settlement_chunk, service.settlement_line, service.payout_match
    to doisoat_app;
grant select, insert, update on service.settlement, service.settlement_batch to doisoat_app;
grant select on
    service.fee_contract, service.settlement, service.settlement_chunk, service.settlement_batch,
    service.settlement_line, service.payout_match
    to doisoat_keeper;
