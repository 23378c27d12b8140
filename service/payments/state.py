"""The state that one group works on: read under lock, changed in memory, written once.

A group of calls sees the same numbers as its members would one by one, because each decision
reads and changes these objects in order of arrival. No rule stands here: see `outcomes`.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

NoticeKey = tuple[int, UUID]


@dataclass(slots=True)
class Item:
    """A fee item with its two counters; money fills items in order of `position`."""

    id: UUID
    position: int
    amount_vnd: int
    exempted_vnd: int
    paid_vnd: int
    budget_subsection: str | None
    dirty: bool = False

    @property
    def open_vnd(self) -> int:
        """What this item still owes."""
        return self.amount_vnd - self.exempted_vnd - self.paid_vnd


@dataclass(slots=True)
class Notice:
    """A notice's counters as they stand after every decision made so far in this group."""

    book_id: int
    id: UUID
    dossier_code: str
    amount_vnd: int
    exempted_vnd: int
    written_off_vnd: int
    paid_vnd: int
    refunded_vnd: int
    held_vnd: int
    cancelled: bool
    version: int
    items: list[Item] = field(default_factory=list)
    dirty: bool = False

    @property
    def outstanding_vnd(self) -> int:
        """What is left to pay; a cancelled notice owes nothing."""
        if self.cancelled:
            return 0
        return self.amount_vnd - self.exempted_vnd - self.written_off_vnd - self.paid_vnd

    @property
    def status(self) -> str:
        """The same word as the generated column `service.notice_state.status`."""
        if self.cancelled:
            return "cancelled"
        if self.paid_vnd and self.refunded_vnd >= self.paid_vnd:
            return "refunded"
        if not self.outstanding_vnd:
            return "paid" if self.paid_vnd else "exempt"
        return "partially_paid" if self.paid_vnd else "open"

    def pay(self, amount_vnd: int) -> list[tuple[Item, int]]:
        """Add `amount_vnd` to what is paid; which item took how much, in order."""
        shares: list[tuple[Item, int]] = []
        left = amount_vnd
        for item in self.items:
            share = min(left, item.open_vnd)
            if share > 0:
                item.paid_vnd += share
                item.dirty = True
                shares.append((item, share))
                left -= share
        if left:
            message = f"notice {self.id} owes {left} đồng less than was given to it"
            raise ValueError(message)
        self.paid_vnd += amount_vnd
        self.touch()
        return shares

    def unpay(self, item_id: UUID | None, amount_vnd: int) -> None:
        """Take `amount_vnd` of one item back out of what is paid; the caller touches once."""
        for item in self.items:
            if item.id == item_id:
                item.paid_vnd -= amount_vnd
                item.dirty = True
        self.paid_vnd -= amount_vnd

    def touch(self) -> None:
        """One more change that the one-stop must hear of."""
        self.version += 1
        self.dirty = True


@dataclass(slots=True)
class Request:
    """A payment request: one reference, one or more notices of its book, in order."""

    book_id: int
    reference: str
    amount_vnd: int
    expires_at: datetime | None
    notices: list[Notice] = field(default_factory=list)
    siblings: list[Notice] = field(default_factory=list)

    @property
    def outstanding_vnd(self) -> int:
        """What its notices owe together now."""
        return sum(notice.outstanding_vnd for notice in self.notices)


@dataclass(slots=True)
class Seen:
    """A sighting that a movement already has."""

    seen_by: str
    traces: frozenset[str]
    reference: str | None
    happened_on: date


@dataclass(slots=True)
class Placed:
    """A part of a movement's money and the account it stands on now."""

    account: str
    book_id: int
    amount_vnd: int
    notice_id: UUID | None = None
    item_id: UUID | None = None
    budget_subsection: str | None = None


@dataclass(slots=True)
class Movement:
    """Money that moved once, and where it stands in the books."""

    book_id: int
    id: UUID
    direction: str
    origin: str
    amount_vnd: int
    entry_id: UUID
    allocated_vnd: int = 0
    suspense_vnd: int = 0
    held_vnd: int = 0
    unexplained_vnd: int = 0
    reversed_vnd: int = 0
    clearing_vnd: int = 0
    payout_vnd: int = 0
    dossiers: frozenset[str] = frozenset()
    """The keys of the whole dossier codes that any window told of it."""
    seen: list[Seen] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    dirty: bool = False
    new: bool = False

    @property
    def traces(self) -> frozenset[str]:
        """Every trace any window gave of it."""
        return frozenset().union(*(seen.traces for seen in self.seen))


@dataclass(slots=True)
class World:
    """Everything a group may read or change, locked."""

    notices: dict[NoticeKey, Notice] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    serves: dict[int, frozenset[int]] = field(default_factory=dict)
    """Merchant id to the books it may collect for."""
    movements: list[Movement] = field(default_factory=list)
    _like: dict[tuple[int, str, str, int], list[Movement]] = field(default_factory=dict)
    _traced: dict[tuple[int, str, str], Movement] = field(default_factory=dict)

    def add(self, movement: Movement) -> None:
        """Make a movement known to the sightings that follow; its sightings must be on it."""
        self.movements.append(movement)
        key = (movement.book_id, movement.origin, movement.direction, movement.amount_vnd)
        self._like.setdefault(key, []).append(movement)
        self.learn(movement)

    def learn(self, movement: Movement) -> None:
        """Find a movement by the traces of its sightings from now on."""
        for trace in movement.traces:
            self._traced.setdefault((movement.book_id, movement.origin, trace), movement)

    def traced(self, book_id: int, origin: str, trace: str) -> Movement | None:
        """The first movement of an origin that bears this trace."""
        return self._traced.get((book_id, origin, trace))

    def like(self, book_id: int, origin: str, direction: str, amount_vnd: int) -> list[Movement]:
        """Known movements of an origin, direction and amount, oldest first."""
        return self._like.get((book_id, origin, direction, amount_vnd), [])
