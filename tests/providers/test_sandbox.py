"""What is particular to the sandbox: Standard Webhooks both ways, its links, answers, refunds."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    Answer,
    AsksStatus,
    Call,
    CheckoutOrder,
    Claim,
    MakesCheckout,
    Outcome,
    RefundOrder,
    Refunds,
    Rejected,
    Secret,
    SignedRequest,
    StatusQuestion,
    Terms,
    Unanswered,
)
from providers.acting import Acts, Payment, ReadsOwnLinks, Shop
from providers.sandbox import ADAPTER
from providers.sandbox_messages import STATUSES, dumped
from providers.standard_webhooks import headers, key_of_secret, signature
from tests.providers.making import NOW

KEY = bytes(range(7, 39))
SECRET = Secret("whsec_" + base64.b64encode(KEY).decode())
OTHER = Secret("whsec_" + base64.b64encode(b"another key of twenty-four").decode())
TERMS = Terms(
    merchant="HUETEST1",
    secrets=(SECRET,),
    pay_address="http://127.0.0.1:8090/sandbox/pay",
    api_address="http://127.0.0.1:8090/sandbox/api",
)
PAYMENT = Payment(
    order_code="HUE007K2M9Q4X1",
    transaction="tx-1",
    amount_vnd=50_000,
    paid_at=NOW,
    memo="Nộp lệ phí",
    bank_brand="VCB",
)
ORDER = CheckoutOrder(
    reference="HUE007K2M9Q4X1",
    order_code="HUE007K2M9Q4X1",
    request_id="c1",
    amount_vnd=50_000,
    description="Nộp lệ phí: hồ sơ & phụ phí",
    return_url="https://dichvucong.example/tra-ve?a=1&signature=x",
    callback_url="https://doisoat.example/callbacks/sandbox/HUETEST1",
    client_ip="203.0.113.7",
    ordered_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
QUESTION = StatusQuestion(
    request_id="q1", order_code="HUE007K2M9Q4X1", ordered_at=NOW, client_ip="203.0.113.7"
)
REFUND = RefundOrder(
    request_id="r1",
    order_code="HUE007K2M9Q4X1",
    transaction="tx-1",
    amount_vnd=20_000,
    whole=False,
    ordered_at=NOW,
    asked_at=NOW,
    asked_by="ketoan01",
    client_ip="203.0.113.7",
    description="Hoàn tiền",
)
FIELDS: dict[str, object] = json.loads(ADAPTER.call_as_provider(PAYMENT, TERMS, NOW).body)


def posted(body: bytes, given: Mapping[str, str]) -> Call:
    """A callback with that body and those headers."""
    return Call(
        method="POST", path="/callbacks/sandbox/HUETEST1", headers=tuple(given.items()), body=body
    )


def signed(body: bytes | Mapping[str, object], message_id: str = "msg_1") -> Call:
    """A callback with that body, signed now."""
    raw = body if isinstance(body, bytes) else dumped(body)
    return posted(raw, dict(headers(SECRET, message_id, int(NOW.timestamp()), raw)))


def read(call: Call, terms: Terms = TERMS, now: datetime = NOW) -> Claim:
    """The claim of a callback."""
    (claim,) = ADAPTER.read(call, terms, now)
    return claim


def refusal(call: Call, terms: Terms = TERMS, now: datetime = NOW) -> Rejected:
    """Why a callback is refused."""
    with pytest.raises(Rejected) as rejected:
        ADAPTER.read(call, terms, now)
    return rejected.value


def test_the_published_library_verifies_our_calls() -> None:
    """What we sign, PyPI's standardwebhooks believes, under its own clock."""
    now = datetime.now(UTC)
    call = ADAPTER.call_as_provider(PAYMENT, TERMS, now)
    verifier = standardwebhooks.Webhook(str.__str__(SECRET))
    assert verifier.verify(call.body, dict(call.headers))["order_code"] == PAYMENT.order_code
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(call.body + b" ", dict(call.headers))


