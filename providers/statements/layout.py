"""What a bank's CSV looks like, as data: headings, date and number style, order of rows.

A style belongs to a layout, never to a cell: `1.000` is a thousand in one file and one in another.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from providers.tables import DateStyle, fold

LAYOUT_BYTES_MAX = 65_536

Column = Literal[
    "booked_on",
    "value_on",
    "bank_reference",
    "debit",
    "credit",
    "amount",
    "balance",
    "memo",
    "counterparty_account",
    "counterparty_name",
]
"""What a column may hold. `amount` is signed and stands instead of `debit` and `credit`."""


class UnusableLayout(ValueError):
    """A column mapping that cannot read any statement; the message says why."""


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of a bank's CSV. A changed layout gets a new version, so that old files stay read.

    ValueError when the columns are not enough, or contradict one another.
    """

    name: str
    version: int = 1
    columns: Mapping[Column, tuple[str, ...]]
    """The headings each column is known by; compared without marks, case and punctuation."""
    date_style: DateStyle
    thousands: Literal[".", ",", " ", ""]
    decimal_mark: Literal["", ".", ","] = ""
    """Only zeros may follow it: a đồng has no parts."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8-sig", "utf-16", "windows-1258"] = "utf-8-sig"
    row_order: Literal["oldest_first", "newest_first"] = "oldest_first"
    running_balances: bool = True
    """Whether each balance must follow from the row before; false for an extract of a statement."""
    opening_labels: tuple[str, ...] = ("Số dư đầu kỳ", "Số dư đầu", "Opening balance")
    closing_labels: tuple[str, ...] = ("Số dư cuối kỳ", "Số dư cuối", "Closing balance")
    total_labels: tuple[str, ...] = ("Tổng cộng", "Tổng phát sinh", "Cộng phát sinh", "Total")

    def __post_init__(self) -> None:
        """Refuse what could not be read without guessing."""
        if not {"booked_on", "memo"} <= self.columns.keys():
            raise UnusableLayout("columns booked_on and memo are needed")
        if ("amount" in self.columns) == bool({"debit", "credit"} & self.columns.keys()):
            raise UnusableLayout("either debit and credit, or a signed amount")
        if "amount" not in self.columns and not {"debit", "credit"} <= self.columns.keys():
            raise UnusableLayout("debit and credit are needed together")
        if self.thousands and self.thousands == self.decimal_mark:
            raise UnusableLayout("one mark cannot part thousands and decimals")
        headings = [fold(text) for names in self.columns.values() for text in names]
        if not all(headings) or len(set(headings)) != len(headings):
            raise UnusableLayout("a heading is empty, or names two columns")
        if not all(self.columns.values()):
            raise UnusableLayout("a column has no heading")


def layout_from_json(raw: bytes) -> Layout:
    """The layout a user wrote down; UnusableLayout says what is wrong, and where.

    Shape: `{"name": …, "columns": {"booked_on": ["Ngày GD"], …}, "date_style": "dd/mm/yyyy",
    "thousands": "."}`; the fields of Layout are all there are.
    """
    if len(raw) > LAYOUT_BYTES_MAX:
        raise UnusableLayout("the mapping is too long")
    try:
        return msgspec.json.decode(raw, type=Layout)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnusableLayout(str(error)) from None


VIETCOMBANK: Final = Layout(
    name="vietcombank",
    version=1,
    columns=MappingProxyType(
        {
            "booked_on": ("TNXDate", "TNX Date", "Ngày GD", "Ngày giao dịch", "Ngày GD/ TNX Date"),
            "bank_reference": ("DocNo", "Doc No", "Số CT", "Số chứng từ", "Số CT/ Doc No"),
            "debit": ("Debit", "Ghi nợ", "Số tiền ghi nợ", "Số tiền ghi nợ/ Debit"),
            "credit": ("Credit", "Ghi có", "Số tiền ghi có", "Số tiền ghi có/ Credit"),
            "balance": ("Balance", "Số dư", "Số dư/ Balance"),
            "memo": (
                "TransactionDetails",
                "Transactions in detail",
                "Nội dung chi tiết",
                "Nội dung chi tiết/ Transactions in detail",
                "Diễn giải",
            ),
        }
    ),
    date_style="dd/mm/yyyy",
    thousands=".",
)
"""Headings and styles as in published statements of 2024. DocNo repeats: it is no key."""

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType({VIETCOMBANK.name: VIETCOMBANK})
"""Layouts of known banks, by name; any other is given as JSON."""
