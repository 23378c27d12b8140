SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

-- Name: ledger; Type: SCHEMA; Schema: -; Owner: -

CREATE SCHEMA ledger;

-- Name: service; Type: SCHEMA; Schema: -; Owner: -

CREATE SCHEMA service;

SET default_tablespace = '';

SET default_table_access_method = heap;

-- Name: account; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.account (
    book_id integer NOT NULL,
    code text NOT NULL,
    name_vi text NOT NULL,
    name_en text NOT NULL,
    normal_side text NOT NULL,
    CONSTRAINT account_code_check CHECK ((code ~ '^[0-9]{4}$'::text)),
    CONSTRAINT account_normal_side_check CHECK ((normal_side = ANY (ARRAY['debit'::text, 'credit'::text])))
);

-- Name: TABLE account; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.account IS 'fact: the chart of accounts of a book';

-- Name: book; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.book (
    book_id integer NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    agency_code text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    CONSTRAINT book_code_check CHECK ((code ~ '^[0-9A-HJKMNP-TV-Z]{2}$'::text))
);

-- Name: TABLE book; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.book IS 'fact: one collecting unit; small, replicated';

-- Name: checkpoint; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.checkpoint (
    book_id integer NOT NULL,
    segment bigint NOT NULL,
    day date NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    line_count bigint NOT NULL
);

-- Name: TABLE checkpoint; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.checkpoint IS 'fact: every line of this segment and before is summed below';

-- Name: checkpoint_balance; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.checkpoint_balance (
    book_id integer NOT NULL,
    account text NOT NULL,
    segment bigint NOT NULL,
    debit_vnd numeric(30,0) NOT NULL,
    credit_vnd numeric(30,0) NOT NULL,
    CONSTRAINT checkpoint_balance_credit_vnd_check CHECK ((credit_vnd >= (0)::numeric)),
    CONSTRAINT checkpoint_balance_debit_vnd_check CHECK ((debit_vnd >= (0)::numeric))
);

-- Name: TABLE checkpoint_balance; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.checkpoint_balance IS 'fact: turnover of an account from the beginning to the end of a segment';

-- Name: checkpoint_day; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.checkpoint_day (
    book_id integer NOT NULL,
    account text NOT NULL,
    value_date date NOT NULL,
    segment bigint NOT NULL,
    debit_vnd numeric(30,0) NOT NULL,
    credit_vnd numeric(30,0) NOT NULL,
    CONSTRAINT checkpoint_day_credit_vnd_check CHECK ((credit_vnd >= (0)::numeric)),
    CONSTRAINT checkpoint_day_debit_vnd_check CHECK ((debit_vnd >= (0)::numeric))
);

-- Name: TABLE checkpoint_day; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.checkpoint_day IS 'fact: turnover by value date of the lines between the checkpoint before and this one';

-- Name: entry; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.entry (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    posting_id uuid NOT NULL,
    source text NOT NULL,
    kind text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    value_date date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    day date NOT NULL,
    segment bigint NOT NULL,
    concerns_day date,
    reverses uuid,
    shared_id uuid,
    line_count smallint NOT NULL,
    parts bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT entry_check CHECK ((length(parts) = (4 * (line_count + 1)))),
    CONSTRAINT entry_check1 CHECK ((reverses <> id)),
    CONSTRAINT entry_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT entry_kind_check CHECK (((length(kind) >= 1) AND (length(kind) <= 60))),
    CONSTRAINT entry_line_count_check CHECK ((line_count > 0)),
    CONSTRAINT entry_source_check CHECK (((length(source) >= 1) AND (length(source) <= 200)))
);

-- Name: TABLE entry; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.entry IS 'fact: one business event; hash proves it, parts tells which part of it was changed';

-- Name: line; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.line (
    book_id integer NOT NULL,
    entry_id uuid NOT NULL,
    "position" smallint NOT NULL,
    debit text NOT NULL,
    credit text NOT NULL,
    amount_vnd bigint NOT NULL,
    segment bigint NOT NULL,
    value_date date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    notice_id uuid,
    item_id uuid,
    movement_id uuid,
    bank_account_id integer,
    merchant text,
    budget_subsection text,
    CONSTRAINT line_amount_vnd_check CHECK ((amount_vnd > 0)),
    CONSTRAINT line_check CHECK ((debit <> credit)),
    CONSTRAINT line_position_check CHECK (("position" > 0))
);

-- Name: TABLE line; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.line IS 'fact: amount_vnd moved from credit to debit; it balances by shape';

-- Name: open_day; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.open_day (
    book_id integer NOT NULL,
    day date NOT NULL,
    segment bigint NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    CONSTRAINT open_day_segment_check CHECK ((segment > 0))
);

-- Name: TABLE open_day; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.open_day IS 'state: writers hold it for share, a checkpoint or close for update; raised_at is when the segment began';

-- Name: posting; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.posting (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    day date NOT NULL,
    segment bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    entry_ids uuid[] NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT posting_digest_check CHECK ((length(digest) = 32))
);

-- Name: TABLE posting; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.posting IS 'fact: one call of post(); names its entries, so that a deleted one is missed';

-- Name: segment; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.segment (
    book_id integer NOT NULL,
    segment bigint NOT NULL,
    day date NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    CONSTRAINT segment_segment_check CHECK ((segment > 0))
);

-- Name: TABLE segment; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.segment IS 'fact: a closed segment; no line is added to it any more';

-- Name: summed; Type: TABLE; Schema: ledger; Owner: -

CREATE TABLE ledger.summed (
    book_id integer NOT NULL,
    segment bigint NOT NULL,
    CONSTRAINT summed_segment_check CHECK ((segment >= 0))
);

-- Name: TABLE summed; Type: COMMENT; Schema: ledger; Owner: -

COMMENT ON TABLE ledger.summed IS 'state: the segment of the last checkpoint; whoever sums holds it for update';

-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

-- Name: account_window; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.account_window (
    book_id integer NOT NULL,
    origin text NOT NULL,
    seen_by text NOT NULL
);

-- Name: TABLE account_window; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.account_window IS 'fact: which windows have told of an own account, so that one can look for what the others told';

-- Name: agency; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.agency (
    code text NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    legacy_code text NOT NULL,
    name text NOT NULL,
    level text NOT NULL,
    parent text,
    successor text,
    book_id integer,
    CONSTRAINT agency_check CHECK (((valid_to IS NULL) OR (valid_to >= valid_from)))
);

-- Name: TABLE agency; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.agency IS 'fact: the dated table of agencies; collected_by through it decides the book';

-- Name: allocation; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.allocation (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    notice_id uuid NOT NULL,
    movement_book_id integer NOT NULL,
    movement_id uuid NOT NULL,
    amount_vnd bigint NOT NULL,
    undoes uuid,
    entry_id uuid NOT NULL,
    rule text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT allocation_amount_vnd_check CHECK ((amount_vnd <> 0)),
    CONSTRAINT allocation_check CHECK (((amount_vnd < 0) = (undoes IS NOT NULL)))
);

-- Name: TABLE allocation; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.allocation IS 'fact: which part of a movement pays which notice; a negative row undoes one';

-- Name: api_key; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.api_key (
    id uuid NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    books integer[] NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_key_key_hash_check CHECK ((length(key_hash) = 32))
);

-- Name: TABLE api_key; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.api_key IS 'state: machines; stored hashed, bound to books and scopes';

-- Name: audit; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.audit (
    id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    actor_kind text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    book_id integer,
    subject text,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT audit_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['staff'::text, 'api_key'::text, 'system'::text, 'anonymous'::text]))),
    CONSTRAINT audit_outcome_check CHECK ((outcome = ANY (ARRAY['allowed'::text, 'refused'::text])))
);

-- Name: TABLE audit; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.audit IS 'fact: every staff action and every refused attempt';

-- Name: bank_account; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.bank_account (
    id integer NOT NULL,
    book_id integer NOT NULL,
    bin text NOT NULL,
    number text NOT NULL,
    holder_name text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    CONSTRAINT bank_account_bin_check CHECK ((bin ~ '^[0-9]{6}$'::text)),
    CONSTRAINT bank_account_number_check CHECK (((length(number) >= 1) AND (length(number) <= 34)))
);

