"""Which items a movement's codes, amount and name words point to, by look-up, never by scanning.

Each look-up is bounded, so that judging many movements costs in step with their number.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, Literal
from uuid import UUID

from rapidfuzz.distance import DamerauLevenshtein

from service.matching.model import Item, Money

NEAR_MAX: Final = 50
"""Items looked at for one fragment, amount or name word; the nearest in time."""
EDITS_MAX: Final = 2
_TAIL_FROM: Final = -10
"""Date and a running number of four digits end a key."""
_AGENCY_AND_DATE: Final = -4
_REFERENCE_HALF: Final = 8

Hit = Literal["reference", "whole", "padded", "damaged", "truncated", "tail", "typo"]


class Index:
    """Items by everything that may point to them."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items: dict[UUID, Item] = {}
        self.by_reference: defaultdict[str, list[UUID]] = defaultdict(list)
        self.by_key: defaultdict[str, list[UUID]] = defaultdict(list)
        self._by_tail: defaultdict[str, list[UUID]] = defaultdict(list)
        self._by_head: defaultdict[str, list[UUID]] = defaultdict(list)
        self._by_half: defaultdict[str, list[UUID]] = defaultdict(list)
        self._by_name: defaultdict[str, list[UUID]] = defaultdict(list)
        self._by_amount: defaultdict[int, list[tuple[date, UUID]]] = defaultdict(list)
        for item in sorted(items, key=lambda one: (one.created_on, one.id), reverse=True):
            if item.id in self.items:
                raise ValueError(f"item {item.id} is there twice")
            self.items[item.id] = item
            self._add(item)
        self._keys = sorted(self.by_key)
        self._references = sorted(self.by_reference)
        for nearest in self._by_amount.values():
            nearest.sort()

    def _add(self, item: Item) -> None:
        for reference in item.references:
            self.by_reference[reference].append(item.id)
            self._by_half[reference[:_REFERENCE_HALF]].append(item.id)
            self._by_half[reference[-_REFERENCE_HALF + 1 :]].append(item.id)
        if item.dossier_key:
            self.by_key[item.dossier_key].append(item.id)
            self._by_tail[item.dossier_key[_TAIL_FROM:]].append(item.id)
            self._by_head[item.dossier_key[:_AGENCY_AND_DATE]].append(item.id)
        for name in set(item.name_keys):
            self._by_name[name].append(item.id)
        amount_vnd = item.open_vnd or item.amount_vnd
        if item.state in {"open", "paid"}:
            self._by_amount[amount_vnd].append((item.created_on, item.id))

    def _starting(self, ordered: list[str], start: str) -> Iterator[str]:
        """Up to NEAR_MAX texts of `ordered` that begin with `start`."""
        at = bisect_left(ordered, start)
        for text in ordered[at : at + NEAR_MAX]:
            if not text.startswith(start):
                break
            yield text

    def _damaged(self, text: str) -> Iterator[UUID]:
        for reference in self._starting(self._references, text):
            yield from self.by_reference[reference]
        for half in (text[:_REFERENCE_HALF], text[-_REFERENCE_HALF + 1 :]):
            for item_id in self._by_half.get(half, ())[:NEAR_MAX]:
                if any(near(text, one) for one in self.items[item_id].references):
                    yield item_id

    def _mistyped(self, key: str) -> Iterator[UUID]:
        for block in (
            self._by_head.get(key[:_AGENCY_AND_DATE]),
            self._by_tail.get(key[_TAIL_FROM:]),
        ):
            for item_id in (block or ())[:NEAR_MAX]:
                if near(key, self.items[item_id].dossier_key):
                    yield item_id

    def hits(self, money: Money) -> dict[UUID, set[Hit]]:
        """Items the codes of `money` point to, and by what."""
        found: defaultdict[UUID, set[Hit]] = defaultdict(set)

        def add(kind: Hit, items: Iterator[UUID] | Sequence[UUID]) -> None:
            for item_id in items:
                found[item_id].add(kind)

        for reference in money.evidence.references:
            add("reference", self.by_reference.get(reference, ()))
        for text in money.evidence.damaged_references:
            add("damaged", self._damaged(text))
        for token in money.evidence.dossier_codes:
            for key in token.keys:
                if token.kind in {"whole", "padded"}:
                    add("whole" if token.kind == "whole" else "padded", self.by_key.get(key, ()))
                    add("typo", self._mistyped(key))
                elif token.kind == "truncated":
                    for whole in self._starting(self._keys, key):
                        add("truncated", self.by_key[whole][:NEAR_MAX])
                else:
                    add("tail", self._by_tail.get(key[_TAIL_FROM:], ())[:NEAR_MAX])
        return dict(found)

    def by_amount(self, money: Money) -> list[UUID]:
        """The NEAR_MAX newest items of this amount that existed when the money moved."""
        dated = self._by_amount.get(money.amount_vnd, [])
        end = bisect_right(dated, money.happened_on, key=lambda one: one[0])
        return [item_id for _, item_id in dated[max(0, end - NEAR_MAX) : end]]

    def by_name(self, money: Money) -> dict[UUID, int]:
        """How many of an item's name words the money carries, for the newest of each word."""
        shared: defaultdict[UUID, int] = defaultdict(int)
        for name in set(money.name_keys):
            for item_id in self._by_name.get(name, ())[:NEAR_MAX]:
                shared[item_id] += 1
        return dict(shared)


def near(one: str, other: str) -> bool:
    """Whether two codes are at most EDITS_MAX edits apart, swaps of neighbours counting once."""
    return DamerauLevenshtein.distance(one, other, score_cutoff=EDITS_MAX) <= EDITS_MAX
