"""payOS' API: a payment link is opened, and asked about.

An answer is signed over its `data` like a webhook. Both official clients refuse one that is not,
so that is what we do unless an option says otherwise.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from providers.abilities import Checkout, CheckoutOrder, SignedRequest, StatusQuestion
from providers.contract import AMOUNT_VND_MAX, Claim, Rejected, Status, Terms, Unanswered
from providers.payos_data import (
    DONE,
    Ambiguous,
    Fields,
    claim_of,
    order_code_of,
    signed_fields,
    texts_of,
)
from providers.signing import hmac_sha256
from providers.untrusted import clean, json_object, key_of, plain_ascii, text_of, whole_vnd

API: Final = "https://api-merchant.payos.vn"
LINKS: Final = "/v2/payment-requests"
ANSWER_BYTES_MAX = 1_000_000
TRANSFERS_MAX = 1_000
DESCRIPTION_CHARS_MAX = 25

OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "accept_unsigned_answers": (
            "whether answers of the API without a signature are believed; no: the official "
            "clients refuse them too"
        ),
        "description_chars": (
            "how many characters of transfer text the account's bank takes: 25 for linked "
            "accounts, 9 for others (unverified)"
        ),
        "unknown_link_codes": (
            "the codes, separated by commas, by which payOS says that it has no such link; "
            "documented nowhere, so none: such an answer counts as no answer"
        ),
    }
)

_STATES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "EXPIRED": "expired",
        "CANCELLED": "cancelled",
        "FAILED": "failed",
    }
)
"""Of a link that nobody paid. Any other word (PENDING, PROCESSING; also a PAID that lists no
transfer) is waited on."""


def checkout_request(order: CheckoutOrder, terms: Terms) -> SignedRequest:
    """The signed request for a link. ValueError for an order that payOS cannot hold."""
    if not 0 < order.amount_vnd <= AMOUNT_VND_MAX:
        raise ValueError("the amount is no payment")
    fields = {
        "amount": order.amount_vnd,
        "cancelUrl": order.return_url,
        "description": _transfer_text(order, terms),
        "orderCode": int(order_code_of(order.order_code)),
        "returnUrl": order.return_url,
    }
    message = "&".join(f"{name}={value}" for name, value in fields.items())
    body = {
        **fields,
        "expiredAt": int(order.expires_at.timestamp()),
        "signature": hmac_sha256(terms.secrets[0], message.encode()),
    }
    return _request("POST", LINKS, terms, json.dumps(body, separators=(",", ":")).encode())


def _transfer_text(order: CheckoutOrder, terms: Terms) -> str:
    """Our reference, so that the bank's own windows name the order too; its end where it is long.

    What a citizen reads is on the page; here the bank gives and cuts few characters.
    """
    chars = terms.options.get("description_chars", DESCRIPTION_CHARS_MAX)
    if not isinstance(chars, int) or not 0 < chars <= DESCRIPTION_CHARS_MAX:
        raise ValueError(f"description_chars is 1 to {DESCRIPTION_CHARS_MAX}")
    return plain_ascii(order.reference, len(order.reference))[-chars:]


def read_checkout(body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
    """Where the citizen pays `order`. Raises Rejected or Unanswered."""
    _, fields = _data(body, terms)
    _same_order(fields, order.order_code)
    if whole_vnd(fields.get("amount", "")) != order.amount_vnd:
        raise Rejected("forged", "a link over another amount")
    url = fields.get("checkoutUrl", "")
    if not url.startswith(("https://", "http://")) or not url.isprintable():
        raise Rejected("malformed", "no page to pay at")
    try:
        link = key_of(fields.get("paymentLinkId", ""))
    except ValueError:
        raise Rejected("malformed", "the link has no name") from None
    return Checkout(
        url=url, qr_payload=clean(fields.get("qrCode", "")) or None, provider_reference=link
    )


def status_request(question: StatusQuestion, terms: Terms) -> SignedRequest:
    """What became of a link, asked by our order code."""
    return _request("GET", f"{LINKS}/{order_code_of(question.order_code)}", terms)


def read_status(body: bytes, question: StatusQuestion, terms: Terms) -> tuple[Claim, ...]:
    """One claim for each transfer; else one of the link's state. Raises Rejected or Unanswered.

    None: the answer's code is one that the terms call "no such link".
    """
    try:
        data, fields = _data(body, terms)
    except Unanswered as error:
        if error.code in _unknown_link_codes(terms):
            return ()
        raise
    _same_order(fields, question.order_code)
    transfers = data.get("transactions")
    if not isinstance(transfers, list) or len(transfers) > TRANSFERS_MAX:
        raise Rejected("malformed", "no list of transfers")
    try:
        link = key_of(fields.get("id", ""))
        claims = tuple(_transfer(one, fields["orderCode"], link) for one in transfers)
        return claims or (_silent(fields, link),)
    except ValueError as error:
        raise Rejected("malformed", str(error), authentic=True) from None


def _transfer(found: object, order_code: str, link: str) -> Claim:
    """A transfer of the list, as its webhook tells it."""
    if not isinstance(found, dict):
        raise ValueError("a transfer that is none")  # noqa: TRY004 - bad input
    told = {"orderCode": order_code, "paymentLinkId": link, "code": DONE}
    return claim_of({**texts_of(found), **told})


def _silent(fields: Fields, link: str) -> Claim:
    """The state of a link without a transfer."""
    amount_text = fields.get("amount", "")
    order = order_code_of(fields["orderCode"])
    return Claim(
        transaction=f"0/{order}",
        status=_STATES.get(fields.get("status", ""), "pending"),
        reference=order,
        amount_vnd=whole_vnd(amount_text),
        amount_text=clean(amount_text)[:DESCRIPTION_CHARS_MAX],
        happened_at=None,
        kind="gateway",
        scope=link,
    )


def _same_order(fields: Fields, order_code: str) -> None:
    try:
        told = order_code_of(fields.get("orderCode", ""))
    except ValueError:
        raise Rejected("malformed", "the answer names no order") from None
    if told != order_code:
        raise Rejected("forged", "the answer is about another order")


def _data(body: bytes, terms: Terms) -> tuple[Mapping[str, object], Fields]:
    """The data of an answer, with the texts that are signed of it."""
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    code, data = text_of(found.get("code")), found.get("data")
    if code != DONE or not isinstance(data, dict):
        # Errors are not signed: whoever could forge one could as well drop the answer.
        raise Unanswered(code[:20] or "?", text_of(found.get("desc"))[:200])
    try:
        fields = signed_fields(data, found.get("signature"), terms.secrets)
        if found.get("signature") is None and terms.options.get("accept_unsigned_answers") is True:
            fields = texts_of(data)
    except Ambiguous as error:
        raise Rejected("malformed", str(error), authentic=True) from None
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    if fields is None:
        raise Rejected("forged", "the signature of the answer does not fit")
    return data, fields


def _unknown_link_codes(terms: Terms) -> frozenset[str]:
    told = terms.options.get("unknown_link_codes")
    return frozenset(str(told).replace(" ", "").split(",")) - {""} if told else frozenset()


def _request(method: str, path: str, terms: Terms, body: bytes = b"") -> SignedRequest:
    try:
        keys = (
            ("x-client-id", str(terms.credentials["client_id"])),
            ("x-api-key", str(terms.credentials["api_key"])),
        )
    except KeyError as missing:
        raise ValueError(f"the merchant has no credential {missing}") from None
    return SignedRequest(
        method=method,
        url=(terms.api_address or API).rstrip("/") + path,
        headers=(("Content-Type", "application/json"), *keys),
        body=body,
    )
