"""Settlement files by a stated mapping: what is read, and every refusal by row and column."""

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
import xlsxwriter  # type: ignore[import-untyped] # it tells no types
from hypothesis import given
from hypothesis import strategies as st

from providers.settlements import (
    MAPPINGS,
    Fact,
    SettlementLine,
    SettlementMapping,
    SettlementReader,
    UnreadableSettlement,
    UnusableMapping,
    mapping_from_json,
)
from providers.settlements.writing import payouts_of, write_csv
from providers.tables import UnreadableTable, workbook, workbook_rows

SANDBOX = MAPPINGS["sandbox"]
WHEN = datetime(2026, 11, 3, 3, 4, 5, tzinfo=UTC)
HEADINGS = "Batch,Type,Transaction,Order,Refund,Time,Gross,Fee,Net,Currency"
GOOD = "7,Payment,9001,HUE01A,,2026-11-03 10:04:05,50000,550,49450,VND"
PROVIDERS = sorted(MAPPINGS)


def read(data: bytes, mapping: SettlementMapping = SANDBOX) -> list[SettlementLine]:
    """The lines of a file, whole."""
    reader = SettlementReader(io.BytesIO(data), mapping)
    lines = list(reader)
    reader.totals()
    return lines


def csv_of(*rows: str, trailer: str = "Tổng cộng:{count},,,,,,{gross},,,") -> bytes:
    """A file of the sandbox with these rows."""
    return "\n".join([HEADINGS, *rows, *([trailer] if trailer else [])]).encode()


def fact(**changes: object) -> Fact:
    """A payment."""
    made = Fact(
        kind="payment",
        transaction="9001",
        order="HUE01A",
        scope="HUE01A",
        gross_vnd=50_000,
        fee_vnd=550,
        batch="7",
        happened_at=WHEN,
    )
    return msgspec.structs.replace(made, **changes)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_shipped_mapping_says_that_nothing_is_published(provider: str) -> None:
    """What we ship is a proposal to be edited, and bears its provider's name."""
    mapping = MAPPINGS[provider]
    assert mapping.name == provider
    assert "No columns are published" in mapping.source


KINDS = st.sampled_from(["payment", "refund", "chargeback", "chargeback_reversed", "reversal"])


