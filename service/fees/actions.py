"""Record fee notices and change what they ask for. Each function is one transaction's work."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ledger.accounts import business_day
from service.access import Principal
from service.errors import (
    AboveOutstanding,
    FieldError,
    InvalidRequest,
    NotFound,
    NothingOutstanding,
    NoticeCancelled,
    NoticeHasMoney,
    TooManyItems,
)
from service.fees import queries
from service.fees.codes import Codes, resolve
from service.fees.messages import (
    ITEMS_MAX,
    AddedItems,
    Cancellation,
    Exemption,
    NewFeeItem,
    NewFeeNotice,
    Payer,
    PayerShown,
)
from service.payments import assessments, loading, refund_loading
from service.payments.assessments import NewItem, Share
from service.payments.state import Notice
from service.references.memo_text import capitals
from service.sealing import Sealer
from service.web.idempotency import Done

NAME_WORDS_MAX: Final = 12
NAME_WORD: Final = re.compile(r"[A-Z0-9]{2,}")

ADD_NOTICE = sa.text("""
    insert into service.notice (book_id, id, dossier_code, dossier_key, procedure_code,
        received_by, decided_by, collected_by, channel, payer_sealed, payer_key, name_keys,
        due_on, opening, created_at)
    values (:book_id, :id, :dossier_code, :dossier_key, :procedure_code, :received_by,
        :decided_by, :collected_by, :channel, :payer_sealed, :payer_key,
        cast(:name_keys as bytea[]), :due_on, :opening, :now)
""")

BOOK_OF = sa.text("""
    select book_id from service.notice
    where book_id = any(cast(:books as integer[])) and id = :id
""")

ADD_CHANGES = sa.text("""
    insert into service.notice_change (book_id, id, notice_id, kind, item_id, amount_vnd, reason,
        decided_by_sealed, evidence, actor, decided_at, recorded_at)
    select :book_id, told.id, :notice_id, :kind, told.item_id, told.amount_vnd, :reason,
        told.decided_by_sealed, :evidence, :actor, :now, :now
    from unnest(cast(:ids as uuid[]), cast(:item_ids as uuid[]), cast(:amounts as bigint[]),
                cast(:decided_by as bytea[])) as told (id, item_id, amount_vnd, decided_by_sealed)
""")


def name_words(name: str) -> list[str]:
    """The words of a name as bank memos carry them: capitals, no marks, each once."""
    return list(dict.fromkeys(NAME_WORD.findall(capitals(name))))[:NAME_WORDS_MAX]


def new_items(items: Sequence[NewFeeItem]) -> list[NewItem]:
    """Items of a call with ids of their own."""
    return [
        NewItem(
            id=uuid7(),
            code=item.code,
            kind=item.kind,
            name=item.name,
            amount_vnd=item.amount_vnd,
            budget_subsection=item.budget_subsection,
            retained_percent=item.retained_percent,
        )
        for item in items
    ]


async def record(
    connection: AsyncConnection,
    sealer: Sealer,
    caller: Principal,
    new: NewFeeNotice,
    now: datetime,
) -> Done:
    """Record what a dossier owes, and book it.

    Raises InvalidRequest for codes that cannot be read or are not there, BookNotCovered where the
    caller does not cover the collecting unit's book.
    """
    codes = await resolve(connection, new, business_day(now))
    caller.cover(codes.book_id)
    notice = new_notice(codes.book_id, uuid7(), codes.dossier_code)
    await add_notice(connection, sealer, (notice, codes, new), now)
    await assessments.assess(connection, notice, new_items(new.items), now)
    return await _shown(connection, sealer, notice, 201)


def new_notice(book_id: int, notice_id: UUID, dossier_code: str) -> Notice:
    """A notice with nothing on it yet."""
    return Notice(
        book_id=book_id,
        id=notice_id,
        dossier_code=dossier_code,
        amount_vnd=0,
        exempted_vnd=0,
        written_off_vnd=0,
        paid_vnd=0,
        refunded_vnd=0,
        held_vnd=0,
        cancelled=False,
        version=1,
    )


async def add_notice(
    connection: AsyncConnection,
    sealer: Sealer,
    told: tuple[Notice, Codes, NewFeeNotice],
    now: datetime,
    *,
    opening: bool = False,
) -> None:
    """Add the row of a notice, with its payer sealed; its items and its entry come after."""
    notice, codes, new = told
    row = {
        **msgspec.structs.asdict(codes),
        **await _payer(connection, sealer, notice, new.payer, now),
        "id": notice.id,
        "channel": new.channel,
        "due_on": new.due_on,
        "opening": opening,
        "now": now,
    }
    await connection.execute(ADD_NOTICE, row)


async def _payer(
    connection: AsyncConnection,
    sealer: Sealer,
    notice: Notice,
    payer: Payer | None,
    now: datetime,
) -> dict[str, bytes | list[bytes] | None]:
    """The payer's columns: sealed, and keyed hashes to find equal people and words by."""
    if payer is None or (payer.name is None and payer.subject_id is None):
        return {"payer_sealed": None, "payer_key": None, "name_keys": []}
    book_id = notice.book_id
    await sealer.prepare(connection, [book_id], now)
    plain = msgspec.json.encode(PayerShown(name=payer.name, subject_id=payer.subject_id))
    subject = payer.subject_id
    key = None if subject is None else sealer.search_hash(book_id, f"subject:{subject.strip()}")
    words = name_words(payer.name or "")
    return {
        "payer_sealed": sealer.seal(book_id, now, queries.payer_context(notice.id), plain),
        "payer_key": key,
        "name_keys": [sealer.search_hash(book_id, word) for word in words],
    }


