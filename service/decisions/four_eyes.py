"""Propose, and let other people decide: rows and votes, in the caller's transaction.

The database holds what matters: a vote's checker is not the maker, both are people, nobody votes
twice, and one subject has one live proposal of a kind. Whoever proposes may say from which amount
on two checkers have to agree.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service.access import Principal
from service.access.audit import Deed, record
from service.decisions.errors import AlreadyProposed, NotAPerson, NothingProposed, SamePerson

Verdict: TypeAlias = Literal["approved", "rejected"]
Status: TypeAlias = Literal["proposed", "approved", "rejected"]

CHECKERS: Final = 1
CHECKERS_ABOVE: Final = 2

ADD = sa.text("""
    insert into service.decision (book_id, id, kind, subject_id, amount_vnd, maker,
                                  approvals_needed, detail, proposed_at)
    values (:book_id, :id, :kind, :subject_id, :amount_vnd, :maker, :approvals_needed,
            cast(:detail as jsonb), :now)
""")

WAITING = """
    select id, kind, subject_id, amount_vnd, maker, approvals_needed, approvals, detail
    from service.decision
    where book_id = :book_id and subject_id = :subject_id and status = 'proposed'
    order by id limit 1
"""
PEEK = sa.text(WAITING)
LIVE = sa.text(f"{WAITING} for update")

VOTED = sa.text("""
    select exists (select from service.decision_vote
                   where book_id = :book_id and decision_id = :id and checker = :checker)
""")

VOTE = sa.text("""
    insert into service.decision_vote
        (book_id, decision_id, checker, maker, verdict, reason, voted_at)
    values (:book_id, :id, :checker, :maker, :verdict, :reason, :now)
""")

COUNT = sa.text("""
    update service.decision
    set approvals = approvals + cast(:approvals as integer), status = :status,
        decided_at = case when :status = 'proposed' then null else cast(:now as timestamptz) end
    where book_id = :book_id and id = :id
""")


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants done; `detail` holds no personal data."""

    book_id: int
    kind: str
    subject_id: UUID
    amount_vnd: int
    detail: Mapping[str, str | int | None] = {}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal that waits, locked."""

    book_id: int
    id: UUID
    kind: str
    subject_id: UUID
    amount_vnd: int
    maker: str
    approvals_needed: int
    approvals: int
    detail: dict[str, str | int | None]


async def propose(
    connection: AsyncConnection,
    maker: Principal,
    proposal: Proposal,
    now: datetime,
    *,
    second_checker_from_vnd: int | None = None,
) -> UUID:
    """Write a proposal down; its id. Raises NotAPerson, and AlreadyProposed while one is live."""
    if maker.kind != "staff":
        raise NotAPerson
    decision_id = uuid7()
    limit = second_checker_from_vnd
    above = limit is not None and proposal.amount_vnd >= limit
    try:
        async with connection.begin_nested():
            await connection.execute(
                ADD,
                {
                    "book_id": proposal.book_id,
                    "id": decision_id,
                    "kind": proposal.kind,
                    "subject_id": proposal.subject_id,
                    "amount_vnd": proposal.amount_vnd,
                    "maker": maker.actor,
                    "approvals_needed": CHECKERS_ABOVE if above else CHECKERS,
                    "detail": msgspec.json.encode(proposal.detail).decode(),
                    "now": now,
                },
            )
    except IntegrityError as error:
        if "decision_live" in str(error.orig):
            raise AlreadyProposed from None
        raise
    await _note(connection, maker, proposal, "proposed", now)
    return decision_id


async def live(
    connection: AsyncConnection, book_id: int, subject_id: UUID, *, locked: bool = True
) -> Decision:
    """The proposal about a subject that waits; raises NothingProposed.

    Look without a lock first where the decision says what else has to be locked before it.
    """
    wanted = {"book_id": book_id, "subject_id": subject_id}
    found = await connection.execute(LIVE if locked else PEEK, wanted)
    row = found.mappings().one_or_none()
    if row is None:
        raise NothingProposed
    return msgspec.convert(
        {**row, "book_id": book_id}, Decision, builtin_types=(UUID,), strict=False
    )


async def vote(  # noqa: PLR0917 # what a vote is made of
    connection: AsyncConnection,
    checker: Principal,
    decision: Decision,
    verdict: Verdict,
    reason: str | None,
    now: datetime,
) -> Status:
    """Count what a person says to a locked decision; how it stands then.

    One rejection ends it; an approval ends it once as many people as needed have approved. Raises
    NotAPerson and SamePerson.
    """
    if checker.kind != "staff":
        raise NotAPerson
    key = {"book_id": decision.book_id, "id": decision.id}
    voted = await connection.scalar(VOTED, key | {"checker": checker.actor})
    if voted or checker.actor == decision.maker:
        raise SamePerson
    told = {"checker": checker.actor, "maker": decision.maker, "verdict": verdict}
    await connection.execute(VOTE, key | told | {"reason": reason, "now": now})
    approvals = decision.approvals + (verdict == "approved")
    status: Status = "rejected"
    if verdict == "approved":
        status = "approved" if approvals >= decision.approvals_needed else "proposed"
    counted = {"approvals": int(verdict == "approved"), "status": status, "now": now}
    await connection.execute(COUNT, key | counted)
    await _note(connection, checker, decision, verdict, now)
    return status


async def _note(
    connection: AsyncConnection,
    person: Principal,
    about: Proposal | Decision,
    did: str,
    now: datetime,
) -> None:
    deed = Deed(
        actor_kind="staff",
        actor=person.actor,
        action=f"{about.kind} {did}",
        outcome="allowed",
        book_id=about.book_id,
        subject=about.subject_id,
        detail={"amount_vnd": about.amount_vnd, **about.detail},
    )
    await record(connection, deed, now)
