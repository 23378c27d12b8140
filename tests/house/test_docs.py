"""The documents say what is there: settings, commands, problems, events, answers, links."""

import re
from pathlib import Path

import click
import pytest

from service import cli
from service.dev import reference

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "README.vi.md", *(ROOT / "docs").rglob("*.md")])
REFERENCE = ROOT / "docs" / "reference"
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
DECISION_PARTS = (
    "Status:", "Date:", "## Context", "## Decision", "## Consequences", "## Alternatives",
    "## Files it governs",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "name", ["settings.md", "problems.md", "outcomes.md", "events.md", "payment-states.md"]
)
def test_reference_pages_are_as_the_code_is(name: str) -> None:
    """What `python -m service.dev.reference` writes is what is committed."""
    page = (REFERENCE / name).read_text(encoding="utf-8")
    assert reference.whole(page, reference.tables()[name]) == page


def test_every_command_is_described() -> None:
    """The page of commands has each command, and no other."""
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    told = re.findall(r"^## `doisoat ([\w-]+)`", page, re.MULTILINE)
    assert isinstance(cli.main, cli.LazyGroup)
    assert sorted(told) == cli.main.list_commands(click.Context(cli.main))


def test_decisions_are_whole_and_listed() -> None:
    """Each decision has all its parts, names files that exist, and stands in the list."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04d}" for n in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert all(part in text for part in DECISION_PARTS), page.name
        assert page.name in listed
        governed = text.split("## Files it governs")[1]
        for pattern in re.findall(r"`([^`]+)`", governed):
            assert list(ROOT.glob(pattern.rstrip("/"))), (page.name, pattern)