@pytest.mark.parametrize("key", [b"k", b"a key of twenty-four bytes", KEY])
def test_we_verify_the_calls_of_the_published_library(key: bytes) -> None:
    """What the library signs we believe, with and without prefix and padding of the secret."""
    body = dumped(FIELDS).decode()
    given = {
        "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(key).sign(
            "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", NOW, body
        ),
    }
    text = base64.b64encode(key).decode()
    for secret in (f"whsec_{text}", text, f"whsec_{text.rstrip('=')}"):
        terms = msgspec.structs.replace(TERMS, secrets=(Secret(secret),))
        assert read(posted(body.encode(), given), terms).transaction == "tx-1"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_not base64!", "TESTSECRETHUE0123456789ABCDEFGHIJ", "whsec_===="]
)
def test_a_secret_that_is_no_key_believes_nobody(secret: str) -> None:
    """No base64, or nothing in it: nothing is believed, and nothing signed."""
    assert key_of_secret(Secret(secret)) == b""
    terms = msgspec.structs.replace(TERMS, secrets=(Secret(secret),))
    assert refusal(signed(FIELDS), terms).why == "forged"
    for ask in (ADAPTER.checkout_url, ADAPTER.status_request):
        with pytest.raises(ValueError, match=r"secret"):
            ask(ORDER if ask == ADAPTER.checkout_url else QUESTION, terms, NOW)  # type: ignore[arg-type] # each its own


def test_several_signatures_and_secrets_stand_side_by_side() -> None:
    """Any of the signatures under any of the secrets is enough; other versions are passed over."""
    call = signed(FIELDS)
    right = call.header("webhook-signature")
    for proof in (f"v1,AAAA {right}", f"v1a,{right} {right}", f"{right} v2,x"):
        told = dict(call.headers) | {"webhook-signature": proof}
        assert read(posted(call.body, told)).amount_vnd == 50_000
    for secrets in ((OTHER, SECRET), (SECRET, OTHER), (Secret("?"), SECRET)):
        assert read(call, msgspec.structs.replace(TERMS, secrets=secrets))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": " "},
        {"webhook-id": ""},
        {"webhook-id": "msg_2"},
        {"webhook-id": "msg.1"},
        {"webhook-id": "x" * 101},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "1773285336"},
        {"webhook-timestamp": "1773285335.0"},
        {"webhook-timestamp": "+1773285335"},
        {"webhook-timestamp": "9" * 13},
    ],
)
def test_a_changed_header_is_forged(changed: dict[str, str]) -> None:
    """Id, time and signature belong together; the hint still tells the order."""
    call = signed(FIELDS)
    rejected = refusal(posted(call.body, dict(call.headers) | changed))
    assert rejected.why == "forged"
    assert rejected.hint is not None
    assert rejected.hint.reference == "HUE007K2M9Q4X1"
    assert refusal(posted(call.body, {})).why == "forged"


def test_the_digest_is_compared_as_text() -> None:
    """Another spelling of the same base64 is not accepted: there is one signature of a message."""
    call = signed(FIELDS)
    right = call.header("webhook-signature") or ""
    assert right.endswith("=")
    for proof in (right.rstrip("="), right.upper(), right.replace("v1", "V1"), right + "="):
        told = dict(call.headers) | {"webhook-signature": proof}
        assert refusal(posted(call.body, told)).why == "forged"


@pytest.mark.parametrize(
    ("late_s", "fresh"), [(-301, False), (-300, True), (300, True), (301, False)]
)
def test_five_minutes_either_way(late_s: int, fresh: bool) -> None:  # noqa: FBT001 # of a test
    """A signed time is believed up to the tolerance of the terms, before and after."""
    now = NOW + timedelta(seconds=late_s)
    if fresh:
        assert read(signed(FIELDS), TERMS, now)
    else:
        rejected = refusal(signed(FIELDS), TERMS, now)
        assert (rejected.why, rejected.hint is not None) == ("stale", True)
    wide = msgspec.structs.replace(TERMS, freshness_s=600)
    assert read(signed(FIELDS), wide, now)


