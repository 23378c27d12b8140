"""`doisoat remit`: what of the fees has to go to the budget, and by when."""

import asyncio
from datetime import UTC, datetime

import click

from service.cli._place import place, pool
from service.settings import Settings


@click.command("remit")
@click.option("--book", type=int, help="One book by its number; without it, all.")
def command(book: int | None) -> None:
    """Show what is due to the budget: by book and calendar, with what is late already.

    Nothing is changed: a remittance is proposed and approved by two people (POST /v1/remittances).
    """
    with place() as settings:
        for line in asyncio.run(show(settings, book)):
            click.echo(line)


async def show(settings: Settings, book: int | None) -> list[str]:
    """A line for each book and calendar that owes something."""
    from ledger.accounts import business_day
    from service.remittance import calendar, lateness, splitting

    today = business_day(datetime.now(UTC))
    rules = calendar.rules(settings.remittance_rules)
    lines = []
    async with pool(settings) as engine, engine.connect() as connection:
        books = [int(str(one)) for one in await connection.scalars(lateness.BOOKS)]
        for book_id in books if book is None else [book]:
            for rule in calendar.RULES:
                until = calendar.last_complete(rule, today)
                wanted = splitting.Wanted(book_id=book_id, rule=rule, until=until, rules=rules)
                found = await splitting.unsplit(connection, wanted)
                if found.item_count:
                    lines.append(
                        f"sổ/book {book_id} {rule}: {found.item_count:,} khoản/items đến/until"
                        f" {until}, {found.budget_vnd:,} đồng nộp/to remit,"
                        f" hạn/due {calendar.due_on(rule, until)}"
                    )
            lines += [
                f"sổ/book {book_id} {one.rule}: CHẬM/LATE {one.days_late} ngày/days,"
                f" {one.budget_vnd:,} đồng, hạn/due {one.due_on}"
                for one in await lateness.late(connection, book_id, rules, today)
            ]
    return lines or ["Không có khoản nào phải nộp / nothing to remit"]
