"""One PostgreSQL data folder and the server process on it: make, launch, find, stop.

Knows no sharing between processes and no choice of folders: see service.dev.postgres.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from service.dev.binaries import Binaries, ServerProblem, clean_environment

SHORT_PLACE: Final = Path("/tmp")  # noqa: S108 (a folder of our own is made in it, mode 0700)
SUPERUSER: Final = "postgres"
SOCKET_PATH_MAX: Final = 100
"""The kernel allows 107 bytes for the path of a Unix socket."""
START_TIMEOUT_S: Final = 120.0
"""Long enough for recovery after a crash under load."""
STOP_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.01
LOG_SIZE_MAX_BYTES: Final = 20_000_000
LAST_WORDS_MAX_BYTES: Final = 2_000
PID_LINE, STATUS_LINE = 0, 7
"""Lines of postmaster.pid, counted from 0."""

# Error details and parameters would carry names and account numbers into the log.
SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
NOT_DURABLE: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "1h",
}
"""For tests only: a crash of the machine loses the data."""


class Cluster:
    """A data folder below `home`, its log beside it, and its server process."""

    def __init__(
        self, home: Path, binaries: Binaries, *, durable: bool, say: Callable[[str], None]
    ) -> None:
        """Describe; nothing is touched before `start`."""
        self.home = home
        self.binaries = binaries
        self.data = home / "data"
        self.log = home / "postgres.log"
        self._durable = durable
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def socket_folder(self) -> Path:
        """The folder of the Unix socket: beside the data, or a short one where that is too long."""
        beside = self.home / "socket"
        if len(os.fsencode(beside / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_MAX:
            return beside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return SHORT_PLACE / f"doisoat-{os.geteuid()}-{name}"

    @property
    def pid(self) -> int | None:
        """The running server's process id, None where it does not run."""
        lines = self._pid_file()
        if not lines or not lines[PID_LINE].isdigit():
            return None
        pid = int(lines[PID_LINE])
        return pid if self._is_ours(pid) else None

    def dsn(self, role: str, database: str) -> str:
        """Address for `role` on `database`, as libpq and asyncpg read it."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_folder))}"

    def psql(self, sql: str, **variables: str) -> None:
        """Run a script as superuser; raises ServerProblem with PostgreSQL's words."""
        arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket_folder)]
        for name, value in variables.items():
            arguments += ["-v", f"{name}={value}"]
        done = self.binaries.run(
            "psql", [*arguments, "-U", SUPERUSER, SUPERUSER], cwd=self.socket_folder, stdin=sql
        )
        if done.returncode != 0:
            raise ServerProblem(f"PostgreSQL refused: {done.stderr.strip()}")

    def start(self) -> None:
        """Start the server, or find it running; come back when it answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        self._make_socket_folder()
        while self.pid is not None and self._status() == "stopping":
            _pause(deadline, "PostgreSQL does not stop")
        if self.pid is None:
            self._initialise()
            self._launch()
        while self.pid is None or self._status() != "ready":
            _pause(deadline, f"PostgreSQL does not get ready, see {self.log}")
            if self._child is not None and self._child.poll() is not None:
                if "pre-existing shared memory" not in (words := self._last_words()):
                    raise ServerProblem(f"PostgreSQL did not start:\n{words}")
                self._launch()  # children of a killed server are still leaving

    def _initialise(self) -> None:
        """Make the data folder: whole, or not at all."""
        if (self.data / "PG_VERSION").is_file():
            return
        if self.data.exists():
            raise ServerProblem(f"{self.data} exists but holds no PostgreSQL data; move it away.")
        half_done = self.home / "data.new"
        shutil.rmtree(half_done, ignore_errors=True)
        self._make_folder(half_done)
        options = ["-D", str(half_done), "-U", SUPERUSER, "--auth=trust", "--data-checksums"]
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        options += ["--builtin-locale=C.UTF-8", "--no-instructions", "--no-sync"]
        done = self.binaries.run("initdb", options, cwd=self.home)
        if done.returncode != 0:
            raise ServerProblem(f"PostgreSQL could not make {self.data}: {done.stderr.strip()}")
        if self._durable:
            self.binaries.run("initdb", ["-D", str(half_done), "--sync-only"], cwd=self.home)
        half_done.rename(self.data)
        self._say(f"made a new private PostgreSQL in {self.data}")

    def _launch(self) -> None:
        """Start the server process; it outlives us and is not stopped by our terminal's Ctrl-C."""
        self._mend_pid_file()
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_SIZE_MAX_BYTES:
                self.log.replace(self.log.with_suffix(".log.old"))
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        settings = SETTINGS | ({} if self._durable else NOT_DURABLE)
        settings["unix_socket_directories"] = str(self.socket_folder)
        command = [str(self.binaries.folder / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)) as log:
            self._child = subprocess.Popen(
                command,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
                user=self.binaries.uid,
                group=self.binaries.gid,
                extra_groups=None if self.binaries.uid is None else (),
                start_new_session=True,
            )

    def _mend_pid_file(self) -> None:
        """Let PostgreSQL see that a pid file is stale where its number belongs to another process.

        It takes its parent's number for stale, and still checks the shared memory named there.
        """
        path = self.data / "postmaster.pid"
        lines = self._pid_file()
        if len(lines) > 1:
            path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        elif path.exists():
            path.unlink()

    def stop(self) -> None:
        """Stop the server: politely, then at once (it recovers at the next start)."""
        for signal_number in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + STOP_TIMEOUT_S
            if (pid := self.pid) is not None:
                os.kill(pid, signal_number)
            while self.pid is not None and time.monotonic() < deadline:
                if self._child is not None:
                    self._child.poll()  # else it stays as a zombie
                time.sleep(POLL_S)
            if self._child is not None and self.pid is None:
                self._child.wait(STOP_TIMEOUT_S)
                self._child = None

    def leave(self) -> None:
        """Let the server go on without us: others use it, and one of them will stop it."""
        if self._child is not None:
            self._child.returncode = 0  # else Python warns of a child that still runs
            self._child = None

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _status(self) -> str:
        lines = self._pid_file()
        return lines[STATUS_LINE].strip() if len(lines) > STATUS_LINE else ""

    def _is_ours(self, pid: int) -> bool:
        """Tell whether `pid` is a server of this data folder, not one that got its number."""
        command = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self/cmdline").exists():
            try:
                return os.fsencode(self.data) in command.read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                return False
        found = subprocess.run(
            ["/bin/ps", "-o", "command=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return str(self.data) in found.stdout

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(LAST_WORDS_MAX_BYTES).decode(errors="replace").strip()

    def _make_socket_folder(self) -> None:
        folder = self.socket_folder
        if not folder.is_symlink() and not folder.exists():
            self._make_folder(folder)
        wanted = os.geteuid() if self.binaries.uid is None else self.binaries.uid
        facts = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or facts.st_uid != wanted:
            raise ServerProblem(f"{folder} belongs to somebody else; remove it.")

    def _make_folder(self, folder: Path) -> None:
        """Make a folder that only the server's user may enter."""
        folder.mkdir(mode=0o700)
        if self.binaries.uid is not None:
            os.chown(folder, self.binaries.uid, self.binaries.gid or -1)


def _pause(deadline: float, complaint: str) -> None:
    if time.monotonic() > deadline:
        raise ServerProblem(f"{complaint} (waited {START_TIMEOUT_S:.0f} s)")
    time.sleep(POLL_S)
