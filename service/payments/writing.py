"""Write what a group decided: one statement for the rows, the ledger for the entries.

The rows are told as parallel arrays, so the cost of a statement is shared by the whole group.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.entries import OpenDay
from ledger.posting import hold_days, post
from service import outbox
from service.payments import cases
from service.payments.effects import Allocation, CallRow, Effects, EventRow
from service.payments.loading import raw
from service.payments.sightings import Booked, Sighting, Token
from service.payments.state import Item, Movement, Notice, World

Row = TypeVar("Row")
Columns = Sequence[tuple[str, str, Callable[[Row], object]]]

TRACE_SEPARATOR: Final = "\x1f"

CALL: Final[Columns[CallRow]] = (
    ("book_id", "integer", lambda row: row.book_id),
    ("id", "uuid", lambda row: row.id),
    ("merchant_id", "integer", lambda row: row.merchant_id),
    ("received_at", "timestamptz", lambda row: row.received_at),
    ("sealed", "bytea", lambda row: row.sealed),
)

EVENT: Final[Columns[EventRow]] = (
    ("book_id", "integer", lambda row: row.book_id),
    ("id", "uuid", lambda row: row.id),
    ("call_id", "uuid", lambda row: row.call_id),
    ("merchant_id", "integer", lambda row: row.merchant_id),
    ("scope", "text", lambda row: row.scope),
    ("provider_txn", "text", lambda row: row.provider_txn),
    ("status", "text", lambda row: row.status),
    ("amount_key", "text", lambda row: row.amount_key),
    ("amount_vnd", "bigint", lambda row: row.amount_vnd),
    ("reference", "text", lambda row: row.reference),
    ("happened_at", "timestamptz", lambda row: row.happened_at),
    ("memo_sealed", "bytea", lambda row: row.memo_sealed),
    ("outcome", "text", lambda row: row.outcome),
    ("movement_id", "uuid", lambda row: row.movement_id),
)

Seen = tuple[Sighting, Booked]
New = tuple[Sighting, Movement, datetime]

SIGHTING: Final[Columns[Seen]] = (
    ("book_id", "integer", lambda row: row[0].book_id),
    ("id", "uuid", lambda row: row[0].id),
    ("movement_id", "uuid", lambda row: row[1].movement_id),
    ("view", "text", lambda row: row[0].view),
    ("seen_by", "text", lambda row: row[0].seen_by),
    ("origin", "text", lambda row: row[0].origin),
    ("direction", "text", lambda row: row[0].direction),
    ("amount_vnd", "bigint", lambda row: row[0].amount_vnd),
    ("traces", "text[]", lambda row: TRACE_SEPARATOR.join(row[0].traces)),
    ("reference", "text", lambda row: row[0].reference),
    ("happened_on", "date", lambda row: row[0].happened_on),
    ("outcome", "text", lambda row: row[1].became.value),
)

MOVEMENT: Final[Columns[New]] = (
    ("book_id", "integer", lambda row: row[1].book_id),
    ("id", "uuid", lambda row: row[1].id),
    ("direction", "text", lambda row: row[1].direction),
    ("origin", "text", lambda row: row[1].origin),
    ("trace", "text", lambda row: row[0].own_trace),
    ("amount_vnd", "bigint", lambda row: row[1].amount_vnd),
    ("happened_at", "timestamptz", lambda row: row[0].happened_at),
    ("value_date", "date", lambda row: row[0].happened_on),
    ("entry_id", "uuid", lambda row: row[1].entry_id),
)

MONEY: Final[Columns[Movement]] = (
    ("book_id", "integer", lambda row: row.book_id),
    ("movement_id", "uuid", lambda row: row.id),
    ("amount_vnd", "bigint", lambda row: row.amount_vnd),
    ("allocated_vnd", "bigint", lambda row: row.allocated_vnd),
    ("suspense_vnd", "bigint", lambda row: row.suspense_vnd),
    ("held_vnd", "bigint", lambda row: row.held_vnd),
    ("unexplained_vnd", "bigint", lambda row: row.unexplained_vnd),
    ("reversed_vnd", "bigint", lambda row: row.reversed_vnd),
    ("clearing_vnd", "bigint", lambda row: row.clearing_vnd),
    ("payout_vnd", "bigint", lambda row: row.payout_vnd),
)

ALLOCATION: Final[Columns[Allocation]] = (
    ("book_id", "integer", lambda row: row.book_id),
    ("id", "uuid", lambda row: row.id),
    ("notice_id", "uuid", lambda row: row.notice_id),
    ("movement_book_id", "integer", lambda row: row.movement_book_id),
    ("movement_id", "uuid", lambda row: row.movement_id),
    ("amount_vnd", "bigint", lambda row: row.amount_vnd),
    ("entry_id", "uuid", lambda row: row.entry_id),
    ("rule", "text", lambda row: row.rule),
)

Told = tuple[Sighting, Booked, tuple[str, str]]

TOKEN: Final[Columns[Told]] = (
    ("book_id", "integer", lambda row: row[0].book_id),
    ("movement_id", "uuid", lambda row: row[1].movement_id),
    ("kind", "text", lambda row: row[2][0]),
    ("value", "text", lambda row: row[2][1]),
)

Window = tuple[int, str, str]

WINDOW: Final[Columns[Window]] = (
    ("book_id", "integer", lambda row: row[0]),
    ("origin", "text", lambda row: row[1]),
    ("seen_by", "text", lambda row: row[2]),
)

NOTICE: Final[Columns[Notice]] = (
    ("book_id", "integer", lambda row: row.book_id),
    ("notice_id", "uuid", lambda row: row.id),
    ("paid_vnd", "bigint", lambda row: row.paid_vnd),
    ("held_vnd", "bigint", lambda row: row.held_vnd),
    ("version", "integer", lambda row: row.version),
)

Kept = tuple[Notice, Item]

ITEM: Final[Columns[Kept]] = (
    ("book_id", "integer", lambda row: row[0].book_id),
    ("notice_id", "uuid", lambda row: row[0].id),
    ("id", "uuid", lambda row: row[1].id),
    ("paid_vnd", "bigint", lambda row: row[1].paid_vnd),
)


class _Statement:
    """One statement of several parts, each fed by its own parallel arrays."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._readers: list[tuple[str, Callable[..., object]]] = []
        self._count = 1  # $1 is the time of recording

    def insert(
        self, name: str, columns: Columns[Row], *, recorded: bool = True, ending: str = ""
    ) -> None:
        """Add rows to a table; `recorded` adds the time of recording."""
        names = [column for column, _, _ in columns]
        picks = [
            f"string_to_array(told.{column}, E{TRACE_SEPARATOR!a})"
            if kind == "text[]"
            else f"told.{column}"
            for column, kind, _ in columns
        ]
        if recorded:
            names.append("recorded_at")
            picks.append("$1::timestamptz")
        self._parts.append(
            f"{name} as (insert into service.{name} ({', '.join(names)})"  # noqa: S608 - constants
            f" select {', '.join(picks)} from {self._told(name, columns)} {ending})"
        )

    def update(self, name: str, columns: Columns[Row], key: int, extra: str = "") -> None:
        """Change rows of a table; the first `key` columns find them, the others are set."""
        sets = ", ".join(f"{column} = told.{column}" for column, _, _ in columns[key:])
        finds = " and ".join(f"changed.{column} = told.{column}" for column, _, _ in columns[:key])
        self._parts.append(
            f"{name}_changed as (update service.{name} as changed set {sets}{extra}"  # noqa: S608
            f" from {self._told(f'{name}_changed', columns)} where {finds})"
        )

    def _told(self, name: str, columns: Columns[Row]) -> str:
        arrays = []
        for _, kind, read in columns:
            self._count += 1
            arrays.append(f"${self._count}::{'text' if kind == 'text[]' else kind}[]")
            self._readers.append((name, read))
        names = ", ".join(column for column, _, _ in columns)
        return f"unnest({', '.join(arrays)}) as told ({names})"

    @property
    def text(self) -> str:
        """The statement."""
        return f"with {', '.join(self._parts)} select 1"

    def arrays(self, rows: Mapping[str, Sequence[object]]) -> list[list[object]]:
        """The parallel arrays of `rows`, in the order of the statement's parameters."""
        return [[read(row) for row in rows[name]] for name, read in self._readers]


