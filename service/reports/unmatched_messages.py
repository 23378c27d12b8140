"""The unmatched list on the wire."""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

Side: TypeAlias = Literal["callback", "settlement", "bank", "ledger"]
LiveStatus: TypeAlias = Literal["open", "proposed", "resolved"]


class FieldShown(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a comparison: what was expected, what was found, how they compare."""

    name: str
    expected: str | int | None
    found: str | int | None
    verdict: Literal["equal", "differs", "missing", "weak"]


class CandidateShown(msgspec.Struct, frozen=True, kw_only=True):
    """Something that may explain the item; `score` is 0 to 100, and posts nothing by itself."""

    id: UUID
    kind: str
    score: int
    fields: list[FieldShown]


class UnmatchedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """One item that nothing explains yet.

    `reason` is a code of the taxonomy of exceptions. `fields` compare it with the best candidate,
    `candidates` are ranked. `age_days` counts the days since it happened, in Vietnam. `owner` is
    the role that has to act until `due_at`, where a case has one. `subject_kind` and `subject_id`
    say what it is about: of money a `movement`, by whose id its ledger lines are read and it is
    given back.
    """

    id: UUID
    book_id: int
    side: Side
    provider: str
    external_id: str
    amount_vnd: int | None
    happened_at: datetime
    reason: str
    fields: list[FieldShown]
    candidates: list[CandidateShown]
    age_days: int
    status: LiveStatus
    opened_at: datetime
    subject_kind: str
    subject_id: UUID
    owner: str | None = None
    due_at: datetime | None = None


class UnmatchedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the unmatched list; `next_cursor` is null on the last one."""

    items: list[UnmatchedTransaction]
    next_cursor: str | None


class ReasonTotal(msgspec.Struct, frozen=True, kw_only=True):
    """How much stands unmatched for one reason and age."""

    reason: str
    age: Literal["0-1", "2-3", "4-7", "8-30", "31-90", ">90"]
    count: int
    amount_vnd: int
