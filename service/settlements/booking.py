"""Book one chunk of settlement lines: judge each, tell service.payments, keep what was judged.

Everything happens in the caller's transaction, in which the import holds its settlement's row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import business_day
from service.payments import booking, settling
from service.payments.effects import Effects
from service.payments.sightings import Became, Booked, Case, FieldVerdict
from service.payments.state import World
from service.settlements import facts
from service.settlements.contracts import Contract, of_day
from service.settlements.identity import Counted, trace, traces
from service.settlements.judging import Judged, judge, judge_untouched
from service.settlements.keeping import Payee

ADD: Final = sa.text("""
    insert into service.settlement_line
        (book_id, id, settlement_id, merchant_id, batch_id, ordinal, row_number, kind, trace,
         reference, refund_reference, gross_vnd, fee_vnd, net_vnd, contract_fee_vnd, happened_at,
         value_date, fingerprint, occurrence, verdict, movement_book_id, movement_id, sighted,
         receivable_vnd, disputed_vnd, recorded_at)
    select :book_id, told.id, :settlement_id, :merchant_id, told.batch_id, told.ordinal,
           told.row_number, told.kind, told.trace, told.reference, told.refund_reference,
           told.gross_vnd, told.fee_vnd, told.gross_vnd - told.fee_vnd, told.contract_fee_vnd,
           told.happened_at, told.value_date, told.fingerprint, told.occurrence, told.verdict,
           told.movement_book_id, told.movement_id, told.sighted, told.receivable_vnd,
           told.disputed_vnd, :now
    from unnest(cast(:ids as uuid[]), cast(:batches as uuid[]), cast(:ordinals as integer[]),
                cast(:rows as integer[]), cast(:kinds as text[]), cast(:traces as text[]),
                cast(:references as text[]), cast(:refunds as text[]), cast(:gross as bigint[]),
                cast(:fees as bigint[]), cast(:contract_fees as bigint[]),
                cast(:happened as timestamptz[]), cast(:days as date[]), cast(:prints as bytea[]),
                cast(:occurrences as integer[]), cast(:verdicts as text[]),
                cast(:movement_books as integer[]), cast(:movements as uuid[]),
                cast(:sighted as boolean[]), cast(:receivable as bigint[]),
                cast(:disputed as bigint[]))
        as told (id, batch_id, ordinal, row_number, kind, trace, reference, refund_reference,
                 gross_vnd, fee_vnd, contract_fee_vnd, happened_at, value_date, fingerprint,
                 occurrence, verdict, movement_book_id, movement_id, sighted, receivable_vnd,
                 disputed_vnd)
""")

ADD_TO_BATCHES: Final = sa.text("""
    update service.settlement_batch as batch
    set line_count = batch.line_count + told.lines, gross_vnd = batch.gross_vnd + told.gross_vnd,
        fee_vnd = batch.fee_vnd + told.fee_vnd, net_vnd = batch.net_vnd + told.net_vnd,
        receivable_vnd = batch.receivable_vnd + told.receivable_vnd,
        announced_vnd = coalesce(told.announced_vnd, batch.announced_vnd)
    from (
        select batch_id, count(*) filter (where kind <> 'payout') as lines,
               coalesce(sum(gross_vnd) filter (where kind <> 'payout'), 0) as gross_vnd,
               coalesce(sum(fee_vnd) filter (where kind <> 'payout'), 0) as fee_vnd,
               coalesce(sum(gross_vnd - fee_vnd) filter (where kind <> 'payout'), 0) as net_vnd,
               sum(receivable_vnd) as receivable_vnd,
               sum(gross_vnd) filter (where kind = 'payout') as announced_vnd
        from unnest(cast(:batches as uuid[]), cast(:kinds as text[]), cast(:gross as bigint[]),
                    cast(:fees as bigint[]), cast(:receivable as bigint[]))
            as line (batch_id, kind, gross_vnd, fee_vnd, receivable_vnd)
        group by batch_id
    ) as told
    where batch.book_id = :book_id and batch.id = told.batch_id
""")


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What all chunks of one import have in common."""

    whose: Payee
    settlement_id: UUID
    batches: Mapping[str, UUID]
    contracts: Sequence[Contract]
    money: Literal["provider", "account"]


async def book_chunk(
    connection: AsyncConnection, chunk: Chunk, fresh: Sequence[Counted], now: datetime
) -> None:
    """Book lines that no file told before, and keep them."""
    whose = chunk.whose
    if chunk.money == "account":
        told = await facts.at_account(connection, whose, fresh)
        seen: Counter[tuple[str, str]] = Counter()
        judged = []
        for one, its in zip(fresh, told, strict=True):
            its.payments += seen[trace(one.line), one.line.kind]
            seen[trace(one.line), one.line.kind] += 1
            judged.append(judge_untouched(whose, one, its))
        effects = Effects(cases=[case for one in judged for case in one.cases])
        await booking.book(connection, [], now=now, effects=effects)
    else:
        known = await facts.at_provider(connection, whose, fresh)
        judged = [judge(whose, one, known.get(trace(one.line), facts.Facts())) for one in fresh]
        await _tell(connection, whose, judged, now)
    await _keep(connection, chunk, judged, now)


