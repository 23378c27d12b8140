"""The unmatched list: every live case once, filtered, paged, aged, and only of one's books."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service.payments.cases import open_cases
from service.payments.sightings import Candidate, Case, FieldVerdict
from service.reports import unmatched_queries
from service.reports.unmatched_queries import Question
from tests.service.conftest import Province, client_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 5, tzinfo=UTC)


def case(book_id: int, reason: str, age_days: int, amount_vnd: int = 1_000) -> Case:
    """A case of this age at NOW."""
    field = FieldVerdict(name="amount_vnd", expected=1, found=2, verdict="differs")
    return Case(
        book_id=book_id,
        subject_kind="movement",
        subject_id=uuid7(),
        side="bank" if reason != "AMOUNT_MISMATCH" else "callback",
        reason=reason,
        provider="bank:970436",
        external_id="FT1",
        amount_vnd=amount_vnd,
        happened_at=NOW - timedelta(days=age_days),
        fields=(field,),
        candidates=(Candidate(id=uuid7(), kind="fee_notice", score=80, fields=(field,)),),
    )


async def add(engine: AsyncEngine, *cases: Case) -> None:
    """Open cases."""
    async with engine.begin() as connection:
        await open_cases(connection, cases, NOW)


async def test_pages_hold_every_case_once(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """Over two books, whatever the size of the page, in one order."""
    await add(engine, *(case(1 + n % 2, "AMBIGUOUS", n) for n in range(11)))
    for limit in (1, 3, 5, 11, 50):
        seen = []
        question = Question(books=[1, 2], now=NOW, limit=limit)
        async with engine.connect() as connection:
            while True:
                page = await unmatched_queries.page(connection, question)
                seen += [(item.book_id, item.id) for item in page.items]
                if page.next_cursor is None:
                    break
                question = Question(books=[1, 2], now=NOW, limit=limit, cursor=page.next_cursor)
        assert len(seen) == 11
        assert seen == sorted(set(seen))


async def test_filters(engine: AsyncEngine, two_books: tuple[int, int]) -> None:
    """By side, reason, age and book; resolved ones are gone."""
    await add(
        engine,
        case(1, "AMBIGUOUS", 0),
        case(1, "UNDERPAYMENT", 3),
        case(1, "AMOUNT_MISMATCH", 4),
        case(2, "AMBIGUOUS", 9),
    )

    async def found(**wanted: object) -> list[tuple[str, int]]:
        question = Question(**({"books": [1, 2], "now": NOW} | wanted))  # type: ignore[arg-type] # by name
        async with engine.connect() as connection:
            page = await unmatched_queries.page(connection, question)
        return [(item.reason, item.age_days) for item in page.items]

    assert await found(side="callback") == [("AMOUNT_MISMATCH", 4)]
    assert await found(reason="AMBIGUOUS") == [("AMBIGUOUS", 0), ("AMBIGUOUS", 9)]
    assert await found(min_age_days=4) == [("AMOUNT_MISMATCH", 4), ("AMBIGUOUS", 9)]
    assert await found(min_age_days=3, reason="UNDERPAYMENT") == [("UNDERPAYMENT", 3)]
    assert await found(books=[2]) == [("AMBIGUOUS", 9)]
    async with engine.begin() as connection:
        await connection.execute(sa.text("update service.unmatched set status = 'resolved'"))
    assert await found() == []


@pytest.mark.parametrize(
    ("age_days", "bucket"),
    [(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3"), (4, "4-7"), (7, "4-7"), (8, "8-30"),
     (30, "8-30"), (31, "31-90"), (90, "31-90"), (91, ">90")],
)  # fmt: skip
async def test_totals_by_age(
    engine: AsyncEngine, two_books: tuple[int, int], age_days: int, bucket: str
) -> None:
    """Each age falls into its bucket, with count and sum."""
    await add(engine, case(1, "AMBIGUOUS", age_days, 5), case(2, "AMBIGUOUS", age_days, 6))
    async with engine.connect() as connection:
        (total,) = await unmatched_queries.totals(connection, Question(books=[1, 2], now=NOW))
    assert (total.reason, total.age, total.count, total.amount_vnd) == ("AMBIGUOUS", bucket, 2, 11)


async def test_over_http(app: Litestar, province: Province, engine: AsyncEngine) -> None:
    """The wire form is DESIGN's; a key sees its own books and nothing of others."""
    await add(engine, case(1, "AMBIGUOUS", 2), case(2, "UNDERPAYMENT", 2))
    async with client_of(app, province.key) as client:
        answer = await client.get("/v1/unmatched-transactions")
        assert answer.status_code == 200
        items = answer.json()["items"]
        assert [item["reason"] for item in items] == ["AMBIGUOUS", "UNDERPAYMENT"]
        assert items[0].keys() >= {
            "id", "side", "provider", "external_id", "amount_vnd", "happened_at", "reason",
            "fields", "candidates", "age_days", "status", "opened_at",
        }  # fmt: skip
        assert items[0]["fields"] == [
            {"name": "amount_vnd", "expected": 1, "found": 2, "verdict": "differs"}
        ]
        assert items[0]["candidates"][0].keys() == {"id", "kind", "score", "fields"}
        bad = await client.get("/v1/unmatched-transactions", params={"cursor": "x"})
        assert bad.status_code == 422
    async with client_of(app, province.key_of_one) as client:
        answer = await client.get("/v1/unmatched-transactions")
        assert [item["book_id"] for item in answer.json()["items"]] == [1]
        other = await client.get("/v1/unmatched-transactions", params={"book_id": 2})
        assert other.status_code == 403
    async with client_of(app) as client:
        assert (await client.get("/v1/unmatched-transactions")).status_code == 401
