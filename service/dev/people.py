"""Invented payers and the memos that banks make of what they type; nobody here is real.

The wrappers are those measured on published statements: marks are lost, texts are wrapped, glued
and cut. What a text means is decided in service.references.
"""

import random
import unicodedata
from datetime import datetime
from typing import Final

import msgspec

from ledger.accounts import BUSINESS_ZONE

STATEMENT_MEMO_CHARS_MAX: Final = 210
"""Where Vietcombank cuts a memo."""

FAMILIES: Final = (
    *("Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Trần", "Lê", "Lê", "Phạm", "Hoàng"),
    *("Huỳnh", "Phan", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý"),
    *("Tôn Thất", "Tôn Nữ", "Công Tằng", "Mai", "Trương", "Đoàn", "Cao", "Châu"),
)
MIDDLES: Final = (
    *("Văn", "Thị", "Hữu", "Thị Thu", "Thị Mỹ", "Đức", "Quang", "Minh", "Ngọc", "Thanh"),
    *("Xuân", "Thị Kim", "Đình", "Phước", "Bảo", "Thị Diệu", "Quốc", "Viết", "Hoài", "Khánh"),
)
GIVEN: Final = (
    *("An", "Anh", "Bình", "Châu", "Chi", "Cường", "Dũng", "Duyên", "Giang", "Hà"),
    *("Hải", "Hạnh", "Hiền", "Hiếu", "Hòa", "Hùng", "Hương", "Huy", "Khang", "Khoa"),
    *("Lan", "Linh", "Loan", "Long", "Mai", "Nam", "Nga", "Nhân", "Nhung", "Phong"),
    *("Phúc", "Phượng", "Quân", "Quyên", "Sơn", "Tâm", "Thảo", "Thắng", "Thủy", "Tiến"),
    *("Trang", "Trí", "Trinh", "Tú", "Tuấn", "Uyên", "Vân", "Việt", "Vy", "Yến"),
)
REMARKS: Final = (
    "nop phi ho so",
    "le phi",
    "nop tien",
    "phi",
    "thanh toan",
    "CK phi",
    "nop le phi",
)
VAGUE: Final = ("chuyen tien", "nop tien", "nop phi", "chuyen khoan", "cam on", "le phi ho so")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A payer: name with marks, and the account they pay from."""

    name: str
    account: str

    @property
    def plain(self) -> str:
        """The name as banks print it."""
        return without_marks(self.name).upper()


DISTINCT: Final = Person(name="Công Tằng Tôn Nữ Quỳnh Uyển", account="97046190248157")
"""One payer whose name and account number occur nowhere else; a test looks for them in dumps."""
DISTINCT_MEMO: Final = "dam cuoi hoang thanh mua sen no"
"""Part of the memo of that payer's transfer."""


def without_marks(text: str) -> str:
    """`text` in ASCII, as banks pass it on."""
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in parts if not unicodedata.combining(c))


def somebody(dice: random.Random) -> Person:
    """A new payer."""
    name = f"{dice.choice(FAMILIES)} {dice.choice(MIDDLES)} {dice.choice(GIVEN)}"
    return Person(name=name, account=digits(dice, dice.choice((10, 12, 13))))


def digits(dice: random.Random, count: int) -> str:
    """A number of `count` digits as text; it does not begin with 0."""
    return str(dice.randint(10 ** (count - 1), 10**count - 1))


def typed(dice: random.Random, code: str, person: Person) -> str:
    """What somebody types who pays for `code` (a payment reference or a dossier code)."""
    remark = dice.choice(REMARKS)
    return dice.choice(
        (code, f"{code} {remark}", f"{remark} {code}", f"{person.plain} {remark} {code}")
    )


def vague(dice: random.Random, person: Person) -> str:
    """What somebody types who names nothing."""
    return f"{person.plain} {dice.choice(VAGUE)}"


def wrapped(
    dice: random.Random, text: str, person: Person, moment: datetime, own_account: str
) -> str:
    """`text` as the bank's statement shows it, in one of the measured wrappers."""
    local = moment.astimezone(BUSINESS_ZONE)
    number = digits(dice, 6)
    sender = f"CT tu {person.account} {person.plain} toi {own_account}"
    forms = (
        f"MBVCB.{digits(dice, 10)}.{number}.{text}.{sender}",
        f"{number}.{local:%d%m%y}.{local:%H%M%S}.{text}",
        f"0200970422{digits(dice, 10)}.{local:%H%M%S}.{text}",
        f"{text} FT{local:%y}{digits(dice, 12)}",
        f"{text.upper()}-{local:%d%m%y}-{local:%H:%M:%S} {number}",
        f"{text} GD {number}-{local:%d%m%y} {local:%H:%M:%S}",
        f"IBFT {text}",
        f"CT DEN:{digits(dice, 12)} {text}",
        text,
    )
    return dice.choice(forms)[:STATEMENT_MEMO_CHARS_MAX]
