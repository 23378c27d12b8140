"""The recorded requests of every provider with their verdicts: one format, one reader.

Files are `vectors/<provider>.json`; VietQR, which is no provider, has one too. The names of keys
differ from one provider to the next: what an adapter calls a credential is one, a few names mean
the merchant, and the rest are secrets.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from providers import Call, Outcome, Provider, Secret, Terms
from providers.catalog import CATALOG
from tests.providers.answers import ECHOED
from tests.providers.spoken import NOW

FOLDER: Final = Path(__file__).parent / "vectors"
MERCHANT_NAMES: Final = frozenset({"tmn_code", "partner_code", "app_id", "merchant"})
CALL_KINDS: Final = ("ipn", "ipn_pg", "ipn_v1")
FREE_TEXTS: Final = frozenset({"Message", "message", "MoTaLoi", "return_message", "desc"})
"""Names of texts for people beside a code that carries the meaning."""

REASONS: Final[Mapping[str, str]] = {"stale": "stale", "malformed": "malformed"}
"""What a refusal is called here; every other word of the recordings means that a proof is missing
or does not fit, which is `forged`."""

STATUSES: Final[Mapping[str, str]] = {"suspected": "held"}
"""Words of the recordings that are others here."""


BY_STATE: Final[Mapping[str | None, Outcome | None]] = {
    "paid": Outcome.REPEAT_OF_PAID,
    "already_recorded": Outcome.REPEAT,
    "absent": Outcome.UNKNOWN_ORDER,
    "pending": None,
    None: None,
}
"""What the recordings say of an order: the outcome where it decides that, else None."""

Named = str | int | list[str]
"""A merchant, a key, or several keys of which any is right."""


class Expected(msgspec.Struct, frozen=True):
    """The verdict a vector carries; what of one no field here reads is told by `unread`."""

    valid: bool | None
    reason: str | None = None
    status: str | None = None
    order_id: str | None = None
    amount_vnd: int | None = None
    provider_txn_id: str | None = None
    bank_reference: str | None = None
    ack: dict[str, object] | None = None
    transactions: list[dict[str, object]] | None = None
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
    """A recorded request with its verdict, and where both come from."""

    name: str
    kind: str
    method: str
    expect: Expected
    path_query: str | None = None
    headers: dict[str, str] | None = None
    body: str | None = None
    secrets: dict[str, Named] | None = None
    auth: str | None = None
    clock_s: int | None = None
    clock_ms: int | None = None
    context: Context | None = None
    canonical: str | None = None
    oracle: object = None
    source: str = ""
    note: str = ""
    provider: str = ""
    merchant: str = ""
    """Whom a request without a merchant of its own is about: the others' of the same file."""

    @property
    def adapter(self) -> Provider:
        """Who is to read it."""
        return CATALOG[self.provider]

    @property
    def call(self) -> Call:
        """The request as the edge of the service would hand it in."""
        path, _, query = (self.path_query or "").partition("?")
        return Call(
            method=self.method,
            path=path,
            raw_query=query.encode(),
            headers=tuple((self.headers or {}).items()),
            body=(self.body or "").encode(),
        )

    @property
    def mode(self) -> str:
        """How the call proves itself: as recorded, by its kind, or in the one strong way."""
        modes = self.adapter.modes
        told = self.auth or self.kind.removeprefix("ipn").removeprefix("_")
        if told in modes:
            return told
        strong = sorted(modes - self.adapter.weak_modes) or sorted(modes)
        return strong[0]

    @property
    def terms(self) -> Terms:
        """The merchant's terms at that time."""
        names = self.adapter.credentials
        merchant, secrets, credentials = self.merchant, [], {}
        for name, value in (self.secrets or {}).items():
            if name in MERCHANT_NAMES:
                merchant = str(value)
            elif name in names:
                credentials[name] = Secret(str(value))
            else:
                keys = value if isinstance(value, list) else [value]
                secrets += [Secret(str(key)) for key in keys]
        for name in names:  # what a request of ours shows of itself
            sent = self.call.header(f"x-{name.replace('_', '-')}")
            if sent is not None:
                credentials.setdefault(name, Secret(sent))
        return Terms(
            merchant=merchant, secrets=tuple(secrets), credentials=credentials, mode=self.mode
        )

    @property
    def now(self) -> datetime:
        """The clock by which its freshness is judged."""
        if self.clock_ms is not None:
            return datetime.fromtimestamp(self.clock_ms / 1000, UTC)
        return NOW if self.clock_s is None else datetime.fromtimestamp(self.clock_s, UTC)

    @property
    def status(self) -> str | None:
        """The status it tells, in our words."""
        return STATUSES.get(self.expect.status or "", self.expect.status)

    @property
    def why(self) -> str:
        """Why it is to be refused, in our words."""
        return REASONS.get(self.expect.reason or "", "forged")

    def refusal(self, why: str) -> Outcome:
        """The outcome of a call that is refused."""
        return Outcome(why)

    def outcome(self, status: str, amount_vnd: int | None, *, is_test: bool = False) -> Outcome:
        """The outcome that the context of a valid call asks for."""
        context = self.context or Context()
        if is_test:
            return Outcome.TEST
        by_state = BY_STATE[context.order_state]
        if by_state is not None:
            return by_state
        if context.order_amount_vnd not in {None, amount_vnd}:
            return Outcome.AMOUNT_DIFFERS
        return Outcome.BOOKED if status in {"paid", "credit"} else Outcome.NOTED


