"""Some business days of two units, as they would have happened: recorded, paid, seen at the bank.

Chooses who pays how and what goes wrong; service.dev.town does it over HTTP.
"""

import itertools
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from ledger.accounts import BUSINESS_ZONE, business_day
from service.dev import mishaps, people
from service.dev.channels import GATEWAYS
from service.dev.dossiers import Desk
from service.dev.provider import settlement
from service.dev.provider.serving import Running
from service.dev.town import Owed, Request, Town, Transfer, each
from service.dev.units import UNITS, Unit
from service.references import payment_reference

FIRST_RUN_DAYS: Final = 4
DOSSIERS_A_DAY: Final = 250
"""For each unit: about the busiest wards of Huế on their busiest days."""
LATER_RUN_DOSSIERS: Final = 120
SATURDAY: Final = 5
OPENS: Final = time(7, 30)
PAID_WITHIN: Final = timedelta(hours=13)
WAYS: Final = (
    ("gateway", 0.46),
    ("transfer", 0.26),
    ("direct", 0.06),
    ("cash", 0.07),
    ("pos", 0.03),
    ("exempted", 0.01),
    ("withdrawn", 0.006),
)
"""How dossiers are paid, and how many; the rest is not paid yet."""
VAGUE_A_DAY: Final = 4
UNKNOWN_ORDERS_A_DAY: Final = 2
BANK_FEE_VND: Final = 11_000
REMITTED_VND: Final = (3_000_000, 12_000_000)
GATEWAY_MIN_VND: Final = 5_000
"""Less than this is not taken by the gateway."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A dossier that is paid in a way at a time."""

    owed: Owed
    way: str
    at: datetime
    request: Request | None = None


class Days(msgspec.Struct, kw_only=True):
    """What the days have become so far."""

    days: list[date]
    payments: list[Payment] = []
    transfers: list[Transfer] = []


def business_days(now: datetime, *, first_run: bool) -> list[date]:
    """The days of a run: some before today at the first start, today's at any later one."""
    today = business_day(now)
    if not first_run:
        return [today]
    found: list[date] = []
    day = today
    while len(found) < FIRST_RUN_DAYS:
        day -= timedelta(days=1)
        if day.weekday() < SATURDAY:
            found.append(day)
    return found[::-1]


def moment(dice: random.Random, day: date, now: datetime) -> datetime:
    """Some time of a business day, not later than now."""
    opens = datetime.combine(day, OPENS, BUSINESS_ZONE).astimezone(UTC)
    begins = min(opens, datetime.combine(day, time(), BUSINESS_ZONE).astimezone(UTC))
    if opens >= now:
        return begins + (now - begins) * dice.random()
    return opens + min(PAID_WITHIN, now - opens) * dice.random()


async def record(town: Town, days: Sequence[date], run: int, count: int) -> list[Owed]:
    """Record `count` dossiers for each unit and day; one payer of them is the distinct one."""
    dossiers = []
    for unit in UNITS:
        for day in days:
            desk = Desk(town.dice, unit, day, run)
            dossiers += [
                desk.next(people.DISTINCT if (unit, day, n) == (UNITS[0], days[0], 0) else None)
                for n in range(count)
            ]
    return list(await each(dossiers, town.record))


async def choose(town: Town, owed: Sequence[Owed], now: datetime) -> list[Payment]:
    """Decide how each dossier is paid; ask for payment requests; waive, and cancel too late."""
    payments = []
    for one in owed:
        if not one.notice.outstanding_vnd:
            continue
        way = _way(town.dice, one)
        if one.dossier.person == people.DISTINCT:
            way = "transfer"
        if way:
            at = moment(town.dice, one.dossier.day, now)
            payments.append(Payment(owed=one, way=way, at=at))
    return list(await each(payments, lambda payment: _prepare(town, payment)))


def _way(dice: random.Random, owed: Owed) -> str:
    drawn = dice.random()
    for way, share in WAYS:
        if drawn < share:
            small = way == "gateway" and owed.notice.outstanding_vnd < GATEWAY_MIN_VND
            return "transfer" if small else way
        drawn -= share
    return ""


async def _prepare(town: Town, payment: Payment) -> Payment:
    owed = payment.owed
    if payment.way == "exempted":
        await town.exempt(owed)
        return payment
    if payment.way == "transfer":
        provider = "vietqr"
    elif payment.way in {"gateway", "withdrawn"}:
        provider = town.gateway(owed.dossier.unit)
    else:
        return payment
    request = await town.request(owed, provider)
    if payment.way == "withdrawn":
        await town.cancel(owed)
    return msgspec.structs.replace(payment, request=request)


