"""The questions as rows: claim what is due, record what was heard, end with a case or an answer.

Nothing here is slow: no transaction is open while a provider is asked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.asking import queries
from service.asking.ladder import AFTER_EXPIRY, CASE_DUE_AFTER, CASE_OWNER
from service.asking.words import DONE, FAILING
from service.database import transaction
from service.payments.cases import open_cases, resolve_cases
from service.payments.sightings import Case, FieldVerdict

LEASE: Final = timedelta(minutes=5)
"""Longer than any one question takes, with all its repeats."""
BOOKS_MAX: Final = 10_000
LOOKED_AT_MAX: Final = 100
"""Due questions looked at together: a callback answers nearly all before their first rung."""
PAGE: Final = 500
NO_ID: Final = UUID(int=0)
NO_ANSWER: Final = "NO_ANSWER"
PROBLEM_CHARS_MAX: Final = 200

State: TypeAlias = Literal["waiting", "answered", "ended"]

log = structlog.get_logger(__name__)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A payment request whose provider is asked, as it stood when it was claimed."""

    book_id: int
    reference: str
    id: UUID
    provider: str
    merchant_id: int
    merchant_book_id: int
    order_code: str
    opened_at: datetime
    expires_at: datetime | None
    state: State
    answer: str | None
    tries: int
    amount_vnd: int
    provider_reference: str | None
    can_be_paid: bool
    """Whether anybody was ever given a way to pay."""
    heard: str | None = None
    """The final word that the provider has said by itself, where it is no more than a failure."""
    request_id: str = ""
    case_id: UUID | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How a question ended: where it stands now, and when it is asked again."""

    state: State
    next_at: datetime | None = None
    answer: str | None = None
    problem: str | None = None
    unsent: bool = False
    """Nothing was sent: it counts as no try."""


async def books_due(engine: AsyncEngine, provider: str, now: datetime) -> list[int]:
    """The books in which a question to `provider` is due."""
    async with engine.connect() as connection:
        wanted = {"provider": provider, "now": now, "limit": BOOKS_MAX}
        return [int(one) for one in await connection.scalars(queries.DUE_BOOKS, wanted)]


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at what is due gave."""

    asked: list[Question]
    """To be asked now; each has its request id committed, and is ours for LEASE."""
    settled: int
    """Found answered, or put off."""
    more: bool
    """Whether there is more to look at."""


async def claim(
    engine: AsyncEngine, book_id: int, provider: str, now: datetime, limit: int
) -> Claimed:
    """Look at what is due, and claim up to `limit` questions; another worker passes them on.

    Those whose provider has told by itself what became of the money are settled instead. One that
    told of a failure is asked once more when the order has expired: a second try may have been
    paid.
    """
    wanted = {"book_id": book_id, "provider": provider, "now": now, "limit": LOOKED_AT_MAX}
    async with transaction(engine) as connection:
        rows = await connection.execute(queries.TAKE_DUE, wanted)
        taken = [_question(row) for row in rows]
        heard = await heard_of(connection, taken)
        settled = [one for one in heard if one.heard in DONE]
        await _settle(connection, settled, now)
        failed = [one for one in heard if one.heard in FAILING and _is_open(one, now)]
        await _postpone(connection, failed)
        gone = {one.id for one in (*settled, *failed)}
        silent = [one for one in heard if one.id not in gone]
        return Claimed(
            asked=await _lease(connection, silent[:limit], now),
            settled=len(gone),
            more=len(taken) == LOOKED_AT_MAX or len(silent) > limit,
        )


async def claim_one(engine: AsyncEngine, reference: str, now: datetime) -> Question | None:
    """The question of a reference, whatever its state; None where there is none, or it is taken."""
    async with transaction(engine) as connection:
        rows = await connection.execute(queries.TAKE_ONE, {"reference": reference, "now": now})
        taken = await _lease(connection, [_question(row) for row in rows], now)
        return taken[0] if taken else None


async def record(engine: AsyncEngine, question: Question, heard: Heard, now: datetime) -> None:
    """Write down how a question ended, in one transaction with its case, or the end of its case."""
    async with transaction(engine) as connection:
        row = {
            "book_id": question.book_id,
            "reference": question.reference,
            "request_id": question.request_id,
            "state": heard.state,
            "next_at": heard.next_at,
            "answer": heard.answer,
            "problem": heard.problem[:PROBLEM_CHARS_MAX] if heard.problem else None,
            "unsent": int(heard.unsent),
            "now": now,
        }
        if await connection.scalar(queries.RECORD, row) is None:
            return  # another worker asked after our lease had ended
        if heard.state == "ended" and question.state == "waiting":
            await open_cases(connection, [_case(question, heard, now)], now)
        elif heard.state == "answered":
            subject = (question.book_id, question.id, "answered")
            await resolve_cases(connection, [subject], now)


