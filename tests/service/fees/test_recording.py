"""Fee notices are recorded once, in canonical form, and booked."""

import asyncio
import uuid
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from service.access.principals import KEY_SCOPES
from tests.service.conftest import Province, client_of
from tests.service.notices import item, notice, recorded

pytestmark = pytest.mark.anyio

COUNTS = sa.text("""
    select (select count(*) from service.notice) as notices,
           (select count(*) from ledger.entry) as entries,
           (select count(*) from service.outbox) as events,
           (select count(*) from service.idempotency) as keys
""")


async def test_a_notice_is_recorded_in_canonical_form_and_booked(
    client: httpx2.AsyncClient,
) -> None:
    """Codes in other notations come back canonical; the assessment stands on 1383 and 3373."""
    made = await recorded(
        client, 200_000, 5_000, procedure_code="3.000333.000.00.00.H57", received_by="00.23.h57"
    )
    assert made["status"] == "open"
    assert made["settled"] is False
    assert (made["amount_vnd"], made["outstanding_vnd"]) == (205_000, 205_000)
    assert made["procedure_code"] == "3.000333"
    assert made["received_by"] == "H57.23"
    assert made["payer"] == {"name": "Nguyễn Thị Lựu", "subject_id": "C-001"}
    trial = (await client.get("/v1/ledger/trial-balance?book_id=1")).json()
    sums = {row["account"]: row["balance_vnd"] for row in trial["books"][0]["rows"]}
    assert (sums["1383"], sums["3373"]) == (205_000, 205_000)
    assert trial["debit_vnd"] == trial["credit_vnd"] == 205_000
    entries = (await client.get(f"/v1/ledger/entries?notice_id={made['id']}")).json()["items"]
    assert [entry["kind"] for entry in entries] == ["fee_assessed"]
    assert [line["item_id"] for line in entries[0]["lines"]] == [i["id"] for i in made["items"]]
    assert (await client.get(f"/v1/fee-notices/{made['id']}")).json() == made


