"""By when which fee has to be with the budget: rules as data, periods as arithmetic. Pure.

Source: the circulars of the fees. Monthly: what came in until the end of a month is due on the 5th
of the next one. Weekly: what came in until Sunday is due on the Thursday after. A due day that is
not worked moves to the next one that is.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from service import working_days

Rule: TypeAlias = Literal["monthly", "weekly"]

FILE: Final = Path(__file__).with_name("rules.json")
RULES: Final[tuple[Rule, ...]] = ("monthly", "weekly")
DUE_DAY_OF_MONTH: Final = 5
DUE_DAYS_AFTER_SUNDAY: Final = 4
RULES_MAX: Final = 10_000


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which fee goes by which calendar: by its code, else its procedure, its sector, the default.

    `source` says where they are from.
    """

    source: str
    default: Rule
    fees: Mapping[str, Rule] = {}
    procedures: Mapping[str, Rule] = {}
    sectors: Mapping[str, Rule] = {}


@cache
def rules(path: str = "") -> Rules:
    """The rules in a file; empty: the built-in ones. Raises ValueError where it cannot be read."""
    file = Path(path) if path else FILE
    found = msgspec.json.decode(file.read_bytes(), type=Rules)
    if len(found.fees) + len(found.procedures) + len(found.sectors) > RULES_MAX:
        raise ValueError(f"{file.name} has more than {RULES_MAX} rules")
    return found


def period_end(rule: Rule, day: date) -> date:
    """The last day of the period that `day` is in."""
    if rule == "weekly":
        return day + timedelta(days=6 - day.weekday())
    first_of_next = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first_of_next - timedelta(days=1)


def due_on(rule: Rule, day: date) -> date:
    """By when what came in on `day` has to be with the budget."""
    end = period_end(rule, day)
    days = DUE_DAYS_AFTER_SUNDAY if rule == "weekly" else DUE_DAY_OF_MONTH
    return working_days.on_or_after(end + timedelta(days=days))


def last_complete(rule: Rule, today: date) -> date:
    """The last day of the newest period that is over."""
    end = period_end(rule, today)
    if rule == "weekly":
        return end - timedelta(days=7)
    return today.replace(day=1) - timedelta(days=1)


def last_overdue(rule: Rule, today: date) -> date:
    """The last day of the newest period whose due date has passed."""
    end = last_complete(rule, today)
    while due_on(rule, end) >= today:
        end = last_complete(rule, end)
    return end
