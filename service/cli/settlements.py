"""`doisoat settlements`: look at a provider's file before it is read, import it, list what came."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli._place import ForPeople, in_transaction, place
from service.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from providers.settlements import SettlementLine, SettlementMapping
    from service.settlements.messages import Settlement

POOL_SIZE = 4
BOOKS_MAX = 10_000
SHOWN = 5
"""Lines that `map` shows as they were read."""
LISTED_MAX = 200

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("settlements")
def command() -> None:
    """Settlement files of providers: map, import, list, and the contracts of their fees."""


def chosen(provider: str, mapping: Path | None) -> str:
    """What `--mapping` says, or else the provider's name."""
    return provider if mapping is None else mapping.read_text(encoding="utf-8-sig")


@command.command("map")
@click.argument("file", type=FILE)
@click.option("--provider", default="generic", show_default=True, help="Whose mapping to use.")
@click.option("--mapping", type=FILE, help="A column mapping in JSON, instead of a shipped one.")
@click.option("--show-mapping", is_flag=True, help="Print the mapping as JSON, to be edited.")
def map_file(file: Path, provider: str, mapping: Path | None, *, show_mapping: bool) -> None:
    """Show how FILE would be read: columns, first lines, sums, what is missing. Changes nothing."""
    import msgspec

    from providers.settlements import SettlementReader, UnreadableSettlement
    from service.errors import Refusal
    from service.settlements.keeping import mapping_named

    try:
        used = mapping_named(chosen(provider, mapping))
    except Refusal as refusal:
        raise ForPeople(f"{refusal.title_en}. {refusal.detail}".strip()) from None
    if show_mapping:
        click.echo(msgspec.json.format(msgspec.json.encode(used)).decode())
        return
    click.echo(f"cấu trúc / mapping: {used.name} v{used.version}  ({used.source})")
    with file.open("rb") as opened:
        reader = SettlementReader(opened, used)
        try:
            lines: list[SettlementLine] = []
            for line in reader:
                if len(lines) < SHOWN:
                    lines.append(line)
        except UnreadableSettlement as error:
            _tell_columns(reader, used)
            raise ForPeople(f"không đọc được / would be refused: {error}") from None
    _tell_columns(reader, used)
    for line in lines:
        click.echo(_told(line))
    _tell_totals(reader)


def _tell_columns(reader: object, used: "SettlementMapping") -> None:
    """Which heading became which column, and which columns the file has not."""
    heading = getattr(reader, "heading", None)
    if heading is None:
        names = "; ".join(f"{column}: {', '.join(told)}" for column, told in used.columns.items())
        click.echo(f"không thấy dòng tiêu đề / no headings found; looked for {names}")
        return
    click.echo(f"tiêu đề ở dòng / headings in row {heading.row}:")
    for column in used.columns:
        at = heading.index.get(column)
        found = "-- thiếu / missing --" if at is None else heading.texts[at].strip()
        click.echo(f"  {column:18} {found}")
    unused = [
        text.strip()
        for at, text in enumerate(heading.texts)
        if text.strip() and at not in heading.index.values()
    ]
    if unused:
        click.echo(f"  không dùng / not used: {', '.join(unused)}")


def _told(line: "SettlementLine") -> str:
    return (
        f"dòng / row {line.row}: {line.kind} {line.transaction or '-'} {line.order or '-'}"
        f" gross {line.gross_vnd:,} fee {line.fee_vnd:,} net {line.net_vnd:,}"
        f" batch {line.batch} {line.happened_at:%Y-%m-%d %H:%M:%S%z}"
    )


