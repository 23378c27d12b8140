"""The collecting units of the demo and the merchants that call for them. Data, and nothing else.

The agencies are those of the reference data; account numbers and merchants are invented.
"""

from typing import Final

import msgspec

from ledger.accounts import Book

BIN: Final = "970436"
"""Vietcombank."""
ONE_STOP_CENTRE: Final = "H57.15"


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A collecting unit: its book, its agency, its bank account and who watches that account."""

    book: Book
    account: str
    holder: str
    received_by: str
    sectors: tuple[str, ...]
    """Sectors of the procedures it decides."""
    level: str
    sepay_merchant: str
    sepay_mode: str


UNITS: Final = (
    Unit(
        book=Book(book_id=1, code="01", name="Sở Tư pháp thành phố Huế", agency_code="H57.08"),
        account="0071004102688",
        holder="SO TU PHAP THANH PHO HUE",
        received_by=ONE_STOP_CENTRE,
        sectors=("Lý lịch tư pháp", "Công chứng", "Luật sư", "Đấu giá tài sản", "Quốc tịch"),
        level="tinh",
        sepay_merchant="SOTUPHAP",
        sepay_mode="hmac",
    ),
    Unit(
        book=Book(
            book_id=2,
            code="02",
            name="Ủy ban nhân dân phường Thuận Hóa",
            agency_code="H57.119",
        ),
        account="0071004119119",
        holder="UBND PHUONG THUAN HOA",
        received_by="H57.119",
        sectors=("Chứng thực", "Hộ tịch", "Đăng ký, quản lý cư trú", "Cấp, quản lý căn cước"),
        level="xa",
        sepay_merchant="THUANHOA",
        sepay_mode="apikey",
    ),
)


def unit_of(book_id: int) -> Unit:
    """The unit of a book; StopIteration for a book the demo does not have."""
    return next(unit for unit in UNITS if unit.book.book_id == book_id)
