"""`doisoat merchants` and `callbacks`: keys come in and never out, every change is audited."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import Book, open_book
from providers import Secret
from service import merchants
from service.asking import unread
from service.cli import main
from service.database import create_engine, transaction
from service.intake import checking
from service.merchants.changes import Unfit, option_of
from service.outbound.sending import Outbound
from service.sealing import Sealer
from service.settings import as_environment, load
from tests.databases import Database
from tests.makers import NOW
from tests.service.conftest import MASTER_KEY, settings_of

OLD, NEW, LAST = "the-first-secret", "the-second-secret", "the-third-secret"
TERMINAL = ("--provider", "vnpay", "--merchant", "HUE00009")
Run = Callable[..., Result]
LIVE = sa.text("select count(*) from service.unmatched where status <> 'resolved'")


@pytest.fixture
def run(fresh_database: Database) -> Run:
    """Run a command over a database with one open book; `secret` is what the environment says."""

    async def book() -> None:
        engine = create_engine(fresh_database.app_url)
        async with transaction(engine) as connection:
            one = Book(book_id=1, code="01", name="Sở Tư pháp", agency_code="H57.23")
            await open_book(connection, one, NOW)
        await engine.dispose()

    asyncio.run(book())
    environment = as_environment(settings_of(fresh_database))

    def command(*words: str, secret: str | None = None, status: int = 0) -> Result:
        variables = environment | ({"DOISOAT_MERCHANT_SECRET": secret} if secret else {})
        result = CliRunner().invoke(main, list(words), env=variables)
        assert result.exit_code == status, result.output
        for key in (OLD, NEW, LAST):
            assert key not in result.output
        return result

    return command


async def audited(database: Database) -> list[tuple[str, str, str]]:
    """What the audit log says, oldest first."""
    connection = await asyncpg.connect(database.app_url)
    try:
        rows = await connection.fetch(
            "select actor, action, subject from service.audit order by id"
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def secrets_of(database: Database) -> list[str]:
    """The terminal's valid secrets, the one that signs first."""
    engine = create_engine(database.app_url)
    async with engine.connect() as connection:
        found = await merchants.find(connection, Sealer(MASTER_KEY), "vnpay", "HUE00009")
    await engine.dispose()
    assert found is not None
    return [str.__str__(secret) for secret in found.secrets]


def test_a_merchant_from_its_first_day_to_its_last(run: Run, fresh_database: Database) -> None:
    """Added, rotated in both orders, finished, disabled: nothing is lost, everything is audited."""
    added = run("merchants", "add", *TERMINAL, "--book", "1", secret=OLD)
    assert added.output.strip().endswith("/callbacks/vnpay/HUE00009")
    run("merchants", "add", *TERMINAL, "--book", "1", secret=OLD, status=1)
    assert asyncio.run(secrets_of(fresh_database)) == [OLD]
    run("merchants", "rotate", *TERMINAL, secret=NEW)
    assert asyncio.run(secrets_of(fresh_database)) == [NEW, OLD]
    run("merchants", "rotate", *TERMINAL, secret=LAST, status=1)
    assert "2 secrets since" in run("merchants", "list").output
    run("merchants", "rotate", *TERMINAL, "--finish")
    run("merchants", "rotate", *TERMINAL, "--finish", status=1)
    assert asyncio.run(secrets_of(fresh_database)) == [NEW]
    run("merchants", "rotate", *TERMINAL, "--verify-only", secret=LAST)
    assert asyncio.run(secrets_of(fresh_database)) == [NEW, LAST]
    run("merchants", "rotate", *TERMINAL, "--finish")
    assert asyncio.run(secrets_of(fresh_database)) == [LAST]
    run("merchants", "disable", *TERMINAL)
    run("merchants", "disable", *TERMINAL, status=1)
    listed = run("merchants", "list").output
    assert "HUE00009" in listed
    assert "disabled" in listed
    told = asyncio.run(audited(fresh_database))
    assert {(actor, subject) for actor, _, subject in told} == {("operator", "vnpay/HUE00009")}
    assert [action.partition(".")[2] for _, action, _ in told] == [
        "add", "rotate", "finish", "rotate", "finish", "disable",
    ]  # fmt: skip