def _tell_totals(reader: object) -> None:
    from providers.settlements import SettlementReader

    if not isinstance(reader, SettlementReader):
        return
    totals = reader.totals()
    kinds = ", ".join(f"{kind} {count}" for kind, count in totals.by_kind.items())
    click.echo(f"dòng / lines: {totals.count} ({kinds})")
    click.echo(
        f"gross {totals.gross_vnd:,} đ, fee {totals.fee_vnd:,} đ, net {totals.net_vnd:,} đ,"
        f" quyết toán / payouts {totals.payout_vnd:,} đ"
    )
    for batch in totals.batches:
        payout = "chưa báo / not announced" if batch.payout_vnd is None else f"{batch.payout_vnd:,}"
        click.echo(
            f"  phiên / batch {batch.number}: {batch.count} lines, net {batch.net_vnd:,},"
            f" payout {payout}"
        )
    if totals.trailer_row is None:
        click.echo("không có dòng tổng: chưa chứng minh được đủ / no trailer: unproven")
    else:
        click.echo(f"dòng tổng khớp ở dòng / the trailer ties, row {totals.trailer_row}")


@command.command("import")
@click.argument("file", type=FILE)
@click.option("--merchant", required=True, help="Whose money: provider/merchant.")
@click.option("--mapping", type=FILE, help="A column mapping in JSON, instead of the provider's.")
def import_file(file: Path, merchant: str, mapping: Path | None) -> None:
    """Import the settlement FILE; the same file again changes nothing.

    An import that was interrupted goes on when the command is given again.
    """
    from service.errors import Refusal

    with place() as settings:
        try:
            found = asyncio.run(work(settings, file, merchant, chosen("", mapping)))
        except Refusal as refusal:
            raise ForPeople(f"{refusal.title_en}. {refusal.detail}".strip()) from None
    tell(found)
    if found.status == "refused":
        raise ForPeople(f"refused, nothing was booked: {found.problem}")


async def work(settings: Settings, file: Path, merchant: str, mapping: str) -> "Settlement":
    """Keep and import; the settlement as it is afterwards."""
    from rich.console import Console
    from rich.progress import Progress

    from service.database import create_engine
    from service.sealing import Sealer
    from service.settings import master_key
    from service.settlements import queries
    from service.settlements.importing import import_when_free
    from service.settlements.keeping import keep, payee

    engine = create_engine(settings.database_url, pool_size=POOL_SIZE)
    sealer = Sealer(master_key(settings))
    try:
        async with engine.connect() as connection:
            whose = await payee(connection, await _books(connection), merchant)
        with file.open("rb") as opened:

            async def read(size: int) -> bytes:
                return await asyncio.to_thread(opened.read, size)

            kept = await keep(
                engine, sealer, whose, mapping, read, size_max=settings.file_size_max_bytes
            )
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("Nhập đối soát / importing", total=None)
            await import_when_free(
                engine,
                sealer,
                kept,
                lambda taken, total: progress.update(bar, completed=taken, total=total),
            )
        async with engine.connect() as connection:
            found = await queries.settlement(connection, [kept.book_id], kept.id)
    finally:
        await engine.dispose()
    if found is None:
        raise ForPeople("the settlement is gone")
    return found


async def _books(connection: "AsyncConnection") -> list[int]:
    import sqlalchemy as sa

    every = sa.text("select book_id from ledger.book order by 1 limit :limit")
    return [int(str(one)) for one in await connection.scalars(every, {"limit": BOOKS_MAX})]


def tell(found: "Settlement") -> None:
    """What the import came to."""
    fees = {True: "phí khớp hợp đồng (fees proven)", False: "phí chưa đối chiếu (fees unproven)"}
    click.echo(
        f"{found.id}  {found.provider}/{found.merchant}  {found.status}"
        f"  {fees.get(bool(found.fees_proven), '') if found.status == 'done' else ''}".rstrip()
    )
    click.echo(
        f"  dòng / lines: {found.lines_read}, mới / new: {found.lines_new},"
        f" đã có / known: {found.lines_known}, net {found.net_vnd:,} đ"
    )


@command.command("list")
@click.option("--provider", help="Only of this provider.")
def list_settlements(provider: str | None) -> None:
    """List settlement files, the newest of each book last."""
    from service.settlements import queries
    from service.settlements.messages import SettlementPage

    async def read(connection: "AsyncConnection") -> SettlementPage:
        question = queries.PageQuestion(
            books=await _books(connection), limit=LISTED_MAX, provider=provider
        )
        return await queries.page(connection, question)

    with place() as settings:
        for one in in_transaction(settings, read).items:
            tell(one)
            if one.problem:
                click.echo(f"  {one.problem}")


