"""Every door is closed that does not name who may open it."""

import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import sqlalchemy as sa
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.ext.asyncio import AsyncEngine

from service.access import api_keys, staff
from service.access.api_keys import NotGrantable
from service.access.guard import OPT, Doorkeeper, allow
from service.access.principals import (
    KEY_SCOPES,
    ROLE_SCOPES,
    ROLES,
    SCOPES,
    STAFF_ONLY,
    Scope,
)
from service.errors import SignInRefused
from service.problems import EXCEPTION_HANDLERS
from tests.service.conftest import Province, client_of
from tests.service.notices import recorded

pytestmark = pytest.mark.anyio

PASSWORD = "một mật khẩu đủ dài"
OPEN = ("/callbacks/", "/health/", "/metrics", "/docs", "/openapi.yaml", "/problems/", "/schema")
AUDIT = sa.text("select actor_kind, actor, action, outcome from service.audit order by id")


def handlers(app: Litestar) -> list[tuple[str, HTTPRouteHandler]]:
    """All routes with their handlers, those that answer OPTIONS by themselves left out."""
    return [
        (route.path, handler)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if handler.http_methods != {"OPTIONS"}
    ]


def test_each_route_names_who_may_open_it(built_app: Litestar) -> None:
    """Scopes everywhere, but for the few that are open by their nature."""
    for path, handler in handlers(built_app):
        allowed = handler.opt.get(OPT)
        if allowed == "anyone":
            assert path.startswith(OPEN) or path == "/v1/sessions", path
        else:
            assert isinstance(allowed, frozenset), path
            assert allowed <= set(SCOPES), path


