"""Decisions by two people: one proposes, another approves or rejects (invariant 7).

Knows nothing of what is decided: whoever asks gives a kind, a subject and an amount.
"""

from service.decisions.four_eyes import Decision, Proposal, Verdict, live, propose, vote

__all__ = ["Decision", "Proposal", "Verdict", "live", "propose", "vote"]
