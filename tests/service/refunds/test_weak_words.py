"""A weak channel's word alone gives nothing back, and brings no refund back."""

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.payments.sightings import Sighting
from service.refunds.errors import NothingToRefund
from service.refunds.messages import NewRefund, Refund
from tests.makers import transfer
from tests.service.refunds.making import Office

pytestmark = pytest.mark.anyio


@pytest.fixture
async def office(engine: AsyncEngine, two_books: tuple[int, int]) -> Office:
    """Give an office without a provider that answers."""
    made = Office(engine)
    await made.open()
    return made


def weak(told: Sighting) -> Sighting:
    """The same, told by somebody who proves only that they know a key."""
    return msgspec.structs.replace(told, seen_by="weak", weak=True)


async def paid_refund(office: Office) -> Refund:
    """A refund of 30,000 đồng that a bank debit has paid."""
    owed = await office.owed(1, 50_000)
    await office.book(transfer(office.account, 80_000, reference=owed.reference, traces=["FT1"]))
    refund = await office.refund(owed.notice_id, NewRefund(of="held", reason="overpaid"))
    debit = transfer(
        office.account,
        30_000,
        view="statement",
        direction="out",
        reference=refund.reference,
        traces=["FT2"],
    )
    await office.book(debit)
    assert (await office.found(refund.id)).status == "paid"
    return refund


async def test_a_weak_word_does_not_bring_a_refund_back(office: Office) -> None:
    """Forged, it would have the unit pay the refund a second time; the bank's word does it."""
    refund = await paid_refund(office)
    back = transfer(office.account, 30_000, reference=refund.reference, traces=["FT3"])
    await office.book(weak(back))
    assert (await office.found(refund.id)).status == "paid"
    assert await office.proven() == []
    line = transfer(
        office.account, 30_000, view="statement", reference=refund.reference, traces=["FT3"]
    )
    await office.book(line)
    assert (await office.found(refund.id)).status == "approved"
    live = "select array_agg(reason) from service.unmatched where status <> 'resolved'"
    assert await office.value(live) == ["REFUND_RETURNED"]
    assert await office.proven() == []


async def test_money_that_nobody_proved_is_not_given_back(office: Office) -> None:
    """5,000,000 đồng in suspense by a weak word alone: the unit would give its own money."""
    owed = await office.owed(1, 50_000)
    told = transfer(office.account, 5_000_000, reference=owed.reference, traces=["FT3"])
    await office.book(weak(told))
    movement_id = await office.value("select movement_id from service.money_state")
    new = NewRefund(of="suspense", reason="overpaid", movement_id=movement_id)  # type: ignore[arg-type]
    with pytest.raises(NothingToRefund):
        await office.ask("maker", owed.notice_id, new)
    seen = transfer(office.account, 5_000_000, view="statement", traces=["FT3"])
    await office.book(seen)
    held = NewRefund(of="held", reason="overpaid", movement_id=movement_id)  # type: ignore[arg-type]
    assert (await office.ask("maker", owed.notice_id, held)).amount_vnd == 4_950_000
