"""People, merchants, paid notices and a provider, for tests of refunds."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from ledger.proof import Finding
from providers import Call
from providers.acting import Order as ShopOrder
from providers.acting import Payment, Shop
from providers.contract import Terms
from providers.signing import hmac_sha512
from providers.vnpay import ADAPTER
from providers.vnpay_api import ANSWER_FIELDS
from service import merchants
from service.access.principals import Principal, Role, scopes_of
from service.database import transaction
from service.intake import inbox
from service.intake.deliveries import Delivery
from service.intake.directory import Directory
from service.merchants import NewMerchant
from service.outbound import Outbound
from service.payments.booking import book
from service.payments.sightings import Sighting
from service.proof import prove
from service.refunds import actions, queries
from service.refunds.actions import Desk
from service.refunds.messages import NewOutcome, NewRefund, NewReturn, Refund
from service.refunds.sending import Sender
from service.sealing import Sealer
from service.settings import Settings
from tests.makers import NOW, Made, make_account, make_owed

MASTER_KEY: Final = bytes(range(32))
SECRET: Final = "a-secret-of-the-terminal"
TERMINAL: Final = "HUEREFND"

Fault: TypeAlias = Literal["lost", "late", "nothing", "forged", "duplicate", "refused"]
"""Late: without an answer, and a question about it comes to VNPAY before it does."""

ADD_PERSON = sa.text("""
    insert into service.staff (id, username, password_hash, roles, books, created_at)
    values (:id, :name, 'x', cast(:roles as text[]), cast(:books as integer[]), :now)
""")
STATEMENT_LINE = sa.text("""
    insert into service.statement_line (book_id, id, statement_id, ordinal, bank_account_id,
        value_date, direction, amount_vnd, fingerprint, occurrence, memo_sealed, recorded_at)
    values (:book_id, :id, :id, 1, :account, :on, :direction, :amount_vnd, :print, 1, '', :now)
""")
CALL = sa.text("""
    insert into service.call (book_id, id, merchant_id, received_at, sealed)
    values (:book_id, :id, (select min(id) from service.merchant), :now, '')
""")
EVENT = sa.text("""
    insert into service.event (book_id, id, call_id, merchant_id, provider_txn, status, amount_key,
        amount_vnd, happened_at, recorded_at, outcome, movement_id)
    values (:book_id, :id, :id, (select min(id) from service.merchant),
        cast(cast(:id as uuid) as text), :status, cast(cast(:amount_vnd as bigint) as text),
        :amount_vnd, :now, :now, 'booked', :movement_id)
""")
LINES = sa.text("""
    select entry.kind, line.debit, line.credit, line.amount_vnd
    from ledger.line as line
    join ledger.entry as entry on entry.book_id = line.book_id and entry.id = line.entry_id
    where entry.book_id = :book_id
      and entry.kind not in ('fee_assessed', 'money_in', 'fee_added')
    order by entry.id, line.position
