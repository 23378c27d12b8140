"""An office that also remits: what two people do about the budget's share."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service.database import transaction
from service.decisions import Verdict
from service.remittance import actions, calendar, lateness, recognising
from service.remittance.actions import Desk
from service.remittance.messages import (
    NewRecognition,
    NewRecord,
    NewRemittance,
    Recognition,
    Remittance,
)
from service.web.idempotency import Done
from tests.makers import NOW
from tests.service.refunds.making import ONE_STOP, Office

UNTIL: Final = date(2026, 11, 30)
MONTHLY: Final = NewRemittance(rule="monthly")


class Treasurer:
    """Proposes, decides and records remittances in an office."""

    def __init__(self, office: Office) -> None:
        """The month is over."""
        self.office = office
        office.now = NOW + timedelta(days=29)

    def desk(self, name: str) -> Desk:
        """Somebody at their desk, now."""
        caller = self.office.people.get(name, ONE_STOP)
        return Desk(caller=caller, settings=self.office.settings, now=self.office.now)

    async def _do(self, name: str, act: Callable[[AsyncConnection, Desk], Awaitable[Done]]) -> Done:
        async with transaction(self.office.engine) as connection:
            return await act(connection, self.desk(name))

    async def propose(
        self, name: str = "maker", book_id: int = 1, new: NewRemittance = MONTHLY
    ) -> Remittance:
        """Propose the last complete month."""
        done = await self._do(name, lambda c, desk: actions.propose(c, desk, book_id, new))
        return msgspec.json.decode(done.body, type=Remittance)

    async def decide(
        self, wanted: UUID, name: str = "checker", verdict: Verdict = "approved"
    ) -> Remittance:
        """Approve or reject what is proposed."""
        done = await self._do(name, lambda c, desk: actions.decide(c, desk, wanted, verdict, None))
        return msgspec.json.decode(done.body, type=Remittance)

    async def approved(self, new: NewRemittance = MONTHLY) -> Remittance:
        """Propose and approve."""
        return await self.decide((await self.propose(new=new)).id)

    async def record(self, wanted: UUID, new: NewRecord) -> Remittance:
        """Say what happened, and let another person confirm it."""
        await self._do("maker", lambda c, desk: actions.propose_record(c, desk, wanted, new))
        return await self.decide(wanted)

    async def recognise(self, until: date = UNTIL) -> Recognition:
        """Propose and approve that retained shares become revenue."""
        new = NewRecognition(until=until)
        done = await self._do("maker", lambda c, desk: recognising.propose(c, desk, 1, new))
        wanted = msgspec.json.decode(done.body, type=Recognition).id
        done = await self._do(
            "checker", lambda c, desk: recognising.decide(c, desk, wanted, "approved", None)
        )
        return msgspec.json.decode(done.body, type=Recognition)

    async def look(self) -> int:
        """What the worker's daily look finds."""
        return await lateness.look(self.office.engine, calendar.rules(), self.office.now)

    async def balance(self, account: str, book_id: int = 1) -> int:
        """What stands on an account, on its credit side."""
        found = await self.office.value(
            "select coalesce(sum(case when credit = :account then amount_vnd else -amount_vnd end),"
            " 0)::bigint from ledger.line where book_id = :book_id and :account in (debit, credit)",
            account=account,
            book_id=book_id,
        )
        return int(str(found))
