"""Rule R1 in a run: bank credits that are what providers pay out for their batches.

Looks over one snapshot, then books each payout in a transaction of its own, which re-checks under
lock. What is not unique from both sides stays in suspense, and the batch open, for people.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from service.database import snapshot, sqlstate
from service.matching.payouts import Batch, Credit, Payout, pair
from service.payments import settling
from service.payments.cases import end_cases, open_cases
from service.payments.sightings import Case, FieldVerdict
from service.problems import TRY_AGAIN
from service.reconciliation.applying import CLAIM, ITEM_KIND
from service.references import memo
from service.sealing import Sealer
from service.statements.lines import instant

RULE: Final = "R1"
LATE_DAYS: Final = timedelta(days=10)
"""How long after its due day a batch's money is still looked for by the machine."""
BATCHES_MAX: Final = 2_000
CREDITS_MAX: Final = 5_000
"""Of more, only those that equal a batch are looked at, and no sums."""
LATE: Final = ("PAYOUT_MISSING", "PAYOUT_MISMATCH")

OPEN: Final = sa.text("""
    select batch.id, batch.number, batch.receivable_vnd, batch.first_on, batch.due_on,
           merchant.provider, merchant.merchant, merchant.settings ->> 'payout_words' as words,
           exists (select from service.unmatched as live
                   where live.book_id = batch.book_id and live.subject_id = batch.id
                     and live.reason = 'PAYOUT_MISSING' and live.status <> 'resolved') as late
    from service.settlement_batch as batch
    join service.merchant as merchant on merchant.id = batch.merchant_id
    where batch.book_id = :book_id and batch.receivable_vnd > 0
      and not exists (
          select from service.settlement as file
          where file.book_id = batch.book_id and file.merchant_id = batch.merchant_id
            and file.status = 'importing')
    order by batch.last_on, batch.id limit :limit
""")

# Whole in suspense, and of no dossier or reference that a text of it could mean. A date beside a
# number looks like the end of a dossier code, and most payouts bear one.
CREDITS: Final = sa.text("""
    select movement.id, movement.amount_vnd, movement.value_date,
           array(select token.value from service.token
                 where token.book_id = money.book_id and token.movement_id = money.movement_id
                   and token.kind = 'name') as words
    from service.money_state as money
    join service.movement as movement
      on movement.book_id = money.book_id and movement.id = money.movement_id
    where money.book_id = :book_id and money.suspense_vnd > 0
      and money.suspense_vnd = money.amount_vnd and movement.direction = 'in'
      and movement.origin like 'account:%'
      and movement.value_date between :first_on and :until
      -- What only weak channels have told may never have come.
      and exists (
          select from service.sighting as seen
          where seen.book_id = money.book_id and seen.movement_id = money.movement_id
            and seen.outcome <> 'unproven')
      and (cast(:amounts as bigint[]) is null or movement.amount_vnd = any(:amounts))
      and not exists (
          select from service.token
          where token.book_id = money.book_id and token.movement_id = money.movement_id
            and token.kind not in ('name', 'trace', 'dossier_part'))
    order by movement.id limit :limit
""")

POPULAR: Final = sa.text("""
    select distinct amount_vnd from service.notice_state
    where book_id = :book_id and amount_vnd = any(cast(:amounts as bigint[]))
    union
    select distinct amount_vnd from service.payment_request
    where book_id = :book_id and amount_vnd = any(cast(:amounts as bigint[]))
""")

log = structlog.get_logger(__name__)


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: payouts that were booked (or would be), and their sum."""

    count: int = 0
    amount_vnd: int = 0


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    payouts: list[Payout]
    mismatches: list[Case]


async def pay(
    engine: AsyncEngine, sealer: Sealer | None, book_id: int, until: date, *, dry_run: bool
) -> Paid:
    """Book what is sure among the credits up to `until`; a dry run rolls each one back.

    `sealer` reads the merchants' setting `payout_words`; without one it counts for nothing.
    """
    async with snapshot(engine) as reading:
        found = await _find(reading, sealer, book_id, until)
    paid = Paid()
    now = datetime.now(UTC)
    for payout in found.payouts:
        if await _book(engine, book_id, payout, now, dry_run=dry_run):
            amount_vnd = sum(credit.amount_vnd for credit in payout.credits)
            paid = Paid(count=paid.count + 1, amount_vnd=paid.amount_vnd + amount_vnd)
    if found.mismatches and not dry_run:
        async with engine.begin() as connection:
            missing = [
                (book_id, one.subject_id, "PAYOUT_MISSING", "other money came")
                for one in found.mismatches
            ]
            await end_cases(connection, missing, now)
            await open_cases(connection, found.mismatches, now)
    return paid


async def _find(
    connection: AsyncConnection, sealer: Sealer | None, book_id: int, until: date
) -> _Found:
    rows = (await connection.execute(OPEN, {"book_id": book_id, "limit": BATCHES_MAX + 1})).all()
    if not rows or len(rows) > BATCHES_MAX:
        return _Found(payouts=[], mismatches=[])
    batches = [
        Batch(
            id=UUID(str(row.id)),
            merchant=f"{row.provider}/{row.merchant}",
            number=row.number,
            owed_vnd=row.receivable_vnd,
            first_on=row.first_on,
            until=row.due_on + LATE_DAYS,
            words=_words(sealer, book_id, row.words or ""),
        )
        for row in rows
    ]
    credits_ = await _credits(connection, book_id, batches, until)
    payouts = pair(batches, credits_)
    late = {UUID(str(row.id)) for row in rows if row.late}
    paid = {batch.id for payout in payouts for batch in payout.batches}
    left = [batch for batch in batches if batch.id in late - paid]
    spent = {credit.id for payout in payouts for credit in payout.credits}
    rest = [credit for credit in credits_ if credit.id not in spent]
    return _Found(payouts=payouts, mismatches=_mismatches(book_id, left, rest))


def _words(sealer: Sealer | None, book_id: int, told: str) -> frozenset[bytes]:
    """The words of a setting as tokens of memos are kept: only what a memo's reading keeps."""
    if sealer is None:
        return frozenset()
    return frozenset(sealer.search_hash(book_id, word) for word in memo.scan(told).name_words)


