"""A refund is sent once, whatever happens to its answer, and ends in the right state (Must show 5).

VNPAY's own side answers over real HTTP; what is asserted last is what it remembers.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.entries import Entry, Line
from ledger.posting import post
from service.database import transaction
from service.refunds import ladder, work
from service.refunds.messages import NewOutcome, NewRefund, Refund
from tests.makers import NOW, Made
from tests.service.refunds.making import Fault, Office, Provider, served

pytestmark = pytest.mark.anyio

LATER = timedelta(hours=2)
MINUTE = timedelta(minutes=1)


class Place:
    """An office, VNPAY's side, and one notice that was paid twice."""

    def __init__(self, office: Office, provider: Provider, owed: Made) -> None:
        """Remember them."""
        self.office = office
        self.provider = provider
        self.owed = owed

    async def approved(self, amount_vnd: int | None = None) -> Refund:
        """A refund of what was paid twice, approved and not sent yet."""
        new = NewRefund(of="held", reason="duplicate", amount_vnd=amount_vnd)
        return await self.office.refund(self.owed.notice_id, new)

    @property
    def given_vnd(self) -> list[int]:
        """What VNPAY gave back, refund by refund."""
        return [one.amount_vnd for one in self.provider.shop.refunds.values()]


@pytest.fixture
async def place(engine: AsyncEngine, two_books: tuple[int, int]) -> AsyncIterator[Place]:
    """Give a notice of 70,000 đồng that was paid twice through VNPAY."""
    provider = Provider()
    with served(provider) as address:
        office = Office(engine)
        await office.open(address)
        owed = await office.owed(1, 70_000)
        await office.paid(owed)
        await office.paid(owed, number=14_000_002)
        provider.pay(owed.reference, 70_000, "14000001", "14000002")
        yield Place(office, provider, owed)


async def ended(place: Place, refund: Refund, status: str = "paid") -> None:
    """Assert how it ended: in the books, in the notice's counters, and with VNPAY."""
    office = place.office
    assert (await office.found(refund.id)).status == status
    clearing = await office.value(
        "select clearing_vnd from service.money_state where movement_id = :id",
        id=refund.movement_id,
    )
    assert clearing == (70_000 - refund.amount_vnd if status == "paid" else 70_000)
    assert await office.proven() == []


async def test_a_lost_answer_is_asked_about_and_nothing_is_sent_twice(place: Place) -> None:
    """VNPAY refunds, its answer is lost: one order, then questions, then paid."""
    place.provider.faults = ["lost"]
    refund = await place.approved()
    await place.office.work()
    assert (await place.office.found(refund.id)).status == "unknown"
    place.provider.finish()
    await place.office.work(3, step=LATER)
    assert (len(place.provider.orders), place.given_vnd) == (1, [70_000])
    assert place.provider.questions == 1
    await ended(place, refund)
    assert await place.office.lines() == [
        ("refund_approved", "3381", "3382", 70_000),
        ("refund_paid", "3382", "1130", 70_000),
    ]
    steps = [step.step for step in (await place.office.found(refund.id)).steps]
    assert steps == ["proposed", "approved", "sent", "no_answer", "paid"]


@pytest.mark.parametrize("fault", ["lost", "forged"])
async def test_what_is_no_answer_leads_to_the_question(place: Place, fault: Fault) -> None:
    """A reply that nobody signed is as good as none; so is one that a question gets."""
    place.provider.faults = [fault]
    place.provider.question_faults = ["lost", "forged"]
    refund = await place.approved()
    await place.office.work()
    place.provider.finish()
    await place.office.work(4, step=LATER)
    assert (len(place.provider.orders), place.provider.questions) == (1, 3)
    await ended(place, refund)


async def test_an_order_that_never_arrived_is_sent_again_under_its_id(place: Place) -> None:
    """VNPAY knows of no refund, asked twice: only then it is told again, with the same id."""
    place.provider.faults = ["nothing"]
    refund = await place.approved()
    await place.office.work(2, step=LATER)
    assert (await place.office.found(refund.id)).status == "unknown"
    assert (len(place.provider.orders), place.provider.questions) == (1, 1)
    await place.office.work(3, step=LATER)
    place.provider.finish()
    await place.office.work(2, step=LATER)
    assert len(place.provider.orders) == 2
    assert list(place.provider.shop.refunds) == [refund_id(await place.office.found(refund.id))]
    await ended(place, refund)


async def test_an_order_that_is_still_on_its_way_is_not_sent_again(place: Place) -> None:
    """The first question overtakes the order and finds nothing; the second one finds it."""
    place.provider.faults = ["late"]
    refund = await place.approved()
    await place.office.work(2, step=LATER)
    place.provider.finish()
    await place.office.work(2, step=LATER)
    assert (len(place.provider.orders), place.provider.questions) == (1, 2)
    await ended(place, refund)


