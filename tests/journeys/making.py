"""Start the demo as a process of its own, as `make demo` does, and talk to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from service.dev.demo_file import DemoFile

ROOT: Final = Path(__file__).parents[2]
DOSSIERS: Final = "12"
READY_WITHIN_S: Final = 240
STOP_WITHIN_S: Final = 90
LIVE: Final = "Ctrl-C"


class RunningDemo(msgspec.Struct, frozen=True):
    """A demo that serves, its folder and what it said so far."""

    folder: Path
    said: list[str]
    process: "subprocess.Popen[str]"

    @property
    def demo(self) -> DemoFile:
        """What it wrote down for its users."""
        return msgspec.json.decode((self.folder / "demo.json").read_bytes(), type=DemoFile)

    def stop(self) -> int:
        """Press Ctrl-C; the process's status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_WITHIN_S)


def environment(**more: str) -> dict[str, str]:
    """The test's own environment without the service's names, with the project importable."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DOISOAT_", "PYTEST_"))
    }
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


def command(*arguments: str) -> list[str]:
    """A command of the project, run by this Python."""
    return [sys.executable, "-W", "error", "-m", "service", *arguments]


def run(arguments: Sequence[str], **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(**more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN_S,
    )


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can reach also where we are root; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="doisoat-journey-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path) -> Iterator[RunningDemo]:
    """Start a small demo in a folder and wait until it serves; stop it afterwards."""
    arguments = command("demo", "--data", str(folder), "--port", "0", "--dossiers", DOSSIERS)
    process = subprocess.Popen(
        arguments,
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    reader = threading.Thread(target=_listen, args=(process, said), daemon=True)
    reader.start()
    started = RunningDemo(folder, said, process)
    try:
        until = time.monotonic() + READY_WITHIN_S
        while not any(LIVE in line for line in said):
            assert process.poll() is None, "\n".join(said)
            assert time.monotonic() < until, "\n".join(said)
            time.sleep(0.1)
        yield started
    finally:
        started.stop()
        reader.join(STOP_WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()


def _listen(process: "subprocess.Popen[str]", said: list[str]) -> None:
    for line in process.stdout or ():
        said += [line.rstrip("\n")]  # as it comes: others read it meanwhile


def shell(demo: RunningDemo, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a page's commands beside the demo's folder `var`, where `doisoat` is ours."""
    place = demo.folder.parent
    tools = place / "bin"
    tools.mkdir(exist_ok=True)
    doisoat = tools / "doisoat"
    doisoat.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service "$@"\n')
    doisoat.chmod(0o755)
    return subprocess.run(
        ["/bin/bash", "-eu", "-o", "pipefail", "-c", script],
        env=environment(PATH=f"{tools}:{os.environ['PATH']}"),
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN_S,
    )


def read_json(path: Path) -> dict[str, object]:
    """A JSON object in a file."""
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found
