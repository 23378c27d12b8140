"""Memos as banks deliver them: what is whole is right, what is doubtful is never whole."""

import sys
from pathlib import Path
from types import FrameType
from typing import Protocol

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.references.memo import MEMO_CHARS_MAX, Evidence, scan
from service.references.payment_reference import CROCKFORD, mint


class Example(msgspec.Struct):
    """One line of the example file."""

    id: str
    raw_memo: str
    dossier_code: str | None
    payment_ref: str | None
    expected: str
    mutation: str


FILE = Path(__file__).parents[2] / "data" / "memo_examples.jsonl"
EXAMPLES = [msgspec.json.decode(line, type=Example) for line in FILE.read_bytes().splitlines()]
WRONG_DIGIT = "one digit wrong"
"""A well-formed other code: no reader can tell; it must fail to be found among the notices."""


def keys_of(example: Example) -> set[str]:
    """Compact keys of the dossiers the example is about."""
    codes = (example.dossier_code or "").split("|")
    return {code.replace(".", "").replace("-", "") for code in codes} - {""}


def whole(evidence: Evidence) -> set[str]:
    """Keys of the codes that have exactly one reading."""
    return {key for token in evidence.dossier_codes if token.kind == "whole" for key in token.keys}


def test_the_examples_are_all_there() -> None:
    """372 examples are read."""
    assert len(EXAMPLES) == 372


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_whole_evidence_is_never_of_something_else(example: Example) -> None:
    """No memo gives a reference or whole code that is not its own, but for a mistyped digit."""
    found = scan(example.raw_memo)
    assert set(found.references) <= {example.payment_ref}
    if example.mutation == WRONG_DIGIT:
        assert len(whole(found)) == 1
        assert whole(found).isdisjoint(keys_of(example))
    else:
        assert whole(found) <= keys_of(example)


@pytest.mark.parametrize(
    "example",
    [one for one in EXAMPLES if one.expected in {"exact", "recoverable", "multi"}],
    ids=lambda example: example.id,
)
def test_what_is_still_all_there_is_read_whole(example: Example) -> None:
    """Exact, recoverable and several codes are whole; without their zeros they are padded."""
    found = scan(example.raw_memo)
    if example.payment_ref is not None:
        assert found.references == (example.payment_ref,)
    elif example.mutation == "leading zeros dropped":
        (token,) = found.dossier_codes
        assert token.kind == "padded"
        assert keys_of(example) <= set(token.keys)
    else:
        assert whole(found) == keys_of(example)


FRAGMENTS = {
    "truncated in the sequence": "truncated",
    "VietQR 19-char cut of the stripped code": "truncated",
    "only date and sequence kept": "tail",
}


@pytest.mark.parametrize(
    "example",
    [one for one in EXAMPLES if one.mutation in FRAGMENTS],
    ids=lambda example: example.id,
)
def test_a_fragment_is_a_fragment_of_its_own_code(example: Example) -> None:
    """A cut code gives its beginning, a date and number give its end, and neither is whole."""
    kind = FRAGMENTS[example.mutation]
    keys = {
        key
        for token in scan(example.raw_memo).dossier_codes
        if token.kind == kind
        for key in token.keys
    }
    (own,) = keys_of(example)
    fits = own.startswith if kind == "truncated" else own.endswith
    assert any(fits(key) for key in keys)


@pytest.mark.parametrize(
    "example",
    [
        one
        for one in EXAMPLES
        if one.mutation in {"payment reference cut by 2", "payment reference, one letter wrong"}
    ],
    ids=lambda example: example.id,
)
def test_a_damaged_reference_is_kept_as_damaged(example: Example) -> None:
    """A cut or mistyped reference is no reference, and is there for people to look at."""
    found = scan(example.raw_memo)
    assert found.references == ()
    assert len(found.damaged_references) == 1


@pytest.mark.parametrize(
    "example",
    [one for one in EXAMPLES if one.expected == "no_reference"],
    ids=lambda example: example.id,
)
def test_a_memo_without_a_code_gives_none(example: Example) -> None:
    """Phone and identity numbers, bank numbers and words are no codes, not even in part."""
    found = scan(example.raw_memo)
    assert (found.references, found.damaged_references, found.dossier_codes) == ((), (), ())


