"""The demo's merchants at payment providers, and how many citizens choose which. Data.

Names are invented. Secrets are drawn when the demo is made.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from service.dev.units import UNITS


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant of the demo; `share` is its part of what is paid at gateways."""

    merchant: str
    share: float
    to_account: bool = False
    """The money lands on the first unit's own bank account, which a bank feed watches, too."""


GATEWAYS: Final[Mapping[str, Channel]] = MappingProxyType(
    {
        "vnpay": Channel(merchant="HUEDVC01", share=0.32),
        "dvcqg": Channel(merchant="H57", share=0.24),
        "momo": Channel(merchant="MOMOHUE1", share=0.14),
        "zalopay": Channel(merchant="26571", share=0.12),
        "payos": Channel(merchant="HUEPAYOS", share=0.08, to_account=True),
        "onepay": Channel(merchant="OPHUE", share=0.06),
        "sandbox": Channel(merchant="HUETHU", share=0.04),
    }
)
"""Their clearing sits in the first unit's book; all but one serve both units."""

SIMULATED: Final = (*GATEWAYS, "casso")
"""Whose own side the demo plays, too: pages, questions, refunds, lists."""

CASSO_MERCHANT: Final = "THUANHOA2"
CASSO_ACCOUNT: Final = "0071004119120"
"""A second account of the second unit, which another feed watches."""


def served_books(provider: str) -> list[int]:
    """The books a gateway's merchant serves."""
    books = [unit.book.book_id for unit in UNITS]
    return books[:1] if GATEWAYS[provider].to_account else books
