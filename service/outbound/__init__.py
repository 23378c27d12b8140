"""The only room with a network to providers: sends what an adapter has signed, and no more."""

from service.outbound.sending import CircuitOpen, Outbound, Reply, Unreachable

__all__ = ["CircuitOpen", "Outbound", "Reply", "Unreachable"]
