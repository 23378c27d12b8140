"""The demo from its first start to its second, what it leaves where, and what it refuses."""

import asyncio
import base64
import json
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import httpx2
import pytest

from service.dev import people
from service.dev.cluster import SUPERUSER
from service.dev.demo_file import DemoFile
from service.dev.postgres import DATABASE, OWNER, Server
from service.migrations import run as migrations
from tests.journeys.making import DOSSIERS, RunningDemo, reachable_folder, read_json, run, running

PER_RUN: Final = int(DOSSIERS) * 2
FIRST_DAYS: Final = 4
FIELDS: Final = {"base_url", "one_stop_api_key", "webhook_secret", "staff", "merchants"}
ROLES: Final = {"viewer", "maker", "checker", "admin", "auditor"}


def notices(demo: DemoFile) -> list[dict[str, object]]:
    """All fee notices, page by page, as the one-stop sees them."""
    found: list[dict[str, object]] = []
    headers = {"Authorization": f"Bearer {demo.one_stop_api_key}"}
    with httpx2.Client(base_url=demo.base_url, headers=headers, trust_env=False) as client:
        cursor: str | None = None
        while True:
            params = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = client.get("/v1/fee-notices", params=params).raise_for_status().json()
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found


def forms(text: str) -> set[bytes]:
    """How a text could stand in a dump or a log: marks, case, and the usual encodings."""
    plain = people.without_marks(text)
    spelled = {text, unicodedata.normalize("NFD", text), plain, plain.upper(), plain.lower()}
    spelled |= {text.upper(), text.lower(), json.dumps(text)[1:-1]}
    raw = {one.encode() for one in spelled}
    return raw | {one.hex().encode() for one in raw} | {base64.b64encode(one)[:-4] for one in raw}


def dump(folder: Path) -> bytes:
    """A plain dump of the demo's database."""
    server = Server(folder / "postgres")
    cluster = server.cluster
    done = cluster.binaries.run(
        "pg_dump",
        ["-h", str(cluster.socket_folder), "-U", SUPERUSER, DATABASE],
        cwd=Path("/"),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.encode()


def check_first(demo: RunningDemo) -> None:
    """What a first start says and leaves."""
    said = "\n".join(demo.said)
    assert "all hold" in said
    assert "TỔNG KẾT" in said
    assert "KHÔNG / NO" not in said
    path = demo.folder / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_json(path).keys() == FIELDS
    assert {one.role for one in demo.demo.staff} == ROLES
    assert all(one.password in said for one in demo.demo.staff)
    vnpay = demo.demo.merchants["vnpay"]
    assert vnpay.merchant
    assert vnpay.secrets
    assert {one.mode for one in demo.demo.merchants_of("sepay")} == {"hmac", "apikey"}


def check_nothing_personal(demo: RunningDemo) -> None:
    """The distinctive payer is known to the service, and stands in no dump and in no log."""
    found = notices(demo.demo)
    known = [one["payer"] for one in found]
    assert {"name": people.DISTINCT.name} in [
        {"name": payer["name"]} for payer in known if isinstance(payer, dict)
    ]
    assert people.DISTINCT_MEMO in (demo.folder / "demo-bank.jsonl").read_text()
    plain = dump(demo.folder)
    code = str(found[0]["dossier_code"])
    assert [form for form in forms(code) if form in plain]  # what is no secret would be seen
    server_log = Server(demo.folder / "postgres").cluster.log
    logs = [path.read_bytes() for path in (demo.folder / "demo.log", server_log)]
    sought = [people.DISTINCT.name, people.DISTINCT.account, people.DISTINCT_MEMO]
    for place in (plain, "\n".join(demo.said).encode(), *logs):
        assert place
        for text in sought:
            assert not [form for form in forms(text) if form in place]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can reach."""
    with reachable_folder() as made:
        yield made


def test_a_demo_from_its_first_start_to_its_second(folder: Path) -> None:
    """It makes and proves some days, tells nobody's name, stops at Ctrl-C, and then goes on."""
    with running(folder) as demo:
        check_first(demo)
        before = notices(demo.demo)
        assert len(before) >= PER_RUN * FIRST_DAYS
        assert {"paid", "open"} <= {str(one["status"]) for one in before}
        check_nothing_personal(demo)
        assert demo.stop() == 0
        first = demo.demo
    assert Server(folder / "postgres").pid is None
    with running(folder) as demo:
        after = notices(demo.demo)
        assert len(after) >= len(before) + PER_RUN
        codes = [one["dossier_code"] for one in after]
        assert len(set(codes)) == len(codes)
        assert demo.demo.one_stop_api_key == first.one_stop_api_key
        assert demo.demo.staff == first.staff
        assert "all hold" in "\n".join(demo.said)
        second = run(["demo", "--data", str(folder), "--port", "0", "--once"])
        assert second.returncode == 2
        assert "already serves" in second.stderr + second.stdout
        assert demo.demo.base_url.startswith("http://127.0.0.1:")


def test_the_demo_refuses_a_given_database(tmp_path: Path) -> None:
    """With DATABASE_URL set it says what to do, and makes nothing."""
    refused = run(
        ["demo", "--data", str(tmp_path / "var"), "--once"], DATABASE_URL="postgresql://x@y/z"
    )
    assert refused.returncode == 2
    assert "DATABASE_URL" in refused.stderr
    assert not (tmp_path / "var").exists()


def test_the_demo_refuses_a_database_it_did_not_create(folder: Path) -> None:
    """A private database of an operator stays as it is, for the demo and for the simulator."""
    with Server(folder / "postgres", durable=False) as server:
        asyncio.run(migrations.upgrade(server.dsn(OWNER)))
        asyncio.run(_mark(server))
        refused = run(["demo", "--data", str(folder), "--port", "0", "--once"])
        assert refused.returncode == 2
        assert "not created by the demo" in refused.stderr
        assert not (folder / "demo.json").exists()
        (folder / "demo.json").write_text(json.dumps(SOMEBODY))
        refused = run(["simulate", "--demo", str(folder / "demo.json")])
        assert refused.returncode == 2
        assert "not created by the demo" in refused.stderr


SOMEBODY: Final = {
    "base_url": "http://127.0.0.1:9",
    "one_stop_api_key": "",
    "webhook_secret": "",
    "staff": [],
    "merchants": {},
}


async def _mark(server: Server) -> None:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(
            "insert into service.installation (id, created_at, made_by)"
            " values (1, now(), 'operator')"
        )
    finally:
        await connection.close()


def test_the_simulator_needs_a_demo(tmp_path: Path) -> None:
    """Without a demo's file, or without its database running, nothing is sent."""
    missing = run(["simulate", "--demo", str(tmp_path / "demo.json")])
    assert missing.returncode == 2
    assert "make demo" in missing.stderr
    (tmp_path / "demo.json").write_text(json.dumps(SOMEBODY))
    stopped = run(["simulate", "--demo", str(tmp_path / "demo.json")])
    assert stopped.returncode == 2
    assert "make demo" in stopped.stderr
