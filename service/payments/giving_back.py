"""From which account each đồng of a refunded fee comes: held, retained, or the budget's.

Pure. An item's money is taken where it is least far on its way: what is not split yet (3373), then
what is split and not yet remitted (3332 with 3370 or 5140), then what the budget has (a claim on
1388 with 3370 or 5140). Splits round the retained share down, so that parts of a split that are
given back add up to exactly its two shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from ledger import accounts

TREASURY: Final = "NSNN"
"""How lines of 1388 name the state budget as the debtor, where providers are named otherwise."""

OPEN: Final = frozenset({"approved", "swept", "arrived"})
"""A remittance whose budget share is still on 3332."""


@dataclass(slots=True)
class Split:
    """What a remittance took apart of one item, and what of that was given back before."""

    remittance_id: UUID
    status: str
    recognised: bool
    retained_vnd: int
    budget_vnd: int
    back_retained_vnd: int
    back_budget_vnd: int
    code: str = ""
    retained_percent: int = 0
    before_vnd: int = 0
    """`back_budget_vnd` as it was read."""
    dirty: bool = False

    @property
    def left_vnd(self) -> int:
        """What of it was not given back yet."""
        return self.retained_vnd + self.budget_vnd - self.back_retained_vnd - self.back_budget_vnd


@dataclass(slots=True)
class Refundable:
    """One item: what a movement paid on it and was not given back, and where that stands."""

    item_id: UUID
    budget_subsection: str | None
    paid_vnd: int
    unsplit_vnd: int
    splits: list[Split]

    @property
    def reachable_vnd(self) -> int:
        """What can be given back now; a split that is only proposed has to be decided first."""
        at_hand = self.unsplit_vnd + sum(
            split.left_vnd for split in self.splits if split.status != "proposed"
        )
        return min(self.paid_vnd, at_hand)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of one item and the account that it is taken from."""

    item_id: UUID
    budget_subsection: str | None
    account: str
    amount_vnd: int
    split_id: UUID | None = None


def take(items: Sequence[Refundable], amount_vnd: int) -> list[Taken]:
    """`amount_vnd` over the items in order, each up to what is reachable of it.

    Changes the counters of the items. ValueError where they do not have that much.
    """
    taken: list[Taken] = []
    left = amount_vnd
    for item in items:
        share = min(left, item.reachable_vnd)
        if share > 0:
            taken += _of_item(item, share)
            left -= share
    if left:
        raise ValueError(f"{left} đồng more than there is")
    return taken


def _of_item(item: Refundable, amount_vnd: int) -> list[Taken]:
    item.paid_vnd -= amount_vnd
    taken: list[Taken] = []
    left = min(amount_vnd, item.unsplit_vnd)
    if left:
        item.unsplit_vnd -= left
        taken.append(_taken(item, accounts.FEES_HELD, left))
    left = amount_vnd - left
    at_hand = [split for split in item.splits if split.status != "proposed"]
    for split in sorted(at_hand, key=lambda one: one.status not in OPEN):
        share = min(left, split.left_vnd)
        if share:
            taken += _of_split(item, split, share)
            left -= share
    return taken


def _of_split(item: Refundable, split: Split, amount_vnd: int) -> list[Taken]:
    """Both shares of a part of a split; the parts add up to the whole, whatever they are."""
    whole = split.retained_vnd + split.budget_vnd
    back = split.back_retained_vnd + split.back_budget_vnd + amount_vnd
    retained = back * split.retained_vnd // whole - split.back_retained_vnd
    budget = amount_vnd - retained
    split.back_retained_vnd += retained
    split.back_budget_vnd += budget
    split.dirty = True
    of_retained = accounts.RETAINED_REVENUE if split.recognised else accounts.RETAINED
    of_budget = accounts.BUDGET_PAYABLE if split.status in OPEN else accounts.PROVIDER_RECEIVABLE
    return [
        _taken(item, account, share, split.remittance_id)
        for account, share in ((of_retained, retained), (of_budget, budget))
        if share
    ]


def _taken(item: Refundable, account: str, amount_vnd: int, split_id: UUID | None = None) -> Taken:
    return Taken(
        item_id=item.item_id,
        budget_subsection=item.budget_subsection,
        account=account,
        amount_vnd=amount_vnd,
        split_id=split_id,
    )
