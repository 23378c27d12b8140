-- The first schema: books, the ledger, fees, intake, statements, reconciliation, the outbox, access.
-- Every table that concerns money has book_id as the first column of its key (it is the shard key).
-- Facts are only ever inserted; state is what a constraint needs and may be updated; prove re-derives it.

create schema ledger;
create schema service;

-- ---------------------------------------------------------------- the ledger: books and accounts

create table ledger.book (
    book_id integer not null primary key,
    code text not null unique check (code ~ '^[0-9A-HJKMNP-TV-Z]{2}$'),
    name text not null,
    agency_code text not null,
    opened_at timestamptz not null
);
comment on table ledger.book is 'fact: one collecting unit; small, replicated';

create table ledger.account (
    book_id integer not null,
    code text not null check (code ~ '^[0-9]{4}$'),
    name_vi text not null,
    name_en text not null,
    normal_side text not null check (normal_side in ('debit', 'credit')),
    primary key (book_id, code)
);
comment on table ledger.account is 'fact: the chart of accounts of a book';

create table ledger.open_day (
    book_id integer not null primary key,
    day date not null,
    segment bigint not null check (segment > 0),
    raised_at timestamptz not null
);
comment on table ledger.open_day is 'state: writers hold it for share, a checkpoint or close for update; raised_at is when the segment began';

create table ledger.segment (
    book_id integer not null,
    segment bigint not null check (segment > 0),
    day date not null,
    closed_at timestamptz not null,
    primary key (book_id, segment)
);
comment on table ledger.segment is 'fact: a closed segment; no line is added to it any more';

create table ledger.summed (
    book_id integer not null primary key,
    segment bigint not null check (segment >= 0)
);
comment on table ledger.summed is 'state: the segment of the last checkpoint; whoever sums holds it for update';

-- ---------------------------------------------------------------- the ledger: entries and lines

create table ledger.posting (
    book_id integer not null,
    id uuid not null,
    day date not null,
    segment bigint not null,
    recorded_at timestamptz not null,
    entry_ids uuid[] not null,
    digest bytea not null check (length(digest) = 32),
    primary key (book_id, id)
);
create index posting_of_segment on ledger.posting (book_id, segment, recorded_at);
comment on table ledger.posting is 'fact: one call of post(); names its entries, so that a deleted one is missed';

create table ledger.entry (
    book_id integer not null,
    id uuid not null,
    posting_id uuid not null,
    source text not null check (length(source) between 1 and 200),
    kind text not null check (length(kind) between 1 and 60),
    happened_at timestamptz not null,
    value_date date not null,
    recorded_at timestamptz not null,
    day date not null,
    segment bigint not null,
    concerns_day date,
    reverses uuid,
    shared_id uuid,
    line_count smallint not null check (line_count > 0),
    parts bytea not null check (length(parts) = 4 * (line_count + 1)),
    hash bytea not null check (length(hash) = 32),
    primary key (book_id, id),
    unique (book_id, source),
    foreign key (book_id, reverses) references ledger.entry (book_id, id),
    check (reverses <> id)
);
create unique index entry_reversed_once on ledger.entry (book_id, reverses) where reverses is not null;
create index entry_of_segment on ledger.entry (book_id, segment, id);
create index entry_of_shared on ledger.entry (book_id, shared_id) where shared_id is not null;
comment on table ledger.entry is 'fact: one business event; hash proves it, parts tells which part of it was changed';

create table ledger.line (
    book_id integer not null,
    entry_id uuid not null,
    position smallint not null check (position > 0),
    debit text not null,
    credit text not null,
    amount_vnd bigint not null check (amount_vnd > 0),
    segment bigint not null,
    value_date date not null,
    recorded_at timestamptz not null,
    notice_id uuid,
    item_id uuid,
    movement_id uuid,
    bank_account_id integer,
    merchant text,
    budget_subsection text,
    primary key (book_id, entry_id, position),
    foreign key (book_id, entry_id) references ledger.entry (book_id, id),
    foreign key (book_id, debit) references ledger.account (book_id, code),
    foreign key (book_id, credit) references ledger.account (book_id, code),
    check (debit <> credit)
);
create index line_debit on ledger.line (book_id, debit, segment, entry_id, position)
    include (amount_vnd, value_date, recorded_at);
