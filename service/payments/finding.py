"""The cases that booking finds: about a movement's money, or about a report of it.

Makes them; whether one is opened is decided in `booking`.
"""

from uuid import UUID

from service.payments.effects import Effects
from service.payments.outcomes import Decision
from service.payments.sightings import Case, FieldVerdict, Sighting, SubjectKind
from service.payments.state import Movement


def of_decision(
    sighting: Sighting, movement: Movement, decision: Decision, effects: Effects
) -> None:
    """Open the case of a decision that gives a reason."""
    if decision.reason is None:
        return
    amount_vnd = decision.suspense_vnd or decision.held_vnd or sighting.amount_vnd
    effects.cases.append(
        Case(
            book_id=sighting.book_id,
            subject_kind="movement",
            subject_id=movement.id,
            side=sighting.side,
            reason=decision.reason,
            provider=sighting.provider,
            external_id=sighting.external_id,
            amount_vnd=amount_vnd,
            happened_at=sighting.happened_at,
            fields=(*decision.fields, *sighting.fields),
            candidates=decision.candidates,
        )
    )


def contested(sighting: Sighting, movement: Movement) -> Case:
    """The case that a report contradicts what a movement was booked as."""
    field = FieldVerdict(
        name="amount_vnd",
        expected=movement.amount_vnd,
        found=sighting.amount_vnd,
        verdict="equal" if movement.amount_vnd == sighting.amount_vnd else "differs",
    )
    return about(sighting, "CONTESTED", fields=(field,))


def about(
    sighting: Sighting,
    reason: str,
    *,
    subject_kind: SubjectKind | None = None,
    subject_id: UUID | None = None,
    fields: tuple[FieldVerdict, ...] = (),
) -> Case:
    """A case about the sighting itself, or about `subject_id`."""
    files: dict[str, SubjectKind] = {
        "statement": "statement_line",
        "settlement": "settlement_line",
    }
    return Case(
        book_id=sighting.book_id,
        subject_kind=subject_kind or files.get(sighting.view, "event"),
        subject_id=subject_id or sighting.id,
        side=sighting.side,
        reason=reason,
        provider=sighting.provider,
        external_id=sighting.external_id,
        amount_vnd=sighting.amount_vnd,
        happened_at=sighting.happened_at,
        fields=(*fields, *sighting.fields),
    )
