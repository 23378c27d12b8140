"""Agency identifiers (mã định danh) in their three notations, brought to one.

Canonical is QĐ 20/2020/QĐ-TTg, high to low: `H57.15`. QCVN 102:2016/BTTTT and the province's short
form are low to high: `000.00.15.H57`, `00.15.H57`. Which agencies exist is not known here.
"""

import re
from typing import Final

import msgspec

from service.references.errors import UnreadableCode

CHARS_MAX: Final = 24
"""The longest notation has 15 characters; the rest is blanks around it."""
UNITS_MAX: Final = 3
_LOW_WIDTHS: Final = (3, 2, 2)
"""Widths of the unit segments of QCVN 102, left to right."""

_LOW_TO_HIGH: Final = re.compile(r"((?:[0-9A-Z]{2,3}\.){1,3})([A-Z][0-9]{2})")
_HIGH_TO_LOW: Final = re.compile(r"([A-Z][0-9]{2})((?:\.[0-9A-Z]{1,3}){0,3})")


class AgencyCode(msgspec.Struct, frozen=True, kw_only=True):
    """An agency: `root` is the province or ministry, `units` the way down from it."""

    root: str
    units: tuple[str, ...]

    @property
    def canonical(self) -> str:
        """QĐ 20/2020 notation, the one that is stored: `H57.15`."""
        return ".".join((self.root, *self.units))

    @property
    def low_units(self) -> tuple[str, ...]:
        """The three unit segments of QCVN 102, low to high: `("000", "00", "15")`."""
        upward = [""] * (UNITS_MAX - len(self.units)) + list(reversed(self.units))
        return tuple(unit.zfill(width) for unit, width in zip(upward, _LOW_WIDTHS, strict=True))

    @property
    def qcvn102(self) -> str:
        """QCVN 102 notation, as dossier codes carry it: `000.00.15.H57`."""
        return ".".join((*self.low_units, self.root))


def from_low_to_high(segments: tuple[str, ...], root: str) -> AgencyCode:
    """The agency of QCVN 102 segments: all-zero ones say nothing, the rest is turned round."""
    return AgencyCode(
        root=root, units=tuple(unit for unit in reversed(segments) if unit.strip("0"))
    )


def parse(text: str) -> AgencyCode:
    """The agency written in `text` in any notation and case; raises UnreadableCode."""
    squeezed = text.strip().upper()
    if not squeezed:
        raise UnreadableCode("agency_code", text, "empty")
    if len(squeezed) > CHARS_MAX:
        raise UnreadableCode("agency_code", text, "too-long")
    low = _LOW_TO_HIGH.fullmatch(squeezed)
    high = _HIGH_TO_LOW.fullmatch(squeezed)
    if low and high:
        raise UnreadableCode("agency_code", text, "ambiguous-agency")
    if low:
        return from_low_to_high(tuple(low[1].rstrip(".").split(".")), low[2])
    if high:
        units = tuple(unit for unit in high[2].split(".") if unit.strip("0"))
        # One digit is a two-digit unit written without its zero.
        return AgencyCode(root=high[1], units=tuple(unit.zfill(2) for unit in units))
    raise UnreadableCode("agency_code", text, "bad-form")
