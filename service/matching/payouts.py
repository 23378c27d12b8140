"""Which bank credits are the payout of which batches: equal sums, unique from both sides (R1).

Pure. A sum that several explain, or that explains several, is nobody's: a person decides.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations
from typing import Final
from uuid import UUID

import msgspec

TOGETHER_MAX: Final = 4
"""Batches that one credit may pay together, or credits that one batch may come in."""
POOL_MAX: Final = 16
"""Left-overs of one merchant among which sums are looked for; more are left to people."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch with what is owed of it, and the days on which its money may arrive."""

    id: UUID
    merchant: str
    number: str
    owed_vnd: int
    first_on: date
    until: date
    words: frozenset[bytes]
    """Keyed hashes of the words that this provider's payouts bear; empty: not known."""


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """Money at the bank that nothing explains, and that names no dossier and no reference."""

    id: UUID
    amount_vnd: int
    arrived_on: date
    words: frozenset[bytes]
    popular: bool
    """Whether a notice of the unit is of just this amount: without words it may be a citizen's."""


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """Batches and the credits that pay them whole; one side has a single member."""

    batches: tuple[Batch, ...]
    credits: tuple[Credit, ...]

    @property
    def parts(self) -> Iterator[tuple[UUID, UUID, int]]:
        """Batch, credit and amount of each part."""
        for batch in self.batches:
            for credit in self.credits:
                yield batch.id, credit.id, min(batch.owed_vnd, credit.amount_vnd)


def pair(batches: Sequence[Batch], credits_: Sequence[Credit]) -> list[Payout]:
    """Payouts that are sure: one for one first, then sums within what is left of a merchant."""
    found = _one_to_one(batches, credits_)
    paid = {batch.id for payout in found for batch in payout.batches}
    spent = {credit.id for payout in found for credit in payout.credits}
    # What is equal to something and not sure may be the whole answer: no sum is built with it.
    open_batches = [b for b in batches if b.id not in paid]
    open_credits = [c for c in credits_ if c.id not in spent]
    alike = {b.owed_vnd for b in open_batches} & {c.amount_vnd for c in open_credits}
    doubtful = {c.id for c in open_credits if c.amount_vnd in alike}
    doubted = {b.id for b in open_batches if b.owed_vnd in alike}
    left = [b for b in open_batches if b.id not in doubted]
    rest = [c for c in open_credits if c.id not in doubtful]
    return found + _sums(left, rest)


def _one_to_one(batches: Sequence[Batch], credits_: Sequence[Credit]) -> list[Payout]:
    """Counted over all, before any is taken: neither side may have a second that fits."""
    by_amount: defaultdict[int, list[Credit]] = defaultdict(list)
    for credit in credits_:
        by_amount[credit.amount_vnd].append(credit)
    fits = [
        (batch, credit)
        for batch in batches
        for credit in by_amount[batch.owed_vnd]
        if _equal(batch, credit)
    ]
    of_batch: defaultdict[UUID, int] = defaultdict(int)
    of_credit: defaultdict[UUID, int] = defaultdict(int)
    for batch, credit in fits:
        of_batch[batch.id] += 1
        of_credit[credit.id] += 1
    return [
        Payout(batches=(batch,), credits=(credit,))
        for batch, credit in fits
        if of_batch[batch.id] == 1 and of_credit[credit.id] == 1 and _is_sure(batch, credit)
    ]


def _equal(batch: Batch, credit: Credit) -> bool:
    return batch.owed_vnd == credit.amount_vnd and _may_pay(batch, credit)


def _may_pay(batch: Batch, credit: Credit) -> bool:
    """In time, and not in another provider's words."""
    in_time = batch.first_on <= credit.arrived_on <= batch.until
    return in_time and (not batch.words or batch.words <= credit.words)


def _is_sure(batch: Batch, credit: Credit) -> bool:
    return bool(batch.words) or not credit.popular


def _sums(batches: Sequence[Batch], credits_: Sequence[Credit]) -> list[Payout]:
    """Sums that have one solution, whose members are in no other solution of any merchant."""
    by_merchant: defaultdict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        by_merchant[batch.merchant].append(batch)
    solutions: list[Payout] = []
    for mine in by_merchant.values():
        pool = [c for c in credits_ if any(_may_pay(b, c) for b in mine)]
        if len(mine) <= POOL_MAX and len(pool) <= POOL_MAX:
            solutions += _of_merchant(mine, pool)
    uses: defaultdict[UUID, int] = defaultdict(int)
    for one in solutions:
        for member in _members(one):
            uses[member] += 1
    return [one for one in solutions if all(uses[member] == 1 for member in _members(one))]


def _members(payout: Payout) -> list[UUID]:
    return [batch.id for batch in payout.batches] + [credit.id for credit in payout.credits]


def _of_merchant(batches: Sequence[Batch], pool: Sequence[Credit]) -> list[Payout]:
    found = []
    for count in range(2, TOGETHER_MAX + 1):
        for several in combinations(batches, count):
            owed_vnd = sum(batch.owed_vnd for batch in several)
            found += [
                Payout(batches=several, credits=(credit,))
                for credit in pool
                if credit.amount_vnd == owed_vnd
                and all(_may_pay(batch, credit) and _is_sure(batch, credit) for batch in several)
            ]
        for some in combinations(pool, count):
            amount_vnd = sum(credit.amount_vnd for credit in some)
            found += [
                Payout(batches=(batch,), credits=some)
                for batch in batches
                if batch.owed_vnd == amount_vnd
                and all(_may_pay(batch, credit) and _is_sure(batch, credit) for credit in some)
            ]
    return found
