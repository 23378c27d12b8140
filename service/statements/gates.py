"""What must hold of a statement against itself and against its neighbours.

A file that contradicts itself is refused before anything is booked. One that does not follow from
the statements around it is taken, with a case: its lines happened, others are missing.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from ledger.entries import Entry, Line
from ledger.posting import post
from providers.statements import Totals
from service.payments.cases import open_cases, resolve_cases
from service.payments.sightings import Case, FieldVerdict
from service.statements.keeping import Account
from service.statements.lines import instant

NEXT_DAY: Final = timedelta(days=1)
PROVEN_MAX: Final = 4_000
"""Proven statements of one account that are looked at when an older one arrives: ten years."""

EARLIEST = sa.text("""
    select first_on, opening_vnd from service.statement
    where book_id = :book_id and bank_account_id = :account_id and id <> :id and proven
      and status in ('importing', 'done')
    order by first_on, last_on, id limit 1
""")

PROVEN_IDS = sa.text("""
    select id from service.statement
    where book_id = :book_id and bank_account_id = :account_id and proven
    order by last_on desc limit :limit
""")

SUM_BEFORE = sa.text("""
    select cast(coalesce(sum(case direction when 'in' then amount_vnd else -amount_vnd end), 0)
                as bigint)
    from service.statement_line
    where book_id = :book_id and bank_account_id = :account_id and value_date < :day
""")

SUM_BETWEEN = sa.text("""
    select cast(coalesce(sum(case direction when 'in' then amount_vnd else -amount_vnd end), 0)
                as bigint)
    from service.statement_line
    where book_id = :book_id and bank_account_id = :account_id
      and value_date > :after and value_date <= :until
""")

OPENED = sa.text("""
    select cast(coalesce(sum(case when line.debit = '1121' then line.amount_vnd
                                  else -line.amount_vnd end), 0) as bigint)
    from ledger.entry as entry
    join ledger.line as line on line.book_id = entry.book_id and line.entry_id = entry.id
    where entry.book_id = :book_id and entry.source = any(cast(:sources as text[]))
      and line.bank_account_id = :account_id
""")

BEFORE = sa.text("""
    select id, first_on, last_on, opening_vnd, closing_vnd from service.statement
    where book_id = :book_id and bank_account_id = :account_id and id <> :id and proven
      and status = 'done' and last_on <= :last_on
    order by last_on desc, first_on desc, id desc limit 1
""")

AFTER = sa.text("""
    select id, first_on, last_on, opening_vnd, closing_vnd from service.statement
    where book_id = :book_id and bank_account_id = :account_id and id <> :id and proven
      and status = 'done' and last_on > :last_on
    order by last_on, first_on, id limit 1
""")


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A proven statement: from when to when, and its balances."""

    id: UUID
    first_on: date
    last_on: date
    opening_vnd: int
    closing_vnd: int


def contradiction(totals: Totals) -> str | None:
    """Why a file whose rows were all readable cannot be right; None where nothing speaks against.

    The only gate on the whole: opening + lines = closing, where both are told.
    """
    if totals.ties is not False or totals.opening_vnd is None or totals.closing_vnd is None:
        return None
    reached = totals.opening_vnd + totals.credits_vnd - totals.debits_vnd
    return (
        f"opening {totals.opening_vnd} + in {totals.credits_vnd} - out {totals.debits_vnd}"
        f" = {reached}, but the file closes with {totals.closing_vnd}:"
        f" off by {totals.closing_vnd - reached} đồng"
    )