def files_of(provider: str) -> list[Path]:
    """The files of recordings that are a provider's by their names."""
    return sorted(FOLDER.glob(f"{provider}*.json"))


def vectors(provider: str, *kinds: str) -> list[Vector]:
    """The recorded requests of a provider, of the given kinds or of all.

    A file may be called after more than the provider: `dvcqg_payment_platform.json`.
    """
    rows: list[Vector] = []
    for path in files_of(provider):
        rows += msgspec.convert(json.loads(path.read_bytes()), list[Vector])
    named = {name: value for one in rows for name, value in (one.secrets or {}).items()}
    merchant = next((str(named[name]) for name in MERCHANT_NAMES if name in named), "any")
    return [
        msgspec.structs.replace(one, provider=provider, merchant=merchant)
        for one in rows
        if not kinds or one.kind in kinds
    ]


def recording(provider: str, name: str) -> Vector:
    """The recorded request of that name."""
    return next(one for one in vectors(provider) if one.name == name)


def unread() -> dict[str, set[str]]:
    """By provider, what its recordings state and no field here reads."""
    found: dict[str, set[str]] = {}
    for name in CATALOG:
        rows = [row for path in files_of(name) for row in json.loads(path.read_bytes())]
        for row in rows:
            odd = row.keys() - set(Vector.__struct_fields__)
            odd |= row["expect"].keys() - set(Expected.__struct_fields__)
            odd |= (row.get("context") or {}).keys() - set(Context.__struct_fields__)
            if odd:
                found.setdefault(name, set()).update(odd)
    return found


def everything(*kinds: str) -> list[Vector]:
    """The same of all providers of the catalogue."""
    return [one for name in CATALOG for one in vectors(name, *kinds)]


def acknowledged(vector: Vector, status: int, media_type: str, body: bytes) -> None:
    """Hold an answer against the recorded one, where one was recorded.

    A recording that states no HTTP status states the body alone; the status is then 200.
    """
    wanted = vector.expect.ack
    if wanted is None:
        return
    wanted_body: object = wanted
    if "http_status" in wanted:
        assert wanted.keys() <= {"http_status", "content_type", "body"}
        wanted_body = wanted.get("body")
    assert status == wanted.get("http_status", HTTPStatus.OK)
    if "content_type" in wanted:
        told = str(wanted["content_type"])
        assert media_type.partition(";")[0] == told.partition(";")[0]
    if isinstance(wanted_body, str) and wanted_body.startswith("{"):
        wanted_body = json.loads(wanted_body)  # compared as a value, not as text
    if not isinstance(wanted_body, dict):
        assert body.decode() == str(wanted_body or "")
        return
    found, sent = json.loads(body), _sent(vector)
    for name, value in wanted_body.items():
        if name not in FREE_TEXTS:
            assert found[name] == (sent[name] if value == ECHOED else value), name


def _sent(vector: Vector) -> dict[str, object]:
    try:
        found = json.loads(vector.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
