"""Write events in the caller's transaction. Gives no position: see service.outbox.relay."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

EventType: TypeAlias = Literal[
    "fee_notice.recorded",
    "fee_notice.items_added",
    "fee_notice.exempted",
    "fee_notice.cancelled",
    "fee_notice.partially_paid",
    "fee_notice.paid",
    "fee_notice.overpaid",
    "fee_notice.reopened",
    "fee_notice.refunded",
    "fee_notice.refund_returned",
]


class OutboxEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something the one-stop must hear; the payload holds no personal data."""

    book_id: int
    type: EventType
    notice_id: UUID
    dossier_code: str
    payload: Mapping[str, str | int | bool | None]


# uuidv7() is read from the one clock of the book's database, after the notice's row was locked,
# so that ids of one notice (and of one transaction) are in the order of its changes.
WRITE = sa.text("""
    insert into service.outbox (book_id, id, type, dossier_code, notice_id, payload, recorded_at)
    select told.book_id, uuidv7(), told.type, told.dossier_code, told.notice_id,
           cast(told.payload as jsonb), :now
    from unnest(cast(:book_ids as integer[]), cast(:types as text[]), cast(:dossiers as text[]),
                cast(:notice_ids as uuid[]), cast(:payloads as text[]))
        with ordinality as told (book_id, type, dossier_code, notice_id, payload, position)
    order by told.position
""")


async def write(connection: AsyncConnection, events: Sequence[OutboxEvent], now: datetime) -> None:
    """Add `events` in the caller's transaction, in order; call it after the notices are locked."""
    if not events:
        return
    encode = msgspec.json.encode
    await connection.execute(
        WRITE,
        {
            "book_ids": [event.book_id for event in events],
            "types": [event.type for event in events],
            "dossiers": [event.dossier_code for event in events],
            "notice_ids": [event.notice_id for event in events],
            "payloads": [encode(event.payload).decode() for event in events],
            "now": now,
        },
    )