@given(
    provider=st.sampled_from([p for p in PROVIDERS if MAPPINGS[p].money == "provider"]),
    told=st.lists(
        st.tuples(KINDS, st.integers(1, 10**9), st.integers(0, 10**6)), min_size=1, max_size=6
    ),
)
def test_what_is_written_is_read_again(provider: str, told: list[tuple[Any, int, int]]) -> None:
    """Whatever words, signs and styles a mapping states: facts survive the way there and back."""
    mapping = MAPPINGS[provider]
    back = {"refund", "chargeback", "reversal"}
    facts = [
        fact(
            kind=kind,
            transaction=str(number),
            gross_vnd=-gross if kind in back else gross,
            fee_vnd=fee,
            batch="2026-11-03" if mapping.batches == "daily" else "7",
        )
        for number, (kind, gross, fee) in enumerate(told, 9001)
    ]
    if mapping.batches != "daily":
        facts += payouts_of(facts, paid_on=date(2026, 11, 4))
    lines = read(write_csv(mapping, facts), mapping)
    found = [
        msgspec.convert(msgspec.structs.asdict(line), Fact, strict=False, from_attributes=True)
        for line in lines
    ]
    assert found == facts


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (GOOD.replace("49450", "49451"), "row 2, column Net: it is not gross − fee: off by 1"),
        (GOOD.replace("50000,550,49450", "-50000,550,-50550"), "row 2, column Gross: the sign"),
        (GOOD.replace("Payment", "Paid"), "row 2, column Type: a word"),
        (GOOD.replace("VND", "USD"), "row 2, column Currency: not đồng"),
        (GOOD.replace("9001", ""), "row 2, column Transaction: no transaction"),
        (GOOD.replace("2026-11-03", "03/11/2026"), "row 2, column Time: not a date"),
        (GOOD.replace("50000,", "50.000,"), "row 2, column Gross: not an amount"),
        (GOOD.replace("7,", "A7,", 1), "row 2, column Batch: not a number"),
        (GOOD.replace("7,", ",", 1), "row 2, column Batch: no batch"),
        (GOOD + ",more", "row 2: the row has more cells"),
        (GOOD.rpartition(",")[0], "row 2: the row is cut off"),
        (GOOD.replace("9001", "9" * 101), "row 2, column Transaction: too long"),
        (GOOD.replace("50000,550,49450", "0,0,0"), "row 2, column Gross: no amount"),
        ("7,Payout,,,,2026-11-04,5,,5,VND\n" * 2, "row 3, column Net: a second payout"),
        (
            GOOD + "\n7,Payout,,,,2026-11-04,49451,,,VND\n<END>,,,,,,,,,",
            "row 3, column Gross: the payout",
        ),
        (GOOD + "\n7,Payout,,,,2026-11-04,49450,1,49449,VND", "a payout bears no fee"),
        (GOOD + "\nTotal: 1,,,,,,50001,550,49450,", "row 3, column Gross: the trailer says 50001"),
        (GOOD + "\nTotal: 1,,,,,,50000,551,49450,", "row 3, column Fee: the trailer says 551"),
        (GOOD + "\nTotal: 1,,,,,,50000,550,49451,", "row 3, column Net: the trailer says 49451"),
        (
            GOOD + "\nTotal: 2,,,,,,50000,550,49450,",
            "row 3, column Transaction: the trailer counts",
        ),
        (GOOD + "\nTotal: 1,,,,,,,,,\n" + GOOD, "row 4: a line behind the trailer"),
        (GOOD, "row 2: no trailer: the file is cut off"),
    ],
)
def test_what_does_not_fit_is_refused_by_row_and_column(row: str, says: str) -> None:
    """The first row that does not hold, by the file's own heading."""
    with pytest.raises(UnreadableSettlement) as refused:
        read(csv_of(row, trailer=""))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"columns": {"transaction": ["A"], "gross": ["B"]}}, "columns are needed: happened_at"),
        ({"kinds": {}}, "a column kind and its words"),
        ({"thousands": ".", "decimal_mark": "."}, "one mark cannot part"),
        ({"scope": "column"}, "scope column needs"),
        ({"batches": "daily"}, "exclude each other"),
        ({"kinds": {"payment": ["A"], "refund": ["a"]}}, "means two things"),
        ({"columns": {"typo": ["A"]}}, "Invalid enum value"),
        ({"typo": 1}, "unknown field"),
    ],
)
def test_a_mapping_that_would_have_to_guess_is_refused(changes: dict[str, Any], says: str) -> None:
    """It says what is wrong with it."""
    told = json.loads(msgspec.json.encode(SANDBOX)) | changes
    with pytest.raises(UnusableMapping, match=says):
        mapping_from_json(json.dumps(told).encode())


def test_a_mapping_has_a_limit() -> None:
    """Nobody can send megabytes of one."""
    with pytest.raises(UnusableMapping, match="too long"):
        mapping_from_json(b" " * 70_000)


def book(*rows: Sequence[object], sheets: tuple[str, ...] = ("A",)) -> bytes:
    """A workbook whose sheets have these rows."""
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True}) as made:
        day = made.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name in sheets:
            sheet = made.add_worksheet(name)
            for y, cells in enumerate(rows):
                for x, cell in enumerate(cells):
                    if isinstance(cell, datetime):
                        sheet.write_datetime(y, x, cell, day)
                    else:
                        sheet.write(y, x, cell)
    return packed.getvalue()


def row_with(gross: object) -> list[object]:
    """A payment of the sandbox as a spreadsheet has it."""
    return ["7", "Payment", "9001", "HUE01A", "", datetime(2026, 11, 3, 10), gross, 550]  # noqa: DTZ001