CODES = [
    ("000.00.15.H57-260105-0001", "whole", "0000015H572601050001"),
    ("H57.15-260105-0001", "whole", "0000015H572601050001"),
    ("nop phi H57.25.12-260105-0001 cam on", "whole", "0001225H572601050001"),
    ("h57 25 12 260105 0001", "whole", "0001225H572601050001"),
    ("H572513260105 0001", "whole", "0001325H572601050001"),
    # 25.12 and the 5th of January, or the 26th of December 2025.
    ("H572512260105 0001", "padded", "0001225H572601050001"),
    ("H57.25.12-26 0105-0001", "whole", "0001225H572601050001"),
    ("H57.O5.15-260105-0001", "whole", "0001505H572601050001"),
    ("H57.101-260105-0001", "whole", "00000101H572601050001"),
    ("000.00.101.H57-260105-0001", "whole", "00000101H572601050001"),
    ("OOO.OO.15.H57-260105-0001", "whole", "0000015H572601050001"),
    ("hoso000.00.15.H57.260105.0001", "whole", "0000015H572601050001"),
    ("005.17.22.H56-260105-0001", "whole", "0051722H562601050001"),
    ("000.00.15.H57-260105-00012", "whole", "0000015H5726010500012"),
    ("000.00.15.H57-26\n0105-0001", "whole", "0000015H572601050001"),
    # One segment may be the end of two (000.38.25), so it is not sure.
    ("25.H57-260105-0001", "padded", "0000025H572601050001"),
    ("PHI4025H572601050001", "padded", "0004025H572601050001"),
    ("101H572601050001", "padded", "00000101H572601050001"),
    # A bank's number glued in front: one digit too many.
    ("62180000015H572601050001", "padded", "0000015H572601050001"),
    # Half a number, then something else: copies, an instalment, a phone.
    ("000.00.15.H57-260105-131 2 ban", "truncated", "0000015H57260105131"),
    ("000.00.15.H57-260105-82 L1", "truncated", "0000015H5726010582"),
    ("0000015H57260105131 0912345678", "truncated", "0000015H57260105131"),
    ("H57-260105-0001", "tail", "2601050001"),
    ("ho so 42 ngay 05/01/2026", "tail", "2601050042"),
    ("hs 260105-42", "tail", "2601050042"),
]


@pytest.mark.parametrize(("memo", "kind", "key"), CODES)
def test_a_code_is_as_whole_as_its_one_reading(memo: str, kind: str, key: str) -> None:
    """Only what can be read one way is whole; the doubtful is padded, truncated or a tail."""
    tokens = scan(memo).dossier_codes
    assert kind in {token.kind for token in tokens if key in token.keys}
    assert ("whole" in {token.kind for token in tokens}) == (kind == "whole")


@pytest.mark.parametrize(
    "memo",
    ["hs 2607200914", "0912345678", "H57-261305-0001", "ho so H57", "000.00.15.H57", "250230-0001"],
)
def test_what_has_no_possible_date_or_number_is_never_whole(memo: str) -> None:
    """A phone, a root alone or an impossible date gives neither a reference nor a whole code."""
    found = scan(memo)
    assert found.references == ()
    assert whole(found) == set()


REFERENCES = st.builds(
    mint, st.text(CROCKFORD, min_size=2, max_size=2), st.binary(min_size=5, max_size=5)
)


