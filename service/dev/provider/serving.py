"""Serve simulated providers on real ports, inside the running loop."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from litestar.types import ASGIApp

from providers import Terms
from service.dev.demo_file import DemoProblem
from service.dev.provider.actor import Actor, acting
from service.dev.provider.addresses import addressed
from service.dev.provider.courier import Courier
from service.dev.provider.knobs import Knobs
from service.dev.provider.routes import create
from service.observe import logs

UP_WITHIN_S: Final = 30.0
THREAD_ENDS_WITHIN_S: Final = 0.2
"""Granian's thread says that it is over a moment before it is, and cannot be joined; a Python that
ends in that moment is aborted (SIGABRT)."""
PAGES: Final = "/pages"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to act as, where to listen, and whom to call back."""

    provider: str
    terms: Terms
    callback_base: str
    host: str = "127.0.0.1"
    port: int
    public_url: str = ""
    """How citizens and the service reach the simulator; empty: http://host:port."""
    below: str = ""
    """The end of `public_url` that whoever stands before the simulator takes off every path."""
    own_account: str = ""
    """The account that a bank feed watches."""
    speed: float = 1.0
    knobs: Knobs = Knobs()
    seed: int | None = None

    @property
    def base_url(self) -> str:
        """Where the simulator is."""
        return self.public_url or f"http://{self.host}:{self.port}"


class Running(msgspec.Struct, frozen=True):
    """A simulated provider that serves."""

    plan: Plan
    actor: Actor
    courier: Courier


@contextlib.asynccontextmanager
async def serving(plan: Plan) -> AsyncIterator[Running]:
    """Serve until the end of the block. DemoProblem where the port is taken."""
    async with playing(plan) as (running, app), listening(app, plan.port, plan.host):
        yield running


@contextlib.asynccontextmanager
async def playing(plan: Plan) -> AsyncIterator[tuple[Running, ASGIApp]]:
    """A provider ready to act, and its application, on no port yet."""
    dice = random.Random(plan.seed)
    adapter, _ = acting(plan.provider)
    terms = addressed(adapter, plan.terms, plan.base_url.removesuffix(plan.below))
    actor = Actor(plan.provider, terms, dice, speed=plan.speed, own_account=plan.own_account)
    actor.shop.page = plan.base_url + PAGES
    async with Courier(actor, plan.callback_base.rstrip("/"), dice, plan.knobs) as courier:
        yield Running(plan, actor, courier), create(actor, courier)


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, port: int, host: str = "127.0.0.1") -> AsyncIterator[None]:
    """Serve an application in this loop until the end of the block; DemoProblem: port taken."""
    server = Server(
        app,
        interface=Interfaces.ASGINL,  # there is nothing to open or close with it
        address=host,
        port=port,
        log_level=LogLevels.error,
        log_dictconfig=logs.GRANIAN,
        websockets=False,
    )
    _refuse_taken(host, port)
    task = asyncio.create_task(server.serve())
    try:
        await _until_up(host, port, task)
        yield
    finally:
        stop: Callable[[], None] = server.stop
        stop()
        await task
        await asyncio.sleep(THREAD_ENDS_WITHIN_S)


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise DemoProblem(f"{host}:{port} cannot be used: {error.strerror}") from None


async def _until_up(host: str, port: int, task: "asyncio.Task[None]") -> None:
    until = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until and not task.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise DemoProblem(f"The simulated provider does not listen on {host}:{port}.")
