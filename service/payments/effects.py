"""What a group decided and is still to be written. Decides nothing and knows no SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from ledger.entries import Entry
from service.outbox import OutboxEvent
from service.payments.sightings import Booked, Case, Sighting
from service.payments.state import Movement, Notice


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a movement pays which notice."""

    book_id: int
    id: UUID
    notice_id: UUID
    movement_book_id: int
    movement_id: UUID
    amount_vnd: int
    entry_id: UUID
    rule: str


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A believed call, sealed."""

    book_id: int
    id: UUID
    merchant_id: int
    received_at: datetime
    sealed: bytes


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """A believed call in our words, with what became of it."""

    book_id: int
    id: UUID
    call_id: UUID
    merchant_id: int
    scope: str
    provider_txn: str
    status: str
    amount_key: str
    amount_vnd: int | None
    reference: str | None
    happened_at: datetime
    memo_sealed: bytes | None
    outcome: str
    movement_id: UUID | None


@dataclass(slots=True)
class Effects:
    """Rows and entries of one group, in order of arrival."""

    calls: list[CallRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    sightings: list[tuple[Sighting, Booked]] = field(default_factory=list)
    movements: list[tuple[Sighting, Movement, datetime]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    undone: list[tuple[int, UUID, UUID]] = field(default_factory=list)
    """Book, movement and entry of allocations to be undone whole."""
    cases: list[Case] = field(default_factory=list)
    resolved: list[tuple[int, UUID, str, int]] = field(default_factory=list)
    """Book, subject, how its live cases ended, and how many of `cases` were opened before."""
    ended: list[tuple[int, UUID, str, str]] = field(default_factory=list)
    """Book, subject, reason and how its live case of that reason ended."""
    news: list[OutboxEvent] = field(default_factory=list)

    def saw(self, sighting: Sighting, booked: Booked) -> None:
        """Remember a sighting with what became of it."""
        self.sightings.append((sighting, booked))

    def resolve(self, book_id: int, subject_id: UUID, resolution: str) -> None:
        """End every case of a subject that is live at this point of the group."""
        self.resolved.append((book_id, subject_id, resolution, len(self.cases)))

    def tell(self, notice: Notice, kind: str | None = None) -> None:
        """The one-stop must hear how the notice stands now: one event for each change."""
        self.news.append(notice_news(notice, kind))


def notice_news(notice: Notice, kind: str | None = None) -> OutboxEvent:
    """The event that tells of a notice's state; it holds no personal data."""
    status = notice.status
    named = {
        "paid": "fee_notice.paid",
        "partially_paid": "fee_notice.partially_paid",
    }.get(status, "fee_notice.reopened")
    return OutboxEvent(
        book_id=notice.book_id,
        type=kind or named,  # type: ignore[arg-type]  # the names above are EventType's own
        notice_id=notice.id,
        dossier_code=notice.dossier_code,
        payload={
            "notice_id": str(notice.id),
            "dossier_code": notice.dossier_code,
            "status": status,
            "amount_vnd": notice.amount_vnd,
            "exempted_vnd": notice.exempted_vnd,
            "paid_vnd": notice.paid_vnd,
            "held_vnd": notice.held_vnd,
            "outstanding_vnd": notice.outstanding_vnd,
            "settled": not notice.cancelled and not notice.outstanding_vnd,
            "version": notice.version,
        },
    )
