"""What is hashed: every fact of an entry, in an encoding that never changes."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import hashing
from ledger.entries import Entry, Line

ENTRY = Entry(
    book_id=7,
    id=UUID(int=1),
    source="vnpay:1",
    kind="payment",
    happened_at=datetime(2026, 11, 2, 3, 4, 5, 678901, tzinfo=UTC),
    value_date=date(2026, 11, 2),
    concerns_day=None,
    lines=(Line(debit="1130", credit="1383", amount_vnd=150_000, merchant="Huế"),),
)
POSTING = UUID(int=2)
RECORDED_US = 1_793_588_645_000_001
DAY = date(2026, 11, 2).toordinal()
ANOTHER = UUID(int=9)


def digest(
    entry: Entry,
    posting_id: UUID = POSTING,
    recorded_us: int = RECORDED_US,
    day: int = DAY,
    segment: int = 3,
) -> bytes:
    """Hash an entry as post() and prove() do."""
    head = hashing.head_bytes(entry, posting_id, recorded_us, day, segment, len(entry.lines))
    lines = [hashing.line_bytes(number, one) for number, one in enumerate(entry.lines, 1)]
    return hashing.seal_entry(head, lines)[0]


def test_the_encoding_of_version_one_is_fixed() -> None:
    """Entries written years ago must still recompute, so this value never changes."""
    assert digest(ENTRY).hex() == "d72cceec9025a893a36d9724609eedd539f8a79a5194a4eb7c639e89e7c49dfc"


@pytest.mark.parametrize(
    "change",
    [
        {"book_id": 8},
        {"id": ANOTHER},
        {"source": "vnpay:2"},
        {"kind": "refund"},
        {"happened_at": ENTRY.happened_at + timedelta(microseconds=1)},
        {"value_date": date(2026, 11, 3)},
        {"concerns_day": date(2026, 11, 1)},
        {"reverses": ANOTHER},
        {"shared_id": ANOTHER},
        {"lines": ENTRY.lines * 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_fact_of_an_entry_changes_its_hash(change: dict[str, object]) -> None:
    """No column of an entry can be changed under its hash (invariant 1)."""
    assert digest(msgspec.structs.replace(ENTRY, **change)) != digest(ENTRY)


@pytest.mark.parametrize(
    "change",
    [
        {"debit": "1121"},
        {"credit": "3380"},
        {"amount_vnd": 150_001},
        {"notice_id": ANOTHER},
        {"item_id": ANOTHER},
        {"movement_id": ANOTHER},
        {"bank_account_id": 0},
        {"merchant": None},
        {"merchant": ""},
        {"budget_subsection": ""},
    ],
    ids=lambda change: "{}={!r}".format(*next(iter(change.items()))),
)
def test_every_fact_of_a_line_changes_the_hash(change: dict[str, object]) -> None:
    """No column of a line can be changed under the hash of its entry (invariant 1)."""
    changed = msgspec.structs.replace(ENTRY.lines[0], **change)
    assert digest(msgspec.structs.replace(ENTRY, lines=(changed,))) != digest(ENTRY)


def test_what_the_ledger_adds_is_hashed_too() -> None:
    """Posting, time of recording, day and segment are under the hash."""
    assert (
        len(
            {
                digest(ENTRY),
                digest(ENTRY, posting_id=ANOTHER),
                digest(ENTRY, recorded_us=RECORDED_US + 1),
                digest(ENTRY, day=DAY + 1),
                digest(ENTRY, segment=4),
            }
        )
        == 5
    )


TEXTS = st.text(alphabet="1:ế", max_size=3)


@given(one=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
def test_texts_cannot_flow_into_each_other(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    """Two lines with different texts never share an encoding, wherever the boundaries are."""

    def encoded(texts: tuple[str, str, str, str]) -> bytes:
        debit, credit, merchant, budget = texts
        told = Line(
            debit=debit, credit=credit, amount_vnd=1, merchant=merchant, budget_subsection=budget
        )
        return hashing.line_bytes(1, told)

    assert (encoded(one) == encoded(other)) == (one == other)


def test_a_digest_does_not_depend_on_the_order_of_entries() -> None:
    """A posting's digest is over its entries in order of id."""
    pairs = [(UUID(int=number), bytes([number]) * 32) for number in range(1, 4)]
    forwards = hashing.posting_digest(1, POSTING, pairs)
    assert hashing.posting_digest(1, POSTING, reversed(pairs)) == forwards
    assert hashing.posting_digest(1, POSTING, pairs[:2]) != forwards
