"""`doisoat simulate`: a provider that serves, signed traffic against a demo, or one signed call."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from typing_extensions import override

from service.cli._place import ForPeople, say

if TYPE_CHECKING:
    from providers import Call
    from service.dev.demo_file import DemoFile

SHARE = click.FloatRange(0, 1)
DEMO_FILE: Final = Path("var/demo.json")
FILE: Final = click.Path(dir_okay=False, path_type=Path)
KNOBS: Final[Mapping[str, str]] = {
    "loss": "Share of callbacks that are never sent.",
    "delay": "Share that are sent late.",
    "duplication": "Share that are sent again after they were answered.",
    "reordering": "Share that others overtake.",
    "forgery": "Share that a forged call goes with.",
}


class Providers(click.Group):
    """One command for each provider of the catalogue: `doisoat simulate PROVIDER`."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The providers."""
        from providers.catalog import CATALOG

        return sorted(CATALOG)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a provider."""
        if cmd_name not in self.list_commands(ctx):
            return None
        return _command_of(cmd_name)


@click.group("simulate", cls=Providers, invoke_without_command=True)
@click.option(
    "--demo",
    "path",
    type=FILE,
    default=DEMO_FILE,
    show_default=True,
    help="The file that the demo wrote.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 200),
    default=5.0,
    show_default=True,
    help="Payers a second.",
)
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=30.0, show_default=True, help="How long."
)
@click.option(
    "--duplicates",
    type=SHARE,
    default=0.1,
    show_default=True,
    help="Share of payments told more than once.",
)
@click.option(
    "--forged",
    type=SHARE,
    default=0.02,
    show_default=True,
    help="Share with a forged copy sent first.",
)
@click.option(
    "--lost", type=SHARE, default=0.03, show_default=True, help="Share that no call tells of."
)
@click.option(
    "--wrong-amounts",
    type=SHARE,
    default=0.02,
    show_default=True,
    help="Share paid with another amount.",
)
@click.option("--seed", type=int, help="The same dice again.")
@click.pass_context
def command(  # noqa: PLR0913 # one for each option
    context: click.Context,
    *,
    path: Path,
    rate: float,
    seconds: float,
    duplicates: float,
    forged: float,
    lost: float,
    wrong_amounts: float,
    seed: int | None,
) -> None:
    """Signed traffic against a running demo; with PROVIDER, a server that acts as that provider.

    Refuses any service that is not a demo, unless its address is given with --callback-base.
    """
    context.obj = path
    if context.invoked_subcommand is not None:
        return
    from service.dev.mishaps import Rates
    from service.dev.simulator import traffic

    rates = Rates(duplicates=duplicates, forged=forged, lost=lost, wrong_amounts=wrong_amounts)
    done = asyncio.run(traffic(path, rates, rate_per_s=rate, seconds=seconds, seed=seed))
    click.echo(f"{done.begun} người nộp / payers in {seconds:g} s")
    for name, count in sorted(done.tally.items()):
        click.echo(f"  {name:20} {count:>7}")
    if done.failed:
        raise ForPeople(f"{done.failed} failed; the last: {done.last_problem}")


def _command_of(provider: str) -> click.Command:
    """`simulate PROVIDER`: serves; with --amount, makes one call instead."""

    @click.pass_obj
    def run(path: Path, /, **given: Any) -> None:  # noqa: ANN401 # whatever the options are
        if given["amount_vnd"] is None:
            if given["reference"] or given["memo"]:
                raise click.UsageError("--reference and --memo make one call: --amount is missing")
            asyncio.run(_serve(path, provider, given))
        else:
            _call(path, provider, given)

    return click.Command(
        provider,
        callback=run,
        params=[*_serving_options(provider), *_calling_options()],
        help=(
            f"Act as {provider}: its API, a checkout page, callbacks with its retries, the"
            " settlement file of the day. With --amount: one signed call, sent or printed."
        ),
        short_help=f"Act as {provider}.",
    )


def _serving_options(provider: str) -> list[click.Parameter]:
    def option(name: str, text: str, **more: Any) -> click.Option:  # noqa: ANN401
        return click.Option([name], help=text, **more)

    return [
        option("--host", "Address to listen on.", default="127.0.0.1", show_default=True),
        option(
            "--port", "Port to listen on.", type=click.IntRange(1, 65535), default=9100,
            show_default=True,
        ),
        option("--public-url", "How others reach it; empty: http://host:port.", default=""),
        option("--callback-base", "The service to call, without a demo.", default=""),
        option(
            "--terms", "The merchant's terms; made at first use where the service is local.",
            type=FILE, default=Path(f"var/simulate-{provider}.json"), show_default=True,
        ),
        option("--mode", "How its calls are proven, where terms are made."),
        option("--merchant", "Which merchant of the demo; the first one.", default=""),
        option(
            "--speed", "Waits are divided by this.", type=click.FloatRange(0.01, 1_000_000),
            default=1.0, show_default=True,
        ),
        option("--seed", "The same dice again.", type=int),
        *(
            option(f"--{name}", text, type=SHARE, default=0.0, show_default=True)
            for name, text in KNOBS.items()
        ),
    ]  # fmt: skip


def _calling_options() -> list[click.Parameter]:
    def option(*names: str, text: str, **more: Any) -> click.Option:  # noqa: ANN401
        return click.Option(names, help=f"One call: {text}", **more)

    return [
        option("--amount", "amount_vnd", text="whole đồng.", type=click.IntRange(1)),
        option("--reference", text="the payment reference, or the provider's order.", default=""),
        option("--memo", text="what the payer wrote.", default=""),
        option("--status", text="what became of it; money that came in.", default=""),
        option("--out", text="money that goes out of our account.", is_flag=True),
        option("--transaction", "--id", "transaction",
               text="the provider's number; the same again is a repeat.", default=""),
        click.Option(["--account"], help="Our account; the first one of the demo.", default=""),
        option("--bank-reference", text="the bank's reference.", default=""),
        option("--forged", text="signed with a false key.", is_flag=True),
        option("--times", text="how often.", type=click.IntRange(1, 100), default=1),
        option("--curl", text="print it as a curl command; send nothing.", is_flag=True),
    ]  # fmt: skip


async def _serve(path: Path, provider: str, given: Mapping[str, Any]) -> None:
    """Serve until Ctrl-C."""
    from service.dev import town
    from service.dev.provider import agreed
    from service.dev.provider.knobs import Knobs
    from service.dev.provider.serving import Plan, serving

    base, account = given["callback_base"].rstrip("/"), given["account"]
    if base:
        found = agreed.of_file(given["terms"], provider, base, given["mode"])
        say(f"terms: {given['terms']}")
    else:
        demo = await _demo(path)
        base = demo.base_url
        merchant = agreed.of_demo(demo, provider, given["merchant"])
        found, account = town.terms(merchant), account or merchant.account
    plan = Plan(
        provider=provider,
        terms=found,
        callback_base=base,
        host=given["host"],
        port=given["port"],
        public_url=given["public_url"].rstrip("/"),
        speed=given["speed"],
        own_account=account,
        seed=given["seed"],
        knobs=Knobs(**{name: given[name] for name in KNOBS}),
    )
    async with serving(plan) as running:
        terms = running.actor.terms
        say(f"{provider} {found.merchant}: {plan.base_url} -> {base}  (Ctrl-C)")
        for name in ("pay_address", "api_address"):
            if getattr(terms, name):
                say(f"  {name}={getattr(terms, name)}")
        await _until_stopped()


async def _until_stopped() -> None:
    """Wait for Ctrl-C or SIGTERM; what is under way is dropped afterwards."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


