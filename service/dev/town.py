"""Everybody around the service: the one-stop that records, citizens who pay, providers who call.

Each method does one thing over HTTP, and the tally says what was answered. When what happens is
decided by the callers: service.dev.demo for the past days, service.dev.simulator from now on.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from providers import Call, MakesCheckout, NamesOrders, Secret, Terms
from providers.acting import Order, Payment, ReadsOwnLinks
from providers.catalog import CATALOG
from service.dev import mishaps
from service.dev.bank import Bank, BankMovement
from service.dev.channels import GATEWAYS, served_books
from service.dev.client import Client
from service.dev.demo_file import DemoFile, DemoMerchant, DemoProblem
from service.dev.dossiers import Dossier
from service.dev.provider.actor import acting
from service.dev.provider.serving import Running
from service.dev.units import UNITS, Unit

AT_ONCE: Final = 16
NUMBERS_BEGIN_S: Final = 1_700_000_000
"""Provider numbers begin with the seconds since then, so that no two runs give the same."""
NUMBERS_PER_RUN: Final = 1_000_000
FEED_KEEPS_QUIET: Final = 0.03
"""Share of transfers that a feed tells without the bank's reference."""

CODES: Final = ("RspCode", "return_code", "MaLoi")
"""Where providers read whether a call was taken, beside its HTTP status."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Notice(msgspec.Struct, kw_only=True):
    """A recorded notice, as far as the demo needs it."""

    id: str
    outstanding_vnd: int
    status: str


class Request(msgspec.Struct, kw_only=True):
    """A way to pay, as far as the demo needs it."""

    reference: str
    numeric_reference: int
    provider: str
    amount_vnd: int
    redirect_url: str | None = None


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A dossier with its notice."""

    dossier: Dossier
    notice: Notice


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of our account, and how the feed tells of it (`told` copies, after a forgery)."""

    unit: Unit
    moved: BankMovement
    told: int = 1
    forged_first: bool = False
    late: bool = False
    with_reference: bool = True


class Town:
    """Callers of one service; give it equal dice and it does equal things."""

    def __init__(
        self,
        client: Client,
        demo: DemoFile,
        bank: Bank,
        dice: random.Random,
        street: Mapping[str, Running] = MappingProxyType({}),
    ) -> None:
        """Numbers of providers begin at the present second.

        `street` are the simulated providers of this process; without them citizens pay only where
        a link of ours leads.
        """
        self.client = client
        self.bank = bank
        self.dice = dice
        self.tally: Counter[str] = Counter()
        self.landed: list[Transfer] = []
        """What was paid at a gateway and landed on an account: the bank has yet to tell of it."""
        begun = int(datetime.now(UTC).timestamp()) - NUMBERS_BEGIN_S
        self._begun = begun
        self._number = begun * NUMBERS_PER_RUN
        self._street = street
        self._gateways = {
            name: terms(demo.merchants[name]) for name in GATEWAYS if name in demo.merchants
        }
        self._feeds = {one.merchant: one for one in demo.merchants_of("sepay")}

    def gateway(self, unit: Unit) -> str:
        """The gateway that the next citizen of a unit chooses."""
        open_ = [
            name
            for name in self._gateways
            if unit.book.book_id in served_books(name)
            and (name in self._street or isinstance(CATALOG[name], MakesCheckout))
        ]
        return self.dice.choices(open_, [GATEWAYS[name].share for name in open_])[0]

    def number(self) -> int:
        """A number that no provider gave before."""
        self._number += 1
        return self._number

    def document(self) -> str:
        """A bank's reference that it gave to no other movement; it names its own kind."""
        return f"VCB.{self.number()}"

    async def record(self, dossier: Dossier) -> Owed:
        """Record what a dossier owes, as the one-stop does."""
        notice = await self.client.ask(
            "POST",
            "/v1/fee-notices",
            Notice,
            body=dossier.body,
            key=f"notice-{self._begun}-{dossier.code}",
        )
        self.tally["notices"] += 1
        return Owed(dossier=dossier, notice=notice)

    async def request(self, owed: Owed, provider: str) -> Request:
        """Ask for a way to pay a notice."""
        self.tally["requests"] += 1
        return await self.client.ask(
            "POST",
            "/v1/payment-requests",
            Request,
            body={"notice_ids": [owed.notice.id], "provider": provider},
            key=f"pay-{self._begun}-{owed.dossier.code}-{provider}",
        )

    async def receipt(self, owed: Owed, method: str, at: datetime) -> None:
        """Take cash or a card at the counter."""
        await self.client.ask(
            "POST",
            "/v1/counter-receipts",
            dict[str, object],
            body={
                "notice_id": owed.notice.id,
                "method": method,
                "amount_vnd": owed.notice.outstanding_vnd,
                "receipt_no": f"{owed.dossier.unit.book.code}-{self.number()}",
                "received_at": at,
            },
        )
        self.tally[f"counter {method}"] += 1

    async def exempt(self, owed: Owed) -> None:
        """Waive all of a notice."""
        body = {"reason": "Người có công với cách mạng", "decided_by": "Lãnh đạo Trung tâm"}
        path = f"/v1/fee-notices/{owed.notice.id}/exemption"
        await self.client.ask("POST", path, Notice, body=body)
        self.tally["exempted"] += 1

    async def cancel(self, owed: Owed) -> None:
        """Cancel a notice whose dossier was withdrawn."""
        path = f"/v1/fee-notices/{owed.notice.id}/cancellation"
        await self.client.ask("POST", path, Notice, body={"reason": "Người nộp rút hồ sơ"})
        self.tally["cancelled"] += 1

    async def pay_at_gateway(self, request: Request, at: datetime, mishap: str) -> None:
        """A citizen pays at the request's gateway, which calls us, with whatever goes wrong."""
        name = request.provider
        agreed = self._gateways[name]
        _, acts = acting(name)
        now = datetime.now(UTC)
        running = self._street.get(name)
        order = _order(running, request, now) if running else None
        code = order.order_code if order else request.reference
        number = str(self.number())
        document = self.document()
        account = UNITS[0].account if GATEWAYS[name].to_account else ""
        payment = Payment(
            order_code=code,
            transaction=document if account else number,
            amount_vnd=request.amount_vnd,
            paid_at=at.replace(microsecond=0),
            scope=(order.provider_reference if order else "") or code,
            memo=(order.description if order else "") or f"Nop phi le phi {request.reference}",
            bank_reference=document if account else f"BANK{number}",
            own_account=account,
            bank_brand=self.dice.choice(("NCB", "VCB", "BIDV", "AGRIBANK", "TCB", "MBBANK")),
        )
        happened = mishaps.at_gateway(self.dice, payment, acts, agreed, mishap, now=now)
        if running is not None:
            running.actor.remember(happened.payments)
        if account:
            self.landed += [_landed(one) for one in happened.payments if one.status == "paid"]
        for call in happened.calls:
            self._answered(name, await self.client.deliver(call))
        if not happened.calls:
            self.tally[f"{name} lost"] += 1

    def transfer(
        self, unit: Unit, amount_vnd: int, at: datetime, memo: str, mishap: str = ""
    ) -> list[Transfer]:
        """What a transfer to (or, if negative, from) a unit's account becomes."""
        if mishap == "wrong_amount":
            amount_vnd = mishaps.other_amount(self.dice, amount_vnd)
        moved = BankMovement(
            account=unit.account,
            booked_at=at,
            direction="in" if amount_vnd > 0 else "out",
            amount_vnd=abs(amount_vnd),
            document=self.document(),
            memo=memo,
        )
        one = Transfer(
            unit=unit,
            moved=moved,
            told=self.dice.randint(2, mishaps.COPIES_MAX) if mishap == "duplicate" else 1,
            forged_first=mishap == "forged_first",
            late=mishap == "late",
            with_reference=self.dice.random() >= FEED_KEEPS_QUIET,
        )
        if mishap == "lost":
            return [msgspec.structs.replace(one, told=0)]
        if mishap != "twice":
            return [one]
        again = msgspec.structs.replace(moved, document=self.document())
        return [one, msgspec.structs.replace(one, moved=again)]

    async def tell(self, transfer: Transfer) -> None:
        """The bank feed tells us of a movement, as often as it does."""
        moved = transfer.moved
        told = Payment(
            order_code=None,
            transaction=str(self.number()),
            amount_vnd=moved.amount_vnd,
            paid_at=moved.booked_at,
            status="credit" if moved.direction == "in" else "debit",
            memo=moved.memo,
            own_account=moved.account,
            bank_reference=moved.document if transfer.with_reference else "",
            bank_brand="Vietcombank",
        )
        agreed = terms(self._feeds[transfer.unit.sepay_merchant])
        _, acts = acting("sepay")
        if transfer.forged_first:
            call = acts.call_as_provider(told, mishaps.forged(agreed), datetime.now(UTC))
            self._answered("sepay", await self.client.deliver(call))
        for _ in range(transfer.told):
            call = acts.call_as_provider(told, agreed, datetime.now(UTC))
            self._answered("sepay", await self.client.deliver(call))
        if not transfer.told:
            self.tally["sepay lost"] += 1

    def _answered(self, provider: str, response: httpx2.Response) -> None:
        """Count what a provider was answered."""
        word = str(response.status_code)
        if response.content and response.headers.get("content-type", "").endswith("json"):
            told = response.json()
            word = str(next((told[code] for code in CODES if code in told), word))
        self.tally[f"{provider} calls"] += 1
        self.tally[f"{provider} {word}"] += 1


