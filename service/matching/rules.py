"""Judge movements against notices: post only what is unique from both sides, else say why not.

The rules go in a fixed order: references, then whole dossier codes, then everything weaker, which
never posts. Within a rule all fits are counted before anything is posted, so that the order of
the input cannot matter. Nothing is booked here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.matching.index import Hit, Index
from service.matching.model import Item, Money, Reason, Rule, Verdict
from service.matching.scoring import amount_fits, candidates, fields

SUBSET_ITEMS_MAX: Final = 12
"""Open notices of one dossier among which sums are looked for."""


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule would do with one movement, before the other movements are looked at."""

    rule: Rule
    reason: Reason | None = None
    allocations: tuple[tuple[UUID, int], ...] = ()
    claims: frozenset[UUID] = frozenset()
    """Items that no other movement of the same rule may fit."""


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """Items that a movement names surely, one group per reference or whole code."""

    references: tuple[frozenset[UUID], ...]
    codes: tuple[frozenset[UUID], ...]
    unknown: int
    """References and whole codes that are of no item."""

    @property
    def groups(self) -> tuple[frozenset[UUID], ...]:
        """Groups that say different things: a code of a referenced notice adds nothing."""
        if not self.references:
            return tuple(sorted(set(self.codes), key=sorted))
        covered = frozenset().union(*self.references)
        apart = {group for group in self.codes if not group & covered}
        return tuple(sorted({*self.references, *apart}, key=sorted))


class _Open:
    """What items still want, as rules take from it."""

    def __init__(self, index: Index) -> None:
        self.items = index.items
        self._taken: Counter[UUID] = Counter()

    def take(self, allocations: Iterable[tuple[UUID, int]]) -> None:
        """Lower what is open by what a rule has posted."""
        for item_id, amount_vnd in allocations:
            self._taken[item_id] += amount_vnd

    def vnd(self, item: Item) -> int:
        """What the item still wants after the rules so far."""
        return item.open_vnd - self._taken[item.id] if item.state == "open" else 0

    def of(self, ids: Iterable[UUID]) -> list[Item]:
        """The items of `ids` that still want money, by id."""
        return [self.items[one] for one in sorted(ids) if self.vnd(self.items[one]) > 0]

    def everything(self, items: Sequence[Item]) -> tuple[tuple[UUID, int], ...]:
        """Allocations that pay all these items whole."""
        return tuple((item.id, self.vnd(item)) for item in items)


def _named(index: Index, money: Money) -> _Named:
    references = [index.by_reference.get(one) for one in set(money.evidence.references)]
    keys = {
        key for token in money.evidence.dossier_codes if token.kind == "whole" for key in token.keys
    }
    codes = [index.by_key.get(key) for key in keys]
    return _Named(
        references=tuple({frozenset(group) for group in references if group}),
        codes=tuple({frozenset(group) for group in codes if group}),
        unknown=sum(not group for group in (*references, *codes)),
    )


def _wants_nothing(group: Iterable[Item], rule: Rule) -> _Plan:
    """Money for notices of which none is open: paid before, cancelled, or exempt."""
    items = list(group)
    states = {item.state for item in items}
    if states & {"paid", "open"} and any(item.amount_vnd for item in items):
        return _Plan(rule=rule, reason="DUPLICATE_PAYMENT")
    if "cancelled" in states:
        return _Plan(rule=rule, reason="PAID_AFTER_CANCEL")
    return _Plan(rule=rule, reason="OVERPAYMENT")


def _own(money: Money, items: Iterable[Item]) -> bool:
    return all(money.account in item.own_accounts for item in items)


def _by_reference(money: Money, named: _Named, still: _Open, kin: "_Kin") -> _Plan:
    """One valid reference: exact, below or above what its notices want."""
    group = named.groups[0]
    wanting = still.of(group)
    if not wanting:
        return _wants_nothing((still.items[one] for one in group), "R2A")
    claims = frozenset(item.id for item in wanting)
    if not _own(money, wanting):
        return _Plan(rule="R2", reason="WRONG_ACCOUNT", claims=claims)
    whole = still.everything(wanting)
    rest_vnd = money.amount_vnd - sum(amount_vnd for _, amount_vnd in whole)
    if rest_vnd == 0:
        return _Plan(rule="R2", allocations=whole, claims=claims)
    reason: Reason
    allocations: tuple[tuple[UUID, int], ...] = ()
    if named.unknown:  # it names something more that we cannot see
        reason = "COMBINED_UNRESOLVED"
    elif rest_vnd > 0:
        wanted = kin.could_want(wanting, group, rest_vnd)
        reason, allocations = ("AMBIGUOUS", ()) if wanted else ("OVERPAYMENT", whole)
    elif len(wanting) > 1:  # which of them it pays is not said
        reason = "PARTIAL_PAYMENT"
    else:
        reason, allocations = "UNDERPAYMENT", ((wanting[0].id, money.amount_vnd),)
    return _Plan(rule="R2B", reason=reason, allocations=allocations, claims=claims)