@command.group("contract")
def contract() -> None:
    """Fees agreed with a provider, by date; a contract is never changed, a new one follows it."""


@contract.command("add")
@click.option("--merchant", required=True, help="provider/merchant.")
@click.option("--from", "valid_from", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--until", "valid_to", type=click.DateTime(["%Y-%m-%d"]), help="Its last day.")
@click.option("--percent", required=True, help="Of the amount, such as 1.1; at most 4 decimals.")
@click.option("--fixed", type=click.IntRange(0), default=0, help="Đồng for each payment.")
@click.option("--minimum", type=click.IntRange(0), default=0, help="Đồng at least.")
@click.option("--maximum", type=click.IntRange(0), help="Đồng at most.")
@click.option("--rounding", type=click.Choice(["half_up", "down", "up"]), default="half_up")
@click.option("--tolerance", type=click.IntRange(0, 1000), default=0, help="Đồng it may be off.")
def add_contract(*, merchant: str, percent: str, **terms: object) -> None:
    """Add a contract that holds from a day on."""
    import msgspec

    from service.errors import Refusal
    from service.settlements import contracts
    from service.settlements.keeping import payee

    days = {
        name: told.date() if isinstance(told := terms.get(name), datetime) else None
        for name in ("valid_from", "valid_to")
    }
    amounts = {f"{name}_vnd": terms[name] for name in ("fixed", "minimum", "maximum", "tolerance")}
    made = msgspec.convert(
        days | amounts | {"rate_ppm": _ppm(percent), "rounding": terms["rounding"]},
        contracts.Contract,
    )

    async def write(connection: "AsyncConnection") -> None:
        whose = await payee(connection, await _books(connection), merchant)
        await contracts.add(connection, whose.book_id, whose.id, made, datetime.now(UTC))

    with place() as settings:
        try:
            in_transaction(settings, write)
        except Refusal as refusal:
            raise ForPeople(f"{refusal.title_en}. {refusal.detail}".strip()) from None
        except contracts.ContractExists:
            raise ForPeople(f"{merchant} has a contract from this day already") from None
    click.echo(f"{merchant}: 100.000 đ → {made.fee_vnd(100_000):,} đ")


def _ppm(percent: str) -> int:
    """Parts per million, exact: `1.1` is 11000."""
    whole, _, parts = percent.strip().partition(".")
    if not (whole + parts).isdecimal() or len(parts) > 4 or len(whole) > 3:  # noqa: PLR2004
        raise ForPeople("a percentage such as 1.1, with at most four decimals")
    return int(whole or "0") * 10_000 + int(parts.ljust(4, "0"))


@contract.command("list")
@click.option("--merchant", required=True, help="provider/merchant.")
def list_contracts(merchant: str) -> None:
    """List a merchant's contracts, in order of their beginning."""
    from service.errors import Refusal
    from service.settlements import contracts
    from service.settlements.keeping import payee

    async def read(connection: "AsyncConnection") -> list[contracts.Contract]:
        whose = await payee(connection, await _books(connection), merchant)
        return await contracts.listing(connection, whose.book_id, whose.id)

    with place() as settings:
        try:
            found = in_transaction(settings, read)
        except Refusal as refusal:
            raise ForPeople(f"{refusal.title_en}. {refusal.detail}".strip()) from None
    for one in found:
        until = one.valid_to or "…"
        top = "" if one.maximum_vnd is None else f" tối đa / max {one.maximum_vnd:,}"
        click.echo(
            f"{one.valid_from} – {until}: {one.rate_ppm / 10_000:.4f} % + {one.fixed_vnd:,}"
            f" tối thiểu / min {one.minimum_vnd:,}{top} {one.rounding} ±{one.tolerance_vnd}"
        )
