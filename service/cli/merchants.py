"""`doisoat merchants`: who may call us for which books, and the secrets we share with them.

Keys are asked for or come from the environment, never from an argument that a shell remembers.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from service.cli._place import ForPeople, Result, in_transaction, numbers, place
from service.settings import Settings

if TYPE_CHECKING:
    from providers import Provider
    from providers.contract import Option
    from service.intake.checking import Finding
    from service.merchants import Merchant
    from service.merchants.changes import Listed
    from service.sealing import Sealer

VARIABLE: Final = "DOISOAT_MERCHANT_"
"""In front of SECRET, or of a credential's name in capitals."""
MARKS: Final = {True: "ok ", False: "BAD", None: "   "}

Named = click.option("--provider", required=True, help="Such as vnpay.")
Merchants = click.option("--merchant", required=True, help="The name in the callback address.")


@click.group("merchants")
def command() -> None:
    """Accounts at payment providers: who may call, for which books, with which secrets."""


@command.command("add")
@Named
@click.option("--merchant", required=True, help="The name in the callback address; a TmnCode.")
@click.option("--book", "book_id", type=click.IntRange(1), required=True, help="Its own book.")
@click.option("--serves", default="", callback=numbers, help="More books, such as 1,2.")
@click.option("--mode", default="", help="How calls prove themselves, where there is a choice.")
@click.option("--option", "options", multiple=True, help="name=value; what its page leaves open.")
@click.option("--pay-address", default="", help="Where citizens pay; the provider's sandbox.")
@click.option("--api-address", default="", help="Where it is asked; the provider's sandbox.")
@click.option(
    "--weak-limit-vnd",
    type=click.IntRange(0),
    help="Đồng above which a call that proves only a key waits for proof.",
)
def add(  # noqa: PLR0913 # one for each option
    *,
    provider: str,
    merchant: str,
    book_id: int,
    serves: list[int],
    mode: str,
    options: tuple[str, ...],
    pay_address: str,
    api_address: str,
    weak_limit_vnd: int | None,
) -> None:
    """Add a merchant and print the address to give to the provider.

    Its secret is asked for, or taken from DOISOAT_MERCHANT_SECRET; its further keys likewise
    (DOISOAT_MERCHANT_ACCESS_KEY and so on).
    """
    from sqlalchemy.exc import IntegrityError

    from service import merchants
    from service.access.api_keys import NotGrantable, check_books
    from service.merchants import changes

    try:
        settings_ = _settings(options, pay_address, api_address, weak_limit_vnd)
        adapter = changes.provider_of(provider)
        new = merchants.NewMerchant(
            provider=provider,
            merchant=merchant,
            book_id=book_id,
            serves=serves,
            mode=mode,
            settings=settings_,
            secrets=[_key("SECRET", "Secret")],
            credentials=_further_keys(adapter),
        )
        changes.check_new(new)
    except changes.Unfit as refusal:
        raise ForPeople(str(refusal)) from None

    async def work(connection: AsyncConnection, sealer: "Sealer") -> int:
        await check_books(connection, sorted({book_id, *serves}))
        return await changes.add(connection, sealer, new, datetime.now(UTC))

    with place() as settings:
        try:
            _sealed(settings, work)
        except NotGrantable as refusal:
            raise ForPeople(str(refusal)) from None
        except IntegrityError:
            raise ForPeople(
                f"{provider} has a merchant {merchant} already, or the name does not fit"
            ) from None
        click.echo(f"{settings.base_url}/callbacks/{provider}/{merchant}")


@command.command("change")
@Named
@Merchants
@click.option("--serves", default="", callback=numbers, help="Books that it serves as well.")
@click.option("--mode", help="How calls prove themselves from now on.")
@click.option("--option", "options", multiple=True, help="name=value; name= takes it away.")
@click.option("--pay-address", default="", help="Where citizens pay.")
@click.option("--api-address", default="", help="Where it is asked.")
@click.option("--weak-limit-vnd", type=click.IntRange(0), help="As for add.")
def change(  # one for each option
    *,
    provider: str,
    merchant: str,
    serves: list[int],
    mode: str | None,
    options: tuple[str, ...],
    pay_address: str,
    api_address: str,
    weak_limit_vnd: int | None,
) -> None:
    """Say anew what was agreed on a merchant; what is not named stays. Keys: see `rotate`."""
    from service.access.api_keys import NotGrantable, check_books
    from service.merchants import changes

    name = changes.Name(provider, merchant)
    try:
        told = changes.Change(
            mode=mode,
            serves=serves,
            settings=_settings(options, pay_address, api_address, weak_limit_vnd),
        )
    except changes.Unfit as refusal:
        raise ForPeople(str(refusal)) from None

    async def work(connection: AsyncConnection, sealer: "Sealer") -> None:
        if serves:
            await check_books(connection, sorted(serves))
        await changes.change(connection, sealer, name, told, datetime.now(UTC))

    with place() as settings:
        try:
            _sealed(settings, work)
        except NotGrantable as refusal:
            raise ForPeople(str(refusal)) from None
    click.echo(f"{name}: changed")


@command.command("list")
def list_merchants() -> None:
    """List all merchants, disabled ones too; never their keys."""
    from service.merchants import changes

    with place() as settings:
        for one in _sealed(settings, changes.everything):
            click.echo(_line(one))


