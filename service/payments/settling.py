"""What a provider's settlement line and its payout do to the books: 1130, 1388 and 6140.

A line moves money from 1130 (paid, at the provider) to 1388 (what the provider owes us), less its
fee (6140). 1388 is then the open item of the line's batch, until a bank credit is found to be the
batch's payout: 3380 / 1388. Only a statement line touches 1121.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger import accounts
from ledger.accounts import business_day
from ledger.entries import Line
from service.payments import loading, writing
from service.payments.effects import Effects
from service.payments.entries import Booking, Dimensions
from service.payments.state import Movement, World

PAYOUTS_MAX: Final = 1_000
"""Parts of payouts that one call of `pay_out` books."""

Applied: TypeAlias = Literal["applied", "changed"]

HOLD_BATCHES = sa.text("""
    select id, receivable_vnd from service.settlement_batch
    where book_id = :book_id and id = any(cast(:ids as uuid[])) order by id for update
""")

PAY = sa.text("""
    update service.settlement_batch as batch
    set receivable_vnd = batch.receivable_vnd - told.vnd, paid_vnd = batch.paid_vnd + told.vnd,
        paid_at = case when batch.receivable_vnd = told.vnd then cast(:now as timestamptz) end
    from (select id, sum(vnd) as vnd
          from unnest(cast(:ids as uuid[]), cast(:amounts as bigint[])) as part (id, vnd)
          group by id) as told
    where batch.book_id = :book_id and batch.id = told.id
""")

KEEP_MATCH = sa.text("""
    insert into service.payout_match
        (book_id, id, batch_id, movement_id, amount_vnd, rule, entry_id, recorded_at)
    select :book_id, uuidv7(), told.batch_id, told.movement_id, told.vnd, :rule, told.entry_id, :now
    from unnest(cast(:batches as uuid[]), cast(:movements as uuid[]), cast(:amounts as bigint[]),
                cast(:entries as uuid[])) as told (batch_id, movement_id, vnd, entry_id)
""")


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A line to be booked: signed amounts from our side, and the movement they are of.

    `disputed_vnd` is what goes to (or comes from) the disputes on 1388: a chargeback that is not
    decided, or one that was won.
    """

    line_id: UUID
    book_id: int
    movement_id: UUID | None
    gross_vnd: int
    fee_vnd: int
    disputed_vnd: int
    merchant: str
    happened_at: datetime
    happened_on: date


class PayoutPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a bank credit pays which batch."""

    batch_id: UUID
    movement_id: UUID
    amount_vnd: int


def settle(lines: Sequence[Settled], world: World, effects: Effects) -> None:
    """Book settlement lines into the group; their movements must be in `world`, locked."""
    known = {movement.id: movement for movement in world.movements}
    for one in lines:
        movement = known[one.movement_id] if one.movement_id is not None else None
        booking = Booking(
            uuid7(),
            Dimensions(
                happened_at=one.happened_at,
                happened_on=one.happened_on,
                rule="settlement",
                merchant=one.merchant,
            ),
            movement,
            effects,
        )
        lines_of_it = _lines(booking, one)
        if movement is not None:
            movement.clearing_vnd -= one.gross_vnd + one.disputed_vnd
            movement.dirty = movement.dirty or not movement.new
        booking.finish(one.book_id, f"settlement:{one.line_id}", "settled", lines_of_it)


def _lines(booking: Booking, one: Settled) -> list[Line]:
    """1388 / 1130 for the gross, 6140 for the fee, and a dispute's way there or back."""
    owed, clearing = accounts.PROVIDER_RECEIVABLE, accounts.CLEARING
    lines = []
    gross_vnd, fee_vnd = one.gross_vnd, one.fee_vnd
    if 0 < fee_vnd < gross_vnd:
        lines.append(booking.line(owed, clearing, gross_vnd - fee_vnd))
        lines.append(booking.line(accounts.SERVICE_COST, clearing, fee_vnd))
    else:
        lines += _signed(booking, owed, clearing, gross_vnd)
        lines += _signed(booking, accounts.SERVICE_COST, owed, fee_vnd)
    lines += _signed(booking, owed, clearing, one.disputed_vnd)
    return lines


