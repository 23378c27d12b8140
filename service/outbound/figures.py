"""What is counted of requests to providers for /metrics; the labels are names of the catalogue."""

from typing import Final

from prometheus_client import Counter, Histogram

BUCKETS_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0)

SENT: Final = Counter(
    "doisoat_outbound_requests",
    "Requests to providers by how they ended: answered, refused (5xx, 429), no_reply, unsent.",
    ["provider", "ended"],
)
SECONDS: Final = Histogram(
    "doisoat_outbound_seconds",
    "How long providers took, answered or not.",
    ["provider"],
    buckets=BUCKETS_S,
)
OPENED: Final = Counter(
    "doisoat_outbound_circuit_opened",
    "How often a provider was left alone after failures in a row.",
    ["provider"],
)
