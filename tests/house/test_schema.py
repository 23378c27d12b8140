"""The schema: one history, one readable file, and who may do what."""

import asyncio
from collections import defaultdict
from typing import Final

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.dev import schema
from service.dev.postgres import APP, KEEPER, OWNER, Server
from service.migrations import run
from tests.databases import Database, Databases

ADD: Final = "INSERT SELECT"
CHANGE: Final = "INSERT SELECT UPDATE"

FACTS: Final = (
    "ledger.account",
    "ledger.book",
    "ledger.checkpoint",
    "ledger.checkpoint_balance",
    "ledger.checkpoint_day",
    "ledger.entry",
    "ledger.line",
    "ledger.posting",
    "ledger.segment",
    "service.account_window",
    "service.agency",
    "service.allocation",
    "service.audit",
    "service.bank_account",
    "service.call",
    "service.counter_receipt",
    "service.decision_vote",
    "service.event",
    "service.installation",
    "service.item_split",
    "service.movement",
    "service.notice",
    "service.notice_change",
    "service.notice_item",
    "service.outbox",
    "service.payment_request",
    "service.payment_request_notice",
    "service.procedure",
    "service.refund_item",
    "service.refund_step",
    "service.remittance_line",
    "service.sighting",
    "service.statement_chunk",
    "service.statement_line",
    "service.token",
)
"""What happened: the app may add and read, nobody may change or delete."""

STATE: Final = (
    "ledger.open_day",
    "ledger.summed",
    "service.api_key",
    "service.decision",
    "service.feed_position",
    "service.merchant",
    "service.money_state",
    "service.notice_state",
    "service.recognition",
    "service.refund",
    "service.refund_part",
    "service.remittance",
    "service.run",
    "service.run_step",
    "service.staff",
    "service.staff_session",
    "service.statement",
    "service.unmatched",
)
"""What a constraint needs and `prove` re-derives, and who may come in: the app may also change."""

APP_MAY: Final = (
    dict.fromkeys(FACTS, ADD)
    | dict.fromkeys(STATE, CHANGE)
    | {
        "public.alembic_version": "SELECT",
        "service.data_key": ADD,
        "service.claim": "DELETE INSERT SELECT UPDATE",
        "service.idempotency": "DELETE INSERT SELECT",
        "service.quarantine": "DELETE INSERT SELECT UPDATE",
        "service.notice_item.exempted_vnd": "UPDATE",
        "service.notice_item.paid_vnd": "UPDATE",
        "service.item_split.back_retained_vnd": "UPDATE",
        "service.item_split.back_budget_vnd": "UPDATE",
        "service.remittance_line.back_vnd": "UPDATE",
        "service.outbox.position": "UPDATE",
        "service.bank_account_id_seq": "USAGE",
        "service.merchant_id_seq": "USAGE",
    }
)
KEEPER_MAY: Final = {
    name: "SELECT" for name in APP_MAY if name.count(".") == 1 and not name.endswith("_seq")
} | {
    "service.data_key.wrapped": "UPDATE",
    "service.data_key.dropped_at": "UPDATE",
    "service.quarantine": "DELETE SELECT",
    "service.idempotency": "DELETE SELECT",
    "service.staff_session": "DELETE SELECT",
}

GRANTED: Final = """
    select n.nspname || '.' || c.relname as name,
           case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end as role,
           acl.privilege_type as privilege
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace,
         aclexplode(c.relacl) as acl
    where n.nspname in ('ledger', 'service', 'public') and acl.grantee <> c.relowner
    union all
    select n.nspname || '.' || c.relname || '.' || a.attname,
           case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end,
           acl.privilege_type
    from pg_attribute as a join pg_class as c on c.oid = a.attrelid
    join pg_namespace as n on n.oid = c.relnamespace,
         aclexplode(a.attacl) as acl
    where n.nspname in ('ledger', 'service', 'public') and acl.grantee <> c.relowner
    order by 1, 2, 3
"""
OUTSIDE: Final = """
    select format('%s owns %s', c.relowner::regrole, c.relname)
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('ledger', 'service') and c.relowner <> 'doisoat_owner'::regrole
    union all
    select format('%s may create in %s', role, place)
    from unnest(array['doisoat_app', 'doisoat_keeper']) as role,
         unnest(array['ledger', 'service', 'public']) as place
    where has_schema_privilege(role, place, 'create')
    union all
    select format('%s is more than a login', rolname) from pg_roles
    where rolname in ('doisoat_app', 'doisoat_keeper', 'doisoat_owner')
      and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
    union all
    select format('%s is a member of %s', member::regrole, roleid::regrole) from pg_auth_members
    where member in ('doisoat_app'::regrole, 'doisoat_keeper'::regrole)
"""
TRIGGERS: Final = """
    select tgrelid::regclass::text from pg_trigger where not tgisinternal
"""
WAITING: Final = """
    select exists (
        select from pg_locks as l join pg_database as d on d.oid = l.database
        where l.locktype = 'advisory' and not l.granted and d.datname = current_database())
"""
KEYS_WITHOUT_BOOK: Final = """
    select c.conrelid::regclass::text || ': ' || c.conname
    from pg_constraint as c
    join pg_attribute as a on a.attrelid = c.conrelid and a.attname = 'book_id'
    where c.contype in ('p', 'u', 'f')
      and c.connamespace in ('ledger'::regnamespace, 'service'::regnamespace)
      and c.conkey[1] <> a.attnum
"""
NOT_BY_BOOK: Final = {
    "ledger.book: book_code_key",
    "service.bank_account: bank_account_pkey",
    "service.bank_account: bank_account_bin_number_key",
    "service.merchant: merchant_pkey",
    "service.merchant: merchant_provider_merchant_key",
    "service.agency: agency_pkey",
    "service.idempotency: idempotency_pkey",
    "service.audit: audit_pkey",
}
"""Small tables every shard has a copy of, and what is no money."""


