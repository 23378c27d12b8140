"""The rules of the house that no linter knows: pins, layers and sizes."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PINS: Final = sorted((ROOT / "requirements").glob("*.txt"))
SOURCES: Final = sorted(
    path
    for part in ("service", "ledger", "providers", "bench", "tests")
    for path in (ROOT / part).rglob("*.py")
)
MODULE_LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 70


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_everything_is_pinned_by_hash_and_nothing_by_address(path: Path) -> None:
    """Each requirement is one exact version with hashes, from wherever the installer looks."""
    text = path.read_text()
    for requirement in re.split(r"\n(?! )", text.strip()):
        assert re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[^\s;]+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_every_requirement_is_pinned() -> None:
    """What an .in file names is in its .txt."""
    for pinned in PINS:
        names = set(
            re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==", pinned.read_text(), re.MULTILINE)
        )
        wanted = pinned.with_suffix(".in").read_text()
        assert set(re.findall(r"^([a-z0-9][a-z0-9-]*)", wanted, re.MULTILINE)) <= names


def test_imports_point_down() -> None:
    """The contracts of pyproject.toml hold (import-linter)."""
    checker = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [checker, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Give each function with its length in lines, the docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            told = ast.get_docstring(node) is not None
            start = first.end_lineno if told and first.end_lineno else node.lineno
            yield node.name, (node.end_lineno or start) - start


def test_modules_and_functions_fit() -> None:
    """No module is longer than 400 lines and no function longer than 70."""
    long = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] != "tests"  # a list of facts may be long
        and len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES_MAX
    ]
    assert long == []
    wide = [
        f"{path.relative_to(ROOT)}: {name} ({lines})"
        for path in SOURCES
        for name, lines in functions_of(path)
        if lines > FUNCTION_LINES_MAX
    ]
    assert wide == []


def test_the_tree_names_no_machine() -> None:
    """No absolute path of somebody's machine, and no package index, is written anywhere."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pattern = re.compile(rb"/ro{2}t/|/ho{1}me/[a-z]|pypi[.]org|files[.]pythonhosted")
    found = [
        name
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).is_file() and pattern.search((ROOT / name).read_bytes())
    ]
    assert found == []