-- Name: TABLE bank_account; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.bank_account IS 'fact: the collecting units'' own accounts';

-- Name: bank_account_id_seq; Type: SEQUENCE; Schema: service; Owner: -

ALTER TABLE service.bank_account ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME service.bank_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: call; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.call (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    merchant_id integer NOT NULL,
    received_at timestamp with time zone NOT NULL,
    sealed bytea NOT NULL
);

-- Name: TABLE call; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.call IS 'fact: the exact bytes a provider sent and we believed; no business key';

-- Name: claim; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.claim (
    book_id integer NOT NULL,
    item_kind text NOT NULL,
    item_id uuid NOT NULL,
    match_id uuid NOT NULL,
    rule text NOT NULL,
    claimed_at timestamp with time zone NOT NULL
);

-- Name: TABLE claim; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.claim IS 'state: an external item belongs to one live match';

-- Name: counter_receipt; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.counter_receipt (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    notice_id uuid NOT NULL,
    movement_id uuid NOT NULL,
    method text NOT NULL,
    amount_vnd bigint NOT NULL,
    receipt_no text NOT NULL,
    cashier text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT counter_receipt_amount_vnd_check CHECK ((amount_vnd > 0)),
    CONSTRAINT counter_receipt_method_check CHECK ((method = ANY (ARRAY['cash'::text, 'pos'::text])))
);

-- Name: TABLE counter_receipt; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.counter_receipt IS 'fact: cash or card taken at the counter';

-- Name: data_key; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.data_key (
    book_id integer NOT NULL,
    month date NOT NULL,
    wrapped bytea,
    created_at timestamp with time zone NOT NULL,
    dropped_at timestamp with time zone,
    CONSTRAINT data_key_check CHECK (((wrapped IS NULL) = (dropped_at IS NOT NULL)))
);

-- Name: TABLE data_key; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.data_key IS 'state: the data key of a book and month; the keeper drops it, which is the erasure';

-- Name: event; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.event (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    call_id uuid NOT NULL,
    merchant_id integer NOT NULL,
    provider_txn text NOT NULL,
    status text NOT NULL,
    amount_key text NOT NULL,
    amount_vnd bigint,
    reference text,
    happened_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    movement_id uuid,
    memo_sealed bytea,
    scope text DEFAULT ''::text NOT NULL
);

-- Name: TABLE event; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.event IS 'fact: a call we believe, in our words; unique, so that a repeat is known and answered alike';

-- Name: COLUMN event.scope; Type: COMMENT; Schema: service; Owner: -

COMMENT ON COLUMN service.event.scope IS 'what provider_txn is unique within: the order, a payment link; empty: the merchant';

-- Name: fee_contract; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.fee_contract (
    book_id integer NOT NULL,
    merchant_id integer NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    rate_ppm integer NOT NULL,
    fixed_vnd bigint NOT NULL,
    minimum_vnd bigint NOT NULL,
    maximum_vnd bigint,
    rounding text NOT NULL,
    tolerance_vnd bigint DEFAULT 0 NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT fee_contract_check CHECK ((maximum_vnd >= minimum_vnd)),
    CONSTRAINT fee_contract_check1 CHECK (((valid_to IS NULL) OR (valid_to >= valid_from))),
    CONSTRAINT fee_contract_fixed_vnd_check CHECK ((fixed_vnd >= 0)),
    CONSTRAINT fee_contract_minimum_vnd_check CHECK ((minimum_vnd >= 0)),
    CONSTRAINT fee_contract_rate_ppm_check CHECK (((rate_ppm >= 0) AND (rate_ppm <= 1000000))),
    CONSTRAINT fee_contract_rounding_check CHECK ((rounding = ANY (ARRAY['half_up'::text, 'down'::text, 'up'::text]))),
    CONSTRAINT fee_contract_tolerance_vnd_check CHECK (((tolerance_vnd >= 0) AND (tolerance_vnd <= 1000)))
);

-- Name: TABLE fee_contract; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.fee_contract IS 'fact: what a provider may charge for a payment from a day on; rate_ppm is parts per million of the amount';

-- Name: feed_position; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.feed_position (
    book_id integer NOT NULL,
    "position" bigint NOT NULL
);

-- Name: TABLE feed_position; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.feed_position IS 'state: the last position given in a book';

-- Name: idempotency; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.idempotency (
    caller uuid NOT NULL,
    key text NOT NULL,
    route text NOT NULL,
    request_hash bytea NOT NULL,
    book_id integer NOT NULL,
    status smallint NOT NULL,
    answer_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_key_check CHECK (((length(key) >= 1) AND (length(key) <= 200))),
    CONSTRAINT idempotency_request_hash_check CHECK ((length(request_hash) = 32))
);

-- Name: TABLE idempotency; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.idempotency IS 'fact: the answer to a request, by caller and key; not money, so by caller and not by book';

-- Name: installation; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.installation (
    id integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT installation_id_check CHECK ((id = 1)),
    CONSTRAINT installation_made_by_check CHECK ((made_by = ANY (ARRAY['demo'::text, 'operator'::text])))
);

-- Name: TABLE installation; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.installation IS 'fact: who created this database; demo and simulate refuse any that the demo did not create';

-- Name: merchant; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.merchant (
    id integer NOT NULL,
    provider text NOT NULL,
    merchant text NOT NULL,
    book_id integer NOT NULL,
    serves integer[] NOT NULL,
    mode text DEFAULT ''::text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    secrets_sealed bytea NOT NULL,
    disabled_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT merchant_merchant_check CHECK ((merchant ~ '^[A-Za-z0-9._-]{1,64}$'::text))
);

-- Name: TABLE merchant; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.merchant IS 'state: who may call; two valid secrets, sealed under the master key';

-- Name: merchant_id_seq; Type: SEQUENCE; Schema: service; Owner: -

ALTER TABLE service.merchant ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME service.merchant_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: money_state; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.money_state (
    book_id integer NOT NULL,
    movement_id uuid NOT NULL,
    amount_vnd bigint NOT NULL,
    allocated_vnd bigint DEFAULT 0 NOT NULL,
    suspense_vnd bigint DEFAULT 0 NOT NULL,
    held_vnd bigint DEFAULT 0 NOT NULL,
    unexplained_vnd bigint DEFAULT 0 NOT NULL,
    reversed_vnd bigint DEFAULT 0 NOT NULL,
    clearing_vnd bigint DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    payout_vnd bigint DEFAULT 0 NOT NULL,
    CONSTRAINT money_state_amount_vnd_check CHECK ((amount_vnd > 0)),
    CONSTRAINT money_state_check CHECK (((allocated_vnd >= 0) AND (suspense_vnd >= 0) AND (held_vnd >= 0) AND (unexplained_vnd >= 0) AND (reversed_vnd >= 0) AND (payout_vnd >= 0))),
    CONSTRAINT money_state_check1 CHECK (((((((allocated_vnd + suspense_vnd) + held_vnd) + unexplained_vnd) + reversed_vnd) + payout_vnd) = amount_vnd))
);

-- Name: TABLE money_state; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.money_state IS 'state: where a movement stands: 1383, 3380, 3381, 1380; clearing_vnd is what of it is still on 1130, signed';

-- Name: COLUMN money_state.payout_vnd; Type: COMMENT; Schema: service; Owner: -

COMMENT ON COLUMN service.money_state.payout_vnd IS 'what of a bank credit is the payout of a provider''s batches';

-- Name: movement; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.movement (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    direction text NOT NULL,
    origin text NOT NULL,
    trace text,
    amount_vnd bigint NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    value_date date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    entry_id uuid NOT NULL,
    CONSTRAINT movement_amount_vnd_check CHECK ((amount_vnd > 0)),
    CONSTRAINT movement_direction_check CHECK ((direction = ANY (ARRAY['in'::text, 'out'::text])))
);

-- Name: TABLE movement; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.movement IS 'fact: money that moved once; entry_id is its one money-in (or money-out) booking';

