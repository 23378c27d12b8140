"""What our side asks, the provider's own side answers: orders, questions, refunds, lists.

Both sides are ours, so this shows that they fit together, not that they are right: the recorded
requests and the independent clients do that. What is asked and what is called must be one event.
"""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
import pytest

from providers import (
    Answer,
    AsksStatus,
    Call,
    Claim,
    MakesCheckout,
    OpensCheckout,
    PullsTransactions,
    RefundOrder,
    Refunds,
    Rejected,
    StatusQuestion,
    Unanswered,
)
from providers.acting import ReadsOwnLinks, Shop
from providers.catalog import CATALOG
from tests.providers.spoken import AMOUNT_VND, NOW, PAGE, SPOKEN, Spoken, as_call, key_of

CHECKOUTS = [one for one in SPOKEN if isinstance(one.adapter, OpensCheckout)]
LINKS = [one for one in SPOKEN if isinstance(one.adapter, MakesCheckout)]
ASKED = [one for one in SPOKEN if isinstance(one.adapter, AsksStatus)]
REFUNDING = [one for one in SPOKEN if isinstance(one.adapter, Refunds)]
PULLED = [one for one in SPOKEN if isinstance(one.adapter, PullsTransactions)]
PAGES_MAX = 20


def named(found: list[Spoken]) -> pytest.MarkDecorator:
    """One test for each provider and mode."""
    return pytest.mark.parametrize("spoken", found, ids=[one.name for one in found])


def asks(spoken: Spoken) -> AsksStatus:
    """The adapter, as one that can be asked."""
    assert isinstance(spoken.adapter, AsksStatus)
    return spoken.adapter


def opens(spoken: Spoken) -> OpensCheckout:
    """The adapter, as one whose checkouts are opened by a request."""
    assert isinstance(spoken.adapter, OpensCheckout)
    return spoken.adapter


def links(spoken: Spoken) -> MakesCheckout:
    """The adapter, as one whose links we sign."""
    assert isinstance(spoken.adapter, MakesCheckout)
    return spoken.adapter


def reads_links(spoken: Spoken) -> ReadsOwnLinks:
    """The adapter, as one that reads our links."""
    assert isinstance(spoken.adapter, ReadsOwnLinks)
    return spoken.adapter


def refunds(spoken: Spoken) -> Refunds:
    """The adapter, as one that refunds."""
    assert isinstance(spoken.adapter, Refunds)
    return spoken.adapter


def pulls(spoken: Spoken) -> PullsTransactions:
    """The adapter, as one that has a list."""
    assert isinstance(spoken.adapter, PullsTransactions)
    return spoken.adapter


def question(spoken: Spoken, shop: Shop) -> StatusQuestion:
    """The question about the order."""
    order = shop.orders.get(spoken.order_code)
    return StatusQuestion(
        request_id="q0001",
        order_code=spoken.order_code,
        ordered_at=NOW,
        client_ip="203.0.113.7",
        provider_reference=order.provider_reference if order else None,
        amount_vnd=AMOUNT_VND,
    )


def asked(spoken: Spoken, shop: Shop, later: timedelta = timedelta()) -> list[Claim]:
    """What the provider tells when it is asked about the order."""
    adapter = asks(spoken)
    about = question(spoken, shop)
    request = adapter.status_request(about, spoken.terms, NOW + later)
    answer = spoken.serve(request, shop, NOW + later)
    return list(adapter.read_status(answer.body, about, spoken.terms))


def opened(spoken: Spoken) -> Shop:
    """A shop whose order was opened as we open one: by a request, or by a link of ours."""
    shop = Shop(page=PAGE)
    adapter = spoken.adapter
    if isinstance(adapter, OpensCheckout):
        request = adapter.checkout_request(spoken.order(), spoken.terms, NOW)
        assert spoken.serve(request, shop).status < 300
    elif isinstance(adapter, ReadsOwnLinks) and isinstance(adapter, MakesCheckout):
        url = urlsplit(adapter.checkout_url(spoken.order(), spoken.terms, NOW))
        call = Call(method="GET", path=url.path, raw_query=url.query.encode())
        order = adapter.order_of_link(call, spoken.terms, NOW)
        shop.orders[order.order_code] = order
    else:
        return spoken.shop()
    return shop