create index line_credit on ledger.line (book_id, credit, segment, entry_id, position)
    include (amount_vnd, value_date, recorded_at);
create index line_of_notice on ledger.line (book_id, notice_id) where notice_id is not null;
create index line_of_movement on ledger.line (book_id, movement_id) where movement_id is not null;
comment on table ledger.line is 'fact: amount_vnd moved from credit to debit; it balances by shape';

create table ledger.checkpoint (
    book_id integer not null,
    segment bigint not null,
    day date not null,
    closed_at timestamptz not null,
    line_count bigint not null,
    primary key (book_id, segment)
);
comment on table ledger.checkpoint is 'fact: every line of this segment and before is summed below';

create table ledger.checkpoint_balance (
    book_id integer not null,
    account text not null,
    segment bigint not null,
    debit_vnd numeric(30, 0) not null check (debit_vnd >= 0),
    credit_vnd numeric(30, 0) not null check (credit_vnd >= 0),
    primary key (book_id, account, segment)
);
comment on table ledger.checkpoint_balance is 'fact: turnover of an account from the beginning to the end of a segment';

create table ledger.checkpoint_day (
    book_id integer not null,
    account text not null,
    value_date date not null,
    segment bigint not null,
    debit_vnd numeric(30, 0) not null check (debit_vnd >= 0),
    credit_vnd numeric(30, 0) not null check (credit_vnd >= 0),
    primary key (book_id, account, value_date, segment)
);
comment on table ledger.checkpoint_day is 'fact: turnover by value date of the lines between the checkpoint before and this one';

-- ---------------------------------------------------------------- who and where: small replicated tables

create table service.agency (
    code text not null,
    valid_from date not null,
    valid_to date,
    legacy_code text not null,
    name text not null,
    level text not null,
    parent text,
    successor text,
    book_id integer,
    primary key (code, valid_from),
    check (valid_to is null or valid_to >= valid_from)
);
create index agency_by_legacy on service.agency (legacy_code);
comment on table service.agency is 'fact: the dated table of agencies; collected_by through it decides the book';

create table service.procedure (
    code text not null primary key,
    name text not null,
    sector text not null
);
comment on table service.procedure is 'fact: administrative procedures';

create table service.bank_account (
    id integer generated by default as identity primary key,
    book_id integer not null,
    bin text not null check (bin ~ '^[0-9]{6}$'),
    number text not null check (length(number) between 1 and 34),
    holder_name text not null,
    opened_at timestamptz not null,
    unique (bin, number)
);
comment on table service.bank_account is 'fact: the collecting units'' own accounts';

create table service.merchant (
    id integer generated by default as identity primary key,
    provider text not null,
    merchant text not null check (merchant ~ '^[A-Za-z0-9._-]{1,64}$'),
    book_id integer not null,
    serves integer[] not null,
    mode text not null default '',
    settings jsonb not null default '{}',
    secrets_sealed bytea not null,
    disabled_at timestamptz,
    created_at timestamptz not null,
    unique (provider, merchant)
);
comment on table service.merchant is 'state: who may call; two valid secrets, sealed under the master key';

create table service.data_key (
    book_id integer not null,
    month date not null,
    wrapped bytea,
    created_at timestamptz not null,
    dropped_at timestamptz,
    primary key (book_id, month),
    check ((wrapped is null) = (dropped_at is not null))
);
comment on table service.data_key is 'state: the data key of a book and month; the keeper drops it, which is the erasure';

-- ---------------------------------------------------------------- fees

