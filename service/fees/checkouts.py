"""Ask a provider for the checkout of a payment request that is committed already.

No transaction is open meanwhile. What the provider answers is kept once, the first answer counts;
whoever repeats the call with the same key is given the same request and the same link.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from providers import Checkout, CheckoutOrder, OpensCheckout, Rejected, Unanswered
from providers.catalog import CATALOG
from service import merchants
from service.database import transaction
from service.errors import ProviderAway, ProviderNotServing, ProviderRefused
from service.fees.messages import NewPaymentRequest, PaymentRequest
from service.fees.ways import Minted, order_of
from service.merchants import Merchant
from service.outbound import Outbound, Unreachable
from service.sealing import Sealer
from service.settings import Settings
from service.web.idempotency import Done

OPEN_WITHIN_S: Final = 35.0
"""The caller waits meanwhile; MoMo asks for at least 30 s."""
RETRY_AFTER_S: Final = 15
LINK_CHARS_MAX: Final = 4_000
CODE_CHARS_MAX: Final = 40
REFUSAL_STATUS_MIN: Final = 500

LINK = sa.text("""
    select url, qr_payload from service.payment_link
    where book_id = :book_id and reference = :reference
""")

ORDER = sa.text("""
    select request.merchant_id, request.reference,
           coalesce(request.order_code, request.reference) as order_code, request.amount_vnd,
           request.created_at as ordered_at, request.expires_at, notice.dossier_code,
           notice.procedure_code
    from service.payment_request as request
    join service.payment_request_notice as asked
      on asked.book_id = request.book_id and asked.reference = request.reference
     and asked.position = 1
    join service.notice as notice
      on notice.book_id = asked.book_id and notice.id = asked.notice_id
    where request.book_id = :book_id and request.reference = :reference
""")

KEEP = sa.text("""
    insert into service.payment_link
        (book_id, reference, url, qr_payload, provider_reference, recorded_at)
    values (:book_id, :reference, :url, :qr_payload, :provider_reference, :now)
    on conflict do nothing
""")

log = structlog.get_logger(__name__)


class Opener:
    """Completes payment requests; one for each call."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        settings: Settings,
        outbound: Outbound,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._settings = settings
        self._outbound = outbound
        self._clock = clock

    async def complete(self, new: NewPaymentRequest, done: Done) -> Done:
        """`done`, with the link that the provider gives, or gave before, for the request.

        Raises ProviderAway (the same call again goes on from here), ProviderRefused, and
        ProviderNotServing where the merchant was disabled meanwhile.
        """
        shown = msgspec.json.decode(done.body, type=PaymentRequest)
        adapter: object = CATALOG.get(shown.provider)
        if shown.redirect_url or shown.qr_payload or not isinstance(adapter, OpensCheckout):
            return done
        key = {"book_id": done.book_id, "reference": shown.reference}
        async with self._engine.connect() as connection:
            link = (await connection.execute(LINK, key)).one_or_none()
            row = (await connection.execute(ORDER, key)).mappings().one()
            merchant = await merchants.of_id(connection, self._sealer, row["merchant_id"])
        if link is None:
            if merchant is None:
                raise ProviderNotServing
            now = self._clock()
            minted = msgspec.convert(dict(row), Minted)
            if minted.expires_at <= now:
                raise ProviderRefused("the order has expired before it was opened")
            order = order_of(minted, new, self._settings, merchant)
            checkout = await self._open(adapter, merchant, order)
            kept = msgspec.structs.asdict(checkout)
            async with transaction(self._engine) as connection:
                await connection.execute(KEEP, key | kept | {"now": now})
                link = (await connection.execute(LINK, key)).one()
        whole = msgspec.structs.replace(shown, redirect_url=link.url, qr_payload=link.qr_payload)
        return msgspec.structs.replace(done, body=msgspec.json.encode(whole))

    async def _open(
        self, adapter: OpensCheckout, merchant: Merchant, order: CheckoutOrder
    ) -> Checkout:
        try:
            request = adapter.checkout_request(order, merchant.terms, self._clock())
        except ValueError as refusal:
            raise ProviderRefused(str(refusal)) from None
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                reply = await self._outbound.send(merchant.provider, request, repeatable=True)
        except (Unreachable, TimeoutError) as away:
            log.warning("checkout.away", provider=merchant.provider, why=type(away).__name__)
            raise ProviderAway(retry_after_s=RETRY_AFTER_S) from None
        try:
            checkout = adapter.read_checkout(reply.body, order, merchant.terms)
        except Unanswered as refusal:
            log.warning("checkout.refused", provider=merchant.provider, status=reply.status)
            if reply.status >= REFUSAL_STATUS_MIN:
                raise ProviderAway(retry_after_s=RETRY_AFTER_S) from None
            raise ProviderRefused(f"code {refusal.code[:CODE_CHARS_MAX]}") from None
        except Rejected as rejected:
            log.warning("checkout.unread", provider=merchant.provider, why=rejected.why)
            raise ProviderAway(retry_after_s=RETRY_AFTER_S) from None
        if not _is_usable(checkout):
            log.warning("checkout.unread", provider=merchant.provider, why="no link")
            raise ProviderAway(retry_after_s=RETRY_AFTER_S)
        return checkout


def _is_usable(checkout: Checkout) -> bool:
    """Whether there is a way to pay, and none that a browser would take for something else."""
    links = [checkout.url, checkout.qr_payload]
    if not any(links) or any(link is not None and len(link) > LINK_CHARS_MAX for link in links):
        return False
    return checkout.url is None or checkout.url.startswith(("https://", "http://"))
