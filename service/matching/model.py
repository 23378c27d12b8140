"""The values of matching: money and notices in, verdicts with their reasons out."""

from collections.abc import Mapping
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from service.references.memo import DossierToken, Evidence

Direction = Literal["in", "out"]
State = Literal["open", "paid", "cancelled", "exempt"]
Rule = Literal["R2", "R2A", "R2B", "R3", "R3A", "R3B", "R4", "R5", "none"]
"""R2 reference, exact. R2A its notice wants nothing. R2B another amount. R3, R3A, R3B the same by
whole dossier code. R4 several codes or notices, exact sum. R5 weak evidence. none: nothing."""
Reason = Literal[
    "AMBIGUOUS",
    "COMBINED_UNRESOLVED",
    "DUPLICATE_PAYMENT",
    "OUT_OF_SCOPE",
    "OVERPAYMENT",
    "PAID_AFTER_CANCEL",
    "PARTIAL_PAYMENT",
    "UNDERPAYMENT",
    "UNIDENTIFIED_CREDIT",
    "WRONG_ACCOUNT",
]
"""Codes of the taxonomy of exceptions that matching itself gives."""
Action = Literal["post", "case"]
FieldName = Literal[
    "reference", "dossier_code", "amount_vnd", "account", "payer", "state", "created_on"
]


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """The code-shaped part of a memo's evidence: what may be kept in clear."""

    references: tuple[str, ...] = ()
    damaged_references: tuple[str, ...] = ()
    dossier_codes: tuple[DossierToken, ...] = ()

    @classmethod
    def of(cls, evidence: Evidence) -> "Codes":
        """The codes of what a memo says, without names and the banks' numbers."""
        return cls(
            references=evidence.references,
            damaged_references=evidence.damaged_references,
            dossier_codes=evidence.dossier_codes,
        )


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that money may pay. Refuses amounts that cannot be with ValueError."""

    id: UUID
    kind: Literal["notice"] = "notice"
    dossier_key: str
    """`DossierCode.key`; several notices may share it."""
    references: tuple[str, ...] = ()
    """Payment references of its requests; one reference may cover several notices."""
    amount_vnd: int
    """What was owed in all."""
    open_vnd: int
    """What is left to pay."""
    state: State
    own_accounts: tuple[str, ...]
    """Bank accounts of the collecting unit; without one nothing is posted."""
    created_on: date
    sibling_group: str | None = None
    """Notices that one payer may pay together, such as those of one dossier."""
    name_keys: tuple[str, ...] = ()
    """Keyed hashes of the payer's name words."""

    def __post_init__(self) -> None:
        if not 0 <= self.open_vnd <= self.amount_vnd:
            raise ValueError("an item's open amount is between nothing and what was owed")


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """A movement nothing explains yet. Refuses amounts that cannot be with ValueError."""

    id: UUID
    amount_vnd: int
    direction: Direction
    happened_on: date
    account: str
    """Our own account that it touched."""
    evidence: Codes = Codes()
    name_keys: tuple[str, ...] = ()
    """Keyed hashes of the memo's name words, under the same key as the items'."""

    def __post_init__(self) -> None:
        if self.amount_vnd <= 0:
            raise ValueError("money has a positive amount")


class FieldVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How one field of an item compares with the money; a payer's name is never shown."""

    name: FieldName
    expected: str
    found: str
    verdict: Literal["equal", "differs", "missing", "weak"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An item that could explain the money; `score` from 0 to 100 is the sum of its terms."""

    item_id: UUID
    score: int
    terms: Mapping[str, int]
    fields: tuple[FieldVerdict, ...]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen with one movement.

    post: allocate `allocations`; a `reason` then opens a case beside it (what is missing or
    over). case: allocate nothing and let a person decide. What is not allocated is held.
    """

    money_id: UUID
    rule: Rule
    action: Action
    reason: Reason | None = None
    allocations: tuple[tuple[UUID, int], ...] = ()
    fields: tuple[FieldVerdict, ...] = ()
    """Against the first item allocated to, else against the best candidate."""
    candidates: tuple[Candidate, ...] = ()
    """Best first; none for money that is posted without a reason."""