def query(url: str, sql: str) -> list[tuple[str, ...]]:
    """Ask one question of a database."""

    async def ask() -> list[tuple[str, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def may(database: Database, role: str) -> dict[str, str]:
    """List what a role was granted, by table or column."""
    found = defaultdict[str, list[str]](list)
    for name, grantee, privilege in query(database.owner_url, GRANTED):
        if grantee == role:
            found[name].append(privilege)
    return {name: " ".join(privileges) for name, privileges in found.items()}


def test_the_app_may_do_exactly_this(worker_database: Database) -> None:
    """The app role adds facts and changes state (DESIGN choice 3), and nothing else."""
    assert may(worker_database, APP) == APP_MAY


def test_the_keeper_may_do_exactly_this(worker_database: Database) -> None:
    """The keeper reads, drops data keys and clears what expires, and nothing else."""
    assert may(worker_database, KEEPER) == KEEPER_MAY


def test_nobody_else_may_do_anything(worker_database: Database) -> None:
    """Nothing is granted to everybody, and no role can raise itself."""
    assert may(worker_database, "public") == {}
    assert query(worker_database.owner_url, OUTSIDE) == []


def test_money_has_no_triggers_and_every_key_begins_with_the_book(
    worker_database: Database,
) -> None:
    """No trigger anywhere, and no key that a sharded database could not hold (choices 4, 15)."""
    assert query(worker_database.owner_url, TRIGGERS) == []
    odd = {name for (name,) in query(worker_database.owner_url, KEYS_WITHOUT_BOOK)}
    assert odd <= NOT_BY_BOOK


def test_the_committed_schema_is_what_migrations_make(
    server: Server, worker_database: Database
) -> None:
    """service/schema.sql equals a migrated database; `make schema` writes it."""
    assert schema.FILE.read_text(encoding="utf-8") == schema.dump(server, worker_database.name)


def test_the_committed_schema_can_be_loaded(server: Server, databases: Databases) -> None:
    """A database made from service/schema.sql dumps as the same text."""
    with databases.clone("template0") as empty:
        asyncio.run(execute(empty.owner_url, schema.FILE.read_text(encoding="utf-8")))
        assert schema.dump(server, empty.name) == schema.FILE.read_text(encoding="utf-8")


async def execute(url: str, script: str) -> None:
    """Run a script of several statements."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


def test_down_and_up_again(server: Server, fresh_database: Database) -> None:
    """Every migration can be undone to nothing, and done again to the same schema."""
    before = schema.dump(server, fresh_database.name)
    asyncio.run(run.downgrade(fresh_database.owner_url, "base"))
    left = query(fresh_database.owner_url, "select nspname from pg_namespace where nspacl is null")
    assert {("ledger",), ("service",)}.isdisjoint(left)
    assert asyncio.run(run.revision_of(fresh_database.owner_url)) is None
    asyncio.run(run.upgrade(fresh_database.owner_url))
    assert asyncio.run(run.revision_of(fresh_database.owner_url)) == run.head()
    assert schema.dump(server, fresh_database.name) == before


def test_two_migrations_at_once_take_turns(databases: Databases) -> None:
    """A migration waits for the one before it, then does what is left to do."""

    async def take_turns(url: str) -> None:
        first = await asyncpg.connect(url)
        async with first.transaction():
            await first.execute(f"select pg_advisory_xact_lock({run.ADVISORY_LOCK})")
            second = asyncio.create_task(run.upgrade(url))
            while not await first.fetchval(WAITING):
                assert not second.done()
                await asyncio.sleep(0.01)
            assert await first.fetchval("select to_regclass('ledger.line')") is None
        await second
        await first.close()

    with databases.clone("template0") as empty:
        asyncio.run(take_turns(empty.owner_url))
        assert asyncio.run(run.revision_of(empty.owner_url)) == run.head()


def test_a_migration_does_not_wait_for_a_lock(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that meets a held lock gives up, and changes nothing."""

    async def meet() -> None:
        holder = await asyncpg.connect(fresh_database.app_url)
        async with holder.transaction():
            await holder.fetch("select * from service.data_key")
            with pytest.raises(Exception, match="lock timeout"):
                await run.downgrade(fresh_database.owner_url, "base")
        await holder.close()

    monkeypatch.setattr(run, "LOCK_TIMEOUT", "50ms")
    asyncio.run(meet())
    assert asyncio.run(run.revision_of(fresh_database.owner_url)) == run.head()


def test_missing_roles_are_named(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the roles gets a sentence, not a stack of SQL."""
    monkeypatch.setattr(run, "ROLES", (OWNER, "doisoat_nobody"))
    with pytest.raises(run.MissingRoles, match="doisoat_nobody"):
        asyncio.run(run.upgrade(fresh_database.owner_url))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sql",
    [
        "update ledger.line set amount_vnd = 1",
        "delete from ledger.entry",
        "update service.call set sealed = ''",
        "delete from service.outbox",
        "update service.outbox set payload = '{}'",
        "update service.data_key set wrapped = null",
        "truncate service.audit",
        "drop table service.claim",
        "create table service.mine (x integer)",
    ],
)
async def test_the_app_cannot_rewrite_history(engine: AsyncEngine, sql: str) -> None:
    """PostgreSQL itself refuses what would change a fact (invariant 2)."""
    async with engine.connect() as connection:
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            await connection.exec_driver_sql(sql)
