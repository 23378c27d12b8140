"""`doisoat settlements map`: how a file would be read, before it is."""

from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from providers.settlements import MAPPINGS, Fact
from providers.settlements.writing import write_csv
from service.cli import settlements

LINE = Fact(
    kind="payment",
    transaction="9001",
    order="HUE01A",
    scope="HUE01A",
    gross_vnd=50_000,
    fee_vnd=550,
    batch="7",
    happened_at=datetime(2026, 11, 3, 3, tzinfo=UTC),
)


def shown(*words: str) -> str:
    """Run the command; its status and what it says."""
    run = CliRunner().invoke(settlements.command, ["map", *words])
    return f"{run.exit_code} {run.output}"


def test_headings_lines_sums_and_what_is_missing_are_shown(tmp_path: Path) -> None:
    """Which heading became which column, the first lines as read, each batch, the trailer."""
    path = tmp_path / "t.csv"
    data = write_csv(MAPPINGS["sandbox"], [LINE])
    path.write_bytes(data.replace(b"Refund", b"Something"))
    told = shown(str(path), "--provider", "sandbox")
    assert told.startswith("0 ")
    for part in (
        "-- thiếu / missing --",
        "không dùng / not used: Something",
        "row 2: payment 9001 HUE01A gross 50,000 fee 550 net 49,450 batch 7 2026-11-03 10:00:00",
        "batch 7: 1 lines, net 49,450, payout chưa báo",
        "the trailer ties, row 3",
    ):
        assert part in told


def test_a_file_that_would_be_refused_says_why(tmp_path: Path) -> None:
    """By row and column; a file without its headings is told what was looked for."""
    path = tmp_path / "t.csv"
    data = write_csv(MAPPINGS["sandbox"], [LINE])
    path.write_bytes(data.replace(b"49450", b"49451", 1))
    told = shown(str(path), "--provider", "sandbox")
    assert told.startswith("1 ")
    assert "row 2, column Net: it is not gross − fee: off by 1 đồng" in told
    path.write_bytes(data.replace(b"Time", b"When"))
    assert "looked for batch: Batch; kind: Type" in shown(str(path), "--provider", "sandbox")


def test_a_shipped_mapping_can_be_printed_edited_and_used(tmp_path: Path) -> None:
    """What `--show-mapping` prints is what `--mapping` takes."""
    path, own = tmp_path / "t.csv", tmp_path / "own.json"
    path.write_bytes(write_csv(MAPPINGS["vnpay"], [LINE]))
    printed = shown(str(path), "--provider", "vnpay", "--show-mapping").removeprefix("0 ")
    own.write_text(printed.replace('"vnpay"', '"our-vnpay"'), encoding="utf-8")
    told = shown(str(path), "--mapping", str(own))
    assert told.startswith("0 cấu trúc / mapping: our-vnpay v1")
    assert shown(str(path), "--provider", "nobody").startswith("1 Error: The settlement's columns")
