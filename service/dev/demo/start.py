"""`doisoat demo` from its first line to Ctrl-C: database, service, days, summary, live traffic."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from service import settings as settings_
from service.database import create_engine
from service.dev import demo_file, starts
from service.dev.bank import Bank
from service.dev.channels import GATEWAYS, SIMULATED
from service.dev.client import Client
from service.dev.demo import closing, days, installation, serving, summary
from service.dev.demo.days import Days
from service.dev.demo.installation import Made
from service.dev.demo.serving import ServiceProcess
from service.dev.demo_file import DemoProblem
from service.dev.mishaps import Rates
from service.dev.postgres import OWNER, Server
from service.dev.provider.serving import Plan, Running
from service.dev.provider.street import street
from service.dev.simulator import Simulator
from service.dev.town import Town, terms
from service.migrations import run as migrations

LIVE_RATE_PER_S: Final = 0.25
HOST: Final = "127.0.0.1"
SEED: Final = 367
"""A first start is alike everywhere; later ones take their own number into it."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was given. `dossiers` is for each unit and day; None: as the demo thinks."""

    data_dir: Path
    port: int
    once: bool
    log: Path
    say: Callable[[str], None]
    dossiers: int | None = None
    street_port: int = 0


class Steps:
    """One line for each step, with the time since the start and of the step itself."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Begin to count."""
        self._say = say
        self._begun = time.monotonic()

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[list[str]]:
        """Say `text` once its block has ended, with what the block puts into the list."""
        begun = time.monotonic()
        details: list[str] = []
        yield details
        now = time.monotonic()
        told = ": " + ", ".join(details) if details else ""
        self._say(f"[{now - self._begun:6.1f} s] {text} ({now - begun:.1f} s){told}")


def demo(options: Options) -> bool:
    """Run the demo; whether `prove` held. Raises DemoProblem and ServerProblem, for people."""
    if os.environ.get("DATABASE_URL"):
        raise DemoProblem(
            "DATABASE_URL is set. The demo uses a private PostgreSQL of its own and refuses a"
            " database it did not create: unset DATABASE_URL, or use `doisoat serve`."
        )
    options.data_dir.mkdir(parents=True, exist_ok=True)
    port = serving.free_port(HOST, options.port)
    wanted = options.street_port or (port + 1 if options.port else 0)
    options = msgspec.structs.replace(
        options, port=port, street_port=serving.free_port(HOST, wanted)
    )
    steps = Steps(options.say)
    server = Server(options.data_dir / "postgres", say=options.say)
    try:
        with steps.step("PostgreSQL riêng / private PostgreSQL"):
            server.start()
        return asyncio.run(_demo(options, server, steps))
    finally:
        server.stop()


async def _demo(options: Options, server: Server, steps: Steps) -> bool:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    if task is not None:
        for one in SIGNALS:
            loop.add_signal_handler(one, task.cancel)
    held = True
    try:
        async with _service(options, server, steps) as made, _street(options, steps, made) as there:
            held = await _days(options, server, steps, made, there)
            if not options.once:
                await _serve_on(options, made, there)
    except asyncio.CancelledError:
        options.say("Đã dừng / stopped: traffic, service, database.")
    return held


@contextlib.asynccontextmanager
async def _service(options: Options, server: Server, steps: Steps) -> AsyncIterator[Made]:
    """The installation with its service process running."""
    with steps.step("Lược đồ / migrations") as details:
        await _refuse_foreign(server, options.data_dir)
        await migrations.upgrade(server.dsn(OWNER))
        details.append(f"bản / revision {migrations.head()}")
    environ = serving.environment(options.data_dir, "json")
    process = ServiceProcess(options.data_dir, options.log, options.port, environ)
    base_url = f"http://{HOST}:{options.port}"
    try:
        with steps.step("Dịch vụ / service") as details:
            process.start()
            await process.wait_until_ready(base_url)
            details.append(base_url)
        with steps.step("Đơn vị, danh mục, tài khoản / units, catalogues, accounts") as details:
            settings = settings_.load(environ)
            key = settings_.master_key(settings)
            made = await installation.ensure(
                server.dsn(), key, options.data_dir, base_url, street_url(options)
            )
            details.append(f"{made.agencies} cơ quan / agencies")
            details.append(f"{made.procedures} thủ tục / procedures")
        yield made
    finally:
        await asyncio.to_thread(process.stop)


def street_url(options: Options) -> str:
    """Where the simulated providers are, without a slash at the end."""
    return f"http://{HOST}:{options.street_port}"


@contextlib.asynccontextmanager
async def _street(
    options: Options, steps: Steps, made: Made
) -> AsyncIterator[Mapping[str, Running]]:
    """The demo's gateways, each as its provider: checkout pages, questions, refunds."""
    plans = [
        Plan(
            provider=name,
            terms=terms(made.demo.merchants[name]),
            callback_base=made.demo.base_url,
            host=HOST,
            port=options.street_port,
        )
        for name in SIMULATED
        if name in made.demo.merchants
    ]
    with steps.step("Đơn vị thanh toán mô phỏng / simulated providers") as details:
        opened = street(plans)
        there = await opened.__aenter__()
        details.append(f"{street_url(options)}/<{'|'.join(there)}>")
    try:
        yield there
    finally:
        await opened.__aexit__(None, None, None)


