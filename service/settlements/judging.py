"""What a settlement line means, beside what is known of its payment: tied, or named as a case.

Pure: it says what to book; service.payments books it. A line that ties to nothing is booked all the
same, as money in suspense, for the provider pays it out.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from ledger.accounts import business_day
from providers.settlements import SettlementLine
from service.payments.settling import Settled
from service.payments.sightings import Case, FieldVerdict, Sighting
from service.settlements.facts import Facts
from service.settlements.identity import Counted, trace, traces
from service.settlements.keeping import Payee

Verdict: TypeAlias = Literal[
    "settled",
    "missing_callback",
    "amount_mismatch",
    "duplicate",
    "refunded",
    "refund_exceeds",
    "no_original",
    "disputed",
    "dispute_won",
    "reversed",
    "fee",
    "adjusted",
    "payout",
    "tied",
    "untied",
]


class Judged(msgspec.Struct, kw_only=True):
    """One line with what is to be done about it."""

    id: UUID
    counted: Counted
    verdict: Verdict
    sighting: Sighting | None = None
    """The report of money that is told to service.payments, where the line is one."""
    movement_book_id: int | None = None
    movement_id: UUID | None = None
    disputed_vnd: int = 0
    books: bool = True
    cases: list[Case] = []
    ends: str = ""
    """The reason of a live case about the movement that the line ends."""

    @property
    def line(self) -> SettlementLine:
        """The line itself."""
        return self.counted.line

    @property
    def receivable_vnd(self) -> int:
        """What the line adds to its batch on 1388."""
        return self.line.net_vnd if self.books and self.line.kind != "payout" else 0

    def settled(self, whose: Payee) -> Settled | None:
        """What service.payments books to 1388 for it; None for what books nothing."""
        if not self.books or self.line.kind == "payout":
            return None
        return Settled(
            line_id=self.id,
            book_id=whose.book_id,
            movement_id=self.movement_id,
            gross_vnd=self.line.gross_vnd,
            fee_vnd=self.line.fee_vnd,
            disputed_vnd=self.disputed_vnd,
            merchant=whose.name,
            happened_at=self.line.happened_at,
            happened_on=business_day(self.line.happened_at),
        )


def judge(whose: Payee, counted: Counted, facts: Facts) -> Judged:
    """The verdict on a line whose money stands at the provider; changes `facts` by it."""
    line = counted.line
    made = Judged(id=uuid7(), counted=counted, verdict="payout", cases=[])
    if line.kind == "payout":
        return made
    if line.kind == "fee":
        made.verdict = "fee"
    elif line.kind == "payment":
        _payment(whose, made, facts)
    elif line.kind == "refund":
        _refund(whose, made, facts)
    elif line.kind in {"chargeback", "chargeback_reversed"}:
        _chargeback(whose, made, facts)
    elif line.kind == "reversal":
        made.verdict = "reversed"
        made.sighting = sighting(whose, made, traces(line), reason="REFUND_NO_ORIGINAL")
    else:
        made.verdict = "adjusted"
        reason = "SETTLEMENT_ADJUSTMENT" if line.gross_vnd > 0 else "OUT_OF_SCOPE"
        made.sighting = sighting(whose, made, (), reason=reason)
    return made


def judge_untouched(whose: Payee, counted: Counted, facts: Facts) -> Judged:
    """The verdict on a line that books nothing: its money came straight to our own account."""
    line = counted.line
    made = Judged(id=uuid7(), counted=counted, verdict="tied", books=False, cases=[])
    if facts.payments:
        made.verdict = "duplicate"
        made.cases.append(case(whose, made, "DUPLICATE_SETTLEMENT", facts))
    elif facts.movement_id is None:
        made.verdict = "untied"
        made.cases.append(case(whose, made, "MISSING_CALLBACK", facts))
    elif facts.amount_vnd != abs(line.gross_vnd):
        made.verdict = "amount_mismatch"
        made.cases.append(case(whose, made, "AMOUNT_MISMATCH", facts))
    if facts.movement_id is not None:
        made.movement_book_id, made.movement_id = facts.book_id, facts.movement_id
    facts.payments += 1
    return made


def _payment(whose: Payee, made: Judged, facts: Facts) -> None:
    line = made.line
    if facts.payments:
        made.verdict = "duplicate"
        made.sighting = sighting(whose, made, (), reason="DUPLICATE_SETTLEMENT")
    elif facts.movement_id is None:
        made.verdict = "missing_callback"
        made.sighting = sighting(whose, made, traces(line), reference=line.order)
    elif facts.amount_vnd != line.gross_vnd:
        made.verdict = "amount_mismatch"
        _tie(made, facts)
        made.cases.append(case(whose, made, "AMOUNT_MISMATCH", facts))
    else:
        made.verdict = "settled"
        made.sighting = sighting(whose, made, traces(line), reference=line.order)
    facts.payments += 1


def _refund(whose: Payee, made: Judged, facts: Facts) -> None:
    refund_vnd = -made.line.gross_vnd
    if facts.movement_id is None:
        made.verdict = "no_original"
        made.sighting = sighting(whose, made, (), reason="REFUND_NO_ORIGINAL")
    elif facts.refunded_vnd + refund_vnd > facts.amount_vnd:
        made.verdict = "refund_exceeds"
        made.sighting = sighting(whose, made, (), reason="REFUND_EXCEEDS")
    else:
        made.verdict = "refunded"
        _tie(made, facts)
        facts.refunded_vnd += refund_vnd


def _chargeback(whose: Payee, made: Judged, facts: Facts) -> None:
    """Money taken back while a dispute is open, or given back because it was won."""
    line = made.line
    back = line.kind == "chargeback_reversed"
    left_vnd = facts.disputed_vnd if back else facts.amount_vnd - facts.disputed_vnd
    if facts.movement_id is None or abs(line.gross_vnd) > left_vnd:
        made.verdict = "no_original"
        reason = "CHARGEBACK_REVERSED" if back else "REFUND_NO_ORIGINAL"
        made.sighting = sighting(whose, made, (), reason=reason)
        return
    made.verdict = "dispute_won" if back else "disputed"
    made.disputed_vnd = -line.gross_vnd
    facts.disputed_vnd -= line.gross_vnd
    _tie(made, facts)
    if not back:
        told = case(whose, made, "CHARGEBACK", facts)
        made.cases.append(
            msgspec.structs.replace(told, subject_kind="movement", subject_id=facts.movement_id)
        )
    elif not facts.disputed_vnd:
        made.ends = "CHARGEBACK"


def _tie(made: Judged, facts: Facts) -> None:
    made.movement_book_id, made.movement_id = facts.book_id, facts.movement_id


def sighting(
    whose: Payee,
    made: Judged,
    names: Sequence[str],
    *,
    reference: str = "",
    reason: str | None = None,
) -> Sighting:
    """The line as a report of money that moved at the provider."""
    line = made.line
    return Sighting(
        id=made.id,
        book_id=whose.book_id,
        view="settlement",
        seen_by=f"settlement:{whose.name}",
        origin=whose.origin,
        direction="in" if line.gross_vnd > 0 else "out",
        amount_vnd=abs(line.gross_vnd),
        happened_at=line.happened_at.astimezone(UTC),
        happened_on=business_day(line.happened_at),
        provider=whose.provider,
        external_id=line.transaction or line.batch,
        traces=tuple(names),
        reference=reference or None,
        merchant=whose.name,
        merchant_id=whose.id,
        reason=reason,
        fields=_place(line),
    )


def _place(line: SettlementLine) -> tuple[FieldVerdict, ...]:
    """Where in the file the line stands, for whoever looks for it there."""
    return (
        FieldVerdict(name="transaction", expected=None, found=trace(line), verdict="equal"),
        FieldVerdict(name="batch", expected=None, found=line.batch, verdict="equal"),
        FieldVerdict(name="row", expected=None, found=line.row, verdict="equal"),
    )


def case(
    whose: Payee,
    made: Judged,
    reason: str,
    facts: Facts,
) -> Case:
    """A case about a line, with the fields that name the đồng in question and the row."""
    line = made.line
    expected = facts.amount_vnd if facts.movement_id is not None else None
    found = abs(line.gross_vnd)
    verdict: Literal["equal", "differs", "missing"] = "equal" if expected == found else "differs"
    return Case(
        book_id=whose.book_id,
        subject_kind="settlement_line",
        subject_id=made.id,
        side="settlement",
        reason=reason,
        provider=whose.provider,
        external_id=line.transaction or line.batch,
        amount_vnd=found,
        happened_at=line.happened_at,
        fields=(
            FieldVerdict(
                name="gross_vnd",
                expected=expected,
                found=found,
                verdict="missing" if expected is None else verdict,
            ),
            *_place(line),
        ),
    )
