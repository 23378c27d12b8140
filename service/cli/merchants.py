"""`doisoat merchants`: who may call us for which books, and the secrets we share with them."""

from datetime import UTC, datetime

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from service.cli._place import ForPeople, in_transaction, numbers, place


@click.group("merchants")
def command() -> None:
    """Accounts at payment providers: who may call, for which books, with which secrets."""


@command.command("add")
@click.option("--provider", required=True, help="vnpay or sepay.")
@click.option("--merchant", required=True, help="The name in the callback address; a TmnCode.")
@click.option("--book", "book_id", type=click.IntRange(1), required=True, help="Its own book.")
@click.option("--serves", default="", callback=numbers, help="More books, such as 1,2.")
@click.option("--mode", default="", help="How calls prove themselves: hmac, apikey, secret_key.")
@click.option("--pay-address", default="", help="Where citizens pay; the provider's sandbox.")
@click.option(
    "--secret",
    prompt="Secret",
    hide_input=True,
    envvar="DOISOAT_MERCHANT_SECRET",
    help="Asked for where it is not given.",
)
def add(
    *,
    provider: str,
    merchant: str,
    book_id: int,
    serves: list[int],
    mode: str,
    pay_address: str,
    secret: str,
) -> None:
    """Add a merchant and print the address to give to the provider."""
    from sqlalchemy.exc import IntegrityError

    from providers.catalog import CATALOG
    from service import merchants
    from service.access.api_keys import NotGrantable, check_books
    from service.sealing import Sealer
    from service.settings import master_key

    if provider not in CATALOG:
        raise ForPeople(f"providers are: {', '.join(sorted(CATALOG))}")
    if mode not in CATALOG[provider].modes:
        modes = ", ".join(sorted(one or "none" for one in CATALOG[provider].modes))
        raise ForPeople(f"modes of {provider} are: {modes}")
    new = merchants.NewMerchant(
        provider=provider,
        merchant=merchant,
        book_id=book_id,
        serves=serves,
        mode=mode,
        secrets=[secret],
        settings={"pay_address": pay_address} if pay_address else {},
    )
    with place() as settings:
        sealer = Sealer(master_key(settings))

        async def work(connection: AsyncConnection) -> int:
            await check_books(connection, sorted({book_id, *serves}))
            return await merchants.add(connection, sealer, new, datetime.now(UTC))

        try:
            in_transaction(settings, work)
        except NotGrantable as refusal:
            raise ForPeople(str(refusal)) from None
        except IntegrityError:
            raise ForPeople(
                f"{provider} has a merchant {merchant} already, or the name does not fit"
            ) from None
        click.echo(f"{settings.base_url}/callbacks/{provider}/{merchant}")


@command.command("list")
def list_merchants() -> None:
    """List all live merchants; never their secrets."""
    from service import merchants
    from service.sealing import Sealer
    from service.settings import master_key

    with place() as settings:
        sealer = Sealer(master_key(settings))

        async def work(connection: AsyncConnection) -> list[merchants.Merchant]:
            return await merchants.listing(connection, sealer)

        for one in in_transaction(settings, work):
            books = ",".join(map(str, sorted(one.serves)))
            mode = one.mode or "-"
            click.echo(f"{one.provider:8}  {one.merchant:24}  {mode:10}  books {books}")