def pay(spoken: Spoken, shop: Shop, **changes: object) -> Claim:
    """Let the order be paid; what the callback about it says."""
    order = shop.orders[spoken.order_code]
    scope = order.provider_reference or spoken.order_code
    payment = spoken.payment(scope=scope, **changes)
    shop.payments.append(payment)
    (claim,) = spoken.read(spoken.call(payment))
    return claim


@named(CHECKOUTS)
def test_an_order_is_opened_and_is_the_same_when_it_is_asked_for_again(spoken: Spoken) -> None:
    """A checkout is opened once however often its request comes, with our amount and texts."""
    adapter = opens(spoken)
    shop, order = Shop(page=PAGE), spoken.order()
    request = adapter.checkout_request(order, spoken.terms, NOW)
    found = adapter.read_checkout(spoken.serve(request, shop).body, order, spoken.terms)
    assert found.url or found.qr_payload
    assert shop.orders[spoken.order_code].amount_vnd == AMOUNT_VND
    again = spoken.serve(request, shop)
    assert len(shop.orders) == 1
    try:
        assert adapter.read_checkout(again.body, order, spoken.terms) == found
    except (Rejected, Unanswered):
        return  # told that there is one already: the first answer was kept, or is asked for


@named(CHECKOUTS)
def test_a_changed_checkout_request_opens_nothing(spoken: Spoken) -> None:
    """The provider's side verifies what we sign."""
    adapter = opens(spoken)
    shop = Shop(page=PAGE)
    call = as_call(adapter.checkout_request(spoken.order(), spoken.terms, NOW))
    changed = call.body.replace(str(AMOUNT_VND).encode(), str(AMOUNT_VND + 1).encode())
    assert changed != call.body
    answer = spoken.acts.serve_as_provider(
        msgspec.structs.replace(call, body=changed), shop, spoken.terms, NOW
    )
    assert not shop.orders
    with pytest.raises((Rejected, Unanswered)):
        adapter.read_checkout(answer.body, spoken.order(), spoken.terms)


@named(LINKS)
def test_a_link_is_read_back_as_it_was_signed(spoken: Spoken) -> None:
    """The order in a link of ours is the order that was to be paid; a changed link is none."""
    adapter = reads_links(spoken)
    shop = opened(spoken)
    order = shop.orders[spoken.order_code]
    assert order.amount_vnd == AMOUNT_VND
    assert order.return_url == spoken.order().return_url
    url = links(spoken).checkout_url(spoken.order(), spoken.terms, NOW)
    assert url.startswith(spoken.terms.pay_address)
    query = urlsplit(url).query
    changed = query.replace(str(AMOUNT_VND), str(AMOUNT_VND + 1))
    assert changed != query
    with pytest.raises(ValueError, match=r"."):
        adapter.order_of_link(
            Call(method="GET", path="/", raw_query=changed.encode()), spoken.terms, NOW
        )


@named(ASKED)
def test_an_unknown_order_is_no_claim(spoken: Spoken) -> None:
    """A provider that knows no such order says so, or says nothing that can be believed."""
    try:
        found = asked(spoken, Shop(page=PAGE))
    except (Rejected, Unanswered):
        return
    assert found == []


@named(ASKED)
def test_an_order_that_nobody_paid_is_pending(spoken: Spoken) -> None:
    """Asked before anybody pays, an order is pending: nothing is booked of it."""
    shop = opened(spoken)
    assert [claim.status for claim in asked(spoken, shop)] == ["pending"]


