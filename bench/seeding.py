"""Fill a database with notices that wait to be paid, whose every id is a function of a number.

So pgbench can name the rows of the n-th notice without being told, and so can a signer.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import accounts
from ledger.accounts import Book, open_book
from ledger.entries import Entry, Line
from ledger.posting import post
from service import merchants
from service.database import transaction
from service.merchants import NewMerchant
from service.references import payment_reference
from service.sealing import Sealer

BOOK: Final = 1
MERCHANT: Final = "HUEBENCH"
SECRET: Final = "a-secret-that-only-the-bench-knows"  # noqa: S105 - a made-up one, for a made-up merchant
AMOUNT_VND: Final = 50_000
OPENED_AT: Final = datetime(2026, 11, 2, 1, tzinfo=UTC)
NOTICES_PER_STATEMENT: Final = 20_000

FILL = (
    """
    insert into service.notice (book_id, id, dossier_code, dossier_key, procedure_code,
        received_by, decided_by, collected_by, channel, created_at)
    select 1, bench_id('01', n), '000.00.23.H57-261102-' || n, '0000023H57261102' || n, '1.001193',
           'H57.23', 'H57.23', 'H57.23', 'online', now()
    from generate_series(cast(:first as bigint), :last) as n
    """,
    """
    insert into service.notice_item (book_id, notice_id, id, position, code, kind, name, amount_vnd,
        budget_subsection, retained_percent, added_at)
    select 1, bench_id('01', n), bench_id('02', n), 1, 'LLTP', 'phi', 'Phí lý lịch tư pháp', 50000,
           '2721', 85, now()
    from generate_series(cast(:first as bigint), :last) as n
    """,
    """
    insert into service.notice_state (book_id, notice_id, amount_vnd, updated_at)
    select 1, bench_id('01', n), 50000, now()
    from generate_series(cast(:first as bigint), :last) as n
    """,
    """
    insert into service.feed_position (book_id, position) values (1, 0) on conflict do nothing
    """,
    """
    insert into service.outbox (book_id, id, type, dossier_code, notice_id, payload, recorded_at,
        position)
    select 1, uuidv7(), 'fee_notice.recorded', '000.00.23.H57-261102-' || n, bench_id('01', n),
           jsonb_build_object('notice_id', bench_id('01', n),
               'dossier_code', '000.00.23.H57-261102-' || n, 'status', 'open',
               'amount_vnd', 50000, 'exempted_vnd', 0, 'paid_vnd', 0, 'held_vnd', 0,
               'outstanding_vnd', 50000, 'settled', false, 'version', 1),
           now(), feed.position + n - cast(:first as bigint) + 1
    from generate_series(cast(:first as bigint), :last) as n,
         (select position from service.feed_position where book_id = 1 for update) as feed
    """,
    """
    update service.feed_position
    set position = position + cast(:last as bigint) - cast(:first as bigint) + 1 where book_id = 1
    """,
    """
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        amount_vnd, link, created_at)
    select 1, reference, number, 'HUE', 'vnpay', 50000, 'x', now()
    from unnest(cast(:references as text[]), cast(:numbers as bigint[])) as told (reference, number)
    """,
    """
    insert into service.payment_request_notice (book_id, reference, notice_id, position, amount_vnd)
    select 1, reference, bench_id('01', cast(:first as bigint) + position - 1), 1, 50000
    from unnest(cast(:references as text[])) with ordinality as told (reference, position)
    """,
)

# A UUID whose last twelve digits are the number: two kinds of row have two first bytes.
BENCH_ID = """
    create or replace function bench_id(kind text, n bigint) returns uuid language sql immutable
    return (kind || '000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid
"""


def reference(number: int) -> str:
    """The payment reference of the n-th notice."""
    return payment_reference.mint("01", number.to_bytes(payment_reference.RANDOM_BYTES, "big"))


async def prepare(owner: AsyncEngine, app: AsyncEngine, sealer: Sealer) -> None:
    """Open the book and its merchant, and make the function that names rows."""
    async with transaction(owner) as connection:
        await connection.execute(sa.text(BENCH_ID))
    async with transaction(app) as connection:
        book = Book(book_id=BOOK, code="01", name="Sở Tư pháp", agency_code="H57.23")
        await open_book(connection, book, OPENED_AT)
        await merchants.add(
            connection,
            sealer,
            NewMerchant(provider="vnpay", merchant=MERCHANT, book_id=BOOK, secrets=[SECRET]),
            OPENED_AT,
        )


async def fill(connection: AsyncConnection, first: int, last: int) -> None:
    """Add the notices `first` to `last`, assessed, with one item and one request each."""
    for start in range(first, last + 1, NOTICES_PER_STATEMENT):
        end = min(start + NOTICES_PER_STATEMENT - 1, last)
        references = [reference(number) for number in range(start, end + 1)]
        values = {
            "first": start,
            "last": end,
            "references": references,
            "numbers": [payment_reference.numeric(text) for text in references],
        }
        for statement in FILL:
            await connection.execute(
                sa.text(statement), {k: v for k, v in values.items() if f":{k}" in statement}
            )
        await post(connection, [_assessed(number) for number in range(start, end + 1)])


def bench_id(kind: int, number: int) -> UUID:
    """The id that the database's bench_id gives."""
    return UUID(f"{kind:02d}000000-0000-7000-8000-{number:012x}")


def _assessed(number: int) -> Entry:
    """What the n-th notice owes, in the books."""
    notice_id = bench_id(1, number)
    return Entry(
        book_id=BOOK,
        source=f"notice:{notice_id}",
        kind="fee_assessed",
        happened_at=OPENED_AT,
        value_date=OPENED_AT.date(),
        lines=(
            Line(
                debit=accounts.FEES_RECEIVABLE,
                credit=accounts.FEES_HELD,
                amount_vnd=AMOUNT_VND,
                notice_id=notice_id,
                item_id=bench_id(2, number),
                budget_subsection="2721",
            ),
        ),
    )
