"""Statements: what a file says is what comes out, or the row and column that cannot be read."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.statements import (
    VIETCOMBANK,
    Layout,
    StatementLine,
    StatementReader,
    Totals,
    UnreadableStatement,
    UnusableLayout,
    layout_from_json,
    read_lines,
)
from providers.tables.rows import LINE_CHARS_MAX
from tests.providers.making import HERE

HEADINGS = "PageId,TNXDate,DocNo,Debit,Credit,Balance,TransactionDetails"
AGRIBANK = {
    "name": "agribank-extract",
    "columns": {
        "booked_on": ["Date"],
        "bank_reference": ["ReferenceNumber"],
        "memo": ["TransactionDetails"],
        "debit": ["DebitAmount"],
        "credit": ["CreditAmount"],
        "balance": ["Balance"],
        "counterparty_account": ["OffsetAccount"],
    },
    "date_style": "dd/mm/yyyy",
    "thousands": ",",
    "running_balances": False,
}
SIGNED = {
    "name": "signed",
    "columns": {
        "booked_on": ["Ngày"],
        "value_on": ["Ngày hiệu lực"],
        "memo": ["Nội dung"],
        "amount": ["Số tiền"],
        "balance": ["Số dư"],
        "counterparty_name": ["Người chuyển"],
    },
    "date_style": "yyyy-mm-dd",
    "thousands": "",
    "delimiter": ";",
}


def layout(**changed: object) -> Layout:
    """The layout SIGNED with changes."""
    return layout_from_json(json.dumps({**SIGNED, **changed}).encode())


def whole(data: bytes | str, used: Layout = VIETCOMBANK) -> tuple[list[StatementLine], Totals]:
    """All lines and the totals of a file."""
    reader = StatementReader(io.BytesIO(data.encode() if isinstance(data, str) else data), used)
    return list(reader), reader.totals()


def vietcombank(*rows: str) -> str:
    """A file in the Vietcombank layout."""
    return "\n".join((HEADINGS, *rows)) + "\n"


def refused(data: bytes | str, used: Layout = VIETCOMBANK) -> UnreadableStatement:
    """Why a file is not read."""
    with pytest.raises(UnreadableStatement) as unreadable:
        whole(data, used)
    return unreadable.value


def test_the_sample_with_balances_ties() -> None:
    """Heading block, lines, totals and closing are read, and opening + lines = closing."""
    lines, totals = whole((HERE / "data" / "vietcombank_with_balances.csv").read_bytes())
    assert totals == Totals(
        opening_vnd=1_000_000,
        closing_vnd=2_665_000,
        credits_vnd=2_476_000,
        debits_vnd=811_000,
        count=12,
        first_on=date(2026, 3, 4),
        last_on=date(2026, 3, 6),
    )
    assert totals.ties is True
    assert [line.ordinal for line in lines] == list(range(1, 13))
    assert lines[0].row == 7
    assert lines[0].balance_vnd == 1_050_000
    assert (lines[3].direction, lines[3].amount_vnd) == ("out", 11_000)
    assert lines[1].bank_reference == lines[2].bank_reference == "5215.10022"
    assert lines[5].memo == "Nop le phi ho so dat dai, so 12"
    assert lines[10].memo == 'chuyen tien "le phi" thang 3'


def test_the_published_vietcombank_extract_is_read() -> None:
    """40 credits; without balances nothing is claimed of them."""
    lines, totals = whole((HERE / "data" / "vn_vietcombank_masked.csv").read_bytes())
    assert (totals.count, totals.credits_vnd, totals.debits_vnd) == (40, 13_530_000, 0)
    assert (totals.opening_vnd, totals.closing_vnd, totals.ties) == (None, None, None)
    assert {line.balance_vnd for line in lines} == {None}
    assert lines[2].memo.startswith("MBVCB.0805066122.cuu tro mien bac.CT tu ")


def test_another_bank_is_read_by_a_users_mapping() -> None:
    """Agribank's columns and commas, given as JSON; an extract's balances are kept, not checked."""
    used = layout_from_json(json.dumps(AGRIBANK).encode())
    lines, totals = whole((HERE / "data" / "vn_agribank_masked.csv").read_bytes(), used)
    assert (totals.count, totals.credits_vnd, totals.ties) == (40, 13_408_644, None)
    assert lines[0].balance_vnd == 5_876_893_348


def test_the_same_digits_are_another_amount_in_another_style() -> None:
    """A thousand of one layout is refused by another, and never read as one."""
    row = "1,04/03/2026,x,,{},,memo"
    (line,), _ = whole(vietcombank(row.format("1.000")))
    assert line.amount_vnd == 1_000
    comma = msgspec.structs.replace(VIETCOMBANK, thousands=",")
    for text in ("1.000", "1.00", "1.0"):
        error = refused(vietcombank(row.format(text)), comma)
        assert (error.row, error.column) == (2, "Credit")
    assert refused(vietcombank(row.format('"1,000"'))).column == "Credit"


@pytest.mark.parametrize(
    ("text", "amount_vnd"),
    [
        ("1.000.000", 1_000_000),
        ("1000000", 1_000_000),
        ("500", 500),
        (" 1.000 ", 1_000),
        ("1.000 VND", 1_000),
        ("1.000₫", 1_000),
        ("+1.000", 1_000),
        ("10.00", None),
        ("1.0000", None),
        ("1000.000", None),
        ("1..000", None),
        (".000", None),
        ("-1.000", None),
        ("(1.000)", None),
        ('"1.000,00"', None),
        ("1.000 USD", None),
        ("１.０００", None),
        ("0", None),
        ("", None),
        ("-", None),
        ("9" * 18, None),
        ("abc", None),
    ],
)
def test_a_number_fits_the_layouts_style_or_is_refused(text: str, amount_vnd: int | None) -> None:
    """Whole groups, no sign, no parts of a đồng, nothing beyond belief."""
    data = vietcombank(f"1,04/03/2026,x,,{text},,memo")
    if amount_vnd is None:
        assert refused(data).column == "Credit"
    else:
        (line,), _ = whole(data)
        assert line.amount_vnd == amount_vnd


def test_only_zeros_may_follow_a_decimal_mark() -> None:
    """Where a layout has a decimal mark, `,00` is passed over and `,50` refused."""
    used = msgspec.structs.replace(VIETCOMBANK, decimal_mark=",")
    (line,), _ = whole(vietcombank('1,04/03/2026,x,,"1.000,00",,memo'), used)
    assert line.amount_vnd == 1_000
    assert refused(vietcombank('1,04/03/2026,x,,"1.000,50",,memo'), used).row == 2


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("1,31/02/2026,x,,1.000,,memo", "TNXDate"),
        ("1,2026-03-04,x,,1.000,,memo", "TNXDate"),
        ("1,04/03/26,x,,1.000,,memo", "TNXDate"),
        ("1,03/04/1026,x,,1.000,,memo", "TNXDate"),
        ("1,,x,,1.000,,memo", "TNXDate"),
        ("1,04/03/2026,x,1.000,1.000,,memo", "Credit"),
        ("1,04/03/2026,x,,,,memo", "Credit"),
        ("1,04/03/2026,x,a,,,memo", "Debit"),
        ("1,04/03/2026,x,,1.000,12x,memo", "Balance"),
        ("1,04/03/2026,x,,1.000,", None),
        ("1,04/03/2026,x,,1.000,,a memo, with a comma", None),
        ('1,04/03/2026,x,,1.000,,"never closed', None),
        ('1,04/03/2026,x,,1.000,,"a" b', None),
        ("1,04/03/2026,x,,1.000,,a\x00b", None),
        ("1" + "," * 200, None),
    ],
)
def test_what_cannot_be_read_is_named(row: str, column: str | None) -> None:
    """The error names the row as a spreadsheet counts it, and the heading of the column."""
    error = refused(vietcombank("1,04/03/2026,x,,1.000,,first", "", row))
    assert (error.row, error.column) == (4, column)


def test_a_date_that_fails_is_no_reason_to_drop_money() -> None:
    """A payer cannot hide a line by writing the label of a summary into the memo."""
    error = refused(vietcombank("1,99/99/2026,x,,1.000,,So du cuoi ky 5.000"))
    assert (error.row, error.column) == (2, "TNXDate")
    (line,), totals = whole(vietcombank("1,04/03/2026,x,,1.000,,So du cuoi ky: 5.000"))
    assert line.memo == "So du cuoi ky: 5.000"
    assert totals.closing_vnd is None


@pytest.mark.parametrize("balances", [("2.000", "3.000", "4.001"), ("2.000", "", "4.001")])
def test_a_balance_that_does_not_follow_is_named(balances: tuple[str, ...]) -> None:
    """A row missing, doubled or changed shows in the next balance, also past a gap."""
    rows = [f"1,04/03/2026,x,,1.000,{balance},m" for balance in balances]
    error = refused(vietcombank(*rows))
    assert (error.row, error.column) == (4, "Balance")
    assert "off by 1 đồng" in error.why


def test_running_balances_imply_the_opening() -> None:
    """Opening = first balance - first signed amount, where no row states it."""
    _, totals = whole(vietcombank("1,04/03/2026,x,,1.000,500,m", "1,05/03/2026,x,2.000,,-1.500,m"))
    assert (totals.opening_vnd, totals.closing_vnd, totals.ties) == (-500, -1_500, True)


def test_a_stated_opening_binds_the_first_balance() -> None:
    """The first balance must follow from the opening above it, and the one below agree."""
    opening = "Số dư đầu kỳ:,,,,,{},"
    row = "1,04/03/2026,x,,1.000,3.000,m"
    _, totals = whole(vietcombank(opening.format("2.000"), row))
    assert totals.ties is True
    assert refused(vietcombank(opening.format("2.001"), row)).column == "Balance"
    assert refused(vietcombank(row, opening.format("2.001"))).column is None
    assert refused(vietcombank(opening.format("1"), opening.format("2"))).row == 3


def test_a_stated_closing_that_does_not_tie_is_told() -> None:
    """The gate is the caller's: the reader says whether opening + lines = closing."""
    rows = ("Opening balance,,,,,2.000,", "1,04/03/2026,x,,1.000,,m", "Closing balance,,,,,3.001,")
    _, totals = whole(vietcombank(*rows))
    assert (totals.opening_vnd, totals.closing_vnd, totals.ties) == (2_000, 3_001, False)