@named(ASKED)
def test_what_is_asked_is_what_was_called(spoken: Spoken) -> None:
    """The answer about a paid order makes the very event of its callback."""
    shop = opened(spoken)
    called = pay(spoken, shop)
    (claim,) = asked(spoken, shop)
    assert key_of(claim) == key_of(called)
    assert called.amount_vnd == AMOUNT_VND


@named(ASKED)
@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_an_order_that_failed_is_never_paid(spoken: Spoken, status: str) -> None:
    """Asked about an attempt that failed, a provider never tells of money."""
    shop = opened(spoken)
    order = shop.orders[spoken.order_code]
    shop.payments.append(spoken.payment(status=status, scope=order.provider_reference or ""))
    assert {claim.status for claim in asked(spoken, shop)} <= {
        "failed",
        "cancelled",
        "expired",
        "pending",
    }


@named(ASKED)
def test_a_changed_answer_is_not_believed_where_answers_are_signed(spoken: Spoken) -> None:
    """A signed answer with another amount is Rejected; an unsigned one is trusted to TLS."""
    adapter = asks(spoken)
    shop = opened(spoken)
    pay(spoken, shop)
    about = question(spoken, shop)
    request = adapter.status_request(about, spoken.terms, NOW)
    body = spoken.serve(request, shop).body
    changed = body.replace(str(AMOUNT_VND).encode(), str(AMOUNT_VND + 1_000).encode())
    assert changed != body
    other = msgspec.structs.replace(spoken.terms, secrets=(spoken.other_key,))
    try:
        adapter.read_status(body, about, other)
    except Rejected:
        with pytest.raises(Rejected):
            adapter.read_status(changed, about, spoken.terms)
    else:
        told = {claim.amount_vnd for claim in adapter.read_status(changed, about, spoken.terms)}
        assert told == {AMOUNT_VND + 1_000}


def refund(
    spoken: Spoken, shop: Shop, amount_vnd: int = AMOUNT_VND, number: int = 1
) -> RefundOrder:
    """A refund of the order's payment."""
    return RefundOrder(
        request_id=f"{NOW:%y%m%d}{number:06d}",
        order_code=spoken.order_code,
        transaction=shop.payments[-1].transaction,
        amount_vnd=amount_vnd,
        whole=amount_vnd == AMOUNT_VND,
        ordered_at=NOW,
        asked_at=NOW,
        asked_by="ketoan01",
        client_ip="203.0.113.7",
        description="Hoan tien",
    )


