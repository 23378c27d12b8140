"""What the asking room asks the database; work is claimed book by book."""

from typing import Final

import sqlalchemy as sa

DUE_BOOKS: Final = sa.text("""
    select distinct book_id from service.question
    where state = 'waiting' and provider = :provider and next_at <= :now
      and (leased_until is null or leased_until <= :now)
    order by book_id limit :limit
""")

COLUMNS: Final = """
    question.book_id, question.reference, question.id, question.provider, question.merchant_id,
    question.merchant_book_id, question.order_code, question.opened_at, question.expires_at,
    question.state, question.answer, question.tries, request.amount_vnd,
    link.provider_reference,
    request.link is not null or link.reference is not null as can_be_paid
"""
JOINED: Final = """
    service.question as question
    join service.payment_request as request
      on request.book_id = question.book_id and request.reference = question.reference
    left join service.payment_link as link
      on link.book_id = question.book_id and link.reference = question.reference
"""

# Those that another worker holds are passed on; whoever died with one loses it with its lease.
TAKE_DUE: Final = sa.text(f"""
    select {COLUMNS} from {JOINED}
    where question.state = 'waiting' and question.provider = :provider
      and question.book_id = :book_id and question.next_at <= :now
      and (question.leased_until is null or question.leased_until <= :now)
    order by question.next_at, question.reference limit :limit
    for no key update of question skip locked
""")  # noqa: S608 # constants

TAKE_ONE: Final = sa.text(f"""
    select {COLUMNS} from {JOINED}
    where question.reference = :reference
      and question.book_id in (select book_id from ledger.book)
      and (question.leased_until is null or question.leased_until <= :now)
    for no key update of question skip locked
""")  # noqa: S608 # constants

LEASE: Final = sa.text("""
    update service.question as question
    set request_id = told.request_id, asked_at = :now, leased_until = :until,
        tries = question.tries + 1
    from unnest(cast(:books as integer[]), cast(:references as text[]),
                cast(:request_ids as text[])) as told (book_id, reference, request_id)
    where question.book_id = told.book_id and question.reference = told.reference
""")

# A worker whose lease ran out may not speak over the one that asked after it.
RECORD: Final = sa.text("""
    update service.question
    set state = :state, next_at = :next_at, answer = coalesce(:answer, answer),
        last_problem = :problem, leased_until = null, tries = tries - :unsent,
        ended_at = case when :state <> 'waiting' then coalesce(ended_at, :now) end
    where book_id = :book_id and reference = :reference and request_id = :request_id
    returning id
""")

# Events stand in the merchant's own book, or that of the account they name.
HEARD: Final = sa.text("""
    select told.position, array_agg(distinct event.status) as statuses
    from unnest(cast(:books as integer[]), cast(:own_books as integer[]),
                cast(:merchants as integer[]), cast(:references as text[]),
                cast(:order_codes as text[])) with ordinality
        as told (book_id, own_book_id, merchant_id, reference, order_code, position)
    join service.event
      on event.book_id in (told.book_id, told.own_book_id) and event.merchant_id = told.merchant_id
     and event.reference in (told.reference, told.order_code)
    where event.status = any(cast(:final as text[]))
    group by told.position
""")

ANSWERED: Final = sa.text("""
    update service.question as question
    set state = 'answered', next_at = null, answer = told.status, last_problem = null,
        ended_at = :now, leased_until = null
    from unnest(cast(:books as integer[]), cast(:references as text[]),
                cast(:statuses as text[])) as told (book_id, reference, status)
    where question.book_id = told.book_id and question.reference = told.reference
""")

POSTPONE: Final = sa.text("""
    update service.question as question
    set next_at = question.expires_at + cast(:after as interval)
    from unnest(cast(:books as integer[]), cast(:references as text[])) as told (book_id, reference)
    where question.book_id = told.book_id and question.reference = told.reference
""")

LATE_BOOKS: Final = sa.text("""
    select book_id from ledger.book as book
    where exists (select from service.unmatched as open
                  where open.book_id = book.book_id and open.reason = :reason
                    and open.status <> 'resolved')
    order by book_id limit :limit
""")

# Questions whose ladder has ended and whose case is still open.
UNANSWERED: Final = sa.text(f"""
    select {COLUMNS}, open.id as case_id
    from service.unmatched as open
    join {JOINED} on question.book_id = open.book_id and question.id = open.subject_id
    where open.book_id = :book_id and open.reason = :reason and open.status <> 'resolved'
      and open.id > :after and question.state = 'ended'
    order by open.id limit :limit
""")  # noqa: S608 # constants
