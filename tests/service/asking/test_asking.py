"""A question is asked once at a time, until there is an answer or a case; nothing gets lost."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from providers import Answer, Call
from service.asking import questions
from service.asking.asker import AT_ONCE_MAX, Asker
from service.asking.ladder import CASE_DUE_AFTER, CASE_OWNER
from service.asking.questions import LEASE
from service.dev.provider.actor import NewPayment
from service.intake.intake import Intake
from service.proof import prove
from service.sealing import Sealer
from tests.service.asking.making import Request, World
from tests.service.conftest import MASTER_KEY

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1, minutes=1)
TROUBLE = Answer(status=200, media_type="application/json", body=b'{"vnp_ResponseCode":"99"}')
REQUEST_IDS = sa.text("select request_id from service.question where reference = :reference")


async def proven(world: World) -> bool:
    """Whether all invariants hold."""
    return [finding async for finding in prove(world.engine)] == []


async def is_paid_once(world: World, *paid: Request) -> None:
    """The notices are paid to the đồng, by one movement each."""
    for request in paid:
        told = await world.notice(request)
        assert (told["paid_vnd"], told["held_vnd"]) == (request.amount_vnd, 0)
    assert await world.count("service.movement") == len(paid)
    assert await proven(world)


async def test_nothing_is_asked_before_the_first_rung(world: World) -> None:
    """A minute passes, for most callbacks come within seconds."""
    await world.request("vnpay", 50_000)
    assert await world.ask_all() == 0
    world.clock.now += MINUTE
    assert await world.ask_all() == 1
    assert len(world.peers["vnpay"].calls) == 1


async def test_a_payment_by_callback_ends_the_asking(world: World) -> None:
    """The provider told by itself: it is not asked, and no case is opened."""
    request = await world.request("vnpay", 50_000)
    assert await world.call_back("vnpay", world.pay(request))
    assert await world.climb() == 1
    assert world.peers["vnpay"].calls == []
    state = await world.state(request)
    assert (state.state, state.answer, state.tries) == ("answered", "paid", 0)
    await is_paid_once(world, request)


async def test_a_callback_that_is_no_end_does_not_end_the_asking(world: World) -> None:
    """`pending` is news, and the money is still asked about."""
    request = await world.request("vnpay", 50_000)
    actor = world.actors["vnpay"]
    pending = actor.pay(NewPayment(order_code=request.order_code, status="pending"))
    assert await world.call_back("vnpay", pending)
    world.clock.now += MINUTE
    assert await world.ask_all() == 1
    assert (await world.state(request)).state == "waiting"
    actor.shop.payments.clear()
    world.pay(request)
    await world.climb()
    await is_paid_once(world, request)


async def test_a_failed_try_may_be_followed_by_a_paid_one(world: World) -> None:
    """After a callback of failure one question waits for the expiry, and finds the second try."""
    request = await world.request("vnpay", 50_000)
    assert await world.call_back("vnpay", world.pay(request, failing=True))
    world.clock.now += 20 * MINUTE
    assert await world.ask_all() == 1
    assert world.peers["vnpay"].calls == []
    world.pay(request)
    assert await world.climb() == 1
    assert len(world.peers["vnpay"].calls) == 1
    await is_paid_once(world, request)


async def test_what_the_provider_keeps_back_has_a_case_already(world: World) -> None:
    """Held money is booked to suspense with its own case; the ladder adds none at its end."""
    request = await world.request("vnpay", 50_000)
    world.actors["vnpay"].pay(NewPayment(order_code=request.order_code, status="held"))
    await world.climb()
    state = await world.state(request)
    assert (state.state, state.answer) == ("answered", "held")
    assert await world.cases() == {}
    assert await world.count("service.unmatched where reason = 'HELD_BY_PROVIDER'") == 1
    assert await proven(world)


async def test_an_answer_lost_by_a_timeout_is_asked_for_again(world: World) -> None:
    """At the next rung, as a question of its own; the payment is booked once."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    peer = world.peers["vnpay"]
    well = peer.handler
    peer.handler = lambda _: "hang"
    world.clock.now += MINUTE
    await world.ask_all()
    state = await world.state(request)
    assert (state.state, state.tries) == ("waiting", 1)
    assert state.last_problem is not None
    assert state.last_problem.startswith("no reply")
    peer.handler = well
    assert await world.ask_all() == 0  # not before its rung
    world.clock.now += 4 * MINUTE
    assert await world.ask_all() == 1
    asked = [msgspec.json.decode(call.body)["vnp_RequestId"] for call in peer.calls]
    assert len(set(asked)) == len(asked) == 2
    await is_paid_once(world, request)


