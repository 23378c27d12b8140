"""A line of a statement: what makes it the same line in another file, and what it says of money.

Knows no SQL. The day of a line is the one it was booked on: the statement's balances follow it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from ledger.accounts import BUSINESS_ZONE
from providers.statements import StatementLine
from providers.tables import fold
from service.payments import evidence
from service.payments.sightings import Sighting
from service.sealing import Sealer
from service.statements.keeping import Account

BARE_BYTES: Final = 16
"""The part of a fingerprint that leaves the running balance out."""
KEY_BYTES: Final = 8
"""Of a fingerprint in memory: a million lines are counted in some tens of megabytes."""

Like: TypeAlias = tuple[str, int, date]
"""Direction, amount and day: lines that a feed's report could be of, as far as those tell."""


class Identity(NamedTuple):
    """See `Counted`."""

    fingerprint: bytes
    occurrence: int
    bare: bytes | None
    bare_occurrence: int


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A line, and that it is the `occurrence`-th of its fingerprint in its file.

    Where it states a balance, `bare` is what its fingerprint would be without one, and it is the
    `bare_occurrence`-th of those: another file of the same days may state none.
    """

    line: StatementLine
    fingerprint: bytes
    occurrence: int
    bare: bytes | None
    bare_occurrence: int

    @property
    def identity(self) -> "Identity":
        """What tells whether the line is known."""
        return Identity(self.fingerprint, self.occurrence, self.bare, self.bare_occurrence)

    @property
    def like(self) -> Like:
        """What a line has in common with others that one report may be of."""
        return self.line.direction, self.line.amount_vnd, self.line.booked_on

    @property
    def signed_vnd(self) -> int:
        """What the line adds to the account."""
        return signed_vnd(self.line)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a line: everything that may name a person."""

    memo: str
    bank_reference: str
    counterparty_account: str
    counterparty_name: str
    value_on: date


class Occurrences:
    """Counts fingerprints of one file, so that equal lines in it are told apart."""

    def __init__(self, sealer: Sealer, account: Account) -> None:
        self._sealer = sealer
        self._account = account
        self._seen: Counter[bytes] = Counter()
        self._bare: Counter[bytes] = Counter()

    def count(self, lines: Iterable[StatementLine]) -> list[Counted]:
        """The lines with their fingerprints and occurrence numbers."""
        counted = []
        for line in lines:
            print_, bare = fingerprints(self._sealer, self._account, line)
            key, bare_key = print_[-KEY_BYTES:], print_[:KEY_BYTES]
            self._seen[key] += 1
            if bare is not None:
                self._bare[bare_key] += 1
            counted.append(
                Counted(
                    line=line,
                    fingerprint=print_,
                    occurrence=self._seen[key],
                    bare=bare,
                    bare_occurrence=self._bare[bare_key] if bare is not None else self._seen[key],
                )
            )
        return counted


def signed_vnd(line: StatementLine) -> int:
    """What a line adds to the account."""
    return line.amount_vnd if line.direction == "in" else -line.amount_vnd


def fingerprints(
    sealer: Sealer, account: Account, line: StatementLine
) -> tuple[bytes, bytes | None]:
    """32 bytes that are equal for the same line in overlapping files of one account.

    Of account, day, signed amount, bank reference, memo without case, marks, blanks and
    punctuation (files wrap and case it differently), and the running balance where there is one.
    Keyed, so that nobody can try memos against it. The first BARE_BYTES leave the balance out, so
    that lines that differ in nothing else stand side by side in the index. Where the line states a
    balance, the second value is its fingerprint without it.
    """
    parts = (
        str(account.id),
        line.booked_on.isoformat(),
        str(signed_vnd(line)),
        evidence.trace(line.bank_reference),
        fold(line.memo).replace(" ", ""),
    )
    told = b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in parts)
    digest = hashlib.sha256(told).hexdigest()
    first = sealer.search_hash(account.book_id, f"statement line a {digest}")
    bare = first + sealer.search_hash(account.book_id, f"statement line b {digest}")
    if line.balance_vnd is None:
        return bare, None
    with_balance = f"statement line b {digest} {line.balance_vnd}"
    return first + sealer.search_hash(account.book_id, with_balance), bare


def instant(day: date) -> datetime:
    """The beginning of a business day: a statement tells no time, and the payer gets the doubt."""
    return datetime.combine(day, time(), BUSINESS_ZONE).astimezone(UTC)


def sighting(
    sealer: Sealer, account: Account, line_id: UUID, counted: Counted, peers: int
) -> Sighting:
    """The line as a report of money that moved; `peers` like lines are still to come with it."""
    line = counted.line
    read = evidence.read(
        account.book_id,
        sealer,
        f"{line.memo} | {line.counterparty_name}" if line.counterparty_name else line.memo,
        bank_references=[line.bank_reference],
    )
    direction: Literal["in", "out"] = line.direction
    return Sighting(
        id=line_id,
        book_id=account.book_id,
        view="statement",
        seen_by="statement",
        origin=account.origin,
        direction=direction,
        amount_vnd=line.amount_vnd,
        happened_at=instant(line.booked_on),
        happened_on=line.booked_on,
        provider=account.provider,
        external_id=evidence.trace(line.bank_reference) or str(line_id),
        traces=read.traces,
        reference=read.reference,
        bank_account_id=account.id,
        tokens=read.tokens,
        peers=peers,
    )


def sealed_part(line: StatementLine) -> bytes:
    """What of a line is sealed, as JSON."""
    return msgspec.json.encode(
        Kept(
            memo=line.memo,
            bank_reference=line.bank_reference,
            counterparty_account=line.counterparty_account,
            counterparty_name=line.counterparty_name,
            value_on=line.value_on,
        )
    )


def context(line_id: UUID) -> bytes:
    """What a line's sealed part is bound to."""
    return b"service.statement_line.memo:" + line_id.bytes


def new_id() -> UUID:
    """The id of a new line, which is also that of its sighting."""
    return uuid7()