@pytest.mark.parametrize(
    ("amount", "amount_vnd", "text"),
    [
        (50_000, 50_000, "50000"),
        ("50000", 50_000, "50000"),
        (50_000.5, None, "50000.5"),
        ("50.000", None, "50.000"),
        (-1, None, "-1"),
        (0, None, "0"),
        (10**16, None, str(10**16)),
        (None, None, ""),
    ],
)
def test_an_amount_is_whole_dong(amount: object, amount_vnd: int | None, text: str) -> None:
    """Numbers or texts of whole đồng; anything else is kept as its text."""
    claim = read(signed({**FIELDS, "amount_vnd": amount}))
    assert (claim.amount_vnd, claim.amount_text) == (amount_vnd, text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-12T10:15:35+07:00", NOW),
        ("2026-03-12T03:15:35Z", NOW),
        ("2026-03-12T03:15:35.250000Z", NOW + timedelta(milliseconds=250)),
        ("2026-03-12T10:15:35", None),
        ("2026-02-30T10:15:35Z", None),
        ("9999-12-31T23:59:59-07:00", None),
        ("1999-12-31T23:59:59Z", None),
        (1773285335, None),
        (None, None),
    ],
)
def test_times_bear_their_zone(text: object, moment: datetime | None) -> None:
    """A time without a zone is none."""
    assert read(signed({**FIELDS, "happened_at": text})).happened_at == moment


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "credit"},
        {"status": "PAID"},
        {"status": None},
        {"order_code": None},
        {"order_code": "a b"},
        {"transaction": ""},
        {"transaction": "x" * 101},
        {"amount_vnd": [50_000]},
        {"type": ["payment"]},
    ],
)
def test_a_true_callback_that_cannot_be_read_is_kept(changed: dict[str, object]) -> None:
    """It proved itself, so people get to see it."""
    rejected = refusal(signed({**FIELDS, **changed}))
    assert (rejected.why, rejected.authentic) == ("malformed", True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 60_000])
def test_what_is_no_object_is_malformed_once_it_is_signed(body: bytes) -> None:
    """Unsigned it is forged, signed it is malformed; neither is anything worse."""
    assert refusal(signed(body)).why == "malformed"
    assert refusal(posted(body, {})).why == "forged"


def test_another_merchants_callback_is_refused() -> None:
    """A message of another merchant under the same secret is not this one's."""
    assert refusal(signed({**FIELDS, "merchant": "HUETEST2"})).why == "forged"
    assert refusal(signed({k: v for k, v in FIELDS.items() if k != "merchant"})).why == "forged"


def test_pings_and_news_are_acknowledged() -> None:
    """A ping is a test; a kind of message that is not known tells of no payment."""
    assert read(signed({"type": "ping", "merchant": "HUETEST1"})).is_test
    claim = read(signed({"type": "dispute", "merchant": "HUETEST1"}, "msg_9"))
    assert (claim.status, claim.transaction, claim.amount_vnd) == ("ignored", "msg_9", None)


def test_a_known_field_may_stand_anywhere_and_unknown_ones_pass() -> None:
    """Order and unknown fields change nothing."""
    more = {"new": {"a": [1]}, **dict(reversed(list(FIELDS.items())))}
    assert read(signed(more)) == read(signed(FIELDS))


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(outcome: Outcome) -> None:
    """204 for what was kept, and the three refusals; nothing in the body."""
    status = {
        Outcome.FORGED: 401,
        Outcome.STALE: 401,
        Outcome.MALFORMED: 400,
        Outcome.TRY_AGAIN: 503,
    }.get(outcome, 204)
    answer = ADAPTER.answer(outcome, signed(FIELDS))
    assert (answer.status, answer.body) == (status, b"")
    assert ADAPTER.accepts(answer.status, answer.body) is (status == 204)


def test_every_ability_is_there() -> None:
    """An integrator can try each of them here."""
    for ability in (MakesCheckout, AsksStatus, Refunds, Acts, ReadsOwnLinks):
        assert isinstance(ADAPTER, ability)


# --- The sandbox's own side --------------------------------------------------------------------

