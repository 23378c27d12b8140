"""The private PostgreSQL: its whole life, crashes and refusals included."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from service.dev import binaries as programs
from service.dev.binaries import ServerProblem, find_binaries
from service.dev.postgres import APP, DATABASE, KEEPER, OWNER, Server
from tests.databases import quick_place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a stopped server's folder to copy from."""
    with tempfile.TemporaryDirectory(prefix="doisoat-made-", dir=quick_place()) as place:
        Path(place).chmod(0o711)
        with Server(Path(place) / "pg", durable=False):
            pass
        yield Path(place) / "pg"


@pytest.fixture
def folder(made: Path) -> Iterator[Path]:
    """Give a folder with a stopped server in it, of this test's own."""
    with tempfile.TemporaryDirectory(prefix="doisoat-one-", dir=quick_place()) as place:
        Path(place).chmod(0o711)
        copy = Path(place) / "pg"
        subprocess.run(["cp", "-a", str(made), str(copy)], check=True)
        yield copy
        left = Server(copy, durable=False)
        if left.pid is not None:
            left.cluster.stop()


def ask(dsn: str, sql: str) -> object:
    """Ask a server for one value."""

    async def fetch() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_it_is_set_up_like_production(folder: Path) -> None:
    """Checksums, UTF-8, UTC, durable, no network; three plain roles and the owner's database."""
    with Server(folder) as server:
        dsn = server.dsn(APP)
        for name, expected in {
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "timezone": "UTC",
            "fsync": "on",
            "synchronous_commit": "on",
            "listen_addresses": "",
            "log_parameter_max_length": "0",
        }.items():
            assert ask(dsn, f"show {name}") == expected
        assert ask(dsn, "select datlocale from pg_database where datname = current_database()")
        for role in (OWNER, APP, KEEPER):
            assert ask(server.dsn(role), "select current_user") == role
            assert ask(server.dsn(role), "show is_superuser") == "off"
        owner = "select datdba::regrole::text from pg_database where datname = current_database()"
        assert ask(server.dsn(APP, DATABASE), owner) == OWNER
        assert server.cluster.socket_folder.stat().st_mode & 0o777 == 0o700
        assert server.cluster.data.stat().st_mode & 0o777 == 0o700


def test_it_starts_and_stops_and_keeps_its_data(folder: Path) -> None:
    """What was written before a stop is there after the next start, and nothing runs between."""
    server = Server(folder, durable=False)
    server.start()
    ask(server.dsn(OWNER), "create table kept as select 42 as x")
    server.stop()
    server.stop()
    assert server.pid is None
    with Server(folder, durable=False) as again:
        assert ask(again.dsn(OWNER), "select x from kept") == 42


def test_a_second_server_of_a_folder_is_refused(folder: Path) -> None:
    """The one that serves is named to the second, and goes on."""
    first = Server(folder, durable=False)
    first.start(alone=True)
    with pytest.raises(ServerProblem, match=f"process {os.getpid()}"):
        Server(folder, durable=False).start(alone=True)
    assert ask(first.dsn(), "select 1") == 1
    first.stop()
    second = Server(folder, durable=False)
    second.start(alone=True)
    second.stop()


def test_a_command_joins_and_the_last_to_leave_stops(folder: Path) -> None:
    """Two processes use one server; it stops when both have left, whoever started it."""
    serving, command = Server(folder, durable=False), Server(folder, durable=False)
    serving.start(alone=True)
    command.start()
    assert command.pid == serving.pid
    serving.stop()
    assert ask(command.dsn(), "select 1") == 1
    command.stop()
    assert command.pid is None


def test_a_killed_server_starts_again(folder: Path) -> None:
    """After SIGKILL to PostgreSQL, committed data is there at the next start."""
    server = Server(folder)
    server.start()
    ask(server.dsn(OWNER), "create table kept as select 42 as x")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with Server(folder) as again:
        assert ask(again.dsn(OWNER), "select x from kept") == 42


