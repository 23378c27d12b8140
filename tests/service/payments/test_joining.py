"""Two transfers of one amount are told apart by the dossiers that their texts name."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import transaction
from service.payments.booking import book
from service.payments.sightings import Became, Booked, Sighting
from tests.makers import NOW, make_account, transfer

pytestmark = pytest.mark.anyio

A = (("dossier", "0000023H572611010001"),)
B = (("dossier", "0000023H572611010002"),)


def later(sighting: Sighting) -> Sighting:
    """The same a day later."""
    day = timedelta(days=1)
    return msgspec.structs.replace(
        sighting, happened_at=sighting.happened_at + day, happened_on=sighting.happened_on + day
    )


@pytest.mark.parametrize("together", [True, False])
async def test_a_line_of_another_dossier_is_other_money(
    engine: AsyncEngine,
    two_books: tuple[int, int],
    together: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The webhook of one came, that of the other was lost; statements show both (invariant 3)."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        told = msgspec.structs.replace(transfer(account, 50_000), tokens=A)
        other = transfer(account, 50_000, view="statement", peers=1 + together)
        line_of_b = msgspec.structs.replace(other, tokens=B)
        line_of_b = line_of_b if together else later(line_of_b)
        own = transfer(account, 50_000, view="statement")
        line_of_a = msgspec.structs.replace(own, tokens=A)
        booked: list[Booked] = []
        for group in (
            ([told], [line_of_b, line_of_a])
            if together
            else (
                [told],
                [line_of_b],
                [line_of_a],
            )
        ):
            booked += await book(connection, group, now=NOW)
    by_feed, of_b, of_a = booked
    assert of_b.new_movement
    assert of_a.movement_id == by_feed.movement_id


async def test_a_line_with_a_dossier_is_not_surely_the_money_without_one(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Else the other's money would be matched to the dossier, and its own be a duplicate of it."""
    async with transaction(engine) as connection:
        account = await make_account(connection, 1)
        (nameless,) = await book(connection, [transfer(account, 50_000)], now=NOW)
        line = transfer(account, 50_000, view="statement")
        line = msgspec.structs.replace(line, tokens=A)
        (told,) = await book(connection, [line], now=NOW)
    assert nameless.new_movement
    assert (told.became, told.movement_id) == (Became.UNSURE, None)