def test_a_disabled_merchant_has_no_list_that_is_unread(
    run: Run, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The case FEED_NOT_READ ends with the merchant: nobody reads its list any more."""
    feed = ("--provider", "sepay", "--merchant", "FEED9")

    async def live(work: Callable[[AsyncConnection], Awaitable[None]] | None = None) -> int:
        engine = create_engine(fresh_database.app_url)
        async with transaction(engine) as connection:
            if work is not None:
                await work(connection)
            count: int | None = await connection.scalar(LIVE)
        await engine.dispose()
        return count or 0

    async def stays_unread(connection: AsyncConnection) -> None:
        found = await merchants.find(connection, Sealer(MASTER_KEY), "sepay", "FEED9")
        assert found is not None
        await unread.tell(connection, found, "the token has run out", NOW, NOW)

    monkeypatch.setenv("DOISOAT_MERCHANT_API_TOKEN", "")
    run("merchants", "add", *feed, "--book", "1", "--mode", "apikey", secret=OLD)
    assert asyncio.run(live(stays_unread)) == 1
    run("merchants", "disable", *feed)
    assert asyncio.run(live()) == 0


async def settings_kept(database: Database) -> tuple[dict[str, object], list[int], str]:
    """The terminal's settings, the books it serves, and its mode."""
    engine = create_engine(database.app_url)
    async with engine.connect() as connection:
        found = await merchants.find(connection, Sealer(MASTER_KEY), "vnpay", "HUE00009")
    await engine.dispose()
    assert found is not None
    return dict(found.settings), sorted(found.serves), found.mode


def test_what_settlements_need_of_a_merchant_can_be_said(
    run: Run, fresh_database: Database
) -> None:
    """The settings that the page about settlement files names are taken, and are no fault."""
    told = [
        "settlement_mapping=vnpay",
        "settlement_due_days=2",
        "settlement_grace_days=3",
        "payout_words=QUYET TOAN",
    ]
    options = [word for one in told for word in ("--option", one)]
    run("merchants", "add", *TERMINAL, "--book", "1", *options, secret=OLD)
    kept, _, _ = asyncio.run(settings_kept(fresh_database))
    assert kept == {
        "settlement_mapping": "vnpay",
        "settlement_due_days": 2,
        "settlement_grace_days": 3,
        "payout_words": "QUYET TOAN",
    }
    assert "BAD" not in run("merchants", "check", *TERMINAL, "--no-network").output


def test_a_slip_in_a_merchants_settings_is_mended(run: Run, fresh_database: Database) -> None:
    """Its name is taken for good, so what was said of it can be said anew; secrets stay."""
    address = ("--api-address", "https://one.example/api")
    run("merchants", "add", *TERMINAL, "--book", "1", *address, secret=OLD)
    run("merchants", "change", *TERMINAL, "--api-address", "https://two.example/api",
        "--weak-limit-vnd", "7", "--option", "settlement_due_days=2")  # fmt: skip
    kept = {"api_address": "https://two.example/api", "weak_limit_vnd": 7, "settlement_due_days": 2}
    assert asyncio.run(settings_kept(fresh_database)) == (kept, [1], "")
    run("merchants", "change", *TERMINAL, "--option", "settlement_due_days=", "--option",
        "weak_limit_vnd=")  # fmt: skip
    kept = {"api_address": "https://two.example/api"}
    assert asyncio.run(settings_kept(fresh_database)) == (kept, [1], "")
    assert asyncio.run(secrets_of(fresh_database)) == [OLD]
    told = asyncio.run(audited(fresh_database))
    assert [action for _, action, _ in told] == [
        "merchants.add", "merchants.change", "merchants.change",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--api-address", "two.example"), "no address"),
        (("--option", "x=1"), "has no option x"),
        (("--option", "settlement_mapping=mine"), "no mapping of this name"),
        (("--option", "settlement_due_days=soon"), "days"),
        (("--option", "weak_limit_vnd=-5"), "weak_limit_vnd"),
        (("--mode", "hmac"), "modes of vnpay are: none"),
        (("--serves", "7"), "no such book: 7"),
        ((), "nothing to change"),
    ],
)
def test_what_does_not_fit_a_merchant_changes_nothing(
    run: Run, fresh_database: Database, words: tuple[str, ...], says: str
) -> None:
    """A change is held against the provider as a new merchant is."""
    run("merchants", "add", *TERMINAL, "--book", "1", secret=OLD)
    refused = run("merchants", "change", *TERMINAL, *words, status=1)
    assert says in refused.output
    assert asyncio.run(settings_kept(fresh_database)) == ({}, [1], "")


