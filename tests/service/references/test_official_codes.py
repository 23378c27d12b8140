"""Dossier, agency and procedure codes in all their notations have one stored form."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.references import agency_code, dossier_code, procedure_code
from service.references.errors import UnreadableCode

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("000.00.15.H57", "H57.15"),
        ("00.23.H57", "H57.23"),
        ("00.00.H57", "H57"),
        ("000.17.22.H56", "H56.22.17"),
        ("h57.25.12", "H57.25.12"),
        (" H57.15 ", "H57.15"),
        ("H57", "H57"),
        ("H57.00.15", "H57.15"),
        ("000.00.BD.H08", "H08.BD"),
        ("H57.101", "H57.101"),
        ("000.00.101.H57", "H57.101"),
        ("H57.5", "H57.05"),
    ],
)
def test_an_agency_has_one_code_in_all_notations(text: str, canonical: str) -> None:
    """QCVN 102, the short form and QĐ 20/2020 lead to the code of QĐ 20/2020."""
    assert agency_code.parse(text).canonical == canonical


UNITS = st.lists(st.from_regex(r"[0-9A-Z]{2}", fullmatch=True), max_size=3).filter(
    lambda units: all(unit.strip("0") for unit in units)
)


@given(UNITS)
def test_both_notations_of_an_agency_are_each_others_inverse(units: list[str]) -> None:
    """What is written low to high reads back as the same agency."""
    agency = agency_code.AgencyCode(root="H57", units=tuple(units))
    again = agency_code.parse(agency.qcvn102)
    assert again.qcvn102 == agency.qcvn102
    assert agency_code.parse(again.canonical) == again


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("0" * 30, "too-long"),
        ("000.00.15", "bad-form"),
        ("H5.15", "bad-form"),
        ("H57-15", "bad-form"),
        ("H57.H56", "ambiguous-agency"),
    ],
)
def test_an_unreadable_agency_says_why(text: str, why: str) -> None:
    """A refusal names what could not be read and a stable reason."""
    with pytest.raises(UnreadableCode) as refusal:
        agency_code.parse(text)
    assert (refusal.value.what, refusal.value.why) == ("agency_code", why)


@pytest.mark.parametrize(
    "text",
    [
        "000.00.23.H57-260105-0001",
        "00.23.H57-260105-0001",
        "H57.23-260105-0001",
        "000.00.23.h57-260105-0001 ",
    ],
)
def test_a_dossier_has_one_text_and_key_in_all_notations(text: str) -> None:
    """The same dossier in any notation has one canonical text, key and agency."""
    code = dossier_code.parse(text, today=TODAY)
    assert code.text == "000.00.23.H57-260105-0001"
    assert code.key == "0000023H572601050001"
    assert code.agency.canonical == "H57.23"
    assert code.received_on == date(2026, 1, 5)
    assert dossier_code.parse(code.text, today=TODAY) == code


@pytest.mark.parametrize(
    "text",
    ["000.17.22.H56-210531-0001", "000.00.BD.H08-230411-0004", "H57.15-260105-123456"],
)
def test_letters_and_long_numbers_are_read(text: str) -> None:
    """Letters in a unit and running numbers of four to six digits are read."""
    assert dossier_code.parse(text, today=TODAY).sequence == text.rsplit("-", 1)[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("0" * 50, "too-long"),
        ("000.00.23.H57-260105-001", "bad-form"),
        ("000.00.23.H57-260105-1234567", "bad-form"),
        ("000.00.23.H57 260105 0001", "bad-form"),
        ("000.00.2.H57-260105-0001", "bad-form"),
        ("H57.H56-260105-0001", "ambiguous-agency"),
        ("000.00.23.H57-260229-0001", "impossible-date"),
        ("000.00.23.H57-261124-0001", "future-date"),
    ],
)
def test_an_unreadable_dossier_code_says_why(text: str, why: str) -> None:
    """A refusal names what could not be read and a stable reason."""
    with pytest.raises(UnreadableCode) as refusal:
        dossier_code.parse(text, today=TODAY)
    assert (refusal.value.what, refusal.value.why) == ("dossier_code", why)


def test_a_dossier_of_tomorrow_is_read() -> None:
    """Another system's clock may be a day ahead."""
    assert dossier_code.parse("000.00.23.H57-261123-0001", today=TODAY).sequence == "0001"


def test_a_refusal_does_not_repeat_a_long_text() -> None:
    """What was written is repeated up to 64 characters."""
    with pytest.raises(UnreadableCode) as refusal:
        dossier_code.parse("9" * 500, today=TODAY)
    assert len(refusal.value.text) == 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1.001193", ("1.001193", None, None)),
        ("2.000815.000.00.00.H55.02", ("2.000815", "H55", "02")),
        ("1.010708.000.00.00.h56", ("1.010708", "H56", None)),
        ("1.012753.H19", ("1.012753", "H19", None)),
        ("2.000815.01", ("2.000815", None, "01")),
    ],
)
def test_a_procedure_code_is_read_with_its_decoration(
    text: str, parts: tuple[str, str | None, str | None]
) -> None:
    """National code, owner and number of the online service come apart."""
    code = procedure_code.parse(text)
    assert (code.national, code.owner, code.service_number) == parts


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "empty"), ("4.000815", "bad-form"), ("1.00081", "bad-form"), ("1" * 60, "too-long")],
)
def test_an_unreadable_procedure_code_says_why(text: str, why: str) -> None:
    """A refusal names what could not be read and a stable reason."""
    with pytest.raises(UnreadableCode) as refusal:
        procedure_code.parse(text)
    assert (refusal.value.what, refusal.value.why) == ("procedure_code", why)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes a parser fail in another way than by its refusal."""
    for read in (
        agency_code.parse,
        procedure_code.parse,
        lambda one: dossier_code.parse(one, today=TODAY),
    ):
        with suppress(UnreadableCode):
            assert read(text)
