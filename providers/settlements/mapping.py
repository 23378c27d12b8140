"""What a provider's settlement file looks like, as data: headings, words, signs, styles.

No provider publishes its columns, so every mapping we ship is a proposal to be edited after the
first file of the contract. All of it is stated; nothing is guessed from a cell.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

import msgspec

from providers.tables import DateStyle, fold

MAPPING_BYTES_MAX: Final = 65_536

Column = Literal[
    "kind",
    "status",
    "transaction",
    "scope",
    "order",
    "refund_reference",
    "bank_reference",
    "gross",
    "fee",
    "fee_tax",
    "fee_other",
    "net",
    "currency",
    "batch",
    "happened_at",
]
"""What a column may hold. The fee columns are added up."""

Kind = Literal[
    "payment",
    "refund",
    "chargeback",
    "chargeback_reversed",
    "reversal",
    "fee",
    "adjustment",
    "payout",
]
"""What a line may be. A `reversal` takes back a payment that was never ours; a `payout` announces
what is paid to our bank account for a batch."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
FEE_COLUMNS: Final[tuple[Column, ...]] = ("fee", "fee_tax", "fee_other")
CURRENCIES: Final = frozenset({"VND", "VNĐ", "Đ", "₫"})


class UnusableMapping(ValueError):
    """A column mapping that cannot read any settlement; the message says why."""


class SettlementMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of a provider's file. A changed file gets a new version, and old ones stay read.

    UnusableMapping when it is not enough, or contradicts itself.
    """

    name: str
    version: int = 1
    source: str
    """Where its columns are from; what we ship says that nothing is published."""
    money: Literal["provider", "account"] = "provider"
    """Where the money stands: at the provider until it pays out, or in our own bank account at
    once; the lines of the second kind book nothing."""
    columns: Mapping[Column, tuple[str, ...]]
    """The headings each column is known by; compared without marks, case and punctuation."""
    kinds: Mapping[Kind, tuple[str, ...]] = MappingProxyType({})
    """The words of the column `kind`, compared likewise. Without the column every line is a
    payment."""
    statuses: tuple[str, ...] = ()
    """The words of the column `status` that mean: it counts. Any other word refuses the file."""
    negated: tuple[Kind, ...] = ()
    """Kinds whose gross and net the file writes without the sign they have for us."""
    fees_negative: bool = False
    """Whether the file writes a fee that we bear as a negative number."""
    scope: Literal["order", "column", "none"] = "order"
    """What the provider's transaction numbers are unique within, as its callbacks have it: the
    order, what the column `scope` says, or nothing less than the merchant."""
    batches: Literal["counted", "named", "daily"] = "daily"
    """`counted`: numbers without a gap. `named`: any names. `daily`: without a column of its own, a
    batch is a day."""
    date_style: DateStyle
    thousands: Literal[".", ",", " ", ""]
    decimal_mark: Literal["", ".", ","] = ""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8-sig", "utf-16", "windows-1258"] = "utf-8-sig"
    sheet: str = ""
    """Of a workbook; empty: it has only one with cells."""
    trailer_labels: tuple[str, ...] = ("Tổng cộng", "Tổng", "Total", "<END>")
    """What the last row begins with; its count and sums must be those of the lines."""
    trailer_count: Column = "transaction"
    """Under which column the trailer writes how many lines there are (payouts not counted)."""
    trailer_required: bool = False
    """Whether a file without its trailer has been cut off."""

    def __post_init__(self) -> None:
        """Refuse what could not be read without guessing."""
        missing = {"transaction", "gross", "happened_at"} - self.columns.keys()
        if missing:
            raise UnusableMapping(f"columns are needed: {', '.join(sorted(missing))}")
        if ("kind" in self.columns) != bool(self.kinds):
            raise UnusableMapping("a column kind and its words are needed together")
        if "status" in self.columns and not self.statuses:
            raise UnusableMapping("a column status needs the words that count")
        if self.scope in {"order", "column"} and not {"order", "scope"} & self.columns.keys():
            raise UnusableMapping(f"scope {self.scope} needs a column of that name")
        if self.scope == "column" and "scope" not in self.columns:
            raise UnusableMapping("scope column needs a column of that name")
        if (self.batches == "daily") == ("batch" in self.columns):
            raise UnusableMapping("a column batch and daily batches exclude each other")
        if self.thousands and self.thousands == self.decimal_mark:
            raise UnusableMapping("one mark cannot part thousands and decimals")
        for names in (self.columns, self.kinds):
            words = [fold(text) for told in names.values() for text in told]
            if not all(words) or len(set(words)) != len(words) or not all(names.values()):
                raise UnusableMapping("a heading or word is empty, or means two things")

    @property
    def needed(self) -> frozenset[str]:
        """The columns without which a row is not the headings."""
        wanted = {"transaction", "gross", "happened_at", "kind", "status", "order", "scope"}
        if self.batches != "daily":
            wanted.add("batch")
        return frozenset(wanted & self.columns.keys())


def mapping_from_json(raw: bytes) -> SettlementMapping:
    """The mapping a user wrote down; UnusableMapping says what is wrong, and where.

    The fields of SettlementMapping are all there are; the ones we ship are examples to edit.
    """
    if len(raw) > MAPPING_BYTES_MAX:
        raise UnusableMapping("the mapping is too long")
    try:
        return msgspec.json.decode(raw, type=SettlementMapping)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnusableMapping(str(error)) from None
