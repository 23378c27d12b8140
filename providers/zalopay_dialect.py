"""What both sides of ZaloPay's dialect share: signed texts, paths, codes, names.

Source: docs.zalopay.vn (callback, order and refund APIs, status codes), github
zalopay-oss/zalopay-nodejs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from providers.contract import Secret, Terms
from providers.signing import hmac_sha256
from providers.untrusted import VIETNAM

KEY1: Final = "key1"
APP_USER: Final = "app_user"
ORDER_UNKNOWN: Final = "order_unknown_code"
REFUND_UNKNOWN: Final = "refund_unknown_code"
REFUND_AT_ONCE: Final = "refund_at_once"

SANDBOX: Final = "https://sb-openapi.zalopay.vn"
CREATE_PATH: Final = "/v2/create"
QUERY_PATH: Final = "/v2/query"
REFUND_PATH: Final = "/v2/refund"
QUERY_REFUND_PATH: Final = "/v2/query_refund"

CREATE_FIELDS: Final = (
    "app_id", "app_trans_id", "app_user", "amount", "app_time", "embed_data", "item",
)  # fmt: skip
REFUND_FIELDS: Final = ("app_id", "zp_trans_id", "amount", "description", "timestamp")
QUERY_REFUND_FIELDS: Final = ("app_id", "m_refund_id", "timestamp")
REDIRECT_FIELDS: Final = (
    "appid", "apptransid", "pmcid", "bankcode", "amount", "discountamount", "status",
)  # fmt: skip

ORDER_CODE_CHARS_MAX = 40
REFUND_ID_CHARS_MAX = 45

SUCCESS: Final = "1"
FAILED: Final = "2"
PROCESSING: Final = "3"
ORDER = "1"
AGREEMENT: Final = "2"
"""The `type` of a callback about a token: not money."""

CANCELLED: Final = "-329"
UNKNOWN: Final = "-101"
"""An order or a refund that ZaloPay does not know, after its page of status codes. Its published
specification has another meaning for refunds, so the code is an option."""
ERRORS: Final = frozenset({"-401", "-402", "-403", "-405", "-406", "406", "-429", "-500", "-999"})
"""Something is wrong with the request or with ZaloPay: it tells nothing of a payment."""


def dated(moment: datetime) -> str:
    """`yymmdd` on a Vietnamese clock, as ZaloPay's names begin."""
    return moment.astimezone(VIETNAM).strftime("%y%m%d")


def signature_of(fields: Mapping[str, str], names: Sequence[str], key: Secret) -> str:
    """HMAC of the values joined by pipes; ValueError where a pipe would make them ambiguous."""
    values = [fields[name] for name in names]
    if any("|" in value for value in values):
        raise ValueError("a pipe in a value makes the signed text ambiguous")
    return hmac_sha256(key, "|".join(values).encode())


def question_signature(app_id: str, order_code: str, key: Secret) -> str:
    """The signature of a `query`, whose text has the key in it."""
    return hmac_sha256(key, f"{app_id}|{order_code}|{key}".encode())


def key1_of(terms: Terms) -> Secret:
    """The key that signs requests; ValueError where it is missing."""
    key = terms.credentials.get(KEY1)
    if not key:
        raise ValueError("ZaloPay needs key1 for requests")
    return key
