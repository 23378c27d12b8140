-- Silent orders are asked about.

-- ---------------------------------------------------------------- cases have an owner

alter table service.unmatched add column if not exists owner text;
alter table service.unmatched add column if not exists due_at timestamptz;
comment on column service.unmatched.owner is 'the role that has to act, where one is named';
comment on column service.unmatched.due_at is 'until when';
-- The kinds are told by service.payments.sightings, which each new kind of case adds to.
alter table service.unmatched drop constraint unmatched_subject_kind_check;
alter table service.unmatched add constraint unmatched_subject_kind_check
    check (subject_kind ~ '^[a-z_]{1,40}$');

-- ---------------------------------------------------------------- questions about silent orders

create table service.question (
    book_id integer not null,
    reference text not null,
    id uuid not null,
    provider text not null,
    merchant_id integer not null,
    merchant_book_id integer not null,
    order_code text not null,
    opened_at timestamptz not null,
    expires_at timestamptz,
    state text not null default 'waiting' check (state in ('waiting', 'answered', 'ended')),
    next_at timestamptz,
    tries integer not null default 0 check (tries >= 0),
    request_id text,
    asked_at timestamptz,
    leased_until timestamptz,
    answer text,
    last_problem text check (length(last_problem) <= 200),
    ended_at timestamptz,
    primary key (book_id, reference),
    unique (book_id, id),
    foreign key (book_id, reference) references service.payment_request (book_id, reference),
    check ((state = 'waiting') = (next_at is not null)),
    check ((state = 'waiting') = (ended_at is null))
);
create index question_due on service.question (provider, next_at, book_id, reference)
    where state = 'waiting';
comment on table service.question is
    'state: a payment request at a provider that can be asked; request_id and the lease are written before anything is sent';

-- What was asked for before this: due at once, so that each is answered by a stored event, by its
-- provider, or by a case.
insert into service.question (book_id, reference, id, provider, merchant_id, merchant_book_id,
                              order_code, opened_at, expires_at, next_at)
select request.book_id, request.reference, uuidv7(), request.provider, merchant.id,
       merchant.book_id, coalesce(request.order_code, request.reference), request.created_at,
       request.expires_at, now()
from service.payment_request as request
join service.merchant as merchant on merchant.id = request.merchant_id
where request.provider = 'vnpay';

-- ---------------------------------------------------------------- checkouts that a provider opened

alter table service.payment_request alter column link drop not null;
comment on column service.payment_request.link is
    'a link or payload of our own; null where the provider is asked for one (service.payment_link)';

create table service.payment_link (
    book_id integer not null,
    reference text not null,
    url text,
    qr_payload text,
    provider_reference text,
    recorded_at timestamptz not null,
    primary key (book_id, reference),
    foreign key (book_id, reference) references service.payment_request (book_id, reference),
    check (url is not null or qr_payload is not null)
);
comment on table service.payment_link is
    'fact: where a citizen pays, as the provider answered; the first answer counts';

-- ---------------------------------------------------------------- bank feeds that are pulled

create table service.pull (
    book_id integer not null,
    merchant_id integer not null,
    position text not null default '',
    told bytea not null default '',
    next_at timestamptz not null,
    pulled_at timestamptz,
    leased_until timestamptz,
    last_problem text check (length(last_problem) <= 200),
    primary key (book_id, merchant_id)
);
comment on table service.pull is
    'state: how far the list of a bank feed was read, and digests of the page that was read last; what was read is committed before position moves';

-- ---------------------------------------------------------------- who may do what

grant select, insert on service.payment_link to doisoat_app;
grant select, insert, update on service.question, service.pull to doisoat_app;
grant select on service.question, service.payment_link, service.pull to doisoat_keeper;
