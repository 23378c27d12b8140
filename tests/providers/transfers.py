"""What the tests of payOS, Casso and SePay share: whatever people write, merchants, the two ends.

`ask` is the network between the adapter and its provider's side: the request of one is the call of
the other, byte by byte.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import strategies as st

from providers import Call, Claim, Outcome, Provider, Rejected, Secret, SignedRequest, Terms
from providers.acting import Acts, Payment, Shop

NOW = datetime(2026, 3, 12, 3, 15, 35, tzinfo=UTC)
SECRET = Secret("hue-test-key-0123456789abcdefghijklmnop")

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
