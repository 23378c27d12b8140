"""A call that was not believed comes back once its secret is known: once, whatever is repeated."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import sqlalchemy as sa
import structlog
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import Book, open_book
from providers import Hint, Outcome, Secret, Terms
from providers.acting import Payment
from providers.sepay import ADAPTER, HMAC
from service import merchants
from service.intake import replaying
from service.intake.intake import Intake
from service.intake.quarantine import Quarantine
from service.intake.replaying import Replay, Wanted
from service.intake.shelves import ORDER_CALLS_MAX, ORDER_KEPT_FOR, Unbelieved, names_of
from service.merchants import Merchant, NewMerchant, changes
from service.proof import prove
from service.sealing import Sealer
from service.settings import WEAK_LIMIT_VND
from tests.databases import Database
from tests.makers import NOW, Made, make_owed
from tests.service.conftest import MASTER_KEY, Province
from tests.service.intake.calls import (
    CASES,
    EVENTS,
    NAME,
    deliver,
    ipn,
    lanes,
    rotate,
    status_of,
)
from tests.service.intake.preparing import Template, pool
from tests.service.intake.test_committing import answers
from tests.traffic import Ipn, Messages

pytestmark = pytest.mark.anyio

NEW_SECRET = "the-secret-after-the-rotation"
MOVE_BACK = sa.text(
    "update service.quarantine set received_at = received_at - cast(:by as interval)"
)
TRIED = sa.text("select tries, tried_at is not null from service.quarantine")
BOOK_MISSING = 99
MOVE_TO = sa.text("update service.quarantine set received_at = :at")
CODED = sa.text("""
    update service.payment_request set order_code = '261103_X' where reference = :reference
""")
REFERENCES = sa.text("select reference from service.quarantine order by id")


def sealer() -> Sealer:
    """The service's own keys."""
    return Sealer(MASTER_KEY)


async def replay(
    engine: AsyncEngine, *, dry_run: bool = False, **wanted: object
) -> tuple[int, int, int, int]:
    """Replay everything; how many were judged, booked, repeats, and still not believed."""
    done = await Replay(engine, sealer()).run(
        Wanted(**wanted),  # type: ignore[arg-type] # as the test names them
        dry_run=dry_run,
    )
    return done.judged, done.booked, done.repeats, done.unbelieved


async def owed(engine: AsyncEngine, *amounts: int) -> Made:
    """An open order of the first book."""
    async with engine.begin() as connection:
        return await make_owed(connection, 1, *(amounts or (50_000,)))


async def terminal(engine: AsyncEngine) -> Merchant:
    """The terminal as it is known now."""
    async with engine.connect() as connection:
        found = await merchants.find(connection, sealer(), *NAME)
    assert found is not None
    return found