create table service.notice (
    book_id integer not null,
    id uuid not null,
    dossier_code text not null,
    dossier_key text not null,
    procedure_code text not null,
    received_by text not null,
    decided_by text not null,
    collected_by text not null,
    channel text not null check (channel in ('online', 'counter', 'post')),
    payer_sealed bytea,
    payer_key bytea,
    name_keys bytea[] not null default '{}',
    due_on date,
    opening boolean not null default false,
    created_at timestamptz not null,
    primary key (book_id, id)
);
create index notice_of_dossier on service.notice (book_id, dossier_key, id);
create index notice_of_payer on service.notice (book_id, payer_key) where payer_key is not null;
comment on table service.notice is 'fact: what one dossier owes; the payer is sealed';

create table service.notice_item (
    book_id integer not null,
    notice_id uuid not null,
    id uuid not null,
    position smallint not null check (position > 0),
    code text not null,
    kind text not null check (kind in ('phi', 'le_phi')),
    name text not null,
    amount_vnd bigint not null check (amount_vnd between 0 and 1000000000000),
    budget_subsection text,
    retained_percent smallint not null check (retained_percent between 0 and 100),
    added_at timestamptz not null,
    exempted_vnd bigint not null default 0,
    paid_vnd bigint not null default 0,
    primary key (book_id, notice_id, id),
    unique (book_id, notice_id, position),
    check (exempted_vnd >= 0 and paid_vnd >= 0 and exempted_vnd + paid_vnd <= amount_vnd)
);
comment on table service.notice_item is 'fact with two counters (exempted_vnd, paid_vnd) that are state';

create table service.notice_state (
    book_id integer not null,
    notice_id uuid not null,
    amount_vnd bigint not null,
    exempted_vnd bigint not null default 0,
    written_off_vnd bigint not null default 0,
    paid_vnd bigint not null default 0,
    refunded_vnd bigint not null default 0,
    held_vnd bigint not null default 0,
    cancelled_at timestamptz,
    version integer not null default 1,
    updated_at timestamptz not null,
    outstanding_vnd bigint not null generated always as (
        case when cancelled_at is not null then 0
             else amount_vnd - exempted_vnd - written_off_vnd - paid_vnd end) stored,
    status text not null generated always as (
        case when cancelled_at is not null then 'cancelled'
             when paid_vnd > 0 and refunded_vnd >= paid_vnd then 'refunded'
             when paid_vnd = 0 and amount_vnd = exempted_vnd + written_off_vnd then 'exempt'
             when amount_vnd = exempted_vnd + written_off_vnd + paid_vnd then 'paid'
             when paid_vnd > 0 then 'partially_paid'
             else 'open' end) stored,
    settled boolean not null generated always as (
        cancelled_at is null and amount_vnd = exempted_vnd + written_off_vnd + paid_vnd) stored,
    primary key (book_id, notice_id),
    foreign key (book_id, notice_id) references service.notice (book_id, id),
    check (amount_vnd >= 0 and exempted_vnd >= 0 and written_off_vnd >= 0 and paid_vnd >= 0
           and refunded_vnd >= 0 and held_vnd >= 0),
    check (exempted_vnd + written_off_vnd + paid_vnd <= amount_vnd),
    check (refunded_vnd <= paid_vnd)
);
create index notice_by_status on service.notice_state (book_id, status, notice_id);
comment on table service.notice_state is 'state: the counters of a notice';

create table service.notice_change (
    book_id integer not null,
    id uuid not null,
    notice_id uuid not null,
    kind text not null check (kind in ('exemption', 'cancellation')),
    item_id uuid,
    amount_vnd bigint not null check (amount_vnd >= 0),
    reason text not null,
    decided_by_sealed bytea,
    evidence text,
    actor text not null,
    decided_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (book_id, id)
);
create index notice_change_of_notice on service.notice_change (book_id, notice_id, id);
comment on table service.notice_change is 'fact: exemptions and cancellations';

create table service.payment_request (
    book_id integer not null,
    reference text not null,
    numeric_reference bigint not null,
    scheme text not null,
    provider text not null,
    merchant_id integer,
    bank_account_id integer,
    amount_vnd bigint not null check (amount_vnd > 0),
    link text not null,
    expires_at timestamptz,
    created_at timestamptz not null,
    primary key (book_id, reference)
);
create unique index payment_request_by_number on service.payment_request (book_id, numeric_reference);
comment on table service.payment_request is 'fact: one way to pay one or more notices of a book';

