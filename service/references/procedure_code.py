"""Procedure codes (mã thủ tục hành chính): national code, owner, number of the online service.

Whether the procedure exists, and what it costs, is not known here.
"""

import re
from typing import Final

import msgspec

from service.references.errors import UnreadableCode

CHARS_MAX: Final = 40
_FORM: Final = re.compile(
    r"([123]\.[0-9]{6})"
    r"(?:\.(?:[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.)?([A-Z][0-9]{2}))?"
    r"(?:\.([0-9]{2}))?"
)


class ProcedureCode(msgspec.Struct, frozen=True, kw_only=True):
    """`2.000815.000.00.00.H55.02` is national 2.000815, of H55, online service 02."""

    national: str
    owner: str | None
    service_number: str | None


def parse(text: str) -> ProcedureCode:
    """The procedure written in `text`, with or without its decoration; raises UnreadableCode."""
    squeezed = text.strip().upper()
    if not squeezed:
        raise UnreadableCode("procedure_code", text, "empty")
    if len(squeezed) > CHARS_MAX:
        raise UnreadableCode("procedure_code", text, "too-long")
    form = _FORM.fullmatch(squeezed)
    if form is None:
        raise UnreadableCode("procedure_code", text, "bad-form")
    return ProcedureCode(national=form[1], owner=form[2], service_number=form[3])
