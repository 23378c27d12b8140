"""From paid fees to the budget, with every entry held against the accounting page."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import transaction
from service.decisions.errors import AlreadyProposed, NotAPerson, SamePerson
from service.errors import AboveOutstanding, NotFound, NoticeHasMoney
from service.fees import actions as fees
from service.fees.messages import Cancellation, Exemption
from service.refunds.errors import RefundExceeds
from service.refunds.messages import NewOutcome, NewRefund
from service.remittance import actions
from service.remittance.errors import NothingToRemit, PeriodOpen, RemittanceState
from service.remittance.messages import NewRecord, NewRemittance, Way
from tests.makers import transfer
from tests.service.refunds.making import Office
from tests.service.remittance.making import MONTHLY, UNTIL, Treasurer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def treasurer(engine: AsyncEngine, two_books: tuple[int, int]) -> Treasurer:
    """Give a treasurer in an office whose month is over."""
    office = Office(engine)
    await office.open()
    return Treasurer(office)


async def test_a_month_goes_straight_to_the_budget(treasurer: Treasurer) -> None:
    """Dr 3373 / Cr 3370 and 3332 (85 % down to the đồng); the bank's debit: Dr 3332 / Cr 1380."""
    office = treasurer.office
    owed = await office.owed(1, 50_001, 19_999)
    await office.paid(owed)
    await office.owed(1, 30_000)  # not paid: nothing of it is taken apart
    proposed = await treasurer.propose()
    assert (proposed.split_vnd, proposed.retained_vnd, proposed.budget_vnd) == (
        70_000,
        42_500 + 16_999,
        7_501 + 3_000,
    )
    assert (proposed.until, proposed.due_on) == (UNTIL, date(2026, 12, 7))
    assert [line.code for line in proposed.lines] == ["F0", "F1"]
    with pytest.raises(SamePerson):
        await treasurer.decide(proposed.id, "maker")
    assert await office.lines() == []
    remittance = await treasurer.decide(proposed.id)
    assert (remittance.status, remittance.due_vnd) == ("approved", 10_501)
    assert await office.proven() == []
    debit = transfer(
        office.account, 10_501, view="statement", direction="out", reference=remittance.reference
    )
    await office.book(debit)
    done = await treasurer.record(
        remittance.id, NewRecord(what="payment", on=date(2026, 12, 2), slip_no="C1-02/0001")
    )
    assert (done.status, done.slip_no, done.due_vnd) == ("remitted", "C1-02/0001", 0)
    assert await office.lines() == [
        ("fees_split", "3373", "3370", 59_499),
        ("fees_split", "3373", "3332", 10_501),
        ("money_out", "1380", "1121", 10_501),
        ("remittance_paid", "3332", "1380", 10_501),
    ]
    assert await treasurer.balance("3332") == 0
    assert await office.value("select count(*) from service.unmatched where status = 'open'") == 0
    assert await office.proven() == []


async def test_a_month_goes_over_the_pending_account(treasurer: Treasurer) -> None:
    """Sweep Dr 1131 / Cr 1380, arrival Dr 1122 / Cr 1131, slip Dr 3332 / Cr 1122."""
    office = treasurer.office
    await office.paid(await office.owed(1, 100_000))
    remittance = await treasurer.approved(NewRemittance(rule="monthly", way="treasury"))
    debit = transfer(
        office.account, 15_000, view="statement", direction="out", reference=remittance.reference
    )
    slip = NewRecord(what="payment", on=date(2026, 12, 3), slip_no="C1-02/0002")
    with pytest.raises(RemittanceState):
        await treasurer.record(remittance.id, slip)
    await office.book(debit)
    assert await office.proven() == []
    arrived = await treasurer.record(remittance.id, NewRecord(what="arrival", on=date(2026, 12, 2)))
    assert (arrived.status, arrived.swept_vnd) == ("arrived", 15_000)
    done = await treasurer.record(remittance.id, slip)
    assert (done.status, done.remitted_on) == ("remitted", date(2026, 12, 3))
    assert (await office.lines())[2:] == [
        ("money_out", "1380", "1121", 15_000),
        ("remittance_paid", "1131", "1380", 15_000),
        ("remittance_arrived", "1122", "1131", 15_000),
        ("remittance_paid", "3332", "1122", 15_000),
    ]
    assert await office.proven() == []


