"""The commands that the documents show do what the documents say, against a running demo."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.making import ROOT, RunningDemo, reachable_folder, running, shell

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = "#=> "
PAGES = sorted(
    path.relative_to(ROOT)
    for path in [ROOT / "README.md", ROOT / "README.vi.md", *(ROOT / "docs").rglob("*.md")]
    if BLOCK.search(path.read_text(encoding="utf-8"))
)


@pytest.fixture(scope="module")
def demo() -> Iterator[RunningDemo]:
    """One small demo for all pages of a worker."""
    with reachable_folder() as folder, running(folder / "var") as started:
        yield started


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_pages_commands_do_what_it_says(page: Path, demo: RunningDemo) -> None:
    """All `sh` blocks of a page run one after the other, and print what `#=>` shows, in order."""
    script = "\n".join(BLOCK.findall((ROOT / page).read_text(encoding="utf-8")))
    done = shell(demo, script)
    assert done.returncode == 0, done.stderr
    rest = done.stdout
    for line in script.splitlines():
        if line.startswith(SHOWN):
            before, found, rest = rest.partition(line.removeprefix(SHOWN))
            assert found, f"{line} is not in: {before}\n{done.stderr}"


def test_the_readmes_are_among_the_pages() -> None:
    """Both READMEs have commands that are run."""
    assert {Path("README.md"), Path("README.vi.md"), Path("docs/start.md")} <= set(PAGES)
