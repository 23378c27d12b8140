"""The `doisoat` command. Each command is a module here, imported only when it is asked for.

A module `open_book.py` exports `command` and is called `open-book`; a name that Python keeps for
itself ends in an underscore (`import_.py`); modules that begin with one are no commands.
"""

import importlib
import pkgutil
from typing import Any, Final, cast

import click
from typing_extensions import override

EPILOG: Final = "Settings are environment variables: DATABASE_URL, DOISOAT_…; see the reference."


class LazyGroup(click.Group):
    """Finds commands by file name, so that `--help` of one does not import the others."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(
            module.name.rstrip("_").replace("_", "-")
            for module in pkgutil.iter_modules(__path__)
            if not module.name.startswith("_")
        )

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        stem = cmd_name.replace("-", "_")
        known = {module.name for module in pkgutil.iter_modules(__path__)}
        module = importlib.import_module(f"{__name__}.{stem if stem in known else stem + '_'}")
        return cast("click.Command", cast("Any", module).command)


@click.command(
    cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="doisoat", prog_name="doisoat")
def main() -> None:
    """Đối soát thu phí, lệ phí: reconcile what citizens pay without cash for public procedures."""
