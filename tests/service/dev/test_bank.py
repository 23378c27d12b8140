"""The demo's bank: what it states can be read, ties, and stays the same when asked again."""

import io
import stat
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from providers.statements import LAYOUTS, StatementLine
from providers.statements.lines import Totals
from providers.statements.reader import StatementReader
from service.dev.bank import OPENING_VND, Bank, BankMovement

ACCOUNT = "0071004102688"
BEGINS = datetime(2026, 11, 17, 1, tzinfo=UTC)


def moved(amount_vnd: int, hours: int = 0, memo: str = "nop phi") -> BankMovement:
    """A movement some hours after the beginning; negative amounts go out."""
    return BankMovement(
        account=ACCOUNT,
        booked_at=BEGINS + timedelta(hours=hours),
        direction="in" if amount_vnd > 0 else "out",
        amount_vnd=abs(amount_vnd),
        document=f"5078.{hours}",
        memo=memo,
    )


def read(file: bytes | None) -> tuple[list[StatementLine], Totals]:
    """The lines and totals of a statement in the layout it is made for."""
    assert file is not None
    reader = StatementReader(io.BytesIO(file), LAYOUTS["vietcombank"])
    return list(reader), reader.totals()


@given(st.lists(st.integers(-5_000_000, 50_000_000).filter(bool), min_size=1, max_size=40))
def test_a_statement_ties_and_holds_what_moved(
    amounts: list[int],
) -> None:
    """Opening plus lines is closing, and each movement is one line in its order."""
    with tempfile.TemporaryDirectory() as folder:
        bank = Bank(Path(folder) / "bank.jsonl")
        bank.add([moved(amount_vnd, hours) for hours, amount_vnd in enumerate(amounts)])
        lines, totals = read(bank.statement(ACCOUNT, date(2026, 11, 1), date(2026, 12, 31)))
        assert [
            line.amount_vnd if line.direction == "in" else -line.amount_vnd for line in lines
        ] == amounts
        assert totals.ties is True
        assert totals.closing_vnd == OPENING_VND + sum(amounts) == bank.balance_vnd(ACCOUNT)


def test_a_later_statement_shows_the_same_lines_with_the_same_balances(tmp_path: Path) -> None:
    """What is added afterwards changes no line of a statement that was given out before."""
    bank = Bank(tmp_path / "bank.jsonl")
    bank.add([moved(100_000, 1), moved(-11_000, 2)])
    first, _ = read(bank.statement(ACCOUNT, date(2026, 11, 17), date(2026, 11, 17)))
    bank.add([moved(50_000, 3), moved(70_000, 30)])
    second, totals = read(bank.statement(ACCOUNT, date(2026, 11, 17), date(2026, 11, 18)))
    assert [line.balance_vnd for line in second[:2]] == [line.balance_vnd for line in first]
    assert len(second) == 4
    assert totals.ties is True


def test_a_days_statement_begins_with_the_balance_of_the_day_before(tmp_path: Path) -> None:
    """Statements of neighbouring days follow from one another."""
    bank = Bank(tmp_path / "bank.jsonl")
    bank.add([moved(100_000, 1), moved(70_000, 30)])
    _, before = read(bank.statement(ACCOUNT, date(2026, 11, 17), date(2026, 11, 17)))
    _, after = read(bank.statement(ACCOUNT, date(2026, 11, 18), date(2026, 11, 18)))
    assert before.closing_vnd == after.opening_vnd


def test_days_without_movements_have_no_statement(tmp_path: Path) -> None:
    """There is nothing to import where nothing moved."""
    bank = Bank(tmp_path / "bank.jsonl")
    assert bank.statement(ACCOUNT, date(2026, 11, 17), date(2026, 11, 17)) is None
    bank.add([moved(1)])
    assert bank.statement("another", date(2026, 11, 17), date(2026, 11, 17)) is None


def test_the_banks_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Memos and names are in it."""
    bank = Bank(tmp_path / "bank.jsonl")
    bank.add([moved(1)])
    assert stat.S_IMODE((tmp_path / "bank.jsonl").stat().st_mode) == 0o600
