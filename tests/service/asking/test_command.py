"""`doisoat ask` as a process of its own: it books, and killed in between it loses nothing."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import pytest

from service.asking.questions import LEASE
from service.settings import Settings, as_environment
from tests.service.asking.making import World
from tests.service.asking.test_asking import is_paid_once

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]


async def start(settings: Settings, *arguments: str) -> asyncio.subprocess.Process:
    """Run the command on the test's own database."""
    alone = msgspec.structs.replace(settings, pull_feeds=False)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "ask",
        *arguments,
        env=os.environ | as_environment(alone) | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_one_payment_request_is_asked_about(world: World, settings: Settings) -> None:
    """The operator names it, and reads what came; the money is booked."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    asking = await start(settings, "--reference", request.reference)
    told, trouble = await asking.communicate()
    assert asking.returncode == 0, trouble.decode()
    assert told.decode().split() == [request.reference, "vnpay", "answered", "paid"]
    await is_paid_once(world, request)


async def test_all_that_is_due_is_asked(world: World, settings: Settings) -> None:
    """Nothing is due in the first minute, and the command says so for each provider."""
    await world.request("vnpay", 50_000)
    asking = await start(settings)
    told, trouble = await asking.communicate()
    assert asking.returncode == 0, trouble.decode()
    assert "vnpay: 0" in told.decode().splitlines()
    assert world.peers["vnpay"].calls == []


async def test_a_process_that_is_killed_while_it_asks_loses_nothing(
    world: World, settings: Settings
) -> None:
    """Killed with the question under way: its lease ends, another worker asks and books once."""
    request = await world.request("vnpay", 50_000)
    world.pay(request)
    peer = world.peers["vnpay"]
    peer.free.clear()
    asking = await start(settings, "--reference", request.reference)
    await peer.called(1)
    asking.kill()
    await asking.communicate()
    peer.free.set()
    assert (await world.state(request)).tries == 1
    assert await world.asker.ask_one(request.reference) is None
    world.clock.now += LEASE * 2
    assert await world.ask_all() == 1
    assert len(peer.calls) == 2
    await is_paid_once(world, request)
