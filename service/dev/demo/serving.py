"""The demo's service process: the same `serve` as anywhere, on the demo's own data folder."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from service.dev.client import Client
from service.dev.demo_file import DemoFile, DemoProblem

READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.1
STOP_WITHIN_S: Final = 40.0
LAST_WORDS_BYTES: Final = 1_500
FOREIGN: Final = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "DOISOAT_MASTER_KEY")


def environment(data_dir: Path, log: str) -> dict[str, str]:
    """What the service's processes are started with: the caller's, on the demo's own folder."""
    found = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and name != "DOISOAT_PUBLIC_URL"
    }
    return found | {"DOISOAT_DATA_DIR": str(data_dir), "DOISOAT_LOG": log}


def command(*arguments: str) -> list[str]:
    """A command of this program, run by this Python."""
    return [sys.executable, "-m", "service", *arguments]


def free_port(host: str, port: int) -> int:
    """`port` if nobody listens there (0: some free one); raises DemoProblem otherwise."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise DemoProblem(
                f"Port {port} cannot be used ({error.strerror}). Choose another with --port."
            ) from None
        return int(probe.getsockname()[1])


class ServiceProcess:
    """`doisoat serve` as a process of its own; its log lines go to a file of mode 0600."""

    def __init__(self, data_dir: Path, log: Path, port: int, environ: Mapping[str, str]) -> None:
        """Describe; nothing is started yet."""
        self._data_dir = data_dir
        self._log = log
        self._port = port
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process in a session of its own, so that our Ctrl-C stops traffic first."""
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as log:
            self._process = subprocess.Popen(
                command("serve", "--host", "127.0.0.1", "--port", str(self._port)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    async def wait_until_ready(self, base_url: str) -> None:
        """Wait until the service says that it serves; raises DemoProblem with its last words."""
        nobody = DemoFile(
            base_url=base_url, one_stop_api_key="", webhook_secret="", staff=[], merchants={}
        )
        async with Client(nobody) as client:
            for _ in range(round(READY_WITHIN_S / POLL_S)):
                if not self.running:
                    raise DemoProblem(f"The service did not start:\n{self._last_words()}")
                if await client.ready():
                    return
                await asyncio.sleep(POLL_S)
        raise DemoProblem(f"The service does not get ready, see {self._log}")

    def stop(self) -> None:
        """Stop politely: open requests and the open group are finished; then by force."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - LAST_WORDS_BYTES))
            return log.read().decode(errors="replace").strip()


def prove(data_dir: Path, environ: Mapping[str, str]) -> tuple[bool, str]:
    """Run `doisoat prove` on the demo's database: whether all invariants hold, and its words."""
    done = subprocess.run(
        command("prove"),
        capture_output=True,
        text=True,
        check=False,
        env=dict(environ) | {"DOISOAT_DATA_DIR": str(data_dir)},
    )
    return done.returncode == 0, (done.stdout + done.stderr).strip()