def test_the_files_own_totals_are_held_against_the_lines() -> None:
    """A row of totals that differs from its lines is named."""
    row = "1,04/03/2026,x,,1.000,,m"
    assert whole(vietcombank(row, row, "Tổng cộng,,,0,2.000,,"))[1].count == 2
    assert refused(vietcombank(row, "Tổng cộng,,,0,2.000,,")).row == 3


@pytest.mark.parametrize(
    "label",
    [
        "Số dư đầu kỳ: 1.000 VND;;;;;",
        "SO DU DAU KY;;;1.000;;",
        "Opening balance / Số dư đầu kỳ;1.000;VND;;;",
    ],
)
def test_an_opening_is_found_wherever_its_label_stands(label: str) -> None:
    """Behind a colon, in a later cell, with or without marks, before the headings."""
    used = layout(thousands=".")
    _, totals = whole(f"Công ty;;;;;\n{label}\nNgày;Nội dung;Số tiền;Số dư;;\n", used)
    assert totals.opening_vnd == 1_000


@pytest.mark.parametrize(
    "label", ["Số dư đầu kỳ;;;", "Số dư đầu kỳ;1.000;2.000;", "Số dư đầu kỳ: x"]
)
def test_a_label_without_its_one_amount_is_named(label: str) -> None:
    """No amount beside a label, or two, is not guessed at."""
    error = refused(f"{label}\nNgày;Nội dung;Số tiền\n", layout(thousands="."))
    assert error.row == 1