PAYMENTS = st.builds(
    Payment,
    order_code=st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True),
    transaction=st.from_regex(r"[!-~]{1,40}", fullmatch=True),
    amount_vnd=st.integers(1, 10**15),
    paid_at=st.integers(1_000_000_000, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    status=st.sampled_from(sorted(STATUSES.values())),
    memo=st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(
        lambda text: "\x00" not in text
    ),
    bank_brand=st.sampled_from(["", "VCB", "Ngân hàng"]),
    bank_reference=st.sampled_from(["", "FT26071"]),
)


def sent(request: SignedRequest) -> Call:
    """A request of ours as the sandbox gets it."""
    path = urlsplit(request.url).path
    return Call(method=request.method, path=path, headers=request.headers, body=request.body)


def served(request: SignedRequest, shop: Shop, terms: Terms = TERMS) -> Answer:
    """The sandbox's answer to a request of ours."""
    return ADAPTER.serve_as_provider(sent(request), shop, terms, NOW)


@given(PAYMENTS)
def test_what_the_sandbox_tells_is_what_is_read(payment: Payment) -> None:
    """A callback says its payment, and the answer to a question says the same claim."""
    claim = read(ADAPTER.call_as_provider(payment, TERMS, NOW))
    assert (claim.reference, claim.scope) == (payment.order_code, payment.order_code)
    assert (claim.transaction, claim.status) == (payment.transaction, payment.status)
    assert (claim.amount_vnd, claim.happened_at) == (payment.amount_vnd, payment.paid_at)
    assert (claim.memo, claim.bank_brand or "") == (payment.memo, payment.bank_brand)
    question = msgspec.structs.replace(QUESTION, order_code=payment.order_code)
    answered = served(ADAPTER.status_request(question, TERMS, NOW), Shop(payments=[payment]))
    assert ADAPTER.read_status(answered.body, question, TERMS) == (claim,)


def test_one_event_has_one_id() -> None:
    """A callback sent again is the same message, signed at its own time."""
    first, again = (
        ADAPTER.call_as_provider(PAYMENT, TERMS, NOW + timedelta(minutes=late)) for late in (0, 9)
    )
    assert first.header("webhook-id") == again.header("webhook-id")
    assert first.body == again.body
    assert first.headers != again.headers


def test_a_link_opens_its_order() -> None:
    """The link bears what the sandbox must know, with a proof over its own bytes."""
    url = urlsplit(ADAPTER.checkout_url(ORDER, TERMS, NOW))
    assert f"{url.scheme}://{url.netloc}{url.path}" == TERMS.pay_address
    call = Call(method="GET", path=url.path, raw_query=url.query.encode())
    order = ADAPTER.order_of_link(call, TERMS, NOW)
    for name in ("order_code", "amount_vnd", "expires_at", "return_url", "callback_url"):
        assert getattr(order, name) == getattr(ORDER, name)
    assert (order.opened_at, order.description) == (NOW, ORDER.description)
    for change in (
        (b"amount_vnd=50000", b"amount_vnd=50001"),
        (b"HUE007K2M9Q4X1", b"HUE007K2M9Q4X2"),
        (b"signature=", b"signature=0"),
        (b"&signature=", b"&x=&signature="),
    ):
        forged = msgspec.structs.replace(call, raw_query=call.raw_query.replace(*change))
        assert forged != call
        with pytest.raises(ValueError, match="fit"):
            ADAPTER.order_of_link(forged, TERMS, NOW)
    with pytest.raises(ValueError, match="expired"):
        ADAPTER.order_of_link(call, TERMS, ORDER.expires_at)
    with pytest.raises(ValueError, match="merchant"):
        ADAPTER.order_of_link(call, msgspec.structs.replace(TERMS, merchant="X"), NOW)


@pytest.mark.parametrize(
    ("changed", "terms"),
    [
        ({"amount_vnd": 0}, TERMS),
        ({"order_code": "a b"}, TERMS),
        ({"expires_at": NOW}, TERMS),
        ({}, msgspec.structs.replace(TERMS, pay_address="")),
        ({}, msgspec.structs.replace(TERMS, secrets=())),
    ],
)
def test_a_link_that_could_not_be_paid_is_not_made(
    changed: dict[str, object], terms: Terms
) -> None:
    """No link without amount, order, time, secret and address."""
    with pytest.raises(ValueError, match=r"."):
        ADAPTER.checkout_url(msgspec.structs.replace(ORDER, **changed), terms, NOW)


