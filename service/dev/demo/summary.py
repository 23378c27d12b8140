"""What the demo prints at the end: what was owed, collected and matched, what is not, the books.

Reads; changes nothing. Vietnamese first.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.dev.bank import dotted
from service.dev.client import Client
from service.dev.demo_file import DemoFile
from service.dev.units import UNITS, unit_of

STATUSES: Final = {
    "open": "chưa nộp / open",
    "partially_paid": "nộp thiếu / partially paid",
    "paid": "đã nộp / paid",
    "cancelled": "đã hủy / cancelled",
    "exempt": "miễn hoặc 0 đồng / exempt",
    "refunded": "đã hoàn / refunded",
}
RULES: Final = {
    "callback": "cổng gọi / gateway call",
    "feed": "biến động số dư / bank feed",
    "settlement": "tệp đối soát / settlement file",
    "counter": "tại quầy / counter",
    "R2": "mã tham chiếu trong sao kê / reference (R2)",
    "R3": "mã hồ sơ / dossier code (R3)",
    "R4": "nhiều hồ sơ / several dossiers (R4)",
}
PAGES: Final = (
    ("Tài liệu API / API pages", "/docs"),
    ("Mô tả OpenAPI / OpenAPI description", "/openapi.yaml"),
    ("Tình trạng / health", "/health/ready"),
    ("Số đo / metrics", "/metrics"),
)

NOTICES = sa.text("""
    select book_id, status, count(*) as notices, sum(amount_vnd) as owed_vnd,
           sum(paid_vnd) as paid_vnd
    from service.notice_state group by book_id, status order by book_id, status
""")

MATCHED = sa.text("""
    select book_id, rule, count(distinct movement_id) as movements, sum(amount_vnd) as matched_vnd
    from service.allocation group by book_id, rule order by book_id, rule
""")

UNMATCHED = sa.text("""
    select book_id, reason,
           count(*) filter (where age < 1) as today,
           count(*) filter (where age between 1 and 3) as days,
           count(*) filter (where age > 3) as older,
           sum(amount_vnd) as amount_vnd
    from (
        select book_id, reason, amount_vnd,
               date_part('day', cast(:now as timestamptz) - happened_at) as age
        from service.unmatched where status <> 'resolved'
    ) as live
    group by book_id, reason order by book_id, count(*) desc, reason
""")


class TrialBook(msgspec.Struct, kw_only=True):
    """A book's trial balance, as far as it is printed."""

    book_id: int
    rows: list[dict[str, object]]
    debit_vnd: int
    credit_vnd: int


class Trial(msgspec.Struct, kw_only=True):
    """The trial balances."""

    books: list[TrialBook]


async def lines(engine: AsyncEngine, client: Client, demo: DemoFile) -> list[str]:
    """The whole summary, line by line."""
    async with engine.connect() as connection:
        notices = (await connection.execute(NOTICES)).all()
        matched = (await connection.execute(MATCHED)).all()
        now = {"now": await connection.scalar(sa.text("select clock_timestamp()"))}
        unmatched = (await connection.execute(UNMATCHED, now)).all()
    trial = await client.ask("GET", "/v1/ledger/trial-balance", Trial, role="auditor")
    told = ["", "TỔNG KẾT / SUMMARY"]
    told += [f"  Sổ {u.book.code} (book_id {u.book.book_id}): {u.book.name}" for u in UNITS]
    told += _table(
        "Thông báo phí / Fee notices",
        ("Sổ", "Tình trạng / status", "Số lượng", "Phải thu (đ)", "Đã thu (đ)"),
        [
            (
                _code(row.book_id),
                STATUSES.get(row.status, row.status),
                str(row.notices),
                dotted(int(row.owed_vnd)),
                dotted(int(row.paid_vnd)),
            )
            for row in notices
        ],
    )
    told += _table(
        "Đã khớp / Matched",
        ("Sổ", "Cách khớp / rule", "Giao dịch", "Số tiền (đ)"),
        [
            (
                _code(row.book_id),
                RULES.get(row.rule, row.rule),
                str(row.movements),
                dotted(int(row.matched_vnd)),
            )
            for row in matched
        ],
    )
    told += _table(
        "Chưa khớp / Unmatched",
        ("Sổ", "Lý do / reason", "< 1 ngày", "1-3 ngày", "> 3 ngày", "Số tiền (đ)"),
        [
            (
                _code(row.book_id),
                row.reason,
                str(row.today),
                str(row.days),
                str(row.older),
                dotted(int(row.amount_vnd or 0)),
            )
            for row in unmatched
        ],
    )
    told += _table(
        "Bảng cân đối / Trial balance",
        ("Sổ", "Tổng nợ / debit (đ)", "Tổng có / credit (đ)", "Cân / ties"),
        [
            (
                _code(book.book_id),
                dotted(book.debit_vnd),
                dotted(book.credit_vnd),
                "có / yes" if book.debit_vnd == book.credit_vnd else "KHÔNG / NO",
            )
            for book in trial.books
        ],
    )
    return told + _doors(demo)


def _doors(demo: DemoFile) -> list[str]:
    told = ["", "  Địa chỉ / Addresses"]
    told += [f"    {name:38}  {demo.base_url}{path}" for name, path in PAGES]
    told += _table(
        "Đăng nhập / Logins",
        ("Tên / user", "Mật khẩu / password", "Vai trò / role"),
        [(one.username, one.password, one.role) for one in demo.staff],
    )
    return told


def _code(book_id: int) -> str:
    return unit_of(book_id).book.code


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in plain text; columns of figures stand right."""
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    right = [
        bool(rows) and at > 0 and all(row[at].replace(".", "").isdigit() for row in rows)
        for at in range(len(heads))
    ]

    def line(cells: Sequence[str]) -> str:
        shown = (
            cell.rjust(width) if figures else cell.ljust(width)
            for cell, width, figures in zip(cells, widths, right, strict=True)
        )
        return "    " + "  ".join(shown).rstrip()

    rule = "    " + "  ".join("-" * width for width in widths)
    body = [line(row) for row in rows] or ["    (không có / none)"]
    return ["", f"  {title}", line(heads), rule, *body]
