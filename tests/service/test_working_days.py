"""Which days are worked: weekends, Tết, other holidays and the days that were swapped."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import working_days

DAYS = st.dates(date(2025, 1, 1), date(2035, 12, 31))


@pytest.mark.parametrize(
    ("day", "count", "then"),
    [
        (date(2026, 11, 6), 0, date(2026, 11, 6)),
        (date(2026, 11, 6), 1, date(2026, 11, 9)),  # over a weekend
        (date(2026, 11, 23), 1, date(2026, 11, 25)),  # over the Day of Vietnamese Culture
        (date(2027, 2, 3), 1, date(2027, 2, 11)),  # over Tết
        (date(2026, 8, 21), 2, date(2026, 8, 24)),  # Saturday the 22nd was worked for Monday 31st
        (date(2026, 8, 28), 1, date(2026, 9, 3)),
    ],
)
def test_later_counts_days_that_are_worked(day: date, count: int, then: date) -> None:
    """Weekends, holidays and swapped days do not count; a swapped Saturday does."""
    assert working_days.later(day, count) == then


@given(day=DAYS, count=st.integers(1, 30))
def test_later_by_one_and_the_rest_is_later_by_all(day: date, count: int) -> None:
    """Counting may pause anywhere; and what it reaches is always a working day."""
    reached = working_days.later(day, count)
    assert working_days.later(working_days.later(day, 1), count - 1) == reached
    assert working_days.on_or_after(reached) == reached
    assert working_days.on_or_after(day) in {day, working_days.later(day, 1)}
    assert reached >= day + timedelta(days=count)
