"""A simulated provider over real HTTP: its pages, its API, its callbacks, its knobs, its file."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest
from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.datastructures import State
from litestar.params import FromPath, RawBody

from providers import MakesCheckout, Outcome, Rejected
from providers.acting import Payment, Refund, Shop
from providers.settlements import MAPPINGS, SettlementLine, SettlementReader
from providers.untrusted import VIETNAM
from service.dev.demo_file import DemoProblem
from service.dev.provider import settlement
from service.dev.provider.knobs import Knobs
from service.dev.provider.serving import Plan, Running, listening, serving
from service.intake.routes import call_of
from tests.faults.serving import free_port
from tests.providers.spoken import AMOUNT_VND, SPOKEN, Spoken

pytestmark = pytest.mark.anyio

EACH: Final = pytest.mark.parametrize("spoken", SPOKEN, ids=[one.name for one in SPOKEN])
VNPAY: Final = next(one for one in SPOKEN if one.provider == "vnpay")
SPEED: Final = 100_000.0
CODE: Final = "HUE007K2M9Q4X1"


class Receiver:
    """Stands where the service would: reads each call, and answers as it is told."""

    def __init__(self, spoken: Spoken) -> None:
        self.spoken = spoken
        self.outcomes: list[Outcome] = []
        """What the next calls are answered; afterwards BOOKED."""
        self.believed: list[tuple[str, int | None, str]] = []
        self.refused = 0
        self.called = asyncio.Event()

    def take(self, request: Request[object, object, State], body: bytes) -> Response[bytes]:
        """The answer to one call."""
        call = call_of(request.scope, body)
        self.called.set()
        try:
            claims = self.spoken.read(call, now=datetime.now(UTC))
        except Rejected:
            self.refused += 1
            outcome = Outcome.FORGED
        else:
            self.believed += [(one.transaction, one.amount_vnd, one.status) for one in claims]
            outcome = self.outcomes.pop(0) if self.outcomes else Outcome.BOOKED
        answer = self.spoken.adapter.answer(outcome, call)
        return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


@asynccontextmanager
async def playing(
    spoken: Spoken, knobs: Knobs | None = None, speed: float = SPEED
) -> AsyncIterator[tuple[Running, Receiver, httpx2.AsyncClient]]:
    """A provider that calls a receiver within this process, both on real ports."""
    receiver = Receiver(spoken)

    @route("/callbacks/{rest:path}", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
    async def take(
        request: Request[object, object, State], rest: FromPath[str], body: RawBody
    ) -> Response[bytes]:
        return receiver.take(request, body)

    app = Litestar([take], openapi_config=None, logging_config=None)
    port = free_port()
    async with listening(app, port):
        plan = Plan(
            provider=spoken.provider,
            terms=spoken.terms,
            callback_base=f"http://127.0.0.1:{port}",
            port=free_port(),
            speed=speed,
            seed=11,
            knobs=knobs or Knobs(),
        )
        async with (
            serving(plan) as running,
            httpx2.AsyncClient(base_url=plan.base_url, trust_env=False, timeout=30) as client,
        ):
            yield running, receiver, client


async def paid(client: httpx2.AsyncClient, spoken: Spoken, **more: object) -> None:
    """Let the order be paid."""
    body = {"order_code": spoken.order_code, "amount_vnd": AMOUNT_VND} | more
    answer = await client.post("/control/pay", json=body)
    assert answer.status_code == 201, answer.text


@EACH
async def test_every_provider_tells_of_a_payment_once(spoken: Spoken) -> None:
    """One payment, one call that our adapter believes, and no more after we said "done"."""
    async with playing(spoken) as (running, receiver, client):
        await paid(client, spoken)
        await running.courier.quiet()
        listed = (await client.get("/control/list")).json()
        (row,) = listed["payments"]
        told = (row["payment"]["transaction"], AMOUNT_VND, spoken.money)
        assert receiver.believed == [told]
        assert row["told"] == {"state": "done", "calls": 1}


@EACH
async def test_every_provider_calls_again_as_its_page_says(spoken: Spoken) -> None:
    """Told to try again it calls as often as the page says, and then gives up."""
    waits = list(spoken.acts.retry_waits)
    async with playing(spoken) as (running, receiver, client):
        receiver.outcomes = [Outcome.TRY_AGAIN] * (len(waits) + 5)
        await paid(client, spoken)
        await running.courier.quiet()
        listed = (await client.get("/control/list")).json()
        assert listed["payments"][0]["told"] == {"state": "given_up", "calls": len(waits) + 1}
        assert len(receiver.believed) == len(waits) + 1


async def test_retries_end_with_done() -> None:
    """VNPAY calls again after 01 until it hears 00."""
    async with playing(VNPAY) as (running, receiver, client):
        receiver.outcomes = [Outcome.UNKNOWN_ORDER, Outcome.TRY_AGAIN]
        await paid(client, VNPAY)
        await running.courier.quiet()
        assert len(receiver.believed) == 3
        assert running.courier.counts["retries"] == 2


async def test_waits_are_the_providers_own_divided_by_the_speed() -> None:
    """At speed 1 VNPAY would call again after five minutes: within this test it does not."""
    async with playing(VNPAY, speed=1.0) as (running, receiver, client):
        receiver.outcomes = [Outcome.TRY_AGAIN]
        await paid(client, VNPAY)
        await receiver.called.wait()
        assert running.courier.waiting == 1
        assert (await client.get("/control/list")).json()["waiting"] == 1


@EACH
async def test_everything_lost_is_never_told(spoken: Spoken) -> None:
    """With all callbacks lost nothing is sent, and the provider knows of the money all the same."""
    async with playing(spoken, Knobs(loss=1)) as (running, receiver, client):
        await paid(client, spoken)
        await running.courier.quiet()
        listed = (await client.get("/control/list")).json()
        assert listed["payments"][0]["told"] == {"state": "lost", "calls": 0}
        assert (receiver.believed, receiver.refused) == ([], 0)
        assert running.actor.shop.payments[0].amount_vnd == AMOUNT_VND


@EACH
async def test_forgeries_are_never_believed_and_repeats_are_the_same(spoken: Spoken) -> None:
    """With a forgery beside each payment and repeats of it, one amount is believed."""
    async with playing(spoken, Knobs(forgery=1, duplication=1)) as (running, receiver, client):
        for _ in range(3):
            await paid(client, spoken)
        await running.courier.quiet()
        counts = running.courier.counts
        assert receiver.refused == counts["forged"] == 3
        assert counts["forged_answered_done"] == 0
        assert len(receiver.believed) == 3 + counts["duplicates"] >= 6
        assert len(set(receiver.believed)) == 3
        assert {amount_vnd for _, amount_vnd, _ in receiver.believed} == {AMOUNT_VND}


async def test_calls_are_overtaken() -> None:
    """With some held back, what happened first is not always told first."""
    async with playing(VNPAY, Knobs(reordering=0.4)) as (running, receiver, client):
        for _ in range(30):
            await paid(client, VNPAY)
            await asyncio.sleep(0)
        await running.courier.quiet()
        told = [transaction for transaction, _, _ in receiver.believed]
        assert sorted(told) == [one.transaction for one in running.actor.shop.payments]
        assert told != sorted(told)


async def test_equal_seeds_have_equal_fates() -> None:
    """A run can be made again: the same payments are lost and repeated."""
    knobs = Knobs(loss=0.4, duplication=0.4)
    fates = []
    for _ in range(2):
        async with playing(VNPAY, knobs) as (running, _, client):
            for _ in range(12):
                await paid(client, VNPAY)
            await running.courier.quiet()
            fates.append([told.state for _, told in running.courier.told])
    assert fates[0] == fates[1]
    assert set(fates[0]) == {"lost", "done"}


async def test_knobs_are_turned_while_it_runs() -> None:
    """What goes wrong is changed without a new start; shares outside 0..1 are refused."""
    async with playing(VNPAY) as (running, receiver, client):
        await paid(client, VNPAY)
        assert (await client.put("/control/knobs", json={"loss": 1})).json()["loss"] == 1
        await paid(client, VNPAY)
        await running.courier.quiet()
        assert len(receiver.believed) == 1
        for wrong in ({"loss": 2}, {"loss": -0.1}, {"lose": 1}):
            assert (await client.put("/control/knobs", json=wrong)).status_code == 400
        assert (await client.get("/control/knobs")).json()["loss"] == 1


async def test_a_citizen_pays_by_the_link_that_we_signed() -> None:
    """The link opens a page in Vietnamese with plain buttons; a button lets the provider call."""
    async with playing(VNPAY) as (running, receiver, client):
        adapter = VNPAY.adapter
        assert isinstance(adapter, MakesCheckout)
        now = datetime.now(UTC)
        order = msgspec.structs.replace(
            VNPAY.order(), ordered_at=now, expires_at=now + timedelta(minutes=15)
        )
        url = adapter.checkout_url(order, running.actor.terms, now)
        assert url.startswith(running.plan.base_url)
        page = await client.get(url)
        assert page.status_code == 200
        assert '<html lang="vi">' in page.text
        assert "<script" not in page.text
        for button in ("Thanh toán", "Hủy giao dịch", "Thanh toán hai lần", "Số tiền khác"):
            assert button in page.text
        done = await client.post(f"/pages/{order.order_code}", data={"action": "pay"})
        assert "Đã thanh toán" in done.text
        assert order.return_url in done.text
        await running.courier.quiet()
        assert [one[1:] for one in receiver.believed] == [(AMOUNT_VND, "paid")]
        late = await client.get(url.replace("vnp_Amount", "vnp_Amoumt"))
        assert late.status_code == 400
        assert "Không mở được đơn hàng" in late.text


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"action": "pay"}, [(AMOUNT_VND, "paid")]),
        ({"action": "fail"}, [(AMOUNT_VND, "failed")]),
        ({"action": "cancel"}, [(AMOUNT_VND, "cancelled")]),
        ({"action": "twice"}, [(AMOUNT_VND, "paid")] * 2),
        ({"action": "other", "amount_vnd": "49000"}, [(49_000, "paid")]),
    ],
)
async def test_each_button_does_what_it_says(
    form: dict[str, str], told: list[tuple[int, str]]
) -> None:
    """Pay, fail, cancel, pay twice, pay another amount."""
    async with playing(VNPAY) as (running, receiver, client):
        await paid(client, VNPAY, quiet=True)
        page = await client.post(f"/pages/{VNPAY.order_code}", data=form)
        assert page.status_code == 200, page.text
        await running.courier.quiet()
        assert [one[1:] for one in receiver.believed] == told
        assert len({one[0] for one in receiver.believed}) == len(told)


async def test_what_no_page_offers_is_refused() -> None:
    """No such order, no such button, no amount: 404 and 400, and nobody is told anything."""
    async with playing(VNPAY) as (running, receiver, client):
        assert (await client.get("/pages/NOSUCH")).status_code == 404
        await paid(client, VNPAY, quiet=True)
        for form in ({"action": "steal"}, {}, {"action": "other", "amount_vnd": "1.5"}):
            answer = await client.post(f"/pages/{VNPAY.order_code}", data=form)
            assert answer.status_code == 400
        for body in ({}, {"amount_vnd": 5, "colour": "red"}, {"amount_vnd": -5}):
            assert (await client.post("/control/pay", json=body)).status_code == 400
        await running.courier.quiet()
        assert receiver.believed == []


async def test_a_page_shows_texts_as_texts() -> None:
    """Whatever an order is called, it is no markup."""
    async with playing(VNPAY) as (_, _, client):
        code = "<b>x</b>"
        await client.post("/control/pay", json={"order_code": code, "amount_vnd": 1_000})
        page = await client.get("/")
        assert code not in page.text
        assert "&lt;b&gt;x&lt;/b&gt;" in page.text


async def test_the_port_may_not_be_taken() -> None:
    """Started twice on one port, the second one says so."""
    async with playing(VNPAY) as (running, _, _):
        plan = msgspec.structs.replace(running.plan)
        with pytest.raises(DemoProblem, match="cannot be used"):
            async with serving(plan):
                pass


async def test_a_mode_that_the_provider_has_not_is_named() -> None:
    """Terms in a mode that nobody knows are refused with those that are known."""
    terms = msgspec.structs.replace(VNPAY.terms, mode="rot13")
    plan = Plan(provider="vnpay", terms=terms, callback_base="http://127.0.0.1:9", port=free_port())
    with pytest.raises(DemoProblem, match="rot13"):
        async with serving(plan):
            pass


def lines_of(provider: str, file: bytes) -> list[SettlementLine]:
    """The lines of a settlement file, as the shipped mapping reads them."""
    return list(SettlementReader(io.BytesIO(file), MAPPINGS[provider]))


@EACH
async def test_the_settlement_file_has_the_payments_of_the_day(spoken: Spoken) -> None:
    """The provider's file of a day reads as its own list, line by line, by the shipped mapping."""
    async with playing(spoken) as (running, _, client):
        for _ in range(3):
            await paid(client, spoken)
        await client.post("/control/pay", json={"order_code": "X1", "amount_vnd": 7, "quiet": True})
        today = datetime.now(VIETNAM).date()
        answer = await client.get(f"/settlement/{today}.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        found = lines_of(spoken.provider, answer.content)
        payments = running.actor.shop.payments
        assert [(one.transaction, one.gross_vnd) for one in found if one.kind == "payment"] == [
            (one.transaction, one.amount_vnd) for one in payments
        ]
        at_provider = MAPPINGS[spoken.provider].money == "provider"
        for line in found:
            if line.kind == "payment":
                fee_vnd = settlement.fee_of(line.gross_vnd) if at_provider else 0
                assert line.fee_vnd == fee_vnd
        due_vnd = sum(one.net_vnd for one in found if one.kind != "payout")
        paid_out = [one.gross_vnd for one in found if one.kind == "payout"]
        assert paid_out in ([], [due_vnd])
        other = await client.get(f"/settlement/{today - timedelta(days=1)}.csv")
        assert lines_of(spoken.provider, other.content) == []
        assert (await client.get("/settlement/yesterday.csv")).status_code == 404


def test_a_settlement_day_is_vietnamese_and_has_refunds() -> None:
    """A minute before midnight in Huế belongs to that day; money given back stands as minus."""
    late = datetime(2026, 3, 12, 16, 59, tzinfo=UTC)
    shop = Shop(
        payments=[
            Payment(order_code=CODE, transaction=number, amount_vnd=50_000, paid_at=at)
            for number, at in (("1", late), ("2", late + timedelta(minutes=2)))
        ]
    )
    shop.refunds["r"] = Refund(
        request_id="r", order_code=CODE, transaction="9", of_transaction="1", amount_vnd=20_000,
        asked_at=late, state="done",
    )  # fmt: skip
    found = lines_of("vnpay", settlement.of_day(shop, "vnpay", "M", date(2026, 3, 12)))
    assert [(one.kind, one.transaction, one.gross_vnd, one.refund_reference) for one in found] == [
        ("payment", "1", 50_000, ""),
        ("refund", "1", -20_000, "r"),
        ("fee", "", 0, ""),
        ("payout", "", 50_000 - 550 - 20_000 - 3_300, ""),
    ]
    assert settlement.fee_of(50_000) == 550
    assert settlement.fee_of(50) == 1


def test_return_addresses_are_ours() -> None:
    """The link bears where the citizen is sent back to."""
    adapter = VNPAY.adapter
    assert isinstance(adapter, MakesCheckout)
    url = adapter.checkout_url(VNPAY.order(), VNPAY.terms, VNPAY.order().ordered_at)
    told = parse_qs(urlsplit(url).query)["vnp_ReturnUrl"]
    assert told == [VNPAY.order().return_url]
