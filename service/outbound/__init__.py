"""The only room with a network to providers: sends what an adapter has signed, and no more."""

from service.outbound.sending import CircuitOpen, Crowded, Limits, Outbound, Reply, Unreachable

__all__ = ["CircuitOpen", "Crowded", "Limits", "Outbound", "Reply", "Unreachable"]