create table service.payment_request_notice (
    book_id integer not null,
    reference text not null,
    notice_id uuid not null,
    position smallint not null,
    amount_vnd bigint not null check (amount_vnd > 0),
    primary key (book_id, reference, notice_id)
);
create index payment_request_of_notice on service.payment_request_notice (book_id, notice_id, reference);
comment on table service.payment_request_notice is 'fact: what a payment request asks for';

create table service.counter_receipt (
    book_id integer not null,
    id uuid not null,
    notice_id uuid not null,
    movement_id uuid not null,
    method text not null check (method in ('cash', 'pos')),
    amount_vnd bigint not null check (amount_vnd > 0),
    receipt_no text not null,
    cashier text not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (book_id, id),
    unique (book_id, receipt_no)
);
create index counter_receipt_of_notice on service.counter_receipt (book_id, notice_id);
comment on table service.counter_receipt is 'fact: cash or card taken at the counter';

create table service.idempotency (
    caller uuid not null,
    key text not null check (length(key) between 1 and 200),
    route text not null,
    request_hash bytea not null check (length(request_hash) = 32),
    book_id integer not null,
    status smallint not null,
    answer_sealed bytea not null,
    created_at timestamptz not null,
    primary key (caller, key)
);
create index idempotency_by_age on service.idempotency (created_at);
comment on table service.idempotency is 'fact: the answer to a request, by caller and key; not money, so by caller and not by book';

-- ---------------------------------------------------------------- intake: calls, events, money

create table service.call (
    book_id integer not null,
    id uuid not null,
    merchant_id integer not null,
    received_at timestamptz not null,
    sealed bytea not null,
    primary key (book_id, id)
);
comment on table service.call is 'fact: the exact bytes a provider sent and we believed; no business key';

create table service.quarantine (
    book_id integer not null,
    id uuid not null,
    merchant_id integer not null,
    lane text not null check (lane in ('order', 'ring', 'stuck')),
    reference text,
    why text not null,
    received_at timestamptz not null,
    size_bytes integer not null,
    digest bytea not null check (length(digest) = 32),
    sealed bytea not null,
    tries integer not null default 0,
    replayed_at timestamptz,
    primary key (book_id, id)
);
create unique index quarantine_stuck_once on service.quarantine (book_id, merchant_id, digest)
    where lane = 'stuck' and replayed_at is null;
create index quarantine_of_order on service.quarantine (book_id, reference) where lane = 'order';
create index quarantine_ring on service.quarantine (book_id, merchant_id, id) where lane = 'ring';
create index quarantine_stuck on service.quarantine (book_id, received_at) where lane = 'stuck' and replayed_at is null;
comment on table service.quarantine is 'state: calls not believed (order and ring lanes, bounded) or believed but not bookable (stuck)';

create table service.event (
    book_id integer not null,
    id uuid not null,
    call_id uuid not null,
    merchant_id integer not null,
    provider_txn text not null,
    status text not null,
    amount_key text not null,
    amount_vnd bigint,
    reference text,
    happened_at timestamptz not null,
    recorded_at timestamptz not null,
    outcome text not null,
    movement_id uuid,
    memo_sealed bytea,
    primary key (book_id, id),
    unique (book_id, merchant_id, provider_txn, status, amount_key)
);
comment on table service.event is 'fact: a call we believe, in our words; unique, so that a repeat is known and answered alike';

create table service.movement (
    book_id integer not null,
    id uuid not null,
    direction text not null check (direction in ('in', 'out')),
    origin text not null,
    trace text,
    amount_vnd bigint not null check (amount_vnd > 0),
    happened_at timestamptz not null,
    value_date date not null,
    recorded_at timestamptz not null,
    entry_id uuid not null,
    primary key (book_id, id)
);
create unique index movement_by_trace on service.movement (book_id, origin, trace) where trace is not null;
comment on table service.movement is 'fact: money that moved once; entry_id is its one money-in (or money-out) booking';

