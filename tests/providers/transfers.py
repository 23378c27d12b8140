"""What the tests of payOS, Casso and SePay share: recorded requests, merchants, the two ends.

`ask` is the network between the adapter and its provider's side: the request of one is the call of
the other, byte by byte.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import strategies as st

from providers import Call, Claim, Hint, Outcome, Provider, Rejected, Secret, SignedRequest, Terms
from providers.acting import Acts, Payment, Shop

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 12, 3, 15, 35, tzinfo=UTC)
SECRET = Secret("hue-test-key-0123456789abcdefghijklmnop")
REASONS = {"bad_signature": "forged", "missing_signature": "forged", "bad_token": "forged"}

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
"""Whatever people write."""
AMOUNTS = st.integers(1, 10**15)
TIMES = st.integers(946_771_200, 4_133_808_000).map(lambda at_s: datetime.fromtimestamp(at_s, UTC))
"""From 2000 to 2100, to the second."""
REFERENCES = st.text("ABCDEFGHJKMNPQRSTUVWXYZ0123456789.", min_size=1, max_size=40)
ACCOUNTS = st.text("0123456789", min_size=1, max_size=19)

EACH_ANSWER: Final = pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (Outcome.BOOKED, 200, b'{"success":true}'),
        (Outcome.NOTED, 200, b'{"success":true}'),
        (Outcome.REPEAT_OF_PAID, 200, b'{"success":true}'),
        (Outcome.REPEAT, 200, b'{"success":true}'),
        (Outcome.ANOTHER_FOR_PAID, 200, b'{"success":true}'),
        (Outcome.UNKNOWN_ORDER, 200, b'{"success":true}'),
        (Outcome.UNKNOWN_AGAIN, 200, b'{"success":true}'),
        (Outcome.AMOUNT_DIFFERS, 200, b'{"success":true}'),
        (Outcome.HELD, 200, b'{"success":true}'),
        (Outcome.FORGED, 401, b'{"success":false}'),
        (Outcome.STALE, 401, b'{"success":false}'),
        (Outcome.MALFORMED, 400, b'{"success":false}'),
        (Outcome.TRY_AGAIN, 503, b'{"success":false}'),
        (Outcome.TEST, 200, b'{"success":true}'),
    ],
)
"""What payOS and Casso are answered for each outcome: the same."""


def payments(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Payment]:
    """Payments with whatever people write; `fields` are what the dialect has its own of."""
    common: dict[str, st.SearchStrategy[Any]] = {
        "transaction": REFERENCES,
        "amount_vnd": AMOUNTS,
        "paid_at": TIMES,
        "memo": TEXTS,
        "own_account": ACCOUNTS,
        "virtual_account": ACCOUNTS,
        "counterparty_account": ACCOUNTS,
        "counterparty_name": TEXTS,
    }
    return st.builds(Payment, **(common | fields))


class Recorded(msgspec.Struct, frozen=True):
    """A recorded request as it stands in the file."""

    name: str
    kind: str
    method: str
    headers: dict[str, str]
    body: str
    secrets: dict[str, str]
    expect: dict[str, object]
    context: dict[str, object] = {}
    clock_ms: int = 1_773_282_931_123

    def call(self, provider: str) -> Call:
        """The request as the edge of the service would hand it in."""
        return Call(
            method=self.method,
            path=f"/callbacks/{provider}/any",
            headers=tuple(self.headers.items()),
            body=self.body.encode(),
        )

    def terms(self, mode: str = "") -> Terms:
        """The merchant's terms at that time."""
        secrets = tuple(Secret(text) for text in self.secrets.values())
        return Terms(merchant="any", secrets=secrets, mode=mode)

    @property
    def now(self) -> datetime:
        """The clock by which it is judged."""
        return datetime.fromtimestamp(self.clock_ms / 1_000, UTC)


def recorded(provider: str) -> list[Recorded]:
    """All recorded requests of a provider."""
    raw = (HERE / "vectors" / f"{provider}.json").read_bytes()
    return msgspec.convert(json.loads(raw), list[Recorded])


def told(claim: Claim) -> dict[str, object]:
    """A claim in the words of a recorded verdict; an amount of nothing is 0 there."""
    zero = claim.status == "ignored" and claim.amount_vnd is None
    return {
        "order_id": claim.reference,
        "amount_vnd": 0 if zero else claim.amount_vnd,
        "provider_txn_id": claim.transaction,
        "status": claim.status,
    }


def wanted(expect: Mapping[str, object]) -> dict[str, object]:
    """What `told` should give."""
    return {name: expect[name] for name in ("order_id", "amount_vnd", "provider_txn_id", "status")}


def read(provider: Provider, call: Call, terms: Terms, now: datetime = NOW) -> object:
    """The claims, or why they are refused; whatever else is raised escapes."""
    try:
        return provider.read(call, terms, now)
    except Rejected as rejected:
        return rejected.why


def with_body(call: Call, body: object) -> Call:
    """The call with another body: bytes, or JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return msgspec.structs.replace(call, body=raw)


def acknowledged(provider: Provider, outcome: Outcome, call: Call) -> dict[str, object]:
    """An answer in the words of a recorded one."""
    answer = provider.answer(outcome, call)
    assert answer.media_type == "application/json"
    return {"http_status": answer.status, "body": json.loads(answer.body)}


def refused_as_recorded(provider: Provider, vector: Recorded, call: Call, terms: Terms) -> Hint:
    """Hold a refusal, its answer and its hint against the recorded verdict; the hint."""
    with pytest.raises(Rejected) as rejected:
        provider.read(call, terms, vector.now)
    hint, expect = rejected.value.hint, vector.expect
    assert rejected.value.why == REASONS[str(expect["reason"])]
    assert hint is not None
    assert (hint.reference, hint.amount_vnd) == (expect["order_id"], expect["amount_vnd"])
    assert hint.transaction == expect["provider_txn_id"]
    assert acknowledged(provider, Outcome.FORGED, call)["http_status"] == 401
    return hint


def answers(provider: Provider, call: Call, outcome: Outcome, status: int, body: bytes) -> None:
    """Hold an answer against the expected one; 200 alone ends the provider's calls."""
    assert isinstance(provider, Acts)
    answer = provider.answer(outcome, call)
    assert (answer.status, answer.media_type, answer.body) == (status, "application/json", body)
    assert provider.accepts(answer.status, answer.body) == (status == 200)


def read_back(provider: Provider, payment: Payment, terms: Terms) -> Claim:
    """The claim of the provider's own call about a payment: it says what the payment says."""
    assert isinstance(provider, Acts)
    (claim,) = provider.read(provider.call_as_provider(payment, terms, NOW), terms, NOW)
    assert (claim.transaction, claim.status) == (payment.transaction, payment.status)
    assert (claim.reference, claim.amount_vnd) == (payment.order_code, payment.amount_vnd)
    assert claim.happened_at == payment.paid_at
    assert (claim.own_account, claim.virtual_account, claim.counterparty_account) == (
        payment.own_account,
        payment.virtual_account,
        payment.counterparty_account,
    )
    return claim


def arrived(request: SignedRequest) -> Call:
    """A request of ours as its provider gets it."""
    address = urlsplit(request.url)
    return Call(
        method=request.method,
        path=address.path,
        raw_query=address.query.encode(),
        headers=request.headers,
        body=request.body,
    )


def ask(acts: Acts, request: SignedRequest, shop: Shop, terms: Terms) -> bytes:
    """What the provider's side answers to a request."""
    return acts.serve_as_provider(arrived(request), shop, terms, NOW).body
