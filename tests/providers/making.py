"""What the provider tests share: the recorded vectors, and one true call of each provider and mode.

Nothing is faked: calls are signed as the providers sign them.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from providers import Call, Claim, Secret, Terms
from providers.signing_as import (
    BankTransfer,
    Payment,
    sepay_gateway_ipn,
    sepay_webhook,
    vnpay_ipn,
)

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 12, 3, 15, 35, tzinfo=UTC)
SECRET = Secret("TESTSECRETHUE0123456789ABCDEFGHIJ")

VNPAY_TERMS = Terms(merchant="HUETEST1", secrets=(SECRET,))
PAYMENT = Payment(
    reference="HUE007K2M9Q4X1",
    transaction="14226112",
    amount_vnd=50_000,
    paid_at=NOW,
    order_info="Thanh toan le phi ho so H57.13",
    bank_reference="VNP14226112",
)
TRANSFER = BankTransfer(
    id=92704,
    amount_vnd=50_000,
    happened_at=NOW,
    content="HUE007K2M9Q4X1 nộp lệ phí",
    own_account="0123499999",
    code="HUE007K2M9Q4X1",
    bank_reference="MBVCB.3278907687",
)
ORDER_PAID = Claim(
    transaction="68ba94ac80123",
    status="paid",
    reference="HUE007K2M9Q4X1",
    amount_vnd=100_000,
    amount_text="100000",
    happened_at=NOW,
    kind="gateway",
    memo="Le phi",
)


def sepay_terms(mode: str = "hmac") -> Terms:
    """Terms with SePay in one of its modes."""
    return Terms(merchant="hue-vcb", secrets=(SECRET,), mode=mode)


class TrueCall(msgspec.Struct, frozen=True):
    """An authentic call and how to judge it; `signs_body` tells whether its bytes are signed."""

    provider: str
    call: Call
    terms: Terms
    signs_body: bool


TRUE_CALLS = (
    TrueCall("vnpay", vnpay_ipn(PAYMENT, VNPAY_TERMS), VNPAY_TERMS, signs_body=True),
    TrueCall("sepay", sepay_webhook(TRANSFER, sepay_terms(), NOW), sepay_terms(), signs_body=True),
    TrueCall(
        "sepay",
        sepay_webhook(TRANSFER, sepay_terms("apikey"), NOW),
        sepay_terms("apikey"),
        signs_body=False,
    ),
    TrueCall(
        "sepay",
        sepay_gateway_ipn(ORDER_PAID, sepay_terms("secret_key"), NOW),
        sepay_terms("secret_key"),
        signs_body=False,
    ),
)


class Expected(msgspec.Struct, frozen=True):
    """The verdict a vector carries."""

    valid: bool | None
    reason: str | None
    status: str | None
    order_id: str | None
    amount_vnd: int | None
    provider_txn_id: str | None
    bank_reference: str | None = None
    ack: dict[str, object] | None = None
    bin: str | None = None
    account: str | None = None
    service: str | None = None
    purpose: str | None = None
    init_method: str | None = None


class Context(msgspec.Struct, frozen=True):
    """What the service knew when a vector's call came."""

    order_amount_vnd: int | None = None
    order_state: str | None = None


class Vector(msgspec.Struct, frozen=True):
    """A recorded request with its verdict."""

    name: str
    kind: str
    method: str
    path_query: str | None
    headers: dict[str, str]
    body: str | None
    secrets: dict[str, str]
    expect: Expected
    auth: str | None = None
    clock_s: int | None = None
    context: Context = Context()
    canonical: str | None = None

    @property
    def call(self) -> Call:
        """The request as the edge of the service would hand it in."""
        path, _, query = (self.path_query or "").partition("?")
        return Call(
            method=self.method,
            path=path,
            raw_query=query.encode(),
            headers=tuple(self.headers.items()),
            body=(self.body or "").encode(),
        )

    @property
    def terms(self) -> Terms:
        """The merchant's terms at that time."""
        keys = ("hash_secret", "hmac_secret", "api_key", "secret_key")
        secrets = tuple(Secret(self.secrets[key]) for key in keys if key in self.secrets)
        merchant = self.secrets.get("tmn_code", "any")
        return Terms(merchant=merchant, secrets=secrets, mode=self.auth or "")

    @property
    def now(self) -> datetime:
        """The clock by which its freshness is judged."""
        return NOW if self.clock_s is None else datetime.fromtimestamp(self.clock_s, UTC)


def vectors(provider: str, *kinds: str) -> list[Vector]:
    """The recorded requests of a provider, of the given kinds or of all."""
    raw = (HERE / "vectors" / f"{provider}.json").read_bytes()
    found = msgspec.convert(json.loads(raw), list[Vector])
    return [vector for vector in found if not kinds or vector.kind in kinds]
