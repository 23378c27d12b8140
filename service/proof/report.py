"""What a proof says to people and to machines: one verdict per invariant."""

from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.proof import Finding
from service.database import snapshot
from service.proof.invariants import INVARIANTS
from service.proof.proving import STEPS_PER_BOOK, Step, books, examine

SHOWN_MAX: Final = 10
"""Broken rows that are named for people; --json names all that were found."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An invariant over all books asked for: what was looked at, and what breaks it."""

    number: int
    vi: str
    en: str
    rows: int
    holds: bool
    note: str
    findings: list[Finding]


async def examined(
    engine: AsyncEngine, book_id: int | None, *, watched: bool = False
) -> list[Verdict]:
    """Prove a book or all of them over one snapshot; `watched` shows a bar on standard error.

    Raises LookupError for a book that was never opened.
    """
    steps: list[Step] = []
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        disable=not watched,
        transient=True,
    )
    async with snapshot(engine) as connection:
        known = await books(connection, None)
        if book_id is not None and book_id not in known:
            raise LookupError(
                f"there is no book {book_id}; there are: {', '.join(map(str, known))}"
            )
        chosen = known if book_id is None else [book_id]
        with bar:
            task = bar.add_task("prove", total=STEPS_PER_BOOK * len(chosen))
            for one in chosen:
                async for step in examine(connection, one):
                    steps.append(step)
                    bar.update(
                        task, advance=1, description=f"book {one}: {step.invariant} {step.name}"
                    )
    return _verdicts(steps)


def _verdicts(steps: list[Step]) -> list[Verdict]:
    verdicts = []
    for invariant in INVARIANTS:
        mine = [step for step in steps if step.invariant == invariant.number]
        findings = [finding for step in mine for finding in step.findings]
        verdicts.append(
            Verdict(
                number=invariant.number,
                vi=invariant.vi,
                en=invariant.en,
                rows=sum(step.rows for step in mine),
                holds=not findings,
                note=next((step.note for step in mine if step.note), ""),
                findings=findings,
            )
        )
    return verdicts


def as_lines(verdicts: list[Verdict]) -> str:
    """One line per invariant, the broken rows below it, and the sum of it."""
    lines = []
    for verdict in verdicts:
        word = "ok" if verdict.holds else "SAI"
        looked = verdict.note or f"{verdict.rows:,} dòng/rows".replace(",", ".")
        lines.append(f"{verdict.number:>2}  {word:<3}  {verdict.vi} / {verdict.en}  [{looked}]")
        lines += [
            f"    → {finding.table} {finding.row} (sổ/book {finding.book_id}):"
            f" {finding.expected} ≠ {finding.found}"
            for finding in verdict.findings[:SHOWN_MAX]
        ]
    broken = [str(verdict.number) for verdict in verdicts if not verdict.holds]
    lines.append(
        f"Không đạt / broken: {', '.join(broken)}" if broken else "Sổ sách khớp / all holds"
    )
    return "\n".join(lines)


def in_json(verdicts: list[Verdict]) -> str:
    """The same for machines; `holds` is true where nothing was found."""
    holds = all(verdict.holds for verdict in verdicts)
    return msgspec.json.encode({"holds": holds, "invariants": verdicts}).decode()