def shop() -> Shop:
    """A sandbox in which the order was opened by its link."""
    url = urlsplit(ADAPTER.checkout_url(ORDER, TERMS, NOW))
    call = Call(method="GET", path=url.path, raw_query=url.query.encode())
    order = ADAPTER.order_of_link(call, TERMS, NOW)
    return Shop(orders={order.order_code: order})


def test_an_order_is_unknown_then_pending_then_paid_twice() -> None:
    """None at all, one `pending`, and then one claim for each payment."""
    ask = ADAPTER.status_request(QUESTION, TERMS, NOW)
    assert ADAPTER.read_status(served(ask, Shop()).body, QUESTION, TERMS) == ()
    opened = shop()
    (claim,) = ADAPTER.read_status(served(ask, opened).body, QUESTION, TERMS)
    assert (claim.status, claim.amount_vnd) == ("pending", 50_000)
    opened.payments += [PAYMENT, msgspec.structs.replace(PAYMENT, transaction="tx-2")]
    claims = ADAPTER.read_status(served(ask, opened).body, QUESTION, TERMS)
    assert [(one.transaction, one.status) for one in claims] == [("tx-1", "paid"), ("tx-2", "paid")]


def test_an_answer_answers_one_question() -> None:
    """An answer to another question, order or merchant, or under another key, is forged."""
    opened = shop()
    opened.payments.append(PAYMENT)
    body = served(ADAPTER.status_request(QUESTION, TERMS, NOW), opened).body
    assert ADAPTER.read_status(body, QUESTION, TERMS)
    for changed in ({"request_id": "q2"}, {"order_code": "HUE007K2M9Q4X2"}):
        with pytest.raises(Rejected, match="forged"):
            ADAPTER.read_status(body, msgspec.structs.replace(QUESTION, **changed), TERMS)
    for terms in (
        msgspec.structs.replace(TERMS, merchant="HUETEST2"),
        msgspec.structs.replace(TERMS, secrets=(OTHER,)),
    ):
        with pytest.raises(Rejected, match="forged"):
            ADAPTER.read_status(body, QUESTION, terms)
    with pytest.raises(Rejected):
        ADAPTER.read_status(body.replace(b"50000", b"50001"), QUESTION, TERMS)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"payload":1}', b" " * 2_000_000])
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    """Neither claims nor a crash come of it."""
    with pytest.raises(Rejected):
        ADAPTER.read_status(body, QUESTION, TERMS)
    with pytest.raises(Rejected):
        ADAPTER.read_refund(body, REFUND, TERMS)


def test_questions_and_answers_are_no_callbacks() -> None:
    """What is signed for one purpose proves nothing for another."""
    request = ADAPTER.status_request(QUESTION, TERMS, NOW)
    assert refusal(sent(request)).why == "forged"
    answer = json.loads(served(request, shop()).body)
    replayed = posted(
        answer["payload"].encode(),
        {
            "webhook-id": answer["id"],
            "webhook-timestamp": str(answer["timestamp"]),
            "webhook-signature": answer["signature"],
        },
    )
    assert refusal(replayed).why == "forged"