async def test_the_same_key_and_body_has_one_effect_and_one_answer(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Invariant 11, one after another: byte for byte the same answer."""
    headers = {"Idempotency-Key": "k-1"}
    first = await client.post("/v1/fee-notices", json=notice(), headers=headers)
    again = await client.post("/v1/fee-notices", json=notice(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    async with engine.connect() as connection:
        assert tuple((await connection.execute(COUNTS)).one()) == (1, 1, 1, 1)


async def test_another_body_under_a_used_key_is_refused(client: httpx2.AsyncClient) -> None:
    """Invariant 11: a key belongs to one request."""
    headers = {"Idempotency-Key": "k-1"}
    await client.post("/v1/fee-notices", json=notice(), headers=headers)
    other = await client.post("/v1/fee-notices", json=notice(1_000), headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"


async def test_two_hundred_racing_requests_with_one_key_make_one_notice(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Invariant 11, all at once."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answers = await asyncio.gather(
        *(client.post("/v1/fee-notices", json=notice(), headers=headers) for _ in range(200))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    async with engine.connect() as connection:
        assert tuple((await connection.execute(COUNTS)).one()) == (1, 1, 1, 1)


async def test_one_key_of_two_callers_is_two_keys(app: Litestar, province: Province) -> None:
    """What one caller did is neither told nor refused to another."""
    headers = {"Idempotency-Key": "k-1"}
    async with client_of(app, province.key) as one, client_of(app, province.key_of_one) as two:
        first = await one.post("/v1/fee-notices", json=notice(), headers=headers)
        second = await two.post("/v1/fee-notices", json=notice(), headers=headers)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("key", [None, "", "có dấu", "x" * 201, "with blank"])
async def test_a_missing_or_odd_key_is_refused(client: httpx2.AsyncClient, key: str | None) -> None:
    """The header is needed, and is printable ASCII of at most 200 characters."""
    headers = [] if key is None else [(b"Idempotency-Key", key.encode())]
    answer = await client.post("/v1/fee-notices", json=notice(), headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/idempotency-key-missing"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("dossier_code", "abc", "dossier_code"),
        ("dossier_code", "000.00.23.H57-991332-0001", "dossier_code"),
        ("dossier_code", "000.00.23.H57-991231-0001", "dossier_code"),
        ("procedure_code", "9.000333", "procedure_code"),
        ("received_by", "H57.99", "received_by"),
        ("decided_by", "?", "decided_by"),
        ("collected_by", "H57.02", "collected_by"),
        ("amount_vnd", 1, "amount_vnd"),
        ("items", [], "items"),
        ("items", [item()] * 51, "items"),
        ("items", [item(-1)], "items[0].amount_vnd"),
        ("items", [item(10**12 + 1)], "items[0].amount_vnd"),
        ("items", [item(amount_vnd="200000")], "items[0].amount_vnd"),
        ("items", [item(amount_vnd=200000.0)], "items[0].amount_vnd"),
        ("items", [item(amount_vnd=True)], "items[0].amount_vnd"),
        ("items", [item(amount_vnd=10**40)], "items[0].amount_vnd"),
        ("items", [item(name="a\x00b")], "items[0].name"),
        ("items", [item(kind="tax")], "items[0].kind"),
        ("items", [item(surprise=1)], "items[0]"),
        ("channel", "fax", "channel"),
        ("due_on", "31/12/2026", "due_on"),
        ("payer", {"name": "x" * 201}, "payer.name"),
        ("surprise", 1, "body"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_field(
    client: httpx2.AsyncClient, field: str, value: object, told: str
) -> None:
    """Each wrong field is named by its path, and nothing is written."""
    answer = await client.post(
        "/v1/fee-notices", json=notice(**{field: value}), headers={"Idempotency-Key": "k"}
    )
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"] == "/problems/invalid-request"
    assert told in [error["field"] for error in problem["errors"]]


async def test_all_unreadable_codes_are_told_at_once(client: httpx2.AsyncClient) -> None:
    """A caller mends a notice in one go."""
    body = notice(dossier_code="x", procedure_code="x", received_by="x", collected_by="H57.98")
    answer = await client.post("/v1/fee-notices", json=body, headers={"Idempotency-Key": "k"})
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"dossier_code", "procedure_code", "received_by", "collected_by"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"channel": "\\ud800"}', b"[" * 100_000, b"null", b"1e999", b"NaN"],
)
async def test_bytes_that_are_no_fitting_json_are_refused(
    client: httpx2.AsyncClient, body: bytes
) -> None:
    """Unreadable bytes are the caller's problem, never an error of ours."""
    answer = await client.post("/v1/fee-notices", content=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_zero_notice_is_exempt_settled_and_not_posted(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """A zero-đồng notice is valid and counted, without an entry."""
    made = await recorded(client, 0)
    assert (made["status"], made["settled"], made["outstanding_vnd"]) == ("exempt", True, 0)
    async with engine.connect() as connection:
        assert tuple((await connection.execute(COUNTS)).one()) == (1, 0, 1, 1)


async def test_an_ended_agency_still_collects_through_its_successor(
    client: httpx2.AsyncClient,
) -> None:
    """A dossier under a district that ended pays into the book of whoever took over."""
    made = await recorded(client, collected_by="000.00.25.H57")
    assert made["collected_by"] == "H57.25"
    trial = (await client.get("/v1/ledger/trial-balance?book_id=2")).json()
    assert trial["debit_vnd"] == 200_000


async def test_a_key_covers_its_books_only(app: Litestar, province: Province) -> None:
    """A notice of another book can be neither recorded nor seen."""
    async with client_of(app, province.key) as all_, client_of(app, province.key_of_one) as one:
        body = notice(collected_by="H57.31.15")
        refused = await one.post("/v1/fee-notices", json=body, headers={"Idempotency-Key": "k"})
        assert refused.status_code == 403
        assert refused.json()["type"] == "/problems/book-not-covered"
        made = await recorded(all_, collected_by="H57.31.15")
        assert (await one.get(f"/v1/fee-notices/{made['id']}")).status_code == 404
        asked = {"notice_ids": [made["id"]]}
        states = (await one.post("/v1/fee-notices/status", json=asked)).json()
        assert states == {"items": [], "unknown": [made["id"]]}


async def test_pages_hold_every_notice_once(client: httpx2.AsyncClient) -> None:
    """Walking the cursors gives what was recorded, over both books, by status and by dossier."""
    made = [await recorded(client, collected_by=code)
            for code in ("H57.23", "H57.31.15", "H57.23", "H57.31.15", "H57.23")]  # fmt: skip
    zero = await recorded(client, 0)

    async def walk(query: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        for _ in range(10):
            page: dict[str, Any] = (
                await client.get(f"/v1/fee-notices?limit=2{query}{cursor}")
            ).json()
            found += [one["id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        return found

    everything = {one["id"] for one in made} | {zero["id"]}
    for query, wanted in {
        "": everything,
        "&status=open": {one["id"] for one in made},
        "&status=exempt": {zero["id"]},
        f"&dossier_code={made[0]['dossier_code'].lower()}": everything,
        f"&dossier_code={made[0]['dossier_code']}&status=exempt": {zero["id"]},
    }.items():
        found = await walk(query)
        assert len(found) == len(set(found))
        assert set(found) == wanted


@pytest.mark.parametrize("cursor", ["x", "é", "%ff", "AAAA", "k6JhYg", "a" * 2000, "ktlm"])
async def test_a_foreign_cursor_is_refused(client: httpx2.AsyncClient, cursor: str) -> None:
    """A cursor is ours or it is refused."""
    for path in ("/v1/fee-notices?cursor=", "/v1/events?after=", "/v1/ledger/entries?cursor="):
        answer = await client.get(path + cursor)
        assert answer.status_code == (400 if cursor == "%ff" else 422)


async def test_states_are_told_in_the_order_asked(client: httpx2.AsyncClient) -> None:
    """The state of many is one call; what is not there is told apart."""
    one, two = await recorded(client), await recorded(client, 0)
    nobody = str(uuid.uuid4())
    answer = await client.post(
        "/v1/fee-notices/status", json={"notice_ids": [two["id"], nobody, one["id"], two["id"]]}
    )
    told = answer.json()
    assert [state["id"] for state in told["items"]] == [two["id"], one["id"]]
    assert [state["settled"] for state in told["items"]] == [True, False]
    assert told["unknown"] == [nobody]


async def test_the_payer_is_sealed(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    """Neither name nor number of the payer stands anywhere in clear."""
    await recorded(client)
    async with engine.connect() as connection:
        for table in ("notice", "notice_state", "outbox", "idempotency", "audit"):
            text = f"select coalesce(string_agg(t::text, ' '), '') from service.{table} as t"  # noqa: S608 # names above
            dump = str(await connection.scalar(sa.text(text)))
            assert "Lựu" not in dump
            assert "C-001" not in dump
    assert "notices:write" in KEY_SCOPES


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("statsu=open", 422),
        ("limit=1&limit=2", 422),
        ("limit=0", 422),
        ("limit=1.5", 422),
        ("status=null", 422),
        ("limit=%ff", 400),
        ("status=%00", 422),
        ("dossier_code=%00", 422),
        ("dossier_code=%F0%9F%98%80", 422),
        ("limit=9" + "9" * 5000, 422),
        ("&".join(f"x{n}=1" for n in range(60)), 400),
    ],
)
async def test_an_odd_query_is_refused(client: httpx2.AsyncClient, query: str, status: int) -> None:
    """A misspelt filter does not show everything, and odd bytes are no error of ours."""
    answer = await client.get(f"/v1/fee-notices?{query}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
