"""What intake counts for /metrics; no label holds anything a caller chose."""

from typing import Final

from prometheus_client import Counter, Histogram

GROUP_SIZE: Final = Histogram(
    "doisoat_intake_group_size",
    "Calls committed together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
OUTCOMES: Final = Counter(
    "doisoat_intake_outcomes", "Calls by what became of them.", ["provider", "outcome"]
)
QUARANTINED: Final = Counter(
    "doisoat_quarantined_calls", "Calls kept but not believed, by lane.", ["lane"]
)
DROPPED: Final = Counter(
    "doisoat_unbelieved_calls_dropped",
    "Calls of a flood that are about no order of ours: answered and not kept.",
)
