"""How a payment request stands at its provider: the fold over everything said of its order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.contract import Status
from providers.states import Told, fold, of_order

HISTORY_MAX: Final = 20
"""Words of providers that are shown of one order; the newest ones."""
SAID_MAX: Final = 500
"""Words that are read of one order; the newest ones."""

# By whichever name the provider knows the order, in every book where its money may come in.
SAID = sa.text("""
    select event.merchant_id, event.scope, event.provider_txn, event.status, event.amount_vnd,
           event.happened_at
    from (
        select :book_id as book_id
        union
        select merchant.book_id from service.merchant as merchant
        where :book_id = any(merchant.serves)
    ) as place
    join service.event as event
      on event.book_id = place.book_id and event.reference = any(cast(:names as text[]))
    where event.status <> 'ignored'
    order by event.recorded_at desc, event.id desc limit :limit
""")


class ProviderWord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a provider said of a payment for this request."""

    status: Status
    transaction: str
    amount_vnd: int | None
    happened_at: datetime


class OrderState(msgspec.Struct, frozen=True, kw_only=True):
    """What providers said of an order, and what it makes together."""

    state: Status | None = None
    history: list[ProviderWord] = []


async def of_request(
    connection: AsyncConnection, book_id: int, names: Sequence[str | None]
) -> OrderState:
    """The state of the order that has these names; history by the provider's time, oldest first."""
    wanted = {"book_id": book_id, "names": [name for name in names if name], "limit": SAID_MAX}
    rows = list((await connection.execute(SAID, wanted)).all())[::-1]
    by_payment: dict[tuple[object, ...], list[Told]] = {}
    words = []
    for row in rows:
        status = cast("Status", row.status)
        payment = (row.merchant_id, row.scope, row.provider_txn)
        by_payment.setdefault(payment, []).append(Told(status=status, happened_at=row.happened_at))
        words.append(
            ProviderWord(
                status=status,
                transaction=row.provider_txn,
                amount_vnd=row.amount_vnd,
                happened_at=row.happened_at,
            )
        )
    states = (fold(told).state for told in by_payment.values())
    words.sort(key=lambda word: word.happened_at)
    return OrderState(
        state=of_order(state for state in states if state is not None),
        history=words[-HISTORY_MAX:],
    )