-- Name: notice; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.notice (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    dossier_code text NOT NULL,
    dossier_key text NOT NULL,
    procedure_code text NOT NULL,
    received_by text NOT NULL,
    decided_by text NOT NULL,
    collected_by text NOT NULL,
    channel text NOT NULL,
    payer_sealed bytea,
    payer_key bytea,
    name_keys bytea[] DEFAULT '{}'::bytea[] NOT NULL,
    due_on date,
    opening boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT notice_channel_check CHECK ((channel = ANY (ARRAY['online'::text, 'counter'::text, 'post'::text])))
);

-- Name: TABLE notice; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.notice IS 'fact: what one dossier owes; the payer is sealed';

-- Name: notice_change; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.notice_change (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    notice_id uuid NOT NULL,
    kind text NOT NULL,
    item_id uuid,
    amount_vnd bigint NOT NULL,
    reason text NOT NULL,
    decided_by_sealed bytea,
    evidence text,
    actor text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT notice_change_amount_vnd_check CHECK ((amount_vnd >= 0)),
    CONSTRAINT notice_change_kind_check CHECK ((kind = ANY (ARRAY['exemption'::text, 'cancellation'::text])))
);

-- Name: TABLE notice_change; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.notice_change IS 'fact: exemptions and cancellations';

-- Name: notice_item; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.notice_item (
    book_id integer NOT NULL,
    notice_id uuid NOT NULL,
    id uuid NOT NULL,
    "position" smallint NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    amount_vnd bigint NOT NULL,
    budget_subsection text,
    retained_percent smallint NOT NULL,
    added_at timestamp with time zone NOT NULL,
    exempted_vnd bigint DEFAULT 0 NOT NULL,
    paid_vnd bigint DEFAULT 0 NOT NULL,
    CONSTRAINT notice_item_amount_vnd_check CHECK (((amount_vnd >= 0) AND (amount_vnd <= '1000000000000'::bigint))),
    CONSTRAINT notice_item_check CHECK (((exempted_vnd >= 0) AND (paid_vnd >= 0) AND ((exempted_vnd + paid_vnd) <= amount_vnd))),
    CONSTRAINT notice_item_kind_check CHECK ((kind = ANY (ARRAY['phi'::text, 'le_phi'::text]))),
    CONSTRAINT notice_item_position_check CHECK (("position" > 0)),
    CONSTRAINT notice_item_retained_percent_check CHECK (((retained_percent >= 0) AND (retained_percent <= 100)))
);

-- Name: TABLE notice_item; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.notice_item IS 'fact with two counters (exempted_vnd, paid_vnd) that are state';

-- Name: notice_state; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.notice_state (
    book_id integer NOT NULL,
    notice_id uuid NOT NULL,
    amount_vnd bigint NOT NULL,
    exempted_vnd bigint DEFAULT 0 NOT NULL,
    written_off_vnd bigint DEFAULT 0 NOT NULL,
    paid_vnd bigint DEFAULT 0 NOT NULL,
    refunded_vnd bigint DEFAULT 0 NOT NULL,
    held_vnd bigint DEFAULT 0 NOT NULL,
    cancelled_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    outstanding_vnd bigint GENERATED ALWAYS AS (
CASE
    WHEN (cancelled_at IS NOT NULL) THEN (0)::bigint
    ELSE (((amount_vnd - exempted_vnd) - written_off_vnd) - paid_vnd)
END) STORED NOT NULL,
    status text GENERATED ALWAYS AS (
CASE
    WHEN (cancelled_at IS NOT NULL) THEN 'cancelled'::text
    WHEN ((paid_vnd > 0) AND (refunded_vnd >= paid_vnd)) THEN 'refunded'::text
    WHEN ((paid_vnd = 0) AND (amount_vnd = (exempted_vnd + written_off_vnd))) THEN 'exempt'::text
    WHEN (amount_vnd = ((exempted_vnd + written_off_vnd) + paid_vnd)) THEN 'paid'::text
    WHEN (paid_vnd > 0) THEN 'partially_paid'::text
    ELSE 'open'::text
END) STORED NOT NULL,
    settled boolean GENERATED ALWAYS AS (((cancelled_at IS NULL) AND (amount_vnd = ((exempted_vnd + written_off_vnd) + paid_vnd)))) STORED NOT NULL,
    CONSTRAINT notice_state_check CHECK (((amount_vnd >= 0) AND (exempted_vnd >= 0) AND (written_off_vnd >= 0) AND (paid_vnd >= 0) AND (refunded_vnd >= 0) AND (held_vnd >= 0))),
    CONSTRAINT notice_state_check1 CHECK ((((exempted_vnd + written_off_vnd) + paid_vnd) <= amount_vnd)),
    CONSTRAINT notice_state_check2 CHECK ((refunded_vnd <= paid_vnd))
);

-- Name: TABLE notice_state; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.notice_state IS 'state: the counters of a notice';

-- Name: outbox; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.outbox (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    dossier_code text,
    notice_id uuid,
    payload jsonb NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    "position" bigint
);

-- Name: TABLE outbox; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.outbox IS 'fact with a position that a relay gives after commit';

-- Name: payment_request; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.payment_request (
    book_id integer NOT NULL,
    reference text NOT NULL,
    numeric_reference bigint NOT NULL,
    scheme text NOT NULL,
    provider text NOT NULL,
    merchant_id integer,
    bank_account_id integer,
    amount_vnd bigint NOT NULL,
    link text NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    order_code text,
    CONSTRAINT payment_request_amount_vnd_check CHECK ((amount_vnd > 0))
);

-- Name: TABLE payment_request; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.payment_request IS 'fact: one way to pay one or more notices of a book';

-- Name: COLUMN payment_request.order_code; Type: COMMENT; Schema: service; Owner: -

COMMENT ON COLUMN service.payment_request.order_code IS 'what the provider calls the order, where that is not the reference; stored, never parsed back';

-- Name: payment_request_notice; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.payment_request_notice (
    book_id integer NOT NULL,
    reference text NOT NULL,
    notice_id uuid NOT NULL,
    "position" smallint NOT NULL,
    amount_vnd bigint NOT NULL,
    CONSTRAINT payment_request_notice_amount_vnd_check CHECK ((amount_vnd > 0))
);

-- Name: TABLE payment_request_notice; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.payment_request_notice IS 'fact: what a payment request asks for';

-- Name: payout_match; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.payout_match (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    batch_id uuid NOT NULL,
    movement_id uuid NOT NULL,
    amount_vnd bigint NOT NULL,
    rule text NOT NULL,
    entry_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT payout_match_amount_vnd_check CHECK ((amount_vnd > 0))
);

-- Name: TABLE payout_match; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.payout_match IS 'fact: which part of a bank credit is the payout of which batch';

-- Name: procedure; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.procedure (
    code text NOT NULL,
    name text NOT NULL,
    sector text NOT NULL
);

-- Name: TABLE procedure; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.procedure IS 'fact: administrative procedures';

-- Name: quarantine; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.quarantine (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    merchant_id integer NOT NULL,
    lane text NOT NULL,
    reference text,
    why text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    size_bytes integer NOT NULL,
    digest bytea NOT NULL,
    sealed bytea NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    replayed_at timestamp with time zone,
    CONSTRAINT quarantine_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT quarantine_lane_check CHECK ((lane = ANY (ARRAY['order'::text, 'ring'::text, 'stuck'::text])))
);

-- Name: TABLE quarantine; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.quarantine IS 'state: calls not believed (order and ring lanes, bounded) or believed but not bookable (stuck)';

-- Name: run; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.run (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    business_date date NOT NULL,
    dry_run boolean NOT NULL,
    status text DEFAULT 'planned'::text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT run_status_check CHECK ((status = ANY (ARRAY['planned'::text, 'applying'::text, 'done'::text, 'failed'::text])))
);

-- Name: TABLE run; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.run IS 'state: one reconciliation run of a book';

-- Name: run_step; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.run_step (
    book_id integer NOT NULL,
    run_id uuid NOT NULL,
    "position" integer NOT NULL,
    movement_id uuid NOT NULL,
    rule text NOT NULL,
    verdict text NOT NULL,
    reason text,
    allocations jsonb DEFAULT '[]'::jsonb NOT NULL,
    evidence jsonb DEFAULT '{}'::jsonb NOT NULL,
    applied text,
    CONSTRAINT run_step_verdict_check CHECK ((verdict = ANY (ARRAY['post'::text, 'case'::text])))
);

