"""The words of this room: what is seen of money, and what became of it.

No rule and no SQL stands here.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

View: TypeAlias = Literal["callback", "feed", "statement", "counter", "settlement"]
Direction: TypeAlias = Literal["in", "out"]
SubjectKind: TypeAlias = Literal[
    "movement",
    "event",
    "statement_line",
    "statement",
    "notice",
    "call",
    "settlement",
    "settlement_line",
    "settlement_batch",
    "payment_request",
    "refund",
    "remittance",
    "merchant",
]
Token: TypeAlias = tuple[str, str]
"""Kind and value of a code-shaped piece of a memo (`service.token`)."""


NO_DOSSIERS: Final[frozenset[str]] = frozenset()


class Became(StrEnum):
    """What became of a sighting, or of an event that tells of no money."""

    ALLOCATED = "allocated"
    NOTED = "noted"
    ANOTHER_FOR_PAID = "another_for_paid"
    UNKNOWN_ORDER = "unknown_order"
    AMOUNT_DIFFERS = "amount_differs"
    KEPT = "kept"
    ATTACHED = "attached"
    UNPROVEN = "unproven"
    """Told by a weak channel alone, above its limit: it waits for another window."""
    UNSURE = "unsure"


class FieldVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a comparison, for people."""

    name: str
    expected: str | int | None
    found: str | int | None
    verdict: Literal["equal", "differs", "missing", "weak"]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One window's report of money that moved.

    `id` is the event, the statement line or the receipt it stands for. `origin` is where the money
    stands outside: `merchant:vnpay/HUE1`, `account:7`, `counter:cash`. `seen_by` is the window;
    within one window two sightings are two movements. `traces` are bank references or the
    provider's transaction. `peers` counts the like sightings of the same window that are still to
    come, this one included (known for a file, 1 for a call). `known_as` is the one of its traces,
    `number@scope`, by which this very window would tell the same money again: set where the number
    is the bank's own, and one window may tell it under two scopes (connections, payment links).
    `reason` is what a case about the money is called where nothing explains it, if that is not by
    the outcome table; `fields` say where the report stands.
    """

    id: UUID
    book_id: int
    view: View
    seen_by: str
    origin: str
    direction: Direction
    amount_vnd: int
    happened_at: datetime
    happened_on: date
    provider: str
    external_id: str
    traces: tuple[str, ...] = ()
    known_as: str | None = None
    reference: str | None = None
    held_by_provider: bool = False
    bank_account_id: int | None = None
    merchant: str | None = None
    merchant_id: int | None = None
    tokens: tuple[Token, ...] = ()
    notice_id: UUID | None = None
    peers: int = 1
    weak: bool = False
    """Proves nothing but that its sender knows a key, and is of more than such a word may move."""
    overtaken: bool = False
    """The provider has let go meanwhile what this says it holds."""
    reason: str | None = None
    fields: tuple[FieldVerdict, ...] = ()

    @property
    def is_by_transaction(self) -> bool:
        """Whether the provider's own transaction number names the movement."""
        return self.view in {"callback", "settlement"}

    @property
    def own_trace(self) -> str | None:
        """The transaction number by which a new movement is known from now on, if it has one."""
        if not self.is_by_transaction or self.direction == "out" or not self.traces:
            return None
        return self.traces[0]

    @property
    def side(self) -> Literal["callback", "settlement", "bank"]:
        """On which side of the list a case about this sighting stands."""
        if self.view == "settlement":
            return "settlement"
        return "bank" if self.view == "statement" else "callback"

    @property
    def dossiers(self) -> frozenset[str]:
        """The keys of the whole dossier codes that the text holds."""
        if not self.tokens:
            return NO_DOSSIERS
        return frozenset(value for kind, value in self.tokens if kind == "dossier")


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one sighting; `movement_id` is None while it is unsure."""

    sighting_id: UUID
    became: Became
    movement_id: UUID | None
    new_movement: bool


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Something that may explain an unmatched item; `score` is 0 to 100."""

    id: UUID
    kind: str
    score: int
    fields: tuple[FieldVerdict, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One item that nothing explains yet; `reason` is a code of the taxonomy.

    `due_at` is until when its `owner` has to act.
    """

    book_id: int
    subject_kind: SubjectKind
    subject_id: UUID
    side: Literal["callback", "settlement", "bank", "ledger"]
    reason: str
    provider: str
    external_id: str
    amount_vnd: int | None
    happened_at: datetime
    fields: tuple[FieldVerdict, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    owner: str | None = None
    """The role that has to act, where one is named."""
    due_at: datetime | None = None