def test_a_signed_column_tells_the_direction() -> None:
    """One column with a sign, a value date, a name, another delimiter and date style."""
    data = (
        "Ngày;Ngày hiệu lực;Nội dung;Số tiền;Số dư;Người chuyển\n"
        "2026-03-04 10:11:12;2026-03-05;vào;5000;5000;LE THI B\n"
        "2026-03-04;;ra;-2000;3000;\n"
    )
    lines, totals = whole(data, layout())
    assert [(line.direction, line.amount_vnd) for line in lines] == [("in", 5_000), ("out", 2_000)]
    assert [line.value_on for line in lines] == [date(2026, 3, 5), date(2026, 3, 4)]
    assert lines[0].counterparty_name == "LE THI B"
    assert (totals.opening_vnd, totals.closing_vnd) == (0, 3_000)


def test_a_statement_may_begin_with_the_newest() -> None:
    """Read backwards, balances tie as well, and a wrong one is named."""
    used = msgspec.structs.replace(VIETCOMBANK, row_order="newest_first")
    rows = ["1,06/03/2026,x,500,,3.500,m", "1,05/03/2026,x,,1.000,4.000,m"]
    _, totals = whole(vietcombank(*rows), used)
    assert (totals.opening_vnd, totals.closing_vnd, totals.ties) == (3_000, 3_500, True)
    assert refused(vietcombank(*rows)).row == 3


