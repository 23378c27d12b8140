"""Requests to providers end in a reply or in a reason, in bounded time, whatever the other does."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from providers import Answer, SignedRequest
from service.outbound import CircuitOpen, Crowded, Limits, Outbound, Unreachable
from service.outbound.breaker import Breaker
from tests.service.peer import Mischief, Peer, free_address, serving

pytestmark = pytest.mark.anyio

QUICK = Limits(
    connect_s=2,
    silence_s=0.2,
    whole_s=0.6,
    reply_bytes_max=200_000,
    at_once_max=2,
    slot_within_s=0.2,
    failures_max=3,
    rest_s=60,
    again_after_s=0.01,
    again_after_max_s=0.02,
)
OK = Answer(status=200, media_type="application/json", body=b'{"code":"00"}')
SECRET = "k3y-that-nobody-may-see"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """Give the seconds."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
async def outbound(clock: Clock, anyio_backend: str) -> AsyncIterator[Outbound]:
    """Give an impatient way out."""
    async with Outbound(QUICK, clock) as made:
        yield made


@pytest.fixture
async def peer(anyio_backend: str) -> AsyncIterator[Peer]:
    """Give a provider that answers well."""
    async with serving(lambda _: OK) as made:
        yield made


def request(address: str) -> SignedRequest:
    """A request that carries a secret in its query, a header and its body."""
    return SignedRequest(
        method="POST",
        url=f"{address}/v2/query?signature={SECRET}",
        headers=(("Content-Type", "application/json"), ("X-Api-Key", SECRET)),
        body=SECRET.encode(),
    )


async def fail(outbound: Outbound, peer: Peer, times: int) -> None:
    """Let requests fail."""
    for _ in range(times):
        with pytest.raises(Unreachable):
            await outbound.send("vnpay", request(peer.address))


async def test_the_request_arrives_as_it_was_signed(outbound: Outbound, peer: Peer) -> None:
    """Method, path, query, headers and body; the reply comes back byte by byte."""
    reply = await outbound.send("vnpay", request(peer.address))
    assert (reply.status, reply.body) == (200, OK.body)
    (call,) = peer.calls
    assert (call.method, call.path) == ("POST", "/v2/query")
    assert call.raw_query == f"signature={SECRET}".encode()
    assert call.header("x-api-key") == SECRET
    assert call.body == SECRET.encode()


async def test_an_error_status_is_a_reply(outbound: Outbound, peer: Peer) -> None:
    """What it means is the adapter's to say; redirects are not followed."""
    statuses = (302, 404, 500)
    answers = iter(statuses)
    peer.handler = lambda _: Answer(status=next(answers), media_type="text/plain", body=b"no")
    for status in statuses:
        assert (await outbound.send("vnpay", request(peer.address))).status == status
    assert len(peer.calls) == 3


@pytest.mark.parametrize("mischief", ["hang", "reset", "garbage", "drip", "endless", "cut"])
async def test_mischief_ends_in_a_reason(
    outbound: Outbound, peer: Peer, mischief: Mischief
) -> None:
    """A hanging, broken, dripping or endless reply is none; it is sent once, and may have arrived.

    The time is bounded by the limits and not by the other side, which would go on for an hour.
    """
    peer.handler = lambda _: mischief
    async with asyncio.timeout(30):
        with pytest.raises(Unreachable) as refused:
            await outbound.send("vnpay", request(peer.address))
    assert not refused.value.unsent
    assert len(peer.calls) == 1


async def test_what_may_be_repeated_is(outbound: Outbound, peer: Peer) -> None:
    """A question that was answered by a broken connection is asked again, after a short wait."""
    answers: Iterator[Answer | Mischief] = iter(["reset", "cut", OK])
    peer.handler = lambda _: next(answers)
    reply = await outbound.send("vnpay", request(peer.address), repeatable=True)
    assert reply.body == OK.body
    assert len(peer.calls) == 3
    assert len({call.body for call in peer.calls}) == 1


async def test_what_never_left_is_tried_again_and_told(outbound: Outbound) -> None:
    """Nobody listens: the caller knows that nothing was sent."""
    with pytest.raises(Unreachable) as refused:
        await outbound.send("vnpay", request(free_address()))
    assert refused.value.unsent


