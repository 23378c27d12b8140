"""One step of a run: what is to happen with one movement. Knows no SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from service.matching import model
from service.payments.explaining import Explanation
from service.payments.sightings import Candidate, FieldVerdict

EXPIRED: Final = "PAID_EXPIRED_ORDER"
HOLDS: Final = frozenset({"DUPLICATE_PAYMENT", "PAID_AFTER_CANCEL", "OVERPAYMENT"})
"""Why money that bears a valid reference is kept for the payer whole (3381)."""
NUMBERS: Final = frozenset({"amount_vnd"})
ALLOCATED_SCORE: Final = 90
"""Of the notice that a reference names, in a case beside a posting."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """A case of a movement that is not resolved."""

    id: UUID
    reason: str
    status: Literal["open", "proposed"]
    provider: str
    external_id: str
    fields: tuple[FieldVerdict, ...]
    candidates: tuple[Candidate, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A movement in suspense with what is known of it."""

    money: model.Money
    happened_at: datetime
    provider: str
    external_id: str
    live: tuple[Live, ...] = ()

    @property
    def untouchable(self) -> bool:
        """Whether a person has proposed something: then the machine leaves it alone."""
        return any(case.status == "proposed" for case in self.live)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a run plans for one movement.

    post: allocate `shares`, hold `held_vnd`, and open a case if there is a `reason`. case: open or
    change the case `case_id` and move nothing.
    """

    movement_id: UUID
    rule: str
    verdict: Literal["post", "case"]
    reason: str | None
    suspense_vnd: int
    happened_at: datetime
    provider: str
    external_id: str
    shares: tuple[tuple[UUID, int], ...] = ()
    held_vnd: int = 0
    fields: tuple[FieldVerdict, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    case_id: UUID | None = None

    def explanation(self, book_id: int) -> Explanation:
        """The step as the booking room takes it."""
        return Explanation(
            book_id=book_id,
            movement_id=self.movement_id,
            suspense_vnd=self.suspense_vnd,
            rule=self.rule,
            shares=self.shares,
            held_vnd=self.held_vnd,
            reason=self.reason,
            provider=self.provider,
            external_id=self.external_id,
            happened_at=self.happened_at,
            fields=self.fields,
            candidates=self.candidates,
        )


def step_of(
    waiting: Waiting, verdict: model.Verdict, expiries: Mapping[str, datetime]
) -> Step | None:
    """What a verdict asks for; None where the books and the live case say so already."""
    shares = verdict.allocations
    reason: str | None = verdict.reason
    held_vnd = 0
    if shares:
        held_vnd = waiting.money.amount_vnd - sum(vnd for _, vnd in shares)
        if _expired(waiting, expiries):
            shares, held_vnd, reason = (), waiting.money.amount_vnd, EXPIRED
    elif verdict.rule == "R2A" and verdict.reason in HOLDS:
        held_vnd = waiting.money.amount_vnd
    fields = tuple(_field(one) for one in verdict.fields)
    candidates = tuple(_candidate(one) for one in verdict.candidates)
    if reason is not None and not candidates:
        candidates = tuple(
            Candidate(id=notice_id, kind="fee_notice", score=ALLOCATED_SCORE, fields=fields)
            for notice_id, _ in verdict.allocations
        )
    step = Step(
        movement_id=waiting.money.id,
        rule=verdict.rule,
        verdict="post" if shares or held_vnd else "case",
        reason=reason,
        suspense_vnd=waiting.money.amount_vnd,
        happened_at=waiting.happened_at,
        provider=waiting.provider,
        external_id=waiting.external_id,
        shares=shares,
        held_vnd=held_vnd,
        fields=fields,
        candidates=candidates,
    )
    return step if step.verdict == "post" else _on_case(waiting, step)


def _expired(waiting: Waiting, expiries: Mapping[str, datetime]) -> bool:
    """Whether the only way to pay that the money names had ended when the money moved."""
    named = waiting.money.evidence.references
    ends = [expiries[reference] for reference in named if reference in expiries]
    return len(named) == 1 and any(end < waiting.happened_at for end in ends)


def _on_case(waiting: Waiting, step: Step) -> Step | None:
    """The step on the case that is live already; None where that says the same."""
    same = [case for case in waiting.live if case.reason == step.reason]
    if any(case.fields == step.fields and case.candidates == step.candidates for case in same):
        return None
    chosen = same or list(waiting.live)
    return msgspec.structs.replace(step, case_id=chosen[0].id if chosen else None)


def _field(found: model.FieldVerdict) -> FieldVerdict:
    number = found.name in NUMBERS
    return FieldVerdict(
        name=found.name,
        expected=int(found.expected) if number and found.expected else found.expected or None,
        found=int(found.found) if number and found.found else found.found or None,
        verdict=found.verdict,
    )


def _candidate(found: model.Candidate) -> Candidate:
    return Candidate(
        id=found.item_id,
        kind="fee_notice",
        score=found.score,
        fields=tuple(_field(one) for one in found.fields),
    )