def _order(running: Running, request: Request, now: datetime) -> Order | None:
    """The order as the provider knows it: opened by the service, or by the citizen's link."""
    actor = running.actor
    if request.redirect_url and isinstance(actor.adapter, ReadsOwnLinks):
        query = urlsplit(request.redirect_url).query
        try:
            return actor.order_of_link(Call(method="GET", path="/", raw_query=query.encode()))
        except ValueError as odd:
            raise DemoProblem(
                f"The demo's {request.provider} does not take its checkout link: {odd}."
                " It signs with the secrets of demo.json, and no others."
            ) from None
    code = request.reference
    if isinstance(actor.adapter, NamesOrders):
        code = actor.adapter.order_code(request.reference, request.numeric_reference, now)
    return actor.shop.orders.get(code)


def _landed(payment: Payment) -> "Transfer":
    """What the bank and its feed will tell of money that a gateway sent to our account."""
    return Transfer(
        unit=UNITS[0],
        moved=BankMovement(
            account=payment.own_account,
            booked_at=payment.paid_at,
            direction="in",
            amount_vnd=payment.amount_vnd,
            document=payment.bank_reference,
            memo=payment.memo,
        ),
    )


def terms(merchant: DemoMerchant) -> Terms:
    """What a merchant of the demo signs with."""
    return Terms(
        merchant=merchant.merchant,
        secrets=[Secret(text) for text in merchant.secrets],
        credentials={name: Secret(text) for name, text in merchant.credentials.items()},
        options=merchant.settings,
        mode=merchant.mode,
    )


async def each(
    items: Iterable[Item], do: Callable[[Item], Awaitable[Result]], at_once: int = AT_ONCE
) -> Sequence[Result]:
    """Do something with every item, a few at once; results in the order of the items."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with gate:
            return await do(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