def _call(path: Path, provider: str, given: Mapping[str, Any]) -> None:
    """Send or print one signed call."""
    from service.dev import single

    status = "debit" if given["out"] else given["status"]
    if status and status not in single.STATUSES:
        raise click.BadParameter(f"one of: {', '.join(single.STATUSES)}", param_hint="--status")
    names = ("amount_vnd", "reference", "memo", "transaction", "merchant", "account")
    wanted = single.Wanted(
        **{name: given[name] for name in names},
        status=status,
        bank_reference=given["bank_reference"],
        forged=given["forged"],
    )
    demo = asyncio.run(_demo(path))
    call = single.one_call(demo, provider, wanted, single.bank_of(path))
    _send_or_print(demo, [call] * given["times"], curl=given["curl"])


async def _demo(path: Path) -> "DemoFile":
    from service.dev.guard import running_demo

    return await running_demo(path)


def _send_or_print(demo: "DemoFile", calls: "list[Call]", *, curl: bool) -> None:
    """Print the calls as curl, or send them and print the answers."""
    from service.dev import single

    if curl:
        for call in calls:
            click.echo(single.as_curl(demo.base_url, call))
        return
    answers = asyncio.run(single.send(demo, calls))
    if not answers:
        raise ForPeople("nothing was sent")
    for answer in answers:
        click.echo(answer)
