"""Each provider in each of its modes, made to call: what the suite needs to know of none by name.

A provider joins by standing in the catalogue; its own side (`providers.acting`) signs its calls.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from providers import (
    Answer,
    Call,
    CheckoutOrder,
    Claim,
    NamesOrders,
    Provider,
    Rejected,
    Secret,
    SignedRequest,
    Status,
    Terms,
)
from providers.acting import Acts, Order, Payment, Shop
from providers.catalog import CATALOG
from service.dev.demo_file import DemoProblem
from service.dev.provider.actor import money_status
from service.dev.provider.addresses import addressed
from service.references import payment_reference

NOW: Final = datetime(2026, 3, 12, 3, 15, 35, tzinfo=UTC)
REFERENCE: Final = payment_reference.mint("07", b"\x01\x02\x03\x04\x05")
MERCHANT: Final = "57020001"
AMOUNT_VND: Final = 50_000
KEYS: Final = (
    Secret("A3EFDFABA8653DF2342E8DAC29B51AF0A3EFDFABA8653DF2"),
    Secret("whsec_A3EFDFABA8653DF2342E8DAC29B51AF0A3EFDFABA8653DF2"),
)
"""A key as most dialects write it, then as Standard Webhooks does; the first that signs counts."""
OTHER_KEYS: Final = (
    Secret("00112233445566778899AABBCCDDEEFF0011223344556677"),
    Secret("whsec_00112233445566778899AABBCCDDEEFF0011223344556677"),
)
BASE: Final = "http://127.0.0.1:9100"
PAGE: Final = f"{BASE}/pages"


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A provider in one mode."""

    provider: str
    terms: Terms
    money: Status
    """What it calls money that came in."""

    @property
    def name(self) -> str:
        """As tests are named."""
        return f"{self.provider}-{self.terms.mode or 'only'}"

    @property
    def adapter(self) -> Provider:
        """Our side."""
        return CATALOG[self.provider]

    @property
    def acts(self) -> Acts:
        """Its side."""
        adapter = CATALOG[self.provider]
        assert isinstance(adapter, Acts)
        return adapter

    @property
    def is_weak(self) -> bool:
        """Whether a call proves nothing but that its sender knows a key."""
        return self.terms.mode in self.adapter.weak_modes

    @property
    def other_key(self) -> Secret:
        """A key that is not the merchant's, in the form of it."""
        return OTHER_KEYS[KEYS.index(self.terms.secrets[0])]

    @property
    def order_code(self) -> str:
        """What the provider calls the order of REFERENCE."""
        if isinstance(self.adapter, NamesOrders):
            number = payment_reference.numeric(REFERENCE)
            return self.adapter.order_code(REFERENCE, number, NOW)
        return REFERENCE

    def payment(self, **changes: object) -> Payment:
        """A payment of the order; with every field that some dialect has."""
        fields: dict[str, object] = {
            "order_code": self.order_code,
            "transaction": "14226112",
            "amount_vnd": AMOUNT_VND,
            "paid_at": NOW,
            "status": self.money,
            "scope": self.order_code,
            "memo": f"{REFERENCE} nop le phi",
            "bank_reference": "FT26071000123",
            "own_account": "0123499999",
            "bank_brand": "Vietcombank",
        }
        return Payment(**(fields | changes))  # type: ignore[arg-type] # whatever a test says

    def call(
        self, payment: Payment | None = None, terms: Terms | None = None, now: datetime = NOW
    ) -> Call:
        """The provider's signed call about a payment."""
        return self.acts.call_as_provider(payment or self.payment(), terms or self.terms, now)

    def read(self, call: Call, terms: Terms | None = None, now: datetime = NOW) -> Sequence[Claim]:
        """What our adapter says to a call; raises Rejected."""
        return tuple(self.adapter.read(call, terms or self.terms, now))

    def verdict(
        self, call: Call, terms: Terms | None = None, now: datetime = NOW
    ) -> Sequence[Claim] | str:
        """The claims of a call, or why it is refused; anything else escapes."""
        try:
            return self.read(call, terms, now)
        except Rejected as rejected:
            return rejected.why

    def with_secrets(self, *secrets: Secret) -> Terms:
        """The same terms with other secrets."""
        return msgspec.structs.replace(self.terms, secrets=secrets)

    def order(self) -> CheckoutOrder:
        """A checkout of the order."""
        return CheckoutOrder(
            reference=REFERENCE,
            order_code=self.order_code,
            request_id="c0001",
            amount_vnd=AMOUNT_VND,
            description=f"Nop phi le phi {REFERENCE}",
            return_url="https://dichvucong.example/tra-ve",
            callback_url=f"https://doisoat.example/callbacks/{self.provider}/{MERCHANT}",
            client_ip="203.0.113.7",
            ordered_at=NOW,
            expires_at=NOW + timedelta(minutes=15),
            dossier_code="000.00.23.H57-260312-0001",
            procedure_code="1.001193",
        )

    def shop(self, *payments: Payment) -> Shop:
        """The provider's memory: the order, opened, and what was paid."""
        order = Order(
            order_code=self.order_code,
            amount_vnd=AMOUNT_VND,
            opened_at=NOW,
            expires_at=NOW + timedelta(minutes=15),
            description="Nop phi le phi",
            request_id="c0001",
            provider_reference=self.order_code,
        )
        return Shop(orders={order.order_code: order}, payments=list(payments), page=PAGE)

    def serve(self, request: SignedRequest, shop: Shop, now: datetime = NOW) -> Answer:
        """What the provider's API answers to a request of ours."""
        return self.acts.serve_as_provider(as_call(request), shop, self.terms, now)


def as_call(request: SignedRequest) -> Call:
    """A request of ours, as its receiver sees it."""
    parts = urlsplit(request.url)
    return Call(
        method=request.method,
        path=parts.path,
        raw_query=parts.query.encode(),
        headers=request.headers,
        body=request.body,
    )


def key_of(claim: Claim) -> tuple[object, ...]:
    """What makes two claims one event, in whichever window they were seen."""
    return (
        claim.transaction,
        claim.scope,
        claim.status,
        claim.reference,
        claim.amount_vnd,
    )


def _spoken(name: str, provider: Provider, mode: str) -> Spoken:
    credentials: Mapping[str, Secret] = {
        one: Secret(f"{number:02d}23456789ABCDEF0123456789ABCDEF")
        for number, one in enumerate(sorted(provider.credentials))
    }
    assert isinstance(provider, Acts)
    problem = DemoProblem("no key")
    for key in KEYS:
        terms = Terms(merchant=MERCHANT, secrets=(key,), credentials=credentials, mode=mode)
        terms = addressed(provider, terms, BASE)
        try:
            money = money_status(provider, provider, terms, NOW)
        except DemoProblem as failed:
            problem = failed
        else:
            return Spoken(provider=name, terms=terms, money=money)
    raise problem


SPOKEN: Final = tuple(
    _spoken(name, provider, mode)
    for name, provider in CATALOG.items()
    for mode in sorted(provider.modes)
    if isinstance(provider, Acts)
)
"""Every provider of the catalogue in every mode; that none is left out is a test of its own."""
