"""Official codes of a call in their one stored form, and the book that collects.

Every field that cannot be read is told at once, with its path. Agencies must stand in the dated
table; one that has ended still takes money, through its successor.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import FieldError, InvalidRequest
from service.fees.messages import NewFeeNotice
from service.references import agency_code, dossier_code, procedure_code
from service.references.errors import UnreadableCode

SUCCESSORS_MAX: Final = 5

# Each agency asked for, then (while it has ended) whoever took over.
AGENCIES = sa.text("""
    with recursive walk as (
        select asked.code as asked, agency.valid_from, agency.valid_to, agency.successor,
               agency.book_id, 0 as hops
        from unnest(cast(:codes as text[])) as asked (code)
        join service.agency as agency on agency.code = asked.code
        where agency.valid_from <= :today
        union all
        select walk.asked, next.valid_from, next.valid_to, next.successor, next.book_id,
               walk.hops + 1
        from walk join service.agency as next on next.code = walk.successor
        where walk.valid_to < :today and walk.hops < :hops_max and next.valid_from <= :today
    )
    select asked, book_id, coalesce(valid_to >= :today, true) as current from walk
    order by asked, current desc, hops, valid_from desc
""")


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """The codes of a notice as they are stored, and its book."""

    dossier_code: str
    dossier_key: str
    procedure_code: str
    received_by: str
    decided_by: str
    collected_by: str
    book_id: int


def read_dossier(text: str, today: date) -> dossier_code.DossierCode:
    """A dossier code in any notation; raises InvalidRequest naming the field."""
    try:
        return dossier_code.parse(text, today=today)
    except UnreadableCode as refusal:
        raise InvalidRequest(errors=[told("dossier_code", refusal)]) from None


def told(field: str, refusal: UnreadableCode) -> FieldError:
    """A refusal of a code as a field error; the code itself is repeated, for it is no secret."""
    return FieldError(field=field, message=f"{refusal.why}: {refusal}")


async def resolve(connection: AsyncConnection, new: NewFeeNotice, today: date) -> Codes:
    """The codes of `new` canonicalised; raises InvalidRequest with all that is wrong."""
    errors: list[FieldError] = []
    dossier = procedure = None
    try:
        dossier = dossier_code.parse(new.dossier_code, today=today)
    except UnreadableCode as refusal:
        errors.append(told("dossier_code", refusal))
    try:
        procedure = procedure_code.parse(new.procedure_code)
    except UnreadableCode as refusal:
        errors.append(told("procedure_code", refusal))
    asked = {
        "received_by": new.received_by,
        "decided_by": new.decided_by,
        "collected_by": new.collected_by,
    }
    agencies: dict[str, str] = {}
    for field, text in asked.items():
        try:
            agencies[field] = agency_code.parse(text).canonical
        except UnreadableCode as refusal:
            errors.append(told(field, refusal))
    found = await _agencies(connection, sorted(set(agencies.values())), today)
    errors += [
        FieldError(field=field, message=f"there is no agency {code} at this date")
        for field, code in agencies.items()
        if code not in found
    ]
    collector = agencies.get("collected_by", "")
    book_id = found.get(collector)
    if collector in found and book_id is None:
        message = f"the agency {collector} collects no fees here"
        errors.append(FieldError(field="collected_by", message=message))
    errors += wrong_sum(new)
    if errors or dossier is None or procedure is None or book_id is None:
        raise InvalidRequest(errors=errors)
    return Codes(
        dossier_code=dossier.text,
        dossier_key=dossier.key,
        procedure_code=procedure.national,
        received_by=agencies["received_by"],
        decided_by=agencies["decided_by"],
        collected_by=collector,
        book_id=book_id,
    )


def wrong_sum(new: NewFeeNotice) -> list[FieldError]:
    """An error where the amount given is not the sum of the items."""
    total_vnd = sum(item.amount_vnd for item in new.items)
    if new.amount_vnd is None or new.amount_vnd == total_vnd:
        return []
    return [FieldError(field="amount_vnd", message=f"the items add up to {total_vnd}")]


async def _agencies(
    connection: AsyncConnection, codes: Sequence[str], today: date
) -> dict[str, int | None]:
    """Those of `codes` that exist, each with the book that collects for it."""
    if not codes:
        return {}
    rows = await connection.execute(
        AGENCIES, {"codes": codes, "today": today, "hops_max": SUCCESSORS_MAX}
    )
    found: dict[str, int | None] = {}
    for row in rows:
        if found.get(row.asked) is None:
            found[row.asked] = row.book_id
    return found