@pytest.mark.parametrize("way", ["direct", "treasury"])
async def test_people_name_the_debit_that_bears_no_reference(
    treasurer: Treasurer, way: Way
) -> None:
    """A bank that cuts the text leaves 1380 and the remittance open: two people join them."""
    office = treasurer.office
    await office.paid(await office.owed(1, 100_000))
    remittance = await treasurer.approved(NewRemittance(rule="monthly", way=way))
    for amount_vnd in (15_000, 14_999):
        await office.book(transfer(office.account, amount_vnd, view="statement", direction="out"))
    named = "select id from service.movement where direction = 'out' and amount_vnd = :vnd"
    right = UUID(str(await office.value(named, vnd=15_000)))
    wrong = UUID(str(await office.value(named, vnd=14_999)))
    with pytest.raises(RemittanceState, match="14999"):
        await treasurer.record(remittance.id, NewRecord(what="debit", movement_id=wrong))
    with pytest.raises(RemittanceState, match="debit"):
        await treasurer.record(remittance.id, NewRecord(what="debit"))
    with pytest.raises(RemittanceState, match=r"day|approved"):
        await treasurer.record(remittance.id, NewRecord(what="payment", slip_no="C1"))
    done = await treasurer.record(remittance.id, NewRecord(what="debit", movement_id=right))
    assert done.status == ("remitted" if way == "direct" else "swept")
    debit = "3332" if way == "direct" else "1131"
    assert (await office.lines())[-1] == ("remittance_paid", debit, "1380", 15_000)
    live = "select array_agg(amount_vnd) from service.unmatched where status <> 'resolved'"
    assert await office.value(live) == [14_999]
    assert await office.proven() == []
    with pytest.raises(RemittanceState):
        await treasurer.record(remittance.id, NewRecord(what="debit", movement_id=right))


async def test_what_was_split_once_is_never_split_again(treasurer: Treasurer) -> None:
    """A second proposal finds only what was paid since; parts add up to the item's two shares."""
    office = treasurer.office
    owed = await office.owed(1, 100_001)
    await office.book(transfer(office.account, 33_333, reference=owed.reference, traces=["FT1"]))
    first = await treasurer.approved()
    with pytest.raises(NothingToRemit):
        await treasurer.propose()
    await office.book(transfer(office.account, 66_668, reference=owed.reference, traces=["FT2"]))
    second = await treasurer.propose()
    with pytest.raises((AlreadyProposed, NothingToRemit)):
        await treasurer.propose("maker2")
    await treasurer.decide(second.id)
    assert first.retained_vnd + second.retained_vnd == 100_001 * 85 // 100
    assert first.split_vnd + second.split_vnd == 100_001
    assert await treasurer.balance("3373") == 0
    assert await office.proven() == []


async def test_a_rejected_proposal_leaves_everything_as_it_was(treasurer: Treasurer) -> None:
    """Nothing is booked, and the same is proposed again."""
    office = treasurer.office
    await office.paid(await office.owed(1, 100_000))
    first = await treasurer.propose()
    assert (await treasurer.decide(first.id, verdict="rejected")).status == "rejected"
    assert await office.lines() == []
    assert (await treasurer.propose()).split_vnd == 100_000
    assert await office.proven() == []


async def test_only_people_remit_and_only_what_is_over(treasurer: Treasurer) -> None:
    """A key may not propose, and a day that is not over is not taken apart (invariant 7)."""
    await treasurer.office.paid(await treasurer.office.owed(1, 100_000))
    with pytest.raises(NotAPerson):
        await treasurer.propose("one-stop")
    with pytest.raises(PeriodOpen):
        await treasurer.propose(new=NewRemittance(rule="monthly", until=date(2026, 12, 2)))
    with pytest.raises(NothingToRemit):
        await treasurer.propose(new=NewRemittance(rule="monthly", until=date(2026, 11, 2)))
    with pytest.raises(NothingToRemit):
        await treasurer.propose(new=NewRemittance(rule="weekly"))


async def test_a_refund_takes_a_split_fee_from_both_shares(treasurer: Treasurer) -> None:
    """Split and not remitted: Dr 3370 and Dr 3332 / Cr 3382, and less goes to the budget."""
    office = treasurer.office
    owed = await office.owed(1, 100_000)
    await office.paid(owed)
    remittance = await treasurer.approved()
    new = NewRefund(of="fee", reason="refused", amount_vnd=40_000, by_transfer=True)
    refund = await office.refund(owed.notice_id, new)
    assert [part.route for part in refund.parts] == ["transfer"]
    assert (await office.lines())[2:] == [
        ("refund_approved", "3370", "3382", 34_000),
        ("refund_approved", "3332", "3382", 6_000),
    ]
    assert await treasurer.balance("3332") == 9_000
    assert await office.proven() == []
    debit = transfer(
        office.account, 9_000, view="statement", direction="out", reference=remittance.reference
    )
    await office.book(debit)
    assert await treasurer.balance("3332") == 0
    assert await office.notice(owed.notice_id) == ("paid", 100_000, 0, 0)
    back = transfer(
        office.account,
        40_000,
        view="statement",
        direction="out",
        reference=refund.reference,
        traces=["FT7"],
    )
    await office.book(back)
    assert await office.notice(owed.notice_id) == ("paid", 100_000, 40_000, 0)
    assert await office.proven() == []


