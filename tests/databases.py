"""One PostgreSQL server per test run, a template migrated once, and a clone for whoever asks.

Workers of one run share the server through locks in the run's folder; a run that was killed is
cleared away by the next one.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import asyncpg
import msgspec

from service.dev.cluster import SUPERUSER
from service.dev.postgres import APP, KEEPER, OWNER, Server
from service.migrations import run

PREFIX: Final = "doisoat-tests-"
RUN_VARIABLE: Final = "PYTEST_DOISOAT_RUN"
TEMPLATE: Final = "migrated"
MEMORY: Final = Path("/dev/shm")  # noqa: S108 (folders of our own with random names)
MEMORY_BYTES_MIN: Final = 4_000_000_000


def quick_place() -> Path:
    """Give a folder for short-lived servers: in memory where there is plenty, else on disk."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        return MEMORY
    return Path(tempfile.gettempdir())


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of one database, one for each role."""

    name: str
    app_url: str
    owner_url: str
    keeper_url: str
    superuser_url: str


class Run:
    """The folder that all processes of one test run share; made by the first of them."""

    def __init__(self, folder: Path, lock: int | None) -> None:
        """Hold `lock` as long as the run lives; workers have none."""
        self.folder = folder
        self._lock = lock

    @classmethod
    def begin(cls) -> Self:
        """Make the folder of a new run, and clear away what killed runs have left."""
        place = quick_place()
        for left in place.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                lock = _lock(left)
                if lock is not None:
                    cls(left, lock).end()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        folder.chmod(0o711)  # ours; where we are root, the server's user must pass
        os.environ[RUN_VARIABLE] = str(folder)
        return cls(folder, _lock(folder))

    @classmethod
    def join(cls) -> Self:
        """Find the run this process works for."""
        return cls(Path(os.environ[RUN_VARIABLE]), None)

    def end(self) -> None:
        """Stop the server, whoever still uses it, and remove the folder."""
        server = self.server()
        if server.pid is not None:
            server.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def server(self) -> Server:
        """Describe the run's server; not durable."""
        return Server(self.folder / "postgres", durable=False)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let the processes of a run pass one at a time."""
        handle = os.open(self.folder / "turn.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


class Databases:
    """Makes and drops clones over one connection of the superuser."""

    def __init__(self, run_: Run, server: Server) -> None:
        """Migrate the template unless another worker has done so."""
        self._server = server
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(server.dsn(SUPERUSER, SUPERUSER)))
        done = run_.folder / "template-done"
        with run_.alone():
            if not done.exists():
                self._sql(f"drop database if exists {TEMPLATE}")
                self._sql(f"create database {TEMPLATE} owner {OWNER} template template0")
                self._runner.run(run.upgrade(server.dsn(OWNER, TEMPLATE)))
                done.touch()

    def close(self) -> None:
        """Leave the server."""
        self._runner.run(self._connection.close())
        self._runner.close()

    @contextlib.contextmanager
    def clone(self, template: str = TEMPLATE) -> Iterator[Database]:
        """Give a database of its own, dropped afterwards whoever is still connected."""
        name = f"t_{secrets.token_hex(6)}"
        self._sql(f"create database {name} owner {OWNER} template {template}")
        try:
            yield Database(
                name=name,
                app_url=self._server.dsn(APP, name),
                owner_url=self._server.dsn(OWNER, name),
                keeper_url=self._server.dsn(KEEPER, name),
                superuser_url=self._server.dsn(SUPERUSER, name),
            )
        finally:
            self._sql(f"drop database {name} with (force)")

    def _sql(self, statement: str) -> None:
        self._runner.run(self._connection.execute(statement))


def _lock(folder: Path) -> int | None:
    """Hold the folder's mark of life; None where another process does."""
    handle = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
