"""Invariant 3, where nobody called: no order at a provider that can be asked ends in silence."""

from typing import Final

import sqlalchemy as sa

from service.asking.asker import askable
from service.asking.questions import NO_ANSWER
from service.asking.words import UNKNOWN_ORDER
from service.proof.checks import Check

ASKED_ABOUT = sa.text("""
    select 'service.payment_request' as tbl, request.reference as row_id,
           'a question, for ' || request.provider || ' can be asked' as expected,
           'no question' as found
    from service.payment_request as request
    where request.book_id = :book_id and request.merchant_id is not null
      and request.provider = any(cast(:askable as text[]))
      and not exists (select from service.question as question
                      where question.book_id = request.book_id
                        and question.reference = request.reference)
    order by request.reference limit :limit
""")

# A case that a person has settled counts as well.
ENDED_WITH_A_CASE = sa.text("""
    select 'service.question' as tbl, question.reference as row_id,
           'a case ' || cast(:reason as text) as expected, 'no case' as found
    from service.question as question
    where question.book_id = :book_id and question.state = 'ended' and not exists (
        select from service.unmatched as open
        where open.book_id = question.book_id and open.subject_id = question.id
          and open.reason = :reason)
    order by question.reference limit :limit
""")

# Answered: something that the provider said is kept; or it knows no order of which nobody was ever
# given a link.
ANSWERED_BY_AN_EVENT = sa.text("""
    select 'service.question' as tbl, question.reference as row_id,
           'an event of the order ' || question.order_code as expected,
           'answered ' || coalesce(question.answer, '') || ', and no event' as found
    from service.question as question
    where question.book_id = :book_id and question.state = 'answered'
      and not exists (
          select from service.event as event
          where event.book_id in (select book_id from ledger.book)
            and event.merchant_id = question.merchant_id
            and event.reference in (question.reference, question.order_code)
            and event.status not in ('pending', 'ignored'))
      and not (question.answer = :unknown and not exists (
          select from service.payment_link as link
          where link.book_id = question.book_id and link.reference = question.reference))
    order by question.reference limit :limit
""")

CHECKS: Final = (
    Check(
        invariant=3,
        name="questions",
        statement=ASKED_ABOUT,
        counts="service.question",
        params={"askable": askable()},
    ),
    Check(
        invariant=3,
        name="questions ended",
        statement=ENDED_WITH_A_CASE,
        counts="service.question",
        params={"reason": NO_ANSWER},
    ),
    Check(
        invariant=3,
        name="questions answered",
        statement=ANSWERED_BY_AN_EVENT,
        counts="service.question",
        params={"unknown": UNKNOWN_ORDER},
    ),
)