async def _credits(
    connection: AsyncConnection, book_id: int, batches: Sequence[Batch], until: date
) -> list[Credit]:
    key: dict[str, object] = {
        "book_id": book_id,
        "first_on": min(batch.first_on for batch in batches),
        "until": min(until, max(batch.until for batch in batches)),
        "limit": CREDITS_MAX + 1,
        "amounts": None,
    }
    rows = (await connection.execute(CREDITS, key)).all()
    if len(rows) > CREDITS_MAX:
        key["amounts"] = sorted({batch.owed_vnd for batch in batches})
        rows = (await connection.execute(CREDITS, key)).all()
        if len(rows) > CREDITS_MAX:
            return []
    amounts = sorted({row.amount_vnd for row in rows})
    popular = set(
        await connection.scalars(POPULAR, {"book_id": book_id, "amounts": amounts})
        if amounts
        else ()
    )
    return [
        Credit(
            id=UUID(str(row.id)),
            amount_vnd=row.amount_vnd,
            arrived_on=row.value_date,
            words=frozenset(bytes.fromhex(word) for word in row.words),
            popular=row.amount_vnd in popular,
        )
        for row in rows
    ]


def _mismatches(book_id: int, late: Sequence[Batch], rest: Sequence[Credit]) -> list[Case]:
    """Batches that are overdue, beside the one credit in the provider's words that came instead."""
    cases = []
    for batch in late:
        told = [
            credit
            for credit in rest
            if batch.words
            and batch.words <= credit.words
            and batch.first_on <= credit.arrived_on <= batch.until
        ]
        if len(told) != 1:
            continue
        cases.append(
            Case(
                book_id=book_id,
                subject_kind="settlement_batch",
                subject_id=batch.id,
                side="settlement",
                reason="PAYOUT_MISMATCH",
                provider=batch.merchant.partition("/")[0],
                external_id=batch.number,
                amount_vnd=abs(batch.owed_vnd - told[0].amount_vnd),
                happened_at=instant(told[0].arrived_on),
                fields=(
                    FieldVerdict(
                        name="payout_vnd",
                        expected=batch.owed_vnd,
                        found=told[0].amount_vnd,
                        verdict="differs",
                    ),
                ),
            )
        )
    return cases


async def _book(
    engine: AsyncEngine, book_id: int, payout: Payout, now: datetime, *, dry_run: bool
) -> bool:
    """Claim the credits and book the payout, all or nothing; whether it was (or could be) done."""
    match_id = uuid7()
    parts = [
        settling.PayoutPart(batch_id=batch, movement_id=movement, amount_vnd=amount_vnd)
        for batch, movement, amount_vnd in payout.parts
    ]
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            claimed = await connection.scalars(
                CLAIM,
                {
                    "book_id": book_id,
                    "kind": ITEM_KIND,
                    "ids": [credit.id for credit in payout.credits],
                    "matches": [match_id] * len(payout.credits),
                    "rules": [RULE] * len(payout.credits),
                    "now": now,
                },
            )
            done = len(claimed.all()) == len(payout.credits)
            if done:
                applied = await settling.pay_out(connection, book_id, parts, rule=RULE, now=now)
                done = applied == "applied"
            ended = [
                (book_id, batch.id, reason, "it was paid out")
                for batch in payout.batches
                for reason in LATE
            ]
            await end_cases(connection, ended, now)
            if dry_run or not done:
                await transaction.rollback()
    except (DBAPIError, asyncpg.PostgresError) as error:
        if not TRY_AGAIN.match(sqlstate(error)):
            raise
        log.info("payout_put_off", book_id=book_id)
        return False
    return done
