"""What the provider tests share: the recorded vectors, a clock, and the terms with VNPAY."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from providers import Call, Secret, Terms

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 12, 3, 15, 35, tzinfo=UTC)
SECRET = Secret("TESTSECRETHUE0123456789ABCDEFGHIJ")

VNPAY_TERMS = Terms(merchant="HUETEST1", secrets=(SECRET,))


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
