"""What asking counts for /metrics; labels are names of the catalogue and a few fixed words."""

from typing import Final

from prometheus_client import Counter

HEARD: Final = Counter(
    "doisoat_questions",
    "Questions about silent payment requests by what came of them.",
    ["provider", "heard"],
)
PULLED: Final = Counter(
    "doisoat_pulled_transactions",
    "Transactions that lists of bank feeds told, repeats included.",
    ["provider"],
)
PULL_PROBLEMS: Final = Counter(
    "doisoat_pull_problems", "Lists of bank feeds that could not be read.", ["provider"]
)