async def _tell(
    connection: AsyncConnection, whose: Payee, judged: Sequence[Judged], now: datetime
) -> None:
    """Tell service.payments of the money, and have each line settled in the same breath."""
    reporting = [one for one in judged if one.sighting is not None]
    tied = [
        (whose.book_id, whose.origin, text)
        for one in judged
        if one.sighting is None and one.movement_id is not None
        for text in traces(one.line)
    ]

    def then(world: World, booked: Sequence[Booked], effects: Effects) -> None:
        for one, became in zip(reporting, booked, strict=True):
            one.movement_book_id, one.movement_id = whose.book_id, became.movement_id
            if became.movement_id is None:
                one.movement_book_id = None
        movements = {movement.id: movement for movement in world.movements}
        for one, became in zip(reporting, booked, strict=True):
            if one.verdict != "missing_callback" or became.movement_id is None:
                continue
            movement = movements[became.movement_id]
            if became.became is Became.ALLOCATED and not movement.held_vnd:
                effects.cases.append(_never_called(whose, one))
        _name(judged, effects)
        settled = [line for one in judged if (line := one.settled(whose)) is not None]
        settling.settle(settled, world, effects)

    await booking.book(
        connection,
        [one.sighting for one in reporting if one.sighting is not None],
        now=now,
        traces=tied,
        then=then,
    )


def _name(judged: Sequence[Judged], effects: Effects) -> None:
    """The cases of the lines, but for those that a later line of the chunk has ended."""
    for one in judged:
        effects.cases += one.cases
        if not one.ends or one.movement_id is None or one.movement_book_id is None:
            continue
        ended = (one.movement_book_id, one.movement_id, one.ends)
        effects.cases = [
            case for case in effects.cases if (case.book_id, case.subject_id, case.reason) != ended
        ]
        effects.ended.append((*ended, f"settlement line {one.id}"))


def _never_called(whose: Payee, one: Judged) -> Case:
    """The citizen has paid and the provider's call never came: booked from the settlement."""
    line = one.line
    fields = () if one.sighting is None else one.sighting.fields
    return Case(
        book_id=whose.book_id,
        subject_kind="movement",
        subject_id=one.movement_id or one.id,
        side="settlement",
        reason="MISSING_CALLBACK",
        provider=whose.provider,
        external_id=line.transaction,
        amount_vnd=line.gross_vnd,
        happened_at=line.happened_at,
        fields=(
            FieldVerdict(name="reference", expected=line.order, found=line.order, verdict="equal"),
            *fields,
        ),
    )


async def _keep(
    connection: AsyncConnection, chunk: Chunk, judged: Sequence[Judged], now: datetime
) -> None:
    key = {"book_id": chunk.whose.book_id, "merchant_id": chunk.whose.id, "now": now}
    lines = [one.line for one in judged]
    sums: dict[str, object] = {
        "batches": [chunk.batches[line.batch] for line in lines],
        "kinds": [line.kind for line in lines],
        "gross": [line.gross_vnd for line in lines],
        "fees": [line.fee_vnd for line in lines],
        "receivable": [one.receivable_vnd for one in judged],
    }
    columns: dict[str, object] = {
        "settlement_id": chunk.settlement_id,
        "ids": [one.id for one in judged],
        "ordinals": [line.ordinal for line in lines],
        "rows": [line.row for line in lines],
        "traces": [trace(line) for line in lines],
        "references": [line.order or None for line in lines],
        "refunds": [line.refund_reference or None for line in lines],
        "contract_fees": [_contract_fee(chunk, one) for one in judged],
        "happened": [line.happened_at for line in lines],
        "days": [business_day(line.happened_at) for line in lines],
        "prints": [one.counted.fingerprint for one in judged],
        "occurrences": [one.counted.occurrence for one in judged],
        "verdicts": [one.verdict for one in judged],
        "movement_books": [one.movement_book_id for one in judged],
        "movements": [one.movement_id for one in judged],
        "sighted": [one.sighting is not None for one in judged],
        "disputed": [one.disputed_vnd for one in judged],
    }
    await connection.execute(ADD, key | sums | columns)
    await connection.execute(ADD_TO_BATCHES, {"book_id": chunk.whose.book_id} | sums)


def _contract_fee(chunk: Chunk, one: Judged) -> int | None:
    """What the contract of the day charges for a payment; None where no contract holds."""
    if one.line.kind != "payment" or chunk.money == "account":
        return None
    contract = of_day(chunk.contracts, business_day(one.line.happened_at))
    return None if contract is None else contract.fee_vnd(one.line.gross_vnd)