-- Name: TABLE run_step; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.run_step IS 'state: what a run plans and what became of it';

-- Name: settlement; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.settlement (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    merchant_id integer NOT NULL,
    sha256 bytea NOT NULL,
    mapping text NOT NULL,
    size_bytes bigint NOT NULL,
    status text DEFAULT 'received'::text NOT NULL,
    lines_read bigint DEFAULT 0 NOT NULL,
    lines_new bigint DEFAULT 0 NOT NULL,
    lines_known bigint DEFAULT 0 NOT NULL,
    gross_vnd bigint DEFAULT 0 NOT NULL,
    fee_vnd bigint DEFAULT 0 NOT NULL,
    net_vnd bigint DEFAULT 0 NOT NULL,
    payout_vnd bigint DEFAULT 0 NOT NULL,
    batch_count integer DEFAULT 0 NOT NULL,
    first_on date,
    last_on date,
    proven boolean,
    fees_proven boolean,
    problem text,
    received_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT settlement_sha256_check CHECK ((length(sha256) = 32)),
    CONSTRAINT settlement_status_check CHECK ((status = ANY (ARRAY['received'::text, 'importing'::text, 'done'::text, 'refused'::text])))
);

-- Name: TABLE settlement; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.settlement IS 'state: one settlement file; the same file twice is the same row; proven: its own trailer ties; fees_proven: a contract explains every fee';

-- Name: settlement_batch; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.settlement_batch (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    merchant_id integer NOT NULL,
    number text NOT NULL,
    settlement_id uuid NOT NULL,
    first_on date NOT NULL,
    last_on date NOT NULL,
    line_count bigint DEFAULT 0 NOT NULL,
    gross_vnd bigint DEFAULT 0 NOT NULL,
    fee_vnd bigint DEFAULT 0 NOT NULL,
    net_vnd bigint DEFAULT 0 NOT NULL,
    announced_vnd bigint,
    due_on date NOT NULL,
    receivable_vnd bigint DEFAULT 0 NOT NULL,
    paid_vnd bigint DEFAULT 0 NOT NULL,
    paid_at timestamp with time zone
);

-- Name: TABLE settlement_batch; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.settlement_batch IS 'state: a batch of a provider, the open item of account 1388: receivable_vnd = its lines less what was paid out; 0 where the money never stands at the provider';

-- Name: settlement_chunk; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.settlement_chunk (
    book_id integer NOT NULL,
    settlement_id uuid NOT NULL,
    "position" integer NOT NULL,
    sealed bytea NOT NULL
);

-- Name: TABLE settlement_chunk; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.settlement_chunk IS 'fact: the bytes of the file, sealed';

-- Name: settlement_line; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.settlement_line (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    settlement_id uuid NOT NULL,
    merchant_id integer NOT NULL,
    batch_id uuid NOT NULL,
    ordinal integer NOT NULL,
    row_number integer NOT NULL,
    kind text NOT NULL,
    trace text NOT NULL,
    reference text,
    refund_reference text,
    gross_vnd bigint NOT NULL,
    fee_vnd bigint NOT NULL,
    net_vnd bigint NOT NULL,
    contract_fee_vnd bigint,
    happened_at timestamp with time zone NOT NULL,
    value_date date NOT NULL,
    fingerprint bytea NOT NULL,
    occurrence integer NOT NULL,
    verdict text NOT NULL,
    movement_book_id integer,
    movement_id uuid,
    sighted boolean NOT NULL,
    receivable_vnd bigint NOT NULL,
    disputed_vnd bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT settlement_line_check CHECK ((net_vnd = (gross_vnd - fee_vnd))),
    CONSTRAINT settlement_line_check1 CHECK (((movement_id IS NULL) = (movement_book_id IS NULL))),
    CONSTRAINT settlement_line_fingerprint_check CHECK ((length(fingerprint) = 32)),
    CONSTRAINT settlement_line_kind_check CHECK ((kind = ANY (ARRAY['payment'::text, 'refund'::text, 'chargeback'::text, 'chargeback_reversed'::text, 'reversal'::text, 'fee'::text, 'adjustment'::text, 'payout'::text]))),
    CONSTRAINT settlement_line_occurrence_check CHECK ((occurrence > 0)),
    CONSTRAINT settlement_line_ordinal_check CHECK ((ordinal > 0)),
    CONSTRAINT settlement_line_row_number_check CHECK ((row_number > 0))
);

-- Name: TABLE settlement_line; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.settlement_line IS 'fact: a line of a settlement file, once however many files carry it; signed from our side; what it adds to its batch and to disputes on 1388; the fingerprint is also of the merchant';

-- Name: sighting; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.sighting (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    movement_id uuid,
    view text NOT NULL,
    seen_by text NOT NULL,
    origin text NOT NULL,
    direction text NOT NULL,
    amount_vnd bigint NOT NULL,
    traces text[] DEFAULT '{}'::text[] NOT NULL,
    reference text,
    happened_on date NOT NULL,
    outcome text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT sighting_amount_vnd_check CHECK ((amount_vnd > 0)),
    CONSTRAINT sighting_direction_check CHECK ((direction = ANY (ARRAY['in'::text, 'out'::text]))),
    CONSTRAINT sighting_view_check CHECK ((view = ANY (ARRAY['callback'::text, 'feed'::text, 'statement'::text, 'settlement'::text, 'counter'::text])))
);

-- Name: TABLE sighting; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.sighting IS 'fact: one window''s report of a movement; id is the event, the statement line or the receipt; movement_id null while unsure';

-- Name: staff; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.staff (
    id uuid NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    roles text[] NOT NULL,
    books integer[] NOT NULL,
    failed_logins integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT staff_roles_check CHECK ((roles <@ ARRAY['viewer'::text, 'maker'::text, 'checker'::text, 'admin'::text, 'auditor'::text])),
    CONSTRAINT staff_username_check CHECK ((username ~ '^[a-z0-9._-]{2,64}$'::text))
);

-- Name: TABLE staff; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.staff IS 'state: people';

-- Name: staff_session; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.staff_session (
    token_hash bytea NOT NULL,
    staff_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT staff_session_token_hash_check CHECK ((length(token_hash) = 32))
);

-- Name: TABLE staff_session; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.staff_session IS 'state: signed-in people';

-- Name: statement; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.statement (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    bank_account_id integer NOT NULL,
    sha256 bytea NOT NULL,
    layout text NOT NULL,
    size_bytes bigint NOT NULL,
    status text DEFAULT 'received'::text NOT NULL,
    lines_read bigint DEFAULT 0 NOT NULL,
    lines_new bigint DEFAULT 0 NOT NULL,
    lines_known bigint DEFAULT 0 NOT NULL,
    credits_vnd bigint DEFAULT 0 NOT NULL,
    debits_vnd bigint DEFAULT 0 NOT NULL,
    opening_vnd bigint,
    closing_vnd bigint,
    first_on date,
    last_on date,
    proven boolean,
    problem text,
    received_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT statement_sha256_check CHECK ((length(sha256) = 32)),
    CONSTRAINT statement_status_check CHECK ((status = ANY (ARRAY['received'::text, 'importing'::text, 'done'::text, 'refused'::text])))
);

-- Name: TABLE statement; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.statement IS 'state: one file; the same file twice is the same row';

-- Name: statement_chunk; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.statement_chunk (
    book_id integer NOT NULL,
    statement_id uuid NOT NULL,
    "position" integer NOT NULL,
    sealed bytea NOT NULL
);

-- Name: TABLE statement_chunk; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.statement_chunk IS 'fact: the bytes of the file, sealed';

