"""How a part ended where only people know: the Treasury paid, a debit named nothing, no answer.

Two people say so; what they said is kept in the decision and applied when the second one agrees.
"""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from service.decisions import Decision
from service.payments import refunding
from service.payments.refunding import NotEnough, Part, Refund, Step
from service.payments.state import Movement, World
from service.refunds import rows
from service.refunds.errors import RefundState
from service.refunds.messages import NewOutcome
from service.refunds.rows import Ended, PartRow

WAITING = sa.text("""
    select next_at is null and leased_until is null as left_to_people from service.refund_part
    where book_id = :book_id and refund_id = :refund_id and part = :part
""")


def detail_of(new: NewOutcome) -> Mapping[str, str | int | None]:
    """What the decision keeps of it."""
    return {
        "part": new.part,
        "outcome": new.outcome,
        "movement_id": None if new.movement_id is None else str(new.movement_id),
        "treasury_no": new.treasury_no,
        "treasury_on": None if new.treasury_on is None else new.treasury_on.isoformat(),
    }


def named_debit(decision: Decision, book_id: int) -> list[tuple[int, UUID]]:
    """The debit that a decision about an outcome names: it is locked with the rest."""
    named = decision.detail.get("movement_id")
    return [] if named is None else [(book_id, UUID(str(named)))]


async def check(
    connection: AsyncConnection, refund: Refund, part: PartRow, new: NewOutcome
) -> None:
    """Raise RefundState for what cannot be, or what the machine is still finding out."""
    if part.status in {"paid", "failed"}:
        raise RefundState(f"the part is {part.status}")
    if part.route == "treasury" and new.outcome == "paid":
        if new.treasury_no is None or new.treasury_on is None:
            raise RefundState("the Treasury's decision has a number and a date")
    elif part.route == "transfer" and new.outcome == "paid":
        if new.movement_id is None:
            raise RefundState("name the bank debit that paid it")
    elif part.route == "provider":
        key = {"book_id": refund.book_id, "refund_id": refund.id, "part": part.part}
        if not await connection.scalar(WAITING, key):
            raise RefundState("the provider is still being asked")


async def apply(  # noqa: PLR0917 # what a transaction is given
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    decision: Decision,
    actor: str,
    now: datetime,
) -> None:
    """Book what two people have agreed on; raises RefundState where it ended meanwhile."""
    told = decision.detail
    part = await rows.lock_part(connection, refund, int(told["part"] or 1))
    if part is None or part.status in {"paid", "failed"}:
        raise RefundState("the part has ended meanwhile")
    if told["outcome"] == "failed":
        await fail(connection, refund, locked, part, now, actor=actor)
        return
    on = None if told["treasury_on"] is None else date.fromisoformat(str(told["treasury_on"]))
    step = Step(part=part.part, amount_vnd=part.amount_vnd, name="paid", at=now, on=on)
    paid_by = None if told["movement_id"] is None else UUID(str(told["movement_id"]))
    world, _ = locked
    if part.route == "treasury":
        taken = await rows.items_of(connection, refund, part.part)
        made = Part(part=part.part, route="treasury", amount_vnd=part.amount_vnd, taken=taken)
        await refunding.record_treasury(connection, refund, locked, (step, made), now)
    elif part.route == "transfer":
        debit = next((m for m in world.movements if m.id == paid_by), None)
        if debit is None:
            raise RefundState("there is no such debit in this book")
        try:
            await refunding.pay_by_debit(connection, refund, (world, debit), step, now)
        except NotEnough as other:
            raise RefundState(f"{other.there_vnd} of the debit is unexplained") from None
    else:
        await refunding.pay_by_provider(connection, refund, locked, step, now)
    ended = Ended(
        status="paid",
        paid_by=paid_by,
        treasury_no=None if told["treasury_no"] is None else str(told["treasury_no"]),
        treasury_on=on,
    )
    await rows.end_part(connection, refund, part.part, ended, now)
    name = "recorded" if part.route == "treasury" else "paid"
    await rows.step(connection, refund, name, actor, now, part=part.part, detail=ended.treasury_no)


async def fail(  # what a transaction is given
    connection: AsyncConnection,
    refund: Refund,
    locked: tuple[World, Movement],
    part: PartRow,
    now: datetime,
    *,
    actor: str,
    detail: str | None = None,
) -> None:
    """A part will not be paid: its money stands where it stood, with a case for people."""
    taken = await rows.items_of(connection, refund, part.part)
    made = Part(part=part.part, route="transfer", amount_vnd=part.amount_vnd, taken=taken)
    step = Step(part=part.part, amount_vnd=part.amount_vnd, name="failed", at=now)
    await refunding.fail(connection, refund, locked, (step, made), now)
    await rows.undo_items(connection, refund, part.part, taken)
    claimed = [one for one in taken if one.account == accounts.PROVIDER_RECEIVABLE]
    await rows.free_splits(connection, refund, claimed)
    await rows.end_part(connection, refund, part.part, Ended(status="failed"), now)
    await rows.step(connection, refund, "failed", actor, now, part=part.part, detail=detail)
