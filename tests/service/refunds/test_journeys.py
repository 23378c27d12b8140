"""Refunds from the proposal to the end, with every entry held against the accounting page."""

from uuid import UUID

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.decisions.errors import NotAPerson, NothingProposed, SamePerson
from service.errors import NotFound
from service.payments.sightings import Direction, Sighting
from service.refunds.errors import NothingToRefund, RefundExceeds
from service.refunds.messages import NewOutcome, NewRefund, NewReturn
from service.settings import Settings
from tests.makers import transfer
from tests.service.refunds.making import Office, Provider, served

pytestmark = pytest.mark.anyio


@pytest.fixture
async def office(engine: AsyncEngine, two_books: tuple[int, int]) -> Office:
    """Give an office without a provider that answers."""
    made = Office(engine)
    await made.open()
    return made


async def test_a_second_payment_goes_back_through_the_gateway(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Dr 3381 / Cr 3382 when approved, Dr 3382 / Cr 1130 when VNPAY has given it back."""
    provider = Provider()
    with served(provider) as address:
        office = Office(engine)
        await office.open(address)
        owed = await office.owed(1, 50_000, 20_000)
        await office.paid(owed)
        await office.paid(owed, number=14_000_002)
        provider.pay(owed.reference, 70_000, "14000001", "14000002")
        new = NewRefund(of="held", reason="duplicate")
        refund = await office.refund(owed.notice_id, new)
        assert (refund.status, refund.amount_vnd) == ("approved", 70_000)
        assert [(p.route, p.payable_vnd) for p in refund.parts] == [("provider", 70_000)]
        assert await office.proven() == []
        await office.work()
        provider.finish()
        office.now = office.found_due(await office.found(refund.id))
        await office.work()
    paid = await office.found(refund.id)
    assert (paid.status, len(provider.orders)) == ("paid", 1)
    assert await office.lines() == [
        ("refund_approved", "3381", "3382", 70_000),
        ("refund_paid", "3382", "1130", 70_000),
    ]
    assert await office.notice(owed.notice_id) == ("paid", 70_000, 0, 0)
    assert await office.proven() == []


async def test_an_overpayment_goes_back_by_a_transfer_that_the_bank_shows(office: Office) -> None:
    """Dr 3381 / Cr 3382, then the debit 1380 / 1121 and Dr 3382 / Cr 1380; no case is left."""
    owed = await office.owed(1, 50_000)
    await office.book(transfer(office.account, 80_000, reference=owed.reference, traces=["FT1"]))
    assert await office.notice(owed.notice_id) == ("paid", 50_000, 0, 30_000)
    refund = await office.refund(owed.notice_id, NewRefund(of="held", reason="overpaid"))
    assert (refund.amount_vnd, refund.parts[0].route) == (30_000, "transfer")
    # It is held until it is gone.
    assert await office.notice(owed.notice_id) == ("paid", 50_000, 0, 30_000)
    assert await office.proven() == []
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
    assert await office.notice(owed.notice_id) == ("paid", 50_000, 0, 0)
    assert await office.lines() == [
        ("refund_approved", "3381", "3382", 30_000),
        ("money_out", "1380", "1121", 30_000),
        ("refund_paid", "3382", "1380", 30_000),
    ]
    assert await office.value("select count(*) from service.unmatched where status = 'open'") == 0
    assert await office.proven() == []


async def test_a_debit_of_another_amount_is_not_joined(office: Office) -> None:
    """What names a refund and is not its amount stays on 1380, with a case that says why."""
    owed = await office.owed(1, 50_000)
    await office.book(transfer(office.account, 80_000, reference=owed.reference, traces=["FT1"]))
    refund = await office.refund(owed.notice_id, NewRefund(of="held", reason="overpaid"))
    debit = transfer(
        office.account, 29_000, view="statement", direction="out", reference=refund.reference
    )
    await office.book(debit)
    assert (await office.found(refund.id)).status == "approved"
    fields = await office.value(
        "select fields from service.unmatched where reason = 'OUT_OF_SCOPE' and status = 'open'"
    )
    assert [field["verdict"] for field in fields] == ["equal", "differs", "equal"]  # type: ignore[attr-defined]
    assert await office.proven() == []


async def test_a_transfer_that_comes_back_is_owed_again(office: Office) -> None:
    """1121 / 3380, 3380 / 3382: the payer is owed again, and hears of it; it can be paid again."""
    owed = await office.owed(1, 50_000)
    await office.book(transfer(office.account, 80_000, reference=owed.reference, traces=["FT1"]))
    refund = await office.refund(owed.notice_id, NewRefund(of="held", reason="overpaid"))

    def seen(direction: Direction, trace: str) -> Sighting:
        return transfer(
            office.account,
            30_000,
            view="statement",
            direction=direction,
            reference=refund.reference,
            traces=[trace],
        )

    await office.book(seen("out", "FT2"))
    await office.book(seen("in", "FT3"))
    assert (await office.found(refund.id)).status == "approved"
    assert await office.notice(owed.notice_id) == ("paid", 50_000, 0, 30_000)
    assert (
        await office.value(
            "select count(*) from service.unmatched where reason = 'REFUND_RETURNED'"
            " and status = 'open'"
        )
        == 1
    )
    assert await office.proven() == []
    await office.book(seen("out", "FT4"))
    assert (await office.found(refund.id)).status == "paid"
    assert await office.notice(owed.notice_id) == ("paid", 50_000, 0, 0)
    assert await office.lines() == [
        ("refund_approved", "3381", "3382", 30_000),
        ("money_out", "1380", "1121", 30_000),
        ("refund_paid", "3382", "1380", 30_000),
        ("refund_returned", "3380", "3382", 30_000),
        ("money_out", "1380", "1121", 30_000),
        ("refund_paid", "3382", "1380", 30_000),
    ]
    assert await office.proven() == []


async def test_people_name_a_debit_that_named_nothing(office: Office) -> None:
    """A debit without a reference stays unexplained until two people say what it paid."""
    owed = await office.owed(1, 50_000)
    await office.book(transfer(office.account, 80_000, reference=owed.reference, traces=["FT1"]))
    refund = await office.refund(owed.notice_id, NewRefund(of="held", reason="overpaid"))
    await office.book(transfer(office.account, 30_000, view="statement", direction="out"))
    debit = await office.value("select id from service.movement where direction = 'out'")
    new = NewOutcome(outcome="paid", movement_id=UUID(str(debit)))
    await office.outcome("maker", refund.id, new)
    assert (await office.decide("checker", refund.id)).status == "paid"
    assert await office.notice(owed.notice_id) == ("paid", 50_000, 0, 0)
    assert await office.proven() == []


async def test_money_in_suspense_goes_back_when_a_person_names_it(office: Office) -> None:
    """Dr 3380 / Cr 3382, and the case that waited for an explanation ends; a key may not ask."""
    owed = await office.owed(1, 50_000)
    await office.book(transfer(office.account, 12_000, traces=["FT9"]))
    movement_id = UUID(str(await office.value("select id from service.movement")))
    new = NewRefund(of="suspense", reason="not_ours", movement_id=movement_id)
    with pytest.raises(NotAPerson):
        await office.ask("one-stop", owed.notice_id, new)
    refund = await office.refund(owed.notice_id, new)
    assert refund.parts[0].route == "transfer"
    assert await office.lines() == [("refund_approved", "3380", "3382", 12_000)]
    assert await office.value("select count(*) from service.unmatched where status = 'open'") == 0
    assert await office.proven() == []
    # It will not be paid after all: it waits for an explanation again.
    await office.outcome("maker", refund.id, NewOutcome(outcome="failed"))
    assert (await office.decide("checker", refund.id)).status == "failed"
    assert (await office.lines())[1:] == [("refund_failed", "3382", "3380", 12_000)]
    assert (
        await office.value("select reason from service.unmatched where status = 'open'")
        == "REFUND_FAILED"
    )
    assert await office.proven() == []


async def test_a_transfer_of_no_notice_goes_back(office: Office) -> None:
    """Nobody can explain it: two people give it back, the debit with its reference ends it."""
    await office.book(transfer(office.account, 12_000, traces=["FT9"]))
    movement_id = UUID(str(await office.value("select id from service.movement")))
    new = NewReturn(movement_id=movement_id, reason="not_ours", amount_vnd=10_000)
    with pytest.raises(NotAPerson):
        await office.give_back("one-stop", new)
    proposed = await office.give_back("maker", new)
    assert (proposed.notice_id, proposed.status) == (None, "proposed")
    with pytest.raises(RefundExceeds, match="2000 can be given back"):
        await office.give_back("maker2", new)
    with pytest.raises(NotFound):
        await office.give_back("maker", msgspec.structs.replace(new, movement_id=UUID(int=7)))
    refund = await office.decide("checker", proposed.id)
    assert refund.parts[0].route == "transfer"
    assert await office.value("select status from service.unmatched") == "open"
    rest = NewReturn(movement_id=movement_id, reason="not_ours")
    assert (await office.give_back("maker", rest)).amount_vnd == 2_000
    debit = transfer(
        office.account, 10_000, view="statement", direction="out", reference=refund.reference
    )
    await office.book(debit)
    assert (await office.found(refund.id)).status == "paid"
    assert await office.lines() == [
        ("refund_approved", "3380", "3382", 10_000),
        ("money_out", "1380", "1121", 10_000),
        ("refund_paid", "3382", "1380", 10_000),
    ]
    assert await office.proven() == []


async def test_a_fee_of_another_units_notice_goes_back_where_it_came_in(office: Office) -> None:
    """Paid in book 1 for a notice of book 2: 3373 / 1389 there, 3389 / 3382 here; mirrored."""
    owed = await office.owed(2, 40_000, 10_000)
    await office.paid(owed)
    refund = await office.refund(
        owed.notice_id, NewRefund(of="fee", reason="refused", amount_vnd=45_000)
    )
    assert (refund.book_id, refund.parts[0].route) == (1, "provider")
    assert await office.lines(2) == [
        ("due_from_unit", "1389", "1383", 40_000),
        ("due_from_unit", "1389", "1383", 10_000),
        ("refund_approved", "3373", "1389", 40_000),
        ("refund_approved", "3373", "1389", 5_000),
    ]
    assert await office.lines(1) == [("refund_approved", "3389", "3382", 45_000)]
    assert await office.proven() == []


async def test_more_than_there_is_is_refused_and_nothing_goes_twice(office: Office) -> None:
    """A proposal holds its money against others; a fee is given back once (CHECKs in state)."""
    owed = await office.owed(1, 40_000, 10_000)
    await office.paid(owed)
    first = await office.ask(
        "maker", owed.notice_id, NewRefund(of="fee", reason="refused", amount_vnd=30_000)
    )
    with pytest.raises(RefundExceeds, match="20000 can be given back"):
        await office.ask(
            "maker2", owed.notice_id, NewRefund(of="fee", reason="refused", amount_vnd=30_000)
        )
    await office.ask(
        "maker2", owed.notice_id, NewRefund(of="fee", reason="refused", amount_vnd=20_000)
    )
    with pytest.raises(NothingToRefund):
        await office.ask("maker2", owed.notice_id, NewRefund(of="fee", reason="refused"))
    await office.decide("checker", first.id, "rejected")
    freed = await office.ask("maker", owed.notice_id, NewRefund(of="fee", reason="refused"))
    assert freed.amount_vnd == 30_000
    assert await office.proven() == []


async def test_nobody_decides_alone(office: Office) -> None:
    """Invariant 7: a maker who may check does not check their own; a key decides nothing."""
    owed = await office.owed(1, 40_000)
    await office.paid(owed)
    new = NewRefund(of="fee", reason="refused")
    own = await office.ask("both", owed.notice_id, new)
    with pytest.raises(SamePerson):
        await office.decide("both", own.id)
    with pytest.raises(NotAPerson):
        await office.decide("one-stop", own.id)
    assert (await office.decide("checker", own.id, "rejected")).status == "rejected"
    wish = await office.ask("one-stop", owed.notice_id, new)
    assert wish.status == "asked"
    with pytest.raises(NothingProposed):
        await office.decide("checker", wish.id)
    await office.take_up("maker", wish.id)
    assert (await office.decide("checker", wish.id)).status == "approved"
    assert await office.proven() == []


async def test_a_large_refund_takes_two_checkers(office: Office) -> None:
    """From the set amount on, two people approve what a third one proposed."""
    office.settings = Settings(second_checker_from_vnd=40_000)
    owed = await office.owed(1, 40_000)
    await office.paid(owed)
    refund = await office.ask("maker", owed.notice_id, NewRefund(of="fee", reason="refused"))
    assert refund.approvals_needed == 2
    assert (await office.decide("checker", refund.id)).status == "proposed"
    with pytest.raises(SamePerson):
        await office.decide("checker", refund.id)
    assert (await office.decide("checker2", refund.id)).status == "approved"
    assert await office.proven() == []
