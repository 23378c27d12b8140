"""The calls and the commands: a file is kept, imported behind the answer, and shown."""

from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service.cli import settlements
from service.web.background import background_of
from tests.databases import Database
from tests.service.conftest import Province, client_of
from tests.service.settlements.making import (
    Shop,
    call,
    facts,
    file_of,
    open_shop,
    owe,
    paid,
)

pytestmark = pytest.mark.anyio


async def file_to_send(engine: AsyncEngine) -> tuple[Shop, bytes]:
    """A shop with one payment, and its file."""
    shop = await open_shop(engine)
    payments = paid(await owe(engine, 50_000))
    await call(engine, shop, payments)
    return shop, file_of(shop, facts(shop, payments))


async def test_a_file_is_taken_once_and_shown(
    app: Litestar, client: httpx2.AsyncClient, province: Province, engine: AsyncEngine
) -> None:
    """202 with a resource; the same file is the same one; another's key does not see it."""
    shop, data = await file_to_send(engine)
    form = {"merchant": shop.name}
    files = {"file": ("t.csv", data, "text/csv")}
    first = await client.post("/v1/settlements", data=form, files=files)
    assert first.status_code == 202
    await background_of(app.state).settled()
    again = await client.post("/v1/settlements", data=form, files=files)
    assert again.json()["id"] == first.json()["id"]
    shown = (await client.get(f"/v1/settlements/{first.json()['id']}")).json()
    assert (shown["status"], shown["lines_new"], shown["net_vnd"]) == ("done", 2, 49_450)
    assert (shown["proven"], shown["fees_proven"]) == (True, False)
    listed = (await client.get("/v1/settlements?provider=sandbox&status=done&limit=1")).json()
    assert [one["id"] for one in listed["items"]] == [shown["id"]]
    assert listed["next_cursor"] is None
    missing = await client.get("/v1/settlements/018f0000-0000-7000-8000-000000000000")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"merchant": "sandbox/NOBODY"}, 404, "unknown-merchant"),
        ({"merchant": "sandbox/HUE1", "mapping": "no-such"}, 422, "unknown-mapping"),
        ({"merchant": "sandbox/HUE1", "mapping": '{"name": "x"}'}, 422, "unknown-mapping"),
    ],
)
async def test_what_cannot_be_taken_is_refused_in_words(
    client: httpx2.AsyncClient, engine: AsyncEngine, form: dict[str, str], status: int, code: str
) -> None:
    """An unknown merchant, an unknown mapping, a mapping that cannot read anything."""
    await open_shop(engine)
    files = {"file": ("t.csv", b"x", "text/csv")}
    told = await client.post("/v1/settlements", data=form, files=files)
    assert (told.status_code, told.json()["type"].rpartition("/")[2]) == (status, code)


async def test_a_key_without_the_scope_may_not(app: Litestar, province: Province) -> None:
    """Nobody without a credential reads or writes settlements."""
    async with client_of(app) as stranger:
        assert (await stranger.get("/v1/settlements")).status_code == 401


async def test_commands_import_and_keep_contracts(
    engine: AsyncEngine,
    two_books: object,
    fresh_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """`settlements import`, `list` and `contract`, on the service's own machine."""
    shop, data = await file_to_send(engine)
    monkeypatch.setenv("DATABASE_URL", fresh_database.app_url)
    monkeypatch.setenv("DOISOAT_MASTER_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    path = tmp_path / "t.csv"
    path.write_bytes(data)

    def invoke(*words: str) -> str:
        run = CliRunner().invoke(settlements.command, list(words))
        return f"{run.exit_code} {run.output}"

    # Commands run a loop of their own, so beside the test's.
    import anyio.to_thread  # noqa: PLC0415

    async def apart(*words: str) -> str:
        return await anyio.to_thread.run_sync(lambda: invoke(*words))

    terms = ["contract", "add", "--merchant", shop.name, "--from", "2026-11-01"]
    assert "1,100 đ" in await apart(*terms, "--percent", "1.1")
    assert "a contract" in (await apart(*terms, "--percent", "1.2")).lower()
    assert "1.1000 %" in await apart("contract", "list", "--merchant", shop.name)
    told = await apart("import", str(path), "--merchant", shop.name)
    assert told.startswith("0 ")
    assert "phí khớp hợp đồng" in told
    assert "net 49,450" in await apart("list")
    path.write_bytes(data.replace(b"49450", b"49451"))
    assert "off by 1 đồng" in await apart("import", str(path), "--merchant", shop.name)
