"""A call we believe, on its way to the books: what waits in the queue, and how it is read.

Pure but for the sealing of texts; knows no SQL.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from ledger.accounts import business_day
from providers import UNKNOWN_ASKED_MAX, Call, Claim, Outcome
from providers.catalog import CATALOG
from service.intake.directory import Directory
from service.merchants import Merchant
from service.payments import evidence
from service.payments.effects import CallRow, EventRow
from service.payments.sightings import Became, Sighting
from service.sealing import Sealer

MONEY_STATUSES: Final = frozenset({"paid", "held", "reversed", "credit", "debit"})
"""What a provider says when money moved; every other word is only noted."""

EventKey = tuple[int, int, str, str, str, str]
"""Book, merchant, scope, provider transaction, status, amount: a second event of one key is a
repeat."""

PaymentKey = tuple[int, int, str, str]
"""Book, merchant, scope, provider transaction: events that share it are about one payment."""

OUTCOMES: Final[Mapping[Became, Outcome]] = MappingProxyType(
    {
        Became.ALLOCATED: Outcome.BOOKED,
        Became.ATTACHED: Outcome.BOOKED,
        Became.NOTED: Outcome.NOTED,
        Became.ANOTHER_FOR_PAID: Outcome.ANOTHER_FOR_PAID,
        Became.UNKNOWN_ORDER: Outcome.UNKNOWN_ORDER,
        Became.AMOUNT_DIFFERS: Outcome.AMOUNT_DIFFERS,
        Became.KEPT: Outcome.HELD,
        Became.UNSURE: Outcome.HELD,
        Became.UNPROVEN: Outcome.HELD,
    }
)

REPEATS: Final[Mapping[Outcome, Outcome]] = MappingProxyType(
    {
        Outcome.BOOKED: Outcome.REPEAT_OF_PAID,
        Outcome.ANOTHER_FOR_PAID: Outcome.REPEAT_OF_PAID,
        # Not answered "done" the first time, so the same answer again, up to a point.
        Outcome.UNKNOWN_ORDER: Outcome.UNKNOWN_ORDER,
        Outcome.UNKNOWN_AGAIN: Outcome.UNKNOWN_AGAIN,
        Outcome.AMOUNT_DIFFERS: Outcome.AMOUNT_DIFFERS,
    }
)

GRAVEST_FIRST: Final = (
    Outcome.TRY_AGAIN,
    Outcome.UNKNOWN_ORDER,
    Outcome.UNKNOWN_AGAIN,
    Outcome.AMOUNT_DIFFERS,
    Outcome.HELD,
    Outcome.BOOKED,
    Outcome.ANOTHER_FOR_PAID,
    Outcome.NOTED,
    Outcome.REPEAT_OF_PAID,
    Outcome.REPEAT,
    Outcome.TEST,
)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An authentic call with its claims.

    `asked`: it is the provider's answer to a question of ours, or a page of its list, and proves
    itself whatever the merchant's calls prove.
    """

    id: UUID
    merchant: Merchant
    call: Call
    claims: tuple[Claim, ...]
    received_at: datetime
    asked: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One claim of a delivery with its book and key; `sighting` where money moved."""

    id: UUID
    key: EventKey
    delivery: Delivery
    claim: Claim
    happened_at: datetime
    sighting: Sighting | None

    @property
    def book_id(self) -> int:
        """The book whose money this is."""
        return self.key[0]

    @property
    def payment(self) -> PaymentKey:
        """What this event and others are about."""
        return self.key[:4]


def believe(merchant: Merchant, call: Call, received_at: datetime) -> Delivery:
    """What an authentic call says, judged with the clock of its arrival; raises Rejected.

    The one way in, for a call that has just come and for one that is replayed.
    """
    claims = CATALOG[merchant.provider].read(call, merchant.terms, received_at)
    return Delivery(
        id=uuid7(), merchant=merchant, call=call, claims=tuple(claims), received_at=received_at
    )


def repeated(first: Outcome, delivered: int = 2) -> Outcome:
    """The outcome of a repeat of a call whose outcome was `first`, delivered for the n-th time."""
    if first is Outcome.UNKNOWN_ORDER and delivered > UNKNOWN_ASKED_MAX:
        return Outcome.UNKNOWN_AGAIN
    return REPEATS.get(first, Outcome.REPEAT)


def gravest(outcomes: Sequence[Outcome]) -> Outcome:
    """The one outcome of a call that told of several payments."""
    return min(outcomes, key=GRAVEST_FIRST.index, default=Outcome.NOTED)


def call_row(delivery: Delivery, sealer: Sealer, now: datetime) -> CallRow:
    """The call exactly as it came, sealed."""
    book_id = delivery.merchant.book_id
    return CallRow(
        book_id=book_id,
        id=delivery.id,
        merchant_id=delivery.merchant.id,
        received_at=delivery.received_at,
        sealed=sealer.seal(
            book_id,
            now,
            b"service.call:" + delivery.id.bytes,
            msgspec.msgpack.encode(delivery.call),
        ),
    )


def events_of(delivery: Delivery, directory: Directory, sealer: Sealer) -> list[Event]:
    """The claims of a delivery as events; test probes are none."""
    return [
        _event(delivery, claim, directory, sealer) for claim in delivery.claims if not claim.is_test
    ]


def _event(delivery: Delivery, claim: Claim, directory: Directory, sealer: Sealer) -> Event:
    merchant = delivery.merchant
    account = directory.account(claim.own_account) if claim.own_account else None
    book_id = account.book_id if account else merchant.book_id
    transaction = claim.transaction
    if not transaction.strip("0"):
        # A gateway that never reached the bank numbers every such attempt 0.
        transaction = f"{claim.reference}:{transaction}"
    readable = claim.amount_vnd is not None
    event_id = uuid7()
    happened_at = claim.happened_at or delivery.received_at
    key = (
        book_id,
        merchant.id,
        claim.scope,
        transaction,
        claim.status,
        str(claim.amount_vnd) if readable else f"text:{claim.amount_text}"[:100],
    )
    sighting = None
    if claim.amount_vnd is not None and claim.status in MONEY_STATUSES:
        common = _Common(event_id, book_id, claim.amount_vnd, happened_at, transaction)
        # A link that is paid straight to our account: other windows tell of the same transfer.
        to_our_account = claim.status == "paid" and account is not None
        if claim.kind == "gateway" and not to_our_account:
            sighting = _gateway_sighting(common, merchant, claim)
        else:
            account_id = account.id if account else None
            sighting = _feed_sighting(common, merchant, claim, account_id, sealer)
        if _is_weak(delivery, claim.amount_vnd, directory):
            sighting = msgspec.structs.replace(sighting, weak=True)
    return Event(
        id=event_id,
        key=key,
        delivery=delivery,
        claim=claim,
        happened_at=happened_at,
        sighting=sighting,
    )


def _is_weak(delivery: Delivery, amount_vnd: int, directory: Directory) -> bool:
    """Whether the call proves only that its sender knows a key, and is of much money."""
    limit_vnd = delivery.merchant.weak_above_vnd(directory.weak_limit_vnd)
    return limit_vnd is not None and amount_vnd > limit_vnd and not delivery.asked


class _Common(msgspec.Struct, frozen=True):
    """What both kinds of sighting have."""

    id: UUID
    book_id: int
    amount_vnd: int
    happened_at: datetime
    transaction: str


def _gateway_sighting(common: _Common, merchant: Merchant, claim: Claim) -> Sighting:
    name = f"{merchant.provider}/{merchant.merchant}"
    return Sighting(
        id=common.id,
        book_id=common.book_id,
        view="callback",
        seen_by=f"callback:{name}",
        origin=f"merchant:{name}",
        direction="in",
        amount_vnd=common.amount_vnd,
        happened_at=common.happened_at,
        happened_on=business_day(common.happened_at),
        provider=merchant.provider,
        external_id=common.transaction,
        traces=(f"{claim.scope}/{common.transaction}" if claim.scope else common.transaction,),
        reference=claim.reference,
        held_by_provider=claim.status != "paid",
        merchant=name,
        merchant_id=merchant.id,
    )


def _feed_sighting(
    common: _Common, merchant: Merchant, claim: Claim, account_id: int | None, sealer: Sealer
) -> Sighting:
    """A transfer on an account; a gateway's order names it better than any text."""
    name = f"{merchant.provider}/{merchant.merchant}"
    known_as = _known_as(claim, common.transaction)
    found = evidence.read(
        common.book_id,
        sealer,
        claim.memo,
        codes=(claim.reference,),
        bank_references=(claim.bank_reference, known_as),
    )
    incoming = claim.status in {"credit", "paid"}
    order = claim.reference if claim.kind == "gateway" else None
    return Sighting(
        id=common.id,
        book_id=common.book_id,
        view="feed",
        seen_by=f"feed:{name}",
        origin=f"account:{account_id}" if account_id is not None else f"merchant:{name}",
        direction="in" if incoming else "out",
        amount_vnd=common.amount_vnd,
        happened_at=common.happened_at,
        happened_on=business_day(common.happened_at),
        provider=merchant.provider,
        external_id=common.transaction,
        traces=found.traces,
        known_as=evidence.trace(known_as) if known_as else None,
        # Outgoing money may name a refund or a remittance of ours.
        reference=order or found.reference if incoming else found.reference,
        bank_account_id=account_id,
        merchant=name,
        merchant_id=merchant.id,
        tokens=found.tokens if incoming else (),
    )


