"""Prove a merchant's configuration: a call of our own in memory, then a harmless question.

Says what it found in plain words; decides nothing and changes nothing.
"""

import uuid
from datetime import datetime, timedelta
from typing import Final

import msgspec

from providers import AsksStatus, NamesOrders, PullsTransactions, StatusQuestion
from providers.acting import Acts, Payment
from providers.catalog import CATALOG
from providers.contract import Provider, Rejected, Status, Terms, Unanswered
from service.merchants import Merchant
from service.merchants.changes import needed
from service.merchants.settings import OWN_SETTINGS
from service.outbound.sending import Outbound, Unreachable
from service.references import payment_reference

AMOUNT_VND: Final = 50_000
STATUSES: Final[tuple[Status, ...]] = ("paid", "credit")
NO_ADDRESS: Final = "127.0.0.1"
NOBODYS_BYTES: Final = b"\xff\xff\xff\xff\xff"
"""The last reference that could be minted; an order that does not exist, most surely."""
NOBODYS_BOOK: Final = "ZZ"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `good` None: said only for information."""

    good: bool | None
    text: str


def look(merchant: Merchant, base_url: str, now: datetime) -> list[Finding]:
    """What can be said without a network: completeness, a call signed and verified, the address."""
    provider = CATALOG[merchant.provider]
    found = [_complete(merchant, provider), *_own_call(merchant, provider, now)]
    if merchant.mode in provider.weak_modes:
        found.append(
            Finding(good=None, text="its calls prove nothing but a key: large ones wait for proof")
        )
    address = f"{base_url}/callbacks/{merchant.provider}/{merchant.merchant}"
    methods = " or ".join(sorted(provider.methods))
    found.append(Finding(good=None, text=f"the provider is to call {address} ({methods})"))
    return found


def _complete(merchant: Merchant, provider: Provider) -> Finding:
    missing = sorted(needed(provider) - set(merchant.credentials))
    known = {*provider.options, *OWN_SETTINGS}
    unknown = sorted(set(merchant.settings) - known)
    if merchant.mode not in provider.modes:
        return Finding(good=False, text=f"the mode {merchant.mode or 'none'} believes no call")
    if missing:
        return Finding(good=False, text=f"these keys are missing: {', '.join(missing)}")
    if unknown:
        return Finding(good=False, text=f"the provider has no such option: {', '.join(unknown)}")
    count = len(merchant.secrets)
    return Finding(
        good=True, text=f"{count} valid secret{'s' if count > 1 else ''}, all keys there"
    )


def _own_call(merchant: Merchant, provider: Provider, now: datetime) -> list[Finding]:
    if not isinstance(provider, Acts):
        return [Finding(good=None, text="no call of our own can be made for this provider")]
    found = []
    for place, secret in enumerate(merchant.secrets, 1):
        signing = msgspec.structs.replace(merchant.terms, secrets=[secret])
        good = _believed(provider, provider, (signing, merchant.terms), now)
        text = "a call signed with secret {} is {}"
        found.append(
            Finding(good=good, text=text.format(place, "believed" if good else "not believed"))
        )
    return found


def _believed(acting: Acts, provider: Provider, terms: tuple[Terms, Terms], now: datetime) -> bool:
    """Whether a call that we sign as the provider would is believed, whatever it tells."""
    signing, verifying = terms
    reference = payment_reference.mint(NOBODYS_BOOK, NOBODYS_BYTES)
    code = _code(provider, reference, now)
    for status in STATUSES:
        payment = Payment(
            order_code=code,
            transaction="1",
            amount_vnd=AMOUNT_VND,
            paid_at=now,
            status=status,
            scope=code,
            memo=reference,
        )
        try:
            provider.read(acting.call_as_provider(payment, signing, now), verifying, now)
        except (ValueError, Rejected):  # this provider has no callback of that status
            continue
        return True
    return False


def _code(provider: object, reference: str, now: datetime) -> str:
    """What the provider would call an order of this reference."""
    if isinstance(provider, NamesOrders):
        return provider.order_code(reference, payment_reference.numeric(reference), now)
    return reference


async def ask(merchant: Merchant, outbound: Outbound, now: datetime) -> Finding:
    """Ask the provider something harmless, and say what came back."""
    try:
        return await _ask(merchant, outbound, now)
    except Unreachable as error:
        text = f"the provider could not be reached: {error}"
    except Unanswered as error:
        text = f"the provider refuses the question: {error}"
    except Rejected as error:
        text = f"what came back is not proven to be its answer: {error}"
    except ValueError as error:
        if merchant.absent_keys:
            # Such as the token of a list, which one may do without.
            return Finding(good=None, text=f"the provider is not asked: {error}")
        text = f"no question can be made: {error}"
    return Finding(good=False, text=text)


async def _ask(merchant: Merchant, outbound: Outbound, now: datetime) -> Finding:
    provider = CATALOG[merchant.provider]
    if isinstance(provider, AsksStatus):
        return await _ask_status(provider, merchant, outbound, now)
    if isinstance(provider, PullsTransactions):
        return await _pull(provider, merchant, outbound, now)
    return Finding(good=None, text="this provider cannot be asked")


async def _ask_status(
    provider: AsksStatus, merchant: Merchant, outbound: Outbound, now: datetime
) -> Finding:
    """About an order that does not exist: the right answer is that there is none."""
    reference = payment_reference.mint(NOBODYS_BOOK, NOBODYS_BYTES)
    code = _code(provider, reference, now)
    question = StatusQuestion(
        request_id=uuid.uuid4().hex,
        order_code=code,
        ordered_at=now - timedelta(minutes=1),
        client_ip=NO_ADDRESS,
        amount_vnd=AMOUNT_VND,
    )
    request = provider.status_request(question, merchant.terms, now)
    reply = await outbound.send(merchant.provider, request)
    claims = provider.read_status(reply.body, question, merchant.terms)
    if claims:
        return Finding(good=None, text=f"it answers, and says the order is {claims[0].status}")
    return Finding(good=True, text="it knows us, and has no such order: as it should be")


async def _pull(
    provider: PullsTransactions, merchant: Merchant, outbound: Outbound, now: datetime
) -> Finding:
    request = provider.pull_request("", merchant.terms, now)
    reply = await outbound.send(merchant.provider, request)
    page = provider.read_pull(reply.body, merchant.terms)
    return Finding(good=True, text=f"it lists {len(page.claims)} movements on its first page")
