"""Invariant 7: decisions are made by two people, and nothing moves money without one."""

from typing import Final

import sqlalchemy as sa

from service.proof.checks import Check

# Votes re-counted; makers and checkers are people that are known, and different ones.
COUNTED = sa.text("""
    with voted as (
        select decision_id, count(*) filter (where verdict = 'approved') as approvals,
               count(*) filter (where verdict = 'rejected') as rejections,
               bool_or(maker = checker) as alone,
               bool_or(not exists (select from service.staff as person
                                   where 'staff:' || person.id = checker)) as unknown
        from service.decision_vote where book_id = :book_id group by decision_id
    )
    select 'service.decision' as tbl, cast(coalesce(decision.id, voted.decision_id) as text)
               as row_id,
           'two people; ' || coalesce(voted.approvals, 0) || ' approvals, '
               || coalesce(voted.rejections, 0) || ' rejections' as expected,
           case when decision.id is null then 'the decision is not there'
                when voted.alone then 'maker and checker are one'
                when voted.unknown or maker.id is null then 'somebody who is no person'
                else decision.approvals || ' approvals, ' || decision.status end as found
    from (select * from service.decision where book_id = :book_id) as decision
    full join voted on voted.decision_id = decision.id
    left join service.staff as maker on 'staff:' || maker.id = decision.maker
    where decision.id is null or voted.alone or voted.unknown or maker.id is null
       or decision.approvals <> coalesce(voted.approvals, 0)
       or decision.status <> case when coalesce(voted.rejections, 0) > 0 then 'rejected'
              when coalesce(voted.approvals, 0) >= decision.approvals_needed then 'approved'
              else 'proposed' end
    order by 2 limit :limit
""")

# What moved money by hand was approved, and of that amount.
APPROVED = sa.text("""
    select 'service.refund' as tbl, cast(refund.id as text) as row_id,
           format('an approved decision about %s đồng', refund.amount_vnd) as expected,
           coalesce(decision.status || ', ' || decision.amount_vnd || ' đồng', 'none') as found
    from service.refund as refund
    left join service.decision as decision
      on decision.book_id = refund.book_id and decision.id = refund.decision_id
     and decision.subject_id = refund.id and decision.kind = 'refund'
    where refund.book_id = :book_id and refund.status not in ('asked', 'proposed', 'rejected')
      and (decision.status is distinct from 'approved'
           or decision.amount_vnd <> refund.amount_vnd)
    union all
    select 'service.remittance', cast(remittance.id as text),
           format('an approved decision about %s đồng', remittance.split_vnd), 'none'
    from service.remittance as remittance
    where remittance.book_id = :book_id and remittance.status not in ('proposed', 'rejected')
      and not exists (
          select from service.decision as decision
          where decision.book_id = remittance.book_id and decision.subject_id = remittance.id
            and decision.kind = 'remittance' and decision.status = 'approved'
            and decision.amount_vnd = remittance.split_vnd)
    union all
    select 'service.recognition', cast(recognition.id as text),
           format('an approved decision about %s đồng', recognition.amount_vnd), 'none'
    from service.recognition as recognition
    where recognition.book_id = :book_id and recognition.status = 'approved'
      and not exists (
          select from service.decision as decision
          where decision.book_id = recognition.book_id and decision.subject_id = recognition.id
            and decision.kind = 'recognition' and decision.status = 'approved'
            and decision.amount_vnd = recognition.amount_vnd)
    order by 1, 2 limit :limit
""")

CHECKS: Final = (
    Check(invariant=7, name="decisions", statement=COUNTED, counts="service.decision"),
    Check(invariant=7, name="approved", statement=APPROVED, counts="service.refund"),
)