def workbook_of(gross: object, sheets: tuple[str, ...] = ("A",)) -> bytes:
    """A workbook with one line."""
    trailer: list[object] = ["Total: 1"]
    return book(HEADINGS.split(",")[:8], row_with(gross), trailer, sheets=sheets)


def test_numbers_and_dates_of_a_workbook_are_read_as_such() -> None:
    """Floats that are whole, dates that are dates, in the style the mapping states."""
    (line,) = read(workbook_of(50_000.0))
    assert (line.gross_vnd, line.row) == (50_000, 2)
    assert line.happened_at == datetime(2026, 11, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize("gross", [50_000.5, 1.234, 2.0**60])
def test_a_number_that_is_not_whole_or_not_exact_is_no_amount(gross: float) -> None:
    """1.234 is not one thousand two hundred and thirty-four, whatever the thousands mark."""
    for thousands in ("", "."):
        mapping = msgspec.structs.replace(SANDBOX, thousands=thousands)
        with pytest.raises(UnreadableSettlement, match="row 2, column Gross: an amount with parts"):
            read(workbook_of(gross), mapping)


def test_a_workbook_of_several_sheets_needs_the_name_of_one() -> None:
    """Which sheet counts is stated, never guessed."""
    data = workbook_of(50_000, sheets=("A", "B"))
    with pytest.raises(UnreadableSettlement, match="must name the sheet"):
        read(data)
    assert len(read(data, msgspec.structs.replace(SANDBOX, sheet="B"))) == 1
    with pytest.raises(UnreadableSettlement, match="no sheet C"):
        read(data, msgspec.structs.replace(SANDBOX, sheet="C"))


def repacked(data: bytes, change: dict[str, bytes], **more: bytes) -> bytes:
    """A workbook with parts put in place of its own."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as before,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for part in before.infolist():
            old = before.read(part)
            after.writestr(part.filename, change.get(part.filename, old))
        for name, content in more.items():
            after.writestr(name, content)
    return packed.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
CELL = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    b"<row><c %s><v>1</v></c></row></sheetData></worksheet>"
)


@pytest.mark.parametrize(
    ("sheet", "says"),
    [
        (CELL % b'r="XFD1"', "too many columns"),
        (CELL % b'r="A1048576" ', None),
        (CELL % b"s='0' r='CV1048576'", "a sheet of more than"),
        (CELL % b'r="&#65;&#65;&#65;1"', "too many columns"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + CELL % b"", "declares a document type"),
        (b"<worksheet", "not a workbook that can be read"),
    ],
)
def test_a_far_cell_does_not_become_a_sheet_of_billions(sheet: bytes, says: str | None) -> None:
    """Cells are counted before the reader of workbooks lays out the rectangle around them."""
    data = repacked(workbook_of(1), {SHEET: sheet})
    if says is None:
        assert len(list(workbook_rows(data, SANDBOX))) == 1
        return
    with pytest.raises(UnreadableTable, match=says):
        list(workbook_rows(data, SANDBOX))


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that say they are megabytes, and an archive of too many parts."""
    monkeypatch.setattr(workbook, "UNPACKED_BYTES_MAX", 1_000_000)
    bomb = repacked(workbook_of(1), {SHEET: CELL % b"" + b" " * 2_000_000})
    assert len(bomb) < 20_000
    with pytest.raises(UnreadableTable, match="unpacks to too much"):
        list(workbook_rows(bomb, SANDBOX))
    monkeypatch.setattr(workbook, "PARTS_MAX", 3)
    with pytest.raises(UnreadableTable, match="parts in the workbook"):
        list(workbook_rows(workbook_of(1), SANDBOX))
    monkeypatch.setattr(workbook, "WORKBOOK_BYTES_MAX", 100)
    with pytest.raises(UnreadableTable, match="at most 100 bytes"):
        list(workbook_rows(workbook_of(1), SANDBOX))


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_refused(data: bytes) -> None:
    """Rubbish is unreadable, as a CSV and as a workbook, and nothing else."""
    for begin in (b"", b"PK\x03\x04"):
        with pytest.raises(UnreadableSettlement):
            read(begin + data)
