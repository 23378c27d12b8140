"""Install the independent clients with npm, and run them over cases."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
PLACE: Final = ROOT / "var" / "crosscheck"
"""Ignored by git; made at first use."""
RUN_WITHIN_S: Final = 120

Case: TypeAlias = dict[str, Any]
"""What a client is to do (`op`) and with what."""


class NoNode(Exception):
    """The clients cannot be run here; the message says why."""


async def install() -> None:
    """Put the pinned clients into PLACE, unless they are there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NoNode("node and npm are not installed")
    PLACE.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_text(encoding="utf-8")
    there = PLACE / "package.json"
    shutil.copy(HERE / "clients.mjs", PLACE)
    if there.exists() and there.read_text(encoding="utf-8") == wanted:
        return
    shutil.copy(HERE / "package.json", PLACE / "wanted.json")
    (PLACE / "wanted.json").replace(there)
    process = await asyncio.create_subprocess_exec(
        "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts",
        cwd=PLACE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await process.communicate()
    if process.returncode:
        there.unlink()
        raise NoNode(told.decode())


async def run(cases: Sequence[Case]) -> list[Case]:
    """What the clients say to each case; `{"error": …}` where one threw."""
    process = await asyncio.create_subprocess_exec(
        "node", "clients.mjs",
        cwd=PLACE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(RUN_WITHIN_S):
        told, complaint = await process.communicate(json.dumps(cases).encode())
    if process.returncode:
        raise NoNode(complaint.decode())
    found: list[Case] = json.loads(told)
    return found
