"""Tell providers to give money back: each refund once, followed until its answer is final.

The request id is ours and kept; "sending" is committed before the network is touched. Whatever is
not a final answer (a timeout, an error, a reply nobody signed) leads to the question, never to a
second order; only a provider that twice never heard of it is told again, under the same id.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from providers import SignedRequest
from providers.abilities import Refunds
from providers.contract import Claim, Rejected, Terms, Unanswered
from service import merchants
from service.asking.answering import problem
from service.outbound import CircuitOpen, Crowded, Outbound, Unreachable
from service.payments import refund_loading, refunding
from service.payments.refunding import Step
from service.refunds import ladder, outcomes, rows, work
from service.refunds.routing import refunder
from service.refunds.rows import Ended
from service.refunds.work import Claimed
from service.sealing import Sealer

EVERY_S: Final = 5.0
AT_ONCE: Final = 4
CLAIMED_MAX: Final = 16

log = structlog.get_logger(__name__)


class Sender:
    """Moves on what is due; several may run at once, in one process or in many."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        outbound: Outbound,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._outbound = outbound
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def work(self) -> int:
        """Claim what is due and move it on; how many parts were touched."""
        async with self._engine.begin() as connection:
            claimed = await work.claim(connection, self._clock(), CLAIMED_MAX)
        turns = [asyncio.ensure_future(self._one(part)) for part in claimed]
        if turns:
            await asyncio.wait(turns)
        for turn in turns:
            turn.result()  # what broke is raised; its lease ends, and the part comes back
        return len(claimed)

    async def _one(self, part: Claimed) -> None:
        async with self._slots:
            adapter = refunder(part.provider)
            terms = await self._terms(part)
            if terms is None or adapter is None:
                await self._wait(part, part.status, ("no_answer", "no merchant"), asked=True)
            elif part.status == "approved":
                await self._send(part, adapter, terms)
            else:
                await self._ask(part, adapter, terms)

    async def _terms(self, part: Claimed) -> Terms | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(work.MERCHANT, {"id": part.merchant_id})).one()
            found = await merchants.find(connection, self._sealer, row.provider, row.merchant)
        return found.terms if found is not None else None

    async def _send(self, part: Claimed, adapter: Refunds, terms: Terms) -> None:
        """Say that it is sent, then send it, once."""
        now = self._clock()
        order = part.order(part.first_sent_at or now)
        try:
            request = adapter.refund_request(order, terms, now)
        except ValueError as error:
            await self._fail(part, f"not sent: {error}")
            return
        async with self._engine.begin() as connection:
            first = await work.about_to_send(connection, part, now)
        if first is None:
            return
        try:
            claim = adapter.read_refund(await self._reply(part, request), order, terms)
        except Unreachable as error:
            if error.unsent:
                await self._wait(part, "approved", ("unsent", None), asked=True)
            else:
                await self._wait(part, "unknown", ("no_answer", problem(error)), asked=False)
        except (Rejected, Unanswered) as error:
            await self._wait(part, "unknown", ("no_answer", problem(error)), asked=False)
        else:
            await self._take(part, claim, asked=False)

    async def _ask(self, part: Claimed, adapter: Refunds, terms: Terms) -> None:
        """Ask what became of it; never say it again while the provider may know of it."""
        now = self._clock()
        order = part.order(part.first_sent_at or now)
        try:
            reply = await self._reply(part, adapter.refund_question(order, terms, now))
            claim = adapter.read_refund_answer(reply, order, terms)
        except (CircuitOpen, Crowded) as error:
            # Nothing was asked: it takes no rung of the ladder.
            await self._wait(part, _unsure(part), ("unsent", str(error)), asked=False)
            return
        except (Unreachable, Rejected, Unanswered) as error:
            await self._wait(part, _unsure(part), ("no_answer", problem(error)), asked=True)
            return
        except Exception as defect:
            # Such as a question that cannot be made any more: it takes its rungs, too.
            log.exception("refund.defect", provider=part.provider, refund=str(part.refund_id))
            why = f"defect: {type(defect).__name__}"
            await self._wait(part, _unsure(part), ("no_answer", why), asked=True)
            return
        if claim is None or await self._is_older(part, claim):
            await self._unheard(part)
        elif await self._may_be_older(part, claim):
            why = "the answer may be about an earlier refund"
            await self._wait(part, _unsure(part), ("no_answer", why), asked=True)
        else:
            await self._take(part, claim, asked=True)

    async def _reply(self, part: Claimed, request: SignedRequest) -> bytes:
        """What the provider's service says; an error of its front is no word about money.

        Not every provider signs its answers: they are believed for the connection's sake.
        """
        reply = await self._outbound.send(part.provider, request)
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise Unreachable(f"http {reply.status}")
        return reply.body

    async def _is_older(self, part: Claimed, claim: Claim) -> bool:
        """Whether the answer tells of an earlier refund of the same order, by its number."""
        async with self._engine.connect() as connection:
            earlier = await work.earlier(connection, part)
        return any(claim.transaction == number for number, _ in earlier)

    async def _may_be_older(self, part: Claimed, claim: Claim) -> bool:
        """Whether it may: without a number of its own, and an earlier one had the same amount."""
        if claim.transaction != part.transaction_no:
            return False
        async with self._engine.connect() as connection:
            earlier = await work.earlier(connection, part)
        return any(amount_vnd == part.amount_vnd for _, amount_vnd in earlier)

    async def _unheard(self, part: Claimed) -> None:
        """The provider never heard of it: told so twice, we may send it again, under the same id.

        Once is not enough: the order may still be on its way through the provider's own house.
        """
        if part.status == "processing" or part.sends >= ladder.SENDS_MAX:
            await self._wait(part, _unsure(part), ("unheard", None), asked=True)
            return
        async with self._engine.connect() as connection:
            again = await work.is_unheard_already(connection, part)
        status = "approved" if again else _unsure(part)
        await self._wait(part, status, ("unheard", None), asked=True, soon=ladder.AGAIN_AFTER)

    async def _take(self, part: Claimed, claim: Claim, *, asked: bool) -> None:
        """What the provider says: final, or on its way."""
        if claim.status in {"refunded", "refund_failed"} and claim.amount_vnd not in {
            None,
            part.amount_vnd,
        }:
            why = f"the answer is about {claim.amount_vnd} đồng"
            await self._wait(part, _unsure(part), ("no_answer", why), asked=asked)
        elif claim.status == "refunded":
            await self._pay(part, claim)
        elif claim.status == "refund_failed":
            await self._fail(part, "the provider refused")
        else:
            await self._wait(part, "processing", ("answered", claim.status), asked=asked)

    async def _wait(  # how a part goes on
        self,
        part: Claimed,
        status: str,
        step: tuple[str, str | None],
        *,
        asked: bool,
        soon: timedelta | None = None,
    ) -> None:
        async with self._engine.begin() as connection:
            if await self._still_open(connection, part):
                await work.wait(
                    connection, part, status, step, self._clock(), asked=asked, soon=soon
                )

    async def _still_open(self, connection: AsyncConnection, part: Claimed) -> bool:
        """Lock the refund and its part; whether no other worker has ended it meanwhile."""
        refund = (await rows.find(connection, [part.book_id], part.refund_id)).refund
        await rows.lock(connection, refund)
        found = await rows.lock_part(connection, refund, part.part)
        return found is not None and found.status not in {"paid", "failed"}

    async def _pay(self, part: Claimed, claim: Claim) -> None:
        """Final: the money is on its way to the payer."""
        now = self._clock()
        on = claim.happened_at or now
        async with self._engine.begin() as connection:
            refund = (await rows.find(connection, [part.book_id], part.refund_id)).refund
            money = (refund.book_id, refund.movement_id)
            locked = await refund_loading.load(connection, money, refund.notice)
            if not await self._still_open(connection, part):
                return
            step = Step(part=part.part, amount_vnd=part.amount_vnd, name="paid", at=on)
            await refunding.pay_by_provider(connection, refund, locked, step, now)
            number = claim.transaction if claim.transaction != part.transaction_no else None
            ended = Ended(status="paid", refund_no=number)
            await rows.end_part(connection, refund, part.part, ended, now)
            await work.note(connection, part, "paid", now)

    async def _fail(self, part: Claimed, detail: str) -> None:
        """Final: the provider gives nothing back."""
        now = self._clock()
        async with self._engine.begin() as connection:
            refund = (await rows.find(connection, [part.book_id], part.refund_id)).refund
            money = (refund.book_id, refund.movement_id)
            locked = await refund_loading.load(connection, money, refund.notice)
            if not await self._still_open(connection, part):
                return
            found = await rows.lock_part(connection, refund, part.part)
            if found is not None:
                await outcomes.fail(
                    connection, refund, locked, found, now, actor=rows.SYSTEM, detail=detail
                )
                log.warning("refund.failed", provider=part.provider, refund=str(part.refund_id))


def _unsure(part: Claimed) -> str:
    """How a part stands after no answer: what was processing still is."""
    return "processing" if part.status == "processing" else "unknown"