class _Kin:
    """Notices that one payer may pay together."""

    def __init__(self, still: _Open) -> None:
        self._still = still
        self._groups: dict[str, list[Item]] = {}
        for item in still.items.values():
            if item.sibling_group is not None and still.vnd(item) > 0:
                self._groups.setdefault(item.sibling_group, []).append(item)

    def could_want(self, paid: Sequence[Item], group: frozenset[UUID], rest_vnd: int) -> bool:
        """Whether `rest_vnd` could be meant for an open sibling that the money does not name."""
        names = {item.sibling_group for item in paid if item.sibling_group is not None}
        return any(
            sibling.id not in group and self._still.vnd(sibling) <= rest_vnd
            for name in names
            for sibling in self._groups.get(name, ())
        )


def _ways(amounts: Sequence[int], total_vnd: int) -> int:
    """How many subsets of `amounts` sum to `total_vnd`; 2 stands for more than one."""
    ways = Counter({0: 1})
    for amount in amounts:
        for so_far, count in list(ways.items()):
            if so_far + amount <= total_vnd:
                ways[so_far + amount] += count
    return min(ways[total_vnd], 2)


def _why_not(money: Money, wanting: Sequence[Item], still: _Open) -> Reason:
    """The reason of an amount that no open notice of the dossier explains."""
    if money.amount_vnd > sum(still.vnd(item) for item in wanting):
        return "OVERPAYMENT"
    return "UNDERPAYMENT" if len(wanting) == 1 else "PARTIAL_PAYMENT"


def _by_code(money: Money, group: frozenset[UUID], still: _Open) -> _Plan:
    """One whole dossier code: posts only an exact amount that can be meant in one way."""
    wanting = still.of(group)
    items = [still.items[one] for one in group]
    if not wanting:
        return _wants_nothing(items, "R3A")
    if len(wanting) > SUBSET_ITEMS_MAX:
        return _Plan(rule="R3B", reason="COMBINED_UNRESOLVED")
    amounts = [still.vnd(item) for item in wanting]
    ways = _ways(amounts, money.amount_vnd)
    # A second payment of a notice that is paid would look the same.
    again = any(
        still.vnd(item) == 0 and item.state in {"open", "paid"} and amount_fits(money, item)
        for item in items
    )
    exact = [item for item in wanting if still.vnd(item) == money.amount_vnd]
    if sum(amounts) == money.amount_vnd:
        exact = wanting
    if ways > 1 or again or (ways == 1 and not exact):
        return _Plan(rule="R3B", reason="AMBIGUOUS")
    if ways == 0:
        return _Plan(rule="R3B", reason=_why_not(money, wanting, still))
    if not _own(money, exact):
        return _Plan(rule="R3", reason="WRONG_ACCOUNT")
    return _Plan(
        rule="R3" if len(exact) == 1 else "R4",
        allocations=still.everything(exact),
        claims=frozenset(item.id for item in exact),
    )


def _by_several(money: Money, named: _Named, still: _Open) -> _Plan:
    """Several references or codes: all of them known and open, and exactly their sum."""
    everything = still.of(frozenset().union(*named.groups))
    claims = frozenset(item.id for item in everything)
    unsure = _Plan(rule="R4", reason="COMBINED_UNRESOLVED", claims=claims)
    if named.unknown or not all(still.of(group) for group in named.groups):
        return unsure
    allocations = still.everything(everything)
    if sum(amount for _, amount in allocations) != money.amount_vnd or not _own(money, everything):
        return unsure
    return _Plan(rule="R4", allocations=allocations, claims=claims)