@given(REFERENCES, st.integers(1, 13), st.sampled_from(["", " ", ".", "-"]), st.booleans())
def test_a_torn_reference_between_words_is_found(
    reference: str,
    place: int,
    mark: str,
    lower: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """A reference is found glued, torn at any place, in any case, with O for 0."""
    torn = reference[:place] + mark + reference[place:]
    torn = torn[:3] + torn[3:].replace("0", "O")
    memo = f"MBVCB.1234567890.123456.nopphi{torn.lower() if lower else torn} xin"
    assert scan(memo).references == (reference,)


@given(REFERENCES, REFERENCES)
def test_two_references_are_both_found(one: str, other: str) -> None:
    """Two references in one memo are two, in their order."""
    found = scan(f"{one} va {other}").references
    assert found == tuple(dict.fromkeys((one, other)))


def test_an_older_reference_needs_its_prefix_glued() -> None:
    """`hs` before a number is mostly `hồ sơ`: only a glued prefix makes a reference."""
    code = f"HS{2300:08d}{98 - 230000 % 97:02d}"
    assert scan(f"nop phi {code}").references == (code,)
    assert scan(f"nop phi hs{code[2:]}").references == (code,)
    assert scan(f"nop phi HS {code[2:]}").references == ()
    assert scan(f"nop phi {code}5").references == ()


def test_bank_numbers_are_kept_with_their_kind() -> None:
    """Each bank's own number is kept, and the sender's phone beside it is not."""
    traces = {
        (trace.kind, trace.text)
        for memo in (
            "MBVCB.3278907687.123456.test.CT tu 0123456789 LE VAN C toi 999999999 TP HUE",
            "nop phi FT26367592730143",
            "020097042223882465391158EBB8795750.20757 .211353.tien phi",
            "68194495279-0932460691-test",
        )
        for trace in scan(memo).traces
    }
    assert traces == {
        ("mbvcb", "MBVCB.3278907687"),
        ("ft", "FT26367592730143"),
        ("napas", "020097042223882465391158EBB8795750"),
        ("momo", "MOMO68194495279"),
    }


@pytest.mark.parametrize(
    ("memo", "words"),
    [
        ("NGUYEN VAN A chuyen tien", ("NGUYEN", "VAN", "A")),
        ("Lê Văn Đức nộp lệ phí khai sinh", ("LE", "VAN", "DUC")),
        ("MBVCB.1.nop phi.CT tu 0123456789 TRAN THI B toi 123456 VP", ("TRAN", "THI", "B")),
    ],
)
def test_the_payers_name_is_among_the_words(memo: str, words: tuple[str, ...]) -> None:
    """The syllables of the name come in order, and phrases of payment do not."""
    found = scan(memo).name_words
    assert tuple(word for word in found if word in words) == words
    assert not {"CHUYEN", "TIEN", "NOP", "PHI"} & set(found)


@given(st.text())
def test_any_text_is_read(memo: str) -> None:
    """No text makes the reader fail."""
    assert isinstance(scan(memo), Evidence)


NASTY = st.lists(
    st.sampled_from(
        [
            "H57",
            "HUE",
            "HS",
            "0",
            "00",
            "O",
            "1",
            ".",
            " ",
            "-",
            "CT TU 123456 ",
            " TOI ",
            "260105",
            "MBVCB.",
            "0200970422",
            "(",
            "A",
            "đ",
            "|",
            "REM TFR AC:1234567 ",
            "FT",
            "NGAY ",
        ]
    ),
    min_size=1,
    max_size=40,
)


@given(NASTY)
def test_a_very_long_memo_is_read_up_to_the_limit(pieces: list[str]) -> None:
    """20,000 characters of code-like pieces are read like their first MEMO_CHARS_MAX."""
    unit = "".join(pieces)
    memo = (unit * (20_000 // len(unit) + 1))[:20_000]
    assert scan(memo) == scan(memo[:MEMO_CHARS_MAX])


class Tracer(Protocol):
    """What Python calls for each line it runs."""

    def __call__(self, frame: FrameType, event: str, _: object, /) -> "Tracer | None":
        """Give the tracer of the next line."""


def steps(memo: str) -> int:
    """How many lines of our own code a scan executes."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Tracer | None:
        nonlocal count
        if "references" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        scan(memo)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", ["H57", "HUE00", "HS00", "H57.", "0 ", "000.00.1.H57-260105-"])
def test_work_grows_in_step_with_the_memo(unit: str) -> None:
    """Twice the memo is at most two and a half times the steps."""
    half = (unit * MEMO_CHARS_MAX)[: MEMO_CHARS_MAX // 2]
    assert steps(half + half) <= 2.5 * steps(half) + 500
