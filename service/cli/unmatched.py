"""`doisoat unmatched`: the unmatched list as a table, CSV or JSON."""

import asyncio
import csv
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, cast

import click

from service.cli._place import ForPeople, place
from service.settings import Settings

if TYPE_CHECKING:
    from service.reports.unmatched_messages import ReasonTotal, Side, UnmatchedTransaction

BOOKS_MAX = 10_000
PAGE_ROWS = 200
WIDE_COLUMNS = 100
"""Below this width the best candidate is left out: the other columns would be cut."""
Form = Literal["table", "csv", "json"]


@click.command("unmatched")
@click.option("--side", type=click.Choice(["callback", "settlement", "bank", "ledger"]))
@click.option("--reason", help="A code, such as UNIDENTIFIED_CREDIT.")
@click.option("--min-age-days", type=click.IntRange(0, 36_500), default=0)
@click.option("--book", "book_id", type=int, help="One book's number; all where not given.")
@click.option("--limit", type=click.IntRange(1), help="At most so many rows; all otherwise.")
@click.option("--csv", "form", flag_value="csv", help="As CSV, for a spreadsheet.")
@click.option("--json", "form", flag_value="json", help="One JSON object per line.")
@click.option("--table", "form", flag_value="table", default=True, help="As a table (default).")
def command(
    *,
    side: str | None,
    reason: str | None,
    min_age_days: int,
    book_id: int | None,
    limit: int | None,
    form: str,
) -> None:
    """Show what nothing explains yet, with totals by reason and age."""
    with place() as settings:
        rows, sums = asyncio.run(
            work(
                settings,
                side=cast("Side | None", side),
                reason=reason,
                min_age_days=min_age_days,
                book_id=book_id,
                limit=limit,
            )
        )
    if form == "json":
        import msgspec

        for row in rows:
            click.echo(msgspec.json.encode(row))
    elif form == "csv":
        write_csv(rows)
    else:
        show(rows, sums)


async def work(
    settings: Settings,
    *,
    side: "Side | None",
    reason: str | None,
    min_age_days: int,
    book_id: int | None,
    limit: int | None,
) -> "tuple[list[UnmatchedTransaction], list[ReasonTotal]]":
    """All rows asked for, and their totals, over one snapshot."""
    import msgspec
    import sqlalchemy as sa

    from service.database import create_engine, snapshot
    from service.reports import unmatched_queries

    engine = create_engine(settings.database_url, pool_size=2)
    try:
        async with snapshot(engine) as connection:
            every = sa.text("select book_id from ledger.book order by 1 limit :limit")
            found = await connection.scalars(every, {"limit": BOOKS_MAX})
            books = [int(str(one)) for one in found]
            if book_id is not None and book_id not in books:
                raise ForPeople(f"there is no book {book_id}")
            question = unmatched_queries.Question(
                books=books if book_id is None else [book_id],
                now=datetime.now(UTC),
                limit=PAGE_ROWS,
                side=side,
                reason=reason,
                min_age_days=min_age_days,
            )
            sums = await unmatched_queries.totals(connection, question)
            rows: list[UnmatchedTransaction] = []
            while limit is None or len(rows) < limit:
                page = await unmatched_queries.page(connection, question)
                rows += page.items
                if page.next_cursor is None:
                    break
                question = msgspec.structs.replace(question, cursor=page.next_cursor)
    finally:
        await engine.dispose()
    return rows[:limit], sums


def write_csv(rows: "list[UnmatchedTransaction]") -> None:
    """The rows for a spreadsheet; a text that it would take for a formula is quoted."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ["book_id", "id", "side", "reason", "provider", "external_id", "amount_vnd",
         "happened_at", "age_days", "status", "best_candidate", "score"]
    )  # fmt: skip
    for row in rows:
        best = row.candidates[0] if row.candidates else None
        cells = [
            row.book_id,
            row.id,
            row.side,
            row.reason,
            row.provider,
            row.external_id,
            "" if row.amount_vnd is None else row.amount_vnd,
            row.happened_at.isoformat(),
            row.age_days,
            row.status,
            best.id if best else "",
            best.score if best else "",
        ]
        writer.writerow([_safe(cell) for cell in cells])


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@"} else cell


def show(rows: "list[UnmatchedTransaction]", sums: "list[ReasonTotal]") -> None:
    """The rows and the totals as tables."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from ledger.accounts import business_day
    from service.reports.reason_words import in_vietnamese

    console = Console()
    title = "Giao dịch chưa khớp / unmatched transactions"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("Sổ", no_wrap=True)
    table.add_column("Ngày", no_wrap=True, min_width=8)
    table.add_column("Lý do", no_wrap=True, min_width=20)
    table.add_column("Mã ngoài", overflow="ellipsis", no_wrap=True, max_width=18)
    table.add_column("Số tiền (đ)", justify="right", no_wrap=True, min_width=11)
    table.add_column("Tuổi", justify="right", no_wrap=True, min_width=4)
    wide = console.width >= WIDE_COLUMNS
    if wide:
        table.add_column("Gợi ý tốt nhất", overflow="ellipsis", no_wrap=True)
    for row in rows:
        best = row.candidates[0] if row.candidates else None
        cells = [
            str(row.book_id),
            f"{business_day(row.happened_at):%d/%m/%y}",
            row.reason,
            row.external_id,
            "" if row.amount_vnd is None else grouped(row.amount_vnd),
            str(row.age_days),
            f"{_dossier(row)} ({best.score})" if best else "",
        ]
        table.add_row(*(cells if wide else cells[:-1]))
    console.print(table)
    title = "Tổng theo lý do và tuổi (ngày) / totals by reason and age in days"
    total = Table(title=title, box=SIMPLE_HEAD)
    for name in ("Mã", "Lý do", "Tuổi"):
        total.add_column(name)
    for name in ("Số vụ", "Số tiền (đ)"):
        total.add_column(name, justify="right", no_wrap=True)
    for one in sums:
        amount = grouped(one.amount_vnd)
        total.add_row(one.reason, in_vietnamese(one.reason), one.age, str(one.count), amount)
    total.add_section()
    total.add_row(
        "Cộng", "", "", str(sum(s.count for s in sums)), grouped(sum(s.amount_vnd for s in sums))
    )
    console.print(total)


def _dossier(row: "UnmatchedTransaction") -> str:
    """The dossier of the best candidate, or its id."""
    best = row.candidates[0]
    named = [field.expected for field in best.fields if field.name == "dossier_code"]
    return str(named[0]) if named and named[0] else str(best.id)


def grouped(amount_vnd: int) -> str:
    """An amount as people write it; the heading says that it is đồng."""
    return f"{amount_vnd:,}".replace(",", ".")