def test_a_list_that_nobody_agreed_on_is_no_fault(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SePay's token is optional: without it a sound merchant passes its check."""
    feed = ("--provider", "sepay", "--merchant", "SOTUPHAP")
    monkeypatch.setenv("DOISOAT_MERCHANT_API_TOKEN", "")
    run("merchants", "add", *feed, "--mode", "hmac", "--book", "1", secret=OLD)
    told = run("merchants", "check", *feed).output
    assert "BAD" not in told
    assert "api_token" in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--provider", "nobody", "--merchant", "A"), "providers are:"),
        (("--provider", "vnpay", "--merchant", "A", "--mode", "hmac"), "modes of vnpay are: none"),
        (("--provider", "vnpay", "--merchant", "A", "--option", "x=1"), "has no option x"),
        (("--provider", "vnpay", "--merchant", "A", "--option", "x"), "written name=value"),
        (("--provider", "vnpay", "--merchant", "A b"), "the name does not fit"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(
    run: Run, words: tuple[str, ...], says: str
) -> None:
    """A slip is refused before anything is written."""
    refused = run("merchants", "add", *words, "--book", "1", secret=OLD, status=1)
    assert says in refused.output
    assert "HUE" not in run("merchants", "list").output


def test_the_check_says_what_is_wrong(run: Run) -> None:
    """A sound merchant passes without a network; a missing one does not."""
    run("merchants", "add", *TERMINAL, "--book", "1", secret=OLD)
    good = run("merchants", "check", *TERMINAL, "--no-network").output
    assert "1 valid secret, all keys there" in good
    assert "/callbacks/vnpay/HUE00009 (GET)" in good
    assert "BAD" not in good
    run("merchants", "check", "--provider", "vnpay", "--merchant", "B", status=1)


def test_kept_calls_are_listed_and_replayed(run: Run) -> None:
    """With nothing kept, both commands say so and change nothing."""
    assert "no call is kept" in run("callbacks", "list").output
    told = run("callbacks", "replay", "--lane", "order", "--since", "2026-11-01").output
    assert "0 judged: 0 came back (0 new, 0 known already), 0 still not believed" in told
    run("callbacks", "replay", "--provider", "nobody", status=1)


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("a=true", ("a", True)),
        ("a=7", ("a", 7)),
        ("a=007", ("a", "007")),
        ("a=x=y", ("a", "x=y")),
        ("a=", ("a", "")),
        ("a=99999999999999999999", ("a", "99999999999999999999")),
    ],
)
def test_an_option_is_read_as_it_is_written(text: str, option: tuple[str, object]) -> None:
    """Only what is surely a truth or a number is one; the rest is text."""
    assert option_of(text) == option


def test_an_option_without_a_name_is_refused() -> None:
    """There must be something to set."""
    with pytest.raises(Unfit):
        option_of("=1")


def test_a_key_in_the_environment_is_no_setting() -> None:
    """The service starts where an operator's keys stand in the environment."""
    given = {name: text for name, text in os.environ.items() if not name.startswith("DOISOAT_")}
    assert load(given | {"DOISOAT_MERCHANT_ACCESS_KEY": "x"}).port


@contextlib.asynccontextmanager
async def provider_that_says(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A provider on this machine that always answers so, its address, and what it was asked.

    None: nobody answers there.
    """
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(answer or b"") + (answer or b""))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    if answer is None:
        server.close()
        await server.wait_closed()
    yield f"http://{host}:{port}/query", asked
    server.close()
    await server.wait_closed()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "says"),
    [(None, "could not be reached"), (b"<html>", "not proven"), (b"{}", "")],
)
async def test_the_question_to_the_provider_is_harmless(answer: bytes | None, says: str) -> None:
    """About an order that does not exist; whatever comes back is told and is no exception."""
    async with provider_that_says(answer) as (address, asked), Outbound() as outbound:
        merchant = merchants.Merchant(
            id=1, provider="vnpay", merchant="A", book_id=1, serves=frozenset({1}), mode="",
            settings={"api_address": address}, secrets=(Secret(OLD),),
        )  # fmt: skip
        found = await checking.ask(merchant, outbound, datetime.now(UTC))
    assert found.good is False
    assert says in found.text
    assert len(asked) == (answer is not None)
    assert OLD.encode() not in b"".join(asked)
