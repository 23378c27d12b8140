"""The case of a bank feed whose list stays unread: one for each merchant, until it is read."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from service.merchants import Merchant
from service.payments.cases import end_cases, open_cases
from service.payments.sightings import Case, FieldVerdict

REASON: Final = "FEED_NOT_READ"
OWNER: Final = "admin"
"""The role that can mend it: a token that has run out, an address, a row that cannot be read."""
DUE_AFTER: Final = timedelta(days=1)
NAMESPACE: Final = UUID("6f1c2a60-3c0e-5b5a-9d2e-6665656473aa")


def subject_of(merchant_id: int) -> UUID:
    """What the case is about: the same for a merchant, day after day."""
    return uuid5(NAMESPACE, str(merchant_id))


async def tell(
    connection: AsyncConnection, merchant: Merchant, problem: str, read_at: datetime, now: datetime
) -> None:
    """Open the case, unless it is open."""
    case = Case(
        book_id=merchant.book_id,
        subject_kind="merchant",
        subject_id=subject_of(merchant.id),
        side="bank",
        reason=REASON,
        provider=merchant.provider,
        external_id=merchant.merchant,
        amount_vnd=None,
        happened_at=read_at,
        owner=OWNER,
        due_at=now + DUE_AFTER,
        fields=(FieldVerdict(name="list", expected="read", found=problem, verdict="missing"),),
    )
    await open_cases(connection, [case], now)


async def end(
    connection: AsyncConnection, book_id: int, merchant_id: int, how: str, now: datetime
) -> None:
    """The list was read, or there is none to read any more."""
    await end_cases(connection, [(book_id, subject_of(merchant_id), REASON, how)], now)