def _signed(booking: Booking, debit: str, credit: str, amount_vnd: int) -> list[Line]:
    if not amount_vnd:
        return []
    if amount_vnd < 0:
        debit, credit = credit, debit
    return [booking.line(debit, credit, abs(amount_vnd))]


async def pay_out(
    connection: AsyncConnection,
    book_id: int,
    parts: Sequence[PayoutPart],
    *,
    rule: str,
    now: datetime,
) -> Applied:
    """Book bank credits as the payout of batches, whole on both sides, or nothing ("changed").

    Re-checks under lock: each credit must still wait in suspense with just this amount, and each
    batch be owed just this amount. Ends the credits' cases. Raises ValueError for too many parts.
    """
    if not 0 < len(parts) <= PAYOUTS_MAX:
        message = f"{len(parts)} parts of payouts; 1 to {PAYOUTS_MAX}"
        raise ValueError(message)
    await loading.lock(connection, ())
    driver = await loading.raw(connection)
    keys = sorted({(book_id, part.movement_id) for part in parts})
    world = World()
    for movement in await loading.lock_movements(driver, keys):
        world.add(movement)
    batches = sorted({part.batch_id for part in parts})
    held = await connection.execute(HOLD_BATCHES, {"book_id": book_id, "ids": batches})
    owed = {UUID(str(row.id)): int(row.receivable_vnd) for row in held}
    if not _still_holds(parts, world, owed):
        return "changed"
    effects = Effects()
    entries = [_pay(part, world, effects) for part in parts]
    for movement in world.movements:
        effects.resolve(book_id, movement.id, f"rule {rule}: a provider's payout")
    await writing.write(connection, world, effects, now=now)
    columns: dict[str, object] = {
        "batches": [part.batch_id for part in parts],
        "movements": [part.movement_id for part in parts],
        "amounts": [part.amount_vnd for part in parts],
        "entries": entries,
    }
    key = {"book_id": book_id, "now": now}
    await connection.execute(KEEP_MATCH, key | columns | {"rule": rule})
    pays = {"ids": columns["batches"], "amounts": columns["amounts"]}
    await connection.execute(PAY, key | pays)
    return "applied"


def _still_holds(parts: Sequence[PayoutPart], world: World, owed: dict[UUID, int]) -> bool:
    spent: dict[UUID, int] = {}
    paid: dict[UUID, int] = {}
    for part in parts:
        spent[part.movement_id] = spent.get(part.movement_id, 0) + part.amount_vnd
        paid[part.batch_id] = paid.get(part.batch_id, 0) + part.amount_vnd
    waiting = {
        movement.id: movement.suspense_vnd
        for movement in world.movements
        if movement.suspense_vnd == movement.amount_vnd and movement.direction == "in"
    }
    return spent == waiting and paid == owed


def _pay(part: PayoutPart, world: World, effects: Effects) -> UUID:
    movement = next(one for one in world.movements if one.id == part.movement_id)
    booking = Booking(uuid7(), _dimensions(movement), movement, effects)
    line = booking.line(accounts.SUSPENSE, accounts.PROVIDER_RECEIVABLE, part.amount_vnd)
    source = f"payout:{part.batch_id}:{part.movement_id}"
    booking.finish(movement.book_id, source, "paid_out", [line])
    movement.suspense_vnd -= part.amount_vnd
    movement.payout_vnd += part.amount_vnd
    movement.placed = [p for p in movement.placed if p.account != accounts.SUSPENSE]
    movement.dirty = True
    return booking.entry_id


def _dimensions(movement: Movement) -> Dimensions:
    """Reclassifying keeps the value date: the money came when it came (accounting page)."""
    kind, _, name = movement.origin.partition(":")
    seen_on = min(seen.happened_on for seen in movement.seen)
    happened_at = datetime.combine(seen_on, datetime.min.time(), accounts.BUSINESS_ZONE)
    return Dimensions(
        happened_at=happened_at,
        happened_on=business_day(happened_at),
        rule="payout",
        bank_account_id=int(name) if kind == "account" else None,
    )
