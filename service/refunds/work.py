"""Claim what is due of refunds at providers, and move it on: the rows of the worker's side.

A claim is a lease: a worker that dies leaves it to the next one, who asks before anything is sent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.abilities import RefundOrder
from service.fees.ways import NO_CLIENT_IP
from service.payments.cases import open_cases
from service.payments.sightings import Case
from service.refunds import ladder, rows

LEASE: Final = timedelta(minutes=3)
"""Longer than any reply may take; whoever is slower is overtaken, which changes no money."""
ASKED_BY: Final = "doisoat"
OWNER: Final = "finance"

# One refund of an order at a time: asked about it, a provider tells of the newest one only.
CLAIM = sa.text("""
    update service.refund_part as mine set leased_until = :until
    from (
        select part.book_id, part.refund_id, part.part from service.refund_part as part
        where part.route = 'provider'
          and part.status in ('approved', 'sending', 'unknown', 'processing')
          and part.next_at <= :now and (part.leased_until is null or part.leased_until <= :now)
          and (part.status <> 'approved' or not exists (
              select from service.refund_part as other
              where other.book_id = part.book_id and other.merchant_id = part.merchant_id
                and other.order_code = part.order_code
                and other.status in ('sending', 'unknown', 'processing')))
        order by part.next_at limit :limit
        for update skip locked
    ) as due
    where mine.book_id = due.book_id and mine.refund_id = due.refund_id and mine.part = due.part
    returning mine.book_id, mine.refund_id, mine.part, mine.movement_id, mine.status,
              mine.amount_vnd, mine.provider, mine.merchant_id, mine.order_code,
              mine.transaction_no, mine.ordered_at, mine.request_id, mine.whole,
              mine.first_sent_at, mine.sends, mine.asks
""")

SEND = sa.text("""
    update service.refund_part
    set status = 'sending', sends = sends + 1, first_sent_at = coalesce(first_sent_at, :now),
        updated_at = :now
    where book_id = :book_id and refund_id = :refund_id and part = :part and status = 'approved'
      and leased_until = :until
    returning first_sent_at
""")

MOVE = sa.text("""
    update service.refund_part
    set status = :status, asks = asks + cast(:asked as integer), next_at = :next_at,
        leased_until = null, updated_at = :now
    where book_id = :book_id and refund_id = :refund_id and part = :part
      and status in ('approved', 'sending', 'unknown', 'processing')
""")

EARLIER = sa.text("""
    select refund_no, amount_vnd from service.refund_part
    where book_id = :book_id and merchant_id = :merchant_id and order_code = :order_code
      and route = 'provider' and status = 'paid'
      and (refund_id, part) <> (:refund_id, cast(:part as smallint))
""")

LAST_STEP = sa.text("""
    select step from service.refund_step
    where book_id = :book_id and refund_id = :refund_id and part = :part
    order by id desc limit 1
""")

MERCHANT = sa.text("select provider, merchant from service.merchant where id = :id")


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A part that this worker holds until its lease ends."""

    book_id: int
    refund_id: UUID
    part: int
    movement_id: UUID
    status: str
    amount_vnd: int
    provider: str
    merchant_id: int
    order_code: str
    transaction_no: str
    ordered_at: datetime
    request_id: str
    whole: bool
    first_sent_at: datetime | None
    sends: int
    asks: int
    until: datetime

    @property
    def key(self) -> dict[str, object]:
        """Its row."""
        return {"book_id": self.book_id, "refund_id": self.refund_id, "part": self.part}

    def order(self, first_sent_at: datetime) -> RefundOrder:
        """What the provider is told and asked; the same every time."""
        return RefundOrder(
            request_id=self.request_id,
            order_code=self.order_code,
            transaction=self.transaction_no,
            amount_vnd=self.amount_vnd,
            whole=self.whole,
            ordered_at=self.ordered_at,
            asked_at=first_sent_at,
            asked_by=ASKED_BY,
            client_ip=NO_CLIENT_IP,
            description=f"Hoan tra {self.order_code}",
        )


async def claim(connection: AsyncConnection, now: datetime, limit: int) -> list[Claimed]:
    """Take up to `limit` parts that are due and that nobody holds."""
    until = now + LEASE
    wanted = {"now": now, "until": until, "limit": limit}
    found = (await connection.execute(CLAIM, wanted)).mappings()
    return [
        Claimed(
            **{
                **row,
                "refund_id": UUID(str(row["refund_id"])),
                "movement_id": UUID(str(row["movement_id"])),
                "until": until,
            }
        )
        for row in found
    ]


async def about_to_send(
    connection: AsyncConnection, part: Claimed, now: datetime
) -> datetime | None:
    """Say that it is being sent, before it is; when it first was. None: somebody else has it.

    Committed before the network is touched: from here on it is asked about, not sent again.
    """
    try:
        async with connection.begin_nested():
            first = await connection.scalar(SEND, part.key | {"now": now, "until": part.until})
    except IntegrityError as error:
        if "refund_under_way_once" in str(error.orig):
            return None
        raise
    if first is None:
        return None
    await note(connection, part, "sent", now)
    await connection.execute(rows.SETTLE, _refund_key(part) | {"now": now})
    return msgspec.convert(first, datetime)


async def wait(  # how a part goes on
    connection: AsyncConnection,
    part: Claimed,
    status: str,
    step: tuple[str, str | None],
    now: datetime,
    *,
    asked: bool,
    soon: timedelta | None = None,
) -> None:
    """It is not final: when to ask (or try) next, or a case for people at the ladder's end."""
    asks = part.asks + asked
    pause = soon if soon is not None else ladder.wait_before(asks)
    told = {
        "status": status,
        "asked": int(asked),
        "next_at": None if pause is None else now + pause,
        "now": now,
    }
    await connection.execute(MOVE, part.key | told)
    await connection.execute(rows.SETTLE, _refund_key(part) | {"now": now})
    await note(connection, part, step[0], now, step[1])
    if pause is None:
        await give_up(connection, part, now)


async def give_up(connection: AsyncConnection, part: Claimed, now: datetime) -> None:
    """The ladder ended without an answer: a case; two people have to find out and say."""
    await note(connection, part, "gave_up", now)
    case = Case(
        book_id=part.book_id,
        subject_kind="refund",
        subject_id=part.refund_id,
        side="settlement",
        reason="REFUND_UNANSWERED",
        provider=part.provider,
        external_id=part.request_id,
        amount_vnd=part.amount_vnd,
        happened_at=part.first_sent_at or now,
    )
    await open_cases(connection, [case], now)


async def note(
    connection: AsyncConnection, part: Claimed, step: str, now: datetime, detail: str | None = None
) -> None:
    """Write a step down."""
    told = {"step": step, "detail": detail, "actor": rows.SYSTEM, "now": now}
    await connection.execute(rows.STEP, part.key | told)


async def earlier(connection: AsyncConnection, part: Claimed) -> Sequence[tuple[str | None, int]]:
    """Other refunds of the same order that were paid: the provider's number, and the amount."""
    about = {"merchant_id": part.merchant_id, "order_code": part.order_code}
    rows_ = await connection.execute(EARLIER, part.key | about)
    return [(row.refund_no, row.amount_vnd) for row in rows_]


async def is_unheard_already(connection: AsyncConnection, part: Claimed) -> bool:
    """Whether the provider knew of no such refund the last time, too."""
    last: str | None = await connection.scalar(LAST_STEP, part.key)
    return last == "unheard"


def _refund_key(part: Claimed) -> dict[str, object]:
    return {"book_id": part.book_id, "refund_id": part.refund_id}
