"""`doisoat simulate`: signed provider traffic, or one signed call, against a running demo."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli._place import ForPeople

if TYPE_CHECKING:
    from providers import Call
    from service.dev.demo_file import DemoFile

SHARE = click.FloatRange(0, 1)


@click.group("simulate", invoke_without_command=True)
@click.option(
    "--demo",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("var/demo.json"),
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
    """Signed traffic as real providers send it; refuses any service that is not a demo."""
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


@command.command("vnpay")
@click.option("--reference", required=True, help="The payment reference.")
@click.option("--amount", "amount_vnd", type=click.IntRange(1), required=True, help="Whole đồng.")
@click.option("--transaction", default="", help="VNPAY's number; the same again is a repeat.")
@click.option("--response-code", default="00", show_default=True)
@click.option("--transaction-status", default="00", show_default=True)
@click.option("--forged", is_flag=True, help="Sign with a secret that is not the merchant's.")
@click.option("--times", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option("--curl", is_flag=True, help="Print the call as a curl command; send nothing.")
@click.pass_obj
def vnpay(path: Path, /, *, times: int, curl: bool, **wanted: object) -> None:
    """One signed VNPAY IPN: send it and print the answer, or print it."""
    import msgspec

    from service.dev import single

    demo = asyncio.run(_demo(path))
    call = single.gateway_call(demo, msgspec.convert(wanted, single.AtGateway))
    _send_or_print(demo, [call] * times, curl=curl)


@command.command("sepay")
@click.option("--amount", "amount_vnd", type=click.IntRange(1), required=True, help="Whole đồng.")
@click.option("--memo", required=True, help="What the bank's memo says.")
@click.option("--account", default="", help="Our account; the first one of the demo.")
@click.option("--out", is_flag=True, help="Money that goes out.")
@click.option("--id", "id", type=click.IntRange(1), help="SePay's number.")
@click.option("--bank-reference", default="", help="The bank's reference.")
@click.option("--forged", is_flag=True, help="Sign with a secret that is not the merchant's.")
@click.option("--times", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option("--curl", is_flag=True, help="Print the call as a curl command; send nothing.")
@click.pass_obj
def sepay(path: Path, /, *, times: int, curl: bool, **wanted: object) -> None:
    """One signed SePay webhook: send it and print the answer, or print it."""
    import msgspec

    from service.dev import single

    demo = asyncio.run(_demo(path))
    told = msgspec.convert(wanted, single.ByTransfer)
    call = single.transfer_call(demo, told, single.bank_of(path))
    _send_or_print(demo, [call] * times, curl=curl)


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