async def test_a_provider_that_fails_is_left_alone(
    outbound: Outbound, peer: Peer, clock: Clock
) -> None:
    """After failures in a row nothing is sent; after a rest one request probes, and heals it."""
    peer.handler = lambda _: "reset"
    await fail(outbound, peer, 3)
    with pytest.raises(CircuitOpen):
        await outbound.send("vnpay", request(peer.address))
    assert len(peer.calls) == 3
    clock.now_s += QUICK.rest_s
    await fail(outbound, peer, 1)
    with pytest.raises(CircuitOpen):
        await outbound.send("vnpay", request(peer.address))
    assert len(peer.calls) == 4
    clock.now_s += QUICK.rest_s
    peer.handler = lambda _: OK
    for _ in range(3):
        assert (await outbound.send("vnpay", request(peer.address))).status == 200


async def test_only_the_provider_that_fails_is_left_alone(
    outbound: Outbound, peer: Peer, clock: Clock
) -> None:
    """Another provider, and another address of the same one, are reached."""
    peer.handler = lambda _: "reset"
    await fail(outbound, peer, 3)
    async with serving(lambda _: OK) as other:
        assert (await outbound.send("vnpay", request(other.address))).status == 200
        assert (await outbound.send("momo", request(other.address))).status == 200


async def test_replies_that_say_not_now_are_failures(outbound: Outbound, peer: Peer) -> None:
    """Status 503 and 429 are given to the caller, and count as failures in a row."""
    answers = iter([503, 429, 502])
    peer.handler = lambda _: Answer(status=next(answers), media_type="text/plain", body=b"")
    for status in (503, 429, 502):
        assert (await outbound.send("vnpay", request(peer.address))).status == status
    with pytest.raises(CircuitOpen):
        await outbound.send("vnpay", request(peer.address))


async def test_so_many_at_once_and_no_more(peer: Peer, clock: Clock) -> None:
    """A slow provider holds up to its slots; the next caller is told that nothing was sent."""
    patient = Limits(at_once_max=2, slot_within_s=0.1)
    async with Outbound(patient, clock) as outbound, asyncio.TaskGroup() as group:
        peer.free.clear()
        tasks = [group.create_task(outbound.send("vnpay", request(peer.address))) for _ in range(2)]
        await peer.called(2)
        with pytest.raises(Crowded) as refused:
            await outbound.send("vnpay", request(peer.address))
        assert refused.value.unsent
        peer.free.set()
        assert [(await task).status for task in tasks] == [200, 200]
    assert peer.at_once_most == 2
    assert len(peer.calls) == 2


async def test_a_caller_that_gives_up_says_nothing_of_the_provider(
    outbound: Outbound, peer: Peer, clock: Clock
) -> None:
    """A cancelled request is no failure, and a cancelled probe lets the next one probe."""
    peer.handler = lambda _: "reset"
    await fail(outbound, peer, 3)
    clock.now_s += QUICK.rest_s
    peer.handler = lambda _: OK
    peer.free.clear()
    probe = asyncio.create_task(outbound.send("vnpay", request(peer.address)))
    await peer.called(4)
    with pytest.raises(CircuitOpen):  # one probe at a time
        await outbound.send("vnpay", request(peer.address))
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    peer.free.set()
    assert (await outbound.send("vnpay", request(peer.address))).status == 200


async def test_no_line_of_the_log_holds_a_secret(outbound: Outbound, peer: Peer) -> None:
    """Neither address, headers, body nor reply are told, and not in the error either."""
    with structlog.testing.capture_logs() as lines:
        await outbound.send("vnpay", request(peer.address))
        peer.handler = lambda _: "cut"
        with pytest.raises(Unreachable) as refused:
            await outbound.send("vnpay", request(peer.address), repeatable=True)
    assert {line["ended"] for line in lines if "ended" in line} == {"answered", "no_reply"}
    told = f"{lines} {refused.value!r} {refused.value}"
    assert SECRET not in told
    assert "only this" not in told


def test_a_breaker_counts_failures_in_a_row() -> None:
    """A success in between begins the count anew."""
    breaker = Breaker(time.monotonic, failures_max=2)
    for failed in (True, False, True):
        assert breaker.admit()
        (breaker.failed if failed else breaker.succeeded)()
    breaker.failed()
    assert [breaker.admit() for _ in range(2)] == [False, False]
