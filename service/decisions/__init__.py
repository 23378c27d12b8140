"""Decisions by two people: one proposes, another approves or rejects (invariant 7).

Knows nothing of what is decided: whoever asks gives a kind, a subject and an amount.
"""

from service.decisions.four_eyes import Decision, Proposal, Verdict, live, propose, vote
from service.decisions.refused import remembering

__all__ = ["Decision", "Proposal", "Verdict", "live", "propose", "remembering", "vote"]
