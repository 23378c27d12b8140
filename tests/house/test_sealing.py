"""Sealed columns: what comes back, what must not, and erasure."""

import asyncio
import secrets
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from service import sealing
from service.sealing import KeyDropped, KeyNotReady, SealBroken, Sealer
from tests.databases import Database

pytestmark = pytest.mark.anyio

MASTER = bytes(range(32))
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
BEFORE = datetime(2026, 10, 5, 9, tzinfo=UTC)
CONTEXT = b"service.call/sealed/0193"
NAME = "Nguyễn Thị Hương".encode()
COUNT = sa.text("select count(*) from service.data_key")
DROP = sa.text("""
    update service.data_key set wrapped = null, dropped_at = now()
    where book_id = :book_id and month = :month
""")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
async def sealer(engine: AsyncEngine) -> Sealer:
    """Give a sealer that is ready for two books."""
    made = Sealer(MASTER)
    async with engine.begin() as connection:
        await made.prepare(connection, [1, 2], NOW)
    return made


async def test_what_was_sealed_comes_back_in_another_process(
    engine: AsyncEngine, sealer: Sealer
) -> None:
    """A second process with the same master key reads what the first sealed."""
    sealed = sealer.seal(1, NOW, CONTEXT, NAME)
    assert NAME not in sealed
    other = Sealer(MASTER)
    async with engine.connect() as connection:
        await other.prepare_open(connection, [(1, sealed)])
    assert other.open(1, CONTEXT, sealed) == NAME


async def test_equal_values_are_sealed_differently(sealer: Sealer) -> None:
    """Nobody sees from the database that two payers have one name."""
    assert sealer.seal(1, NOW, CONTEXT, NAME) != sealer.seal(1, NOW, CONTEXT, NAME)


async def test_every_changed_byte_is_noticed(sealer: Sealer) -> None:
    """No bit of a sealed value can be flipped, and none cut off."""
    sealed = sealer.seal(1, NOW, CONTEXT, NAME)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((SealBroken, KeyNotReady)):
            sealer.open(1, CONTEXT, bytes(changed))
        with pytest.raises(SealBroken):
            sealer.open(1, CONTEXT, sealed[:place])


async def test_a_value_does_not_open_elsewhere(sealer: Sealer) -> None:
    """A sealed value copied to another row, or another book, does not open."""
    sealed = sealer.seal(1, NOW, CONTEXT, NAME)
    with pytest.raises(SealBroken):
        sealer.open(1, CONTEXT + b"x", sealed)
    with pytest.raises(SealBroken):
        sealer.open(2, CONTEXT, sealed)


async def test_a_dropped_key_erases_its_month_and_no_other(
    engine: AsyncEngine, fresh_database: Database, owner_engine: AsyncEngine
) -> None:
    """After the keeper dropped a month, its values are gone, and the next month's are not."""
    sealer = Sealer(MASTER)
    async with engine.begin() as connection:
        await sealer.prepare(connection, [1], BEFORE)
        await sealer.prepare(connection, [1], NOW)
    old, new = (sealer.seal(1, at, CONTEXT, NAME) for at in (BEFORE, NOW))
    async with owner_engine.begin() as connection:
        await connection.execute(DROP, {"book_id": 1, "month": date(2026, 10, 1)})
    later = Sealer(MASTER)
    async with engine.begin() as connection:
        await later.prepare_open(connection, [(1, old), (1, new)])
        with pytest.raises(KeyDropped):
            await later.prepare(connection, [1], BEFORE)
    with pytest.raises(KeyDropped):
        later.open(1, CONTEXT, old)
    assert later.open(1, CONTEXT, new) == NAME


