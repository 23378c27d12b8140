"""What a bank transfer with one of our own references pays: part of a refund, or a remittance.

A debit that names exactly one of them and has its amount is joined with it: it leaves 1380 for
3382, or for 3332 (1131 where the money goes by the Treasury's pending account). A credit that
names a refund already paid is that refund come back. Everything else is left to people.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger import accounts
from ledger.entries import Entry, Line
from service.payments.effects import Effects
from service.payments.entries import dimensions
from service.payments.sightings import FieldVerdict, Sighting
from service.payments.state import Due, Movement, NoticeKey, World

SYSTEM: Final = "system"

NAMED: Final = """
    select refund.notice_book_id, refund.notice_id
    from unnest($1::integer[], $2::text[]) as told (book_id, reference)
    join service.refund as refund
      on refund.book_id = told.book_id and refund.reference = told.reference
    union all
    select null, null
    from unnest($1::integer[], $2::text[]) as told (book_id, reference)
    join service.remittance as remittance
      on remittance.book_id = told.book_id and remittance.reference = told.reference
"""

REFUNDS: Final = """
    select refund.book_id, refund.reference, refund.id, part.part, part.amount_vnd, part.status,
           refund.notice_book_id, refund.notice_id, refund.kind, refund.over_notice
    from unnest($1::integer[], $2::text[]) as told (book_id, reference)
    join service.refund as refund
      on refund.book_id = told.book_id and refund.reference = told.reference
    join service.refund_part as part
      on part.book_id = refund.book_id and part.refund_id = refund.id
     and part.route = 'transfer'
    order by refund.book_id, refund.id
    for no key update of refund, part
"""

REMITTANCES: Final = """
    select remittance.book_id, remittance.reference, remittance.id, remittance.way,
           remittance.status
    from unnest($1::integer[], $2::text[]) as told (book_id, reference)
    join service.remittance as remittance
      on remittance.book_id = told.book_id and remittance.reference = told.reference
    order by remittance.book_id, remittance.id
    for no key update of remittance
"""

REMITTANCE_LINES: Final = """
    select nullif(budget_subsection, '') as budget_subsection,
           sum(budget_vnd - back_vnd)::bigint as amount_vnd
    from service.remittance_line
    where book_id = $1 and remittance_id = $2
    group by 1 having sum(budget_vnd - back_vnd) > 0 order by 1
"""

REFUND_PART = sa.text("""
    update service.refund_part
    set status = :status, payable_vnd = :payable_vnd, paid_by = :movement_id, updated_at = :now
    where book_id = :book_id and refund_id = :id and part = :part
""")

# A refund stands as its slowest part does.
REFUND = sa.text("""
    update service.refund
    set updated_at = :now, status = (
        select status from service.refund_part as part
        where part.book_id = refund.book_id and part.refund_id = refund.id
        order by array_position(array['unknown', 'sending', 'processing', 'approved', 'failed',
                                      'paid'], part.status)
        limit 1)
    where book_id = :book_id and id = :id
""")

STEP = sa.text("""
    insert into service.refund_step
        (book_id, id, refund_id, part, step, detail, actor, recorded_at)
    values (:book_id, uuidv7(), :id, :part, :step, :detail, :actor, :now)
""")

REMITTED = sa.text("""
    update service.remittance
    set paid_by = :movement_id, updated_at = :now,
        status = case way when 'direct' then 'remitted' else 'swept' end,
        swept_vnd = case way when 'direct' then 0 else cast(:amount_vnd as bigint) end,
        remitted_on = case way when 'direct' then cast(:on as date) end
    where book_id = :book_id and id = :id
""")


async def named_notices(
    driver: "asyncpg.Connection[asyncpg.Record]", keys: Sequence[tuple[int, str]]
) -> tuple[bool, set[NoticeKey]]:
    """Whether any of these (book, reference) names a due, and the notices those are about."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await driver.fetch(NAMED, *columns)
    notices = {
        (row["notice_book_id"], row["notice_id"]) for row in rows if row["notice_id"] is not None
    }
    return bool(rows), notices


