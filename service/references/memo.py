"""Find what a bank transfer's memo says about who paid for what.

Banks drop marks, change case, wrap, cut and glue; people add greetings. This module only reads: it
gives references whose check holds, dossier codes with how much of them is left, the banks' own
numbers, and words that may be a name. It never decides a match: see service.matching.
"""

import re
from typing import Final

import msgspec

from service.references import memo_codes, memo_references
from service.references.memo_codes import TOKENS_MAX, DossierToken
from service.references.memo_stream import Stream
from service.references.memo_text import MEMO_CHARS_MAX, PlainMemo, Trace, unwrap

__all__ = ["MEMO_CHARS_MAX", "NAME_WORDS_MAX", "DossierToken", "Evidence", "Trace", "scan"]

NAME_WORDS_MAX: Final = 16

_PHRASES: Final = re.compile(
    r"\b(?:(?:NOP|DONG|THU|TIEN|TRA)? ?LE PHI|NOP TIEN|NOP PHI|NOP HO|THANH TOAN|CHUYEN TIEN"
    r"|CHUYEN KHOAN|HO SO|CAM ON|KHAI SINH|LY LICH TU PHAP|PHI|TIEN PHI|MA HO SO|SO TU PHAP"
    r"|CHO CON|KET HON|DANG KY|DAT DAI|PHUONG|XA|NOP|TIEN|VA|QUA MOMO|TP HUE|TAI|TOI|TU"
    r"|NGAY|THANG|NAM|XIN|LAM)\b"
)
_WORD: Final = re.compile(r"[A-Z]{1,7}")
_SYLLABLE: Final = re.compile(
    r"(?:NGH|NG|NH|GH|GI|KH|PH|TH|TR|CH|QU|[BCDGHKLMNPRSTVX])?[AEIOUY]{1,3}(?:NG|NH|CH|[CMNPT])?"
)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one memo says. Names and traces are personal or close to it: seal or hash them."""

    references: tuple[str, ...] = ()
    """Payment references whose check holds, in their stored form."""
    damaged_references: tuple[str, ...] = ()
    """Of the shape of one, but cut or with a wrong character."""
    dossier_codes: tuple[DossierToken, ...] = ()
    traces: tuple[Trace, ...] = ()
    name_words: tuple[str, ...] = ()
    """Syllables in capitals that may be of the payer's name, in order, each once."""


def _name_words(memo: PlainMemo) -> tuple[str, ...]:
    """Words of Vietnamese syllable shape, a bank's own name field first."""
    words: dict[str, None] = {}
    free = _PHRASES.sub("|", memo.text)
    for text in (*memo.wrapped_names, free):
        before = False
        for token in re.split(r"[^0-9A-Z]", text):
            if not token:
                continue
            name = _WORD.fullmatch(token) is not None and (
                _SYLLABLE.fullmatch(token) is not None or (before and len(token) == 1)
            )
            if name:
                words[token] = None
            before = name
    return tuple(words)[:NAME_WORDS_MAX]


def scan(memo: str) -> Evidence:
    """What `memo` says, read up to MEMO_CHARS_MAX characters in time linear in them."""
    plain = unwrap(memo)
    stream = Stream(plain.text)
    references = memo_references.find_whole(stream)
    codes, text = memo_codes.find_high_to_low(stream.rest(plain.text))
    stream = Stream(text)
    codes += memo_codes.find_around_roots(stream)
    damaged = memo_references.find_damaged(stream)
    codes += memo_codes.find_tails(stream.rest(text))
    return Evidence(
        references=references,
        damaged_references=damaged,
        dossier_codes=tuple(dict.fromkeys(codes))[:TOKENS_MAX],
        traces=plain.traces,
        name_words=_name_words(plain),
    )