def _the_statement() -> _Statement:
    made = _Statement()
    made.insert("call", CALL, recorded=False)
    made.insert("event", EVENT)
    made.insert("sighting", SIGHTING)
    made.insert("movement", MOVEMENT)
    made.insert("money_state", MONEY, recorded=False)
    made.update("money_state", MONEY, 2, ", version = changed.version + 1")
    made.insert("allocation", ALLOCATION)
    made.insert("account_window", WINDOW, recorded=False, ending="on conflict do nothing")
    made.insert("token", TOKEN, recorded=False, ending="on conflict do nothing")
    made.update("notice_state", NOTICE, 2, ", updated_at = $1::timestamptz")
    made.update("notice_item", ITEM, 3)
    return made


_WRITE: Final = _the_statement()
WRITE: Final = _WRITE.text

# Runs after WRITE, so that it also sees what the same group allocated.
UNDO = """
    insert into service.allocation (book_id, id, notice_id, movement_book_id, movement_id,
                                    amount_vnd, undoes, entry_id, rule, recorded_at)
    select live.book_id, uuidv7(), live.notice_id, live.movement_book_id, live.movement_id,
           -live.amount_vnd, live.id, told.entry_id, 'reversed', $1::timestamptz
    from unnest($2::integer[], $3::uuid[], $4::uuid[]) as told (book_id, movement_id, entry_id)
    join service.allocation as live
      on live.book_id = told.book_id and live.movement_id = told.movement_id
     and live.amount_vnd > 0
    where not exists (select from service.allocation as gone
                      where gone.book_id = live.book_id and gone.undoes = live.id)
"""


