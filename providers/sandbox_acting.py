"""The sandbox's own side: callbacks, checkout links read back, and its API."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from providers import standard_webhooks
from providers.acting import Order, Payment, Refund, Shop
from providers.contract import FRESHNESS_S, Answer, Call, Rejected, Terms
from providers.sandbox_api import (
    ORDERS_PATH,
    REFUND_STATES_PATH,
    REFUNDS_PATH,
    link_signature,
    sealed,
)
from providers.sandbox_messages import (
    ORDER,
    PAYMENT,
    QUESTION,
    REFUND,
    REFUND_QUESTION,
    REFUND_STATE,
    STATUSES,
    dumped,
    written_time,
)
from providers.signing import same
from providers.untrusted import json_object, key_of, text_of, whole_vnd

LINK_PARAMETERS_MAX = 20
_JSON = "application/json"
_KINDS: Final[Mapping[str, str]] = {
    ORDERS_PATH: QUESTION,
    REFUNDS_PATH: REFUND,
    REFUND_STATES_PATH: REFUND_QUESTION,
}


class SandboxActing:
    """What the adapter can do as the sandbox: see `providers.acting`."""

    retry_waits: Sequence[timedelta] = tuple(timedelta(minutes=n) for n in (1, 2, 5, 15, 60))

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The callback about `payment`; ValueError without an order, or for a feed's status."""
        body = dumped(
            {"type": PAYMENT, "merchant": terms.merchant, **_of_payment(payment)},
        )
        told = f"{payment.order_code}/{payment.transaction}/{payment.status}"
        message_id = f"msg_{hashlib.sha256(told.encode()).hexdigest()[:24]}"
        return Call(
            method="POST",
            path=f"/callbacks/sandbox/{terms.merchant}",
            headers=standard_webhooks.headers(
                terms.secrets[0], message_id, int(now.timestamp()), body
            ),
            body=body,
        )

    def accepts(self, status: int, body: bytes) -> bool:
        """Any answer of the 200s; the body is not looked at."""
        del body
        return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES

    def order_of_link(self, call: Call, terms: Terms, now: datetime) -> Order:
        """The order in a checkout link; ValueError where it is not signed, not ours or too late."""
        query, _, given = call.raw_query.partition(b"&signature=")
        right = link_signature(query, terms.secrets[0])
        if not same(given.decode("ascii", "replace"), right):
            raise ValueError("the signature does not fit")
        fields = dict(
            parse_qsl(
                query.decode("ascii"), keep_blank_values=True, max_num_fields=LINK_PARAMETERS_MAX
            )
        )
        if fields.get("merchant") != terms.merchant:
            raise ValueError("no order of this merchant")
        expires_at = datetime.fromtimestamp(int(fields.get("expires_at", "")), UTC)
        if expires_at <= now:
            raise ValueError("the order has expired")
        return Order(
            order_code=key_of(fields.get("order_code")),
            amount_vnd=int(fields.get("amount_vnd", "")),
            opened_at=datetime.fromtimestamp(int(fields.get("opened_at", "")), UTC),
            expires_at=expires_at,
            description=fields.get("description", ""),
            return_url=fields.get("return_url", ""),
            callback_url=fields.get("callback_url", ""),
            request_id=fields.get("request_id", ""),
        )

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """Questions and refunds, each under its path below `api_address`."""
        kind = _KINDS.get("/" + call.path.rpartition("/")[2])
        if call.method != "POST" or kind is None:
            return Answer(status=404, media_type=_JSON, body=dumped({"error": "not_found"}))
        try:
            request_id, _ = standard_webhooks.check(call, terms.secrets[:1], now, FRESHNESS_S)
            asked = json_object(call.body)
            code = key_of(asked.get("order_code"))
        except Rejected as rejected:
            return _error(401, rejected.why)
        except ValueError:
            return _error(400, "malformed")
        if asked.get("type") != kind or asked.get("merchant") != terms.merchant:
            return _error(403, "not_yours")
        if kind == QUESTION:
            told: Mapping[str, object] | None = _tell(code, shop)
        elif kind == REFUND:
            told = _refund(request_id, code, asked, shop, now)
        else:
            told = _refund_state(shop.refunds.get(request_id), code)
        if told is None:
            return _error(409, "request_id_reused")
        payload = {"merchant": terms.merchant, **told}
        body = sealed(request_id, payload, terms.secrets[0], now)
        return Answer(status=200, media_type=_JSON, body=body)


def _of_payment(payment: Payment) -> dict[str, object]:
    if payment.order_code is None or payment.status not in STATUSES:
        raise ValueError("the sandbox tells what became of an order's payment")
    return {
        "order_code": payment.order_code,
        "transaction": payment.transaction,
        "status": payment.status,
        "amount_vnd": payment.amount_text or payment.amount_vnd,
        "happened_at": written_time(payment.paid_at),
        "memo": payment.memo,
        "bank_reference": payment.bank_reference,
        "bank_brand": payment.bank_brand,
    }


def _error(status: int, code: str) -> Answer:
    return Answer(status=status, media_type=_JSON, body=dumped({"error": code}))


def _tell(code: str, shop: Shop) -> Mapping[str, object]:
    """The payments of an order; one `pending` where it was opened and nobody paid."""
    payments = [_of_payment(one) for one in shop.of_order(code)]
    order = shop.orders.get(code)
    if not payments and order is not None:
        payments = [
            {
                "order_code": code,
                "transaction": f"0/{code}",
                "status": "pending",
                "amount_vnd": order.amount_vnd,
                "happened_at": written_time(order.opened_at),
            }
        ]
    return {"type": ORDER, "order_code": code, "payments": payments}


def _refund(
    request_id: str, code: str, asked: Mapping[str, object], shop: Shop, now: datetime
) -> Mapping[str, object] | None:
    """Give money back once for a request id; more than was paid fails. None: another refund."""
    amount_vnd = whole_vnd(text_of(asked.get("amount_vnd"))) or 0
    heard = shop.refunds.get(request_id)
    if heard is not None:
        same_again = (heard.order_code, heard.amount_vnd) == (code, amount_vnd)
        return _refund_state(heard, code) if same_again else None
    number = asked.get("transaction")
    paid = [
        one
        for one in shop.of_order(code)
        if one.status == "paid" and number in {None, one.transaction}
    ]
    of_transaction = paid[-1].transaction if paid else ""
    given_vnd = sum(
        one.amount_vnd
        for one in shop.refunds.values()
        if (one.order_code, one.of_transaction) == (code, of_transaction) and one.state != "failed"
    )
    possible = bool(paid) and 0 < amount_vnd <= paid[-1].amount_vnd - given_vnd
    refund = Refund(
        request_id=request_id,
        order_code=code,
        transaction=f"rf-{len(shop.refunds) + 1}",
        of_transaction=of_transaction,
        amount_vnd=amount_vnd,
        asked_at=now,
        state="processing" if possible else "failed",
    )
    shop.refunds[request_id] = refund
    return _refund_state(refund, code)


def _refund_state(refund: Refund | None, code: str) -> Mapping[str, object]:
    if refund is None or refund.order_code != code:
        return {"type": REFUND_STATE, "order_code": code, "state": None}
    return {
        "type": REFUND_STATE,
        "order_code": code,
        "state": refund.state,
        "transaction": refund.transaction,
        "of_transaction": refund.of_transaction,
        "amount_vnd": refund.amount_vnd,
        "happened_at": written_time(refund.asked_at),
    }
