"""The words of this room on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec

from service.reconciliation.counting import Counts

RunStatus: TypeAlias = Literal["planned", "applying", "done", "failed"]

BookNumber: TypeAlias = Annotated[
    int,
    msgspec.Meta(
        ge=1, le=2**31 - 1, description="Needed where your key or account covers several books."
    ),
]

BookId: TypeAlias = Annotated[
    int,
    msgspec.Meta(
        ge=1, le=2**31 - 1, description="Needed where your key or account covers several."
    ),
]


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reconcile a book with all that moved up to a business day.

    A dry run says what would change and changes nothing.
    """

    business_date: date
    dry_run: bool = False
    book_id: BookNumber | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A reconciliation run: counts, sums and what changed."""

    id: UUID
    book_id: int
    business_date: date
    dry_run: bool
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    counts: Counts
