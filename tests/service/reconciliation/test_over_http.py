"""A statement in, a run, and the list: over HTTP, as finance staff and machines do it."""

import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service.web.background import background_of
from tests.service.conftest import Province, client_of
from tests.service.reconciliation.making import Owed, owe, reference, statuses
from tests.service.statements.making import MAPPING, Row, csv

pytestmark = pytest.mark.anyio

ACCOUNT = "970436-0123456789"
DOSSIER = "000.00.23.H57-261101-0001"


async def settled(app: Litestar) -> None:
    """Wait for the work that calls have started."""
    await background_of(app.state).settled()


async def test_from_the_file_to_the_list(
    app: Litestar, province: Province, engine: AsyncEngine
) -> None:
    """202 with a resource that shows progress; then a run pays what is sure and lists the rest."""
    (notice,) = await owe(engine, Owed(dossier=DOSSIER, amount_vnd=50_000, reference=reference(1)))
    data = csv(
        [Row(amount_vnd=50_000, memo=reference(1)), Row(amount_vnd=7, memo="khong ro")],
        opening_vnd=100,
    )
    async with client_of(app, province.key) as client:
        form = {"account": ACCOUNT, "layout": MAPPING}
        first = await client.post("/v1/statements", data=form, files={"file": ("a.csv", data)})
        assert first.status_code == 202, first.text
        await settled(app)
        again = await client.post("/v1/statements", data=form, files={"file": ("b.csv", data)})
        assert again.json()["id"] == first.json()["id"]
        shown = (await client.get(f"/v1/statements/{first.json()['id']}")).json()
        assert (shown["status"], shown["proven"], shown["lines_new"]) == ("done", True, 2)
        assert (shown["layout"], shown["closing_vnd"]) == ("plain", 50_107)
        listed = (await client.get("/v1/statements", params={"limit": 1})).json()
        assert [one["id"] for one in listed["items"]] == [shown["id"]]

        unnamed = await client.post("/v1/reconciliation-runs", json={"business_date": "2026-11-30"})
        assert unnamed.json()["type"] == "/problems/book-not-named"
        body = {"business_date": "2026-11-30", "book_id": 1}
        run = await client.post("/v1/reconciliation-runs", json=body)
        assert run.status_code == 202, run.text
        await settled(app)
        done = (await client.get(f"/v1/reconciliation-runs/{run.json()['id']}")).json()
        assert (done["status"], done["counts"]["posted"]) == ("done", 1)
        left = (await client.get("/v1/unmatched-transactions")).json()["items"]
        assert [(one["reason"], one["amount_vnd"]) for one in left] == [("UNIDENTIFIED_CREDIT", 7)]
    assert await statuses(engine, notice) == ["paid"]


@pytest.mark.parametrize(
    ("form", "status", "problem"),
    [
        ({"account": ACCOUNT, "layout": "unheard-of"}, 422, "unknown-layout"),
        ({"account": ACCOUNT, "layout": '{"name": 1}'}, 422, "unknown-layout"),
        ({"account": "970436-000"}, 404, "unknown-bank-account"),
        ({"account": "0"}, 404, "unknown-bank-account"),
        ({}, 422, "invalid-request"),
    ],
)
async def test_what_is_refused(
    app: Litestar, province: Province, form: dict[str, str], status: int, problem: str
) -> None:
    """A layout or account that nobody knows, or a form without its parts."""
    async with client_of(app, province.key) as client:
        answer = await client.post("/v1/statements", data=form, files={"file": ("a.csv", b"x")})
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


async def test_an_empty_file_and_another_books_account(app: Litestar, province: Province) -> None:
    """No bytes are no statement, and a key of one book finds no account of the other."""
    async with client_of(app, province.key) as client:
        answer = await client.post(
            "/v1/statements", data={"account": ACCOUNT}, files={"file": ("a.csv", b"")}
        )
        assert answer.json()["type"] == "/problems/empty-file"
    async with client_of(app, province.key_of_one) as client:
        other = {"account": "970436-9876543210"}
        answer = await client.post("/v1/statements", data=other, files={"file": ("a.csv", b"x")})
        assert answer.status_code == 404
        run = {"business_date": "2026-11-30", "book_id": 2}
        assert (await client.post("/v1/reconciliation-runs", json=run)).status_code == 403


async def test_a_file_that_is_no_statement_is_shown_as_refused(
    app: Litestar, province: Province
) -> None:
    """The call is taken; the resource then says which row could not be read."""
    async with client_of(app, province.key) as client:
        answer = await client.post(
            "/v1/statements", data={"account": ACCOUNT}, files={"file": ("a.csv", b"a,b\n1,2\n")}
        )
        assert answer.status_code == 202
        await settled(app)
        shown = (await client.get(f"/v1/statements/{answer.json()['id']}")).json()
        assert shown["status"] == "refused"
        assert "row" in shown["problem"]