async def _refuse_foreign(server: Server, data_dir: Path) -> None:
    """Refuse a database that was migrated and not marked as the demo's."""
    if await migrations.revision_of(server.dsn(OWNER)) is None:
        return
    engine = create_engine(server.dsn(), pool_size=2)
    try:
        async with engine.connect() as connection:
            maker = await installation.made_by(connection)
    finally:
        await engine.dispose()
    if maker not in {None, installation.DEMO}:
        raise DemoProblem(
            f"The database in {data_dir} was not created by the demo; it stays as it is."
            " Choose another folder with --data."
        )


async def _days(
    options: Options, server: Server, steps: Steps, made: Made, there: Mapping[str, Running]
) -> bool:
    """The days of this start, from the dossiers to the proof and the summary."""
    number = starts.take(options.data_dir)
    dice = random.Random(SEED + number)
    now = datetime.now(UTC)
    bank = Bank(options.data_dir / demo_file.BANK_NAME)
    usual = days.DOSSIERS_A_DAY if made.new else days.LATER_RUN_DOSSIERS
    run = Days(days=days.business_days(now, first_run=made.new))
    async with Client(made.demo) as client:
        town = Town(client, made.demo, bank, dice, there)
        told = f"{run.days[0]:%d/%m/%Y} - {run.days[-1]:%d/%m/%Y}"
        with steps.step(f"Hồ sơ {told} / dossiers recorded") as details:
            owed = await days.record(town, run.days, number, options.dossiers or usual)
            details.append(f"{len(owed)} thông báo phí / fee notices")
        with steps.step("Yêu cầu thanh toán / payment requests") as details:
            payments = await days.choose(town, owed, now)
            details.append(f"{town.tally['requests']} yêu cầu / requests")
        with steps.step("Tại quầy / at the counter") as details:
            taken = await days.take_at_counter(town, payments)
            details.append(f"{taken} biên nhận / receipts")
        with steps.step("Cổng thanh toán gọi / gateways call") as details:
            await days.pay_at_gateway(town, payments, run.days, now)
            details += [f"{name} {town.tally[f'{name} calls']}" for name in GATEWAYS]
            lost = sum(town.tally[f"{name} lost"] for name in GATEWAYS)
            details.append(f"{lost} mất / lost")
        if made.new:  # a simulated provider forgets with its process, and counts its batches anew
            with steps.step("Chuyển khoản quyết toán / payouts") as details:
                details.append(str(days.pay_out(town, there, run.days, now)))
        with steps.step("SePay gọi / SePay calls") as details:
            days.transfers_of(town, payments, run, now)
            await days.tell(town, run.transfers, late=False)
            details.extend(_answers(town, "sepay"))
        await _close(steps, town, run, made, there)
        with steps.step("Chứng minh / prove") as details:
            environ = serving.environment(options.data_dir, "json")
            held, words = await asyncio.to_thread(serving.prove, options.data_dir, environ)
            details.append("mọi bất biến đều đúng / all hold" if held else f"SAI / FAILED\n{words}")
        engine = create_engine(server.dsn(), pool_size=2)
        try:
            for line in await summary.lines(engine, client, made.demo):
                options.say(line)
        finally:
            await engine.dispose()
    options.say(f"\n  Ghi tại / written to {options.data_dir / demo_file.NAME}")
    options.say(f"  Nhật ký dịch vụ / service log {options.log}")
    return held


async def _close(
    steps: Steps, town: Town, run: Days, made: Made, there: Mapping[str, Running]
) -> None:
    """What finance staff do with the days: statements, settlement files, reconciliation."""
    with steps.step("Sao kê ngân hàng / bank statements") as details:
        files, new, known = await closing.import_statements(town, run.days, first_run=made.new)
        details.append(f"{files} tệp / files")
        details.append(f"{new} dòng mới / new lines")
        details.append(f"{known} dòng đã có / known")
    if made.new:
        with steps.step("Tệp đối soát / settlement files") as details:
            files, lines = await closing.import_settlements(town, there, run.days)
            details.append(f"{files} tệp / files")
            details.append(f"{lines} dòng / lines")
    with steps.step("Gọi muộn / late calls") as details:
        details.append(str(await days.tell(town, run.transfers, late=True)))
    with steps.step("Đối soát / reconciliation") as details:
        details.append(f"{await closing.reconcile(town, run.days)} lượt / runs")


def _answers(town: Town, provider: str) -> list[str]:
    """How a provider's calls were answered, for a step's line."""
    lost = f"{provider} lost"
    told = sorted(
        (name.removeprefix(f"{provider} "), count)
        for name, count in town.tally.items()
        if name.startswith(f"{provider} ") and name not in {f"{provider} calls", lost}
    )
    answers = ", ".join(f"{count} x {word}" for word, count in told)
    return [
        f"{town.tally[f'{provider} calls']} cuộc gọi / calls ({answers})",
        f"{town.tally[lost]} mất / lost",
    ]


async def _serve_on(options: Options, made: Made, there: Mapping[str, Running]) -> None:
    """Keep signed traffic flowing, slowly, until the task is cancelled."""
    options.say("\n  Đang chạy, có giao dịch mới; Ctrl-C để dừng / serving with live traffic.")
    dice = random.Random()
    async with Client(made.demo) as client:
        bank = Bank(options.data_dir / demo_file.BANK_NAME)
        town = Town(client, made.demo, bank, dice, there)
        number = starts.take(options.data_dir)
        await Simulator(town, number, Rates()).run(LIVE_RATE_PER_S)
