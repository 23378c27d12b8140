"""Everything the callback address needs, joined: directory, committer, quarantine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from providers import Answer, Call, Claim, Outcome, Rejected
from providers.catalog import CATALOG
from service.intake import figures
from service.intake.deliveries import Delivery, believe
from service.intake.directory import Directory
from service.intake.group_commit import Committer, utc_now
from service.intake.pacing import Pace
from service.intake.quarantine import Quarantine
from service.intake.shelves import Unbelieved, names_of
from service.merchants import Merchant
from service.sealing import Sealer
from service.settings import WEAK_LIMIT_VND

REASONS = {
    "forged": Outcome.FORGED,
    "stale": Outcome.STALE,
    "malformed": Outcome.MALFORMED,
}
NOBODY: Final = 0
"""No merchant has this id."""


class Taken(NamedTuple):
    """What a provider is answered, and whether its call was one of a flood of unbelieved ones."""

    answer: Answer
    of_flood: bool


class Stranger(NamedTuple):
    """Of a call to an address that is nobody's: whether it had its turn, and is one of a flood."""

    has_turn: bool
    of_flood: bool


class Intake:
    """One per process: start it with the application, close it before the pool goes."""

    def __init__(
        self, engine: AsyncEngine, sealer: Sealer, weak_limit_vnd: int = WEAK_LIMIT_VND
    ) -> None:
        self.directory = Directory(engine, sealer, weak_limit_vnd=weak_limit_vnd)
        self._committer = Committer(engine, sealer, self.directory)
        self._quarantine = Quarantine(engine, sealer, utc_now)
        self._pace = Pace()

    def start(self) -> None:
        """Open the lanes; needs a running loop."""
        self._committer.start()
        self._quarantine.start()

    async def close(self) -> None:
        """Finish the open group and what waits behind it."""
        await self._committer.close()
        await self._quarantine.close()

    async def take(self, merchant: Merchant, call: Call) -> Taken:
        """Keep and book a call, or keep it as unbelieved; what its provider is answered.

        `merchant` names a provider of the catalogue. Answers "done" only after COMMIT returned.
        """
        now = utc_now()
        if not await self._pace.turn(merchant.id):
            return Taken(self._answer(merchant, call, Outcome.TRY_AGAIN), of_flood=True)
        of_flood = False
        try:
            delivery = believe(merchant, call, now)
        except Rejected as rejected:
            of_flood = not rejected.authentic and self._pace.unbelieved(merchant.id)
            outcome = await self._refuse(merchant, call, rejected, now)
        else:
            outcome = await self._committer.take(delivery)
        return Taken(self._answer(merchant, call, outcome), of_flood)

    @staticmethod
    def _answer(merchant: Merchant, call: Call, outcome: Outcome) -> Answer:
        provider = CATALOG[merchant.provider]
        figures.OUTCOMES.labels(provider.name, outcome.value).inc()
        return provider.answer(outcome, call)

    async def stranger(self) -> Stranger:
        """A call to an address that is nobody's: of very many, one at a time goes on."""
        of_flood = self._pace.unbelieved(NOBODY)
        return Stranger(await self._pace.turn(NOBODY), of_flood)

    async def tell(self, merchant: Merchant, call: Call, claims: Sequence[Claim]) -> Outcome:
        """Keep and book what a provider answered to a question of ours, as if it had called.

        `call` holds the exact bytes of the answer, `claims` what the adapter read in it. Given
        after COMMIT returned; TRY_AGAIN where that cannot be said: the same answer told again is
        then a repeat, or is booked.
        """
        delivery = Delivery(
            id=uuid7(),
            merchant=merchant,
            call=call,
            claims=tuple(claims),
            received_at=utc_now(),
            asked=True,
        )
        outcome = await self._committer.take(delivery)
        figures.OUTCOMES.labels(merchant.provider, outcome.value).inc()
        return outcome

    async def _refuse(
        self, merchant: Merchant, call: Call, rejected: Rejected, now: datetime
    ) -> Outcome:
        kept = await self._quarantine.keep(
            Unbelieved(
                merchant=merchant,
                call=call,
                why=rejected.why,
                hint=rejected.hint,
                authentic=rejected.authentic,
                received_at=now,
                names=() if rejected.authentic else names_of(rejected.hint),
            )
        )
        return Outcome.TRY_AGAIN if kept == "full" else REASONS[rejected.why]