async def test_a_secret_that_was_rotated_at_the_provider_first(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """Forged first, then true with a secret we do not have, then rotated: it pays, once."""
    order = await owed(engine)
    forged = ipn(order.reference, "nobody's secret", transaction="13")
    true = ipn(order.reference, NEW_SECRET)
    assert [await deliver(client, forged), await deliver(client, true)] == ["97", "97"]
    assert await replay(engine) == (2, 0, 0, 2)
    await rotate(engine, NEW_SECRET)
    assert await replay(engine, dry_run=True) == (2, 1, 0, 1)
    assert await lanes(engine) == {("order", False): 2}
    assert await replay(engine) == (2, 1, 0, 1)
    assert await replay(engine) == (1, 0, 0, 1)
    assert await lanes(engine) == {("order", False): 1, ("order", True): 1}
    async with engine.connect() as connection:
        assert await status_of(connection, order.notice_id) == "paid"
    assert [finding async for finding in prove(engine)] == []


async def test_a_replay_and_live_repeats_meet(
    app: Litestar, client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """The provider calls again while its earlier calls are replayed: each payment once (3)."""
    orders = [await owed(engine) for _ in range(6)]
    calls = [
        ipn(one.reference, NEW_SECRET, transaction=str(14_000_100 + n))
        for n, one in enumerate(orders)
    ]
    assert [await deliver(client, call) for call in calls] == ["97"] * 6
    await rotate(engine, NEW_SECRET)
    app.state.intake.directory._read_at = -1e9
    under_way = asyncio.create_task(replay(engine))
    told = await asyncio.gather(*(deliver(client, call) for call in calls))
    replayed = await under_way
    assert set(told) <= {"00", "02"}
    assert (replayed[0], replayed[1] + replayed[2]) == (6, 6)
    assert await replay(engine) == (0, 0, 0, 0)
    async with engine.connect() as connection:
        assert await connection.scalar(EVENTS) == 6
        assert {await status_of(connection, one.notice_id) for one in orders} == {"paid"}
    assert [finding async for finding in prove(engine)] == []


async def test_a_full_shelf_asks_again_and_alarms(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """After ORDER_CALLS_MAX calls the provider is to call again; the case ends with the replay."""
    order, other = await owed(engine), await owed(engine)
    assert await deliver(client, ipn(order.reference, NEW_SECRET)) == "97"
    for number in range(1, ORDER_CALLS_MAX):
        forged = ipn(order.reference, "nobody's secret", transaction=str(number))
        assert await deliver(client, forged) == "97"
    for secret in ("nobody's secret", NEW_SECRET):
        assert await deliver(client, ipn(order.reference, secret)) == "99"
    assert await deliver(client, ipn(other.reference, "nobody's secret")) == "97"
    assert await lanes(engine) == {("order", False): ORDER_CALLS_MAX + 1}
    async with engine.connect() as connection:
        cases = [tuple(row)[:2] for row in await connection.execute(CASES)]
    assert cases == [("CALLS_NOT_BELIEVED", "open")]
    await rotate(engine, NEW_SECRET)
    assert await replay(engine) == (ORDER_CALLS_MAX + 1, 1, 0, ORDER_CALLS_MAX)
    async with engine.connect() as connection:
        cases = [tuple(row)[:2] for row in await connection.execute(CASES)]
    assert cases == [("CALLS_NOT_BELIEVED", "resolved")]


async def test_the_lanes_survive_a_restart(
    engine: AsyncEngine, province: Province, two_books: tuple[int, int]
) -> None:
    """What one process kept another one brings back, though the first is long gone."""
    order = await owed(engine)
    first = Intake(engine, sealer())
    first.start()
    await first.take(await terminal(engine), ipn(order.reference, NEW_SECRET))
    await first.close()
    await rotate(engine, NEW_SECRET)
    assert await replay(engine) == (1, 1, 0, 0)


async def test_only_what_is_wanted_is_judged(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """Provider, merchant, lane and time choose; a merchant that was disabled is left alone."""
    order = await owed(engine)
    await deliver(client, ipn(order.reference, "nobody's secret"))
    await deliver(client, ipn(order.reference, "nobody's secret", amount_vnd=1_000))
    await deliver(client, ipn("NO-ORDER", "nobody's secret"))
    assert await lanes(engine) == {("order", False): 1, ("ring", False): 2}
    later = datetime.now(UTC) + timedelta(minutes=1)
    for wanted, judged in (
        ({"lanes": ("order",)}, 1),
        ({"lanes": ("ring",)}, 2),
        ({"provider": "sepay"}, 0),
        ({"merchant": "NOBODY"}, 0),
        ({"provider": "vnpay", "merchant": NAME.merchant}, 3),
        ({"since": later}, 0),
        ({"lanes": ("stuck",), "due": True}, 0),
    ):
        assert (await replay(engine, dry_run=True, **wanted))[0] == judged


async def test_an_order_is_found_by_its_code_and_in_a_memo(
    engine: AsyncEngine, owner_engine: AsyncEngine, province: Province
) -> None:
    """An unbelieved call may name the order as its provider does, or in the text of a transfer."""
    order, coded = await owed(engine), await owed(engine)
    async with owner_engine.begin() as connection:
        await connection.execute(CODED, {"reference": coded.reference})
    merchant = await terminal(engine)
    hints = {
        Hint(reference="261103_X", amount_vnd=50_000): coded.reference,
        Hint(amount_vnd=50_000, memo=f"NGUYEN VAN A {order.reference} ck"): order.reference,
        Hint(reference="261103_X", amount_vnd=50_001): None,
        Hint(reference="KHONGCO", amount_vnd=50_000, memo="nop le phi"): None,
        Hint(amount_vnd=50_000): None,
        Hint(reference=order.reference): None,
    }
    quarantine = Quarantine(engine, sealer(), lambda: NOW)
    quarantine.start()
    for number, hint in enumerate(hints):
        row = Unbelieved(
            merchant=merchant,
            call=ipn("X", "nobody's secret", transaction=str(number)),
            why="forged",
            hint=hint,
            authentic=False,
            received_at=NOW,
            names=names_of(hint),
        )
        assert await quarantine.keep(row) == "kept"
    await quarantine.close()
    async with engine.connect() as connection:
        kept = [row.reference for row in await connection.execute(REFERENCES)]
    assert kept == list(hints.values())


async def test_a_call_is_judged_with_the_clock_of_its_arrival(
    app: Litestar, client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """A signed time that was fresh when the call came is fresh when it is replayed."""
    new = NewMerchant(
        provider="sepay", merchant="FEED1", book_id=1, mode=HMAC, secrets=["old-one!"]
    )
    async with engine.begin() as connection:
        await merchants.add(connection, sealer(), new, NOW)
    app.state.intake.directory._read_at = -1e9
    transfer = Payment(
        order_code=None,
        transaction="1",
        amount_vnd=9_000,
        paid_at=NOW,
        status="credit",
        memo="nop phi",
        own_account="0123456789",
    )
    terms = Terms(merchant="FEED1", secrets=(Secret("new-one!"),), mode=HMAC)
    call = ADAPTER.call_as_provider(transfer, terms, datetime.now(UTC))
    answer = await client.post(call.path, content=call.body, headers=dict(call.headers))
    assert answer.status_code == 401
    hours_ago = {"by": timedelta(hours=5)}
    async with engine.begin() as connection:
        name = changes.Name("sepay", "FEED1")
        await changes.rotate(connection, sealer(), name, "new-one!", NOW)
    assert (await replay(engine, dry_run=True))[1] == 1
    async with engine.begin() as connection:
        await connection.execute(MOVE_BACK, hours_ago)
    assert (await replay(engine, dry_run=True))[1] == 0


async def test_a_flood_is_not_kept_and_loses_no_true_call(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """Junk above what the ring takes is answered, dropped and not logged; true calls come back."""
    orders = [await owed(engine) for _ in range(4)]
    junk = [
        ipn(f"DON{n}", "nobody's secret", amount_vnd=1_000 + n, transaction=str(n))
        for n in range(300)
    ]
    calls = list(junk)
    for place, order in zip((10, 90, 180, 270), orders, strict=True):
        calls.insert(place, ipn(order.reference, NEW_SECRET, transaction=str(15_000_000 + place)))
    with structlog.testing.capture_logs() as lines:
        told = await asyncio.gather(*(deliver(client, call) for call in calls))
    assert set(told) == {"97"}
    # A line for each call only until it is known to be a flood.
    told_each = [one for one in lines if (one["event"], one["log_level"]) == ("request", "info")]
    assert 0 < len(told_each) < len(calls) / 2
    kept = await lanes(engine)
    assert kept["order", False] == 4
    assert 0 < kept["ring", False] < 300
    await rotate(engine, NEW_SECRET)
    assert (await replay(engine))[1:3] == (4, 0)
    async with engine.connect() as connection:
        assert {await status_of(connection, one.notice_id) for one in orders} == {"paid"}


async def test_old_calls_are_forgotten(
    client: httpx2.AsyncClient, engine: AsyncEngine, province: Province
) -> None:
    """The order lane is kept for ORDER_KEPT_FOR; the ring turns by itself."""
    order = await owed(engine)
    await deliver(client, ipn(order.reference, "nobody's secret"))
    await deliver(client, ipn("NO-ORDER", "nobody's secret"))
    for later, left in ((timedelta(), 2), (ORDER_KEPT_FOR + timedelta(minutes=1), 1)):
        async with engine.begin() as connection:
            await replaying.forget_old(connection, datetime.now(UTC) + later)
        assert sum((await lanes(engine)).values()) == left
    assert await lanes(engine) == {("ring", False): 1}


def test_a_stuck_call_comes_back_by_itself(template: Template) -> None:
    """The worker tries it after a while, and again later and later; then its case ends."""

    async def work(database: Database) -> None:
        async with pool(database) as engine:
            messages = Messages(engine, template.orders)
            told = await answers(engine, messages, [Ipn(order=0, poisoned=True)])
            assert told == [Outcome.TRY_AGAIN]

            async def tried() -> int:
                return await replaying.retry_stuck(engine, messages.sealer, WEAK_LIMIT_VND)

            async def state() -> tuple[object, ...]:
                async with engine.connect() as connection:
                    return tuple((await connection.execute(TRIED)).one())

            async with engine.begin() as connection:
                await connection.execute(MOVE_TO, {"at": datetime.now(UTC)})
            assert (await tried(), await state()) == (0, (0, False))
            async with engine.begin() as connection:
                await connection.execute(MOVE_BACK, {"by": timedelta(minutes=2)})
            assert (await tried(), await state()) == (0, (1, True))
            assert (await tried(), await state()) == (0, (1, True))
            async with engine.begin() as connection:
                book = Book(book_id=BOOK_MISSING, code="99", name="Mới", agency_code="H57.99")
                await open_book(connection, book, NOW)
            done = await Replay(engine, messages.sealer).run(Wanted(lanes=("stuck",)))
            assert (done.judged, done.booked) == (1, 1)
            async with engine.connect() as connection:
                cases = [tuple(row)[:2] for row in await connection.execute(CASES)]
            assert ("CALL_NOT_BOOKED", "resolved") in cases
            assert [finding async for finding in prove(engine)] == []

    with template.copy() as database:
        asyncio.run(work(database))
