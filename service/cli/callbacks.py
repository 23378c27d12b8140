"""`doisoat callbacks`: calls that were kept and not believed; judge them again."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import click

from service.cli._place import ForPeople, place, pool, say
from service.settings import Settings

if TYPE_CHECKING:
    from service.intake.keeping import Pile
    from service.intake.replaying import Replayed, Wanted
    from service.intake.shelves import Lane

LANES: Final = ("order", "ring", "stuck")
POOL_SIZE: Final = 4
"""Two groups under way, the next page, and what came back."""


@click.group("callbacks")
def command() -> None:
    """Calls that were kept and not believed, or believed and not booked."""


@command.command("list")
@click.option("--provider", help="Such as vnpay; all where not given.")
@click.option("--merchant", help="The name in the callback address.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_calls(*, provider: str | None, merchant: str | None, as_json: bool) -> None:
    """Say how many calls wait in each lane of each merchant, and why."""
    import msgspec

    with place() as settings:
        piles = asyncio.run(_piles(settings, provider, merchant))
    for one in piles:
        if as_json:
            click.echo(msgspec.json.encode(one))
        else:
            click.echo(
                f"{one.provider:8}  {one.merchant:24}  {one.lane:6}  {one.why:16}"
                f"  {one.waiting:7} waiting  {one.came_back:7} came back"
                f"  {one.size_bytes:10} bytes  {one.first_at:%Y-%m-%d} to {one.last_at:%Y-%m-%d}"
            )
    if not piles:
        say("no call is kept")


async def _piles(settings: Settings, provider: str | None, merchant: str | None) -> "list[Pile]":
    from service.intake import keeping

    async with pool(settings) as engine, engine.connect() as connection:
        return await keeping.piles(connection, provider, merchant)


@command.command("replay")
@click.option("--provider", help="Such as vnpay; all where not given.")
@click.option("--merchant", help="The name in the callback address.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Arrived since (UTC)."
)
@click.option(
    "--lane", "lanes", multiple=True, type=click.Choice(LANES), help="Of this lane; all otherwise."
)
@click.option("--dry-run", is_flag=True, help="Judge only; book and mark nothing.")
def replay(
    *,
    provider: str | None,
    merchant: str | None,
    since: datetime | None,
    lanes: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Judge kept calls again, with today's secrets and the clock of their arrival.

    The same way as for a live call; a call that counts already is a repeat. Safe to run again.
    """
    from providers.catalog import CATALOG
    from service.intake.replaying import Wanted

    if provider is not None and provider not in CATALOG:
        raise ForPeople(f"providers are: {', '.join(sorted(CATALOG))}")
    wanted = Wanted(
        provider=provider,
        merchant=merchant,
        since=since.replace(tzinfo=UTC) if since else None,
        lanes=cast("tuple[Lane, ...]", lanes or LANES),
    )
    with place() as settings:
        done = asyncio.run(_replay(settings, wanted, dry_run=dry_run))
    if dry_run:
        click.echo(f"{done.judged} judged: {done.booked} would come back", nl=False)
    else:
        click.echo(
            f"{done.judged} judged: {done.came_back} came back"
            f" ({done.booked} new, {done.repeats} known already)",
            nl=False,
        )
    click.echo(f", {done.unbelieved} still not believed, {done.waiting} cannot be booked yet")
    if done.erased:
        say(f"{done.erased} can no longer be read: their month was erased")
    if done.waiting:
        raise SystemExit(1)


async def _replay(settings: Settings, wanted: "Wanted", *, dry_run: bool) -> "Replayed":
    from service.intake.replaying import Replay
    from service.sealing import Sealer
    from service.settings import master_key

    def told(done: "Replayed") -> None:
        say(f"{done.judged} judged, {done.came_back} came back")

    async with pool(settings, size=POOL_SIZE) as engine:
        sealer = Sealer(master_key(settings))
        limit_vnd = settings.weak_limit_vnd
        return await Replay(engine, sealer, weak_limit_vnd=limit_vnd).run(
            wanted, dry_run=dry_run, told=told
        )