async def test_an_answer_that_cannot_be_believed_is_no_answer(world: World) -> None:
    """A forged, an unreadable and a refusing answer change nothing, and say why they do not."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    peer = world.peers["vnpay"]
    well = peer.handler

    def forged(call: Call) -> Answer:
        answer = well(call)
        assert isinstance(answer, Answer)
        told = msgspec.json.decode(answer.body)
        body = msgspec.json.encode(told | {"vnp_Amount": "100"})
        return msgspec.structs.replace(answer, body=body)

    def refusing(call: Call) -> Answer:
        told = msgspec.json.decode(call.body) | {"vnp_TmnCode": "ANOTHER"}
        answer = well(msgspec.structs.replace(call, body=msgspec.json.encode(told)))
        assert isinstance(answer, Answer)
        return answer

    for handler, words in (
        (forged, "the answer is forged"),
        (lambda _: TROUBLE, "the answer is forged"),
        (refusing, "the provider's code 02"),
    ):
        peer.handler = handler
        world.clock.now += 20 * MINUTE
        assert await world.ask_all() == 1
        state = await world.state(request)
        assert state.state == "waiting"
        assert words in (state.last_problem or "")
        assert (await world.notice(request))["paid_vnd"] == 0
    peer.handler = well
    await world.climb()
    await is_paid_once(world, request)


async def test_the_end_of_the_ladder_is_a_case_with_an_owner_and_a_due_time(world: World) -> None:
    """Nothing ends in silence: the list says who has to look, until when, and what is known."""
    away = await world.request("vnpay", 50_000)
    unpaid = await world.request("sandbox", 60_000)
    world.peers["vnpay"].handler = lambda _: "reset"
    await world.climb()
    page = (await world.client.get("/v1/unmatched-transactions?reason=NO_ANSWER")).json()
    told = {item["external_id"]: item for item in page["items"]}
    assert set(told) == {away.reference, unpaid.reference}
    for request, status, verdict in ((away, None, "missing"), (unpaid, "pending", "differs")):
        item = told[request.reference]
        assert (item["owner"], item["amount_vnd"]) == (CASE_OWNER, request.amount_vnd)
        assert item["due_at"] is not None
        fields = {field["name"]: field for field in item["fields"]}
        assert (fields["status"]["found"], fields["status"]["verdict"]) == (status, verdict)
        assert fields["order"]["found"] == "expired"
    assert "no reply" in str(told[away.reference]["fields"])
    case = (await world.cases())[away.reference]
    assert case.due_at - world.clock.now <= CASE_DUE_AFTER
    assert await proven(world)


async def test_a_case_of_no_answer_ends_with_the_answer(world: World) -> None:
    """A callback or a question long after the ladder ends the case, and books the money once."""
    called, asked = [await world.request("vnpay", vnd) for vnd in (50_000, 60_000)]
    payment = world.pay(called)
    world.pay(asked)
    world.peers["vnpay"].handler = lambda _: "reset"
    await world.climb()
    assert set(await world.cases()) == {called.reference, asked.reference}
    late = world.clock.now + timedelta(days=3)
    assert await world.call_back("vnpay", payment)
    world.clock.now = late
    assert await world.asker.hear_late() == 1
    assert await world.asker.hear_late() == 0
    assert (await world.cases())[called.reference].status == "resolved"

    peer = world.peers["vnpay"]
    peer.handler = world.actors["vnpay"].serve
    found = await world.asker.ask_one(asked.reference)
    assert found is not None
    assert found[1].state == "answered"
    assert (await world.cases())[asked.reference].status == "resolved"
    await is_paid_once(world, called, asked)


async def test_asking_once_more_without_an_answer_changes_nothing(world: World) -> None:
    """An ended question stays ended, with its one case."""
    request = await world.request("sandbox", 50_000)
    await world.climb()
    before = await world.cases()
    found = await world.asker.ask_one(request.reference)
    assert found is not None
    assert (found[1].state, found[1].answer) == ("ended", "pending")
    assert await world.cases() == before
    assert await world.asker.ask_one("HUE01AAAAAAAAA") is None
    assert await proven(world)


async def test_a_worker_that_dies_while_it_asks_loses_nothing(world: World) -> None:
    """Its lease ends, another one asks; before that nobody does."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    world.clock.now += MINUTE
    taken = (await questions.claim(world.engine, 1, "vnpay", world.clock(), 10)).asked
    assert [one.reference for one in taken] == [request.reference]
    assert await world.ask_all() == 0
    world.clock.now += LEASE
    assert await world.ask_all() == 1
    await is_paid_once(world, request)
    # The dead one comes back and speaks of its own question: it is not heard.
    waiting = questions.Heard(state="waiting", next_at=world.clock())
    await questions.record(world.engine, taken[0], waiting, world.clock())
    assert (await world.state(request)).state == "answered"