-- Name: statement_line; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.statement_line (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    statement_id uuid NOT NULL,
    ordinal integer NOT NULL,
    bank_account_id integer NOT NULL,
    value_date date NOT NULL,
    direction text NOT NULL,
    amount_vnd bigint NOT NULL,
    fingerprint bytea NOT NULL,
    occurrence integer NOT NULL,
    balance_vnd bigint,
    memo_sealed bytea NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT statement_line_amount_vnd_check CHECK ((amount_vnd > 0)),
    CONSTRAINT statement_line_direction_check CHECK ((direction = ANY (ARRAY['in'::text, 'out'::text]))),
    CONSTRAINT statement_line_fingerprint_check CHECK ((length(fingerprint) = 32)),
    CONSTRAINT statement_line_occurrence_check CHECK ((occurrence > 0))
);

-- Name: TABLE statement_line; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.statement_line IS 'fact: a line of a bank statement, once however many files carry it';

-- Name: token; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.token (
    book_id integer NOT NULL,
    movement_id uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    CONSTRAINT token_kind_check CHECK ((kind = ANY (ARRAY['reference'::text, 'damaged_reference'::text, 'dossier'::text, 'dossier_padded'::text, 'dossier_part'::text, 'name'::text, 'trace'::text])))
);

-- Name: TABLE token; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.token IS 'fact: code-shaped tokens of a memo and bank references in clear, words of names only as keyed hashes';

-- Name: unmatched; Type: TABLE; Schema: service; Owner: -

CREATE TABLE service.unmatched (
    book_id integer NOT NULL,
    id uuid NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    side text NOT NULL,
    reason text NOT NULL,
    provider text NOT NULL,
    external_id text NOT NULL,
    amount_vnd bigint,
    happened_at timestamp with time zone NOT NULL,
    fields jsonb DEFAULT '[]'::jsonb NOT NULL,
    candidates jsonb DEFAULT '[]'::jsonb NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    resolution text,
    CONSTRAINT unmatched_side_check CHECK ((side = ANY (ARRAY['callback'::text, 'settlement'::text, 'bank'::text, 'ledger'::text]))),
    CONSTRAINT unmatched_status_check CHECK ((status = ANY (ARRAY['open'::text, 'proposed'::text, 'resolved'::text]))),
    CONSTRAINT unmatched_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['movement'::text, 'event'::text, 'statement_line'::text, 'statement'::text, 'notice'::text, 'call'::text, 'settlement'::text, 'settlement_line'::text, 'settlement_batch'::text])))
);

-- Name: TABLE unmatched; Type: COMMENT; Schema: service; Owner: -

COMMENT ON TABLE service.unmatched IS 'state: a case: one item that nothing explains yet';

-- Name: account account_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (book_id, code);

-- Name: book book_code_key; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.book
    ADD CONSTRAINT book_code_key UNIQUE (code);

-- Name: book book_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.book
    ADD CONSTRAINT book_pkey PRIMARY KEY (book_id);

-- Name: checkpoint_balance checkpoint_balance_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.checkpoint_balance
    ADD CONSTRAINT checkpoint_balance_pkey PRIMARY KEY (book_id, account, segment);

-- Name: checkpoint_day checkpoint_day_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.checkpoint_day
    ADD CONSTRAINT checkpoint_day_pkey PRIMARY KEY (book_id, account, value_date, segment);

-- Name: checkpoint checkpoint_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (book_id, segment);

-- Name: entry entry_book_id_source_key; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.entry
    ADD CONSTRAINT entry_book_id_source_key UNIQUE (book_id, source);

-- Name: entry entry_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (book_id, id);

-- Name: line line_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.line
    ADD CONSTRAINT line_pkey PRIMARY KEY (book_id, entry_id, "position");

-- Name: open_day open_day_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.open_day
    ADD CONSTRAINT open_day_pkey PRIMARY KEY (book_id);

-- Name: posting posting_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.posting
    ADD CONSTRAINT posting_pkey PRIMARY KEY (book_id, id);

-- Name: segment segment_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.segment
    ADD CONSTRAINT segment_pkey PRIMARY KEY (book_id, segment);

-- Name: summed summed_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.summed
    ADD CONSTRAINT summed_pkey PRIMARY KEY (book_id);

-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

-- Name: account_window account_window_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.account_window
    ADD CONSTRAINT account_window_pkey PRIMARY KEY (book_id, origin, seen_by);

-- Name: agency agency_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.agency
    ADD CONSTRAINT agency_pkey PRIMARY KEY (code, valid_from);

-- Name: allocation allocation_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.allocation
    ADD CONSTRAINT allocation_pkey PRIMARY KEY (book_id, id);

-- Name: api_key api_key_key_hash_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.api_key
    ADD CONSTRAINT api_key_key_hash_key UNIQUE (key_hash);

-- Name: api_key api_key_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

-- Name: bank_account bank_account_bin_number_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.bank_account
    ADD CONSTRAINT bank_account_bin_number_key UNIQUE (bin, number);

-- Name: bank_account bank_account_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.bank_account
    ADD CONSTRAINT bank_account_pkey PRIMARY KEY (id);

-- Name: call call_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.call
    ADD CONSTRAINT call_pkey PRIMARY KEY (book_id, id);

-- Name: claim claim_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.claim
    ADD CONSTRAINT claim_pkey PRIMARY KEY (book_id, item_kind, item_id);

-- Name: counter_receipt counter_receipt_book_id_receipt_no_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.counter_receipt
    ADD CONSTRAINT counter_receipt_book_id_receipt_no_key UNIQUE (book_id, receipt_no);

-- Name: counter_receipt counter_receipt_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.counter_receipt
    ADD CONSTRAINT counter_receipt_pkey PRIMARY KEY (book_id, id);

-- Name: data_key data_key_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.data_key
    ADD CONSTRAINT data_key_pkey PRIMARY KEY (book_id, month);

-- Name: event event_book_id_merchant_id_scope_provider_txn_status_amount__key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.event
    ADD CONSTRAINT event_book_id_merchant_id_scope_provider_txn_status_amount__key UNIQUE (book_id, merchant_id, scope, provider_txn, status, amount_key);

-- Name: event event_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (book_id, id);

-- Name: fee_contract fee_contract_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.fee_contract
    ADD CONSTRAINT fee_contract_pkey PRIMARY KEY (book_id, merchant_id, valid_from);

-- Name: feed_position feed_position_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.feed_position
    ADD CONSTRAINT feed_position_pkey PRIMARY KEY (book_id);

-- Name: idempotency idempotency_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (caller, key);

-- Name: installation installation_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (id);

-- Name: merchant merchant_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.merchant
    ADD CONSTRAINT merchant_pkey PRIMARY KEY (id);

-- Name: merchant merchant_provider_merchant_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.merchant
    ADD CONSTRAINT merchant_provider_merchant_key UNIQUE (provider, merchant);

-- Name: money_state money_state_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.money_state
    ADD CONSTRAINT money_state_pkey PRIMARY KEY (book_id, movement_id);

-- Name: movement movement_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.movement
    ADD CONSTRAINT movement_pkey PRIMARY KEY (book_id, id);

-- Name: notice_change notice_change_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.notice_change
    ADD CONSTRAINT notice_change_pkey PRIMARY KEY (book_id, id);

-- Name: notice_item notice_item_book_id_notice_id_position_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.notice_item
    ADD CONSTRAINT notice_item_book_id_notice_id_position_key UNIQUE (book_id, notice_id, "position");

-- Name: notice_item notice_item_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.notice_item
    ADD CONSTRAINT notice_item_pkey PRIMARY KEY (book_id, notice_id, id);

-- Name: notice notice_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (book_id, id);

-- Name: notice_state notice_state_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.notice_state
    ADD CONSTRAINT notice_state_pkey PRIMARY KEY (book_id, notice_id);

-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (book_id, id);

-- Name: payment_request_notice payment_request_notice_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.payment_request_notice
    ADD CONSTRAINT payment_request_notice_pkey PRIMARY KEY (book_id, reference, notice_id);

-- Name: payment_request payment_request_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.payment_request
    ADD CONSTRAINT payment_request_pkey PRIMARY KEY (book_id, reference);

-- Name: payout_match payout_match_book_id_batch_id_movement_id_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.payout_match
    ADD CONSTRAINT payout_match_book_id_batch_id_movement_id_key UNIQUE (book_id, batch_id, movement_id);

