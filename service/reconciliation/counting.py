"""What a run has done, added up. Knows no SQL."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from service.reconciliation.applying import Became
from service.reconciliation.steps import Step


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run looked at and what became of it; of a dry run, what would have.

    `unchanged` movements are in suspense with a case that says all there is to say.
    """

    examined: int = 0
    unchanged: int = 0
    posted: int = 0
    posted_vnd: int = 0
    held_vnd: int = 0
    cases_opened: int = 0
    cases_updated: int = 0
    changed_meanwhile: int = 0
    failed: int = 0
    payouts: int = 0
    """Bank credits, or several, that were found to be a provider's payout."""
    payouts_vnd: int = 0
    by_rule: dict[str, int] = {}
    """Posted movements by rule."""
    by_reason: dict[str, int] = {}
    """Cases opened or changed, by reason."""


def add(counts: Counts, steps: Sequence[Step], became: Sequence[Became]) -> Counts:
    """`counts` with what became of `steps`."""
    how = Counter(became)
    by_rule, by_reason = Counter(counts.by_rule), Counter(counts.by_reason)
    posted_vnd = held_vnd = cases = 0
    for step, one in zip(steps, became, strict=True):
        if one == "posted":
            by_rule[step.rule] += 1
            posted_vnd += sum(vnd for _, vnd in step.shares)
            held_vnd += step.held_vnd
            cases += step.reason is not None
        if one in {"posted", "opened", "updated"} and step.reason is not None:
            by_reason[step.reason] += 1
    return msgspec.structs.replace(
        counts,
        posted=counts.posted + how["posted"],
        posted_vnd=counts.posted_vnd + posted_vnd,
        held_vnd=counts.held_vnd + held_vnd,
        cases_opened=counts.cases_opened + how["opened"] + cases,
        cases_updated=counts.cases_updated + how["updated"],
        changed_meanwhile=counts.changed_meanwhile + how["changed"],
        failed=counts.failed + how["failed"],
        by_rule=dict(sorted(by_rule.items())),
        by_reason=dict(sorted(by_reason.items())),
    )