def _known_as(claim: Claim, transaction: str) -> str | None:
    """How this window would tell the same transfer again, where it goes by the bank's numbers."""
    is_the_banks = bool(claim.scope) and claim.bank_reference == claim.transaction
    return f"{transaction}@{claim.scope}" if is_the_banks else None


def event_row(
    event: Event, outcome: Outcome, movement_id: UUID | None, sealer: Sealer, now: datetime
) -> EventRow:
    """The event as it is kept; what people wrote is sealed."""
    claim = event.claim
    texts = {
        name: text
        for name in ("memo", "counterparty_account", "counterparty_name", "bank_reference")
        if (text := getattr(claim, name))
    }
    return EventRow(
        book_id=event.book_id,
        id=event.id,
        call_id=event.delivery.id,
        merchant_id=event.delivery.merchant.id,
        scope=event.key[2],
        provider_txn=event.key[3],
        status=claim.status,
        amount_key=event.key[5],
        amount_vnd=claim.amount_vnd,
        reference=event.sighting.reference if event.sighting else claim.reference,
        happened_at=event.happened_at,
        memo_sealed=sealer.seal(
            event.book_id, now, b"service.event:" + event.id.bytes, msgspec.json.encode(texts)
        )
        if texts
        else None,
        outcome=outcome.value,
        movement_id=movement_id,
    )
