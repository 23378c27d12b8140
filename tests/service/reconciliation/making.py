"""Make what runs need: notices with dossiers, names and references of a test's choice."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service.payments import assessments
from service.payments.assessments import NewItem
from service.payments.state import Notice
from service.references import payment_reference
from service.sealing import Sealer
from tests.service.statements.making import MASTER_KEY, every

UNTIL: Final = date(2027, 1, 1)
MADE_AT: Final = datetime(2026, 11, 1, 3, tzinfo=UTC)

ADD_NOTICE = sa.text("""
    insert into service.notice (book_id, id, dossier_code, dossier_key, procedure_code, received_by,
        decided_by, collected_by, channel, payer_key, name_keys, created_at)
    values (:book_id, :id, :dossier_code, :dossier_key, '1.001193', 'H57.23', 'H57.23', 'H57.23',
            'online', :payer_key, cast(:name_keys as bytea[]), :now)
""")
ADD_REQUEST = sa.text("""
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        amount_vnd, link, expires_at, created_at)
    values (:book_id, :reference, :number, 'HUE', 'vietqr', :amount_vnd, 'x', :expires_at, :now)
""")
ADD_ASKED = sa.text("""
    insert into service.payment_request_notice (book_id, reference, notice_id, position, amount_vnd)
    values (:book_id, :reference, :notice_id, :position, :amount_vnd)
""")


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice of a test owes."""

    dossier: str
    amount_vnd: int
    reference: str | None = None
    name: str = ""
    payer_key: bytes | None = None
    book_id: int = 1


async def owe(engine: AsyncEngine, *owed: Owed, expires_at: datetime | None = None) -> list[UUID]:
    """Record and assess notices, and the payment requests of those that have a reference."""
    sealer = Sealer(MASTER_KEY)
    made = []
    async with engine.begin() as connection:
        for one in owed:
            notice = Notice(
                one.book_id, uuid7(), one.dossier, 0, 0, 0, 0, 0, 0, cancelled=False, version=1
            )
            await connection.execute(
                ADD_NOTICE,
                {
                    "book_id": one.book_id,
                    "id": notice.id,
                    "dossier_code": one.dossier,
                    "dossier_key": one.dossier.replace(".", "").replace("-", ""),
                    "payer_key": one.payer_key,
                    "name_keys": [sealer.search_hash(one.book_id, w) for w in one.name.split()],
                    "now": MADE_AT,
                },
            )
            item = NewItem(
                id=uuid7(),
                code="F1",
                kind="phi",
                name="Phí",
                amount_vnd=one.amount_vnd,
                budget_subsection="2721",
                retained_percent=85,
            )
            await assessments.assess(connection, notice, [item], MADE_AT)
            made.append(notice.id)
    for one, notice_id in zip(owed, made, strict=True):
        if one.reference is not None:
            await ask(engine, one.reference, [(notice_id, one.amount_vnd)], one.book_id, expires_at)
    return made


async def ask(
    engine: AsyncEngine,
    reference: str,
    notices: Sequence[tuple[UUID, int]],
    book_id: int = 1,
    expires_at: datetime | None = None,
) -> None:
    """A payment request over notices with what each owes."""
    async with engine.begin() as connection:
        await connection.execute(
            ADD_REQUEST,
            {
                "book_id": book_id,
                "reference": reference,
                "number": payment_reference.numeric(reference),
                "amount_vnd": sum(vnd for _, vnd in notices),
                "expires_at": expires_at,
                "now": MADE_AT,
            },
        )
        for position, (notice_id, vnd) in enumerate(notices):
            await connection.execute(
                ADD_ASKED,
                {
                    "book_id": book_id,
                    "reference": reference,
                    "notice_id": notice_id,
                    "position": position,
                    "amount_vnd": vnd,
                },
            )


async def statuses(engine: AsyncEngine, *notices: UUID) -> list[str]:
    """How notices stand, in order."""
    rows = await every(
        engine,
        "select status from unnest(cast(:ids as uuid[])) with ordinality as told (id, position)"
        " join service.notice_state on notice_id = told.id order by position",
        ids=list(notices),
    )
    return [str(status) for (status,) in rows]


async def live(engine: AsyncEngine) -> list[tuple[object, ...]]:
    """Reasons and amounts of the live cases of movements."""
    return await every(
        engine,
        "select reason, amount_vnd from service.unmatched"
        " where status <> 'resolved' and subject_kind = 'movement' order by 1, 2",
    )


def reference(number: int, book_code: str = "01") -> str:
    """A payment reference of a book."""
    return payment_reference.mint(book_code, number.to_bytes(payment_reference.RANDOM_BYTES))
