"""Plan a run: read the money in suspense over one snapshot, block by block, and have it judged.

Movements that name a common notice are judged together, whatever block they would be in, so that
what is unique is unique among all money in suspense. Nothing is written here.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.matching.model import Codes, Money
from service.matching.rules import judge
from service.payments.sightings import Candidate, FieldVerdict
from service.reconciliation import items
from service.reconciliation.groups import Groups
from service.reconciliation.items import Places
from service.reconciliation.steps import Live, Step, Waiting, step_of
from service.references.memo import DossierToken

BLOCK: Final = 400
"""Movements judged at once; a group that names common notices is never cut."""
SUSPENDED_MAX: Final = 1_000_000
"""Movements of a book that one run looks at; the oldest first."""

SUSPENDED = sa.text("""
    select money.movement_id
    from service.money_state as money
    join service.movement as movement
      on movement.book_id = money.book_id and movement.id = money.movement_id
    where money.book_id = :book_id and money.suspense_vnd > 0
      and movement.direction = 'in' and movement.origin like 'account:%'
      -- What only weak channels have told waits until another window agrees.
      and exists (select from service.sighting as seen
                  where seen.book_id = movement.book_id and seen.movement_id = movement.id
                    and seen.outcome <> 'unproven')
    order by money.movement_id limit :limit
""")

NAMED = sa.text("""
    select token.movement_id, notice.id as notice_id
    from service.money_state as money
    join service.token as token
      on token.book_id = money.book_id and token.movement_id = money.movement_id
     and token.kind = 'dossier'
    join service.notice as notice
      on notice.book_id = money.book_id and notice.dossier_key = token.value
    where money.book_id = :book_id and money.suspense_vnd > 0
    union all
    select token.movement_id, asked.notice_id
    from service.money_state as money
    join service.token as token
      on token.book_id = money.book_id and token.movement_id = money.movement_id
     and token.kind = 'reference'
    left join ledger.book as named
      on token.value like 'HUE%' and named.code = substr(token.value, 4, 2)
    join service.payment_request_notice as asked
      on asked.book_id = coalesce(named.book_id, money.book_id)
     and asked.reference = token.value
    where money.book_id = :book_id and money.suspense_vnd > 0
""")

MONEY = sa.text("""
    select money.movement_id, money.suspense_vnd, movement.origin, movement.happened_at,
           movement.value_date
    from unnest(cast(:ids as uuid[])) as told (id)
    join service.money_state as money
      on money.book_id = :book_id and money.movement_id = told.id
    join service.movement as movement
      on movement.book_id = money.book_id and movement.id = money.movement_id
""")

TOKENS = sa.text("""
    select token.movement_id, token.kind, token.value
    from unnest(cast(:ids as uuid[])) as told (id)
    join service.token as token on token.book_id = :book_id and token.movement_id = told.id
    order by token.movement_id, token.kind, token.value
""")

LIVE = sa.text("""
    select live.id, live.subject_id, live.reason, live.status, live.provider, live.external_id,
           live.fields, live.candidates
    from unnest(cast(:ids as uuid[])) as told (id)
    join service.unmatched as live
      on live.book_id = :book_id and live.subject_id = told.id and live.status <> 'resolved'
    order by live.subject_id, live.opened_at, live.id
""")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What one block gave: steps, and how many movements need none."""

    examined: int
    steps: tuple[Step, ...]


async def plan(connection: AsyncConnection, book_id: int, until: date) -> AsyncIterator[Planned]:
    """Plan for all money in suspense that moved up to `until`, over the caller's snapshot.

    Later money counts as a rival, and is left for a later run.
    """
    known = await items.places(connection)
    key: dict[str, object] = {"book_id": book_id}
    found = await connection.scalars(SUSPENDED, key | {"limit": SUSPENDED_MAX})
    suspended = [UUID(str(one)) for one in found]
    groups: Groups[UUID] = Groups()
    for row in await connection.execute(NAMED, key):
        groups.join(UUID(str(row.notice_id)), UUID(str(row.movement_id)))
    for block in _blocks(groups.of(suspended)):
        yield await _plan_block(connection, book_id, block, until, known)


def _blocks(groups: Sequence[Sequence[UUID]]) -> Iterator[list[UUID]]:
    """Whole groups in blocks of about BLOCK movements."""
    block: list[UUID] = []
    for group in groups:
        block += group
        if len(block) >= BLOCK:
            yield block
            block = []
    if block:
        yield block


async def _plan_block(
    connection: AsyncConnection, book_id: int, ids: list[UUID], until: date, known: Places
) -> Planned:
    waiting = await _waiting(connection, book_id, ids, known)
    money = [one.money for one in waiting.values()]
    found = await items.find(connection, book_id, money, known)
    verdicts = await asyncio.to_thread(judge, money, found.items)
    steps = []
    examined = 0
    for verdict in verdicts:
        one = waiting[verdict.money_id]
        if one.untouchable or one.money.happened_on > until:
            continue
        examined += 1
        step = step_of(one, verdict, found.expiries)
        if step is not None:
            steps.append(step)
    return Planned(examined=examined, steps=tuple(steps))


async def _waiting(
    connection: AsyncConnection, book_id: int, ids: list[UUID], known: Places
) -> dict[UUID, Waiting]:
    """The movements of a block with their codes, names and live cases."""
    wanted = {"book_id": book_id, "ids": ids}
    tokens: defaultdict[UUID, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in await connection.execute(TOKENS, wanted):
        tokens[UUID(str(row.movement_id))][row.kind].append(row.value)
    live: defaultdict[UUID, list[Live]] = defaultdict(list)
    for row in await connection.execute(LIVE, wanted):
        live[UUID(str(row.subject_id))].append(
            Live(
                id=UUID(str(row.id)),
                reason=row.reason,
                status=row.status,
                provider=row.provider,
                external_id=row.external_id,
                fields=msgspec.convert(row.fields, tuple[FieldVerdict, ...]),
                candidates=msgspec.convert(row.candidates, tuple[Candidate, ...]),
            )
        )
    waiting = {}
    for row in await connection.execute(MONEY, wanted):
        movement_id = UUID(str(row.movement_id))
        told, cases = tokens[movement_id], live[movement_id]
        place = known.labels.get(row.origin, row.origin)
        waiting[movement_id] = Waiting(
            money=Money(
                id=movement_id,
                amount_vnd=row.suspense_vnd,
                direction="in",
                happened_on=row.value_date,
                account=place,
                evidence=_codes(told),
                name_keys=tuple(told["name"]),
            ),
            happened_at=row.happened_at,
            provider=cases[0].provider if cases else f"bank:{place.partition('-')[0]}",
            external_id=cases[0].external_id if cases else str(movement_id),
            live=tuple(cases),
        )
    return waiting


def _codes(told: defaultdict[str, list[str]]) -> Codes:
    codes = [DossierToken(kind="whole", keys=(key,)) for key in told["dossier"]]
    codes += [DossierToken(kind="padded", keys=(key,)) for key in told["dossier_padded"]]
    codes += [
        DossierToken(kind="tail" if key.isdigit() else "truncated", keys=(key,))
        for key in told["dossier_part"]
    ]
    return Codes(
        references=tuple(told["reference"]),
        damaged_references=tuple(told["damaged_reference"]),
        dossier_codes=tuple(codes),
    )