async def load(
    driver: "asyncpg.Connection[asyncpg.Record]", keys: Sequence[tuple[int, str]], world: World
) -> None:
    """Lock the dues that these (book, reference) name, after notices and money."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    for row in await driver.fetch(REFUNDS, *columns):
        waits = {"approved": "waits", "paid": "paid"}.get(row["status"], "none")
        notice_id: UUID | None = row["notice_id"]
        world.dues[row["book_id"], row["reference"]] = Due(
            book_id=row["book_id"],
            reference=row["reference"],
            kind="refund",
            id=row["id"],
            part=row["part"],
            amount_vnd=row["amount_vnd"],
            status=waits,  # type: ignore[arg-type]  # the words above
            lines=[(accounts.REFUND_PAYABLE, None, row["amount_vnd"])],
            notice=None if notice_id is None else (row["notice_book_id"], notice_id),
            of_fee=row["kind"] == "fee",
            over_notice=row["over_notice"],
        )
    for row in await driver.fetch(REMITTANCES, *columns):
        found = await driver.fetch(REMITTANCE_LINES, row["book_id"], row["id"])
        lines = [(accounts.BUDGET_PAYABLE, r["budget_subsection"], r["amount_vnd"]) for r in found]
        total = sum(amount_vnd for _, _, amount_vnd in lines)
        if row["way"] == "treasury":
            lines = [(accounts.TREASURY_TRANSIT, None, total)]
        world.dues[row["book_id"], row["reference"]] = Due(
            book_id=row["book_id"],
            reference=row["reference"],
            kind="remittance",
            id=row["id"],
            part=1,
            amount_vnd=total,
            status="waits" if row["status"] == "approved" and total else "none",
            lines=lines,
        )


def named(sighting: Sighting, world: World) -> Due | None:
    """The due whose reference the sighting tells."""
    if sighting.reference is None:
        return None
    return world.dues.get((sighting.book_id, sighting.reference))


def pays(sighting: Sighting, world: World) -> Due | None:
    """The due that this debit pays: named by its reference, waiting, and of its amount."""
    due = named(sighting, world)
    if due is None or sighting.direction != "out" or sighting.bank_account_id is None:
        return None
    return due if due.status == "waits" and due.amount_vnd == sighting.amount_vnd else None


def comes_back(sighting: Sighting, world: World) -> Due | None:
    """The paid refund that this credit brings back; a weak word brings back nothing."""
    due = named(sighting, world)
    if due is None or sighting.direction != "in" or due.kind != "refund":
        return None
    if sighting.weak or sighting.bank_account_id is None:
        return None
    return due if due.status == "paid" and due.amount_vnd == sighting.amount_vnd else None


def fields(sighting: Sighting, world: World) -> tuple[FieldVerdict, ...]:
    """Why a debit that names a due does not pay it, for people."""
    due = named(sighting, world)
    if due is None:
        return ()
    same = due.amount_vnd == sighting.amount_vnd
    return (
        FieldVerdict(
            name="reference", expected=due.reference, found=sighting.reference, verdict="equal"
        ),
        FieldVerdict(
            name="amount_vnd",
            expected=due.amount_vnd,
            found=sighting.amount_vnd,
            verdict="equal" if same else "differs",
        ),
        FieldVerdict(
            name="status",
            expected="waits",
            found=due.status,
            verdict="equal" if due.status == "waits" else "differs",
        ),
    )


def pay(sighting: Sighting, due: Due, movement: Movement, world: World, effects: Effects) -> None:
    """The debit has left the account for what was due: 3382, 3332 or 1131 / 1380."""
    movement.unexplained_vnd = 0
    if due.kind == "refund":
        movement.refund_vnd = due.amount_vnd
        source = f"refund:{due.id}:{due.part}:paid:{movement.id}"
        _count(due, due.amount_vnd, world, effects)
    else:
        movement.remitted_vnd = due.amount_vnd
        source = f"remittance:{due.id}:debit"
    movement.dirty = True
    due.status = "paid"
    lines = [
        (account, accounts.OUTGOING_UNEXPLAINED, vnd, subsection)
        for account, subsection, vnd in due.lines
    ]
    _book(sighting, due, movement, effects, source, f"{due.kind}_paid", lines)


def come_back(
    sighting: Sighting, due: Due, movement: Movement, world: World, effects: Effects
) -> None:
    """The payer's bank has sent a refund back: 3380 / 3382, and it waits to be paid again."""
    movement.suspense_vnd = 0
    movement.refund_vnd = due.amount_vnd
    movement.placed = []
    movement.dirty = True
    _count(due, -due.amount_vnd, world, effects)
    due.status = "waits"
    source = f"refund:{due.id}:{due.part}:returned:{movement.id}"
    line = (accounts.SUSPENSE, accounts.REFUND_PAYABLE, due.amount_vnd, None)
    _book(sighting, due, movement, effects, source, "refund_returned", [line])


def _count(due: Due, amount_vnd: int, world: World, effects: Effects) -> None:
    if due.notice is None:
        return
    notice = world.notices[due.notice]
    if notice.give_back(amount_vnd, of_fee=due.of_fee, over_notice=due.over_notice):
        kind = "fee_notice.refunded" if amount_vnd > 0 else "fee_notice.refund_returned"
        effects.tell(notice, kind)


def _book(  # noqa: PLR0917 # an entry has this many facts
    sighting: Sighting,
    due: Due,
    movement: Movement,
    effects: Effects,
    source: str,
    kind: str,
    lines: Sequence[tuple[str, str, int, str | None]],
) -> None:
    about = dimensions(sighting)
    notice_id = due.notice[1] if due.notice and due.notice[0] == due.book_id else None
    effects.dues.append((due, movement, about.happened_on))
    effects.entries.append(
        Entry(
            book_id=due.book_id,
            id=uuid7(),
            source=source,
            kind=kind,
            happened_at=about.happened_at,
            value_date=about.happened_on,
            lines=tuple(
                Line(
                    debit=debit,
                    credit=credit,
                    amount_vnd=amount_vnd,
                    notice_id=notice_id,
                    movement_id=movement.id,
                    bank_account_id=about.bank_account_id,
                    merchant=about.merchant,
                    budget_subsection=subsection,
                )
                for debit, credit, amount_vnd, subsection in lines
            ),
        )
    )


async def write(
    connection: AsyncConnection, changed: Sequence[tuple[Due, Movement, date]], now: datetime
) -> None:
    """Write down what was paid or came back."""
    for due, movement, happened_on in changed:
        key = {"book_id": due.book_id, "id": due.id, "now": now}
        if due.kind == "remittance":
            paid = {"movement_id": movement.id, "on": happened_on, "amount_vnd": due.amount_vnd}
            await connection.execute(REMITTED, key | paid)
            continue
        went = movement.direction == "out"
        part = {
            "part": due.part,
            "status": "paid" if went else "approved",
            "payable_vnd": 0 if went else due.amount_vnd,
            "movement_id": movement.id if went else None,
        }
        await connection.execute(REFUND_PART, key | part)
        await connection.execute(REFUND, key)
        step = {
            "part": due.part,
            "step": "paid" if went else "returned",
            "detail": f"movement {movement.id}",
            "actor": SYSTEM,
        }
        await connection.execute(STEP, key | step)
