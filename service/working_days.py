"""Which days are worked in Vietnam: Monday to Friday without holidays, and swapped Saturdays. Pure.

Holidays: Labour Code 2019, article 112; the days that a Government dispatch swaps each year come
with the `holidays` library, which names its sources.
"""

from datetime import date, timedelta
from functools import cache
from typing import Final

import holidays

COUNTRY: Final = "VN"


@cache
def _vietnam() -> holidays.HolidayBase:
    return holidays.country_holidays(COUNTRY)


def later(day: date, working_days: int) -> date:
    """The day so many working days after `day`; `day` itself for none."""
    while working_days > 0:
        day += timedelta(days=1)
        working_days -= _vietnam().is_working_day(day)
    return day


def on_or_after(day: date) -> date:
    """`day`, or the next working day where it is none: so terms end (Civil Code 2015, 148.5)."""
    while not _vietnam().is_working_day(day):
        day += timedelta(days=1)
    return day
