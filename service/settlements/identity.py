"""What makes a settlement line the same line in another file: its transaction, kind, amount, batch.

With multiplicity: two equal lines of one file are two. Knows no SQL.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from providers.settlements import SettlementLine
from service.settlements.keeping import Payee

KEY_BYTES: Final = 8
"""Of a fingerprint in memory: a million lines are counted in some tens of megabytes."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A line, and that it is the `occurrence`-th of its fingerprint in its file."""

    line: SettlementLine
    fingerprint: bytes
    occurrence: int

    @property
    def identity(self) -> tuple[bytes, int]:
        """What tells whether the line is known."""
        return self.fingerprint, self.occurrence


class Occurrences:
    """Counts fingerprints of one file, so that equal lines in it are told apart."""

    def __init__(self, whose: Payee) -> None:
        self._whose = whose
        self._seen: Counter[bytes] = Counter()

    def count(self, lines: Iterable[SettlementLine]) -> list[Counted]:
        """The lines with their fingerprints and occurrence numbers."""
        counted = []
        for line in lines:
            print_ = fingerprint(self._whose, line)
            key = print_[:KEY_BYTES]
            self._seen[key] += 1
            counted.append(Counted(line=line, fingerprint=print_, occurrence=self._seen[key]))
        return counted


def fingerprint(whose: Payee, line: SettlementLine) -> bytes:
    """32 bytes that are equal for the same line in overlapping files of one merchant.

    Not of the fee: a file that tells another fee of a known line contradicts the earlier one.
    """
    amount_vnd = line.gross_vnd or -line.fee_vnd
    parts = (
        str(whose.id),
        line.kind,
        trace(line),
        line.order,
        line.refund_reference,
        str(amount_vnd),
        line.batch,
    )
    told = b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in parts)
    return hashlib.sha256(b"settlement line " + told).digest()


def trace(line: SettlementLine) -> str:
    """The payment that a line is about, as the sightings of its calls have it."""
    return f"{line.scope}/{line.transaction}" if line.scope else line.transaction


def traces(line: SettlementLine) -> tuple[str, ...]:
    """The same, and how it would be called if the mapping stated the scope wrongly."""
    if not line.transaction:
        return ()
    other = line.transaction if line.scope else f"{line.order}/{line.transaction}"
    return tuple(dict.fromkeys((trace(line), other)))
