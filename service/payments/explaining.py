"""Explain money that waits in suspense: what a run found, or a person decided.

Re-checks under lock what the plan saw; what has changed meanwhile is left alone and said so.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger.accounts import business_day
from service.payments import loading, writing
from service.payments.booking import reclassify
from service.payments.effects import Effects
from service.payments.entries import Booking, Dimensions
from service.payments.outcomes import Decision
from service.payments.sightings import Became, Candidate, Case, FieldVerdict
from service.payments.state import Movement, World

EXPLANATIONS_MAX: Final = 1_000

Applied: TypeAlias = Literal["applied", "changed"]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a movement's suspense is for; `suspense_vnd` is what the plan saw there.

    `shares` are notices of the same book with what each takes, `held_vnd` is kept for the payer;
    together they are the whole suspense. `case` is opened once the money has moved.
    """

    book_id: int
    movement_id: UUID
    suspense_vnd: int
    rule: str
    shares: tuple[tuple[UUID, int], ...] = ()
    held_vnd: int = 0
    reason: str | None = None
    provider: str = ""
    external_id: str = ""
    happened_at: datetime
    fields: tuple[FieldVerdict, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def explain(
    connection: AsyncConnection, explanations: Sequence[Explanation], *, now: datetime
) -> list[Applied]:
    """Post each explanation that still holds, in the caller's transaction; one answer for each.

    "changed" means that nothing was done: the money is no longer in suspense, or a notice no longer
    owes its share. Raises ValueError for more than EXPLANATIONS_MAX, or for one that does not add
    up.
    """
    if len(explanations) > EXPLANATIONS_MAX:
        message = f"{len(explanations)} explanations at once; at most {EXPLANATIONS_MAX}"
        raise ValueError(message)
    for one in explanations:
        if one.held_vnd + sum(vnd for _, vnd in one.shares) != one.suspense_vnd:
            message = f"the explanation of movement {one.movement_id} does not add up"
            raise ValueError(message)
    world, known = await _load(connection, explanations)
    effects = Effects()
    applied: list[Applied] = []
    for one in explanations:
        movement = known.get((one.book_id, one.movement_id))
        if movement is None or not _holds(one, movement, world):
            applied.append("changed")
            continue
        _apply(one, movement, world, effects)
        applied.append("applied")
    await writing.write(connection, world, effects, now=now)
    return applied


async def _load(
    connection: AsyncConnection, explanations: Sequence[Explanation]
) -> tuple[World, dict[tuple[int, UUID], Movement]]:
    await loading.lock(connection, ())
    driver = await loading.raw(connection)
    world = World()
    world.notices = await loading.lock_notices(
        driver, {(one.book_id, notice_id) for one in explanations for notice_id, _ in one.shares}
    )
    keys = sorted({(one.book_id, one.movement_id) for one in explanations})
    for movement in await loading.lock_movements(driver, keys):
        world.add(movement)
    return world, {(m.book_id, m.id): m for m in world.movements}


def _holds(one: Explanation, movement: Movement, world: World) -> bool:
    """Whether the books still say what the plan saw."""
    if movement.suspense_vnd != one.suspense_vnd or movement.direction != "in":
        return False
    wanted: dict[UUID, int] = {}
    for notice_id, amount_vnd in one.shares:
        wanted[notice_id] = wanted.get(notice_id, 0) + amount_vnd
    return all(
        (notice := world.notices.get((one.book_id, notice_id))) is not None
        and amount_vnd <= notice.outstanding_vnd
        for notice_id, amount_vnd in wanted.items()
    )


def _apply(one: Explanation, movement: Movement, world: World, effects: Effects) -> None:
    effects.resolve(one.book_id, one.movement_id, f"rule {one.rule}")
    decision = Decision(
        became=Became.ALLOCATED,
        shares=tuple((world.notices[one.book_id, notice_id], vnd) for notice_id, vnd in one.shares),
        held_vnd=one.held_vnd,
    )
    kind, _, name = movement.origin.partition(":")
    # Reclassifying keeps the value date: the money came when it came (accounting page).
    booking = Booking(
        uuid7(),
        Dimensions(
            happened_at=one.happened_at,
            happened_on=business_day(one.happened_at),
            rule=one.rule,
            bank_account_id=int(name) if kind == "account" else None,
            merchant=name if kind == "merchant" else None,
        ),
        movement,
        effects,
    )
    reclassify(booking, movement, decision, source=f"explained:{booking.entry_id}")
    if one.reason is not None:
        effects.cases.append(
            Case(
                book_id=one.book_id,
                subject_kind="movement",
                subject_id=one.movement_id,
                side="bank",
                reason=one.reason,
                provider=one.provider,
                external_id=one.external_id,
                amount_vnd=one.held_vnd or one.suspense_vnd,
                happened_at=one.happened_at,
                fields=one.fields,
                candidates=one.candidates,
            )
        )