async def write(
    connection: AsyncConnection,
    world: World,
    effects: Effects,
    *,
    now: datetime,
    days: Mapping[int, OpenDay] | None = None,
) -> None:
    """Write rows, entries, cases and news of one group in the caller's transaction."""
    driver = await raw(connection)
    changed = [notice for notice in world.notices.values() if notice.dirty]
    rows: dict[str, Sequence[object]] = {
        "call": effects.calls,
        "event": effects.events,
        "sighting": effects.sightings,
        "movement": effects.movements,
        "money_state": [m for m in world.movements if m.new],
        "money_state_changed": [m for m in world.movements if m.dirty and not m.new],
        "allocation": effects.allocations,
        "token": [
            (sighting, booked, token)
            for sighting, booked in effects.sightings
            if booked.movement_id is not None
            for token in (*sighting.tokens, *_references(sighting))
        ],
        "account_window": sorted(
            {(s.book_id, s.origin, s.seen_by) for s, _ in effects.sightings if _of_an_account(s)}
        ),
        "notice_state_changed": changed,
        "notice_item_changed": [(n, item) for n in changed for item in n.items if item.dirty],
    }
    await driver.execute(WRITE, now, *_WRITE.arrays(rows))
    if effects.undone:
        await driver.execute(UNDO, now, *map(list, zip(*effects.undone, strict=True)))
    await _write_cases(connection, effects, now)
    await outbox.write(connection, effects.news, now)
    if effects.entries:
        if days is None:
            days = await hold_days(connection, [entry.book_id for entry in effects.entries])
        await post(connection, effects.entries, days)


def _of_an_account(sighting: Sighting) -> bool:
    return sighting.view in {"feed", "statement"}


def _references(sighting: Sighting) -> list[Token]:
    """The bank's references of a transfer, by which another window's report is found."""
    return [("trace", trace) for trace in sighting.traces] if _of_an_account(sighting) else []


async def _write_cases(connection: AsyncConnection, effects: Effects, now: datetime) -> None:
    """Cases that a later member of the group ended are written as ended."""
    resolutions: list[str | None] = [None] * len(effects.cases)
    for book_id, subject_id, resolution, opened_before in effects.resolved:
        for position, case in enumerate(effects.cases[:opened_before]):
            mine = case.book_id == book_id and case.subject_id == subject_id
            if mine and resolutions[position] is None:
                resolutions[position] = resolution
    await cases.end_cases(connection, effects.ended, now)
    live_before = [(book_id, subject, how) for book_id, subject, how, _ in effects.resolved]
    await cases.resolve_cases(connection, live_before, now)
    await cases.open_cases(connection, effects.cases, now, resolutions)