def test_repeated_headings_blank_rows_and_remarks_are_no_lines() -> None:
    """Page breaks and signatures are passed over, as long as they bear no money."""
    row = "1,04/03/2026,x,,1.000,,m"
    lines, _ = whole(vietcombank(row, "", ",,,,,,", HEADINGS, row, "Trang 2/2,,,,,,", "Kế toán"))
    assert [line.row for line in lines] == [2, 6]
    assert refused(vietcombank(row, "1,Trang 2,,,5.000,,")).column == "TNXDate"


@pytest.mark.parametrize(
    "data",
    ["", "\n" * 50, "a,b,c\n1,2,3\n", "x\n" * 150 + HEADINGS + "\n", HEADINGS.replace("Debit", "")],
)
def test_a_file_without_headings_is_refused(data: str) -> None:
    """The headings must be there, all of them, near the top."""
    assert "headings" in refused(data).why


def test_two_headings_for_one_column_are_refused() -> None:
    """Which of two columns holds the credit is not guessed."""
    error = refused(HEADINGS + ",Ghi có\n")
    assert (error.row, error.column) == (1, "Ghi có")


def test_other_encodings_are_refused_or_named_by_the_layout() -> None:
    """UTF-16 where UTF-8 is expected is refused, and read where the layout says so."""
    data = vietcombank("1,04/03/2026,x,,1.000,,Nộp lệ phí").encode("utf-16")
    assert refused(data).row == 1
    used = msgspec.structs.replace(VIETCOMBANK, encoding="utf-16")
    assert whole(data, used)[0][0].memo == "Nộp lệ phí"
    bad = vietcombank("1,04/03/2026,x,,1.000,,m").encode() + b"1,\xff\xfe\n"
    assert "utf-8" in refused(bad).why


def test_an_endless_row_is_refused_before_it_fills_the_memory() -> None:
    """Neither one line without end nor a quote that swallows the file is read to its end."""
    assert "endless" in refused(vietcombank("1" * (LINE_CHARS_MAX + 1))).why
    assert "endless" in refused(vietcombank('1,"' + "a\n" * 1_000)).why


def test_lines_come_before_the_file_is_read() -> None:
    """Reading is lazy: the first line is there while the rest is not yet looked at."""
    row = "1,04/03/2026,x,,1.000,,m\n"
    file = io.BytesIO((vietcombank() + row * 100_000 + "broken").encode())
    lines: Iterator[StatementLine] = read_lines(file, VIETCOMBANK)
    assert next(lines).amount_vnd == 1_000
    assert file.tell() < 1_000_000 < len(file.getvalue())


def test_the_file_stays_open_and_is_read_once() -> None:
    """The caller's file is the caller's; totals come after the last line only."""
    file = io.BytesIO(vietcombank("1,04/03/2026,x,,1.000,,m").encode())
    reader = StatementReader(file, VIETCOMBANK)
    with pytest.raises(ValueError, match="after the last line"):
        reader.totals()
    assert len(list(reader)) == 1
    assert not file.closed
    with pytest.raises(ValueError, match="once"):
        iter(reader)


