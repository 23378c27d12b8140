"""Everything a provider said of the payments that a group of calls is about.

Tells repeats from news, and what contradicts what was said before: see `providers.states`. Pure
but for one read.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from providers import Outcome
from providers.contract import Status
from providers.states import Folded, Told, fold, overtaken, taken_back
from service.intake.deliveries import Event, EventKey, PaymentKey
from service.payments.loading import raw
from service.payments.sightings import Case, FieldVerdict, Sighting

# Whatever was said of these payments; few rows, found by the beginning of the key of events.
KNOWN: Final = """
    select told.position, event.id, event.status, event.amount_key, event.amount_vnd,
           event.happened_at, event.outcome, event.movement_id, unknown.asked
    from unnest($1::integer[], $2::integer[], $3::text[], $4::text[])
        with ordinality as told (book_id, merchant_id, scope, provider_txn, position)
    join service.event
      on event.book_id = told.book_id and event.merchant_id = told.merchant_id
     and event.scope = told.scope and event.provider_txn = told.provider_txn
    left join service.unknown_order as unknown
      on event.outcome = 'unknown_order'
     and unknown.book_id = event.book_id and unknown.event_id = event.id
    order by event.recorded_at, event.id
"""


class Known(msgspec.Struct, kw_only=True):
    """An event that was committed before, or earlier in this group."""

    id: UUID
    status: Status
    amount_vnd: int | None
    happened_at: datetime
    outcome: Outcome | None = None
    """None until the group has decided it."""
    movement_id: UUID | None = None
    delivered: int = 1
    """How often a call about an unknown order brought it."""


class Timelines:
    """What is known of each payment, in the order in which we heard it."""

    def __init__(self) -> None:
        self._said: dict[PaymentKey, list[Known]] = {}
        self._by_key: dict[EventKey, Known] = {}

    @classmethod
    async def read(cls, connection: AsyncConnection, payments: Iterable[PaymentKey]) -> "Timelines":
        """Read what is committed; the caller holds a lock on each payment."""
        made = cls()
        keys = sorted(set(payments))
        if not keys:
            return made
        driver = await raw(connection)
        for row in await driver.fetch(KNOWN, *map(list, zip(*keys, strict=True))):
            known = Known(
                id=row["id"],
                status=cast("Status", row["status"]),
                amount_vnd=row["amount_vnd"],
                happened_at=row["happened_at"],
                outcome=Outcome(row["outcome"]),
                movement_id=row["movement_id"],
                delivered=row["asked"] or 1,
            )
            payment = keys[row["position"] - 1]
            made._keep(payment, (*payment, row["status"], row["amount_key"]), known)
        return made

    def _keep(self, payment: PaymentKey, key: EventKey, known: Known) -> None:
        self._said.setdefault(payment, []).append(known)
        self._by_key[key] = known

    def find(self, key: EventKey) -> Known | None:
        """The event of this key, if it was heard before."""
        return self._by_key.get(key)

    def hear(self, event: Event) -> tuple[Known, Sighting | None, list[Case]]:
        """Remember a new event; its sighting in the light of all that was said, and new cases.

        A case is about the word that contradicts, whichever of the two was heard first.
        """
        known = Known(
            id=event.id,
            status=event.claim.status,
            amount_vnd=event.claim.amount_vnd,
            happened_at=event.happened_at,
        )
        self._by_key[event.key] = known
        said = self._said.setdefault(event.payment, [])
        said.append(known)
        if len(said) == 1:
            return known, event.sighting, []
        before = said[:-1]
        told = [Told(status=one.status, happened_at=one.happened_at) for one in said]
        folded = fold(told)
        clashes = _clashes(said, folded) - _clashes(before, fold(told[:-1]))
        cases = [_contested(event, said, one, other) for one, other in sorted(clashes)]
        return known, _in_this_light(event, told, folded), cases


def _clashes(said: Sequence[Known], folded: Folded) -> set[tuple[UUID, UUID]]:
    return {(said[one].id, said[other].id) for one, other in folded.contradictions}


def _in_this_light(event: Event, told: Sequence[Told], folded: Folded) -> Sighting | None:
    """Money that the provider has back pays nothing; what it let go is held no longer."""
    sighting = event.sighting
    newest = len(told) - 1
    if sighting is None or newest not in folded.order:
        return sighting
    if event.claim.status == "paid" and taken_back(told, folded, newest):
        return msgspec.structs.replace(sighting, held_by_provider=True)
    if overtaken(told, folded, newest):
        return msgspec.structs.replace(sighting, overtaken=True)
    return sighting


def _contested(event: Event, said: Sequence[Known], one: UUID, other: UUID) -> Case:
    expected, found = (next(k for k in said if k.id == wanted) for wanted in (one, other))
    return Case(
        book_id=event.book_id,
        subject_kind="event",
        subject_id=found.id,
        side="callback",
        reason="CONTESTED",
        provider=event.delivery.merchant.provider,
        external_id=event.key[3],
        amount_vnd=found.amount_vnd,
        happened_at=found.happened_at,
        fields=(
            FieldVerdict(
                name="status", expected=expected.status, found=found.status, verdict="differs"
            ),
        ),
    )
