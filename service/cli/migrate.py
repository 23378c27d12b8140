"""`doisoat migrate`: bring the database to this version's schema."""

import asyncio

import click

from service.cli._place import ForPeople, place


@click.command("migrate")
@click.option("--to", "revision", default="head", show_default=True, help="A revision.")
def command(revision: str) -> None:
    """Bring the database to this version's schema, as its owner."""
    from service.migrations import run

    with place() as settings:
        url = settings.migration_database_url
        if not url:
            raise ForPeople("set MIGRATION_DATABASE_URL to the login of the owner role")
        try:
            asyncio.run(run.upgrade(url, revision))
        except run.MissingRoles as refusal:
            raise ForPeople(str(refusal)) from None
        click.echo(f"at revision {asyncio.run(run.revision_of(url))}", err=True)
