"""One signed call of any provider, made by hand: to be sent to a demo, or shown as curl."""

import random
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast, get_args

import msgspec

from providers import Call, Status
from providers.acting import Payment
from service.dev import demo_file
from service.dev.bank import Bank, BankMovement
from service.dev.client import Client
from service.dev.demo_file import DemoFile, DemoMerchant, DemoProblem
from service.dev.people import digits
from service.dev.provider import agreed
from service.dev.provider.actor import acting, money_status
from service.dev.provider.knobs import false_terms
from service.dev.town import terms
from service.references import payment_reference

NUMBER_DIGITS: Final = 12
DOCUMENT_DIGITS: Final = 14
STATUSES: Final[tuple[str, ...]] = get_args(Status)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the call is to say; what is empty is drawn, or is what money that came in has."""

    amount_vnd: int
    reference: str = ""
    memo: str = ""
    status: str = ""
    transaction: str = ""
    merchant: str = ""
    account: str = ""
    bank_reference: str = ""
    forged: bool = False


def one_call(demo: DemoFile, provider: str, wanted: Wanted, bank: Bank) -> Call:
    """The callback that a provider sends about `wanted`, signed with the demo's or a false key.

    A transfer that a feed tells of is written down by the demo's bank as well. Raises DemoProblem
    for what this provider does not tell, and for an account that no feed of the demo watches.
    """
    adapter, acts = acting(provider)
    now = datetime.now(UTC)
    merchant = _merchant(demo, provider, wanted)
    agreed_terms = terms(merchant)
    money = money_status(adapter, acts, agreed_terms, now)
    payment = _payment(wanted, merchant, money, now)
    signing = false_terms(agreed_terms) if wanted.forged else agreed_terms
    try:
        call = acts.call_as_provider(payment, signing, now)
    except ValueError as error:
        raise DemoProblem(f"{provider} does not call about that: {error}") from None
    if money == "credit" and not wanted.forged:
        bank.add([_moved(payment)])
    return call


def _merchant(demo: DemoFile, provider: str, wanted: Wanted) -> DemoMerchant:
    if not wanted.account:
        return agreed.of_demo(demo, provider, wanted.merchant)
    agreed.of_demo(demo, provider, "")
    feeds = demo.merchants_of(provider)
    for one in feeds:
        if one.account == wanted.account:
            return one
    known = ", ".join(one.account for one in feeds)
    raise DemoProblem(f"No feed watches account {wanted.account}; there are: {known}")


def _payment(wanted: Wanted, merchant: DemoMerchant, money: str, now: datetime) -> Payment:
    dice = random.SystemRandom()
    parsed = payment_reference.parse(wanted.reference)
    code = parsed.text if parsed else wanted.reference or None
    number = wanted.transaction or digits(dice, NUMBER_DIGITS)
    return Payment(
        order_code=code,
        transaction=number,
        amount_vnd=wanted.amount_vnd,
        paid_at=now.replace(microsecond=0),
        status=cast("Status", wanted.status or money),
        scope=code or "",
        memo=wanted.memo or code or "",
        own_account=merchant.account,
        bank_reference=wanted.bank_reference or f"VCB.{digits(dice, DOCUMENT_DIGITS)}",
    )


def _moved(payment: Payment) -> BankMovement:
    return BankMovement(
        account=payment.own_account,
        booked_at=payment.paid_at,
        direction="out" if payment.status == "debit" else "in",
        amount_vnd=payment.amount_vnd,
        document=payment.bank_reference,
        memo=payment.memo,
    )


def as_curl(base_url: str, call: Call) -> str:
    """The call as a command for a shell."""
    query = f"?{call.raw_query.decode()}" if call.raw_query else ""
    words: list[str] = ["curl", "-sS"]
    for name, value in call.headers:
        words += ["-H", f"{name}: {value}"]
    if call.body:
        words += ["--data-binary", call.body.decode()]
    return shlex.join([*words, f"{base_url}{call.path}{query}"])


async def send(demo: DemoFile, calls: Sequence[Call]) -> list[str]:
    """Send calls one after the other; status and body of each answer."""
    told = []
    async with Client(demo) as client:
        for call in calls:
            response = await client.deliver(call)
            told.append(f"HTTP {response.status_code} {response.text}")
    return told


def bank_of(path: Path) -> Bank:
    """The bank beside a demo's file."""
    return Bank(path.parent / demo_file.BANK_NAME)