async def test_a_refund_after_remittance_waits_for_the_treasury(treasurer: Treasurer) -> None:
    """Budget's share: Dr 1388 / Cr 3382 until the Treasury's decision; never sent; the rest goes.

    The retained share is revenue by then (5140). Two people record the Treasury's number.
    """
    office = treasurer.office
    owed = await office.owed(1, 100_000)
    await office.paid(owed)
    remittance = await treasurer.approved()
    debit = transfer(
        office.account, 15_000, view="statement", direction="out", reference=remittance.reference
    )
    await office.book(debit)
    await treasurer.recognise()
    new = NewRefund(of="fee", reason="authority_error", by_transfer=True)
    refund = await office.refund(owed.notice_id, new)
    assert [(part.route, part.amount_vnd) for part in refund.parts] == [
        ("transfer", 85_000),
        ("treasury", 15_000),
    ]
    assert await office.proven() == []
    told = NewOutcome(outcome="paid", part=2, treasury_no="LHT-17", treasury_on=date(2026, 12, 20))
    await office.outcome("maker", refund.id, told)
    after = await office.decide("checker", refund.id)
    assert (after.status, after.parts[1].treasury_no) == ("approved", "LHT-17")
    back = transfer(
        office.account,
        85_000,
        view="statement",
        direction="out",
        reference=refund.reference,
        traces=["FT8"],
    )
    await office.book(back)
    assert (await office.found(refund.id)).status == "paid"
    assert (await office.lines())[4:] == [
        ("retained_recognised", "3370", "5140", 85_000),
        ("refund_approved", "5140", "3382", 85_000),
        ("refund_approved", "1388", "3382", 15_000),
        ("refund_paid", "3382", "1388", 15_000),
        ("money_out", "1380", "1121", 85_000),
        ("refund_paid", "3382", "1380", 85_000),
    ]
    assert await office.notice(owed.notice_id) == ("refunded", 100_000, 100_000, 0)
    assert await office.proven() == []


async def test_a_refund_of_another_unit_after_remittance(treasurer: Treasurer) -> None:
    """The claim stands in the notice's book, the liability where the money came in."""
    office = treasurer.office
    owed = await office.owed(2, 100_000)
    await office.paid(owed)
    remittance = await treasurer.propose(book_id=2)
    await treasurer.decide(remittance.id)
    new = NewRefund(of="fee", reason="refused", amount_vnd=10_000)
    refund = await office.refund(owed.notice_id, new)
    assert (await office.lines(2))[-2:] == [
        ("refund_approved", "3370", "1389", 8_500),
        ("refund_approved", "3332", "1389", 1_500),
    ]
    assert (await office.lines(1))[-1] == ("refund_approved", "3389", "3382", 10_000)
    assert refund.status == "approved"
    assert await office.proven() == []


async def test_a_failed_refund_of_a_split_fee_is_split_again(treasurer: Treasurer) -> None:
    """Dr 3382 / Cr 3373: the fee is held again, and the next remittance takes it."""
    office = treasurer.office
    owed = await office.owed(1, 100_001)
    await office.paid(owed)
    await treasurer.approved()
    new = NewRefund(of="fee", reason="refused", amount_vnd=33_333, by_transfer=True)
    refund = await office.refund(owed.notice_id, new)
    await office.outcome("maker", refund.id, NewOutcome(outcome="failed"))
    assert (await office.decide("checker", refund.id)).status == "failed"
    assert await treasurer.balance("3373") == 33_333
    assert await office.proven() == []
    again = await treasurer.approved()
    assert again.split_vnd == 33_333
    assert await treasurer.balance("3370") == 100_001 * 85 // 100
    assert await treasurer.balance("3332") == 100_001 - 100_001 * 85 // 100
    assert await office.proven() == []


