"""The append-only record of what people did and of what was refused.

Refused attempts are bounded: a flood of bad keys may fill neither the table nor the disk.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

REFUSALS_PER_MINUTE: Final = 60
WINDOW_S: Final = 60.0
ACTORS_REMEMBERED: Final = 1_000

APPEND = sa.text("""
    insert into service.audit
        (id, recorded_at, actor_kind, actor, action, outcome, book_id, subject, detail)
    values (uuidv7(), :now, :actor_kind, :actor, :action, :outcome, :book_id, :subject,
            cast(:detail as jsonb))
""")


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something done or refused; `detail` holds no personal data and no secret."""

    actor_kind: Literal["staff", "api_key", "system", "anonymous"]
    actor: str
    action: str
    outcome: Literal["allowed", "refused"]
    book_id: int | None = None
    subject: UUID | str | None = None
    detail: Mapping[str, str | int | bool | None] = {}


async def record(connection: AsyncConnection, deed: Deed, now: datetime) -> None:
    """Append one deed in the caller's transaction."""
    await connection.execute(
        APPEND,
        {
            "now": now,
            "actor_kind": deed.actor_kind,
            "actor": deed.actor,
            "action": deed.action,
            "outcome": deed.outcome,
            "book_id": deed.book_id,
            "subject": None if deed.subject is None else str(deed.subject),
            "detail": msgspec.json.encode(deed.detail).decode(),
        },
    )


class Allowance:
    """How many refusals of one actor are still written down in this minute."""

    def __init__(self, per_minute: int = REFUSALS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._since = time.monotonic()
        self._used: dict[str, int] = {}

    def take(self, actor: str) -> bool:
        """True while this actor's refusal should be recorded; the rest of the minute is dropped."""
        now = time.monotonic()
        if now - self._since > WINDOW_S:
            self._since = now
            self._used.clear()
        if actor not in self._used and len(self._used) >= ACTORS_REMEMBERED:
            return False
        self._used[actor] = self._used.get(actor, 0) + 1
        return self._used[actor] <= self._per_minute
