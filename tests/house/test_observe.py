"""What operators see: log lines, figures and health, and what must not be in them."""

import asyncio
import json
import logging
import re

import pytest
import sqlalchemy as sa
import structlog
from litestar import Litestar, get
from litestar.params import FromPath
from litestar.testing import AsyncTestClient
from sqlalchemy.ext.asyncio import AsyncEngine

from service.database import create_engine
from service.migrations import run
from service.observe import logs, metrics
from service.observe.health import Health, ready
from service.observe.requests import observe
from tests.databases import Database

pytestmark = pytest.mark.anyio

NAME = "Nguyễn Thị Hương"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Read what was logged; standard output must have got none of it."""
    told = capsys.readouterr()
    assert told.out == ""
    return [json.loads(line) for line in told.err.splitlines()]


@get("/notices/{code:str}", sync_to_thread=False)
def show(code: FromPath[str]) -> str:
    """Answer, or break as told."""
    structlog.contextvars.bind_contextvars(outcome="shown")
    if code == "break":
        raise ValueError(NAME)
    return code


def application() -> Litestar:
    """Give a small application that is observed."""
    app = Litestar([show], openapi_config=None, logging_config=None)
    observe(app)
    return app


async def test_a_request_is_one_line_without_path_or_query(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line has the template, the status and an id; neither the path's values nor the query."""
    logs.configure("json")
    async with AsyncTestClient(application()) as client:
        answer = await client.get("/notices/H57-secret", params={"vnp_OrderInfo": NAME})
    (line,) = lines(capsys)
    assert line["event"] == "request"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/notices/{code}", 200)
    assert line["outcome"] == "shown"
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in json.dumps(line)
    assert "Nguy" not in json.dumps(line)


async def test_a_request_without_a_route_is_seen_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A scan for unknown addresses is one line each, under one label."""
    logs.configure("json")
    async with AsyncTestClient(application()) as client:
        await client.get("/wp-login.php")
    (line,) = lines(capsys)
    assert (line["route"], line["status"]) == ("none", 404)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-12345678", True), ("x", False), ("a b c d e f g h", False), ("a" * 65, False)],
)
async def test_a_plain_request_id_is_kept(given: str, *, kept: bool) -> None:
    """A caller's id is taken where it cannot disturb a log; else one is made."""
    async with AsyncTestClient(application()) as client:
        answer = await client.get("/notices/1", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is kept


async def test_a_failure_is_told_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure's line says what and where; what the payer wrote is not in it."""
    logs.configure("json")
    try:
        show.fn("break")
    except ValueError:
        structlog.get_logger().exception("broken")
    (line,) = lines(capsys)
    assert str(line["failure"]).startswith("ValueError\n")
    assert "test_observe.py" in str(line["failure"])
    assert NAME not in json.dumps(line, ensure_ascii=False)


async def test_a_database_error_does_not_carry_the_row(
    capsys: pytest.CaptureFixture[str], engine: AsyncEngine
) -> None:
    """PostgreSQL quotes the row it refused; a log line has the SQLSTATE only."""
    logs.configure("json")
    bad = sa.text("""
        insert into service.staff (id, username, password_hash, roles, books, created_at)
        values (gen_random_uuid(), :name, '', '{}', '{}', now())
    """)

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.execute(bad, {"name": NAME})

    with pytest.raises(sa.exc.IntegrityError) as refused:
        await write()
    structlog.get_logger().error("refused", exc_info=refused.value)
    logging.getLogger("library").error("refused too", exc_info=refused.value)
    told = lines(capsys)
    assert len(told) == 2
    for line in told:
        assert "(23514)" in str(line["failure"])
        assert NAME not in json.dumps(line, ensure_ascii=False)


async def test_a_lost_task_does_not_tell_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Asyncio prints the exception of a task nobody asked; the log keeps its first line."""
    logs.configure("json")
    context = {"message": f"Task exception was never retrieved\nfuture: {NAME}"}
    asyncio.get_running_loop().call_exception_handler(context)
    (line,) = lines(capsys)
    assert line["event"] == "Task exception was never retrieved"


def test_libraries_do_not_log_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    """An HTTP client's ordinary lines, which hold addresses with queries, are dropped."""
    logs.configure("json", "debug")
    logging.getLogger("httpx").info("GET https://example.test/?token=1")
    logging.getLogger("library").info("hello")
    assert [line["event"] for line in lines(capsys)] == ["hello"]


def test_a_desk_may_see_messages(capsys: pytest.CaptureFixture[str]) -> None:
    """At level debug a failure says what it says, cause by cause."""
    logs.configure("console", "debug")
    try:
        try:
            show.fn("break")
        except ValueError as error:
            raise KeyError("outer") from error
    except KeyError:
        structlog.get_logger().exception("broken")
    told = capsys.readouterr().err
    assert re.search(r"KeyError: 'outer'(.|\n)*ValueError: " + NAME, told)


async def test_requests_are_measured_by_template() -> None:
    """Every path of a route is one series; an invented method is no new label."""
    async with AsyncTestClient(application()) as client:
        for number in range(3):
            await client.get(f"/notices/{number}")
        await client.request("BREW", "/notices/1")
    told = metrics.exposition().decode()
    count = (
        r'doisoat_http_request_seconds_count\{method="GET",route="/notices/\{code\}",status="200"'
    )
    found = re.search(count + r"\} ([0-9.]+)", told)
    assert found is not None
    assert float(found[1]) >= 3
    assert "BREW" not in told
    assert 'method="other"' in told


async def test_ready_says_why_it_is_not(engine: AsyncEngine) -> None:
    """A process is ready with a migrated database, and says which of two things is missing."""
    assert await ready(engine, run.head()) == Health(ready=True, database="ok")
    assert await ready(engine, "9999") == Health(ready=False, database="not-migrated")
    away = create_engine("postgresql://app@/doisoat?host=/nowhere")
    assert await ready(away, run.head()) == Health(ready=False, database="unreachable")
    await away.dispose()


async def test_an_empty_database_is_not_ready(empty_database: Database) -> None:
    """A database without our tables is not ready, and that is no error."""
    pool = create_engine(empty_database.owner_url)
    assert await ready(pool, run.head()) == Health(ready=False, database="not-migrated")
    await pool.dispose()