""")


async def person(connection: AsyncConnection, name: str, *roles: Role) -> Principal:
    """Somebody of the staff, for both books."""
    found = Principal(
        kind="staff",
        id=uuid7(),
        name=name,
        books=frozenset({1, 2}),
        scopes=scopes_of(roles),
        roles=frozenset(roles),
    )
    row = {"id": found.id, "name": name, "roles": list(roles), "books": [1, 2], "now": NOW}
    await connection.execute(ADD_PERSON, row)
    return found


ONE_STOP: Final = Principal(
    kind="api_key",
    id=uuid7(),
    name="one-stop",
    books=frozenset({1, 2}),
    scopes=frozenset({"refunds:ask", "refunds:read"}),
)


class Provider:
    """VNPAY's own side over real HTTP: what it remembers, and what goes wrong with its answers."""

    def __init__(self) -> None:
        """Begin with an empty shop; `faults` are taken one by one, each by one refund order."""
        self.shop = Shop()
        self.faults: list[Fault] = []
        self.question_faults: list[Fault] = []
        self.front_faults: list[int] = []
        self.refusal: tuple[str, str] | None = None
        """A signed error to everything that is asked: its code and its words."""
        self.orders: list[bytes] = []
        self.on_its_way: Call | None = None
        self.questions = 0
        self.terms = Terms(merchant=TERMINAL, secrets=(SECRET,))  # type: ignore[arg-type]
        self.now = NOW

    def answer(self, call: Call) -> tuple[int, bytes] | None:
        """What is sent back; None: the connection ends without a word."""
        if b'"refund"' not in call.body:
            self.questions += 1
            fault = self.question_faults.pop(0) if self.question_faults else None
            told = self._served(call)
            if self.on_its_way is not None:
                self._served(self.on_its_way)
                self.on_its_way = None
            return {"lost": None, "forged": (200, b"{}")}.get(str(fault), told)
        self.orders.append(call.body)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "late":
            self.on_its_way = call
        if fault in {"nothing", "late"}:
            return None
        if fault == "refused":
            self.shop.payments = [
                msgspec.structs.replace(one, status="failed") for one in self.shop.payments
            ]
        status, body = self._served(call)
        if fault == "duplicate":
            return self._served(call)
        forged = (200, body.replace(b'"00"', b'"01"', 1))
        return {"lost": None, "forged": forged}.get(str(fault), (status, body))

    def _served(self, call: Call) -> tuple[int, bytes]:
        if self.refusal is not None:
            return 200, self._refused(call)
        told = ADAPTER.serve_as_provider(call, self.shop, self.terms, self.now)
        return self.front_faults.pop(0) if self.front_faults else told.status, told.body

    def _refused(self, call: Call) -> bytes:
        code, message = self.refusal or ("", "")
        command = "refund" if b'"refund"' in call.body else "querydr"
        fields = {
            "vnp_Command": command,
            "vnp_ResponseCode": code,
            "vnp_Message": message,
            "vnp_TmnCode": TERMINAL,
        }
        text = "|".join(fields.get(name, "") for name in ANSWER_FIELDS[command]).encode()
        digest = hmac_sha512(self.terms.secrets[0], text)
        return msgspec.json.encode({**fields, "vnp_SecureHash": digest})

    def pay(self, order_code: str, amount_vnd: int, *numbers: str) -> None:
        """Citizens pay an order, once for each number."""
        self.shop.orders[order_code] = ShopOrder(
            order_code=order_code, amount_vnd=amount_vnd, opened_at=NOW
        )
        self.shop.payments += [
            Payment(order_code=order_code, transaction=number, amount_vnd=amount_vnd, paid_at=NOW)
            for number in numbers
        ]

    def finish(self, state: Literal["done", "failed"] = "done") -> None:
        """Every refund that is under way ends."""
        for request_id, refund in self.shop.refunds.items():
            if refund.state == "processing":
                self.shop.refunds[request_id] = msgspec.structs.replace(refund, state=state)