async def test_a_running_process_forgets_a_dropped_key(
    engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    """A key held in memory is asked for again after a while."""
    clock = Clock()
    sealer = Sealer(MASTER, clock)
    async with engine.begin() as connection:
        await sealer.prepare(connection, [1], NOW)
    sealed = sealer.seal(1, NOW, CONTEXT, NAME)
    async with owner_engine.begin() as connection:
        await connection.execute(DROP, {"book_id": 1, "month": date(2026, 11, 1)})
    clock.now = sealing.CACHE_AGE_MAX_S + 1
    async with engine.begin() as connection:
        await sealer.prepare_open(connection, [(1, sealed)])
    with pytest.raises(KeyDropped):
        sealer.open(1, CONTEXT, sealed)


async def test_a_caller_that_rolls_back_loses_no_key(engine: AsyncEngine) -> None:
    """What was sealed under a key made in a rolled-back transaction can still be read."""
    sealer = Sealer(MASTER)
    async with engine.connect() as connection:
        await sealer.prepare(connection, [1], NOW)
        await connection.rollback()
    sealed = sealer.seal(1, NOW, CONTEXT, NAME)
    other = Sealer(MASTER)
    async with engine.connect() as connection:
        await other.prepare_open(connection, [(1, sealed)])
    assert other.open(1, CONTEXT, sealed) == NAME


async def test_processes_that_race_agree_on_one_key(engine: AsyncEngine) -> None:
    """Ten sealers that meet a new month at once end with one key per book, readable by all."""
    sealers = [Sealer(MASTER) for _ in range(10)]

    async def seal(sealer: Sealer) -> bytes:
        async with engine.begin() as connection:
            await sealer.prepare(connection, [2, 1], NOW)
        return sealer.seal(2, NOW, CONTEXT, NAME)

    values = await asyncio.gather(*(seal(sealer) for sealer in sealers))
    assert {sealer.open(2, CONTEXT, v) for sealer in sealers for v in values} == {NAME}
    async with engine.connect() as connection:
        assert await connection.scalar(COUNT) == 2


async def test_a_full_pool_does_not_stop_a_new_month(
    engine: AsyncEngine, database_url: str
) -> None:
    """A key is made even while every pooled connection is held by someone who waits for it."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for book_id in range(1, 21):
            group.create_task(_hold_and_prepare(engine, book_id))
    async with engine.connect() as connection:
        assert await connection.scalar(COUNT) == 20


async def _hold_and_prepare(engine: AsyncEngine, book_id: int) -> None:
    async with engine.begin() as connection:
        await Sealer(MASTER).prepare(connection, [book_id], NOW)


async def test_another_master_key_opens_nothing(engine: AsyncEngine, sealer: Sealer) -> None:
    """Without the master key a copy of the database says nothing."""
    stranger = Sealer(secrets.token_bytes(32))
    async with engine.connect() as connection:
        with pytest.raises(SealBroken, match="master key"):
            await stranger.prepare(connection, [1], NOW)


async def test_the_cache_is_bounded(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """More books than fit are never all held; the forgotten are read again when needed."""
    monkeypatch.setattr(sealing, "CACHE_SIZE_MAX", 4)
    sealer = Sealer(MASTER)
    async with engine.begin() as connection:
        for book_id in range(10):
            await sealer.prepare(connection, [book_id], NOW)
        with pytest.raises(KeyNotReady):
            sealer.seal(0, NOW, CONTEXT, NAME)
        await sealer.prepare(connection, [0], NOW)
        assert sealer.open(0, CONTEXT, sealer.seal(0, NOW, CONTEXT, NAME)) == NAME
        with pytest.raises(ValueError, match="too many"):
            await sealer.prepare(connection, range(100, 110), NOW)


def test_a_month_is_a_month_in_vietnam() -> None:
    """The last evening of October in Greenwich is November in Huế."""
    assert sealing.month_of(datetime(2026, 10, 31, 17, tzinfo=UTC)) == date(2026, 11, 1)
    assert sealing.month_of(datetime(2026, 10, 31, 16, 59, tzinfo=UTC)) == date(2026, 10, 1)
    with pytest.raises(ValueError, match="aware"):
        sealing.month_of(datetime(2026, 10, 31))  # noqa: DTZ001 (that is the point)


@given(plain=st.binary(max_size=200), context=st.binary(max_size=40), other=st.binary(max_size=40))
def test_secrets_sealed_by_the_master_key_come_back(
    plain: bytes, context: bytes, other: bytes
) -> None:
    """Any bytes come back in their place, and in no other."""
    sealer = Sealer(MASTER)
    sealed = sealer.seal_with_master(context, plain)
    assert sealer.open_with_master(context, sealed) == plain
    for wrong in (sealed[:-1], sealed[:5], b"", b"\x02" + sealed[1:]):
        with pytest.raises(SealBroken):
            sealer.open_with_master(context, wrong)
    if other != context:
        with pytest.raises(SealBroken):
            sealer.open_with_master(other, sealed)


def test_search_hashes_join_within_a_book_only() -> None:
    """Equal words of a book hash alike; other words, books and master keys differ."""
    sealer = Sealer(MASTER)
    found = sealer.search_hash(1, "HUONG")
    assert found == Sealer(MASTER).search_hash(1, "HUONG")
    assert len({found, sealer.search_hash(1, "HOA"), sealer.search_hash(2, "HUONG")}) == 3
    assert found != Sealer(bytes(32)).search_hash(1, "HUONG")


def test_a_short_master_key_is_refused() -> None:
    """A master key of another length is a mistake."""
    with pytest.raises(ValueError, match="32"):
        Sealer(b"short")
