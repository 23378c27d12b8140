"""By when what came in on a day has to be with the budget, and how an amount comes apart."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from service.payments.giving_back import Refundable, Split, take
from service.remittance import calendar
from service.remittance.calendar import RULES, Rule

DAYS = st.dates(date(2025, 1, 1), date(2030, 12, 31))


@pytest.mark.parametrize(
    ("rule", "day", "end", "due"),
    [
        ("monthly", date(2026, 11, 1), date(2026, 11, 30), date(2026, 12, 7)),
        ("monthly", date(2026, 12, 31), date(2026, 12, 31), date(2027, 1, 5)),
        ("monthly", date(2028, 2, 29), date(2028, 2, 29), date(2028, 3, 6)),
        # The 5th of December 2026 is a Saturday, that of March 2028 a Sunday. In February 2027 it
        # is Tết's Eve, and the days off end on Wednesday the 10th.
        ("monthly", date(2027, 1, 15), date(2027, 1, 31), date(2027, 2, 11)),
        # A Monday and a Sunday of the same week: due on the Thursday after.
        ("weekly", date(2026, 11, 2), date(2026, 11, 8), date(2026, 11, 12)),
        ("weekly", date(2026, 11, 8), date(2026, 11, 8), date(2026, 11, 12)),
    ],
)
def test_periods_end_and_fall_due_as_the_circulars_say(
    rule: Rule, day: date, end: date, due: date
) -> None:
    """Monthly by the 5th of the next month, weekly by Thursday; or by the next working day."""
    assert (calendar.period_end(rule, day), calendar.due_on(rule, day)) == (end, due)


@given(rule=st.sampled_from(RULES), today=DAYS)
def test_periods_follow_one_another(rule: Rule, today: date) -> None:
    """The last complete period is over, and the next one has begun; what is overdue was due."""
    end = calendar.last_complete(rule, today)
    assert end < today <= calendar.period_end(rule, end + timedelta(days=1))
    overdue = calendar.last_overdue(rule, today)
    assert calendar.due_on(rule, overdue) < today
    following = calendar.period_end(rule, overdue + timedelta(days=1))
    assert calendar.due_on(rule, following) >= today


def test_the_built_in_rules_are_read() -> None:
    """Immigration is weekly; everything that nothing names is monthly."""
    rules = calendar.rules()
    assert rules.default == "monthly"
    assert rules.sectors["Quản lý xuất nhập cảnh"] == "weekly"


@given(
    amount_vnd=st.integers(1, 10**9),
    percent=st.integers(0, 100),
    cuts=st.lists(st.integers(1, 10**9), max_size=6),
)
def test_a_split_is_given_back_to_exactly_its_two_shares(
    amount_vnd: int, percent: int, cuts: list[int]
) -> None:
    """For all A and r: in however many parts, what is given back adds up to retained and budget."""
    retained = amount_vnd * percent // 100
    split = Split(
        remittance_id=uuid7(),
        status="approved",
        recognised=False,
        retained_vnd=retained,
        budget_vnd=amount_vnd - retained,
        back_retained_vnd=0,
        back_budget_vnd=0,
    )
    item = Refundable(uuid7(), "2721", amount_vnd, 0, [split])
    accounts = {"3370": 0, "3332": 0}
    left = amount_vnd
    for cut in [*cuts, amount_vnd]:
        part = min(cut, left)
        for taken in take([item], part):
            assert taken.amount_vnd > 0
            accounts[taken.account] += taken.amount_vnd
        left -= part
    assert accounts == {"3370": retained, "3332": amount_vnd - retained}
    assert split.left_vnd == 0
    with pytest.raises(ValueError, match="more than there is"):
        take([item], 1)
