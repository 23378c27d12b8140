"""Carries a provider's callbacks to the service, with its retries and whatever goes wrong.

Every callback is signed when it is sent. Waits are those of the provider, divided by `speed`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Final, Literal, Self
from urllib.parse import quote

import httpx2
import msgspec

from providers import Call
from providers.acting import Payment
from service.dev.provider.actor import Actor
from service.dev.provider.knobs import HELD_BACK_MAX_S, Fate, Knobs, cast, false_terms

TIMEOUT_S: Final = 15.0
AT_ONCE_MAX: Final = 16
UNDER_WAY_MAX: Final = 20_000
OTHER_AMOUNT_VND: Final = 9_000
SAFE: Final = "/:@!$&'()*+,;=~"

State = Literal["waiting", "done", "lost", "silent", "given_up"]


class Told(msgspec.Struct, kw_only=True):
    """How far the provider got in telling of one payment."""

    state: State = "waiting"
    calls: int = 0


@dataclass(slots=True, eq=False)
class _Held:
    """A call that others are to overtake."""

    left: int
    go: asyncio.Event = field(default_factory=asyncio.Event)


class Courier:
    """One for each actor; `async with Courier(...)`; what is under way is dropped at the end."""

    def __init__(
        self, actor: Actor, base_url: str, dice: random.Random, knobs: Knobs | None = None
    ) -> None:
        """Describe; `base_url` is where the service is, without a slash at the end."""
        self.actor = actor
        self.knobs = knobs or Knobs()
        self.counts: Counter[str] = Counter()
        self.told: list[tuple[Payment, Told]] = []
        self._base_url = base_url
        self._dice = dice
        self._held: list[_Held] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(AT_ONCE_MAX)
        self._http = httpx2.AsyncClient(
            timeout=TIMEOUT_S,
            limits=httpx2.Limits(max_connections=AT_ONCE_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop what is under way and close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    @property
    def waiting(self) -> int:
        """Deliveries under way, the waits before a retry included."""
        return len(self._tasks)

    async def quiet(self) -> None:
        """Wait until nothing is under way any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def tell(self, payment: Payment, *, quiet: bool = False) -> Told:
        """Begin to tell of a payment; needs a running loop. ValueError where too many wait."""
        if len(self._tasks) >= UNDER_WAY_MAX:
            raise ValueError("too many callbacks are under way")
        told = Told()
        self.told.append((payment, told))
        if self.actor.call(payment) is None:
            told.state = "silent"
            return told
        fate = cast(self._dice, self.knobs)
        if quiet or fate.lost:
            told.state = "lost"
            self.counts["lost"] += 1
            return told
        self._begin(self._deliver(payment, told, fate))
        return told

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, payment: Payment, told: Told, fate: Fate) -> None:
        """One callback with its mishaps, until the service says "done" or the retries end."""
        if fate.late_s:
            self.counts["late"] += 1
            await asyncio.sleep(fate.late_s / self.actor.speed)
        if fate.overtaken_by:
            self.counts["held_back"] += 1
            await self._be_overtaken(fate.overtaken_by)
        if fate.forged:
            await self._forge(payment)
        done = await self._send(payment, told)
        for wait in self.actor.acts.retry_waits:
            if done:
                break
            await asyncio.sleep(wait.total_seconds() / self.actor.speed)
            self.counts["retries"] += 1
            done = await self._send(payment, told)
        for _ in range(fate.copies):
            self.counts["duplicates"] += 1
            await self._send(payment, told)
        told.state = "done" if done else "given_up"

    async def _be_overtaken(self, others: int) -> None:
        """Wait until `others` calls have gone first, or until none comes for a while."""
        held = _Held(left=others)
        self._held.append(held)
        try:
            async with asyncio.timeout(HELD_BACK_MAX_S):
                await held.go.wait()
        except TimeoutError:
            self.counts["not_overtaken"] += 1
        finally:
            self._held.remove(held)

    def _one_went(self) -> None:
        for held in self._held:
            held.left -= 1
            if held.left <= 0:
                held.go.set()

    async def _send(self, payment: Payment, told: Told) -> bool:
        """Send one true call; whether the provider takes the answer as "done"."""
        call = self.actor.call(payment)
        if call is None:
            return True
        told.calls += 1
        self.counts["calls"] += 1
        done = await self._post(call)
        self._one_went()
        return done

    async def _forge(self, payment: Payment) -> None:
        """Send a call by somebody who does not know the key; believed ones are counted."""
        amount_vnd = payment.amount_vnd + OTHER_AMOUNT_VND
        false = msgspec.structs.replace(payment, amount_vnd=amount_vnd, amount_text="")
        call = self.actor.call(false, false_terms(self.actor.terms))
        if call is None:
            return
        self.counts["forged"] += 1
        if await self._post(call):
            self.counts["forged_answered_done"] += 1

    async def _post(self, call: Call) -> bool:
        query = f"?{call.raw_query.decode('latin-1')}" if call.raw_query else ""
        address = f"{self._base_url}{quote(call.path, safe=SAFE)}{query}"
        async with self._gate:
            try:
                response = await self._http.request(
                    call.method,
                    address,
                    headers=list(call.headers),
                    content=call.body or None,
                )
            except (httpx2.HTTPError, httpx2.InvalidURL):
                self.counts["unreached"] += 1
                return False
        self.counts[f"http {response.status_code}"] += 1
        return self.actor.acts.accepts(response.status_code, response.content)
