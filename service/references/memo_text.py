"""Bring a bank memo to plain capitals and cut what banks wrap around the payer's words.

Banks drop Vietnamese marks, change case, and put their own numbers before and after; those numbers
look like dossier codes and phone numbers, so known wrappers are cut before anything is looked for.
The shapes are measured on published statements; an unknown wrapper is simply left standing.
"""

import re
import unicodedata
from typing import Final, Literal

import msgspec

MEMO_CHARS_MAX: Final = 2_000
"""What is read of a memo. The longest seen has 269 characters; the rest is not looked at."""
TRACES_MAX: Final = 16
BORDER: Final = "|"
"""Stands where a wrapper was: nothing is read across it."""

TraceKind = Literal[
    "mbvcb", "ft", "napas", "vcb", "ctden", "momo", "zalopay", "ctlnhidi", "mb", "b2b", "partner"
]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A bank's own number for the transfer, by which two reports of it may be joined."""

    kind: TraceKind
    text: str


class PlainMemo(msgspec.Struct, frozen=True, kw_only=True):
    """A memo in capitals without marks and wrappers, and what the wrappers said."""

    text: str
    traces: tuple[Trace, ...]
    wrapped_names: tuple[str, ...]
    """Names a bank wrote into its wrapper, the payer's first."""


class _Wrapper(msgspec.Struct, frozen=True, kw_only=True):
    """A known piece of bank text: what to cut, and which groups are worth keeping."""

    shape: re.Pattern[str]
    kind: TraceKind | None = None
    lead: str = ""
    """Put before the kept number, as the bank writes it."""


def _wrapper(shape: str, kind: TraceKind | None = None, lead: str = "") -> _Wrapper:
    return _Wrapper(shape=re.compile(shape), kind=kind, lead=lead)


# Every repetition is bounded or a negated class, so that each is linear. Group `trace` is the
# bank's number, `name` a person. The order matters: outer wrappers first.
_WRAPPERS: Final = (
    _wrapper(r"TKTHE ?:[0-9]{6,19},? TAI [A-Z]{2,12}\.? ?"),
    _wrapper(
        r" ?-? ?CTLNHIDI(?P<trace>[0-9]{4,20})(?:-[0-9]/[0-9]-CRE-[0-9]{3})?"
        r"(?:; ?THOI GIAN GD:[0-9/ ]{0,16})?",
        "ctlnhidi",
        "CTLNHIDI",
    ),
    _wrapper(r"CT NHANH 247 DEN: ?"),
    _wrapper(r" ?\(CT[0-9]{4}\)(?P<name>[^|0-9]{0,60})"),
    _wrapper(r"CHUYEN TIEN DEN TU NAPAS NOI DUNG: ?"),
    _wrapper(r"CT DEN: ?(?P<trace>[0-9]{12}) ?", "ctden", "CTDEN"),
    _wrapper(
        r"PARTNER\.DIRECT_DEBITS_VCB\.[A-Z]{2,8}\.(?P<trace>[0-9]{8,14})\.[0-9]{8,14}-",
        "partner",
        "PARTNER.",
    ),
    _wrapper(r"MBVCB\.(?P<trace>[0-9]{10})\.(?:[0-9]{6}\.)?", "mbvcb", "MBVCB."),
    _wrapper(
        r"\.? ?CT TU [0-9X]{4,19} (?P<name>[A-Z ]{1,60}?) TOI [0-9X]{4,19}[^|]{0,120}",
    ),
    _wrapper(
        r"(?P<trace>0200970422[0-9A-Z]{10,40})\.[0-9]{5} ?\.[0-9]{6}\.",
        "napas",
    ),
    _wrapper(r"(?:^|(?<=\|))(?P<trace>[0-9]{6}\.[0-9]{6}\.[0-9]{6})\.", "vcb"),
    _wrapper(r"(?<![0-9A-Z])FT(?P<trace>[0-9]{14})(?![0-9])", "ft", "FT"),
    _wrapper(r"-[0-9]{6}-[0-9]{2}:[0-9]{2}:[0-9]{2}(?: [0-9]{6}(?![0-9]))?"),
    _wrapper(r" GD [0-9]{6}-[0-9]{6} [0-9]{2}:[0-9]{2}:[0-9]{2}"),
    _wrapper(r"(?:^|(?<=\|))(?:IBFT|CUSTOMER) "),
    _wrapper(r"(?<![0-9A-Z])MB\((?P<trace>[0-9]{3,10})\)\(", "mb", "MB"),
    # The second number is the sender's phone; it is cut and not kept.
    _wrapper(r"(?:^|(?<=\|))(?P<trace>[0-9]{11})-0[0-9]{9}-", "momo", "MOMO"),
    _wrapper(r"(?<![0-9A-Z])ZP(?P<trace>[0-9]{6,15}) [0-9]{12,18} ", "zalopay", "ZP"),
    _wrapper(r" ?- ?(?P<trace>B2B[0-9A-Z]{4,30})", "b2b"),
    _wrapper(
        r"REM TFR AC: ?[0-9]{6,19} (?:O@L_[0-9_]{10,60} (?:[0-9]{7} [0-9]{10} )?)?",
    ),
    _wrapper(r"BLKPAY-[0-9A-Z]{1,30}"),
    _wrapper(r"BIDV;[0-9X]{6,19};"),
    _wrapper(r"VIETCOMBANK:[0-9X]{6,19}:"),
    _wrapper(r"- ?MA GD ACSP/ ?[0-9]{6,10}"),
    _wrapper(r"\. TU: (?P<name>[A-Z ]{1,60})"),
)


def capitals(memo: str) -> str:
    """`memo` in capitals, without Vietnamese marks, cut at MEMO_CHARS_MAX; blanks become one."""
    composed = unicodedata.normalize("NFC", memo[:MEMO_CHARS_MAX])
    bare = "".join(
        one for one in unicodedata.normalize("NFD", composed) if not unicodedata.combining(one)
    )
    plain = bare.replace("đ", "d").replace("Đ", "D").upper().replace(BORDER, "/")
    return " ".join(plain[:MEMO_CHARS_MAX].split())


def unwrap(memo: str) -> PlainMemo:
    """The payer's words of `memo`, with a border where each known wrapper was."""
    text = capitals(memo)
    traces: list[Trace] = []
    names: list[str] = []
    for wrapper in _WRAPPERS:
        found = tuple(wrapper.shape.finditer(text))
        if not found:
            continue
        for one in found:
            groups = one.groupdict()
            if wrapper.kind is not None and groups.get("trace"):
                traces.append(Trace(kind=wrapper.kind, text=wrapper.lead + groups["trace"]))
            if groups.get("name"):
                names.append(groups["name"])
        text = wrapper.shape.sub(BORDER, text)
    ordered = sorted(set(traces), key=lambda trace: (trace.kind, trace.text))
    return PlainMemo(text=text, traces=tuple(ordered[:TRACES_MAX]), wrapped_names=tuple(names))
