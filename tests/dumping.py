"""A database as plain sorted rows without ids and times, so that two can be compared."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

Dump: TypeAlias = dict[str, list[str]]

UUID_TEXT: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Ids in the rows are replaced by names that two databases with the same history share.
NAMES = """
    select notice.id::text, 'notice ' || notice.dossier_code from service.notice
    union all
    select item.id::text, 'item ' || notice.dossier_code || ' ' || item.position
    from service.notice_item as item join service.notice on notice.id = item.notice_id
    union all
    select event.id::text, 'event ' || concat_ws(' ', event.book_id, event.merchant_id,
           event.scope, event.provider_txn, event.status, event.amount_key) from service.event
    union all
    select movement.id::text, 'movement ' || (
        select string_agg(concat_ws(' ', event.book_id, event.merchant_id, event.scope,
                                    event.provider_txn,
                                    event.status, event.amount_key), ' and ' order by
                          event.scope, event.provider_txn, event.status, event.amount_key)
        from service.event where event.movement_id = movement.id)
    from service.movement
"""

TABLES: Final[Mapping[str, str]] = {
    "call": "select book_id, merchant_id, count(*) from service.call group by 1, 2",
    "event": """select book_id, id, amount_vnd, reference, happened_at, outcome, movement_id
                from service.event""",
    "unknown_order": "select book_id, event_id, asked from service.unknown_order",
    "sighting": """select book_id, id, movement_id, view, seen_by, origin, direction, amount_vnd,
                          traces, reference, happened_on, outcome from service.sighting""",
    "movement": """select book_id, id, direction, origin, trace, amount_vnd, happened_at,
                          value_date from service.movement""",
    "money_state": """select book_id, movement_id, amount_vnd, allocated_vnd, suspense_vnd,
                             held_vnd, unexplained_vnd, reversed_vnd, clearing_vnd
                      from service.money_state""",
    "token": "select book_id, movement_id, kind, value from service.token where kind <> 'name'",
    "allocation": """select book_id, notice_id, movement_book_id, movement_id, amount_vnd,
                            undoes is null, rule from service.allocation""",
    "notice_state": """select book_id, notice_id, amount_vnd, exempted_vnd, paid_vnd, refunded_vnd,
                              held_vnd, version, outstanding_vnd, status, settled
                       from service.notice_state""",
    "notice_item": "select book_id, id, exempted_vnd, paid_vnd from service.notice_item",
    "unmatched": """select book_id, subject_kind, subject_id, side, reason, provider, external_id,
                           amount_vnd, happened_at, fields::text, candidates::text, status,
                           resolution from service.unmatched""",
    "outbox": """select book_id, type, dossier_code, notice_id, payload::text
                 from service.outbox""",
    "entry": """select book_id,
                       case when kind = 'due_from_unit' then 'movement:' || shared_id
                            else source end,
                       kind, happened_at, value_date, shared_id, line_count from ledger.entry""",
    "line": """select line.book_id, entry.kind, case when entry.kind = 'due_from_unit' then ''
                      else entry.source end, line.position, line.debit, line.credit,
                      line.amount_vnd, line.value_date, line.notice_id, line.item_id,
                      line.movement_id, line.bank_account_id, line.merchant, line.budget_subsection
               from ledger.line join ledger.entry
                 on entry.book_id = line.book_id and entry.id = line.entry_id""",
}


async def dump(engine: AsyncEngine) -> Dump:
    """Every row that payments write, with names for ids, sorted by table."""
    async with engine.connect() as connection:
        names = {row[0]: str(row[1]) for row in await connection.execute(sa.text(NAMES))}
        return {
            table: sorted(_named(row, names) for row in await connection.execute(sa.text(q)))
            for table, q in TABLES.items()
        }


def _named(row: Iterable[object], names: Mapping[str, str]) -> str:
    text = " | ".join(str(value) for value in row)
    return UUID_TEXT.sub(lambda found: names.get(found.group(), "?"), text)
