"""One transfer as its windows tell it: a feed's webhook, the same again, a statement line."""

from datetime import date
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service.payments import evidence
from service.payments.booking import book
from service.payments.sightings import Booked, Sighting
from service.sealing import Sealer
from service.statements.lines import instant
from tests.service.statements.making import FIRST_DAY, MASTER_KEY


def told(
    view: Literal["feed", "statement"],
    account_id: int,
    amount_vnd: int,
    memo: str,
    *,
    bank_reference: str = "",
    peers: int = 1,
    day: date = FIRST_DAY,
) -> Sighting:
    """A report of one incoming transfer to an account of the first book."""
    read = evidence.read(1, Sealer(MASTER_KEY), memo, bank_references=[bank_reference])
    return Sighting(
        id=uuid7(),
        book_id=1,
        view=view,
        seen_by="statement" if view == "statement" else "feed:sepay",
        origin=f"account:{account_id}",
        direction="in",
        amount_vnd=amount_vnd,
        happened_at=instant(day),
        happened_on=day,
        provider="bank:970436" if view == "statement" else "sepay",
        external_id=bank_reference or "x",
        traces=read.traces,
        reference=read.reference,
        bank_account_id=account_id,
        tokens=read.tokens,
        peers=peers,
    )


async def statement_line(
    connection: AsyncConnection, account_id: int, amount_vnd: int, memo: str
) -> list[Booked]:
    """Book one line of a statement in the caller's transaction."""
    sighting = told("statement", account_id, amount_vnd, memo)
    return await book(connection, [sighting], now=instant(FIRST_DAY))
