"""Load what is published of agencies, procedures and fees, kept as CSV beside the code.

For the demo, and for an operator who begins with it. An agency's book is decided by `collects`,
never by a file. What is invented in the files says so: see service/data/README.md.
"""

import csv
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

FOLDER: Final = Path(__file__).parent / "data"
ROWS_MAX: Final = 100_000
"""No file is read further than this."""

ADD_AGENCIES = sa.text("""
    insert into service.agency
        (code, valid_from, valid_to, legacy_code, name, level, parent, book_id)
    select told.code, told.valid_from, told.valid_to, told.legacy_code, told.name, told.level,
           nullif(told.parent, ''), told.book_id
    from unnest(cast(:codes as text[]), cast(:froms as date[]), cast(:tos as date[]),
                cast(:legacy as text[]), cast(:names as text[]), cast(:levels as text[]),
                cast(:parents as text[]), cast(:books as integer[]))
        as told (code, valid_from, valid_to, legacy_code, name, level, parent, book_id)
    on conflict (code, valid_from) do nothing
    returning code
""")

ADD_PROCEDURES = sa.text("""
    insert into service.procedure (code, name, sector)
    select told.code, told.name, told.sector
    from unnest(cast(:codes as text[]), cast(:names as text[]), cast(:sectors as text[]))
        as told (code, name, sector)
    on conflict (code) do nothing
    returning code
""")

# The table of agencies is dated and only ever added to: a new row says what holds from now on.
COLLECTS = sa.text("""
    insert into service.agency
        (code, valid_from, valid_to, legacy_code, name, level, parent, successor, book_id)
    select code, cast(:since as date), valid_to, legacy_code, name, level, parent, successor,
           cast(:book_id as integer)
    from service.agency
    where code = :code and valid_from < cast(:since as date)
    order by valid_from desc limit 1
    on conflict (code, valid_from) do nothing
    returning code
""")


class Agency(msgspec.Struct, frozen=True, kw_only=True):
    """An agency and the days between which it exists; `legacy_code` is QCVN 102's notation."""

    code: str
    legacy_code: str
    name: str
    level: str
    parent: str
    valid_from: date
    valid_to: date | None


class Procedure(msgspec.Struct, frozen=True, kw_only=True):
    """An administrative procedure; `level` is that of the agency that decides it."""

    code: str
    name: str
    level: str
    sector: str


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """One component of what a procedure costs; `online_vnd` where it is filed online."""

    procedure_code: str
    component: str
    kind: str
    name: str
    amount_vnd: int
    online_vnd: int
    rule: str
    retained_percent: int
    budget_subsection: str | None


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows were new."""

    agencies: int
    procedures: int


@cache
def agencies() -> tuple[Agency, ...]:
    """The agencies of the file."""
    return tuple(
        Agency(
            code=row["code"],
            legacy_code=row["legacy_code_qcvn102"],
            name=row["name_vi"],
            level=row["level"],
            parent=row["parent"],
            valid_from=date.fromisoformat(row["valid_from"] or "2000-01-01"),
            valid_to=_day(row["valid_to"]),
        )
        for row in _rows("agencies.csv")
    )


@cache
def procedures() -> tuple[Procedure, ...]:
    """The procedures of the file."""
    return tuple(
        Procedure(
            code=row["code"],
            name=row["name_vi"],
            level=row["agency_level"],
            sector=row["sector_vi"],
        )
        for row in _rows("procedures.csv")
    )


@cache
def fees(on: date) -> tuple[Fee, ...]:
    """The components in force on a day, with an amount."""
    return tuple(
        Fee(
            procedure_code=row["procedure_code"],
            component=row["component_no"],
            kind=row["fee_type"],
            name=row["name_vi"],
            amount_vnd=int(row["amount_vnd"]),
            online_vnd=int(row["online_amount_vnd"] or row["amount_vnd"]),
            rule=row["rule"],
            retained_percent=int(row["retained_percent"] or 0),
            budget_subsection=row["budget_subsection"] or None,
        )
        for row in _rows("fee_schedule.csv")
        if row["amount_vnd"] and _holds(row, on)
    )


async def load(connection: AsyncConnection, books: Mapping[str, int]) -> Loaded:
    """Add the agencies and procedures that are not there yet, in the caller's transaction.

    `books` says which agency (by code) collects into which book; the others collect nothing.
    """
    known = agencies()
    added = await connection.scalars(
        ADD_AGENCIES,
        {
            "codes": [one.code for one in known],
            "froms": [one.valid_from for one in known],
            "tos": [one.valid_to for one in known],
            "legacy": [one.legacy_code for one in known],
            "names": [one.name for one in known],
            "levels": [one.level for one in known],
            "parents": [one.parent for one in known],
            "books": [books.get(one.code) for one in known],
        },
    )
    agencies_added = len(added.all())
    found = procedures()
    added = await connection.scalars(
        ADD_PROCEDURES,
        {
            "codes": [one.code for one in found],
            "names": [one.name for one in found],
            "sectors": [one.sector for one in found],
        },
    )
    return Loaded(agencies=agencies_added, procedures=len(added.all()))


async def collects(
    connection: AsyncConnection, agency_code: str, book_id: int, since: date
) -> bool:
    """Say that an agency of the table collects into a book from a day on.

    False where there is no such agency, or it has a row of that day already.
    """
    row = {"code": agency_code, "book_id": book_id, "since": since}
    return await connection.scalar(COLLECTS, row) is not None


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number >= ROWS_MAX:
                raise ValueError(f"{name} has more than {ROWS_MAX} rows")
            yield row


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _holds(row: Mapping[str, str], on: date) -> bool:
    begins, ends = _day(row["valid_from"]), _day(row["valid_to"])
    return (begins is None or begins <= on) and (ends is None or on <= ends)