def test_the_api_refuses_strangers() -> None:
    """A wrong signature, an old one, another path, merchant or kind is refused with its status."""
    request = ADAPTER.status_request(QUESTION, TERMS, NOW)
    call = sent(request)
    old = ADAPTER.serve_as_provider(call, Shop(), TERMS, NOW + timedelta(hours=1))
    assert old.status == 401
    assert served(request, Shop(), msgspec.structs.replace(TERMS, secrets=(OTHER,))).status == 401
    assert served(request, Shop(), msgspec.structs.replace(TERMS, merchant="X")).status == 403
    elsewhere = msgspec.structs.replace(call, path="/sandbox/api/refunds")
    assert ADAPTER.serve_as_provider(elsewhere, Shop(), TERMS, NOW).status == 403
    nowhere = msgspec.structs.replace(call, path="/sandbox/api/x")
    assert ADAPTER.serve_as_provider(nowhere, Shop(), TERMS, NOW).status == 404
    raw = msgspec.structs.replace(call, headers=signed(b"{").headers, body=b"{")
    refused = ADAPTER.serve_as_provider(raw, Shop(), TERMS, NOW)
    assert refused.status == 400
    with pytest.raises(Unanswered, match="malformed"):
        ADAPTER.read_status(refused.body, QUESTION, TERMS)


@pytest.mark.parametrize(
    ("state", "status"),
    [("processing", "refund_processing"), ("done", "refunded"), ("failed", "refund_failed")],
)
def test_a_refund_is_made_once_and_followed(
    state: Literal["processing", "done", "failed"], status: str
) -> None:
    """Unknown before it is sent; sent twice it is one; then it is as far as the sandbox says."""
    opened = shop()
    opened.payments.append(PAYMENT)
    ask = ADAPTER.refund_question(REFUND, TERMS, NOW)
    assert ADAPTER.read_refund_answer(served(ask, opened).body, REFUND, TERMS) is None
    order = ADAPTER.refund_request(REFUND, TERMS, NOW)
    first = ADAPTER.read_refund(served(order, opened).body, REFUND, TERMS)
    again = ADAPTER.read_refund(served(order, opened).body, REFUND, TERMS)
    assert first == again
    assert (first.status, first.amount_vnd) == ("refund_processing", 20_000)
    assert (first.reference, first.scope) == ("HUE007K2M9Q4X1", "HUE007K2M9Q4X1")
    (refund,) = opened.refunds.values()
    opened.refunds["r1"] = msgspec.structs.replace(refund, state=state)
    claim = ADAPTER.read_refund_answer(served(ask, opened).body, REFUND, TERMS)
    assert claim is not None
    assert (claim.status, claim.transaction) == (status, first.transaction)


@pytest.mark.parametrize(
    "changed",
    [{"amount_vnd": 50_001}, {"transaction": "tx-9"}, {"order_code": "HUE007K2M9Q4X9"}],
)
def test_what_was_not_paid_is_not_given_back(changed: dict[str, object]) -> None:
    """More than was paid, another payment or another order: the refund fails."""
    opened = shop()
    opened.payments.append(PAYMENT)
    wrong = msgspec.structs.replace(REFUND, **changed)
    request = ADAPTER.refund_request(wrong, TERMS, NOW)
    claim = ADAPTER.read_refund(served(request, opened).body, wrong, TERMS)
    assert claim.status == "refund_failed"


def test_parts_of_a_payment_are_given_back_until_nothing_is_left() -> None:
    """Two parts fit, the third does not; an id used for another refund is refused."""
    opened = shop()
    opened.payments.append(PAYMENT)
    statuses = []
    for number in ("1", "2", "3"):
        part = msgspec.structs.replace(REFUND, request_id=number, transaction=None)
        request = ADAPTER.refund_request(part, TERMS, NOW)
        statuses.append(ADAPTER.read_refund(served(request, opened).body, part, TERMS).status)
    assert statuses == ["refund_processing", "refund_processing", "refund_failed"]
    other = msgspec.structs.replace(REFUND, request_id="1", amount_vnd=1)
    with pytest.raises(Unanswered, match="reused"):
        ADAPTER.read_refund(
            served(ADAPTER.refund_request(other, TERMS, NOW), opened).body, other, TERMS
        )
    with pytest.raises(ValueError, match="give back"):
        ADAPTER.refund_request(msgspec.structs.replace(REFUND, amount_vnd=0), TERMS, NOW)


def test_an_id_with_a_full_stop_is_not_signed() -> None:
    """The parts of the signed text are joined by full stops, so none may be in the first."""
    with pytest.raises(ValueError, match="full stop"):
        signature(SECRET, "a.b", 1, b"")
