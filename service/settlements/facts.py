"""What is known of the payments that settlement lines name, read under the locks of intake."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.payments import evidence, loading
from service.settlements.identity import Counted, trace, traces
from service.settlements.keeping import Payee

# The movement of a transaction, by either of its names, and what files have told of it before.
KNOWN: Final = sa.text("""
    select told.position, movement.book_id, movement.id, movement.amount_vnd,
           money.clearing_vnd,
           before.payments, before.refunded_vnd, before.disputed_vnd
    from unnest(cast(:own as text[]), cast(:other as text[])) with ordinality
        as told (own, other, position)
    left join lateral (
        select found.book_id, found.id, found.amount_vnd from service.movement as found
        where found.book_id = :book_id and found.origin = :origin
          and found.trace in (told.own, told.other)
        order by found.trace <> told.own limit 1
    ) as movement on true
    left join service.money_state as money
      on money.book_id = movement.book_id and money.movement_id = movement.id
    cross join lateral (
        select count(*) filter (where line.kind = 'payment') as payments,
               coalesce(sum(-line.gross_vnd) filter (where line.kind = 'refund'), 0)::bigint
                   as refunded_vnd,
               coalesce(sum(line.disputed_vnd), 0)::bigint as disputed_vnd
        from service.settlement_line as line
        where line.book_id = :book_id and line.trace = told.own
          and line.merchant_id = :merchant_id
    ) as before
""")

# Where money never stands at the provider: what its calls told, by the provider's own number.
CALLED: Final = sa.text("""
    select distinct on (told.position) told.position, event.book_id, event.movement_id as id,
           event.amount_vnd
    from unnest(cast(:scopes as text[]), cast(:numbers as text[])) with ordinality
        as told (scope, number, position)
    join service.event as event
      on event.book_id = any(cast(:books as integer[])) and event.merchant_id = :merchant_id
     and event.scope = told.scope and event.provider_txn = told.number
     and event.movement_id is not null
    order by told.position, event.id
""")

# ... or the one bank transfer of this reference, direction and amount.
AT_THE_BANK: Final = sa.text("""
    select told.position, min(movement.book_id) as book_id,
           cast(min(cast(movement.id as text)) as uuid) as id,
           min(movement.amount_vnd) as amount_vnd
    from unnest(cast(:references as text[]), cast(:directions as text[]),
                cast(:amounts as bigint[])) with ordinality
        as told (reference, direction, amount_vnd, position)
    join service.token
      on token.book_id = any(cast(:books as integer[])) and token.kind = 'trace'
     and token.value = told.reference
    join service.movement
      on movement.book_id = token.book_id and movement.id = token.movement_id
     and movement.direction = told.direction and movement.amount_vnd = told.amount_vnd
    group by told.position having count(*) = 1
""")

TOLD: Final = sa.text("""
    select trace, kind, count(*) as lines from service.settlement_line
    where book_id = :book_id and merchant_id = :merchant_id
      and trace = any(cast(:traces as text[]))
    group by trace, kind
""")


class Facts(msgspec.Struct, kw_only=True):
    """Of one payment: its movement, if any, and what settlement lines have told of it so far."""

    book_id: int = 0
    movement_id: UUID | None = None
    amount_vnd: int = 0
    clearing_vnd: int = 0
    payments: int = 0
    refunded_vnd: int = 0
    disputed_vnd: int = 0


async def at_provider(
    connection: AsyncConnection, whose: Payee, lines: Sequence[Counted]
) -> dict[str, Facts]:
    """Facts by trace; nobody can book one of these transactions until the transaction ends."""
    named = {trace(one.line): traces(one.line) for one in lines if one.line.transaction}
    keys = [(whose.book_id, whose.origin, text) for both in named.values() for text in both]
    await loading.lock(connection, loading.trace_keys(keys))
    own = list(named)
    rows = await connection.execute(
        KNOWN,
        {
            "book_id": whose.book_id,
            "merchant_id": whose.id,
            "origin": whose.origin,
            "own": own,
            "other": [named[text][-1] for text in own],
        },
    )
    return {
        own[row.position - 1]: Facts(
            book_id=row.book_id or whose.book_id,
            movement_id=None if row.id is None else UUID(str(row.id)),
            amount_vnd=row.amount_vnd or 0,
            clearing_vnd=row.clearing_vnd or 0,
            payments=row.payments,
            refunded_vnd=row.refunded_vnd,
            disputed_vnd=row.disputed_vnd,
        )
        for row in rows
    }


async def at_account(
    connection: AsyncConnection, whose: Payee, lines: Sequence[Counted]
) -> list[Facts]:
    """Facts of each line, in order, where the money came straight to our own account."""
    books = sorted({whose.book_id, *whose.serves})
    told = [one.line for one in lines]
    key: dict[str, object] = {"books": books, "merchant_id": whose.id}
    found = await connection.execute(
        AT_THE_BANK,
        {
            "books": books,
            "references": [evidence.trace(one.bank_reference or one.transaction) for one in told],
            "directions": ["in" if one.gross_vnd > 0 else "out" for one in told],
            "amounts": [abs(one.gross_vnd) for one in told],
        },
    )
    at = {row.position: row for row in found}
    numbers = {
        "scopes": [one.scope for one in told],
        "numbers": [one.transaction for one in told],
    }
    at |= {row.position: row for row in await connection.execute(CALLED, key | numbers)}
    known = await connection.execute(
        TOLD,
        {
            "book_id": whose.book_id,
            "merchant_id": whose.id,
            "traces": [trace(one) for one in told],
        },
    )
    before = {(row.trace, row.kind): int(row.lines) for row in known}
    return [
        Facts(
            book_id=at[position].book_id if position in at else whose.book_id,
            movement_id=UUID(str(at[position].id)) if position in at else None,
            amount_vnd=at[position].amount_vnd if position in at else 0,
            payments=before.get((trace(one), one.kind), 0),
        )
        for position, one in enumerate(told, 1)
    ]