async def lock(
    connection: AsyncConnection, caller: Principal, notice_id: UUID, *, waives: bool = False
) -> Notice:
    """The notice under lock; raises NotFound where it is not among the caller's books.

    `waives`: no fee of its book is taken apart meanwhile, either.
    """
    wanted = {"books": caller.book_list, "id": notice_id}
    book_id = await connection.scalar(BOOK_OF, wanted)
    if book_id is None:
        raise NotFound
    if waives:
        await loading.lock(connection, [refund_loading.apart_key(book_id)])
    driver = await loading.raw(connection)
    return (await loading.lock_notices(driver, [(book_id, notice_id)]))[book_id, notice_id]


async def _shown(connection: AsyncConnection, sealer: Sealer, notice: Notice, status: int) -> Done:
    found = await queries.notices(connection, sealer, [notice.book_id], [notice.id])
    return Done(book_id=notice.book_id, status=status, body=msgspec.json.encode(found[0]))


async def add_items(
    connection: AsyncConnection,
    sealer: Sealer,
    notice: Notice,
    added: AddedItems,
    now: datetime,
) -> Done:
    """An additional charge; raises NoticeCancelled, TooManyItems."""
    if notice.cancelled:
        raise NoticeCancelled
    if len(notice.items) + len(added.items) > ITEMS_MAX:
        raise TooManyItems(f"it has {len(notice.items)} items; at most {ITEMS_MAX} fit")
    await assessments.add(connection, notice, new_items(added.items), now)
    return await _shown(connection, sealer, notice, 201)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Who told us of a decision, and when."""

    caller: Principal
    now: datetime


async def cancel(
    connection: AsyncConnection,
    sealer: Sealer,
    notice: Notice,
    cancellation: Cancellation,
    told: Decided,
) -> Done:
    """Cancel a notice; raises NoticeCancelled, or NoticeHasMoney once money is allocated."""
    if notice.cancelled:
        raise NoticeCancelled
    if notice.paid_vnd or notice.held_vnd:
        raise NoticeHasMoney
    if await assessments.apart_vnd(connection, notice):
        raise NoticeHasMoney("a payment that was reversed is with the budget")
    waived_vnd = notice.outstanding_vnd
    await assessments.cancel(connection, notice, told.now)
    changes: list[tuple[UUID | None, int]] = [(None, waived_vnd)]
    await _note(connection, sealer, notice, cancellation, told, changes)
    return await _shown(connection, sealer, notice, 200)


async def exempt(
    connection: AsyncConnection,
    sealer: Sealer,
    notice: Notice,
    exemption: Exemption,
    told: Decided,
) -> Done:
    """Waive all or a part of what is outstanding, of one item or of the whole notice.

    Raises NoticeCancelled, InvalidRequest for an item of another notice, NothingOutstanding, and
    AboveOutstanding.
    """
    if notice.cancelled:
        raise NoticeCancelled
    shares = shares_of(notice, exemption)
    apart = await assessments.apart_vnd(connection, notice)
    if any(share_vnd > item.open_vnd - apart.get(item.id, 0) for item, share_vnd in shares):
        raise AboveOutstanding("a payment that was reversed is with the budget")
    await assessments.exempt(connection, notice, shares, told.now)
    changes: list[tuple[UUID | None, int]] = [(item.id, amount) for item, amount in shares]
    await _note(connection, sealer, notice, exemption, told, changes)
    return await _shown(connection, sealer, notice, 200)


def shares_of(notice: Notice, exemption: Exemption) -> list[Share]:
    """Which item is waived by how much, in order of the items."""
    items = [item for item in notice.items if exemption.item_id in {None, item.id}]
    if not items:
        error = FieldError(field="item_id", message="is no item of this notice")
        raise InvalidRequest(errors=[error])
    open_vnd = sum(item.open_vnd for item in items)
    if not open_vnd:
        raise NothingOutstanding
    left_vnd = open_vnd if exemption.amount_vnd is None else exemption.amount_vnd
    if left_vnd > open_vnd:
        raise AboveOutstanding(f"{open_vnd} is outstanding")
    shares: list[Share] = []
    for item in items:
        share_vnd = min(left_vnd, item.open_vnd)
        if share_vnd:
            shares.append((item, share_vnd))
            left_vnd -= share_vnd
    return shares


async def _note(  # noqa: PLR0917 # one row of facts
    connection: AsyncConnection,
    sealer: Sealer,
    notice: Notice,
    why: Exemption | Cancellation,
    told: Decided,
    changes: Sequence[tuple[UUID | None, int]],
) -> None:
    """Keep what was decided, by whom (sealed) and on what evidence."""
    await sealer.prepare(connection, [notice.book_id], told.now)
    ids = [uuid7() for _ in changes]
    decided_by = why.decided_by
    sealed = [
        None
        if decided_by is None
        else sealer.seal(
            notice.book_id,
            told.now,
            b"service.notice_change.decided_by:" + change_id.bytes,
            decided_by.encode(),
        )
        for change_id in ids
    ]
    await connection.execute(
        ADD_CHANGES,
        {
            "book_id": notice.book_id,
            "notice_id": notice.id,
            "kind": "exemption" if isinstance(why, Exemption) else "cancellation",
            "reason": why.reason,
            "evidence": why.evidence,
            "actor": told.caller.actor,
            "now": told.now,
            "ids": ids,
            "item_ids": [item_id for item_id, _ in changes],
            "amounts": [amount_vnd for _, amount_vnd in changes],
            "decided_by": sealed,
        },
    )