async def pay_at_gateway(
    town: Town, payments: Sequence[Payment], days: Sequence[date], now: datetime
) -> int:
    """Send the gateways' calls about all payments, and some about orders nobody knows."""
    rates = mishaps.Rates()
    chosen = [
        (payment, "" if payment.way == "withdrawn" else mishaps.cast(town.dice, rates, feed=False))
        for payment in payments
        if payment.request is not None and payment.way in {"gateway", "withdrawn"}
    ]

    async def pay(one: tuple[Payment, str]) -> None:
        payment, mishap = one
        if payment.request is not None:
            await town.pay_at_gateway(payment.request, payment.at, mishap)

    await each(chosen, pay)
    for day in days:
        for _ in range(UNKNOWN_ORDERS_A_DAY):
            reference = payment_reference.mint(UNITS[0].book.code, town.dice.randbytes(5))
            unknown = Request(
                reference=reference,
                numeric_reference=payment_reference.numeric(reference),
                provider="vnpay",
                amount_vnd=100_000,
            )
            await town.pay_at_gateway(unknown, moment(town.dice, day, now), "")
    return len(chosen)


def transfers_of(town: Town, payments: Sequence[Payment], run: Days, now: datetime) -> None:
    """What moves on the bank accounts: paid by reference, by dossier code, for no known reason."""
    rates = mishaps.Rates()
    moved: list[Transfer] = []
    for payment in payments:
        if payment.way not in {"transfer", "direct"}:
            continue
        owed = payment.owed
        code = payment.request.reference if payment.request else owed.dossier.code
        distinct = owed.dossier.person == people.DISTINCT
        mishap = "" if distinct else mishaps.cast(town.dice, rates, feed=True)
        if payment.way == "direct" and town.dice.random() < 0.5:  # noqa: PLR2004 # half of them
            mishap = "lost"
        text = people.typed(town.dice, code, owed.dossier.person)
        if distinct:
            text = (
                f"{code} {people.DISTINCT_MEMO} {people.DISTINCT.plain} {people.DISTINCT.account}"
            )
        memo = text
        if not distinct:
            unit = owed.dossier.unit
            memo = people.wrapped(town.dice, text, owed.dossier.person, payment.at, unit.account)
        moved += town.transfer(
            owed.dossier.unit, owed.notice.outstanding_vnd, payment.at, memo, mishap
        )
    for unit in UNITS:
        for day in run.days:
            moved += _for_no_fee(town, unit, day, now)
    moved += town.landed
    town.landed = []
    # The bank writes down in the order of time, and so do its running balances.
    run.transfers = sorted(moved, key=lambda one: one.moved.booked_at)
    town.bank.add([one.moved for one in run.transfers])


def pay_out(town: Town, there: Mapping[str, Running], days: Sequence[date], now: datetime) -> int:
    """Let each gateway pay out what it settles for a day, on the next one; how many payouts.

    They are told of with what else lands on the account, by the bank and its feed.
    """
    count = 0
    for name, running in there.items():
        mapping = settlement.mapping_of(name)
        if name not in GATEWAYS or mapping.money != "provider":
            continue
        for day, next_day in itertools.pairwise(days):
            terms, shop = running.actor.terms, running.actor.shop
            facts = settlement.facts_of_day(mapping, shop, terms.merchant, day)
            net_vnd = sum(one.net_vnd for one in facts if one.kind != "payout")
            if net_vnd <= 0:
                continue
            at = moment(town.dice, next_day, now)
            memo = f"{name.upper()} QUYET TOAN {terms.merchant} NGAY {day:%d/%m/%Y}"
            town.landed += town.transfer(UNITS[0], net_vnd, at, memo)
            count += 1
    return count


def _for_no_fee(town: Town, unit: Unit, day: date, now: datetime) -> list[Transfer]:
    """A day's credits that name nothing, the bank's own fee, and the remittance to the Treasury."""
    dice = town.dice
    moved: list[Transfer] = []
    for _ in range(VAGUE_A_DAY):
        person = people.somebody(dice)
        at = moment(dice, day, now)
        memo = people.wrapped(dice, people.vague(dice, person), person, at, unit.account)
        amount_vnd = dice.randrange(10, 300) * 1_000 + 500
        moved += town.transfer(unit, amount_vnd, at, memo, dice.choice(("", "lost")))
    at = moment(dice, day, now)
    moved += town.transfer(unit, -BANK_FEE_VND, at, f"THU PHI QLTK {day:%m/%Y}", "lost")
    remitted_vnd = dice.randrange(*REMITTED_VND, 1_000)
    at = moment(dice, day, now)
    moved += town.transfer(unit, -remitted_vnd, at, f"NOP NSNN KBNN HUE NGAY {day:%d/%m/%Y}")
    return moved


async def tell(town: Town, transfers: Sequence[Transfer], *, late: bool) -> int:
    """Send the bank feeds' calls: those in time, or those that came after the statement."""
    chosen = [one for one in transfers if one.late == late]
    await each(chosen, town.tell)
    return len(chosen)


async def take_at_counter(town: Town, payments: Sequence[Payment]) -> int:
    """Record the receipts of what was paid at the counter."""
    chosen = [one for one in payments if one.way in {"cash", "pos"}]
    await each(chosen, lambda one: town.receipt(one.owed, one.way, one.at))
    return len(chosen)