-- Name: payout_match payout_match_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.payout_match
    ADD CONSTRAINT payout_match_pkey PRIMARY KEY (book_id, id);

-- Name: procedure procedure_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.procedure
    ADD CONSTRAINT procedure_pkey PRIMARY KEY (code);

-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (book_id, id);

-- Name: run run_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (book_id, id);

-- Name: run_step run_step_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.run_step
    ADD CONSTRAINT run_step_pkey PRIMARY KEY (book_id, run_id, "position");

-- Name: settlement_batch settlement_batch_book_id_merchant_id_number_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement_batch
    ADD CONSTRAINT settlement_batch_book_id_merchant_id_number_key UNIQUE (book_id, merchant_id, number);

-- Name: settlement_batch settlement_batch_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement_batch
    ADD CONSTRAINT settlement_batch_pkey PRIMARY KEY (book_id, id);

-- Name: settlement settlement_book_id_merchant_id_sha256_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement
    ADD CONSTRAINT settlement_book_id_merchant_id_sha256_key UNIQUE (book_id, merchant_id, sha256);

-- Name: settlement_chunk settlement_chunk_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement_chunk
    ADD CONSTRAINT settlement_chunk_pkey PRIMARY KEY (book_id, settlement_id, "position");

-- Name: settlement_line settlement_line_book_id_fingerprint_occurrence_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement_line
    ADD CONSTRAINT settlement_line_book_id_fingerprint_occurrence_key UNIQUE (book_id, fingerprint, occurrence);

-- Name: settlement_line settlement_line_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement_line
    ADD CONSTRAINT settlement_line_pkey PRIMARY KEY (book_id, id);

-- Name: settlement settlement_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.settlement
    ADD CONSTRAINT settlement_pkey PRIMARY KEY (book_id, id);

-- Name: sighting sighting_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.sighting
    ADD CONSTRAINT sighting_pkey PRIMARY KEY (book_id, id);

-- Name: staff staff_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (id);

-- Name: staff_session staff_session_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.staff_session
    ADD CONSTRAINT staff_session_pkey PRIMARY KEY (token_hash);

-- Name: staff staff_username_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.staff
    ADD CONSTRAINT staff_username_key UNIQUE (username);

-- Name: statement statement_book_id_bank_account_id_sha256_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.statement
    ADD CONSTRAINT statement_book_id_bank_account_id_sha256_key UNIQUE (book_id, bank_account_id, sha256);

-- Name: statement_chunk statement_chunk_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.statement_chunk
    ADD CONSTRAINT statement_chunk_pkey PRIMARY KEY (book_id, statement_id, "position");

-- Name: statement_line statement_line_book_id_bank_account_id_fingerprint_occurren_key; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.statement_line
    ADD CONSTRAINT statement_line_book_id_bank_account_id_fingerprint_occurren_key UNIQUE (book_id, bank_account_id, fingerprint, occurrence);

-- Name: statement_line statement_line_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.statement_line
    ADD CONSTRAINT statement_line_pkey PRIMARY KEY (book_id, id);

-- Name: statement statement_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.statement
    ADD CONSTRAINT statement_pkey PRIMARY KEY (book_id, id);

-- Name: token token_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.token
    ADD CONSTRAINT token_pkey PRIMARY KEY (book_id, movement_id, kind, value);

-- Name: unmatched unmatched_pkey; Type: CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.unmatched
    ADD CONSTRAINT unmatched_pkey PRIMARY KEY (book_id, id);

-- Name: entry_of_segment; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX entry_of_segment ON ledger.entry USING btree (book_id, segment, id);

-- Name: entry_of_shared; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX entry_of_shared ON ledger.entry USING btree (book_id, shared_id) WHERE (shared_id IS NOT NULL);

-- Name: entry_reversed_once; Type: INDEX; Schema: ledger; Owner: -

CREATE UNIQUE INDEX entry_reversed_once ON ledger.entry USING btree (book_id, reverses) WHERE (reverses IS NOT NULL);

-- Name: line_credit; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX line_credit ON ledger.line USING btree (book_id, credit, segment, entry_id, "position") INCLUDE (amount_vnd, value_date, recorded_at);

-- Name: line_debit; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX line_debit ON ledger.line USING btree (book_id, debit, segment, entry_id, "position") INCLUDE (amount_vnd, value_date, recorded_at);

-- Name: line_of_movement; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX line_of_movement ON ledger.line USING btree (book_id, movement_id) WHERE (movement_id IS NOT NULL);

-- Name: line_of_notice; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX line_of_notice ON ledger.line USING btree (book_id, notice_id) WHERE (notice_id IS NOT NULL);

-- Name: posting_of_segment; Type: INDEX; Schema: ledger; Owner: -

CREATE INDEX posting_of_segment ON ledger.posting USING btree (book_id, segment, recorded_at);

-- Name: agency_by_legacy; Type: INDEX; Schema: service; Owner: -

CREATE INDEX agency_by_legacy ON service.agency USING btree (legacy_code);

-- Name: allocation_of_movement; Type: INDEX; Schema: service; Owner: -

CREATE INDEX allocation_of_movement ON service.allocation USING btree (book_id, movement_id);

-- Name: allocation_of_notice; Type: INDEX; Schema: service; Owner: -

CREATE INDEX allocation_of_notice ON service.allocation USING btree (book_id, notice_id);

-- Name: allocation_undone_once; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX allocation_undone_once ON service.allocation USING btree (book_id, undoes) WHERE (undoes IS NOT NULL);

-- Name: audit_by_actor; Type: INDEX; Schema: service; Owner: -

CREATE INDEX audit_by_actor ON service.audit USING btree (actor, id);

-- Name: claim_of_match; Type: INDEX; Schema: service; Owner: -

CREATE INDEX claim_of_match ON service.claim USING btree (book_id, match_id);

-- Name: counter_receipt_of_notice; Type: INDEX; Schema: service; Owner: -

CREATE INDEX counter_receipt_of_notice ON service.counter_receipt USING btree (book_id, notice_id);

-- Name: idempotency_by_age; Type: INDEX; Schema: service; Owner: -

CREATE INDEX idempotency_by_age ON service.idempotency USING btree (created_at);

-- Name: money_in_clearing; Type: INDEX; Schema: service; Owner: -

CREATE INDEX money_in_clearing ON service.money_state USING btree (book_id, movement_id) WHERE (clearing_vnd <> 0);

-- Name: money_in_suspense; Type: INDEX; Schema: service; Owner: -

CREATE INDEX money_in_suspense ON service.money_state USING btree (book_id, movement_id) WHERE (suspense_vnd > 0);

-- Name: movement_by_trace; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX movement_by_trace ON service.movement USING btree (book_id, origin, trace) WHERE (trace IS NOT NULL);

-- Name: notice_by_status; Type: INDEX; Schema: service; Owner: -

CREATE INDEX notice_by_status ON service.notice_state USING btree (book_id, status, notice_id);

-- Name: notice_change_of_notice; Type: INDEX; Schema: service; Owner: -

CREATE INDEX notice_change_of_notice ON service.notice_change USING btree (book_id, notice_id, id);

-- Name: notice_of_dossier; Type: INDEX; Schema: service; Owner: -

CREATE INDEX notice_of_dossier ON service.notice USING btree (book_id, dossier_key, id);

-- Name: notice_of_payer; Type: INDEX; Schema: service; Owner: -

CREATE INDEX notice_of_payer ON service.notice USING btree (book_id, payer_key) WHERE (payer_key IS NOT NULL);

-- Name: outbox_feed; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX outbox_feed ON service.outbox USING btree (book_id, "position") WHERE ("position" IS NOT NULL);

-- Name: outbox_waiting; Type: INDEX; Schema: service; Owner: -

CREATE INDEX outbox_waiting ON service.outbox USING btree (book_id, id) WHERE ("position" IS NULL);

-- Name: payment_request_by_number; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX payment_request_by_number ON service.payment_request USING btree (book_id, numeric_reference);

-- Name: payment_request_by_order_code; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX payment_request_by_order_code ON service.payment_request USING btree (book_id, order_code) WHERE (order_code IS NOT NULL);