@contextmanager
def served(provider: Provider) -> Iterator[str]:
    """Serve it on a free port; the address of its API."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            found = provider.answer(Call(method="POST", path=self.path, body=body))
            if found is None:
                self.close_connection = True
                return
            status, answer = found
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/merchant_webapi/api/transaction"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Office:
    """Two makers, two checkers, a clock, and everything they can do about refunds."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Work on a database with two open books."""
        self.engine = engine
        self.sealer = Sealer(MASTER_KEY)
        self.settings = Settings()
        self.now = NOW + timedelta(hours=1)
        self.people: dict[str, Principal] = {}

    async def open(self, api_address: str = "http://127.0.0.1:9/none") -> None:
        """People, a merchant of the first book that serves both, and a bank account."""
        async with transaction(self.engine) as connection:
            for name, role in (
                ("maker", "maker"),
                ("maker2", "maker"),
                ("checker", "checker"),
                ("checker2", "checker"),
                ("both", "maker"),
            ):
                roles: list[Role] = [role, "checker"] if name == "both" else [role]  # type: ignore[list-item]
                self.people[name] = await person(connection, name, *roles)
            merchant = NewMerchant(
                provider="vnpay",
                merchant=TERMINAL,
                book_id=1,
                serves=[1, 2],
                secrets=[SECRET],
                settings={"api_address": api_address},
            )
            await merchants.add(connection, self.sealer, merchant, NOW)
            self.account = await make_account(connection, 1)

    def desk(self, name: str) -> Desk:
        """Somebody at their desk, now."""
        caller = self.people.get(name, ONE_STOP)
        return Desk(caller=caller, sealer=self.sealer, settings=self.settings, now=self.now)

    async def owed(self, book_id: int, *amounts: int) -> Made:
        """A notice with a payment request."""
        async with transaction(self.engine) as connection:
            return await make_owed(connection, book_id, *amounts)

    async def paid(
        self, owed: Made, amount_vnd: int | None = None, *, number: int = 14_000_001
    ) -> UUID:
        """A believed call of the gateway about a payment of it; the movement."""
        payment = Payment(
            order_code=owed.reference,
            transaction=str(number),
            amount_vnd=amount_vnd or owed.amount_vnd,
            paid_at=NOW,
        )
        return await self.called(payment)

    async def called(self, payment: Payment) -> UUID:
        """Take the provider's call about a payment; the movement that it became."""
        async with transaction(self.engine) as connection:
            directory = Directory(self.engine, self.sealer)
            merchant = await directory.merchant("vnpay", TERMINAL)
            assert merchant is not None
            call = ADAPTER.call_as_provider(payment, merchant.terms, NOW)
            claims = tuple(ADAPTER.read(call, merchant.terms, NOW))
            delivery = Delivery(
                id=uuid7(), merchant=merchant, call=call, claims=claims, received_at=NOW
            )
            await inbox.commit_group(
                connection, [delivery], directory=directory, sealer=self.sealer, now=NOW
            )
            found = await connection.scalar(
                sa.text("select movement_id from service.event where call_id = :id"),
                {"id": delivery.id},
            )
        return UUID(str(found))

    async def ask(self, name: str, notice_id: UUID, new: NewRefund) -> Refund:
        """Wish for or propose a refund."""
        async with transaction(self.engine) as connection:
            done = await actions.ask(connection, self.desk(name), notice_id, new)
        return msgspec.json.decode(done.body, type=Refund)

    async def give_back(self, name: str, new: NewReturn) -> Refund:
        """Propose to give back money that belongs to no notice."""
        async with transaction(self.engine) as connection:
            done = await actions.give_back(connection, self.desk(name), new)
        return msgspec.json.decode(done.body, type=Refund)

    async def decide(
        self, name: str, refund_id: UUID, verdict: Literal["approved", "rejected"] = "approved"
    ) -> Refund:
        """Approve or reject what is proposed."""
        async with transaction(self.engine) as connection:
            done = await actions.decide(connection, self.desk(name), refund_id, verdict, None)
        return msgspec.json.decode(done.body, type=Refund)

    async def take_up(self, name: str, refund_id: UUID) -> Refund:
        """Make a wish a proposal."""
        async with transaction(self.engine) as connection:
            done = await actions.take_up(connection, self.desk(name), refund_id)
        return msgspec.json.decode(done.body, type=Refund)

    async def outcome(self, name: str, refund_id: UUID, new: NewOutcome) -> Refund:
        """Say how a part ended."""
        async with transaction(self.engine) as connection:
            done = await actions.propose_outcome(connection, self.desk(name), refund_id, new)
        return msgspec.json.decode(done.body, type=Refund)

    async def refund(self, notice_id: UUID, new: NewRefund) -> Refund:
        """Propose and approve."""
        proposed = await self.ask("maker", notice_id, new)
        return await self.decide("checker", proposed.id)

    async def found(self, refund_id: UUID) -> Refund:
        """How a refund stands."""
        async with self.engine.connect() as connection:
            (one,) = await queries.refunds(
                connection, self.sealer, self.people["maker"], [refund_id]
            )
        return one

    @staticmethod
    def found_due(refund: Refund) -> datetime:
        """Some time after which the worker asks again."""
        return refund.updated_at + timedelta(hours=2)

    async def lines(self, book_id: int = 1) -> list[tuple[str, str, str, int]]:
        """What was booked apart from fees and money in: kind, debit, credit, amount."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(LINES, {"book_id": book_id})
            return [tuple(row) for row in rows]

    async def value(self, statement: str, **values: object) -> object:
        """One value of the database."""
        async with self.engine.connect() as connection:
            return await connection.scalar(sa.text(statement), values)

    async def notice(self, notice_id: UUID) -> tuple[str, int, int, int]:
        """Status, paid, refunded and held of a notice."""
        async with self.engine.connect() as connection:
            row = (
                await connection.execute(
                    sa.text(
                        "select status, paid_vnd, refunded_vnd, held_vnd"
                        " from service.notice_state where notice_id = :id"
                    ),
                    {"id": notice_id},
                )
            ).one()
        return tuple(row)

    async def book(self, *sightings: Sighting) -> None:
        """Book sightings as one group, with the rows of the windows that they were seen in."""
        async with transaction(self.engine) as connection:
            booked = await book(connection, sightings, now=self.now)
            for seen, became in zip(sightings, booked, strict=True):
                row = {
                    "book_id": seen.book_id,
                    "id": seen.id,
                    "direction": seen.direction,
                    "amount_vnd": seen.amount_vnd,
                    "account": seen.bank_account_id,
                    "on": seen.happened_on,
                    "print": seen.id.bytes * 2,
                    "status": "credit" if seen.direction == "in" else "debit",
                    "movement_id": became.movement_id,
                    "now": self.now,
                }
                for statement in (STATEMENT_LINE,) if seen.view == "statement" else (CALL, EVENT):
                    names = set(statement.compile().params)
                    await connection.execute(statement, {n: row[n] for n in names})

    async def proven(self) -> list[Finding]:
        """What breaks an invariant."""
        return [finding async for finding in prove(self.engine)]

    def _seconds(self) -> float:
        return self.now.timestamp()

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Sender]:
        """A worker's sender on the office's clock."""
        async with Outbound(clock=self._seconds) as outbound:
            yield Sender(self.engine, self.sealer, outbound, lambda: self.now)

    async def work(self, times: int = 1, step: timedelta = timedelta()) -> None:
        """Let the worker work, and time pass after each turn."""
        async with self.sender() as sender:
            for _ in range(times):
                await sender.work()
                self.now += step
