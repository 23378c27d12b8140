"""Prove the invariants of DESIGN on live data: what the ledger says of itself, and the rest.

Reads over one snapshot and changes nothing. Each check is one statement that lists what breaks a
rule; memory stays bounded, because rows are streamed or limited.
"""

from ledger.proof import Finding
from service.proof.invariants import INVARIANTS, Invariant
from service.proof.proving import Step, examine, prove

__all__ = ["INVARIANTS", "Finding", "Invariant", "Step", "examine", "prove"]
