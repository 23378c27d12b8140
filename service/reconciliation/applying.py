"""Apply planned steps in chunks: each re-checks under lock that the books still allow it.

Money is posted by service.payments.explaining; cases are changed here. Nothing is committed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service.payments.cases import CANDIDATES_MAX, open_cases
from service.payments.explaining import explain
from service.payments.sightings import Case
from service.reconciliation.steps import Step

Became: TypeAlias = Literal["posted", "opened", "updated", "changed", "failed"]
"""changed: the books had moved on, nothing was done; the next run looks again."""

ITEM_KIND: Final = "movement"

CLAIM = sa.text("""
    insert into service.claim (book_id, item_kind, item_id, match_id, rule, claimed_at)
    select :book_id, :kind, told.item_id, told.match_id, told.rule, :now
    from unnest(cast(:ids as uuid[]), cast(:matches as uuid[]), cast(:rules as text[]))
        as told (item_id, match_id, rule)
    order by told.item_id
    on conflict (book_id, item_kind, item_id) do nothing
    returning item_id
""")

RELEASE = sa.text("""
    delete from service.claim
    where book_id = :book_id and item_kind = :kind and item_id = any(cast(:ids as uuid[]))
""")

HOLD = sa.text("""
    select money.movement_id
    from unnest(cast(:ids as uuid[]), cast(:suspense as bigint[])) as told (id, suspense_vnd)
    join service.money_state as money
      on money.book_id = :book_id and money.movement_id = told.id
     and money.suspense_vnd = told.suspense_vnd
    order by money.movement_id
    for no key update of money
""")

# A person's proposal in the meantime is left alone, and so is a case that was ended.
CHANGE = sa.text("""
    update service.unmatched as live
    set reason = told.reason, amount_vnd = told.amount_vnd, fields = cast(told.fields as jsonb),
        candidates = cast(told.candidates as jsonb)
    from unnest(cast(:ids as uuid[]), cast(:reasons as text[]), cast(:amounts as bigint[]),
                cast(:fields as text[]), cast(:candidates as text[]))
        as told (id, reason, amount_vnd, fields, candidates)
    where live.book_id = :book_id and live.id = told.id and live.status = 'open'
    returning live.id
""")


async def post_steps(
    connection: AsyncConnection, book_id: int, steps: Sequence[Step], now: datetime
) -> list[Became]:
    """Claim and post the steps of verdict `post`; what became of each, in order.

    A movement belongs to one live match (invariant 6): one that is claimed already is left alone.
    """
    key = {"book_id": book_id, "kind": ITEM_KIND}
    claimed = await connection.scalars(
        CLAIM,
        key
        | {
            "ids": [step.movement_id for step in steps],
            "matches": [uuid7() for _ in steps],
            "rules": [step.rule for step in steps],
            "now": now,
        },
    )
    mine = {UUID(str(one)) for one in claimed}
    taken = [step for step in steps if step.movement_id in mine]
    applied = await explain(connection, [step.explanation(book_id) for step in taken], now=now)
    posted = {
        step.movement_id for step, became in zip(taken, applied, strict=True) if became == "applied"
    }
    if mine - posted:
        await connection.execute(RELEASE, key | {"ids": sorted(mine - posted)})
    return ["posted" if step.movement_id in posted else "changed" for step in steps]


async def case_steps(
    connection: AsyncConnection, book_id: int, steps: Sequence[Step], now: datetime
) -> list[Became]:
    """Open or change the cases of steps that move nothing; what became of each, in order."""
    held = await connection.scalars(
        HOLD,
        {
            "book_id": book_id,
            "ids": [step.movement_id for step in steps],
            "suspense": [step.suspense_vnd for step in steps],
        },
    )
    still = {UUID(str(one)) for one in held}
    changing = [step for step in steps if step.case_id is not None and step.movement_id in still]
    opening = [step for step in steps if step.case_id is None and step.movement_id in still]
    encode = msgspec.json.encode
    rows = await connection.scalars(
        CHANGE,
        {
            "book_id": book_id,
            "ids": [step.case_id for step in changing],
            "reasons": [step.reason for step in changing],
            "amounts": [step.suspense_vnd for step in changing],
            "fields": [encode(step.fields).decode() for step in changing],
            "candidates": [encode(step.candidates[:CANDIDATES_MAX]).decode() for step in changing],
        },
    )
    updated = {UUID(str(one)) for one in rows}
    await open_cases(connection, [_case(book_id, step) for step in opening], now)
    return [
        "opened" if step in opening else "updated" if step.case_id in updated else "changed"
        for step in steps
    ]


def _case(book_id: int, step: Step) -> Case:
    return Case(
        book_id=book_id,
        subject_kind="movement",
        subject_id=step.movement_id,
        side="bank",
        reason=step.reason or "UNIDENTIFIED_CREDIT",
        provider=step.provider,
        external_id=step.external_id,
        amount_vnd=step.suspense_vnd,
        happened_at=step.happened_at,
        fields=step.fields,
        candidates=step.candidates,
    )
