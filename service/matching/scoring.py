"""Rank the items that could explain a movement, and say per field why.

A score never posts anything: it is a sum of explained terms that orders suggestions.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from service.matching.index import Hit, Index
from service.matching.model import Candidate, FieldVerdict, Item, Money

CANDIDATES_MAX: Final = 5
WINDOW_DAYS: Final = 60
CODE_TERMS: Final[Mapping[Hit, int]] = {
    "reference": 55,
    "whole": 50,
    "padded": 42,
    "damaged": 38,
    "truncated": 36,
    "tail": 30,
    "typo": 24,
}
"""The best one counts."""
AMOUNT_OPEN: Final = 25
AMOUNT_PAID: Final = 12
"""The amount of a notice that wants nothing any more: perhaps its second payment."""
NAME_WHOLE: Final = 10
NAME_HALF: Final = 5
NEAR_IN_TIME: Final = 2
OWN_ACCOUNT: Final = 8


def amount_fits(money: Money, item: Item) -> bool:
    """Whether the amount is what the item still wants, or wanted before it was paid."""
    if item.state == "open" and item.open_vnd:
        return item.open_vnd == money.amount_vnd
    return item.state in {"open", "paid"} and item.amount_vnd == money.amount_vnd


def _days(money: Money, item: Item) -> int:
    return (money.happened_on - item.created_on).days


def terms(money: Money, item: Item, hits: set[Hit]) -> dict[str, int]:
    """What speaks for this item, each term with its points; together at most 100."""
    found: dict[str, int] = {}
    if hits:
        found["code"] = max(CODE_TERMS[hit] for hit in hits)
    if amount_fits(money, item):
        found["amount"] = AMOUNT_OPEN if item.open_vnd else AMOUNT_PAID
    words = set(item.name_keys)
    shared = len(words & set(money.name_keys))
    if words and shared == len(words):
        found["name"] = NAME_WHOLE
    elif words and shared * 2 >= len(words):
        found["name"] = NAME_HALF
    if found and money.account in item.own_accounts:
        found["account"] = OWN_ACCOUNT
    if found and 0 <= _days(money, item) <= WINDOW_DAYS:
        found["date"] = NEAR_IN_TIME
    return found


def _reference_field(money: Money, item: Item, hits: set[Hit]) -> FieldVerdict:
    evidence = money.evidence
    written = evidence.references or evidence.damaged_references
    equal = [one for one in item.references if one in evidence.references]
    return FieldVerdict(
        name="reference",
        expected=", ".join(equal or item.references[-1:]),
        found=", ".join(equal or written),
        verdict="equal"
        if equal
        else "weak"
        if "damaged" in hits
        else "differs"
        if written and item.references
        else "missing",
    )


def _code_field(money: Money, item: Item, hits: set[Hit]) -> FieldVerdict:
    keys = [key for token in money.evidence.dossier_codes for key in token.keys]
    if "whole" in hits:
        return FieldVerdict(
            name="dossier_code",
            expected=item.dossier_key,
            found=item.dossier_key,
            verdict="equal",
        )
    weak = bool(hits & {"padded", "truncated", "tail", "typo"})
    return FieldVerdict(
        name="dossier_code",
        expected=item.dossier_key,
        found=", ".join(keys),
        verdict="weak" if weak else "differs" if keys else "missing",
    )


def fields(money: Money, item: Item, hits: set[Hit]) -> tuple[FieldVerdict, ...]:
    """Field by field what is expected of money for this item, and what was found."""
    due_vnd = item.open_vnd or item.amount_vnd
    words = set(item.name_keys)
    shared = words & set(money.name_keys)
    name_known = bool(words and money.name_keys)
    return (
        _reference_field(money, item, hits),
        _code_field(money, item, hits),
        FieldVerdict(
            name="amount_vnd",
            expected=str(due_vnd),
            found=str(money.amount_vnd),
            verdict="equal" if due_vnd == money.amount_vnd else "differs",
        ),
        FieldVerdict(
            name="account",
            expected=", ".join(sorted(item.own_accounts)),
            found=money.account,
            verdict="equal" if money.account in item.own_accounts else "differs",
        ),
        FieldVerdict(
            name="payer",
            expected="",
            found="",
            verdict="missing"
            if not name_known
            else "equal"
            if shared == words
            else "weak"
            if shared
            else "differs",
        ),
        FieldVerdict(
            name="state",
            expected="open",
            found=item.state,
            verdict="equal" if item.state == "open" else "differs",
        ),
        FieldVerdict(
            name="created_on",
            expected=item.created_on.isoformat(),
            found=money.happened_on.isoformat(),
            verdict="differs"
            if _days(money, item) < 0
            else "equal"
            if _days(money, item) <= WINDOW_DAYS
            else "weak",
        ),
    )


def candidates(index: Index, money: Money, hits: Mapping[UUID, set[Hit]]) -> tuple[Candidate, ...]:
    """The best CANDIDATES_MAX items for `money`, best first; ties by age, then by id."""
    named = index.by_name(money)
    scored: list[tuple[int, Item, dict[str, int]]] = []
    for item_id in {*hits, *index.by_amount(money), *named}:
        item = index.items[item_id]
        found = terms(money, item, hits.get(item_id, set()))
        if found.keys() & {"code", "amount", "name"}:
            scored.append((sum(found.values()), item, found))
    scored.sort(key=lambda one: (-one[0], one[1].created_on, one[1].id))
    return tuple(
        Candidate(
            item_id=item.id,
            score=score,
            terms=found,
            fields=fields(money, item, hits.get(item.id, set())),
        )
        for score, item, found in scored[:CANDIDATES_MAX]
    )