@command.command("rotate")
@Named
@Merchants
@click.option("--finish", "step", flag_value="finish", help="The older secret ends.")
@click.option(
    "--verify-only", "step", flag_value="verify", help="The new one verifies; the old one signs."
)
@click.option("--credential", help="Replace this further key instead, at once.")
def rotate(*, provider: str, merchant: str, step: str | None, credential: str | None) -> None:
    """Put a new secret beside the old one; both verify, the new one signs.

    Later `--finish` ends the old one.
    """
    from service.merchants import changes

    name = changes.Name(provider, merchant)

    async def work(connection: AsyncConnection, sealer: "Sealer") -> str:
        now = datetime.now(UTC)
        if credential is not None:
            chosen = (credential, _key(credential.upper(), credential))
            await changes.rotate_credential(connection, sealer, name, chosen, now)
            return f"{name}: {credential} is replaced"
        if step == "finish":
            await changes.finish(connection, sealer, name, now)
            return f"{name}: one secret is valid"
        later = step == "verify"
        secret = _key("SECRET", "New secret")
        await changes.rotate(connection, sealer, name, secret, now, verify_only=later)
        signs = "old" if later else "new"
        return f"{name}: two secrets are valid, the {signs} one signs"

    with place() as settings:
        click.echo(_sealed(settings, work))


@command.command("disable")
@Named
@Merchants
def disable(*, provider: str, merchant: str) -> None:
    """End a merchant: its calls are answered 404 within seconds. Nothing is deleted."""
    from service.asking import unread
    from service.merchants import changes

    name = changes.Name(provider, merchant)

    async def work(connection: AsyncConnection, sealer: "Sealer") -> None:
        now = datetime.now(UTC)
        book_id, merchant_id = await changes.disable(connection, sealer, name, now)
        await unread.end(connection, book_id, merchant_id, "the merchant is disabled", now)

    with place() as settings:
        _sealed(settings, work)
    click.echo(f"{name}: disabled")


@command.command("check")
@Named
@Merchants
@click.option("--network/--no-network", default=True, help="Also ask the provider (the default).")
def check(*, provider: str, merchant: str, network: bool) -> None:
    """Prove a merchant's configuration; status 1 where something is wrong.

    A call of our own is signed and verified in memory. With the network the provider is asked
    something harmless: about an order that does not exist, or for its first page.
    """
    from service import merchants
    from service.merchants import changes

    name = changes.Name(provider, merchant)

    async def work(connection: AsyncConnection, sealer: "Sealer") -> "Merchant":
        found = await merchants.find(connection, sealer, *name)
        if found is None:
            raise changes.Unfit(f"there is no live merchant {name}")
        return found

    with place() as settings:
        known = _sealed(settings, work)
        findings = asyncio.run(_look(known, settings, network=network))
    for one in findings:
        click.echo(f"{MARKS[one.good]} {one.text}")
    if any(one.good is False for one in findings):
        raise SystemExit(1)


async def _look(merchant: "Merchant", settings: Settings, *, network: bool) -> "list[Finding]":
    from service.intake import checking
    from service.outbound.sending import Outbound

    now = datetime.now(UTC)
    found = checking.look(merchant, settings.base_url, now)
    if network:
        async with Outbound() as outbound:
            found.append(await checking.ask(merchant, outbound, now))
    return found


def _sealed(
    settings: Settings, do: "Callable[[AsyncConnection, Sealer], Awaitable[Result]]"
) -> Result:
    """Run `do` in one transaction with the master key; what does not fit is said to people."""
    from service.merchants.changes import Unfit
    from service.sealing import Sealer
    from service.settings import master_key

    sealer = Sealer(master_key(settings))

    async def work(connection: AsyncConnection) -> Result:
        return await do(connection, sealer)

    try:
        return in_transaction(settings, work)
    except Unfit as refusal:
        raise ForPeople(str(refusal)) from None


def _settings(
    options: tuple[str, ...], pay_address: str, api_address: str, weak_limit_vnd: int | None
) -> "dict[str, Option]":
    """All that was said, by the names of settings; raises Unfit."""
    from service import merchants
    from service.merchants import changes

    own = {
        "pay_address": pay_address,
        "api_address": api_address,
        merchants.WEAK_LIMIT: weak_limit_vnd,
    }
    found = dict(changes.option_of(text) for text in options)
    return found | {name: value for name, value in own.items() if value not in {"", None}}


def _further_keys(adapter: "Provider") -> dict[str, str]:
    """The credentials of a provider; those it can do without may be left empty."""
    from service.merchants.changes import needed

    wanted = needed(adapter)
    given = {
        name: _key(name.upper(), f"{name} ({told})", default=None if name in wanted else "")
        for name, told in sorted(adapter.credentials.items())
    }
    return {name: key for name, key in given.items() if key or name in wanted}


def _key(variable: str, prompt: str, *, default: str | None = None) -> str:
    """A key from the environment, or asked for without showing it."""
    given = os.environ.get(VARIABLE + variable)
    if given is not None:
        return given
    return str(click.prompt(prompt, hide_input=True, default=default, show_default=False))


def _line(one: "Listed") -> str:
    since = ", ".join(f"{moment:%Y-%m-%d}" for moment in one.secrets_since)
    count = len(one.secrets_since)
    parts = [
        f"{one.provider:8}  {one.merchant:24}  {one.mode or '-':10}",
        f"books {','.join(map(str, sorted(one.serves)))}",
        f"{count} secret{'s' if count > 1 else ''} since {since}",
    ]
    if one.credentials:
        parts.append(f"keys {','.join(one.credentials)}")
    if one.weak:
        parts.append("weak")
    if one.disabled_at is not None:
        parts.append(f"disabled {one.disabled_at:%Y-%m-%d}")
    return "  ".join(parts)