def _weak(money: Money, index: Index, hits: dict[UUID, set[Hit]]) -> _Plan:
    """Fragments, amounts and names suggest; two items that fit are ambiguous."""
    pointed = set(hits)
    for item_id, shared in index.by_name(money).items():
        if shared == len(set(index.items[item_id].name_keys)):
            pointed.add(item_id)
    items = [index.items[one] for one in pointed]
    fitting = [one for one in items if amount_fits(money, one) and _own(money, [one])]
    return _Plan(
        rule="R5" if hits or fitting else "none",
        reason="AMBIGUOUS" if len(fitting) > 1 else "UNIDENTIFIED_CREDIT",
    )


def _settle(plans: dict[UUID, _Plan], contested: set[UUID], still: _Open) -> None:
    """Send what would post to an item that another movement claims to a person; take the rest.

    Items that a movement left to a person claims stay contested for the rules that follow.
    """
    claimed = Counter(item_id for plan in plans.values() for item_id in plan.claims)
    contested |= {item_id for item_id, count in claimed.items() if count > 1}
    for money_id, plan in plans.items():
        if plan.allocations and plan.claims & contested:
            plans[money_id] = _Plan(rule=plan.rule, reason="AMBIGUOUS", claims=plan.claims)
    for plan in plans.values():
        if plan.allocations:
            still.take(plan.allocations)
        else:
            contested |= plan.claims
    # What a weaker rule would add to a part payment was counted against another sum.
    contested |= {
        one.id for one in still.of({item_id for p in plans.values() for item_id in p.claims})
    }


def _verdict(index: Index, money: Money, plan: _Plan, hits: dict[UUID, set[Hit]]) -> Verdict:
    """The plan with its explanation."""
    ranked = candidates(index, money, hits) if plan.reason is not None else ()
    shown = ranked[0].fields if ranked else ()
    if plan.allocations:
        first = plan.allocations[0][0]
        shown = fields(money, index.items[first], hits.get(first, set()))
    return Verdict(
        money_id=money.id,
        rule=plan.rule,
        action="post" if plan.allocations else "case",
        reason=plan.reason,
        allocations=plan.allocations,
        fields=shown,
        candidates=ranked,
    )


def judge(money: Sequence[Money], items: Sequence[Item]) -> list[Verdict]:
    """One verdict per movement, ordered by its id; the order of the input does not matter.

    `items` must hold all notices, paid and cancelled ones too, that any evidence of `money`
    points to: uniqueness is counted among them. Raises ValueError for an id given twice.
    """
    index = Index(items)
    still = _Open(index)
    ordered = sorted(money, key=lambda one: one.id)
    if len({one.id for one in ordered}) != len(ordered):
        raise ValueError("a movement is there twice")
    incoming = [one for one in ordered if one.direction == "in"]
    named = {one.id: _named(index, one) for one in incoming}
    contested: set[UUID] = set()
    kin = _Kin(still)

    by_reference: dict[UUID, _Plan] = {}
    for one in incoming:
        known = named[one.id]
        if known.references:
            single = len(known.groups) == 1
            by_reference[one.id] = (
                _by_reference(one, known, still, kin) if single else _by_several(one, known, still)
            )
    _settle(by_reference, contested, still)

    coded = [one for one in incoming if one.id not in by_reference and named[one.id].codes]
    by_code = {one.id: _plan_codes(one, named[one.id], still) for one in coded}
    _settle(by_code, contested, still)
    for one in coded:  # what was posted beside it changes why a movement is left, never whether
        plan = by_code[one.id]
        if not plan.allocations and plan.reason != "AMBIGUOUS":
            again = _plan_codes(one, named[one.id], still)
            if not again.allocations:
                by_code[one.id] = again

    verdicts: list[Verdict] = []
    for one in ordered:
        if one.direction == "out":
            outgoing = _Plan(rule="none", reason="OUT_OF_SCOPE")
            verdicts.append(
                Verdict(money_id=one.id, rule="none", action="case", reason=outgoing.reason)
            )
            continue
        hits = index.hits(one)
        plan = by_reference.get(one.id) or by_code.get(one.id) or _weak(one, index, hits)
        verdicts.append(_verdict(index, one, plan, hits))
    return verdicts


def _plan_codes(money: Money, named: _Named, still: _Open) -> _Plan:
    single = len(named.groups) == 1 and not named.unknown
    return _by_code(money, named.groups[0], still) if single else _by_several(money, named, still)
