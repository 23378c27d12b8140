"""The chart of accounts as data, and opening a book with it.

The codes are neutral; a dated table outside the ledger maps them to the legal chart.
"""

from datetime import date, datetime, timedelta, timezone
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import BookExists, MalformedEntry

BUSINESS_ZONE = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam keeps no daylight saving time."""

Side = Literal["debit", "credit"]

CASH = "1110"
BANK = "1121"
TREASURY = "1122"
CLEARING = "1130"
TREASURY_TRANSIT = "1131"
OUTGOING_UNEXPLAINED = "1380"
FEES_RECEIVABLE = "1383"
PROVIDER_RECEIVABLE = "1388"
DUE_FROM_UNITS = "1389"
BUDGET_PAYABLE = "3332"
RETAINED = "3370"
FEES_HELD = "3373"
SUSPENSE = "3380"
OVERPAID = "3381"
REFUND_PAYABLE = "3382"
OTHERS_PAYABLE = "3383"
DUE_TO_UNITS = "3389"
RETAINED_REVENUE = "5140"
OTHER_INCOME = "5180"
SERVICE_COST = "6140"
WRITE_OFF = "6180"
OPENING = "9990"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account; `normal_side` is the side on which its balance is positive."""

    code: str
    name_vi: str
    name_en: str
    normal_side: Side


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger of one collecting unit; `code` is two letters or digits (Crockford's 32)."""

    book_id: int
    code: str
    name: str
    agency_code: str


def _account(code: str, name_vi: str, name_en: str, normal_side: Side) -> Account:
    return Account(code=code, name_vi=name_vi, name_en=name_en, normal_side=normal_side)


CHART: tuple[Account, ...] = (
    _account(CASH, "Tiền mặt tại quầy", "Cash at the counter", "debit"),
    _account(BANK, "Tiền gửi tài khoản thu hộ", "Bank collection account", "debit"),
    _account(TREASURY, "Tiền gửi Kho bạc chờ nộp", "Treasury pending account", "debit"),
    _account(CLEARING, "Tiền đang chuyển – đơn vị thanh toán", "Provider clearing", "debit"),
    _account(TREASURY_TRANSIT, "Tiền đang chuyển – Kho bạc", "Remittance in transit", "debit"),
    _account(
        OUTGOING_UNEXPLAINED, "Tiền ra chưa rõ nguyên nhân", "Unexplained outgoing money", "debit"
    ),
    _account(FEES_RECEIVABLE, "Phải thu phí, lệ phí", "Fees receivable", "debit"),
    _account(
        PROVIDER_RECEIVABLE,
        "Phải thu đơn vị thanh toán",
        "Receivable from payment providers",
        "debit",
    ),
    _account(
        DUE_FROM_UNITS, "Phải thu nội bộ giữa các đơn vị thu", "Due from other units", "debit"
    ),
    _account(
        BUDGET_PAYABLE, "Phí, lệ phí phải nộp ngân sách nhà nước", "Payable to the budget", "credit"
    ),
    _account(
        RETAINED,
        "Phí được để lại chờ ghi thu",
        "Retained share, not yet recognised",
        "credit",
    ),
    _account(FEES_HELD, "Tạm thu phí, lệ phí", "Fees held: assessed, not yet split", "credit"),
    _account(SUSPENSE, "Tiền thu chưa xác định", "Suspense: receipts not yet identified", "credit"),
    _account(OVERPAID, "Nộp thừa của người nộp", "Overpayments held for payers", "credit"),
    _account(REFUND_PAYABLE, "Phải hoàn trả người nộp", "Refunds payable", "credit"),
    _account(OTHERS_PAYABLE, "Phải nộp đơn vị khác", "Payable to other beneficiaries", "credit"),
    _account(DUE_TO_UNITS, "Phải trả nội bộ giữa các đơn vị thu", "Due to other units", "credit"),
    _account(
        RETAINED_REVENUE,
        "Doanh thu phí được khấu trừ, để lại",
        "Retained fee revenue",
        "credit",
    ),
    _account(OTHER_INCOME, "Thu nhập khác", "Other income", "credit"),
    _account(SERVICE_COST, "Chi phí dịch vụ thanh toán", "Payment service cost", "debit"),
    _account(WRITE_OFF, "Tổn thất, xóa sổ", "Losses and write-offs", "debit"),
    _account(OPENING, "Số dư đầu kỳ chuyển sang", "Opening balances brought in", "credit"),
)

NORMAL_SIDE: dict[str, Side] = {account.code: account.normal_side for account in CHART}

_ADD_BOOK = sa.text("""
    insert into ledger.book (book_id, code, name, agency_code, opened_at)
    values (:book_id, :code, :name, :agency_code, :opened_at)
    on conflict do nothing
    returning book_id
""")
_ADD_ACCOUNTS = sa.text("""
    insert into ledger.account (book_id, code, name_vi, name_en, normal_side)
    select :book_id, code, name_vi, name_en, normal_side
    from unnest(cast(:codes as text[]), cast(:names_vi as text[]), cast(:names_en as text[]),
                cast(:sides as text[])) as told (code, name_vi, name_en, normal_side)
""")
_OPEN_DAY = sa.text("""
    insert into ledger.open_day (book_id, day, segment, raised_at)
    values (:book_id, :day, 1, clock_timestamp())
""")
_OPEN_SUMS = sa.text("insert into ledger.summed (book_id, segment) values (:book_id, 0)")
_LIST = sa.text("""
    select code, name_vi, name_en, normal_side from ledger.account
    where book_id = :book_id order by code
""")


def business_day(moment: datetime) -> date:
    """The calendar day in Vietnam at an aware `moment`."""
    return moment.astimezone(BUSINESS_ZONE).date()


async def open_book(connection: AsyncConnection, book: Book, opened_at: datetime) -> None:
    """Create a book with the whole chart; its first open day is that of `opened_at` in Vietnam.

    Raises BookExists for a used id or code, MalformedEntry for a time without a zone.
    """
    if opened_at.tzinfo is None:
        raise MalformedEntry("a book is opened at an instant: the time needs a zone")
    key = {"book_id": book.book_id}
    row = {
        "code": book.code,
        "name": book.name,
        "agency_code": book.agency_code,
        "opened_at": opened_at,
    }
    made = (await connection.execute(_ADD_BOOK, key | row)).one_or_none()
    if made is None:
        raise BookExists(book.book_id)
    chart = {
        "codes": [account.code for account in CHART],
        "names_vi": [account.name_vi for account in CHART],
        "names_en": [account.name_en for account in CHART],
        "sides": [account.normal_side for account in CHART],
    }
    await connection.execute(_ADD_ACCOUNTS, key | chart)
    day = {"day": business_day(opened_at)}
    await connection.execute(_OPEN_DAY, key | day)
    await connection.execute(_OPEN_SUMS, key)


async def list_accounts(connection: AsyncConnection, book_id: int) -> list[Account]:
    """The accounts of a book by code; empty for a book that was never opened."""
    rows = await connection.execute(_LIST, {"book_id": book_id})
    return [
        Account(
            code=row.code, name_vi=row.name_vi, name_en=row.name_en, normal_side=row.normal_side
        )
        for row in rows
    ]
