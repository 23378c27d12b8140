"""What a transfer's texts say, as a sighting needs it: one reference, traces, and tokens to keep.

Code-shaped tokens are kept in clear; words that may be a name only as keyed hashes (choice 13).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from service.payments.sightings import Token
from service.references import memo as memos
from service.references import payment_reference
from service.sealing import Sealer

TRACE_CHARS_MAX: Final = 100
TOKENS_MAX: Final = 64
VALUE_CHARS_MAX: Final = 64

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "whole": "dossier",
        "padded": "dossier_padded",
        "truncated": "dossier_part",
        "tail": "dossier_part",
    }
)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """`reference` is set only where the texts hold exactly one valid payment reference."""

    reference: str | None
    traces: tuple[str, ...]
    tokens: tuple[Token, ...]


def read(
    book_id: int,
    sealer: Sealer,
    memo: str,
    *,
    codes: Iterable[str | None] = (),
    bank_references: Iterable[str | None] = (),
) -> Evidence:
    """Read a memo, the codes a feed found in it, and the bank's own references."""
    found = memos.scan(memo)
    references = dict.fromkeys(found.references)
    for code in codes:
        parsed = payment_reference.parse(code) if code else None
        if parsed is not None:
            references[parsed.text] = None
    traces = dict.fromkeys(
        normal
        for text in (*bank_references, *(trace.text for trace in found.traces))
        if text and (normal := trace(text))
    )
    tokens: dict[Token, None] = {("reference", text): None for text in references}
    tokens |= {("damaged_reference", text): None for text in found.damaged_references}
    for token in found.dossier_codes:
        tokens |= {(KINDS[token.kind], key): None for key in token.keys}
    for word in found.name_words:
        tokens["name", sealer.search_hash(book_id, word).hex()] = None
    return Evidence(
        reference=next(iter(references)) if len(references) == 1 else None,
        traces=tuple(traces),
        tokens=tuple((k, v) for k, v in tokens if len(v) <= VALUE_CHARS_MAX)[:TOKENS_MAX],
    )


def trace(text: str) -> str:
    """A bank reference in the form in which two windows' reports are compared.

    Without blanks and whatever else cannot be seen: a spreadsheet may add it, a terminal obeys it.
    """
    seen = "".join(c for c in text if c.isprintable() and not c.isspace())
    return seen.upper()[:TRACE_CHARS_MAX]
