"""Runs: only what is unique from both sides is posted, once, and a second run finds nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import Book, open_book
from service.database import create_engine
from service.reconciliation import runs, working
from service.reconciliation.runs import reconcile
from tests.databases import Databases
from tests.service.reconciliation.making import UNTIL, Owed, ask, live, owe, reference, statuses
from tests.service.reconciliation.transfers import statement_line
from tests.service.statements.making import (
    Row,
    add_account,
    balance,
    csv,
    every,
    import_bytes,
    one,
    tables,
)

pytestmark = pytest.mark.anyio

A = "000.00.23.H57-261101-0001"
B = "000.00.23.H57-261101-0002"
C = "000.00.23.H57-261101-0303"


async def bank(engine: AsyncEngine, *rows: Row) -> None:
    """A statement of the first book's account."""
    account = await add_account(engine)
    await import_bytes(engine, account, csv(rows, opening_vnd=0))


async def test_a_reference_and_a_whole_code_pay_their_notices(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Exact amounts are posted by rule, claimed once, and their cases end (invariants 5, 6)."""
    first, second = await owe(
        engine,
        Owed(dossier=A, amount_vnd=200_000, reference=reference(1)),
        Owed(dossier=B, amount_vnd=200_000),
    )
    await bank(
        engine,
        Row(amount_vnd=200_000, memo=f"MBVCB.5718214601.{reference(1)}.CT tu 27078"),
        Row(amount_vnd=200_000, memo=f"nop phi {B} cam on"),
    )
    run = await reconcile(engine, 1, UNTIL)
    assert (run.status, run.counts.posted, run.counts.by_rule) == ("done", 2, {"R2": 1, "R3": 1})
    assert await statuses(engine, first, second) == ["paid", "paid"]
    assert await live(engine) == []
    assert await balance(engine, "3380") == 0
    assert await balance(engine, "1383") == 0
    claims = await every(engine, "select item_kind, rule from service.claim order by rule")
    assert claims == [("movement", "R2"), ("movement", "R3")]
    told = await every(engine, "select count(*) from service.outbox where type like '%paid'")
    assert told == [(2,)]


async def test_other_amounts_by_reference(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Below due is partly paid, above due is paid and the rest held, each with its case."""
    under, over = await owe(
        engine,
        Owed(dossier=A, amount_vnd=200_000, reference=reference(1)),
        Owed(dossier=B, amount_vnd=100_000, reference=reference(2)),
    )
    await bank(
        engine,
        Row(amount_vnd=150_000, memo=reference(1)),
        Row(amount_vnd=130_000, memo=reference(2)),
    )
    await reconcile(engine, 1, UNTIL)
    assert await statuses(engine, under, over) == ["partially_paid", "paid"]
    assert await live(engine) == [("OVERPAYMENT", 30_000), ("UNDERPAYMENT", 150_000)]
    assert await balance(engine, "3381") == -30_000


async def test_a_second_payment_and_one_after_cancelling_are_held(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """By reference to a paid notice, or an expired request: whole to 3381, the notice unchanged."""
    (paid,) = await owe(engine, Owed(dossier=A, amount_vnd=50_000, reference=reference(1)))
    (late,) = await owe(
        engine,
        Owed(dossier=B, amount_vnd=70_000, reference=reference(2)),
        expires_at=datetime(2026, 11, 1, 8, tzinfo=UTC),
    )
    account = await add_account(engine)
    await import_bytes(engine, account, csv([Row(amount_vnd=50_000, memo=reference(1))]))
    await reconcile(engine, 1, UNTIL)
    again = [
        Row(amount_vnd=50_000, memo=f"lan hai {reference(1)}", day=2),
        Row(amount_vnd=70_000, memo=reference(2), day=2),
    ]
    await import_bytes(engine, account, csv(again))
    await reconcile(engine, 1, UNTIL)
    assert await statuses(engine, paid, late) == ["paid", "open"]
    assert await live(engine) == [("DUPLICATE_PAYMENT", 50_000), ("PAID_EXPIRED_ORDER", 70_000)]
    assert await balance(engine, "3381") == -120_000


async def test_two_that_fit_one_notice_are_left_to_people(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Unique from both sides or not at all: neither of two equal claims is posted."""
    (notice,) = await owe(engine, Owed(dossier=A, amount_vnd=50_000, reference=reference(1)))
    await bank(
        engine,
        Row(amount_vnd=50_000, memo=reference(1)),
        Row(amount_vnd=50_000, memo=f"{reference(1)} nop thay"),
    )
    run = await reconcile(engine, 1, UNTIL)
    assert run.counts.posted == 0
    assert await statuses(engine, notice) == ["open"]
    assert await live(engine) == [("AMBIGUOUS", 50_000)] * 2


async def test_money_for_another_book_is_named_so(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A reference or dossier of another unit's book is a case with the right candidate first."""
    other, dossier = await owe(
        engine,
        Owed(dossier=A, amount_vnd=50_000, reference=reference(1, "02"), book_id=2),
        Owed(dossier=B, amount_vnd=60_000, book_id=2),
    )
    await add_account(engine, 2, "999")
    await bank(
        engine,
        Row(amount_vnd=50_000, memo=reference(1, "02")),
        Row(amount_vnd=60_000, memo=f"nop {B}"),
    )
    await reconcile(engine, 1, UNTIL)
    rows = await every(
        engine,
        "select reason, candidates -> 0 ->> 'id' from service.unmatched order by amount_vnd",
    )
    assert rows == [("WRONG_ACCOUNT", str(other)), ("WRONG_ACCOUNT", str(dossier))]
    assert await statuses(engine, other, dossier) == ["open", "open"]


async def test_a_damaged_reference_and_a_name_suggest(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """One wrong letter, a cut, a wrong digit, or amount with a name: never posted, ranked first."""
    good = reference(123_456_789)
    wrong = good[:8] + ("7" if good[8] != "7" else "9") + good[9:]
    notices = await owe(
        engine,
        Owed(dossier=A, amount_vnd=50_000, reference=good),
        Owed(dossier=B, amount_vnd=60_000, name="TRAN THI BICH"),
        Owed(dossier=C, amount_vnd=61_000),
        Owed(dossier="000.00.24.H57-261101-0009", amount_vnd=60_000, name="LE VAN CUONG"),
    )
    await bank(
        engine,
        Row(amount_vnd=50_000, memo=f"nop {wrong}"),
        Row(amount_vnd=60_000, memo="TRAN THI BICH chuyen tien"),
        Row(amount_vnd=61_000, memo="nop phi 000.00.23.H57-261101-0308"),
    )
    run = await reconcile(engine, 1, UNTIL)
    assert run.counts.posted == 0
    rows = await every(
        engine,
        "select reason, candidates -> 0 ->> 'id' from service.unmatched order by amount_vnd",
    )
    expected = [("UNIDENTIFIED_CREDIT", str(notice)) for notice in notices[:3]]
    assert rows == expected


async def test_a_second_run_writes_only_its_own_row(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Rows and checksums of all tables are equal before and after, but for the run's own."""
    await owe(
        engine,
        Owed(dossier=A, amount_vnd=50_000, reference=reference(1)),
        Owed(dossier=B, amount_vnd=60_000, name="TRAN THI BICH"),
        Owed(dossier=C, amount_vnd=60_000, name="TRAN VAN BINH"),
    )
    await bank(
        engine,
        Row(amount_vnd=50_000, memo=reference(1)),
        Row(amount_vnd=60_000, memo="TRAN THI BICH chuyen tien"),
        Row(amount_vnd=61_000, memo=f"nop {B} {C}"),
        Row(amount_vnd=5, memo="khong ro"),
    )
    await reconcile(engine, 1, UNTIL)
    before = await tables(engine)
    second = await reconcile(engine, 1, UNTIL)
    after = await tables(engine)
    assert second.counts.unchanged == second.counts.examined == 3
    assert after.pop("service.run")[0] == before.pop("service.run")[0] + 1
    assert after == before


async def test_a_dry_run_says_what_would_change_and_changes_nothing(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """It counts what the real run then does, and leaves its own row alone."""
    await owe(
        engine,
        Owed(dossier=A, amount_vnd=50_000, reference=reference(1)),
        Owed(dossier=B, amount_vnd=60_000, reference=reference(2)),
    )
    await bank(
        engine,
        Row(amount_vnd=50_000, memo=reference(1)),
        Row(amount_vnd=65_000, memo=reference(2)),
        Row(amount_vnd=60_000, memo="khong ro"),
    )
    before = await tables(engine)
    dry = await reconcile(engine, 1, UNTIL, dry_run=True)
    after = await tables(engine)
    assert after.pop("service.run")[0] == before.pop("service.run")[0] + 1
    assert after == before
    real = await reconcile(engine, 1, UNTIL)
    assert dry.counts == real.counts
    assert real.counts.posted == 2


async def test_what_commits_during_a_run_is_not_missed(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A transaction held open across a run is taken by the next one (must show 6)."""
    early, late = await owe(
        engine,
        Owed(dossier=A, amount_vnd=50_000, reference=reference(1)),
        Owed(dossier=B, amount_vnd=60_000, reference=reference(2)),
    )
    await bank(engine, Row(amount_vnd=50_000, memo=reference(1)))
    held = await engine.connect()
    transaction = await held.begin()
    account = await one(engine, "select id, number from service.bank_account")

    await statement_line(held, int(account["id"]), 60_000, reference(2))
    first = await reconcile(engine, 1, UNTIL)
    assert first.counts.posted == 1
    await transaction.commit()
    await held.close()
    assert await statuses(engine, early, late) == ["paid", "open"]
    second = await reconcile(engine, 1, UNTIL)
    assert second.counts.posted == 1
    assert await statuses(engine, early, late) == ["paid", "paid"]


class _Killed(BaseException):
    """The process is gone."""


async def test_a_killed_run_goes_on(
    engine: AsyncEngine, two_books: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any chunk, the next start finishes the same plan and posts nothing twice."""
    monkeypatch.setattr(working, "CHUNK", 2)
    owed = [
        Owed(dossier=f"000.00.23.H57-261101-{n:04d}", amount_vnd=1_000, reference=reference(n))
        for n in range(1, 10)
    ]
    notices = await owe(engine, *owed)
    rows = [Row(amount_vnd=1_000, memo=str(one.reference)) for one in owed]
    await bank(engine, *rows, Row(amount_vnd=3, memo="khong ro"))
    run_id = await runs.begin(engine, 1, UNTIL)
    for _ in range(20):
        told = 0

        def die(_counts: object) -> None:
            nonlocal told
            told += 1
            if told == 3:
                raise _Killed

        try:
            run = await runs.execute(engine, 1, run_id, die)
        except _Killed:
            continue
        break
    assert run.status == "done"
    assert run.counts.posted == 9
    assert set(await statuses(engine, *notices)) == {"paid"}
    assert await balance(engine, "1383") == 0
    assert await balance(engine, "3380") == -3


async def test_a_run_left_applying_is_finished_by_the_next(
    engine: AsyncEngine, two_books: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run of the book ends the old one first, and the worker's turn ends them all."""
    monkeypatch.setattr(working, "CHUNK", 1)
    owed = [
        Owed(dossier=f"000.00.23.H57-261101-{n:04d}", amount_vnd=1_000, reference=reference(n))
        for n in range(1, 5)
    ]
    await owe(engine, *owed)
    await bank(engine, *[Row(amount_vnd=1_000, memo=str(one.reference)) for one in owed])
    told = 0

    def die(_counts: object) -> None:
        nonlocal told
        told += 1
        if told == 3:
            raise _Killed

    with pytest.raises(_Killed):
        await reconcile(engine, 1, UNTIL, progress=die)
    states = await every(engine, "select status from service.run")
    assert states == [("applying",)]
    assert await runs.resume(engine, 1) == 1
    await reconcile(engine, 1, UNTIL)
    assert await every(engine, "select distinct status from service.run") == [("done",)]
    assert await balance(engine, "1383") == 0


async def test_two_runs_of_a_book_take_turns(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """Started at once, one posts and the other finds nothing left."""
    owed = [
        Owed(dossier=f"000.00.23.H57-261101-{n:04d}", amount_vnd=1_000, reference=reference(n))
        for n in range(1, 8)
    ]
    await owe(engine, *owed)
    await bank(engine, *[Row(amount_vnd=1_000, memo=str(one.reference)) for one in owed])
    both = await asyncio.gather(*(reconcile(engine, 1, UNTIL) for _ in range(2)))
    assert sorted(run.counts.posted for run in both) == [0, 7]


async def test_later_money_waits_for_its_day(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A run for a day leaves alone what moved after it."""
    await owe(engine, Owed(dossier=A, amount_vnd=50_000, reference=reference(1)))
    await bank(engine, Row(amount_vnd=50_000, memo=reference(1), day=3))
    assert (await reconcile(engine, 1, date(2026, 11, 4))).counts.examined == 0
    assert (await reconcile(engine, 1, date(2026, 11, 5))).counts.posted == 1


async def test_what_a_person_proposed_is_left_alone(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A proposed case is neither posted nor changed by the machine."""
    await bank(engine, Row(amount_vnd=50_000, memo=reference(1)))
    async with engine.begin() as connection:
        await connection.execute(sa.text("update service.unmatched set status = 'proposed'"))
    await owe(engine, Owed(dossier=A, amount_vnd=50_000, reference=reference(1)))
    assert (await reconcile(engine, 1, UNTIL)).counts.examined == 0


async def test_a_request_over_two_notices_is_paid_whole(
    engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """One reference, two notices, exactly their sum: both are paid."""
    notices = await owe(engine, Owed(dossier=A, amount_vnd=50_000), Owed(dossier=B, amount_vnd=7))
    await ask(engine, reference(5), list(zip(notices, [50_000, 7], strict=True)))
    await bank(engine, Row(amount_vnd=50_007, memo=reference(5)))
    await reconcile(engine, 1, UNTIL)
    assert await statuses(engine, *notices) == ["paid", "paid"]


async def test_a_poisoned_step_keeps_no_other(
    engine: AsyncEngine, owner_engine: AsyncEngine, two_books: tuple[int, int]
) -> None:
    """A notice whose items contradict its sum fails alone; the rest is posted, dry and real."""
    good, bad = await owe(
        engine,
        Owed(dossier=A, amount_vnd=50_000, reference=reference(1)),
        Owed(dossier=B, amount_vnd=60_000, reference=reference(2)),
    )
    await bank(
        engine,
        Row(amount_vnd=50_000, memo=reference(1)),
        Row(amount_vnd=60_000, memo=reference(2)),
    )
    async with owner_engine.begin() as connection:
        await connection.execute(
            sa.text("update service.notice_item set amount_vnd = 1 where notice_id = :id"),
            {"id": bad},
        )
    dry = await reconcile(engine, 1, UNTIL, dry_run=True)
    run = await reconcile(engine, 1, UNTIL)
    assert (dry.counts.posted, dry.counts.failed) == (1, 1)
    assert (run.status, run.counts.posted, run.counts.failed) == ("done", 1, 1)
    assert await statuses(engine, good, bad) == ["paid", "open"]


PAYMENTS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([500, 1_000, 1_000, 1_500])), max_size=7
)


@given(payments=PAYMENTS, block=st.integers(1, 3))
@settings(max_examples=12)
def test_blocks_do_not_matter(
    databases: Databases, payments: Sequence[tuple[int, int]], block: int
) -> None:
    """However the money is cut into blocks, the same movements are posted, and books tie."""

    async def outcome(url: str, size: int) -> list[tuple[object, ...]]:
        engine = create_engine(url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("service.reconciliation.planning.BLOCK", size)
            try:
                async with engine.begin() as connection:
                    book = Book(book_id=1, code="01", name="Sở Tư pháp", agency_code="H57.23")
                    await open_book(connection, book, datetime(2026, 11, 2, 1, tzinfo=UTC))
                await owe(
                    engine,
                    *(
                        Owed(
                            dossier=f"000.00.23.H57-261101-{n:04d}",
                            amount_vnd=1_000,
                            reference=reference(n) if n % 2 else None,
                        )
                        for n in range(1, 5)
                    ),
                )
                memos = {
                    n: reference(n) if n % 2 else f"000.00.23.H57-261101-{n:04d}"
                    for n in range(1, 5)
                }
                rows = [Row(amount_vnd=vnd, memo=memos[n]) for n, vnd in payments]
                await bank(engine, *rows)
                await reconcile(engine, 1, UNTIL)
                total = sum(vnd for _, vnd in payments)
                stands = [await balance(engine, code) for code in ("1121", "3380", "3381", "1383")]
                assert stands[0] == total
                assert sum(stands) == 4_000
                return await every(
                    engine,
                    "select dossier_code, status, paid_vnd, held_vnd from service.notice_state"
                    " join service.notice on id = notice_id order by 1",
                )
            finally:
                await engine.dispose()

    with databases.clone() as one_by_one, databases.clone() as at_once:
        small = asyncio.run(outcome(one_by_one.app_url, block))
        assert small == asyncio.run(outcome(at_once.app_url, 400))
