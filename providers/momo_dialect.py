"""What both sides of MoMo's dialect share: the signed text, the result codes, the names.

Source: developers.momo.vn v3 (notification, result codes), github momo-wallet/payment.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from providers.contract import Claim, Status, Terms
from providers.signing import hmac_sha256
from providers.untrusted import KEY_CHARS_MAX, clean, key_of, whole_vnd
from providers.wallet_numbers import integer_text, is_on, moment_of, raw_text, transaction_text

ACCESS_KEY: Final = "access_key"
ONE_STEP: Final = "one_step"
REQUEST_TYPE: Final = "request_type"
ORDER_MAX: Final = "order_vnd_max"
REFUND_QUERY_PATH: Final = "refund_query_path"

SANDBOX: Final = "https://test-payment.momo.vn"
CREATE_PATH: Final = "/v2/gateway/api/create"
QUERY_PATH: Final = "/v2/gateway/api/query"
REFUND_PATH: Final = "/v2/gateway/api/refund"
DEFAULT_REFUND_QUERY_PATH: Final = "/v2/gateway/api/refund/query"

IPN_FIELDS: Final = (
    "amount", "extraData", "message", "orderId", "orderInfo", "orderType", "partnerCode",
    "payType", "requestId", "responseTime", "resultCode", "transId",
)  # fmt: skip
"""In the order in which they are signed, behind the access key, which no message carries."""
CREATE_FIELDS: Final = (
    "amount", "extraData", "ipnUrl", "orderId", "orderInfo", "partnerCode", "redirectUrl",
    "requestId", "requestType",
)  # fmt: skip
QUERY_FIELDS: Final = ("orderId", "partnerCode", "requestId")
REFUND_FIELDS: Final = (
    "amount", "description", "orderId", "partnerCode", "requestId", "transId",
)  # fmt: skip
NUMBERS: Final = frozenset({"amount", "responseTime", "resultCode", "transId"})

ORDER_ID_CHARS_MAX = 63
"""MoMo's page says under 64 bytes."""
REQUEST_ID_CHARS_MAX = 50
ORDER_INFO_CHARS_MAX = 255

PAID: Final = "0"
AUTHORIZED: Final = "9000"
NO_SUCH_ORDER: Final = "42"
ERRORS: Final = frozenset(
    {"10", "11", "12", "13", "20", "21", "22", "40", "41", "43", "45", "47", "98", "99"}
)
"""Something is wrong with the request or with MoMo: as an answer it tells nothing of a payment."""

# MoMo's own pattern, `^[0-9a-zA-Z]([-_.]*[0-9a-zA-Z]+)*$`, written so that it takes linear time.
_NAME = re.compile(r"[0-9A-Za-z](?:[-_.0-9A-Za-z]*[0-9A-Za-z])?", re.ASCII)

_STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        PAID: "paid",
        AUTHORIZED: "authorized",
        **dict.fromkeys(("1000", "7000", "7002"), "pending"),
        **dict.fromkeys(("1001", "1002", "1004", "1007"), "failed"),
        **dict.fromkeys(("1026", "2019", "4001", "4002", "4100"), "failed"),
        **dict.fromkeys(("1003", "1006", "1017"), "cancelled"),
        "1005": "expired",
        **dict.fromkeys(("1080", "1081", "1088"), "refund_failed"),
        # As what became of a payment, an error ends it (recorded for 99).
        **dict.fromkeys((*ERRORS, NO_SUCH_ORDER), "failed"),
    }
)


def status_of(code: str, terms: Terms) -> Status:
    """What a resultCode says of a payment; an unknown one is `pending`, to be asked about.

    9000 is money blocked and not taken, unless the merchant's flow has the one step only.
    """
    if code == AUTHORIZED and is_on(terms, ONE_STEP):
        return "paid"
    return _STATUSES.get(code, "pending")


def fields_of(found: Mapping[str, object]) -> dict[str, str]:
    """The signed fields as MoMo signs them: whole numbers as integers, null and absent ones empty.

    Null as empty is assumed: no recorded message of MoMo has one.
    """
    return {
        name: integer_text(found.get(name)) if name in NUMBERS else raw_text(found.get(name))
        for name in IPN_FIELDS
    }


def signed_text(fields: Mapping[str, str], names: Sequence[str], access_key: str) -> bytes:
    """The text that is signed: nothing in it is encoded, so it can be read in several ways."""
    pieces = [f"accessKey={access_key}", *(f"{name}={fields[name]}" for name in names)]
    return "&".join(pieces).encode("utf-8", "surrogatepass")


def signature_of(fields: Mapping[str, str], names: Sequence[str], terms: Terms) -> str:
    """The signature of a request of ours, or of MoMo's; ValueError where a key is missing."""
    access_key = terms.credentials.get(ACCESS_KEY, "")
    if not access_key or not terms.secrets or not terms.secrets[0]:
        raise ValueError("MoMo needs an access key and a secret key")
    return hmac_sha256(terms.secrets[0], signed_text(fields, names, access_key))


def order_id_of(text: str) -> str:
    """An orderId that MoMo takes, as it is; ValueError for another."""
    if len(text) > ORDER_ID_CHARS_MAX or not _NAME.fullmatch(text):
        raise ValueError("not an orderId that MoMo takes")
    return text


def is_name(text: str) -> bool:
    """Whether `text` is made like an orderId, and short enough for a key."""
    return len(text) <= KEY_CHARS_MAX and _NAME.fullmatch(text) is not None


def refund_order_id(request_id: str) -> str:
    """The orderId of a refund, which must not be the payment's: it follows from the request id."""
    return order_id_of(f"R-{request_id}")


def claim_of(fields: Mapping[str, str], terms: Terms) -> Claim:
    """What authentic fields say of a payment; ValueError where a name or a result is missing."""
    order_id, code = fields["orderId"], fields["resultCode"]
    if not is_name(order_id):
        raise ValueError("no order")
    if not code.isdecimal():
        raise ValueError("no result")
    status = status_of(code, terms)
    unpaid = f"0/{order_id}"
    transaction = key_of(transaction_text(fields["transId"], unpaid))
    if transaction == unpaid and status in {"paid", "authorized"}:
        raise ValueError("money without a transaction number")
    amount_text = clean(fields["amount"][:KEY_CHARS_MAX])
    return Claim(
        transaction=transaction,
        status=status,
        reference=order_id,
        amount_vnd=whole_vnd(fields["amount"]),
        amount_text=amount_text,
        happened_at=moment_of(fields["responseTime"]),
        kind="gateway",
        scope=order_id,
        memo=clean(fields["orderInfo"]),
    )
