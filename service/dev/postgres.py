"""A private PostgreSQL server of our own, for development, the demo and tests: start, share, stop.

Listens on a Unix socket in a folder of mode 0700 and nowhere else. Several processes may use one
server: the last to leave stops it; one that was killed leaves it running for the next to join.
It is never used where DATABASE_URL is set.
"""

import contextlib
import fcntl
import io
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from service.dev.binaries import Binaries, ServerProblem, can_enter, find_binaries, root_place
from service.dev.cluster import POLL_S, Cluster

DATABASE: Final = "doisoat"
OWNER: Final = "doisoat_owner"
APP: Final = "doisoat_app"
KEEPER: Final = "doisoat_keeper"
LOCK_TIMEOUT_S: Final = 150.0

ROLES: Final = r"""
select format('create role %I login', name)
from unnest(string_to_array(:'roles', ' ')) as name
where not exists (select from pg_roles where rolname = name) \gexec
"""
NEW_DATABASE: Final = r"""
select format('create database %I owner %I template %I', :'name', :'owner', :'template')
where not exists (select from pg_database where datname = :'name') \gexec
"""
DROP_DATABASE: Final = 'drop database if exists :"name" with (force);'


class Server:
    """The private server of one folder; `with Server(folder) as server` starts or joins it."""

    def __init__(
        self, folder: Path, *, durable: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Describe a server: `folder` holds data, log and locks; `say` hears what happens."""
        self._folder = folder.resolve()  # one folder has one name, also through a link
        self._durable = durable
        self._say = say
        self._cluster: Cluster | None = None
        self._use: io.FileIO | None = None
        self._alone: io.FileIO | None = None

    def __enter__(self) -> Self:
        """Start, or join what runs."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave; the last to leave stops the server."""
        self.stop()

    @property
    def cluster(self) -> Cluster:
        """The data folder and process; settled at start."""
        if self._cluster is None:
            binaries = find_binaries(say=self._say)
            home, binaries = self._settle_home(binaries)
            self._cluster = Cluster(home, binaries, durable=self._durable, say=self._say)
        return self._cluster

    @property
    def pid(self) -> int | None:
        """The running server's process id, None where it does not run."""
        return self.cluster.pid if self._folder.is_dir() else None

    @property
    def binaries(self) -> Binaries:
        """The programs in use, for pg_dump and pgbench."""
        return self.cluster.binaries

    def dsn(self, role: str = APP, database: str = DATABASE) -> str:
        """Address for `role` on `database`, as libpq and asyncpg read it."""
        return self.cluster.dsn(role, database)

    def start(self, *, alone: bool = False) -> None:
        """Start the server, or join it where it runs already.

        `alone`: be the only one that serves from this folder (others may still join
        to ask); refused with ServerProblem where another process does so already. Raises
        ServerProblem, in words for people, where the folder or the programs cannot be used.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if alone:
                self._claim_alone()
            with self._locked():
                self._use = _open_lock(self._folder / "use.lock")
                fcntl.flock(self._use, fcntl.LOCK_SH)
                self.cluster.start()
                self.psql(
                    ROLES + NEW_DATABASE,
                    roles=f"{OWNER} {APP} {KEEPER}",
                    name=DATABASE,
                    owner=OWNER,
                    template="template0",
                )
        except OSError as error:
            self.stop()
            raise ServerProblem(
                f"The private PostgreSQL cannot use {self._folder}: {error}."
                " Choose another folder with DOISOAT_DATA_DIR, or set DATABASE_URL to a server."
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave; stop the server where nobody else uses it. Harmless when repeated."""
        use, self._use = self._use, None
        if use is not None:
            with contextlib.closing(use), contextlib.suppress(FileNotFoundError), self._locked():
                if _try_lock(use):
                    self.cluster.stop()
                else:
                    self.cluster.leave()
        if self._alone is not None:
            self._alone.close()
            self._alone = None

    def create_database(self, name: str, *, template: str = "template0") -> None:
        """Create a database of the owner role where there is none of this name."""
        self.psql(NEW_DATABASE, name=name, owner=OWNER, template=template)

    def drop_database(self, name: str) -> None:
        """Drop a database, with whoever is still connected."""
        self.psql(DROP_DATABASE, name=name)

    def psql(self, sql: str, **variables: str) -> None:
        """Run a script as superuser; raises ServerProblem with PostgreSQL's words."""
        self.cluster.psql(sql, **variables)

    def _claim_alone(self) -> None:
        """Hold the folder as its only server process, or say who does."""
        path = self._folder / "serve.lock"
        lock = _open_lock(path)
        if not _try_lock(lock):
            holder = path.read_text().strip() or "unknown"
            lock.close()
            raise ServerProblem(
                f"Another doisoat (process {holder}) already serves from {self._folder}."
                " Stop it first, or choose another folder with DOISOAT_DATA_DIR."
            )
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        self._alone = lock

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Start and stop one at a time."""
        with contextlib.closing(_open_lock(self._folder / "start.lock")) as lock:
            deadline = time.monotonic() + LOCK_TIMEOUT_S
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise ServerProblem(
                        f"Another process has been starting {self._folder} too long."
                    )
                time.sleep(POLL_S)
            yield

    def _settle_home(self, binaries: Binaries) -> tuple[Path, Binaries]:
        """Decide where the data is (here, or where its user can reach it) and who that user is."""
        if binaries.uid is None:
            return self._folder, binaries
        here, pointer = self._folder / "data", self._folder / "moved-to"
        if here.is_dir():  # made before: whoever owns it goes on
            facts = here.stat()
            uid, gid = facts.st_uid or binaries.uid, facts.st_gid or binaries.gid
            return self._folder, msgspec.structs.replace(binaries, uid=uid, gid=gid)
        if pointer.is_file() and _belongs(Path(pointer.read_text()), self._folder):
            return Path(pointer.read_text()), binaries
        if can_enter(self._folder, binaries.uid, binaries.gid):
            return self._folder, binaries
        home = root_place() / secrets.token_hex(8)
        home.mkdir()
        home.chmod(0o755)
        (home / "belongs-to").write_text(str(self._folder))
        pointer.write_text(str(home))
        self._say(f"user `nobody` cannot reach {self._folder}; PostgreSQL keeps its data in {home}")
        return home, binaries


def _belongs(home: Path, folder: Path) -> bool:
    """Tell whether `home` was made for `folder`, perhaps moved since, and not for its original."""
    mark = home / "belongs-to"
    if not mark.is_file():
        return False
    made_for = Path(mark.read_text())
    if made_for == folder:
        return True
    pointer = made_for / "moved-to"
    if pointer.is_file() and pointer.read_text() == str(home):
        return False  # the first folder is still there: this one is a copy
    mark.write_text(str(folder))
    return True


def _open_lock(path: Path) -> io.FileIO:
    return io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")


def _try_lock(lock: io.FileIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