async def test_a_worker_that_dies_after_booking_books_nothing_twice(world: World) -> None:
    """The money is booked and the question still open: the next worker finds the event."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    world.clock.now += MINUTE
    (taken,) = (await questions.claim(world.engine, 1, "vnpay", world.clock(), 10)).asked
    heard = await world.asker._heard(taken)
    assert heard.state == "answered"
    assert (await world.state(request)).state == "waiting"
    world.clock.now += LEASE
    assert await world.ask_all() == 1
    assert len(world.peers["vnpay"].calls) == 1
    assert (await world.state(request)).state == "answered"
    await is_paid_once(world, request)


async def test_an_answer_that_cannot_be_booked_yet_is_not_lost(world: World) -> None:
    """While the intake takes nothing the question stays, at the last rung too; then all is well."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    closed = Intake(world.engine, Sealer(MASTER_KEY))
    await closed.close()
    asker = Asker(world.engine, closed, world.outbound, world.clock)
    world.clock.now += DAY
    assert await asker.ask_due("vnpay") == 1
    state = await world.state(request)
    assert (state.state, state.last_problem) == ("waiting", "the answer could not be booked yet")
    assert await world.cases() == {}
    world.clock.now += MINUTE
    assert await world.ask_all() == 1
    await is_paid_once(world, request)


async def test_two_workers_ask_each_question_once(world: World) -> None:
    """They claim apart from each other; every order is asked about once, and booked once."""
    made = [await world.request("vnpay", 50_000 + number) for number in range(3 * AT_ONCE_MAX)]
    for request in made:
        world.pay(request)
    world.clock.now += MINUTE
    workers = [world.worker() for _ in range(2)]
    done = await asyncio.gather(*(one.ask_due("vnpay") for one in workers))
    assert sum(done) == len(made)
    peer = world.peers["vnpay"]
    asked = sorted(msgspec.json.decode(call.body)["vnp_TxnRef"] for call in peer.calls)
    assert asked == sorted(request.order_code for request in made)
    await is_paid_once(world, *made)


async def test_a_provider_that_is_away_holds_up_no_other(world: World) -> None:
    """It is left alone after a few tries; the others' payments are booked at their rungs."""
    away = [await world.request("vnpay", 50_000 + number) for number in range(9)]
    others = [await world.request("sandbox", 60_000 + number) for number in range(3)]
    for request in (*away, *others):
        world.pay(request)
    peer = world.peers["vnpay"]
    well = peer.handler
    peer.handler = lambda _: "reset"
    world.clock.now += MINUTE
    await world.ask_all()
    sent = len(peer.calls)
    assert sent < len(away)  # nothing more was sent once it was left alone
    await is_paid_once(world, *others)
    states = await world.states()
    assert {states[one.reference].state for one in away} == {"waiting"}
    assert sum(states[one.reference].tries for one in away) == sent
    peer.handler = well
    await world.climb()
    await is_paid_once(world, *others, *away)


async def test_a_disabled_merchant_ends_in_a_case(world: World) -> None:
    """Nobody can sign the question any more, and somebody hears of it."""
    request = await world.request("vnpay", 50_000)
    async with world.engine.begin() as connection:
        await connection.execute(sa.text("update service.merchant set disabled_at = now()"))
    world.app.state.intake.directory._read_at = -1e9
    await world.climb()
    assert (await world.state(request)).last_problem == "the merchant is disabled"
    assert set(await world.cases()) == {request.reference}


async def test_the_answer_is_kept_as_it_came(world: World) -> None:
    """The exact bytes stand sealed beside the callbacks, and say where they came from."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    await world.climb()
    sealer = Sealer(MASTER_KEY)
    async with world.engine.begin() as connection:
        row = (await connection.execute(sa.text("select * from service.call"))).one()
        await sealer.prepare_open(connection, [(row.book_id, bytes(row.sealed))])
    opened = sealer.open(row.book_id, b"service.call:" + row.id.bytes, bytes(row.sealed))
    call = msgspec.msgpack.decode(opened, type=Call)
    assert (call.method, call.path) == ("ANSWER", "/merchant_webapi/api/transaction")
    told = msgspec.json.decode(call.body)
    assert (told["vnp_Command"], told["vnp_TxnRef"]) == ("querydr", request.order_code)
