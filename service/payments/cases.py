"""Open and end cases: one live case per subject and reason, however often it is found again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from service.payments.sightings import Case

CANDIDATES_MAX: Final = 5
"""Candidates kept with a case; the best ones first."""

OPEN = sa.text("""
    insert into service.unmatched (
        book_id, id, subject_kind, subject_id, side, reason, provider, external_id, amount_vnd,
        happened_at, fields, candidates, opened_at, status, resolved_at, resolution)
    select told.book_id, told.id, told.subject_kind, told.subject_id, told.side, told.reason,
           told.provider, told.external_id, told.amount_vnd, told.happened_at,
           cast(told.fields as jsonb), cast(told.candidates as jsonb), cast(:now as timestamptz),
           case when told.resolution is null then 'open' else 'resolved' end,
           case when told.resolution is null then null else cast(:now as timestamptz) end,
           told.resolution
    from unnest(cast(:book_ids as integer[]), cast(:ids as uuid[]),
                cast(:subject_kinds as text[]), cast(:subject_ids as uuid[]),
                cast(:sides as text[]), cast(:reasons as text[]), cast(:providers as text[]),
                cast(:external_ids as text[]), cast(:amounts as bigint[]),
                cast(:happened as timestamptz[]), cast(:fields as text[]),
                cast(:candidates as text[]), cast(:resolutions as text[]))
        as told (book_id, id, subject_kind, subject_id, side, reason, provider, external_id,
                 amount_vnd, happened_at, fields, candidates, resolution)
    on conflict (book_id, subject_id, reason) where status <> 'resolved' do nothing
""")

RESOLVE = sa.text("""
    update service.unmatched
    set status = 'resolved', resolved_at = :now, resolution = told.resolution
    from (select distinct on (book_id, subject_id) book_id, subject_id, resolution
          from unnest(cast(:book_ids as integer[]), cast(:subject_ids as uuid[]),
                      cast(:resolutions as text[])) as told (book_id, subject_id, resolution))
        as told
    where unmatched.book_id = told.book_id and unmatched.subject_id = told.subject_id
      and unmatched.status <> 'resolved'
""")


END = sa.text("""
    update service.unmatched as live
    set status = 'resolved', resolved_at = :now, resolution = told.resolution
    from (select distinct on (book_id, subject_id, reason) book_id, subject_id, reason, resolution
          from unnest(cast(:book_ids as integer[]), cast(:subject_ids as uuid[]),
                      cast(:reasons as text[]), cast(:resolutions as text[]))
              as told (book_id, subject_id, reason, resolution)) as told
    where live.book_id = told.book_id and live.subject_id = told.subject_id
      and live.reason = told.reason and live.status <> 'resolved'
""")


async def open_cases(
    connection: AsyncConnection,
    cases: Sequence[Case],
    now: datetime,
    resolutions: Sequence[str | None] | None = None,
) -> None:
    """Add cases in the caller's transaction; one that is live already stays as it is.

    `resolutions`, one for each case, marks those that the same transaction has ended again.
    """
    if not cases:
        return
    encode = msgspec.json.encode
    await connection.execute(
        OPEN,
        {
            "book_ids": [case.book_id for case in cases],
            "ids": [uuid7() for _ in cases],
            "subject_kinds": [case.subject_kind for case in cases],
            "subject_ids": [case.subject_id for case in cases],
            "sides": [case.side for case in cases],
            "reasons": [case.reason for case in cases],
            "providers": [case.provider for case in cases],
            "external_ids": [case.external_id for case in cases],
            "amounts": [case.amount_vnd for case in cases],
            "happened": [case.happened_at for case in cases],
            "fields": [encode(case.fields).decode() for case in cases],
            "candidates": [encode(case.candidates[:CANDIDATES_MAX]).decode() for case in cases],
            "resolutions": resolutions or [None] * len(cases),
            "now": now,
        },
    )


async def end_cases(
    connection: AsyncConnection, ended: Sequence[tuple[int, UUID, str, str]], now: datetime
) -> None:
    """End the live case of one reason of each of `ended` (book, subject, reason, how it ended)."""
    if not ended:
        return
    books, subjects, reasons, resolutions = map(list, zip(*ended, strict=True))
    await connection.execute(
        END,
        {
            "book_ids": books,
            "subject_ids": subjects,
            "reasons": reasons,
            "resolutions": resolutions,
            "now": now,
        },
    )


async def resolve_cases(
    connection: AsyncConnection, subjects: Sequence[tuple[int, UUID, str]], now: datetime
) -> None:
    """End every live case of `subjects` (book, subject, how it ended)."""
    if not subjects:
        return
    await connection.execute(
        RESOLVE,
        {
            "book_ids": [book_id for book_id, _, _ in subjects],
            "subject_ids": [subject_id for _, subject_id, _ in subjects],
            "resolutions": [resolution for _, _, resolution in subjects],
            "now": now,
        },
    )