async def test_a_fee_of_a_proposed_remittance_has_to_wait(treasurer: Treasurer) -> None:
    """What is just being proposed for the budget is given back only once that is decided."""
    office = treasurer.office
    owed = await office.owed(1, 100_000)
    await office.paid(owed)
    refund = await office.ask("maker", owed.notice_id, NewRefund(of="fee", reason="refused"))
    remittance = await treasurer.propose()
    with pytest.raises(RefundExceeds):
        await office.decide("checker", refund.id)
    await treasurer.decide(remittance.id, verdict="rejected")
    assert (await office.decide("checker", refund.id)).status == "approved"
    with pytest.raises(NothingToRemit):
        await treasurer.propose()
    assert await office.proven() == []


async def test_a_late_remittance_is_one_case_until_it_is_with_the_budget(
    treasurer: Treasurer,
) -> None:
    """LATE_REMITTANCE says what, how much and since when; the day before it there is none."""
    office = treasurer.office
    await office.paid(await office.owed(1, 100_000))
    office.now += timedelta(days=5)  # 7 December: the 5th is a Saturday
    assert await treasurer.look() == 0
    office.now += timedelta(days=1)
    assert await treasurer.look() == 1
    office.now += timedelta(days=4)
    assert await treasurer.look() == 1
    cases = "select {} from service.unmatched where reason = 'LATE_REMITTANCE'"
    assert await office.value(cases.format("count(*)")) == 1
    assert await office.value(cases.format("amount_vnd")) == 15_000
    fields = await office.value(cases.format("fields"))
    assert isinstance(fields, list)
    assert [(f["name"], f["expected"], f["found"]) for f in fields] == [
        ("due_on", "2026-12-07", None),
        ("days_late", 0, 5),
        ("remitted_vnd", 15_000, 0),
    ]
    assert await office.proven() == []
    remittance = await treasurer.approved()
    assert await treasurer.look() == 1  # approved is not with the budget yet
    debit = transfer(
        office.account, 15_000, view="statement", direction="out", reference=remittance.reference
    )
    await office.book(debit)
    assert await treasurer.look() == 0
    assert await office.value(cases.format("status")) == "resolved"
    assert await office.proven() == []


async def test_ids_are_found_in_the_books_of_the_caller(treasurer: Treasurer) -> None:
    """A remittance of nobody's is not there."""
    with pytest.raises(NotFound):
        await treasurer.decide(UUID(int=7))


async def test_what_the_budget_has_is_not_waived(treasurer: Treasurer) -> None:
    """A payment was taken apart and then reversed: 3373 holds nothing that could be waived (12)."""
    office = treasurer.office
    owed = await office.owed(1, 100_000)
    await office.book(transfer(office.account, 100_000, reference=owed.reference, traces=["FT1"]))
    await treasurer.approved()
    await office.book(transfer(office.account, 100_000, direction="out", traces=["FT1"]))
    assert (await office.notice(owed.notice_id))[:2] == ("open", 0)
    told = fees.Decided(caller=office.people["maker"], now=office.now)
    cancellation = Cancellation(reason="withdrawn")
    exemption = Exemption(reason="poor household", decided_by="UBND")
    async with transaction(office.engine) as connection:
        notice = await fees.lock(connection, told.caller, owed.notice_id)
        with pytest.raises(NoticeHasMoney):
            await fees.cancel(connection, office.sealer, notice, cancellation, told)
        with pytest.raises(AboveOutstanding):
            await fees.exempt(connection, office.sealer, notice, exemption, told)
    await office.book(transfer(office.account, 100_000, reference=owed.reference, traces=["FT2"]))
    assert await treasurer.balance("3373") == 0
    assert await office.proven() == []


async def test_a_fee_is_not_waived_while_it_is_taken_apart(treasurer: Treasurer) -> None:
    """Whoever cancels waits for a proposal that is being written, and then sees it (12)."""
    office = treasurer.office
    owed = await office.owed(1, 100_000)
    await office.book(transfer(office.account, 100_000, reference=owed.reference, traces=["FT1"]))
    told = fees.Decided(caller=office.people["maker"], now=office.now)

    async def cancel() -> None:
        async with transaction(office.engine) as connection:
            notice = await fees.lock(connection, told.caller, owed.notice_id, waives=True)
            why = Cancellation(reason="withdrawn")
            await fees.cancel(connection, office.sealer, notice, why, told)

    async with transaction(office.engine) as connection:
        await actions.propose(connection, treasurer.desk("maker"), 1, MONTHLY)
        reversal = transfer(office.account, 100_000, direction="out", traces=["FT1"])
        await office.book(reversal)
        cancelling = asyncio.create_task(cancel())
        await asyncio.wait([cancelling], timeout=0.3)
    with pytest.raises(NoticeHasMoney):
        await cancelling
    assert (await office.notice(owed.notice_id))[:2] == ("open", 0)
    assert await office.proven() == []
