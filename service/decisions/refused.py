"""Write refused attempts at a decision into the audit log, though their transaction is gone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from service.access import Principal
from service.access.audit import Deed, record
from service.errors import Refusal


@asynccontextmanager
async def remembering(
    engine: AsyncEngine, caller: Principal, action: str, subject_id: UUID
) -> AsyncIterator[None]:
    """Whatever is refused inside is written down as refused, with the code of the refusal."""
    try:
        yield
    except Refusal as refusal:
        deed = Deed(
            actor_kind=caller.kind,
            actor=caller.actor,
            action=action,
            outcome="refused",
            subject=subject_id,
            detail={"code": refusal.code},
        )
        async with engine.begin() as connection:
            await record(connection, deed, datetime.now(UTC))
        raise
