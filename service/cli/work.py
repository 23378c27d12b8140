"""`doisoat work`: the loop beside the calls, as a process of its own."""

import asyncio
import signal

import click

from service.cli._place import place, pool, say
from service.settings import Settings


@click.command("work")
def command() -> None:
    """Place events, turn days, sum books, ask, refund, forget old answers; until SIGTERM."""
    with place() as settings:
        asyncio.run(run(settings))


async def run(settings: Settings) -> None:
    """Work until a signal; what is under way is finished."""
    from service.database import refuse_owner
    from service.intake.intake import Intake
    from service.outbound import Outbound
    from service.sealing import Sealer
    from service.settings import master_key
    from service.worker import Worker, errands

    async with pool(settings, size=settings.pool_size) as engine:
        async with engine.connect() as connection:
            await refuse_owner(connection)
        sealer = Sealer(master_key(settings))
        intake = Intake(engine, sealer, settings.weak_limit_vnd)
        async with Outbound() as outbound:
            intake.start()
            worker = Worker(
                engine,
                sealer,
                errands=errands(settings, engine, intake, outbound),
                weak_limit_vnd=settings.weak_limit_vnd,
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
            await intake.close()