async def book_opening(connection: AsyncConnection, account: Account, span: Span) -> None:
    """Bring what was on the account before its first proven statement into the books.

    Dr 1121 / Cr 9990, so that 1121 = opening + lines (invariant 13). When an older statement
    arrives later, one more entry moves the opening back by what its lines explain.
    """
    key = {"book_id": account.book_id, "account_id": account.id, "id": span.id}
    earliest = (await connection.execute(EARLIEST, key)).one_or_none()
    if earliest is not None and earliest.first_on <= span.first_on:
        return
    ids = await connection.scalars(PROVEN_IDS, key | {"limit": PROVEN_MAX})
    first = f"account:{account.id}:opening"
    # "opening" is what open-book brought in from an older system.
    sources = ["opening", first, *(f"{first}:{statement_id}" for statement_id in ids)]
    wanted = {"book_id": account.book_id, "account_id": account.id, "sources": sources}
    opened = await connection.scalar(OPENED, wanted)
    before = await connection.scalar(SUM_BEFORE, key | {"day": span.first_on})
    missing_vnd = span.opening_vnd - int(str(before)) - int(str(opened))
    if not missing_vnd:
        return
    pair = (accounts.BANK, accounts.OPENING)
    debit, credit = pair if missing_vnd > 0 else pair[::-1]
    entry = Entry(
        book_id=account.book_id,
        source=first if earliest is None else f"{first}:{span.id}",
        kind="account_opened",
        happened_at=instant(span.first_on),
        value_date=span.first_on - NEXT_DAY,
        lines=(
            Line(
                debit=debit,
                credit=credit,
                amount_vnd=abs(missing_vnd),
                bank_account_id=account.id,
            ),
        ),
    )
    await post(connection, [entry])


async def hold_against_neighbours(
    connection: AsyncConnection, account: Account, span: Span, now: datetime
) -> None:
    """Open a case where balances do not follow from one statement to the next, or end it.

    The statement is held against the proven one that ends before it, and the one that ends after
    it against this one: a file that fills a gap ends the case of its neighbour.
    """
    key = {
        "book_id": account.book_id,
        "account_id": account.id,
        "id": span.id,
        "last_on": span.last_on,
    }
    before = _span((await connection.execute(BEFORE, key)).mappings().all())
    after = _span((await connection.execute(AFTER, key)).mappings().all())
    broken: list[Case] = []
    mended: list[tuple[int, UUID, str]] = []
    for earlier, later in ((before, span), (span, after)):
        if earlier is None or later is None:
            continue
        off_vnd = await _off(connection, account, earlier, later)
        if off_vnd:
            broken.append(_break(account, earlier, later, off_vnd))
        else:
            mended.append((account.book_id, later.id, "follows from its neighbours"))
    await resolve_cases(connection, mended, now)
    await open_cases(connection, broken, now)


def _span(rows: Sequence[sa.RowMapping]) -> Span | None:
    return Span(**{**rows[0], "id": UUID(str(rows[0]["id"]))}) if rows else None


async def _off(connection: AsyncConnection, account: Account, earlier: Span, later: Span) -> int:
    """By how much `later` closes elsewhere than `earlier` and the lines since would have it."""
    if earlier.closing_vnd == later.opening_vnd and earlier.last_on <= later.first_on:
        return 0
    since = await connection.scalar(
        SUM_BETWEEN,
        {
            "book_id": account.book_id,
            "account_id": account.id,
            "after": earlier.last_on,
            "until": later.last_on,
        },
    )
    return later.closing_vnd - (earlier.closing_vnd + int(str(since)))


def _break(account: Account, earlier: Span, later: Span, off_vnd: int) -> Case:
    gap = later.first_on > earlier.last_on + NEXT_DAY
    return Case(
        book_id=account.book_id,
        subject_kind="statement",
        subject_id=later.id,
        side="bank",
        reason="STATEMENT_GAP" if gap else "BALANCE_BREAK",
        provider=account.provider,
        external_id=f"{later.first_on}/{later.last_on}",
        amount_vnd=abs(off_vnd),
        happened_at=instant(later.last_on),
        fields=(
            FieldVerdict(
                name="opening_vnd",
                expected=earlier.closing_vnd,
                found=later.opening_vnd,
                verdict="equal" if earlier.closing_vnd == later.opening_vnd else "differs",
            ),
            FieldVerdict(
                name="closing_vnd",
                expected=later.closing_vnd - off_vnd,
                found=later.closing_vnd,
                verdict="differs",
            ),
        ),
    )


def span_of(statement_id: UUID, totals: Totals) -> Span | None:
    """The statement as a span, where it is proven and has lines."""
    if totals.first_on is None or totals.last_on is None or not totals.ties:
        return None
    return Span(
        id=statement_id,
        first_on=totals.first_on,
        last_on=totals.last_on,
        opening_vnd=totals.opening_vnd or 0,
        closing_vnd=totals.closing_vnd or 0,
    )
