"""`doisoat demo`: a believable installation on a private database, with traffic, until Ctrl-C."""

import sys
from pathlib import Path

import click


@click.command("demo")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port of the service; 0 takes a free one.",
)
@click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DOISOAT_DATA_DIR",
    default=Path("var"),
    show_default=True,
    help="Folder of the database, demo.json and the log.",
)
@click.option("--once", is_flag=True, help="Stop after the summary.")
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the service's log lines; <data>/demo.log.",
)
@click.option(
    "--dossiers", type=click.IntRange(1, 3000), help="Dossiers for each unit and day, if not usual."
)
def command(
    *, port: int, data_dir: Path, once: bool, log: Path | None, dossiers: int | None
) -> None:
    """Two units in Huế, some days of fees, signed provider calls, statements, a reconciliation.

    Running it again continues from its data with a new day of traffic.
    """
    from service.dev.demo.start import Options, demo

    folder = data_dir.absolute()
    options = Options(
        data_dir=folder,
        port=port,
        once=once,
        log=(log or folder / "demo.log").absolute(),
        say=_say,
        dossiers=dossiers,
    )
    if not demo(options):
        sys.exit(1)


def _say(line: str) -> None:
    """Tell at once, also where the output is a pipe."""
    click.echo(line)
    sys.stdout.flush()
