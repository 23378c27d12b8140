"""One signed call, made by hand: to be sent to a demo, or shown as curl."""

import random
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from providers import Call
from providers.signing_as import BankTransfer, Payment, sepay_webhook, vnpay_ipn
from service.dev import demo_file
from service.dev.bank import Bank, BankMovement
from service.dev.client import Client
from service.dev.demo_file import DemoFile, DemoProblem
from service.dev.mishaps import forged
from service.dev.people import digits
from service.dev.town import terms
from service.references import payment_reference

NUMBER_DIGITS: Final = 14
SEPAY_DIGITS: Final = 12


class AtGateway(msgspec.Struct, frozen=True, kw_only=True):
    """A payment at VNPAY; an empty transaction number is drawn."""

    reference: str
    amount_vnd: int
    transaction: str = ""
    response_code: str = "00"
    transaction_status: str = "00"
    forged: bool = False


class ByTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer to one of our accounts (or, if `out`, from it); an empty account is the first."""

    amount_vnd: int
    memo: str
    account: str = ""
    out: bool = False
    id: int | None = None
    bank_reference: str = ""
    forged: bool = False


def gateway_call(demo: DemoFile, wanted: AtGateway) -> Call:
    """The IPN that VNPAY sends about a payment, signed with the demo's secret or a false one."""
    agreed = terms(demo.merchants["vnpay"])
    parsed = payment_reference.parse(wanted.reference)
    payment = Payment(
        reference=parsed.text if parsed else wanted.reference,
        transaction=wanted.transaction or digits(random.SystemRandom(), NUMBER_DIGITS),
        amount_vnd=wanted.amount_vnd,
        paid_at=datetime.now(UTC),
        response_code=wanted.response_code,
        transaction_status=wanted.transaction_status,
    )
    return vnpay_ipn(payment, forged(agreed) if wanted.forged else agreed)


def transfer_call(demo: DemoFile, wanted: ByTransfer, bank: Bank) -> Call:
    """SePay's webhook about a transfer, which the demo's bank writes down as well.

    Raises DemoProblem for an account that no feed of the demo watches.
    """
    feeds = demo.merchants_of("sepay")
    account = wanted.account or feeds[0].account
    merchant = next((one for one in feeds if one.account == account), None)
    if merchant is None:
        known = ", ".join(one.account for one in feeds)
        raise DemoProblem(f"No feed watches account {account}; there are: {known}")
    dice = random.SystemRandom()
    now = datetime.now(UTC)
    told = BankTransfer(
        id=wanted.id or int(digits(dice, SEPAY_DIGITS)),
        amount_vnd=wanted.amount_vnd,
        happened_at=now,
        content=wanted.memo,
        own_account=account,
        direction="out" if wanted.out else "in",
        bank_reference=wanted.bank_reference or f"VCB.{digits(dice, NUMBER_DIGITS)}",
    )
    agreed = terms(merchant)
    if wanted.forged:
        return sepay_webhook(told, forged(agreed), now)
    bank.add(
        [
            BankMovement(
                account=account,
                booked_at=now,
                direction=told.direction,
                amount_vnd=told.amount_vnd,
                document=told.bank_reference,
                memo=told.content,
            )
        ]
    )
    return sepay_webhook(told, agreed, now)


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
