"""What Prometheus reads: the measurements of the HTTP edge, and all that other rooms register.

A room keeps its own figures beside its code, on prometheus_client's default registry; this module
measures requests and writes everything out. Labels have few values: never an id, never a path.
With several worker processes, PROMETHEUS_MULTIPROC_DIR names the folder in which they add up.
"""

import os
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

REQUESTS: Final = Histogram(
    "doisoat_http_request_seconds",
    "Requests by method, route template and status, with how long they took.",
    ("method", "route", "status"),
    buckets=BUCKETS_S,
)


def request_done(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; a method nobody has heard of counts as `other`."""
    known = method if method in METHODS else "other"
    REQUESTS.labels(known, route, str(status)).observe(seconds)


def exposition() -> bytes:
    """Give all figures in Prometheus' text format; its media type is CONTENT_TYPE."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call] # the library has no types here
        return generate_latest(together)
    return generate_latest(REGISTRY)