-- Name: payment_request_of_notice; Type: INDEX; Schema: service; Owner: -

CREATE INDEX payment_request_of_notice ON service.payment_request_notice USING btree (book_id, notice_id, reference);

-- Name: payout_match_of_movement; Type: INDEX; Schema: service; Owner: -

CREATE INDEX payout_match_of_movement ON service.payout_match USING btree (book_id, movement_id);

-- Name: quarantine_of_order; Type: INDEX; Schema: service; Owner: -

CREATE INDEX quarantine_of_order ON service.quarantine USING btree (book_id, reference) WHERE (lane = 'order'::text);

-- Name: quarantine_ring; Type: INDEX; Schema: service; Owner: -

CREATE INDEX quarantine_ring ON service.quarantine USING btree (book_id, merchant_id, id) WHERE (lane = 'ring'::text);

-- Name: quarantine_stuck; Type: INDEX; Schema: service; Owner: -

CREATE INDEX quarantine_stuck ON service.quarantine USING btree (book_id, received_at) WHERE ((lane = 'stuck'::text) AND (replayed_at IS NULL));

-- Name: quarantine_stuck_once; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX quarantine_stuck_once ON service.quarantine USING btree (book_id, merchant_id, digest) WHERE ((lane = 'stuck'::text) AND (replayed_at IS NULL));

-- Name: settlement_batch_open; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_batch_open ON service.settlement_batch USING btree (book_id, merchant_id, last_on) WHERE (receivable_vnd <> 0);

-- Name: settlement_line_of_batch; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_line_of_batch ON service.settlement_line USING btree (book_id, batch_id, ordinal);

-- Name: settlement_line_of_movement; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_line_of_movement ON service.settlement_line USING btree (book_id, movement_id) WHERE (movement_id IS NOT NULL);

-- Name: settlement_line_of_settlement; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_line_of_settlement ON service.settlement_line USING btree (book_id, settlement_id, ordinal);

-- Name: settlement_line_of_trace; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_line_of_trace ON service.settlement_line USING btree (book_id, trace, merchant_id);

-- Name: settlement_of_merchant; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_of_merchant ON service.settlement USING btree (book_id, merchant_id, first_on);

-- Name: settlement_waiting; Type: INDEX; Schema: service; Owner: -

CREATE INDEX settlement_waiting ON service.settlement USING btree (book_id, received_at, id) WHERE (status = ANY (ARRAY['received'::text, 'importing'::text]));

-- Name: sighting_join; Type: INDEX; Schema: service; Owner: -

CREATE INDEX sighting_join ON service.sighting USING btree (book_id, origin, amount_vnd, seen_by, happened_on) WHERE (view = ANY (ARRAY['feed'::text, 'statement'::text]));

-- Name: sighting_of_movement; Type: INDEX; Schema: service; Owner: -

CREATE INDEX sighting_of_movement ON service.sighting USING btree (book_id, movement_id);

-- Name: staff_session_of_staff; Type: INDEX; Schema: service; Owner: -

CREATE INDEX staff_session_of_staff ON service.staff_session USING btree (staff_id);

-- Name: statement_line_by_day; Type: INDEX; Schema: service; Owner: -

CREATE INDEX statement_line_by_day ON service.statement_line USING btree (book_id, bank_account_id, value_date, id);

-- Name: statement_line_of_statement; Type: INDEX; Schema: service; Owner: -

CREATE INDEX statement_line_of_statement ON service.statement_line USING btree (book_id, statement_id, ordinal);

-- Name: statement_of_account; Type: INDEX; Schema: service; Owner: -

CREATE INDEX statement_of_account ON service.statement USING btree (book_id, bank_account_id, last_on);

-- Name: token_by_value; Type: INDEX; Schema: service; Owner: -

CREATE INDEX token_by_value ON service.token USING btree (book_id, kind, value);

-- Name: unmatched_by_reason; Type: INDEX; Schema: service; Owner: -

CREATE INDEX unmatched_by_reason ON service.unmatched USING btree (book_id, reason, id) WHERE (status <> 'resolved'::text);

-- Name: unmatched_live; Type: INDEX; Schema: service; Owner: -

CREATE INDEX unmatched_live ON service.unmatched USING btree (book_id, id) WHERE (status <> 'resolved'::text);

-- Name: unmatched_once; Type: INDEX; Schema: service; Owner: -

CREATE UNIQUE INDEX unmatched_once ON service.unmatched USING btree (book_id, subject_id, reason) WHERE (status <> 'resolved'::text);

-- Name: entry entry_book_id_reverses_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.entry
    ADD CONSTRAINT entry_book_id_reverses_fkey FOREIGN KEY (book_id, reverses) REFERENCES ledger.entry(book_id, id);

-- Name: line line_book_id_credit_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.line
    ADD CONSTRAINT line_book_id_credit_fkey FOREIGN KEY (book_id, credit) REFERENCES ledger.account(book_id, code);

-- Name: line line_book_id_debit_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.line
    ADD CONSTRAINT line_book_id_debit_fkey FOREIGN KEY (book_id, debit) REFERENCES ledger.account(book_id, code);

-- Name: line line_book_id_entry_id_fkey; Type: FK CONSTRAINT; Schema: ledger; Owner: -

ALTER TABLE ONLY ledger.line
    ADD CONSTRAINT line_book_id_entry_id_fkey FOREIGN KEY (book_id, entry_id) REFERENCES ledger.entry(book_id, id);

-- Name: notice_state notice_state_book_id_notice_id_fkey; Type: FK CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.notice_state
    ADD CONSTRAINT notice_state_book_id_notice_id_fkey FOREIGN KEY (book_id, notice_id) REFERENCES service.notice(book_id, id);

-- Name: staff_session staff_session_staff_id_fkey; Type: FK CONSTRAINT; Schema: service; Owner: -

ALTER TABLE ONLY service.staff_session
    ADD CONSTRAINT staff_session_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES service.staff(id);

-- Name: SCHEMA ledger; Type: ACL; Schema: -; Owner: -

GRANT USAGE ON SCHEMA ledger TO doisoat_app;
GRANT USAGE ON SCHEMA ledger TO doisoat_keeper;

-- Name: SCHEMA service; Type: ACL; Schema: -; Owner: -

GRANT USAGE ON SCHEMA service TO doisoat_app;
GRANT USAGE ON SCHEMA service TO doisoat_keeper;

-- Name: TABLE account; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.account TO doisoat_app;
GRANT SELECT ON TABLE ledger.account TO doisoat_keeper;

-- Name: TABLE book; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.book TO doisoat_app;
GRANT SELECT ON TABLE ledger.book TO doisoat_keeper;

-- Name: TABLE checkpoint; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.checkpoint TO doisoat_app;
GRANT SELECT ON TABLE ledger.checkpoint TO doisoat_keeper;

-- Name: TABLE checkpoint_balance; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.checkpoint_balance TO doisoat_app;
GRANT SELECT ON TABLE ledger.checkpoint_balance TO doisoat_keeper;

-- Name: TABLE checkpoint_day; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.checkpoint_day TO doisoat_app;
GRANT SELECT ON TABLE ledger.checkpoint_day TO doisoat_keeper;

-- Name: TABLE entry; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.entry TO doisoat_app;
GRANT SELECT ON TABLE ledger.entry TO doisoat_keeper;

-- Name: TABLE line; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.line TO doisoat_app;
GRANT SELECT ON TABLE ledger.line TO doisoat_keeper;

-- Name: TABLE open_day; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE ledger.open_day TO doisoat_app;
GRANT SELECT ON TABLE ledger.open_day TO doisoat_keeper;

-- Name: TABLE posting; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.posting TO doisoat_app;
GRANT SELECT ON TABLE ledger.posting TO doisoat_keeper;

-- Name: TABLE segment; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT ON TABLE ledger.segment TO doisoat_app;
GRANT SELECT ON TABLE ledger.segment TO doisoat_keeper;

-- Name: TABLE summed; Type: ACL; Schema: ledger; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE ledger.summed TO doisoat_app;
GRANT SELECT ON TABLE ledger.summed TO doisoat_keeper;

