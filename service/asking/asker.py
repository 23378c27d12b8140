"""Ask providers about payment requests that stay silent, rung by rung, until there is an answer.

What an answer says is booked by the intake, as if the provider had called. A question is claimed
and its request id committed before anything is sent, so that a worker that dies loses nothing:
its lease ends, and another one asks. What is said twice is a repeat.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import AsksStatus, Outcome, StatusQuestion
from providers.catalog import CATALOG
from service.asking import figures, questions
from service.asking.answering import NoAnswer, ask
from service.asking.ladder import AFTER_EXPIRY, next_rung
from service.asking.questions import Heard, Question
from service.asking.words import HELD, SILENT, Meaning, meaning, summary
from service.intake.group_commit import utc_now
from service.intake.intake import Intake
from service.outbound import Outbound
from service.outbound.sending import jittered

AT_ONCE_MAX: Final = 4
"""Questions to one provider under way in one process; citizens' checkouts share its slots."""
TURNS_MAX: Final = 1_000
"""Claims in one go; the rest waits for the next one."""
SOON: Final = timedelta(minutes=1)
"""When a question comes again that was not sent, or whose answer could not be booked yet."""
CLIENT_IP: Final = "127.0.0.1"
"""VNPAY wants to know where a question comes from; it does not look at it."""

log = structlog.get_logger(__name__)


def askable() -> list[str]:
    """The providers of the catalogue that can be asked."""
    return [name for name, adapter in CATALOG.items() if isinstance(adapter, AsksStatus)]


class Asker:
    """Asks; one per process. The clock is injected: nothing here sleeps."""

    def __init__(
        self,
        engine: AsyncEngine,
        intake: Intake,
        outbound: Outbound,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._outbound = outbound
        self._clock = clock

    async def ask_due(self, provider: str) -> int:
        """Ask `provider` all that is due now; how many questions were asked or found answered."""
        done = 0
        for book_id in await questions.books_due(self._engine, provider, self._clock()):
            for _ in range(TURNS_MAX):
                claimed = await questions.claim(
                    self._engine, book_id, provider, self._clock(), AT_ONCE_MAX
                )
                figures.HEARD.labels(provider, "by itself").inc(claimed.settled)
                heard = await self._ask_all(claimed.asked)
                done += len(claimed.asked) + claimed.settled
                if heard and all(one.unsent for one in heard):
                    return done  # it is left alone: no use in going through all that is due
                if not claimed.more:
                    break
        return done

    async def ask_one(self, reference: str) -> tuple[Question, Heard] | None:
        """Ask about one payment request now, whatever its state.

        None where there is no such question, or another worker is asking it.
        """
        question = await questions.claim_one(self._engine, reference, self._clock())
        if question is None:
            return None
        return question, await self._ask(question)

    async def hear_late(self) -> int:
        """End the cases of those that were answered after all; how many."""
        return await questions.hear_late(self._engine, self._clock())

    async def _ask_all(self, claimed: Sequence[Question]) -> list[Heard]:
        found = await asyncio.gather(*map(self._ask, claimed), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one  # the database is away; the lease gives the question back
        return [one for one in found if isinstance(one, Heard)]

    async def _ask(self, question: Question) -> Heard:
        try:
            heard = await self._heard(question)
        except NoAnswer as problem:
            figures.HEARD.labels(question.provider, "no answer").inc()
            heard = self._go_on(question, None, problem.why, unsent=problem.unsent)
        await questions.record(self._engine, question, heard, self._clock())
        log.info(
            "asked",
            provider=question.provider,
            state=heard.state,
            answer=heard.answer,
            problem=heard.problem,
        )
        return heard

    async def _heard(self, question: Question) -> Heard:
        adapter: object = CATALOG.get(question.provider)
        if not isinstance(adapter, AsksStatus):
            raise NoAnswer("the provider is not in this build")
        merchant = await self._intake.directory.by_id(question.merchant_id)
        if merchant is None:
            raise NoAnswer("the merchant is disabled")
        told = StatusQuestion(
            request_id=question.request_id,
            order_code=question.order_code,
            ordered_at=question.opened_at,
            client_ip=CLIENT_IP,
            provider_reference=question.provider_reference,
            amount_vnd=question.amount_vnd,
        )
        claims, call = await ask(
            self._outbound,
            question.provider,
            lambda: adapter.status_request(told, merchant.terms, self._clock()),
            lambda body: adapter.read_status(body, told, merchant.terms),
        )
        answer = summary(claims)
        news = [claim for claim in claims if claim.status not in SILENT]
        if news and await self._intake.tell(merchant, call, news) is Outcome.TRY_AGAIN:
            figures.HEARD.labels(question.provider, "not booked").inc()
            return Heard(
                state=question.state,
                next_at=self._soon(question) if question.state == "waiting" else None,
                answer=answer,
                problem="the answer could not be booked yet",
            )
        said = meaning(claim.status for claim in claims)
        figures.HEARD.labels(question.provider, said).inc()
        if self._is_settled(question, said):
            return Heard(state="answered", answer=answer)
        return self._go_on(question, answer, None, failing=said == "failing")

    def _is_settled(self, question: Question, said: Meaning) -> bool:
        """The last word; or the provider never heard of an order that nobody was able to pay."""
        over = question.expires_at is None or question.expires_at <= self._clock()
        if said == "unknown":
            return over and not question.can_be_paid
        return said == "done" or (said == "failing" and over)

    def _go_on(
        self,
        question: Question,
        answer: str | None,
        problem: str | None,
        *,
        unsent: bool = False,
        failing: bool = False,
    ) -> Heard:
        """The next rung, or the end of the ladder.

        After a failure it is the rung at the order's expiry. What is held has a case already, and
        what the provider called about has an end, whether it answers or not.
        """
        heard = Heard(state=question.state, answer=answer, problem=problem, unsent=unsent)
        if question.state != "waiting":
            return heard
        following = self._following(question)
        if following is None:
            known = HELD in (answer or "") or question.heard is not None
            return msgspec.structs.replace(heard, state="answered" if known else "ended")
        if failing and question.expires_at is not None:
            following = max(following, question.expires_at + AFTER_EXPIRY)
        elif unsent:
            following = min(following, self._soon(question))
        return msgspec.structs.replace(heard, next_at=following)

    def _following(self, question: Question) -> datetime | None:
        now = self._clock()
        return next_rung(question.provider, question.opened_at, question.expires_at, now)

    def _soon(self, question: Question) -> datetime:
        soon = self._clock() + timedelta(seconds=jittered(SOON.total_seconds()))
        return min(soon, self._following(question) or soon)
