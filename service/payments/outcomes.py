"""The outcome table of DESIGN as code: what money that arrived is for.

Pure: it reads the state and says what to do; `booking` does it. Where the table leaves a doubt,
the answer is suspense and a case, never an allocation.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from service.payments.sightings import Became, Candidate, FieldVerdict, Sighting
from service.payments.state import Notice, Request, World

SIBLINGS_MAX: Final = 12
"""Open siblings looked at for an explanation of an excess; more than that is a doubt already."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Where an amount goes: to notices (in order), to the payer's credit, or to suspense."""

    became: Became
    shares: tuple[tuple[Notice, int], ...] = ()
    held_vnd: int = 0
    suspense_vnd: int = 0
    reason: str | None = None
    fields: tuple[FieldVerdict, ...] = ()
    candidates: tuple[Candidate, ...] = ()


def decide(sighting: Sighting, amount_vnd: int, world: World) -> Decision:
    """What `amount_vnd` of an incoming sighting is for, by the outcome table.

    `amount_vnd` is what of the movement is not yet explained: all of it for new money, what stands
    in suspense for money that another window told first.
    """
    if sighting.view == "counter":
        return _at_the_counter(sighting, amount_vnd, world)
    request = world.requests.get(sighting.reference) if sighting.reference else None
    if sighting.view == "settlement" and sighting.reason is not None:
        return _suspense(amount_vnd, Became.KEPT, sighting.reason)
    if sighting.is_by_transaction:
        return _by_gateway(sighting, amount_vnd, request, world)
    if sighting.view == "feed":
        return _by_transfer(sighting, amount_vnd, request)
    return _suspense(
        amount_vnd, Became.KEPT, "UNIDENTIFIED_CREDIT", (_reference_field(sighting, request),)
    )


def _suspense(
    amount_vnd: int,
    became: Became,
    reason: str,
    fields: tuple[FieldVerdict, ...] = (),
    candidates: tuple[Candidate, ...] = (),
) -> Decision:
    return Decision(
        became=became, suspense_vnd=amount_vnd, reason=reason, fields=fields, candidates=candidates
    )


def _at_the_counter(sighting: Sighting, amount_vnd: int, world: World) -> Decision:
    """A receipt names its notice and was checked under the same lock."""
    if sighting.notice_id is None:
        message = "a counter receipt without a notice"
        raise ValueError(message)
    notice = world.notices[sighting.book_id, sighting.notice_id]
    return Decision(became=Became.ALLOCATED, shares=((notice, amount_vnd),))


def _by_gateway(
    sighting: Sighting, amount_vnd: int, request: Request | None, world: World
) -> Decision:
    """Money that a gateway holds for an order of ours."""
    fields = [_reference_field(sighting, request)]
    if sighting.held_by_provider:
        return _suspense(amount_vnd, Became.KEPT, "HELD_BY_PROVIDER", tuple(fields))
    serves = world.serves.get(sighting.merchant_id or 0, frozenset())
    if request is None or request.book_id not in serves:
        unknown = "ORPHAN_SETTLEMENT" if sighting.view == "settlement" else "UNIDENTIFIED_CREDIT"
        return _suspense(amount_vnd, Became.UNKNOWN_ORDER, unknown, tuple(fields))
    asked = request.amount_vnd
    fields.append(_field("amount_vnd", asked, sighting.amount_vnd))
    if sighting.amount_vnd != asked:
        candidates = _candidates(request, sighting)
        return _suspense(
            amount_vnd, Became.AMOUNT_DIFFERS, "AMOUNT_MISMATCH", tuple(fields), candidates
        )
    closed = _closed(sighting, amount_vnd, request, tuple(fields))
    if closed is not None:
        return closed
    if amount_vnd > request.outstanding_vnd:
        fields.append(_field("outstanding_vnd", request.outstanding_vnd, amount_vnd))
        candidates = _candidates(request, sighting)
        return _suspense(amount_vnd, Became.KEPT, "AMOUNT_MISMATCH", tuple(fields), candidates)
    return Decision(became=Became.ALLOCATED, shares=_fill(request, amount_vnd))


