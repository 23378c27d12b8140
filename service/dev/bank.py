"""The demo's bank: its own book of our accounts, and the statements it makes of it.

One JSON line per movement in a file of mode 0600, only ever added to, so that later statements
continue the balances of earlier ones. It stands for a system that is not ours: nothing of the
service reads it.
"""

import csv
import fcntl
import io
import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from ledger.accounts import business_day

OPENING_VND: Final = 250_000_000
"""What every account holds before its first movement."""
MOVEMENTS_MAX: Final = 1_000_000


class BankMovement(msgspec.Struct, frozen=True, kw_only=True):
    """What moved on one of our accounts, as the bank wrote it down."""

    account: str
    booked_at: datetime
    direction: Literal["in", "out"]
    amount_vnd: int
    document: str
    memo: str

    @property
    def signed_vnd(self) -> int:
        """What it adds to the account."""
        return self.amount_vnd if self.direction == "in" else -self.amount_vnd


class Bank:
    """The file of movements; several processes may add to it."""

    def __init__(self, path: Path) -> None:
        """Describe; the file is made at the first movement."""
        self._path = path

    def add(self, movements: Sequence[BankMovement]) -> None:
        """Write movements down, in this order."""
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in movements)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(lines)

    def movements(self, account: str) -> list[BankMovement]:
        """All movements of an account, in the order in which they were written down."""
        if not self._path.exists():
            return []
        found = []
        with self._path.open("rb") as file:
            for number, line in enumerate(file):
                if number >= MOVEMENTS_MAX:
                    raise ValueError(f"{self._path} has more than {MOVEMENTS_MAX} movements")
                one = msgspec.json.decode(line, type=BankMovement)
                if one.account == account:
                    found.append(one)
        return found

    def balance_vnd(self, account: str) -> int:
        """What the account holds now."""
        return OPENING_VND + sum(one.signed_vnd for one in self.movements(account))

    def statement(self, account: str, first: date, last: date) -> bytes | None:
        """A statement of some days in Vietcombank's layout with balances; None where none moved.

        An account's movements are taken in the order written down, so that a later statement of
        the same days shows the same lines with the same balances.
        """
        balance_vnd = OPENING_VND
        opening_vnd: int | None = None
        rows: list[list[str]] = []
        debits_vnd = credits_vnd = 0
        for one in self.movements(account):
            day = business_day(one.booked_at)
            if not first <= day <= last:
                balance_vnd += one.signed_vnd
                continue
            if opening_vnd is None:
                opening_vnd = balance_vnd
            balance_vnd += one.signed_vnd
            out_vnd = 0 if one.direction == "in" else one.amount_vnd
            in_vnd = one.amount_vnd - out_vnd
            debits_vnd += out_vnd
            credits_vnd += in_vnd
            rows.append(
                [
                    f"{day:%d/%m/%Y}",
                    one.document,
                    dotted(out_vnd) if out_vnd else "",
                    dotted(in_vnd) if in_vnd else "",
                    dotted(balance_vnd),
                    one.memo,
                ]
            )
        if opening_vnd is None:
            return None
        return _written(account, (first, last), (opening_vnd, debits_vnd, credits_vnd), rows)


def dotted(amount_vnd: int) -> str:
    """An amount as the bank prints it: `1.250.000`."""
    return f"{amount_vnd:,}".replace(",", ".")


def _written(
    account: str, days: tuple[date, date], sums: tuple[int, int, int], rows: list[list[str]]
) -> bytes:
    opening_vnd, debits_vnd, credits_vnd = sums
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["NGÂN HÀNG TMCP NGOẠI THƯƠNG VIỆT NAM - SAO KÊ TÀI KHOẢN (dữ liệu mô phỏng)"])
    writer.writerow([f"Số tài khoản/ Account number: {account}"])
    writer.writerow([f"Từ ngày/ From: {days[0]:%d/%m/%Y}  Đến ngày/ To: {days[1]:%d/%m/%Y}"])
    writer.writerow(["Số dư đầu kỳ/ Opening balance", dotted(opening_vnd)])
    writer.writerow(
        [
            "Ngày GD/ TNX Date",
            "Số CT/ Doc No",
            "Số tiền ghi nợ/ Debit",
            "Số tiền ghi có/ Credit",
            "Số dư/ Balance",
            "Nội dung chi tiết/ Transactions in detail",
        ]
    )
    writer.writerows(rows)
    closing_vnd = opening_vnd + credits_vnd - debits_vnd
    writer.writerow(["Tổng cộng/ Total", "", dotted(debits_vnd), dotted(credits_vnd), "", ""])
    writer.writerow(["Số dư cuối kỳ/ Closing balance", "", "", "", dotted(closing_vnd), ""])
    return text.getvalue().encode("utf-8-sig")
