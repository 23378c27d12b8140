"""Dossier codes (mã hồ sơ): agency, day of reception, running number of that day.

All notations of the agency lead to one text and one key. Whether the dossier exists is not known
here, and a mistyped digit is mostly another well-formed code.
"""

import re
from datetime import date, timedelta
from typing import Final

import msgspec

from service.references import agency_code
from service.references.agency_code import AgencyCode
from service.references.errors import UnreadableCode

CHARS_MAX: Final = 40
SEQUENCE_CHARS_MIN: Final = 4
SEQUENCE_CHARS_MAX: Final = 6
"""Four digits are seen in public code; up to six are allowed for."""
AHEAD: Final = timedelta(days=1)
"""A clock of another system may be this far ahead of ours."""
CENTURY: Final = 2000

_FORM: Final = re.compile(r"(?P<agency>[0-9A-Z.]+)-(?P<ymd>[0-9]{6})-(?P<sequence>[0-9]{4,6})")


class DossierCode(msgspec.Struct, frozen=True, kw_only=True):
    """A dossier code that could be real."""

    agency: AgencyCode
    received_on: date
    sequence: str

    @property
    def text(self) -> str:
        """The canonical text, in the notation dossiers carry: `000.00.15.H57-260105-0001`."""
        return f"{self.agency.qcvn102}-{self.received_on:%y%m%d}-{self.sequence}"

    @property
    def key(self) -> str:
        """The text with letters and digits only, by which memos are matched.

        Two agencies share a key only where one has a three-digit unit at another level than the
        other (`H57.101`, `H57.01.001`); matching then sees two dossiers and leaves it to people.
        """
        agency = "".join((*self.agency.low_units, self.agency.root))
        return f"{agency}{self.received_on:%y%m%d}{self.sequence}"


def read_date(ymd: str) -> date | None:
    """The day of six digits yymmdd in this century; None if there is no such day."""
    try:
        return date(CENTURY + int(ymd[:2]), int(ymd[2:4]), int(ymd[4:6]))
    except ValueError:
        return None


def parse(text: str, *, today: date) -> DossierCode:
    """The dossier code written in `text`, with its agency in any notation; raises UnreadableCode.

    Its date must exist and be at most one day after `today` (a business day).
    """
    squeezed = text.strip().upper()
    if not squeezed:
        raise UnreadableCode("dossier_code", text, "empty")
    if len(squeezed) > CHARS_MAX:
        raise UnreadableCode("dossier_code", text, "too-long")
    form = _FORM.fullmatch(squeezed)
    if form is None:
        raise UnreadableCode("dossier_code", text, "bad-form")
    try:
        agency = agency_code.parse(form["agency"])
    except UnreadableCode as refusal:
        raise UnreadableCode("dossier_code", text, refusal.why) from refusal
    received_on = read_date(form["ymd"])
    if received_on is None:
        raise UnreadableCode("dossier_code", text, "impossible-date")
    if received_on - today > AHEAD:
        raise UnreadableCode("dossier_code", text, "future-date")
    return DossierCode(agency=agency, received_on=received_on, sequence=form["sequence"])
