"""What is read of a transfer's texts."""

import pytest

from service.payments import evidence


@pytest.mark.parametrize(
    "text", ["FT26 001", "ft26001", "FT\u200b26001\ufeff", "FT26\x1b001\x07\t"]
)
def test_a_bank_reference_is_compared_by_what_is_seen_of_it(text: str) -> None:
    """Blanks, case, marks of no width and control characters tell no two transfers apart."""
    assert evidence.trace(text) == "FT26001"
