"""Dates and amounts from cells, in one stated style; what does not fit the style is refused."""

import re
from datetime import date, datetime
from typing import Final

from providers.contract import AMOUNT_VND_MAX
from providers.tables.style import DateStyle, Style
from providers.untrusted import YEAR_MAX, YEAR_MIN

NOT_WHOLE: Final = "\u2248"
"""Begins the text of a spreadsheet's number that is not whole, or too long to be exact."""

_EMPTY = frozenset({"", "-"})
_WIDE_BLANKS: Final = str.maketrans({"\u00a0": " ", "\u202f": " "})
_TIME = r"(?:[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"


class Cells:
    """Reads cells in one style; ValueError says why a cell does not fit."""

    def __init__(self, style: Style) -> None:
        mark = re.escape(style.thousands)
        grouped = rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}}){{1,5}}|" if mark else ""
        zeros = rf"(?:{re.escape(style.decimal_mark)}0{{1,2}})?" if style.decimal_mark else ""
        self._money = re.compile(
            rf"([+-]?)({grouped}[0-9]{{1,18}}){zeros}(?: ?(?:VND|VNĐ|đ|₫))?", re.ASCII
        )
        self._thousands = style.thousands
        self._date, self._year_first = _date_pattern(style.date_style)

    def is_empty(self, text: str) -> bool:
        """Whether a cell says nothing; a lone hyphen is how spreadsheets write no amount."""
        return text.translate(_WIDE_BLANKS).strip() in _EMPTY

    def signed_vnd(self, text: str) -> int:
        """An amount or balance that may bear a sign."""
        match = self._money.fullmatch(text.translate(_WIDE_BLANKS).strip())
        if text.startswith(NOT_WHOLE):
            raise ValueError("an amount with parts of a đồng")
        if match is None:
            raise ValueError("not an amount in this file's number style")
        digits = match[2].replace(self._thousands, "") if self._thousands else match[2]
        return -int(digits) if match[1] == "-" else int(digits)

    def movement_vnd(self, text: str) -> int:
        """What one line moves, signed; 0 for an empty cell, at most AMOUNT_VND_MAX either way."""
        moved_vnd = 0 if self.is_empty(text) else self.signed_vnd(text)
        if abs(moved_vnd) > AMOUNT_VND_MAX:
            raise ValueError("an amount beyond belief")
        return moved_vnd

    def amount_vnd(self, text: str) -> int:
        """A debit or credit: as `movement_vnd`, and never negative."""
        amount_vnd = self.movement_vnd(text)
        if amount_vnd < 0:
            raise ValueError("a negative amount in a column of debits or credits")
        return amount_vnd

    def total_vnd(self, text: str) -> int:
        """A sum of many lines; 0 for an empty cell."""
        return 0 if self.is_empty(text) else self.signed_vnd(text)

    def day(self, text: str) -> date:
        """A calendar day; a time of day behind it is passed over."""
        return self.moment(text).date()

    def moment(self, text: str) -> datetime:
        """A day and time as the file writes it, without a zone; midnight where it tells no time."""
        match = self._date.fullmatch(text.translate(_WIDE_BLANKS).strip())
        if match is None:
            raise ValueError("not a date in this file's date style")
        numbers = [int(part or 0) for part in match.groups()]
        year, month, day = numbers[:3] if self._year_first else numbers[2::-1]
        if not YEAR_MIN <= year <= YEAR_MAX:
            raise ValueError("a year beyond belief")
        hour, minute, second = numbers[3:]
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 # the reader's zone


def _date_pattern(style: DateStyle) -> tuple[re.Pattern[str], bool]:
    year_first = style.startswith("yyyy")
    two, few, many = "([0-9]{2})", "([0-9]{1,2})", "([0-9]{4})"
    if style == "yyyymmdd":
        return re.compile(rf"{many}{two}{two}(?:{two}{two}{two}?)?", re.ASCII), year_first
    mark = re.escape(style[4] if year_first else style[2])
    order = (many, few, few) if year_first else (few, few, many)
    return re.compile(mark.join(order) + _TIME, re.ASCII), year_first
