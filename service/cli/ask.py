"""`doisoat ask`: ask providers now about payment requests that stay silent."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from service.cli._place import ForPeople, place, pool
from service.settings import Settings

if TYPE_CHECKING:
    from service.asking.asker import Asker


@click.command("ask")
@click.option("--reference", help="One payment request, whenever it is due and however it stands.")
def command(reference: str | None) -> None:
    """Ask all that is due now, provider by provider; or about one payment request."""
    with place() as settings:
        answered = asyncio.run(work(settings, reference))
    if not answered:
        sys.exit(1)


async def work(settings: Settings, reference: str | None) -> bool:
    """Ask with an intake of our own; False where the one asked about stays without an answer."""
    from service.asking.asker import Asker
    from service.intake.intake import Intake
    from service.outbound import Outbound
    from service.sealing import Sealer
    from service.settings import master_key

    async with pool(settings, size=settings.pool_size) as engine, Outbound() as outbound:
        intake = Intake(engine, Sealer(master_key(settings)), settings.weak_limit_vnd)
        intake.start()
        try:
            asker = Asker(engine, intake, outbound)
            if reference is not None:
                return await one(asker, reference)
            await every(asker)
        finally:
            await intake.close()
    return True


async def one(asker: "Asker", text: str) -> bool:
    """Ask about one request, and say what came."""
    from service.references import payment_reference

    parsed = payment_reference.parse(text)
    found = await asker.ask_one(parsed.text) if parsed else None
    if found is None:
        raise ForPeople(f"{text}: no such request at a provider that can be asked, or in hand now")
    question, heard = found
    told = heard.problem or heard.answer
    click.echo(f"{question.reference}  {question.provider}  {heard.state}  {told}")
    return heard.problem is None


async def every(asker: "Asker") -> None:
    """Ask all that is due, every provider at its own pace."""
    from service.asking.asker import askable

    async def provider(name: str) -> None:
        click.echo(f"{name}: {await asker.ask_due(name)}")

    await asyncio.gather(*map(provider, askable()))
    click.echo(f"answered after all: {await asker.hear_late()}")
