"""The ladder is data: rungs after the opening, and one when nobody can pay any longer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.asking.ladder import AFTER_EXPIRY, LADDER, next_rung, rungs
from service.asking.pulling import AFTER_MIDNIGHT, PULL_EVERY, next_pull
from service.asking.words import meaning

OPENED = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
EXPIRES = OPENED + timedelta(minutes=30)


def minutes(instants: list[datetime]) -> list[float]:
    """Minutes after the opening."""
    return [(at - OPENED) / timedelta(minutes=1) for at in instants]


def test_the_ladder_is_1_5_15_60_minutes_then_hourly_to_a_day() -> None:
    """With one rung more after the order's expiry."""
    hours = [60.0 * hour for hour in range(1, 25)]
    assert minutes(rungs("vnpay", OPENED, None)) == [1, 5, 15, *hours]
    assert minutes(rungs("vnpay", OPENED, EXPIRES)) == [1, 5, 15, 31, *hours]


def test_an_order_that_lasts_longer_than_the_ladder_is_asked_about_when_it_ends() -> None:
    """A link that may be paid for two days has its last question after them."""
    expires_at = OPENED + timedelta(days=2)
    assert rungs("vnpay", OPENED, expires_at)[-1] == expires_at + AFTER_EXPIRY


@given(st.integers(0, 3 * 24 * 3600))
def test_rungs_that_were_missed_are_not_made_up_for(seconds: int) -> None:
    """The next question is the first rung that is still to come, and there is an end."""
    now = OPENED + timedelta(seconds=seconds)
    following = next_rung("vnpay", OPENED, EXPIRES, now)
    later = [at for at in rungs("vnpay", OPENED, EXPIRES) if at > now]
    assert following == (later[0] if later else None)
    assert (following is None) == (now >= OPENED + LADDER[-1])


@given(st.integers(0, 3 * 24 * 3600))
def test_a_list_is_read_every_few_minutes_and_after_each_day(seconds: int) -> None:
    """Never later than PULL_EVERY, and never past the minutes after midnight in Vietnam."""
    now = OPENED + timedelta(seconds=seconds)
    following = next_pull(now)
    assert now < following <= now + PULL_EVERY
    midnight = datetime(2026, 11, 3, 17, tzinfo=UTC)
    ends = [midnight + timedelta(days=day) + AFTER_MIDNIGHT for day in range(5)]
    assert not [at for at in ends if now < at < following]


def test_words_say_whether_more_is_to_be_expected() -> None:
    """Money beats an earlier failure; what is open beats both; no claim is an unknown order."""
    assert meaning([]) == "unknown"
    assert meaning(["failed", "paid"]) == "done"
    assert meaning(["failed", "expired"]) == "failing"
    assert meaning(["paid", "pending"]) == "unsettled"
    assert meaning(["held"]) == "unsettled"