-- Name: TABLE alembic_version; Type: ACL; Schema: public; Owner: -

GRANT SELECT ON TABLE public.alembic_version TO doisoat_app;
GRANT SELECT ON TABLE public.alembic_version TO doisoat_keeper;

-- Name: TABLE account_window; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.account_window TO doisoat_app;
GRANT SELECT ON TABLE service.account_window TO doisoat_keeper;

-- Name: TABLE agency; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.agency TO doisoat_app;
GRANT SELECT ON TABLE service.agency TO doisoat_keeper;

-- Name: TABLE allocation; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.allocation TO doisoat_app;
GRANT SELECT ON TABLE service.allocation TO doisoat_keeper;

-- Name: TABLE api_key; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.api_key TO doisoat_app;
GRANT SELECT ON TABLE service.api_key TO doisoat_keeper;

-- Name: TABLE audit; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.audit TO doisoat_app;
GRANT SELECT ON TABLE service.audit TO doisoat_keeper;

-- Name: TABLE bank_account; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.bank_account TO doisoat_app;
GRANT SELECT ON TABLE service.bank_account TO doisoat_keeper;

-- Name: SEQUENCE bank_account_id_seq; Type: ACL; Schema: service; Owner: -

GRANT USAGE ON SEQUENCE service.bank_account_id_seq TO doisoat_app;

-- Name: TABLE call; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.call TO doisoat_app;
GRANT SELECT ON TABLE service.call TO doisoat_keeper;

-- Name: TABLE claim; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE service.claim TO doisoat_app;
GRANT SELECT ON TABLE service.claim TO doisoat_keeper;

-- Name: TABLE counter_receipt; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.counter_receipt TO doisoat_app;
GRANT SELECT ON TABLE service.counter_receipt TO doisoat_keeper;

-- Name: TABLE data_key; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.data_key TO doisoat_app;
GRANT SELECT ON TABLE service.data_key TO doisoat_keeper;

-- Name: COLUMN data_key.wrapped; Type: ACL; Schema: service; Owner: -

GRANT UPDATE(wrapped) ON TABLE service.data_key TO doisoat_keeper;

-- Name: COLUMN data_key.dropped_at; Type: ACL; Schema: service; Owner: -

GRANT UPDATE(dropped_at) ON TABLE service.data_key TO doisoat_keeper;

-- Name: TABLE event; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.event TO doisoat_app;
GRANT SELECT ON TABLE service.event TO doisoat_keeper;

-- Name: TABLE fee_contract; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.fee_contract TO doisoat_app;
GRANT SELECT ON TABLE service.fee_contract TO doisoat_keeper;

-- Name: TABLE feed_position; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.feed_position TO doisoat_app;
GRANT SELECT ON TABLE service.feed_position TO doisoat_keeper;

-- Name: TABLE idempotency; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,DELETE ON TABLE service.idempotency TO doisoat_app;
GRANT SELECT,DELETE ON TABLE service.idempotency TO doisoat_keeper;

-- Name: TABLE installation; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.installation TO doisoat_app;
GRANT SELECT ON TABLE service.installation TO doisoat_keeper;

-- Name: TABLE merchant; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.merchant TO doisoat_app;
GRANT SELECT ON TABLE service.merchant TO doisoat_keeper;

-- Name: SEQUENCE merchant_id_seq; Type: ACL; Schema: service; Owner: -

GRANT USAGE ON SEQUENCE service.merchant_id_seq TO doisoat_app;

-- Name: TABLE money_state; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.money_state TO doisoat_app;
GRANT SELECT ON TABLE service.money_state TO doisoat_keeper;

-- Name: TABLE movement; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.movement TO doisoat_app;
GRANT SELECT ON TABLE service.movement TO doisoat_keeper;

-- Name: TABLE notice; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.notice TO doisoat_app;
GRANT SELECT ON TABLE service.notice TO doisoat_keeper;

-- Name: TABLE notice_change; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.notice_change TO doisoat_app;
GRANT SELECT ON TABLE service.notice_change TO doisoat_keeper;

-- Name: TABLE notice_item; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.notice_item TO doisoat_app;
GRANT SELECT ON TABLE service.notice_item TO doisoat_keeper;

-- Name: COLUMN notice_item.exempted_vnd; Type: ACL; Schema: service; Owner: -

GRANT UPDATE(exempted_vnd) ON TABLE service.notice_item TO doisoat_app;

-- Name: COLUMN notice_item.paid_vnd; Type: ACL; Schema: service; Owner: -

GRANT UPDATE(paid_vnd) ON TABLE service.notice_item TO doisoat_app;

-- Name: TABLE notice_state; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.notice_state TO doisoat_app;
GRANT SELECT ON TABLE service.notice_state TO doisoat_keeper;

-- Name: TABLE outbox; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.outbox TO doisoat_app;
GRANT SELECT ON TABLE service.outbox TO doisoat_keeper;

-- Name: COLUMN outbox."position"; Type: ACL; Schema: service; Owner: -

GRANT UPDATE("position") ON TABLE service.outbox TO doisoat_app;

-- Name: TABLE payment_request; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.payment_request TO doisoat_app;
GRANT SELECT ON TABLE service.payment_request TO doisoat_keeper;

-- Name: TABLE payment_request_notice; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.payment_request_notice TO doisoat_app;
GRANT SELECT ON TABLE service.payment_request_notice TO doisoat_keeper;

-- Name: TABLE payout_match; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.payout_match TO doisoat_app;
GRANT SELECT ON TABLE service.payout_match TO doisoat_keeper;

-- Name: TABLE procedure; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.procedure TO doisoat_app;
GRANT SELECT ON TABLE service.procedure TO doisoat_keeper;

-- Name: TABLE quarantine; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE service.quarantine TO doisoat_app;
GRANT SELECT,DELETE ON TABLE service.quarantine TO doisoat_keeper;

-- Name: TABLE run; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.run TO doisoat_app;
GRANT SELECT ON TABLE service.run TO doisoat_keeper;

-- Name: TABLE run_step; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.run_step TO doisoat_app;
GRANT SELECT ON TABLE service.run_step TO doisoat_keeper;

-- Name: TABLE settlement; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.settlement TO doisoat_app;
GRANT SELECT ON TABLE service.settlement TO doisoat_keeper;

-- Name: TABLE settlement_batch; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.settlement_batch TO doisoat_app;
GRANT SELECT ON TABLE service.settlement_batch TO doisoat_keeper;

-- Name: TABLE settlement_chunk; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.settlement_chunk TO doisoat_app;
GRANT SELECT ON TABLE service.settlement_chunk TO doisoat_keeper;

-- Name: TABLE settlement_line; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.settlement_line TO doisoat_app;
GRANT SELECT ON TABLE service.settlement_line TO doisoat_keeper;

-- Name: TABLE sighting; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.sighting TO doisoat_app;
GRANT SELECT ON TABLE service.sighting TO doisoat_keeper;

-- Name: TABLE staff; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.staff TO doisoat_app;
GRANT SELECT ON TABLE service.staff TO doisoat_keeper;

-- Name: TABLE staff_session; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.staff_session TO doisoat_app;
GRANT SELECT,DELETE ON TABLE service.staff_session TO doisoat_keeper;

-- Name: TABLE statement; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.statement TO doisoat_app;
GRANT SELECT ON TABLE service.statement TO doisoat_keeper;

-- Name: TABLE statement_chunk; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.statement_chunk TO doisoat_app;
GRANT SELECT ON TABLE service.statement_chunk TO doisoat_keeper;

-- Name: TABLE statement_line; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.statement_line TO doisoat_app;
GRANT SELECT ON TABLE service.statement_line TO doisoat_keeper;

-- Name: TABLE token; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT ON TABLE service.token TO doisoat_app;
GRANT SELECT ON TABLE service.token TO doisoat_keeper;

-- Name: TABLE unmatched; Type: ACL; Schema: service; Owner: -

GRANT SELECT,INSERT,UPDATE ON TABLE service.unmatched TO doisoat_app;
GRANT SELECT ON TABLE service.unmatched TO doisoat_keeper;
