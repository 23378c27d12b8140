"""Payment references refuse every single mistake and survive every honest way of writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.references.payment_reference import (
    CROCKFORD,
    DIGITS,
    NUMERIC_MAX,
    RANDOM_BYTES,
    book_code,
    from_numeric,
    grouped,
    mint,
    numeric,
    parse,
)

BOOKS = st.text(CROCKFORD, min_size=2, max_size=2)
RANDOM = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
HUE = st.builds(mint, BOOKS, RANDOM)


def older(number: int) -> str:
    """A code as the older system wrote it."""
    return f"HS{number:08d}{98 - (number * 100) % 97:02d}"


HS = st.integers(0, 99_999_999).map(older)
ANY = st.one_of(HUE, HS)


def alphabet(reference: str) -> tuple[int, str]:
    """Length of the prefix, and the characters that may follow it."""
    return (3, CROCKFORD) if reference.startswith("HUE") else (2, DIGITS)


@given(ANY)
def test_every_single_substitution_is_refused(reference: str) -> None:
    """No reference with one other character of its alphabet holds, wherever it stands."""
    start, letters = alphabet(reference)
    for place in range(start, len(reference)):
        for letter in letters:
            if letter != reference[place]:
                wrong = reference[:place] + letter + reference[place + 1 :]
                assert parse(wrong) is None


@given(ANY)
def test_every_swap_of_unequal_neighbours_is_refused(reference: str) -> None:
    """No reference with two unequal neighbours swapped holds, the prefix and check included."""
    for place in range(len(reference) - 1):
        one, other = reference[place], reference[place + 1]
        if one != other:
            wrong = reference[:place] + other + one + reference[place + 2 :]
            assert parse(wrong) is None


@given(ANY, st.sampled_from([" ", ".", "-", "_", "/"]), st.data())
def test_case_separators_and_lookalikes_do_not_matter(
    reference: str, mark: str, data: st.DataObject
) -> None:
    """Lower case, separators anywhere, O for 0 and I or L for 1 read as the same reference."""
    start, _ = alphabet(reference)
    swapped = reference[start:].replace("0", "O").replace("1", data.draw(st.sampled_from("IL")))
    written = mark.join(reference[:start] + swapped)
    assert (found := parse(data.draw(st.sampled_from([written, written.lower()])))) is not None
    assert found.text == reference


@given(ANY)
def test_the_number_leads_back_to_the_reference(reference: str) -> None:
    """A reference as an integer is positive, survives a double, and leads back to itself."""
    number = numeric(reference)
    assert 0 < number <= NUMERIC_MAX
    assert int(float(number)) == number
    assert from_numeric(number) == reference


@given(HUE, st.integers(0, 99))
def test_another_check_of_the_number_is_refused(reference: str, check: int) -> None:
    """Of the hundred numbers with the same body exactly one is a reference."""
    number = numeric(reference) // 100 * 100 + check
    assert (from_numeric(number) is None) == (number != numeric(reference))


@given(HUE, st.data())
def test_one_wrong_digit_of_the_number_is_refused(reference: str, data: st.DataObject) -> None:
    """An integer form with one other digit is no reference."""
    digits = str(numeric(reference))
    place = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from(DIGITS).filter(lambda one: one != digits[place]))
    assert from_numeric(int(digits[:place] + other + digits[place + 1 :])) is None


@given(st.integers(0, 99_999_999))
def test_an_older_code_and_a_minted_one_never_share_a_number(number: int) -> None:
    """The bare digits of an older code never lead to it: only its own range does."""
    reference = older(number)
    assert numeric(reference) >= 8 * 10**15
    assert from_numeric(int(reference[2:])) != reference


@given(BOOKS, RANDOM)
def test_a_minted_reference_names_its_book(book: str, noise: bytes) -> None:
    """What was minted holds, has 14 characters and gives its book back."""
    reference = mint(book, noise)
    assert len(reference) == 14
    assert book_code(reference) == book
    assert parse(grouped(reference)) == parse(reference)


def test_known_references_of_both_schemes() -> None:
    """References printed elsewhere hold, and are shown in groups."""
    assert grouped("HUE002VC9KD62W") == "HUE 002V C9KD 62W"
    assert grouped(older(2300)) == f"HS 0000 2300 {older(2300)[-2:]}"
    assert book_code("HUE002VC9KD62W") == "00"
    assert book_code(older(2300)) is None


@pytest.mark.parametrize("number", [-1, 0, NUMERIC_MAX + 1, 10**18, 8 * 10**15 + 123])
def test_a_number_of_nothing_is_none(number: int) -> None:
    """Numbers outside the ranges, or with a wrong check, lead to no reference."""
    assert from_numeric(number) is None


@pytest.mark.parametrize(
    ("book", "noise"), [("0", b"12345"), ("0U", b"12345"), ("00", b"1234"), ("000", b"12345")]
)
def test_minting_refuses_what_it_cannot_use(book: str, noise: bytes) -> None:
    """A book code of another form or too little randomness is an error of the caller."""
    with pytest.raises(ValueError, match=r"book code|random bytes"):
        mint(book, noise)


@pytest.mark.parametrize("text", ["", "HUE", "HUE002VC9KD62WX", "X" * 1000, "Huế", "HS12345678"])
def test_what_is_no_reference_has_no_forms(text: str) -> None:
    """Other texts parse to nothing, and asking for their forms is an error."""
    assert parse(text) is None
    with pytest.raises(ValueError, match="not a payment reference"):
        numeric(text)
    with pytest.raises(ValueError, match="not a payment reference"):
        grouped(text)


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Parsing never raises, and what it accepts is stored in its own form."""
    found = parse(text)
    if found is not None:
        assert parse(found.text) == found
