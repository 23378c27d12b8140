"""Refunds and remittances over HTTP: who may do what, and what is answered."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from providers.acting import Payment
from providers.contract import Secret, Terms
from providers.vnpay import ADAPTER
from service.access import staff
from service.access.principals import Role
from service.proof import prove
from tests.service.conftest import Province, client_of
from tests.service.notices import recorded

pytestmark = pytest.mark.anyio

PASSWORD = "a long enough password"
AUDIT = sa.text("""
    select actor_kind, action, outcome, detail from service.audit
    where action not like 'POST /v1/%' and action <> 'sign-in' order by id
""")


class People:
    """A maker, a checker, and one who is both; each with a client of their own."""

    def __init__(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        """Hold them."""
        self.clients = clients

    def __getitem__(self, name: str) -> httpx2.AsyncClient:
        """The client of one of them."""
        return self.clients[name]


@pytest.fixture
async def people(
    app: Litestar, province: Province, engine: AsyncEngine, stranger: httpx2.AsyncClient
) -> AsyncIterator[People]:
    """Give people who are signed in."""
    clients = {}
    roles: dict[str, list[Role]] = {
        "maker": ["maker"],
        "checker": ["checker"],
        "both": ["maker", "checker"],
        "viewer": ["viewer"],
    }
    for name, own in roles.items():
        async with engine.begin() as connection:
            await staff.add(
                connection,
                username=name,
                password=PASSWORD,
                roles=own,
                books=[1, 2],
                now=datetime.now(UTC),
            )
        answer = await stranger.post("/v1/sessions", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        clients[name] = client_of(app, answer.json()["token"])
    yield People(clients)
    for client in clients.values():
        await client.aclose()


async def called(client: httpx2.AsyncClient, province: Province, order_code: str) -> str:
    """Let VNPAY tell of 200,000 đồng for an order; what it is answered."""
    now = datetime.now(UTC)
    payment = Payment(
        order_code=order_code,
        transaction=str(uuid.uuid4().int)[:12],
        amount_vnd=200_000,
        paid_at=now,
    )
    terms = Terms(merchant="HUE00001", secrets=[Secret(province.vnpay_secret)])
    call = ADAPTER.call_as_provider(payment, terms, now)
    answer = await client.get(f"{call.path}?{call.raw_query.decode()}")
    return str(answer.json()["RspCode"])


async def paid(client: httpx2.AsyncClient, province: Province) -> dict[str, Any]:
    """A notice that was paid through VNPAY's callback."""
    notice = await recorded(client, 150_000, 50_000)
    asked = await client.post(
        "/v1/payment-requests", json={"notice_ids": [notice["id"]], "provider": "vnpay"}
    )
    assert asked.status_code == 201, asked.text
    assert await called(client, province, asked.json()["reference"]) == "00"
    return notice


async def test_a_wish_becomes_a_proposal_and_a_refund(
    client: httpx2.AsyncClient, people: People, province: Province, engine: AsyncEngine
) -> None:
    """The one-stop's key wishes, a maker takes it up, a checker approves; each is on record."""
    notice = await paid(client, province)
    new = {"of": "fee", "reason": "refused", "amount_vnd": 60_000, "note": "không đủ điều kiện"}
    asked = await client.post(f"/v1/fee-notices/{notice['id']}/refunds", json=new)
    assert asked.status_code == 201, asked.text
    wish = asked.json()
    assert (wish["status"], wish["amount_vnd"], wish["parts"]) == ("asked", 60_000, [])
    address = f"/v1/refunds/{wish['id']}"
    assert (await people["checker"].post(f"{address}/approval", json={})).status_code == 409
    taken = await people["maker"].post(f"{address}/proposal", json={})
    assert taken.json()["status"] == "proposed", taken.text
    done = await people["checker"].post(f"{address}/approval", json={"reason": "đúng"})
    assert done.json()["status"] == "approved", done.text
    (part,) = done.json()["parts"]
    assert (part["route"], part["payable_vnd"], part["provider"]) == ("provider", 60_000, "vnpay")
    listed = (await client.get("/v1/refunds", params={"status": "approved"})).json()
    assert [one["id"] for one in listed["items"]] == [wish["id"]]
    assert (await client.get(address)).json() == done.json()
    async with engine.connect() as connection:
        rows = (await connection.execute(AUDIT)).all()
    told = [(row.actor_kind, row.action.split()[0], row.outcome) for row in rows]
    assert told == [
        ("staff", "POST", "refused"),
        ("staff", "refund", "allowed"),
        ("staff", "refund", "allowed"),
    ]
    assert rows[0].detail == {"code": "nothing-proposed"}
    assert [finding async for finding in prove(engine)] == []


async def test_money_of_no_notice_is_given_back_from_its_case(
    client: httpx2.AsyncClient, people: People, province: Province, engine: AsyncEngine
) -> None:
    """The list names the movement, a maker proposes, a checker approves; a key may not."""
    assert await called(client, province, "HUE01ZZZZZZZZZ") == "01"
    listed = (await people["viewer"].get("/v1/unmatched-transactions")).json()
    (case,) = listed["items"]
    assert (case["reason"], case["subject_kind"]) == ("UNIDENTIFIED_CREDIT", "movement")
    new = {"movement_id": case["subject_id"], "reason": "not_ours"}
    assert (await client.post("/v1/refunds", json=new)).status_code == 403
    made = await people["maker"].post("/v1/refunds", json=new)
    assert made.status_code == 201, made.text
    assert (made.json()["of"], made.json()["amount_vnd"]) == ("suspense", 200_000)
    address = f"/v1/refunds/{made.json()['id']}"
    done = await people["checker"].post(f"{address}/approval", json={})
    assert done.json()["status"] == "approved", done.text
    again = await people["maker"].post("/v1/refunds", json=new)
    assert (again.status_code, again.json()["type"][-17:]) == (409, "nothing-to-refund")
    assert [finding async for finding in prove(engine)] == []


