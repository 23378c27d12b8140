"""`doisoat work`: the loop beside the calls, as a process of its own."""

import asyncio
import signal

import click

from service.cli._place import place, pool, say
from service.settings import Settings


@click.command("work")
def command() -> None:
    """Place events, turn days, sum books, send refunds, forget old answers; until SIGTERM."""
    with place() as settings:
        asyncio.run(run(settings))


async def run(settings: Settings) -> None:
    """Work until a signal; what is under way is finished."""
    from service.database import refuse_owner
    from service.outbound import Outbound
    from service.sealing import Sealer
    from service.settings import master_key
    from service.worker import Worker

    async with pool(settings) as engine, Outbound() as outbound:
        async with engine.connect() as connection:
            await refuse_owner(connection)
        worker = Worker(
            engine,
            Sealer(master_key(settings)),
            outbound=outbound,
            remittance_rules=settings.remittance_rules,
        )
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        worker.start()
        say("working")
        await stop.wait()
        await worker.close()