@named(REFUNDING)
@pytest.mark.parametrize("amount_vnd", [AMOUNT_VND, AMOUNT_VND // 2])
def test_a_refund_is_made_once_and_followed_to_its_end(spoken: Spoken, amount_vnd: int) -> None:
    """The same request again gives nothing twice; the question tells how far it is."""
    adapter = refunds(spoken)
    shop = opened(spoken)
    pay(spoken, shop)
    order = refund(spoken, shop, amount_vnd)
    ask = adapter.refund_question(order, spoken.terms, NOW)
    assert adapter.read_refund_answer(spoken.serve(ask, shop).body, order, spoken.terms) is None
    request = adapter.refund_request(order, spoken.terms, NOW)
    claim = adapter.read_refund(spoken.serve(request, shop).body, order, spoken.terms)
    assert claim.status in {"refunded", "refund_processing"}
    assert claim.amount_vnd == amount_vnd
    spoken.serve(adapter.refund_request(order, spoken.terms, NOW), shop)
    assert [one.amount_vnd for one in shop.refunds.values()] == [amount_vnd]
    for state, status in (("done", "refunded"), ("failed", "refund_failed")):
        ((key, made),) = shop.refunds.items()
        shop.refunds[key] = msgspec.convert(
            msgspec.to_builtins(made) | {"state": state}, type(made)
        )
        answer = spoken.serve(adapter.refund_question(order, spoken.terms, NOW), shop)
        told = adapter.read_refund_answer(answer.body, order, spoken.terms)
        assert told is not None
        assert (told.status, told.amount_vnd) == (status, amount_vnd)


@named(REFUNDING)
def test_more_than_was_paid_is_never_given_back(spoken: Spoken) -> None:
    """Two refunds that add up to more than the payment: the second one is not made."""
    adapter = refunds(spoken)
    shop = opened(spoken)
    pay(spoken, shop)
    for number in (1, 2):
        order = refund(spoken, shop, AMOUNT_VND * 3 // 5, number)
        answer = spoken.serve(adapter.refund_request(order, spoken.terms, NOW), shop)
    try:
        claim = adapter.read_refund(answer.body, order, spoken.terms)
    except (Rejected, Unanswered):
        pass
    else:
        assert claim.status == "refund_failed"
    given = [one.amount_vnd for one in shop.refunds.values() if one.state != "failed"]
    assert sum(given) == AMOUNT_VND * 3 // 5


@named(PULLED)
def test_the_list_tells_what_the_webhooks_told(spoken: Spoken) -> None:
    """Page by page, the claims of a feed's own list are the events of its webhooks."""
    adapter = pulls(spoken)
    shop = spoken.shop()
    told = {key_of(pay(spoken, shop, transaction=str(14_000_000 + number))) for number in range(7)}
    try:
        adapter.pull_request("", spoken.terms, NOW)
    except ValueError:
        return  # in this mode it has no list
    position: str | None = ""
    found: list[Claim] = []
    for _ in range(PAGES_MAX):
        request = adapter.pull_request(position or "", spoken.terms, NOW)
        page = adapter.read_pull(spoken.serve(request, shop).body, spoken.terms)
        found += page.claims
        position = page.next_position
        if position is None:
            break
    assert position is None
    assert {key_of(claim) for claim in found} == told


@pytest.mark.parametrize("spoken", SPOKEN, ids=[one.name for one in SPOKEN])
def test_a_path_that_the_provider_has_not_is_404(spoken: Spoken) -> None:
    """Whatever is asked beside its paths, with whatever body, the provider's side stands it."""
    for body in (b"", b"{", b"[]", b"\xff", b'{"a":' * 3_000):
        call = Call(method="POST", path="/there/is/no/such/path", body=body)
        answer = spoken.acts.serve_as_provider(call, spoken.shop(), spoken.terms, NOW)
        assert isinstance(answer, Answer)
        assert answer.status == 404


@named(ASKED)
def test_a_question_that_is_broken_is_refused_in_the_providers_words(spoken: Spoken) -> None:
    """Cut, emptied and unsigned questions are answered, and never with the payment."""
    adapter = asks(spoken)
    shop = opened(spoken)
    pay(spoken, shop)
    about = question(spoken, shop)
    call = as_call(adapter.status_request(about, spoken.terms, NOW))
    if not call.body:
        bare = msgspec.structs.replace(call, headers=())
        answer = spoken.acts.serve_as_provider(bare, shop, spoken.terms, NOW)
        assert str(AMOUNT_VND).encode() not in answer.body
        return
    for body in (call.body[: len(call.body) // 2], b"", b"{}", b"[]", b"null"):
        cut = msgspec.structs.replace(call, body=body)
        answer = spoken.acts.serve_as_provider(cut, shop, spoken.terms, NOW)
        assert answer.status < 500
        assert shop.payments[0].transaction.encode() not in answer.body


def test_abilities_are_asked_for_and_not_pretended() -> None:
    """Each provider has a way to learn of money that nobody called about, or says that it has none.

    OnePay's page documents no question. Everybody else can be asked, or has a list.
    """
    silent = {
        name
        for name, adapter in CATALOG.items()
        if not isinstance(adapter, AsksStatus | PullsTransactions)
    }
    assert silent == {"onepay"}


def test_every_answer_of_an_api_is_json() -> None:
    """What the providers' own sides answer to questions can be read by any client."""
    for spoken in ASKED:
        shop = opened(spoken)
        request = asks(spoken).status_request(question(spoken, shop), spoken.terms, NOW)
        assert json.loads(spoken.serve(request, shop).body)