async def test_a_question_that_cannot_be_made_ends_with_people(place: Place) -> None:
    """Whatever keeps a refund from being asked about, it takes its rungs and becomes a case."""
    place.provider.faults = ["lost"]
    refund = await place.approved()
    await place.office.work()
    async with transaction(place.office.engine) as connection:
        await connection.execute(sa.text("update service.refund_part set order_code = 'no key'"))
    await place.office.work(ladder.DAILY_UNTIL + 1, step=timedelta(days=1))
    assert (await place.office.found(refund.id)).status == "unknown"
    reasons = "select array_agg(reason) from service.unmatched where status <> 'resolved'"
    assert "REFUND_UNANSWERED" in str(await place.office.value(reasons))
    assert len(place.provider.orders) == 1


async def test_what_a_provider_writes_of_a_refund_is_not_kept_in_clear(place: Place) -> None:
    """Steps are facts without personal data: an error is told by its code, not by its words."""
    provider = place.provider
    refund = await place.approved()
    provider.refusal = ("99", "Khong hoan duoc cho NGUYEN VAN A, tai khoan 0123456789")
    await place.office.work(2, step=LATER)
    steps = await place.office.value("select string_agg(detail, ' ') from service.refund_step")
    assert "99" in str(steps)
    assert "NGUYEN" not in str(steps)
    assert (await place.office.found(refund.id)).status == "unknown"


async def test_an_error_of_the_front_is_no_refusal(place: Place) -> None:
    """Not every provider signs what it says: a refusal under HTTP 502 is asked about."""
    place.provider.front_faults = [502]
    place.provider.faults = ["refused"]
    refund = await place.approved()
    await place.office.work()
    assert (await place.office.found(refund.id)).status == "unknown"
    assert [line[0] for line in await place.office.lines()] == ["refund_approved"]


def refund_id(refund: Refund) -> str | None:
    """Our id of it at the provider."""
    return refund.parts[0].request_id


async def test_a_repeated_order_is_answered_duplicate_and_followed(place: Place) -> None:
    """Code 94 is no failure and no success: it is asked about until it is final."""
    place.provider.faults = ["duplicate"]
    refund = await place.approved()
    await place.office.work()
    assert (await place.office.found(refund.id)).status == "processing"
    place.provider.finish()
    await place.office.work(2, step=LATER)
    assert place.given_vnd == [70_000]
    await ended(place, refund)


async def test_a_refused_refund_goes_back_with_a_case(place: Place) -> None:
    """Code 95: Dr 3382 / Cr 3381, and people have a case; nothing was given."""
    place.provider.faults = ["refused"]
    refund = await place.approved()
    await place.office.work()
    assert await place.office.lines() == [
        ("refund_approved", "3381", "3382", 70_000),
        ("refund_failed", "3382", "3381", 70_000),
    ]
    assert (
        await place.office.value(
            "select reason from service.unmatched where status = 'open' and subject_id = :id",
            id=refund.movement_id,
        )
        == "REFUND_FAILED"
    )
    await ended(place, refund, "failed")
    # It can be proposed again, to be paid by a transfer.
    new = NewRefund(of="held", reason="duplicate", by_transfer=True)
    again = await place.office.refund(place.owed.notice_id, new)
    assert again.parts[0].route == "transfer"
    assert await place.office.proven() == []


async def test_a_refund_that_fails_late_goes_back(place: Place) -> None:
    """Taken on, then refused by the payer's bank: the question tells, and the money is held."""
    refund = await place.approved()
    await place.office.work()
    assert (await place.office.found(refund.id)).status == "processing"
    place.provider.finish("failed")
    await place.office.work(2, step=LATER)
    await ended(place, refund, "failed")


async def test_parts_add_up_to_the_whole_one_after_the_other(place: Place) -> None:
    """Three partial refunds of one payment: never two at once, each once, together all of it."""
    refunds = [await place.approved(amount) for amount in (30_000, 30_000, 10_000)]
    place.provider.faults = ["lost", "nothing", "lost"]
    for _ in range(14):
        await place.office.work(step=LATER)
        under_way = await place.office.value(
            "select count(*) from service.refund where status in ('unknown', 'processing')"
        )
        assert isinstance(under_way, int)
        assert under_way <= 1
        place.provider.finish()
    assert sorted(place.given_vnd) == [10_000, 30_000, 30_000]
    assert [(await place.office.found(one.id)).status for one in refunds] == ["paid"] * 3
    assert (
        await place.office.value(
            "select clearing_vnd from service.money_state where movement_id = :id",
            id=refunds[0].movement_id,
        )
        == 0
    )
    assert await place.office.proven() == []


async def test_a_refund_beyond_what_is_on_clearing_is_netted_later(place: Place) -> None:
    """The gateway has paid out already: clearing goes below nothing, and stays an open item."""
    office = place.office
    refund = await place.approved()
    async with transaction(office.engine) as connection:
        await settle(connection, refund)
    assert await office.proven() == []
    await office.work()
    place.provider.finish()
    await office.work(2, step=LATER)
    assert (
        await office.value(
            "select clearing_vnd from service.money_state where movement_id = :id",
            id=refund.movement_id,
        )
        == -70_000
    )
    assert await office.proven() == []


