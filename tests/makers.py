"""Make what tests need in a real database: notices, requests, merchants, own accounts.

Everything goes through the same functions as the service's own routes where they exist.
"""

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service.payments import assessments
from service.payments.assessments import NewItem
from service.payments.sightings import Direction, Sighting, View
from service.payments.state import Notice
from service.references import payment_reference

NOW: Final = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
TODAY: Final = date(2026, 11, 3)

ADD_NOTICE = sa.text("""
    insert into service.notice (book_id, id, dossier_code, dossier_key, procedure_code, received_by,
        decided_by, collected_by, channel, payer_key, name_keys, created_at)
    values (:book_id, :id, :dossier_code, :dossier_key, '1.001193', 'H57.23', 'H57.23', 'H57.23',
            'online', :payer_key, '{}', :now)
""")

ADD_REQUEST = sa.text("""
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        amount_vnd, link, expires_at, created_at)
    values (:book_id, :reference, :number, 'HUE', 'test', :amount_vnd, 'x', :expires_at, :now)
""")

ADD_ASKED = sa.text("""
    insert into service.payment_request_notice (book_id, reference, notice_id, position, amount_vnd)
    values (:book_id, :reference, :notice_id, :position, :amount_vnd)
""")

ADD_ACCOUNT = sa.text("""
    insert into service.bank_account (book_id, bin, number, holder_name, opened_at)
    values (:book_id, '970436', :number, 'SO TU PHAP TP HUE', :now) returning id
""")

ADD_MERCHANT = sa.text("""
    insert into service.merchant
        (provider, merchant, book_id, serves, mode, secrets_sealed, created_at)
    values (:provider, :merchant, :book_id, cast(:serves as integer[]), :mode, '', :now)
    returning id
""")

_numbers = itertools.count(1)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A notice and its payment request."""

    book_id: int
    notice_id: UUID
    dossier_code: str
    dossier_key: str
    reference: str
    amount_vnd: int


async def make_notice(
    connection: AsyncConnection,
    book_id: int,
    amounts: Sequence[int],
    *,
    dossier_key: str | None = None,
    payer_key: bytes | None = None,
    now: datetime = NOW,
) -> tuple[UUID, str]:
    """Record and assess a notice with one item per amount; its id and dossier code."""
    number = next(_numbers)
    code = f"000.00.23.H57-2611{number // 1000 % 28 + 1:02d}-{number % 10_000:04d}"
    key = dossier_key or code.replace(".", "").replace("-", "")
    notice = Notice(book_id, uuid7(), code, 0, 0, 0, 0, 0, 0, cancelled=False, version=1)
    await connection.execute(
        ADD_NOTICE,
        {
            "book_id": book_id,
            "id": notice.id,
            "dossier_code": code,
            "dossier_key": key,
            "payer_key": payer_key,
            "now": now,
        },
    )
    items = [
        NewItem(
            id=uuid7(),
            code=f"F{position}",
            kind="phi",
            name="Phí cung cấp thông tin",
            amount_vnd=amount_vnd,
            budget_subsection="2721",
            retained_percent=85,
        )
        for position, amount_vnd in enumerate(amounts)
    ]
    await assessments.assess(connection, notice, items, now)
    return notice.id, code


async def make_request(
    connection: AsyncConnection,
    book_id: int,
    notices: Sequence[tuple[UUID, int]],
    *,
    expires_at: datetime | None = None,
    now: datetime = NOW,
) -> str:
    """Ask for payment of notices with what each owes; the reference."""
    code = await connection.scalar(
        sa.text("select code from ledger.book where book_id = :b"), {"b": book_id}
    )
    reference = payment_reference.mint(
        str(code), next(_numbers).to_bytes(payment_reference.RANDOM_BYTES, "big")
    )
    await connection.execute(
        ADD_REQUEST,
        {
            "book_id": book_id,
            "reference": reference,
            "number": payment_reference.numeric(reference),
            "amount_vnd": sum(vnd for _, vnd in notices),
            "expires_at": expires_at,
            "now": now,
        },
    )
    await connection.execute(
        ADD_ASKED,
        [
            {
                "book_id": book_id,
                "reference": reference,
                "notice_id": notice_id,
                "position": position,
                "amount_vnd": vnd,
            }
            for position, (notice_id, vnd) in enumerate(notices)
        ],
    )
    return reference


async def make_owed(
    connection: AsyncConnection,
    book_id: int,
    *amounts: int,
    expires_at: datetime | None = None,
    dossier_key: str | None = None,
    payer_key: bytes | None = None,
) -> Made:
    """A notice with items of these amounts, and a request for all of it."""
    notice_id, code = await make_notice(
        connection, book_id, amounts, dossier_key=dossier_key, payer_key=payer_key
    )
    total = sum(amounts)
    reference = await make_request(connection, book_id, [(notice_id, total)], expires_at=expires_at)
    return Made(
        book_id=book_id,
        notice_id=notice_id,
        dossier_code=code,
        dossier_key=dossier_key or code.replace(".", "").replace("-", ""),
        reference=reference,
        amount_vnd=total,
    )


async def make_account(connection: AsyncConnection, book_id: int) -> int:
    """An own bank account of a book; its id."""
    return int(
        await connection.scalar(
            ADD_ACCOUNT, {"book_id": book_id, "number": f"0161{next(_numbers):09d}", "now": NOW}
        )
    )


async def make_merchant(
    connection: AsyncConnection,
    book_id: int,
    *,
    provider: str = "vnpay",
    merchant: str | None = None,
    serves: Sequence[int] = (),
    mode: str = "",
) -> int:
    """A merchant row without usable secrets, for bookings below the adapters; its id."""
    return int(
        await connection.scalar(
            ADD_MERCHANT,
            {
                "provider": provider,
                "merchant": merchant or f"M{next(_numbers)}",
                "book_id": book_id,
                "serves": sorted({book_id, *serves}),
                "mode": mode,
                "now": NOW,
            },
        )
    )


def gateway(
    owed: Made,
    amount_vnd: int,
    merchant_id: int,
    *,
    book_id: int | None = None,
    transaction: str = "1",
    reference: str | None = None,
    held: bool = False,
) -> Sighting:
    """What a gateway's callback tells; by default of the whole request, in the request's book."""
    return Sighting(
        id=uuid7(),
        book_id=book_id or owed.book_id,
        view="callback",
        seen_by="callback:vnpay/A",
        origin="merchant:vnpay/A",
        direction="in",
        amount_vnd=amount_vnd,
        happened_at=NOW,
        happened_on=TODAY,
        provider="vnpay",
        external_id=transaction,
        traces=(transaction,),
        reference=reference or owed.reference,
        held_by_provider=held,
        merchant="vnpay/A",
        merchant_id=merchant_id,
    )


def transfer(
    account: int,
    amount_vnd: int,
    *,
    book_id: int = 1,
    view: View = "feed",
    reference: str | None = None,
    traces: Sequence[str] = (),
    direction: Direction = "in",
    peers: int = 1,
) -> Sighting:
    """What a bank feed or a statement tells of an own account."""
    return Sighting(
        id=uuid7(),
        book_id=book_id,
        view=view,
        seen_by=view,
        origin=f"account:{account}",
        direction=direction,
        amount_vnd=amount_vnd,
        happened_at=NOW,
        happened_on=TODAY,
        provider="bank",
        external_id=traces[0] if traces else "x",
        traces=tuple(traces),
        reference=reference,
        bank_account_id=account,
        peers=peers,
    )
