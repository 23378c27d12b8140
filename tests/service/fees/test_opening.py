"""A unit comes in from an older system: one entry against 9990, once."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from service.fees import opening
from service.fees.opening import Opened, OpeningRefused
from service.sealing import Sealer
from tests.service.conftest import MASTER_KEY, Province
from tests.service.notices import item, notice

pytestmark = pytest.mark.anyio


def old_system() -> dict[str, Any]:
    """The file of the first book."""
    return {
        "book": {"book_id": 1, "code": "01", "name": "Sở Tư pháp", "agency_code": "H57.23"},
        "opened_at": "2026-11-02T08:00:00+07:00",
        "bank_accounts": [
            {
                "bin": "970436",
                "number": "0123456789",
                "holder_name": "SO TU PHAP",
                "balance_vnd": 1_000,
            }
        ],
        "balances": [
            {"account": "3332", "amount_vnd": 700},
            {"account": "1110", "amount_vnd": 50},
        ],
        "notices": [
            {"notice": notice(100, 50), "references": ["HS1234567806"]},
            {"notice": notice(0)},
        ],
    }


async def bring_in(engine: AsyncEngine, told: dict[str, Any]) -> Opened:
    """Bring a file in."""
    async with engine.begin() as connection:
        asked = opening.read(json.dumps(told).encode())
        return await opening.bring_in(connection, Sealer(MASTER_KEY), asked, datetime.now(UTC))


@pytest.fixture
def file() -> dict[str, Any]:
    """The file, with a reference whose check is right."""
    told = old_system()
    body = "12345678"
    told["notices"][0]["references"] = [f"HS{body}{98 - int(body) * 100 % 97:02d}"]
    return told


async def test_balances_and_notices_are_one_entry(
    client: httpx2.AsyncClient, engine: AsyncEngine, file: dict[str, Any]
) -> None:
    """Every account stands as the older system said; the notice can be found and paid."""
    opened = await bring_in(engine, file)
    assert (opened.new, opened.notices, opened.owed_vnd, opened.lines) == (True, 2, 150, 7)
    trial = (await client.get("/v1/ledger/trial-balance?book_id=1")).json()["books"][0]
    sums = {row["account"]: row["balance_vnd"] for row in trial["rows"] if row["balance_vnd"]}
    assert {k: v for k, v in sums.items() if k != "9990"} == {
        "1121": 1_000,
        "3332": 700,
        "1110": 50,
        "1383": 150,
        "3373": 150,
    }
    assert trial["debit_vnd"] == trial["credit_vnd"]
    entries = (await client.get("/v1/ledger/entries?book_id=1")).json()["items"]
    assert [(entry["source"], entry["kind"]) for entry in entries] == [("opening", "book_opened")]
    assert all("9990" in {line["debit"], line["credit"]} for line in entries[0]["lines"])
    found = (await client.get("/v1/fee-notices?status=open")).json()["items"]
    assert [one["outstanding_vnd"] for one in found] == [150]
    reference = file["notices"][0]["references"][0]
    request = (await client.get(f"/v1/payment-requests/{reference}")).json()
    assert request["notice_ids"] == [found[0]["id"]]


async def test_the_same_file_again_changes_nothing(
    engine: AsyncEngine, province: Province, file: dict[str, Any]
) -> None:
    """Opening is idempotent, and another file for the same book is refused."""
    await bring_in(engine, file)
    assert not (await bring_in(engine, file)).new
    other = copy.deepcopy(file)
    other["balances"][0]["amount_vnd"] += 1
    with pytest.raises(OpeningRefused, match="another file"):
        await bring_in(engine, other)
    counts = sa.text("""
        select (select count(*) from service.notice), (select count(*) from ledger.entry),
               (select count(*) from service.outbox)
    """)
    async with engine.connect() as connection:
        assert tuple((await connection.execute(counts)).one()) == (2, 1, 2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"balances": [{"account": "3380", "amount_vnd": 1}]}, "single items"),
        ({"balances": [{"account": "1121", "amount_vnd": 1}]}, "bank_accounts"),
        ({"balances": [{"account": "4444", "amount_vnd": 1}]}, "no account"),
        ({"notices": [{"notice": notice(collected_by="H57.31.15")}]}, "another book"),
        ({"notices": [{"notice": notice(), "references": ["HS1"]}]}, "no payment reference"),
        ({"book": {"book_id": 1, "code": "09", "name": "x", "agency_code": "x"}}, "has the code"),
        ({"notices": [{"notice": {"items": [item()]}}]}, "missing required field"),
    ],
)
async def test_a_file_that_does_not_fit_is_refused(
    engine: AsyncEngine,
    province: Province,
    file: dict[str, Any],
    change: dict[str, Any],
    told: str,
) -> None:
    """The message says what to mend, and nothing is kept."""
    with pytest.raises(OpeningRefused, match=told):
        await bring_in(engine, file | change)
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("select count(*) from ledger.entry")) == 0


async def test_a_new_book_is_opened_with_its_chart(
    engine: AsyncEngine, province: Province, file: dict[str, Any]
) -> None:
    """A book that is not there yet is opened by the same file."""
    book = {"book_id": 3, "code": "03", "name": "Sở Xây dựng", "agency_code": "H57.05"}
    opened = await bring_in(engine, file | {"book": book, "bank_accounts": [], "notices": []})
    assert opened.new
    chart = sa.text("select count(*) from ledger.account where book_id = 3")
    async with engine.connect() as connection:
        assert int(str(await connection.scalar(chart))) > 20


async def test_a_unit_that_starts_with_nothing_gets_its_book(
    engine: AsyncEngine, province: Province, file: dict[str, Any]
) -> None:
    """No balances and no notices: the book and its bank accounts are there, and no entry is."""
    book = {"book_id": 3, "code": "03", "name": "Sở Xây dựng", "agency_code": "H57.05"}
    nothing = {"book": book, "bank_accounts": [], "balances": [], "notices": []}
    opened = await bring_in(engine, file | nothing)
    assert (opened.notices, opened.owed_vnd, opened.lines) == (0, 0, 0)
    found = sa.text("""
        select (select count(*) from ledger.open_day where book_id = 3),
               (select count(*) from ledger.entry where book_id = 3)
    """)
    async with engine.connect() as connection:
        assert tuple((await connection.execute(found)).one()) == (1, 0)
