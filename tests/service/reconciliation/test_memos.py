"""Statements with the memos of the example file, whole: what is exact is matched, nothing wrongly.

Must show 7. Every dossier code and payment reference of the file has its own notice, and many
notices share their amounts.
"""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.accounts import Book, open_book
from service.reconciliation.runs import reconcile
from service.references import dossier_code
from tests.service.reconciliation.making import UNTIL, Owed, owe
from tests.service.statements.making import Row, add_account, csv, every, import_bytes

pytestmark = pytest.mark.anyio

FILE: Final = Path(__file__).parents[2] / "data" / "memo_examples.jsonl"
AMOUNTS: Final = (10_000, 20_000, 50_000, 100_000, 200_000)


class Example(msgspec.Struct):
    """One line of the example file."""

    id: str
    raw_memo: str
    dossier_code: str | None
    payment_ref: str | None
    expected: str
    mutation: str

    @property
    def dossiers(self) -> list[str]:
        """The dossiers it is about."""
        return (self.dossier_code or "").split("|") if self.dossier_code else []


EXAMPLES: Final = [
    msgspec.json.decode(line, type=Example) for line in FILE.read_bytes().split(b"\n") if line
]
MATCHED: Final = frozenset({"exact", "multi"})


async def open_book_of_references(engine: AsyncEngine) -> None:
    """The references of the examples are of book `00`; agencies are those of their dossiers."""
    async with engine.begin() as connection:
        book = Book(book_id=1, code="00", name="Sở Tư pháp", agency_code="H57.23")
        await open_book(connection, book, datetime(2026, 11, 2, 1, tzinfo=UTC))
        agencies = {code.partition("-")[0] for one in EXAMPLES for code in one.dossiers}
        for agency in sorted(agencies):
            await connection.execute(
                sa.text(
                    "insert into service.agency (code, valid_from, legacy_code, name, level)"
                    " values (:code, date '2025-01-01', :code, :code, 'so')"
                ),
                {"code": agency},
            )


async def test_every_example(engine: AsyncEngine) -> None:
    """Exact and combined ones pay their own notices; the rest are cases, the right one first."""
    await open_book_of_references(engine)
    owed: list[Owed] = []
    of_example: dict[str, list[int]] = defaultdict(list)
    amounts: dict[str, int] = {}
    for place, example in enumerate(EXAMPLES):
        for code in example.dossiers:
            of_example[example.id].append(len(owed))
            amount_vnd = AMOUNTS[(place + len(owed)) % len(AMOUNTS)]
            owed.append(Owed(dossier=code, amount_vnd=amount_vnd, reference=example.payment_ref))
        amounts[example.id] = sum(owed[one].amount_vnd for one in of_example[example.id]) or 10_000
    notices = await owe(engine, *owed)
    account = await add_account(engine)
    rows = [
        Row(amount_vnd=amounts[one.id], memo=one.raw_memo, reference=f"REF.{one.id}", day=n // 40)
        for n, one in enumerate(EXAMPLES)
    ]
    await import_bytes(engine, account, csv(rows, opening_vnd=0))
    run = await reconcile(engine, 1, UNTIL)
    assert run.status == "done"

    paid: dict[str, set[UUID]] = defaultdict(set)
    for external_id, notice_id in await every(
        engine,
        "select sighting.traces[1], allocation.notice_id from service.allocation"
        " join service.sighting on sighting.movement_id = allocation.movement_id",
    ):
        paid[str(external_id)].add(UUID(str(notice_id)))
    cases = {
        str(external_id): (reason, msgspec.convert(candidates, list[dict[str, object]]))
        for external_id, reason, candidates in await every(
            engine,
            "select external_id, reason, candidates from service.unmatched"
            " where status <> 'resolved' and subject_kind = 'movement'",
        )
    }
    report: Counter[tuple[str, str]] = Counter()
    for example in EXAMPLES:
        own = {notices[one] for one in of_example[example.id]}
        name = f"REF.{example.id}"
        matched = paid.get(name, set())
        assert matched in (set(), own), f"{example.id} pays another's notice"
        if example.expected in MATCHED:
            assert matched == own, f"{example.id}: {cases.get(name)}"
        if matched:
            report[example.expected, "matched"] += 1
            continue
        assert name in cases, f"{example.id} is neither matched nor a case"
        first = cases[name][1][0]["id"] if cases[name][1] else None
        right = first is not None and UUID(str(first)) in own
        report[example.expected, "right first" if right else "other"] += 1
        if own:
            assert right, f"{example.id} {example.mutation}: {example.raw_memo} {cases[name]}"
    assert report["exact", "matched"] == 66
    assert report["multi", "matched"] == 10
    assert report["no_reference", "matched"] == 0
    assert report["no_match_or_wrong", "matched"] == 0
    assert report["ambiguous", "matched"] == 0
    assert report["recoverable", "matched"] >= 160
    print(dict(report))  # noqa: T201 # the counts are the report


def test_the_codes_of_the_examples_are_real_codes() -> None:
    """Each dossier code of the file is one that could have been recorded."""
    for example in EXAMPLES:
        for code in example.dossiers:
            assert dossier_code.parse(code, today=date(2027, 1, 1)).text == code