create table service.money_state (
    book_id integer not null,
    movement_id uuid not null,
    amount_vnd bigint not null check (amount_vnd > 0),
    allocated_vnd bigint not null default 0,
    suspense_vnd bigint not null default 0,
    held_vnd bigint not null default 0,
    unexplained_vnd bigint not null default 0,
    reversed_vnd bigint not null default 0,
    clearing_vnd bigint not null default 0,
    version integer not null default 1,
    primary key (book_id, movement_id),
    check (allocated_vnd >= 0 and suspense_vnd >= 0 and held_vnd >= 0 and unexplained_vnd >= 0 and reversed_vnd >= 0),
    check (allocated_vnd + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd = amount_vnd)
);
create index money_in_suspense on service.money_state (book_id, movement_id) where suspense_vnd > 0;
create index money_in_clearing on service.money_state (book_id, movement_id) where clearing_vnd <> 0;
comment on table service.money_state is 'state: where a movement stands: 1383, 3380, 3381, 1380; clearing_vnd is what of it is still on 1130, signed';

create table service.sighting (
    book_id integer not null,
    id uuid not null,
    movement_id uuid,
    view text not null check (view in ('callback', 'feed', 'statement', 'settlement', 'counter')),
    seen_by text not null,
    origin text not null,
    direction text not null check (direction in ('in', 'out')),
    amount_vnd bigint not null check (amount_vnd > 0),
    traces text[] not null default '{}',
    reference text,
    happened_on date not null,
    outcome text not null,
    recorded_at timestamptz not null,
    primary key (book_id, id)
);
create index sighting_of_movement on service.sighting (book_id, movement_id);
create index sighting_join on service.sighting (book_id, origin, amount_vnd, seen_by, happened_on)
    where view in ('feed', 'statement');
comment on table service.sighting is 'fact: one window''s report of a movement; id is the event, the statement line or the receipt; movement_id null while unsure';

create table service.account_window (
    book_id integer not null,
    origin text not null,
    seen_by text not null,
    primary key (book_id, origin, seen_by)
);
comment on table service.account_window is 'fact: which windows have told of an own account, so that one can look for what the others told';

create table service.token (
    book_id integer not null,
    movement_id uuid not null,
    kind text not null check (kind in ('reference', 'damaged_reference', 'dossier', 'dossier_padded', 'dossier_part', 'name', 'trace')),
    value text not null,
    primary key (book_id, movement_id, kind, value)
);
create index token_by_value on service.token (book_id, kind, value);
comment on table service.token is 'fact: code-shaped tokens of a memo and bank references in clear, words of names only as keyed hashes';

create table service.allocation (
    book_id integer not null,
    id uuid not null,
    notice_id uuid not null,
    movement_book_id integer not null,
    movement_id uuid not null,
    amount_vnd bigint not null check (amount_vnd <> 0),
    undoes uuid,
    entry_id uuid not null,
    rule text not null,
    recorded_at timestamptz not null,
    primary key (book_id, id),
    check ((amount_vnd < 0) = (undoes is not null))
);
create index allocation_of_notice on service.allocation (book_id, notice_id);
create index allocation_of_movement on service.allocation (book_id, movement_id);
create unique index allocation_undone_once on service.allocation (book_id, undoes) where undoes is not null;
comment on table service.allocation is 'fact: which part of a movement pays which notice; a negative row undoes one';

-- ---------------------------------------------------------------- statements

create table service.statement (
    book_id integer not null,
    id uuid not null,
    bank_account_id integer not null,
    sha256 bytea not null check (length(sha256) = 32),
    layout text not null,
    size_bytes bigint not null,
    status text not null default 'received' check (status in ('received', 'importing', 'done', 'refused')),
    lines_read bigint not null default 0,
    lines_new bigint not null default 0,
    lines_known bigint not null default 0,
    credits_vnd bigint not null default 0,
    debits_vnd bigint not null default 0,
    opening_vnd bigint,
    closing_vnd bigint,
    first_on date,
    last_on date,
    proven boolean,
    problem text,
    received_at timestamptz not null,
    finished_at timestamptz,
    primary key (book_id, id),
    unique (book_id, bank_account_id, sha256)
);
create index statement_of_account on service.statement (book_id, bank_account_id, last_on);
comment on table service.statement is 'state: one file; the same file twice is the same row';