async def hear_late(engine: AsyncEngine, now: datetime) -> int:
    """End the cases of questions whose provider has spoken after all; how many."""
    async with engine.connect() as connection:
        wanted = {"reason": NO_ANSWER, "limit": BOOKS_MAX}
        books = [int(one) for one in await connection.scalars(queries.LATE_BOOKS, wanted)]
    ended = 0
    for book_id in books:
        after = NO_ID
        while True:
            async with transaction(engine) as connection:
                page = {"book_id": book_id, "reason": NO_ANSWER, "after": after, "limit": PAGE}
                rows = (await connection.execute(queries.UNANSWERED, page)).all()
                asked = [_question(row) for row in rows]
                settled = [one for one in await heard_of(connection, asked) if one.heard]
                await _settle(connection, settled, now)
                subjects = [(one.book_id, one.id, "answered") for one in settled]
                await resolve_cases(connection, subjects, now)
            ended += len(settled)
            if len(rows) < PAGE:
                break
            after = rows[-1].case_id
    return ended


async def heard_of(connection: AsyncConnection, asked: Sequence[Question]) -> list[Question]:
    """`asked`, each with the final word that its provider has said of the order by itself."""
    if not asked:
        return []
    rows = await connection.execute(
        queries.HEARD,
        {
            "books": [one.merchant_book_id for one in asked],
            "own_books": [one.book_id for one in asked],
            "merchants": [one.merchant_id for one in asked],
            "references": [one.reference for one in asked],
            "order_codes": [one.order_code for one in asked],
            "final": [*DONE, *FAILING],
        },
    )
    # What became of money says more than that another try failed.
    told = {
        row.position: min(row.statuses, key=lambda word: (word in FAILING, word)) for row in rows
    }
    return [
        msgspec.structs.replace(one, heard=told.get(position))
        for position, one in enumerate(asked, 1)
    ]


def _is_open(question: Question, now: datetime) -> bool:
    """Whether the order can still be paid at its provider."""
    return question.expires_at is not None and question.expires_at > now


async def _settle(connection: AsyncConnection, settled: Sequence[Question], now: datetime) -> None:
    if not settled:
        return
    await connection.execute(
        queries.ANSWERED,
        {
            "books": [one.book_id for one in settled],
            "references": [one.reference for one in settled],
            "statuses": [one.heard for one in settled],
            "now": now,
        },
    )


async def _postpone(connection: AsyncConnection, failed: Sequence[Question]) -> None:
    if not failed:
        return
    await connection.execute(
        queries.POSTPONE,
        {
            "books": [one.book_id for one in failed],
            "references": [one.reference for one in failed],
            "after": AFTER_EXPIRY,
        },
    )


async def _lease(
    connection: AsyncConnection, taken: Sequence[Question], now: datetime
) -> list[Question]:
    """`taken` with a new request id each: what is asked once more is a question of its own."""
    if not taken:
        return []
    leased = [msgspec.structs.replace(one, request_id=uuid4().hex) for one in taken]
    await connection.execute(
        queries.LEASE,
        {
            "books": [one.book_id for one in leased],
            "references": [one.reference for one in leased],
            "request_ids": [one.request_id for one in leased],
            "now": now,
            "until": now + LEASE,
        },
    )
    return leased


def _question(row: sa.Row[tuple[object, ...]]) -> Question:
    found = dict(row._mapping)  # noqa: SLF001 # SQLAlchemy's public name for it
    return msgspec.convert(found, Question, strict=False)


def _case(question: Question, heard: Heard, now: datetime) -> Case:
    """Nobody knows what became of an order: somebody must look it up, until a certain time."""
    answer = heard.answer or question.answer
    tries = question.tries + (0 if heard.unsent else 1)
    expired = question.expires_at is not None and question.expires_at <= now
    return Case(
        book_id=question.book_id,
        subject_kind="payment_request",
        subject_id=question.id,
        side="callback",
        reason=NO_ANSWER,
        provider=question.provider,
        external_id=question.reference,
        amount_vnd=question.amount_vnd,
        happened_at=question.opened_at,
        owner=CASE_OWNER,
        due_at=now + CASE_DUE_AFTER,
        fields=(
            FieldVerdict(
                name="status",
                expected="a final word",
                found=answer,
                verdict="differs" if answer else "missing",
            ),
            FieldVerdict(
                name="order", expected=None, found="expired" if expired else "open", verdict="weak"
            ),
            FieldVerdict(name="tries", expected=None, found=tries, verdict="weak"),
            FieldVerdict(name="problem", expected=None, found=heard.problem, verdict="weak"),
        ),
    )
