"""Write a settlement file as its provider would: the reader's other half, for simulators and tests.

Pure: facts and a mapping in, cells or bytes out; `SettlementReader` gives the facts back.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date

from providers.settlements.lines import Fact
from providers.settlements.mapping import FEE_COLUMNS, Column, SettlementMapping
from providers.untrusted import VIETNAM


def payouts_of(facts: Sequence[Fact], *, paid_on: date) -> list[Fact]:
    """The payout of each batch among `facts` that comes to more than nothing, announced for a day.

    Not for daily batches: there a payout would fall into the batch of its own day.
    """
    sums: dict[str, int] = {}
    last: dict[str, Fact] = {}
    for fact in facts:
        sums[fact.batch] = sums.get(fact.batch, 0) + fact.net_vnd
        last[fact.batch] = fact
    return [
        Fact(
            kind="payout",
            transaction="",
            order="",
            gross_vnd=net_vnd,
            fee_vnd=0,
            batch=batch,
            happened_at=last[batch].happened_at.replace(
                year=paid_on.year, month=paid_on.month, day=paid_on.day
            ),
        )
        for batch, net_vnd in sums.items()
        if net_vnd > 0
    ]


def cells_of(
    mapping: SettlementMapping, facts: Sequence[Fact], *, trailer: bool = True
) -> list[list[str]]:
    """Headings, a row for each fact, and a trailer with count and sums, as texts."""
    columns = list(mapping.columns)
    rows = [[mapping.columns[column][0] for column in columns]]
    rows += [[_cell(mapping, fact, column) for column in columns] for fact in facts]
    if trailer:
        rows.append(_trailer(mapping, facts, columns))
    return rows


def write_csv(mapping: SettlementMapping, facts: Sequence[Fact], *, trailer: bool = True) -> bytes:
    """The CSV of `facts`, in the mapping's own delimiter, encoding and styles."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mapping.delimiter, lineterminator="\r\n")
    writer.writerows(cells_of(mapping, facts, trailer=trailer))
    return text.getvalue().encode(mapping.encoding)


def _cell(mapping: SettlementMapping, fact: Fact, column: Column) -> str:
    sign = -1 if fact.kind in mapping.negated else 1
    amounts_vnd = {
        "gross": sign * fact.gross_vnd,
        "net": sign * (fact.gross_vnd if fact.kind == "payout" else fact.net_vnd),
        "fee": -fact.fee_vnd if mapping.fees_negative else fact.fee_vnd,
        "fee_tax": 0,
        "fee_other": 0,
    }
    if column in amounts_vnd:
        return _money(mapping, amounts_vnd[column])
    if column == "kind":
        return mapping.kinds[fact.kind][0]
    if column == "happened_at":
        return _moment(mapping, fact)
    constants = {"status": mapping.statuses[:1], "currency": ("VND",)}
    return "".join(constants.get(column, ())) or str(getattr(fact, column))


def _trailer(
    mapping: SettlementMapping, facts: Sequence[Fact], columns: Sequence[Column]
) -> list[str]:
    """The label in the first cell, and behind it the count where that cell is the count's own."""
    lines = [fact for fact in facts if fact.kind != "payout"]
    fee_vnd = sum(fact.fee_vnd for fact in lines)
    sums = {
        "gross": sum(fact.gross_vnd for fact in lines),
        "net": sum(fact.net_vnd for fact in lines),
        "fee": -fee_vnd if mapping.fees_negative else fee_vnd,
    }
    row = [
        _money(mapping, sums[column]) if column in sums
        else _money(mapping, 0) if column in FEE_COLUMNS
        else str(len(lines)) if column == mapping.trailer_count
        else ""
        for column in columns
    ]  # fmt: skip
    label = mapping.trailer_labels[0]
    row[0] = f"{label}: {len(lines)}" if columns[0] == mapping.trailer_count else label
    return row


def _money(mapping: SettlementMapping, amount_vnd: int) -> str:
    return f"{amount_vnd:,}".replace(",", mapping.thousands)


def _moment(mapping: SettlementMapping, fact: Fact) -> str:
    local = fact.happened_at.astimezone(VIETNAM)
    style = mapping.date_style
    day = style.replace("yyyy", f"{local:%Y}").replace("mm", f"{local:%m}")
    day = day.replace("dd", f"{local:%d}")
    return f"{day}{local:%H%M%S}" if style == "yyyymmdd" else f"{day} {local:%H:%M:%S}"