create table service.statement_chunk (
    book_id integer not null,
    statement_id uuid not null,
    position integer not null,
    sealed bytea not null,
    primary key (book_id, statement_id, position)
);
comment on table service.statement_chunk is 'fact: the bytes of the file, sealed';

create table service.statement_line (
    book_id integer not null,
    id uuid not null,
    statement_id uuid not null,
    ordinal integer not null,
    bank_account_id integer not null,
    value_date date not null,
    direction text not null check (direction in ('in', 'out')),
    amount_vnd bigint not null check (amount_vnd > 0),
    fingerprint bytea not null check (length(fingerprint) = 32),
    occurrence integer not null check (occurrence > 0),
    balance_vnd bigint,
    memo_sealed bytea not null,
    recorded_at timestamptz not null,
    primary key (book_id, id),
    unique (book_id, bank_account_id, fingerprint, occurrence)
);
create index statement_line_by_day on service.statement_line (book_id, bank_account_id, value_date, id);
create index statement_line_of_statement on service.statement_line (book_id, statement_id, ordinal);
comment on table service.statement_line is 'fact: a line of a bank statement, once however many files carry it';

-- ---------------------------------------------------------------- reconciliation

create table service.run (
    book_id integer not null,
    id uuid not null,
    business_date date not null,
    dry_run boolean not null,
    status text not null default 'planned' check (status in ('planned', 'applying', 'done', 'failed')),
    started_at timestamptz not null,
    finished_at timestamptz,
    counts jsonb not null default '{}',
    primary key (book_id, id)
);
comment on table service.run is 'state: one reconciliation run of a book';

create table service.run_step (
    book_id integer not null,
    run_id uuid not null,
    position integer not null,
    movement_id uuid not null,
    rule text not null,
    verdict text not null check (verdict in ('post', 'case')),
    reason text,
    allocations jsonb not null default '[]',
    evidence jsonb not null default '{}',
    applied text,
    primary key (book_id, run_id, position)
);
comment on table service.run_step is 'state: what a run plans and what became of it';

create table service.claim (
    book_id integer not null,
    item_kind text not null,
    item_id uuid not null,
    match_id uuid not null,
    rule text not null,
    claimed_at timestamptz not null,
    primary key (book_id, item_kind, item_id)
);
create index claim_of_match on service.claim (book_id, match_id);
comment on table service.claim is 'state: an external item belongs to one live match';

create table service.unmatched (
    book_id integer not null,
    id uuid not null,
    subject_kind text not null check (subject_kind in ('movement', 'event', 'statement_line', 'statement', 'notice', 'call')),
    subject_id uuid not null,
    side text not null check (side in ('callback', 'settlement', 'bank', 'ledger')),
    reason text not null,
    provider text not null,
    external_id text not null,
    amount_vnd bigint,
    happened_at timestamptz not null,
    fields jsonb not null default '[]',
    candidates jsonb not null default '[]',
    status text not null default 'open' check (status in ('open', 'proposed', 'resolved')),
    opened_at timestamptz not null,
    resolved_at timestamptz,
    resolution text,
    primary key (book_id, id)
);
create unique index unmatched_once on service.unmatched (book_id, subject_id, reason) where status <> 'resolved';
create index unmatched_live on service.unmatched (book_id, id) where status <> 'resolved';
create index unmatched_by_reason on service.unmatched (book_id, reason, id) where status <> 'resolved';
comment on table service.unmatched is 'state: a case: one item that nothing explains yet';

-- ---------------------------------------------------------------- the outbox

create table service.outbox (
    book_id integer not null,
    id uuid not null,
    type text not null,
    dossier_code text,
    notice_id uuid,
    payload jsonb not null,
    recorded_at timestamptz not null,
    position bigint,
    primary key (book_id, id)
);
create index outbox_waiting on service.outbox (book_id, id) where position is null;
create unique index outbox_feed on service.outbox (book_id, position) where position is not null;
comment on table service.outbox is 'fact with a position that a relay gives after commit';