def _by_transfer(sighting: Sighting, amount_vnd: int, request: Request | None) -> Decision:
    """A bank transfer told by a feed: only a valid reference and the right account allocate."""
    fields = [_reference_field(sighting, request)]
    if request is None:
        return _suspense(amount_vnd, Became.UNKNOWN_ORDER, "UNIDENTIFIED_CREDIT", tuple(fields))
    candidates = _candidates(request, sighting)
    if request.book_id != sighting.book_id or sighting.bank_account_id is None:
        fields.append(_field("book", request.book_id, sighting.book_id))
        return _suspense(amount_vnd, Became.KEPT, "WRONG_ACCOUNT", tuple(fields), candidates)
    closed = _closed(sighting, amount_vnd, request, tuple(fields))
    if closed is not None:
        return closed
    due = request.outstanding_vnd
    fields.append(_field("outstanding_vnd", due, amount_vnd))
    if amount_vnd == due:
        return Decision(became=Became.ALLOCATED, shares=_fill(request, amount_vnd))
    if amount_vnd < due:
        return Decision(
            became=Became.ALLOCATED,
            shares=_fill(request, amount_vnd),
            reason="UNDERPAYMENT",
            fields=tuple(fields),
            candidates=candidates,
        )
    return _above_due(sighting, amount_vnd, request, tuple(fields))


def _above_due(
    sighting: Sighting, amount_vnd: int, request: Request, fields: tuple[FieldVerdict, ...]
) -> Decision:
    """More than is due: the rest is the payer's, unless another open notice could explain it."""
    due = request.outstanding_vnd
    candidates = _candidates(request, sighting)
    siblings = [notice for notice in request.siblings if notice.outstanding_vnd]
    if explains(siblings, amount_vnd - due):
        return _suspense(
            amount_vnd,
            Became.KEPT,
            "AMBIGUOUS",
            fields,
            candidates + tuple(_candidate(notice, 60, sighting) for notice in siblings[:5]),
        )
    return Decision(
        became=Became.ALLOCATED,
        shares=_fill(request, due),
        held_vnd=amount_vnd - due,
        reason="OVERPAYMENT",
        fields=fields,
        candidates=candidates,
    )


def _closed(
    sighting: Sighting, amount_vnd: int, request: Request, fields: tuple[FieldVerdict, ...]
) -> Decision | None:
    """What to do where nothing is owed, or the order had ended when the money moved."""
    became, reason = Became.KEPT, None
    if not request.outstanding_vnd:
        if any(notice.paid_vnd for notice in request.notices):
            became, reason = Became.ANOTHER_FOR_PAID, "DUPLICATE_PAYMENT"
        elif any(notice.cancelled for notice in request.notices):
            reason = "PAID_AFTER_CANCEL"
        else:
            reason = "OVERPAYMENT"
    elif request.expires_at is not None and sighting.happened_at > request.expires_at:
        reason = "PAID_EXPIRED_ORDER"
    if reason is None:
        return None
    state = ", ".join(sorted({notice.status for notice in request.notices}))
    return Decision(
        became=became,
        held_vnd=amount_vnd,
        reason=reason,
        fields=(
            *fields,
            FieldVerdict(name="status", expected="open", found=state, verdict="differs"),
        ),
        candidates=_candidates(request, sighting),
    )


def explains(siblings: Sequence[Notice], rest_vnd: int) -> bool:
    """Whether some of the payer's other open notices add up to `rest_vnd` (or too many to tell)."""
    if len(siblings) > SIBLINGS_MAX:
        return True
    sums = {0}
    for notice in siblings:
        sums |= {total + notice.outstanding_vnd for total in sums}
    return rest_vnd in sums


def _fill(request: Request, amount_vnd: int) -> tuple[tuple[Notice, int], ...]:
    """`amount_vnd` over the request's notices in order, each up to what it owes."""
    shares = []
    left = amount_vnd
    for notice in request.notices:
        share = min(left, notice.outstanding_vnd)
        if share > 0:
            shares.append((notice, share))
            left -= share
    return tuple(shares)


def _field(name: str, expected: int, found: int) -> FieldVerdict:
    return FieldVerdict(
        name=name,
        expected=expected,
        found=found,
        verdict="equal" if expected == found else "differs",
    )


def _reference_field(sighting: Sighting, request: Request | None) -> FieldVerdict:
    if sighting.reference is None:
        return FieldVerdict(name="reference", expected=None, found=None, verdict="missing")
    return FieldVerdict(
        name="reference",
        expected=request.reference if request else None,
        found=sighting.reference,
        verdict="equal" if request else "differs",
    )


def _candidates(request: Request, sighting: Sighting) -> tuple[Candidate, ...]:
    return tuple(_candidate(notice, 90, sighting) for notice in request.notices)


def _candidate(notice: Notice, score: int, sighting: Sighting) -> Candidate:
    return Candidate(
        id=notice.id,
        kind="fee_notice",
        score=score,
        fields=(
            _field("outstanding_vnd", notice.outstanding_vnd, sighting.amount_vnd),
            FieldVerdict(
                name="dossier_code", expected=notice.dossier_code, found=None, verdict="weak"
            ),
        ),
    )