def test_a_killed_owner_leaves_a_server_to_join(folder: Path) -> None:
    """When the process that serves is killed, the next one takes over and can stop the server."""
    script = (
        "import sys, pathlib, time; from service.dev.postgres import Server\n"
        "server = Server(pathlib.Path(sys.argv[1]), durable=False); server.start(alone=True)\n"
        "print(server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    server = Server(folder, durable=False)
    server.start(alone=True)
    assert server.pid == pid
    server.stop()
    assert server.pid is None


def test_a_stale_pid_file_of_another_process_is_seen_through(folder: Path) -> None:
    """A pid file that names a living process of somebody else does not stop the start."""
    pid_file = folder / "data" / "postmaster.pid"
    socket = Server(folder).cluster.socket_folder
    pid_file.write_text(f"{os.getppid()}\n{folder / 'data'}\n1\n5432\n{socket}\n\n 0 0\nready   \n")
    facts = (folder / "data").stat()
    os.chown(pid_file, facts.st_uid, facts.st_gid)
    assert Server(folder).pid is None
    with Server(folder, durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1


@pytest.mark.parametrize("left", ["", "12"])
def test_a_half_written_pid_file_is_removed(folder: Path, left: str) -> None:
    """A machine that lost power may leave an empty pid file."""
    (folder / "data" / "postmaster.pid").write_text(left)
    with Server(folder, durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1


def test_an_interrupted_first_start_is_done_again(folder: Path) -> None:
    """A folder in which the making of the data was cut off is made again."""
    (folder / "data").rename(folder / "data.new")
    with Server(folder, durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1


def test_a_deep_folder_gets_a_short_socket(folder: Path) -> None:
    """A path too long for a Unix socket is no obstacle."""
    deep = folder.parent / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    folder.rename(deep / "pg")
    with Server(deep / "pg", durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1
        assert len(str(server.cluster.socket_folder)) < 60
        assert server.cluster.socket_folder.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(server.cluster.socket_folder)


def test_a_folder_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    """What cannot be used is said with the path and a way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerProblem, match="DOISOAT_DATA_DIR"):
        Server(tmp_path / "file" / "pg").start()


def test_foreign_data_is_not_overwritten(folder: Path) -> None:
    """A data folder that holds no PostgreSQL is left alone."""
    (folder / "data" / "PG_VERSION").unlink()
    with pytest.raises(ServerProblem, match="holds no PostgreSQL"):
        Server(folder).start()
    assert (folder / "data" / "base").is_dir()


def test_data_of_another_version_is_refused_in_words(folder: Path) -> None:
    """PostgreSQL's own words reach the reader when it does not start."""
    (folder / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerProblem, match="incompatible with server"):
        Server(folder).start()


def test_missing_or_old_programs_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong PG_BIN is named, and so is a server that is too old."""
    tmp_path.chmod(0o755)
    with pytest.raises(ServerProblem, match="PG_BIN"):
        find_binaries({"PG_BIN": str(tmp_path)})
    monkeypatch.setattr(programs, "MAJOR_MIN", 99)
    with pytest.raises(ServerProblem, match="too old"):
        find_binaries({})


def test_a_folder_the_server_user_cannot_reach(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a closed home, root keeps the data elsewhere and says so; nobody's modes change.

    An ordinary user's server runs as that user, and stays where it was told.
    """
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="doisoat-home-", dir=quick_place()) as place:
        elsewhere = Path(place) / "elsewhere"
        home = Path(place) / "home"
        Path(place).chmod(0o711)
        home.mkdir(mode=0o700)
        monkeypatch.setattr(programs, "ROOT_PLACE", elsewhere)
        folder = home / "var"
        for _ in range(2):
            with Server(folder, durable=False, say=told.append) as server:
                assert ask(server.dsn(), "select 1") == 1
        assert home.stat().st_mode & 0o777 == 0o700
        if os.geteuid() == 0:
            assert server.cluster.data.is_relative_to(elsewhere)
            assert len([line for line in told if f"its data in {elsewhere}" in line]) == 1
        else:
            assert server.cluster.data == folder / "data"
        home.rename(home.with_name("moved"))
        with Server(home.with_name("moved") / "var", durable=False, say=told.append) as moved:
            assert ask(moved.dsn(), "select 1") == 1
        assert len([line for line in told if "made a new" in line]) == 1