async def settle(connection: AsyncConnection, refund: Refund) -> None:
    """Take the payment off clearing, as its payout would (there: to the bank, or to be paid)."""
    line = Line(debit="1110", credit="1130", amount_vnd=70_000, movement_id=refund.movement_id)
    entry = Entry(
        book_id=1,
        source=f"settled:{refund.movement_id}",
        kind="settled",
        happened_at=NOW,
        value_date=date(2026, 11, 4),
        lines=(line,),
    )
    await post(connection, [entry])
    await connection.execute(
        sa.text("update service.money_state set clearing_vnd = 0 where movement_id = :id"),
        {"id": refund.movement_id},
    )


async def test_a_worker_killed_before_sending_sends_nothing_twice(place: Place) -> None:
    """Committed "sending", then dead: the next worker asks first, twice, then sends, once."""
    office = place.office
    refund = await place.approved()
    async with transaction(office.engine) as connection:
        (claimed,) = await work.claim(connection, office.now, 1)
    async with transaction(office.engine) as connection:
        assert await work.about_to_send(connection, claimed, office.now)
    await office.work()  # the lease still holds: nobody touches it
    assert (place.provider.orders, place.provider.questions) == ([], 0)
    office.now += work.LEASE + MINUTE
    await office.work(3, step=LATER)
    assert place.provider.questions == 2
    place.provider.finish()
    await office.work(2, step=LATER)
    assert (len(place.provider.orders), place.given_vnd) == (1, [70_000])
    await ended(place, refund)


async def test_a_worker_killed_between_the_answer_and_the_booking(place: Place) -> None:
    """Sent and answered, never booked: the lease ends, the question tells, one order was sent."""
    office = place.office
    refund = await place.approved()

    async def dies(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    async with office.sender() as sender:
        sender._take = dies  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await sender.work()
    assert (await office.found(refund.id)).status == "sending"
    place.provider.finish()
    office.now += work.LEASE + MINUTE
    await office.work(2, step=LATER)
    assert (len(place.provider.orders), place.given_vnd) == (1, [70_000])
    await ended(place, refund)


async def test_two_workers_send_one_order(place: Place) -> None:
    """Many turns at the same time: SKIP LOCKED and the lease give each part to one of them."""
    refund = await place.approved(30_000)
    other = await place.approved(40_000)
    async with place.office.sender() as one, place.office.sender() as two:
        for _ in range(4):
            await asyncio.gather(*(sender.work() for sender in (one, two, one, two)))
            place.provider.finish()
            place.office.now += LATER
            await asyncio.gather(one.work(), two.work())
    assert sorted(place.given_vnd) == [30_000, 40_000]
    assert len(place.provider.orders) == 2
    for found in (refund, other):
        assert (await place.office.found(found.id)).status == "paid"
    assert await place.office.proven() == []


async def test_a_slow_worker_and_the_next_one_book_once(place: Place) -> None:
    """Both hold a final answer after a lease ran out: the second finds it paid."""
    refund = await place.approved()
    await place.office.work()
    place.provider.finish()
    place.office.now += LATER
    async with transaction(place.office.engine) as connection:
        (claimed,) = await work.claim(connection, place.office.now, 1)
    async with place.office.sender() as sender:
        await asyncio.gather(sender._one(claimed), sender._one(claimed))
    assert [line[0] for line in await place.office.lines()] == ["refund_approved", "refund_paid"]
    await ended(place, refund)


async def test_nothing_ends_in_silence(place: Place) -> None:
    """No answer to the ladder's end: a case, and two people say what became of it."""
    place.provider.faults = ["lost"]
    place.provider.question_faults = ["lost"] * (ladder.DAILY_UNTIL + 5)
    refund = await place.approved()
    await place.office.work(ladder.DAILY_UNTIL + 5, step=timedelta(days=1, minutes=1))
    assert place.provider.questions == ladder.DAILY_UNTIL
    assert len(place.provider.orders) == 1
    office = place.office
    assert (
        await office.value(
            "select reason from service.unmatched where subject_id = :id and status = 'open'",
            id=refund.id,
        )
        == "REFUND_UNANSWERED"
    )
    await office.outcome("maker", refund.id, NewOutcome(outcome="paid"))
    await office.decide("checker", refund.id)
    await ended(place, refund)
    assert (
        await office.value(
            "select count(*) from service.unmatched where subject_id = :id and status = 'open'",
            id=refund.id,
        )
        == 0
    )


async def test_a_provider_that_cannot_be_reached_is_tried_again(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """No connection: nothing was sent, so it is sent later, without a question."""
    office = Office(engine)
    await office.open("http://127.0.0.1:9/none")
    owed = await office.owed(1, 70_000)
    await office.paid(owed)
    refund = await office.refund(owed.notice_id, NewRefund(of="fee", reason="refused"))
    await office.work(2, step=LATER)
    found = await office.found(refund.id)
    assert (found.status, [s.step for s in found.steps][2:]) == (
        "approved",
        ["sent", "unsent", "sent", "unsent"],
    )
    assert await office.proven() == []