async def test_a_route_that_names_nothing_is_closed(app: Litestar, province: Province) -> None:
    """Forgetting to say it denies it, even to a key with every scope."""

    @get("/forgotten")
    async def forgotten() -> None:
        """Never reached."""

    door = Doorkeeper()
    bare = Litestar(
        [forgotten],
        guards=[door.authorize],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    bare.state.engine = app.state.engine
    async with client_of(bare, province.key) as known, client_of(bare) as unknown:
        assert (await known.get("/forgotten")).status_code == 403
        assert (await unknown.get("/forgotten")).status_code == 401


async def test_every_closed_call_refuses_a_stranger(
    built_app: Litestar, stranger: httpx2.AsyncClient
) -> None:
    """Without a credential nothing of /v1 answers, whatever the body."""
    for path, handler in handlers(built_app):
        if handler.opt.get(OPT) == "anyone":
            continue
        address = re.sub(r"{\w+:uuid}", "00000000-0000-0000-0000-000000000001", path)
        address = re.sub(r"{\w+:\w+}", "x", address)
        for method in handler.http_methods:
            answer = await stranger.request(method, address)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_opens_only_what_its_scopes_name(
    app: Litestar, province: Province, engine: AsyncEngine
) -> None:
    """403 names the scope that was missing, and the attempt is on record."""
    async with engine.begin() as connection:
        _, key = await api_keys.create(
            connection, name="reader", books=[1], scopes=["notices:read"], now=datetime.now(UTC)
        )
    async with client_of(app, key) as reader:
        assert (await reader.get("/v1/fee-notices")).status_code == 200
        refused = await reader.get("/v1/events")
    assert refused.status_code == 403
    assert "events:read" in refused.json()["detail"]
    async with engine.connect() as connection:
        rows = (await connection.execute(AUDIT)).all()
    assert [(row.actor_kind, row.action, row.outcome) for row in rows] == [
        ("api_key", "GET /v1/events", "refused")
    ]


async def test_a_revoked_key_is_refused(
    app: Litestar, province: Province, client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Once what is remembered of it has gone, the key opens nothing."""
    assert (await client.get("/v1/fee-notices")).status_code == 200
    async with engine.begin() as connection:
        found = await api_keys.listing(connection)
        for key in found:
            assert await api_keys.revoke(connection, key.id, datetime.now(UTC))
            assert not await api_keys.revoke(connection, key.id, datetime.now(UTC))
    app.state.doorkeeper.forget_all()
    assert (await client.get("/v1/fee-notices")).status_code == 401


@pytest.mark.parametrize("scope", sorted(STAFF_ONLY))
async def test_a_key_can_be_neither_maker_nor_checker(
    engine: AsyncEngine, two_books: tuple[int, int], scope: Scope
) -> None:
    """Invariant 7: what only people may do is granted to no key, not even by hand in the table."""
    async with engine.begin() as connection:
        with pytest.raises(NotGrantable):
            await api_keys.create(
                connection,
                name="x",
                books=[1],
                scopes=[scope],
                now=datetime.now(UTC),
            )
        _, key = await api_keys.create(
            connection, name="x", books=[1], scopes=["notices:read"], now=datetime.now(UTC)
        )
        widen = sa.text("update service.api_key set scopes = array[cast(:scope as text)]")
        await connection.execute(widen, {"scope": scope})
        found = await api_keys.find(connection, key)
    assert found is not None
    assert found.scopes == frozenset()


def test_maker_and_checker_share_no_deed() -> None:
    """The one table of roles: who proposes does not decide, and keys have no role's deeds."""
    deeds = {role: ROLE_SCOPES[role] - ROLE_SCOPES["viewer"] for role in ROLES}
    assert not deeds["maker"] & deeds["checker"]
    assert not set(KEY_SCOPES) & STAFF_ONLY
    with pytest.raises(ValueError, match="no such scope"):
        allow("everything")  # type: ignore[arg-type] # what is refused


async def test_the_key_is_stored_nowhere(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Only a hash of the key is in the database."""
    async with engine.begin() as connection:
        _, key = await api_keys.create(
            connection, name="x", books=[1, 2], scopes=KEY_SCOPES, now=datetime.now(UTC)
        )
        dump = await connection.scalar(
            sa.text("select string_agg(t::text, '') from service.api_key as t")
        )
    assert key not in str(dump)
    assert key.removeprefix("dsk_") not in str(dump)


@pytest.fixture
async def people(engine: AsyncEngine, province: Province) -> None:
    """Two people of the first book."""
    async with engine.begin() as connection:
        for username, roles in {"lan": ["maker"], "minh": ["checker", "auditor"]}.items():
            await staff.add(
                connection,
                username=username,
                password=PASSWORD,
                roles=roles,  # type: ignore[arg-type] # names of roles
                books=[1],
                now=datetime.now(UTC),
            )


async def sign_in(
    client: httpx2.AsyncClient, username: str = "lan", password: str = PASSWORD
) -> httpx2.Response:
    """Ask for a session."""
    return await client.post("/v1/sessions", json={"username": username, "password": password})


async def test_a_person_signs_in_works_and_signs_out(
    app: Litestar, stranger: httpx2.AsyncClient, people: None, engine: AsyncEngine
) -> None:
    """The token opens what the role names, until it is ended; each deed is on record."""
    answer = await sign_in(stranger)
    assert answer.status_code == 201
    session = answer.json()
    assert (session["roles"], session["books"]) == (["maker"], [1])
    async with client_of(app, session["token"]) as lan:
        assert (await lan.get("/v1/fee-notices")).status_code == 200
        assert (await lan.post("/v1/fee-notices", json={})).status_code == 403
        assert (await lan.delete("/v1/sessions")).status_code == 204
        assert (await lan.get("/v1/fee-notices")).status_code == 401
    async with engine.connect() as connection:
        rows = (await connection.execute(AUDIT)).all()
    assert [(row.action, row.outcome) for row in rows] == [
        ("sign-in", "allowed"),
        ("POST /v1/fee-notices", "refused"),
        ("DELETE /v1/sessions", "allowed"),
        ("GET /v1/fee-notices", "refused"),
    ]
    assert not any("lan" in row.actor for row in rows)


async def test_a_wrong_name_and_a_wrong_password_are_told_alike(
    stranger: httpx2.AsyncClient, people: None
) -> None:
    """Nobody learns which names exist."""
    wrong = await sign_in(stranger, password="wrong")
    unknown = await sign_in(stranger, username="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_guessing_locks_the_account_for_a_while(engine: AsyncEngine, people: None) -> None:
    """After too many wrong passwords even the right one is refused, until the lock is over."""
    door, now = staff.SignIn(), datetime.now(UTC)
    for _ in range(staff.FAILURES_MAX):
        with pytest.raises(SignInRefused):
            await door(engine, "lan", "wrong", now)
    with pytest.raises(SignInRefused):
        await door(engine, "lan", PASSWORD, now)
    later = now + staff.LOCKED_FOR + timedelta(seconds=1)
    assert (await door(engine, "lan", PASSWORD, later)).username == "lan"


async def test_a_session_ends_by_itself_and_with_the_account(
    engine: AsyncEngine, people: None
) -> None:
    """Expiry, a new password and a closed account each end what was open."""
    door, now = staff.SignIn(), datetime.now(UTC)
    lan, minh = await door(engine, "lan", PASSWORD, now), await door(engine, "minh", PASSWORD, now)
    async with engine.begin() as connection:
        assert await staff.find(connection, lan.token, now) is not None
        assert await staff.find(connection, lan.token, now + staff.SESSION_LASTS) is None
        assert await staff.disable(connection, "lan", now)
        assert await staff.find(connection, lan.token, now) is None
        assert await staff.set_password(connection, "minh", "another long password", now)
        assert await staff.find(connection, minh.token, now) is None
    with pytest.raises(SignInRefused):
        await door(engine, "lan", PASSWORD, now)


async def test_a_flood_of_strangers_does_not_fill_the_audit(
    stranger: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """Refusals are on record up to a bound a minute."""
    for _ in range(80):
        await stranger.get("/v1/fee-notices")
    async with engine.connect() as connection:
        count = await connection.scalar(sa.text("select count(*) from service.audit"))
    assert 0 < count <= 60


async def test_the_audit_cannot_be_changed(engine: AsyncEngine) -> None:
    """The app role may add to the audit, and nothing else."""
    for change in ("update service.audit set action = ''", "delete from service.audit"):
        async with engine.connect() as connection:
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                await connection.execute(sa.text(change))


async def test_a_key_sees_no_more_than_its_books(
    app: Litestar, province: Province, client: httpx2.AsyncClient
) -> None:
    """Ledger reads of another book are refused; without a book they show one's own."""
    await recorded(client, collected_by="H57.31.15")
    async with client_of(app, province.key_of_one) as one:
        assert (await one.get("/v1/ledger/trial-balance?book_id=2")).status_code == 403
        own = (await one.get("/v1/ledger/trial-balance")).json()
    assert [book["book_id"] for book in own["books"]] == [1]
    assert own["debit_vnd"] == 0
