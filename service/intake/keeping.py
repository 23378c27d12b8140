"""How many calls are kept and not believed, for people: piles by merchant, lane and reason."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

PILES_MAX = 1_000

PILES = sa.text("""
    select merchant.provider, merchant.merchant, kept.lane, kept.why,
           count(*) filter (where kept.replayed_at is null) as waiting,
           count(*) filter (where kept.replayed_at is not null) as came_back,
           sum(kept.size_bytes) as size_bytes, min(kept.received_at) as first_at,
           max(kept.received_at) as last_at
    from service.quarantine as kept
    join service.merchant as merchant on merchant.id = kept.merchant_id
    where (cast(:provider as text) is null or merchant.provider = :provider)
      and (cast(:merchant as text) is null or merchant.merchant = :merchant)
    group by 1, 2, 3, 4 order by 1, 2, 3, 4 limit :limit
""")


class Pile(msgspec.Struct, frozen=True, kw_only=True):
    """Kept calls of one merchant that are kept for one reason."""

    provider: str
    merchant: str
    lane: str
    why: str
    waiting: int
    came_back: int
    size_bytes: int
    first_at: datetime
    last_at: datetime


async def piles(
    connection: AsyncConnection, provider: str | None, merchant: str | None
) -> list[Pile]:
    """The piles of all merchants, or of those named; at most PILES_MAX."""
    rows = await connection.execute(
        PILES, {"provider": provider, "merchant": merchant, "limit": PILES_MAX}
    )
    return [msgspec.convert(row._asdict(), Pile) for row in rows]
