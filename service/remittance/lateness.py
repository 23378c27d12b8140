"""See what should be with the budget and is not: one live case per book and calendar.

The case is opened when the due date has passed, brought up to date every day, and ends when the
money is with the budget.
"""

from datetime import date, datetime, time
from typing import Final
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.accounts import BUSINESS_ZONE, business_day
from service.payments import cases
from service.payments.sightings import Case, FieldVerdict
from service.remittance import calendar, splitting
from service.remittance.calendar import Rule, Rules
from service.remittance.splitting import Wanted

EVERY_S: Final = 21_600.0
REASON: Final = "LATE_REMITTANCE"
NAMESPACE: Final = UUID("6f1c2a60-3c0e-5b5a-9d2e-6f6c61746500")

BOOKS = sa.text("select book_id from ledger.book order by book_id")

# Taken apart, approved, and not with the budget yet.
ON_ITS_WAY = sa.text("""
    select coalesce(sum(line.budget_vnd - line.back_vnd), 0)::bigint as budget_vnd,
           min(remittance.due_on) as due_on
    from service.remittance as remittance
    join service.remittance_line as line
      on line.book_id = remittance.book_id and line.remittance_id = remittance.id
    where remittance.book_id = :book_id and remittance.rule = :rule
      and remittance.until <= :until and (
        remittance.status in ('approved', 'swept', 'arrived') or remittance.status = 'proposed')
""")

UPDATE = sa.text("""
    update service.unmatched
    set amount_vnd = :amount_vnd, fields = cast(:fields as jsonb), happened_at = :happened_at
    where book_id = :book_id and subject_id = :subject_id and reason = :reason
      and status <> 'resolved'
""")


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """What of a book and a calendar should be with the budget, and since when."""

    book_id: int
    rule: Rule
    budget_vnd: int
    due_on: date
    days_late: int


def subject_of(book_id: int, rule: Rule) -> UUID:
    """What the case is about: the same for a book and a calendar, day after day."""
    return uuid5(NAMESPACE, f"{book_id}:{rule}")


async def late(connection: AsyncConnection, book_id: int, rules: Rules, today: date) -> list[Late]:
    """What is late in a book on a day, by calendar."""
    found = []
    for rule in calendar.RULES:
        until = calendar.last_overdue(rule, today)
        wanted = Wanted(book_id=book_id, rule=rule, until=until, rules=rules)
        unsplit = await splitting.unsplit(connection, wanted)
        key = {"book_id": book_id, "rule": rule, "until": until}
        way = (await connection.execute(ON_ITS_WAY, key)).one()
        budget_vnd = unsplit.budget_vnd + way.budget_vnd
        if not budget_vnd:
            continue
        dues = [way.due_on] if way.budget_vnd else []
        if unsplit.budget_vnd and unsplit.first_on is not None:
            dues.append(calendar.due_on(rule, unsplit.first_on))
        due_on = min(dues)
        found.append(
            Late(
                book_id=book_id,
                rule=rule,
                budget_vnd=budget_vnd,
                due_on=due_on,
                days_late=(today - due_on).days,
            )
        )
    return found


async def look(engine: AsyncEngine, rules: Rules, now: datetime) -> int:
    """Open, update and end the cases of late remittances in all books; how many are late."""
    today = business_day(now)
    async with engine.connect() as connection:
        books = [int(str(one)) for one in await connection.scalars(BOOKS)]
    count = 0
    for book_id in books:
        async with engine.begin() as connection:
            found = await late(connection, book_id, rules, today)
            await _tell(connection, book_id, found, now)
        count += len(found)
    return count


async def _tell(
    connection: AsyncConnection, book_id: int, found: list[Late], now: datetime
) -> None:
    opened = [_case(one) for one in found]
    await cases.open_cases(connection, opened, now)
    for case in opened:
        await connection.execute(
            UPDATE,
            {
                "book_id": book_id,
                "subject_id": case.subject_id,
                "reason": REASON,
                "amount_vnd": case.amount_vnd,
                "happened_at": case.happened_at,
                "fields": msgspec.json.encode(case.fields).decode(),
            },
        )
    lasting = {case.subject_id for case in opened}
    ended = [
        (book_id, subject, "remitted")
        for rule in calendar.RULES
        if (subject := subject_of(book_id, rule)) not in lasting
    ]
    await cases.resolve_cases(connection, ended, now)


def _case(late_: Late) -> Case:
    return Case(
        book_id=late_.book_id,
        subject_kind="remittance",
        subject_id=subject_of(late_.book_id, late_.rule),
        side="ledger",
        reason=REASON,
        provider="kbnn",
        external_id=late_.rule,
        amount_vnd=late_.budget_vnd,
        happened_at=datetime.combine(late_.due_on, time(), BUSINESS_ZONE),
        fields=(
            _field("due_on", late_.due_on.isoformat(), None),
            _field("days_late", 0, late_.days_late),
            _field("remitted_vnd", late_.budget_vnd, 0),
        ),
    )


def _field(name: str, expected: str | int, found: int | None) -> FieldVerdict:
    return FieldVerdict(
        name=name,
        expected=expected,
        found=found,
        verdict="missing" if found is None else "differs",
    )
