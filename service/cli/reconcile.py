"""`doisoat reconcile`: match what is in suspense with what is owed."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from service.cli._place import ForPeople, place
from service.settings import Settings

if TYPE_CHECKING:
    from service.reconciliation.counting import Counts
    from service.reconciliation.messages import Run

POOL_SIZE = 5
BOOKS_MAX = 10_000


@click.command("reconcile")
@click.option(
    "--date",
    "until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The business day up to which money is looked at; today where not given.",
)
@click.option("--book", "book_id", type=int, help="One book's number; all where not given.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
def command(until: datetime | None, book_id: int | None, *, dry_run: bool) -> None:
    """Post what is unique from both sides; everything else is a case on the unmatched list."""
    with place() as settings:
        for run in asyncio.run(work(settings, until, book_id, dry_run=dry_run)):
            tell(run)


async def work(
    settings: Settings, until: datetime | None, book_id: int | None, *, dry_run: bool
) -> "list[Run]":
    """One run for each book asked for."""
    import sqlalchemy as sa
    from rich.console import Console

    from ledger.accounts import business_day
    from service.database import create_engine
    from service.reconciliation.runs import reconcile
    from service.sealing import Sealer
    from service.settings import master_key

    day = business_day(datetime.now(UTC)) if until is None else until.date()
    engine = create_engine(settings.database_url, pool_size=POOL_SIZE)
    sealer = Sealer(master_key(settings))
    try:
        async with engine.connect() as connection:
            every = sa.text("select book_id from ledger.book order by 1 limit :limit")
            rows = await connection.scalars(every, {"limit": BOOKS_MAX})
            books = [int(str(one)) for one in rows]
        if book_id is not None and book_id not in books:
            raise ForPeople(f"there is no book {book_id}")
        with Console(stderr=True).status("Đối soát / reconciling") as status:

            def progress(counts: "Counts") -> None:
                status.update(
                    f"Đối soát / reconciling: {counts.examined} xem / examined,"
                    f" {counts.posted} khớp / matched"
                )

            return [
                await reconcile(engine, one, day, dry_run=dry_run, progress=progress, sealer=sealer)
                for one in (books if book_id is None else [book_id])
            ]
    finally:
        await engine.dispose()


def tell(run: "Run") -> None:
    """What a run did, or would do."""
    from service.reports.reason_words import in_vietnamese

    counts = run.counts
    title = "chạy thử / dry run" if run.dry_run else "đối soát / run"
    click.echo(f"sổ / book {run.book_id}: {title} {run.id} {run.business_date} {run.status}")
    click.echo(
        f"  xem / examined {counts.examined}, khớp / matched {counts.posted}"
        f" ({counts.posted_vnd:,} đ), giữ cho người nộp / held {counts.held_vnd:,} đ,"
        f" không đổi / unchanged {counts.unchanged}"
    )
    if counts.payouts:
        click.echo(f"  quyết toán về / payouts {counts.payouts} ({counts.payouts_vnd:,} đ)")
    for rule, count in counts.by_rule.items():
        click.echo(f"  {rule}: {count}")
    for reason, count in counts.by_reason.items():
        click.echo(f"  {in_vietnamese(reason)} ({reason}): {count}")
    if counts.failed or counts.changed_meanwhile:
        click.echo(
            f"  đã thay đổi / changed meanwhile {counts.changed_meanwhile},"
            f" lỗi / failed {counts.failed}"
        )