async def test_the_same_person_is_refused_and_that_is_on_record(
    client: httpx2.AsyncClient, people: People, province: Province, engine: AsyncEngine
) -> None:
    """Invariant 7 over HTTP: 403 same-person, and the attempt is in the audit log."""
    notice = await paid(client, province)
    made = await people["both"].post(
        f"/v1/fee-notices/{notice['id']}/refunds", json={"of": "fee", "reason": "refused"}
    )
    address = f"/v1/refunds/{made.json()['id']}"
    refused = await people["both"].post(f"{address}/approval", json={})
    assert (refused.status_code, refused.json()["type"][-11:]) == (403, "same-person")
    async with engine.connect() as connection:
        rows = (await connection.execute(AUDIT)).all()
    assert [(row.outcome, row.detail.get("code")) for row in rows] == [
        ("allowed", None),
        ("refused", "same-person"),
    ]
    rejected = await people["checker"].post(f"{address}/rejection", json={"reason": "sai"})
    assert rejected.json()["status"] == "rejected"


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("viewer", "POST", "/v1/fee-notices/{id}/refunds"),
        ("checker", "POST", "/v1/fee-notices/{id}/refunds"),
        ("maker", "POST", "/v1/refunds/{id}/approval"),
        ("checker", "POST", "/v1/refunds/{id}/proposal"),
        ("maker", "POST", "/v1/refunds/{id}/rejection"),
        ("checker", "POST", "/v1/refunds/{id}/outcome"),
        ("checker", "POST", "/v1/remittances"),
        ("maker", "POST", "/v1/remittances/{id}/approval"),
        ("maker", "POST", "/v1/recognitions/{id}/approval"),
    ],
)
async def test_roles_open_only_what_they_name(
    people: People, who: str, method: str, path: str
) -> None:
    """403 for a role that may not; no role has both sides of a decision."""
    answer = await people[who].request(method, path.format(id=uuid.uuid4()), json={})
    assert (answer.status_code, answer.json()["type"][-9:]) == (403, "forbidden")


async def test_a_key_neither_proposes_nor_decides(client: httpx2.AsyncClient) -> None:
    """The one-stop's key has every scope a key can have, and none of these."""
    for path in ("refunds/{}/approval", "refunds/{}/proposal", "remittances/{}/approval"):
        answer = await client.post(f"/v1/{path.format(uuid.uuid4())}", json={})
        assert answer.status_code == 403, path
    assert (await client.post("/v1/remittances", json={"rule": "monthly"})).status_code == 403


async def test_a_repeated_call_has_one_effect(
    client: httpx2.AsyncClient, people: People, province: Province
) -> None:
    """Invariant 11: the same key gives the same refund; another body is refused."""
    notice = await paid(client, province)
    address = f"/v1/fee-notices/{notice['id']}/refunds"
    key = {"Idempotency-Key": uuid.uuid4().hex}
    new = {"of": "fee", "reason": "refused", "amount_vnd": 1_000}
    first = await people["maker"].post(address, json=new, headers=key)
    again = await people["maker"].post(address, json=new, headers=key)
    assert (first.status_code, again.json()) == (201, first.json())
    other = await people["maker"].post(address, json={**new, "amount_vnd": 2_000}, headers=key)
    assert other.status_code == 422
    above = await people["maker"].post(address, json={**new, "amount_vnd": 199_001})
    assert (above.status_code, above.json()["type"][-14:]) == (409, "refund-exceeds")
    assert "199000" in above.json()["detail"]


async def test_the_payee_is_shown_to_people_alone(
    client: httpx2.AsyncClient, people: People, province: Province, engine: AsyncEngine
) -> None:
    """Where a transfer goes is sealed; the one-stop's key does not read it back (choice 13)."""
    notice = await paid(client, province)
    payee = {"bin": "970436", "account": "0071001234567", "name": "NGUYEN THI LUU"}
    new = {"of": "fee", "reason": "refused", "by_transfer": True, "payee": payee}
    made = await people["maker"].post(f"/v1/fee-notices/{notice['id']}/refunds", json=new)
    assert made.json()["payee"] == payee
    address = f"/v1/refunds/{made.json()['id']}"
    assert (await client.get(address)).json()["payee"] is None
    async with engine.connect() as connection:
        row = (await connection.execute(sa.text("select * from service.refund"))).one()
    assert not any("0071001234567" in str(value) for value in row if not isinstance(value, bytes))
    assert b"0071001234567" not in bytes(row.payee_sealed)


async def test_a_remittance_is_proposed_over_http(
    client: httpx2.AsyncClient, people: People, province: Province
) -> None:
    """Today is not over, so what was paid today is not taken apart; a book has to be named."""
    await paid(client, province)
    unnamed = await people["maker"].post("/v1/remittances", json={"rule": "monthly"})
    assert (unnamed.status_code, unnamed.json()["type"][-14:]) == (422, "book-not-named")
    body = {"rule": "monthly", "book_id": 1}
    nothing = await people["maker"].post("/v1/remittances", json=body)
    assert (nothing.status_code, nothing.json()["type"][-16:]) == (409, "nothing-to-remit")
    open_ = await people["maker"].post("/v1/remittances", json={**body, "until": "2099-01-01"})
    assert (open_.status_code, open_.json()["type"][-11:]) == (409, "period-open")
    listed = await client.get("/v1/remittances")
    assert listed.json() == {"items": [], "next_cursor": None}
