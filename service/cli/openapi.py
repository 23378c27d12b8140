"""`doisoat openapi`: write the description of the API."""

from pathlib import Path

import click


@click.command("openapi")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file.")
def command(output: Path | None) -> None:
    """Write openapi.yaml, generated from the application; needs no database."""
    from service.app import create_app
    from service.openapi import as_yaml
    from service.settings import Settings

    described = as_yaml(create_app(Settings()))
    if output is None:
        click.echo(described, nl=False)
    else:
        output.write_bytes(described)