@pytest.mark.parametrize(
    "changed",
    [
        {"columns": {"memo": ["Nội dung"], "amount": ["Số tiền"]}},
        {"columns": {"booked_on": ["Ngày"], "memo": ["Nội dung"]}},
        {"columns": {"booked_on": ["Ngày"], "memo": ["Nội dung"], "debit": ["Nợ"]}},
        {"columns": {"booked_on": ["A"], "memo": ["B"], "amount": ["C"], "credit": ["D"]}},
        {"columns": {"booked_on": ["Ngày"], "memo": ["NGAY"], "amount": ["Số tiền"]}},
        {"columns": {"booked_on": ["Ngày"], "memo": ["?"], "amount": ["Số tiền"]}},
        {"columns": {"booked_on": ["Ngày"], "memo": [], "amount": ["Số tiền"]}},
        {"columns": {"surprise": ["Ngày"]}},
        {"thousands": ".", "decimal_mark": "."},
        {"thousands": "'"},
        {"date_style": "mm/dd/yyyy"},
        {"colour": "blue"},
    ],
)
def test_a_mapping_that_cannot_read_is_refused(changed: dict[str, object]) -> None:
    """A mapping without date, text or amount, or with contradictions, is refused at once."""
    with pytest.raises(UnusableLayout):
        layout(**changed)


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b"{", b" " * 100_000, b'{"name": "x"}'])
def test_a_mapping_that_is_no_mapping_is_refused(raw: bytes) -> None:
    """Number and date style have no default: a mapping must say them."""
    with pytest.raises(UnusableLayout):
        layout_from_json(raw)


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from('\n",;'),
    max_size=40,
).map(str.strip)
ROWS = st.lists(
    st.tuples(
        st.dates(date(2000, 1, 1), date(2099, 12, 31)),
        st.integers(-(10**15), 10**15).filter(bool),
        TEXTS,
        TEXTS,
        st.booleans(),
    ),
    max_size=12,
)


def dotted(amount_vnd: int) -> str:
    """An amount as Vietcombank writes it."""
    return f"{amount_vnd:,}".replace(",", ".")


@given(rows=ROWS, opening_vnd=st.integers(-(10**12), 10**16), stated=st.booleans())
def test_what_a_bank_writes_is_what_is_read(
    rows: list[tuple[date, int, str, str, bool]], opening_vnd: int, *, stated: bool
) -> None:
    """Lines, balances and totals survive the way through a file, whatever the texts hold."""
    text = io.StringIO()
    out = csv.writer(text)
    if stated:
        out.writerow(["Số dư đầu kỳ", dotted(opening_vnd)])
    out.writerow(HEADINGS.split(","))
    balance_vnd = opening_vnd
    balances = []
    for on, signed_vnd, reference, memo, told in rows:
        balance_vnd += signed_vnd
        balances.append(balance_vnd if told else None)
        sides = ("", dotted(signed_vnd)) if signed_vnd > 0 else (dotted(-signed_vnd), "")
        written = dotted(balance_vnd) if told else ""
        out.writerow(["1", on.strftime("%d/%m/%Y"), reference, *sides, written, memo])
    lines, totals = whole(text.getvalue())
    for line, (on, signed_vnd, reference, memo, _), balance in zip(
        lines, rows, balances, strict=True
    ):
        assert (line.booked_on, line.balance_vnd) == (on, balance)
        assert line.amount_vnd == abs(signed_vnd)
        assert line.direction == ("in" if signed_vnd > 0 else "out")
        assert (line.bank_reference, line.memo) == (reference, memo)
    assert totals.count == len(rows)
    assert totals.credits_vnd - totals.debits_vnd == balance_vnd - opening_vnd
    known = stated or any(told is not None for told in balances)
    assert totals.opening_vnd == (opening_vnd if known else None)


@given(st.binary(max_size=400), st.sampled_from(["", HEADINGS + "\n"]))
def test_noise_is_unreadable_and_nothing_worse(noise: bytes, before: str) -> None:
    """Any bytes give lines or UnreadableStatement."""
    data = before.encode() + noise
    try:
        lines, totals = whole(data)
    except UnreadableStatement:
        assert refused(data).row >= 1
        return
    assert totals.count == len(lines)
