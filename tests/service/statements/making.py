"""Make statement files as a bank would export them, and read what became of them."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.import_queue import Kept
from service.sealing import Sealer
from service.statements.importing import import_kept
from service.statements.keeping import Account, keep

MASTER_KEY: Final = bytes(range(32))
FIRST_DAY: Final = date(2026, 11, 2)
HEADING: Final = "TNXDate;DocNo;Debit;Credit;Balance;TransactionDetails"
MAPPING: Final = msgspec.json.encode(
    {
        "name": "plain",
        "columns": {
            "booked_on": ["TNXDate"],
            "bank_reference": ["DocNo"],
            "debit": ["Debit"],
            "credit": ["Credit"],
            "balance": ["Balance"],
            "memo": ["TransactionDetails"],
        },
        "date_style": "dd/mm/yyyy",
        "thousands": ".",
        "delimiter": ";",
    }
).decode()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a bank's account; a negative amount goes out."""

    amount_vnd: int
    memo: str = "nop phi"
    day: int = 0
    reference: str = ""


def csv(rows: Sequence[Row], *, opening_vnd: int | None = None, balances: bool = True) -> bytes:
    """The file of these rows; with an opening it states balances, line by line and at the end."""
    lines = []
    balance_vnd = opening_vnd or 0
    if opening_vnd is not None:
        lines.append(f"Số dư đầu kỳ: {_money(opening_vnd)};;;;;")
    lines.append(HEADING)
    for row in rows:
        balance_vnd += row.amount_vnd
        day = FIRST_DAY + timedelta(days=row.day)
        debit, credit = (_money(-row.amount_vnd), "") if row.amount_vnd < 0 else ("", "")
        credit = credit or (_money(row.amount_vnd) if row.amount_vnd > 0 else "")
        balance = _money(balance_vnd) if opening_vnd is not None and balances else ""
        memo = row.memo.replace('"', '""')
        lines.append(f'{day:%d/%m/%Y};{row.reference};{debit};{credit};{balance};"{memo}"')
    if opening_vnd is not None:
        lines.append(f"Số dư cuối kỳ: {_money(balance_vnd)};;;;;")
    return "\n".join(lines).encode()


def _money(amount_vnd: int) -> str:
    return f"{amount_vnd:,}".replace(",", ".")


async def add_account(engine: AsyncEngine, book_id: int = 1, number: str = "0071000") -> Account:
    """An own account of a book."""
    async with engine.begin() as connection:
        account_id = await connection.scalar(
            sa.text(
                "insert into service.bank_account (book_id, bin, number, holder_name, opened_at)"
                " values (:book_id, '970436', :number, 'DON VI THU', :now) returning id"
            ),
            {"book_id": book_id, "number": number, "now": datetime.now(UTC)},
        )
    return Account(id=int(str(account_id)), book_id=book_id, bin="970436", number=number)


async def keep_bytes(
    engine: AsyncEngine, sealer: Sealer, account: Account, data: bytes, layout: str = MAPPING
) -> Kept:
    """Keep a file."""
    file = io.BytesIO(data)

    async def read(size: int) -> bytes:
        return file.read(size)

    return await keep(engine, sealer, account, layout, read)


async def import_bytes(
    engine: AsyncEngine,
    account: Account,
    data: bytes,
    *,
    sealer: Sealer | None = None,
    chunk_lines: int = 500,
) -> Kept:
    """Keep a file and import it."""
    sealer = sealer or Sealer(MASTER_KEY)
    kept = await keep_bytes(engine, sealer, account, data)
    await import_kept(engine, sealer, kept, chunk_lines=chunk_lines)
    return kept


async def row_of(engine: AsyncEngine, kept: Kept) -> sa.RowMapping:
    """The statement's row."""
    return await one(engine, "select * from service.statement where id = :id", id=kept.id)


async def one(engine: AsyncEngine, sql: str, **values: object) -> sa.RowMapping:
    """The one row of a question."""
    async with engine.connect() as connection:
        return (await connection.execute(sa.text(sql), values)).mappings().one()


async def every(engine: AsyncEngine, sql: str, **values: object) -> list[tuple[object, ...]]:
    """All rows of a question."""
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(sql), values)]


async def balance(engine: AsyncEngine, account: str, book_id: int = 1) -> int:
    """The balance of a ledger account, on its debit side."""
    row = await one(
        engine,
        "select coalesce(sum(case when debit = :a then amount_vnd else -amount_vnd end), 0) as vnd"
        " from ledger.line where book_id = :b and :a in (debit, credit)",
        a=account,
        b=book_id,
    )
    return int(row["vnd"])


async def tables(engine: AsyncEngine) -> dict[str, tuple[int, str]]:
    """For every table of ours: how many rows it has, and a checksum of them."""
    names = await every(
        engine,
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('ledger', 'service') order by 1",
    )
    found = {}
    for (name,) in names:
        row = await one(
            engine,
            f"select count(*) as rows, coalesce(md5(string_agg(t::text, '|' order by t::text)),"  # noqa: S608
            f" '') as sum from {name} as t",
        )
        found[str(name)] = (int(row["rows"]), str(row["sum"]))
    return found
