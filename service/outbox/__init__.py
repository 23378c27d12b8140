"""What the one-stop must hear: written in the transaction that causes it, placed after commit.

`write` adds rows without a position. `place` gives positions to rows that have committed, one
relay per book, so that a reader who remembers a position misses nothing.
"""

from service.outbox.relay import place
from service.outbox.writing import EventType, OutboxEvent, write

__all__ = ["EventType", "OutboxEvent", "place", "write"]