create table service.feed_position (
    book_id integer not null primary key,
    position bigint not null
);
comment on table service.feed_position is 'state: the last position given in a book';

-- ---------------------------------------------------------------- access

create table service.api_key (
    id uuid not null primary key,
    name text not null,
    key_hash bytea not null unique check (length(key_hash) = 32),
    books integer[] not null,
    scopes text[] not null,
    created_at timestamptz not null,
    revoked_at timestamptz
);
comment on table service.api_key is 'state: machines; stored hashed, bound to books and scopes';

create table service.staff (
    id uuid not null primary key,
    username text not null unique check (username ~ '^[a-z0-9._-]{2,64}$'),
    password_hash text not null,
    roles text[] not null,
    books integer[] not null,
    failed_logins integer not null default 0,
    locked_until timestamptz,
    created_at timestamptz not null,
    disabled_at timestamptz,
    check (roles <@ array['viewer', 'maker', 'checker', 'admin', 'auditor'])
);
comment on table service.staff is 'state: people';

create table service.staff_session (
    token_hash bytea not null primary key check (length(token_hash) = 32),
    staff_id uuid not null references service.staff (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz
);
create index staff_session_of_staff on service.staff_session (staff_id);
comment on table service.staff_session is 'state: signed-in people';

create table service.audit (
    id uuid not null primary key,
    recorded_at timestamptz not null,
    actor_kind text not null check (actor_kind in ('staff', 'api_key', 'system', 'anonymous')),
    actor text not null,
    action text not null,
    outcome text not null check (outcome in ('allowed', 'refused')),
    book_id integer,
    subject text,
    detail jsonb not null default '{}'
);
create index audit_by_actor on service.audit (actor, id);
comment on table service.audit is 'fact: every staff action and every refused attempt';

create table service.installation (
    id integer not null primary key check (id = 1),
    created_at timestamptz not null,
    made_by text not null check (made_by in ('demo', 'operator'))
);
comment on table service.installation is 'fact: who created this database; demo and simulate refuse any that the demo did not create';

-- ---------------------------------------------------------------- who may do what

grant usage on schema ledger, service to doisoat_app, doisoat_keeper;

-- Facts: read and add, nothing else.
grant select, insert on
    ledger.book, ledger.account, ledger.segment, ledger.posting, ledger.entry, ledger.line,
    ledger.checkpoint, ledger.checkpoint_balance, ledger.checkpoint_day,
    service.agency, service.procedure, service.bank_account,
    service.notice, service.notice_item, service.notice_change,
    service.payment_request, service.payment_request_notice, service.counter_receipt,
    service.call, service.event, service.movement, service.sighting, service.account_window, service.token,
    service.allocation, service.statement_chunk, service.statement_line,
    service.outbox, service.audit, service.installation
    to doisoat_app;
grant update (exempted_vnd, paid_vnd) on service.notice_item to doisoat_app;
grant update (position) on service.outbox to doisoat_app;

-- State: also update.
grant select, insert, update on
    ledger.open_day, ledger.summed, service.merchant, service.notice_state, service.money_state, service.quarantine,
    service.statement, service.run, service.run_step, service.unmatched, service.feed_position,
    service.api_key, service.staff, service.staff_session
    to doisoat_app;
grant select, insert on service.data_key to doisoat_app;

-- Work and claims: also delete. Stored answers expire and the ring of unbelieved calls turns.
grant select, insert, update, delete on service.claim to doisoat_app;
grant select, insert, delete on service.idempotency to doisoat_app;
grant delete on service.quarantine to doisoat_app;

grant usage on all sequences in schema service to doisoat_app;

-- Retention.
grant select on all tables in schema ledger, service to doisoat_keeper;
grant update (wrapped, dropped_at) on service.data_key to doisoat_keeper;
grant delete on service.quarantine, service.idempotency, service.staff_session to doisoat_keeper;
