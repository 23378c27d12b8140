"""A movement as SePay tells it, and its list of transactions.

Source: developer.sepay.vn (API v1, transactions; not tried against the live service). SePay calls
this version old, but its newer one numbers transactions otherwise than the webhook does, so what it
lists could not be known again.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from providers.abilities import Pulled, SignedRequest
from providers.contract import Claim, Rejected, Status, Terms, Unanswered
from providers.untrusted import (
    KEY_CHARS_MAX,
    amount_text_of,
    json_object,
    key_of,
    spaced_time,
    text_of,
    whole_vnd,
)

HMAC, API_KEY, SECRET_KEY = "hmac", "apikey", "secret_key"

API: Final = "https://my.sepay.vn/userapi"
LIST: Final = "/transactions/list"
PAGE_ROWS_MAX: Final = 5_000
ANSWER_BYTES_MAX = 4_000_000
OK: Final = "200"

_DIRECTIONS: Final[Mapping[str, Status]] = MappingProxyType({"in": "credit", "out": "debit"})
_POSITION = re.compile(r"[0-9]{1,18}", re.ASCII)
_ZERO = re.compile(r"0*(?:\.0*)?", re.ASCII)


def feed_claim(found: Mapping[str, object]) -> Claim:
    """A movement of our own account; ValueError without a number or a direction."""
    transaction = key_of(found.get("id"))
    if not transaction.isdecimal() or not transaction.strip("0"):
        raise ValueError("id is no number of a transaction")
    status = _DIRECTIONS.get(text_of(found.get("transferType")).lower())
    if status is None:
        raise ValueError("transferType is neither in nor out")
    amount_text = amount_text_of(found.get("transferAmount"))
    code = text_of(found.get("code")).strip()
    return Claim(
        transaction=str(int(transaction)),
        status=status,
        # Money that goes out pays no fee, whatever its text says.
        reference=code[:KEY_CHARS_MAX] if code and status == "credit" else None,
        amount_vnd=whole_vnd(amount_text),
        amount_text=amount_text,
        happened_at=spaced_time(text_of(found.get("transactionDate"))),
        kind="feed",
        memo=text_of(found.get("content")) or text_of(found.get("description")),
        bank_reference=text_of(found.get("referenceCode")) or None,
        own_account=text_of(found.get("accountNumber")) or None,
        virtual_account=text_of(found.get("subAccount")) or None,
        bank_brand=text_of(found.get("gateway")) or None,
    )


def pull_request(position: str, terms: Terms) -> SignedRequest:
    """The list from SePay's number `position` on (inclusive), at most PAGE_ROWS_MAX rows.

    ValueError for no such number, without an API token, or for the gateway, which has no list.
    """
    if position and not _POSITION.fullmatch(position):
        raise ValueError("no number of a transaction")
    if terms.mode == SECRET_KEY:
        raise ValueError("the list tells of accounts, not of the gateway")
    if not terms.credentials.get("api_token"):
        raise ValueError("the merchant has no credential api_token")
    query = {"limit": str(PAGE_ROWS_MAX), **({"since_id": position} if position else {})}
    return SignedRequest(
        method="GET",
        url=f"{(terms.api_address or API).rstrip('/')}{LIST}?{urlencode(query)}",
        headers=(("Authorization", f"Bearer {terms.credentials['api_token']}"),),
        body=b"",
    )


def read_pull(body: bytes) -> Pulled:
    """A page. Raises Rejected for what is no page, Unanswered for an error of SePay's.

    A page is followed by one from its newest number on; one that holds nothing but that number is
    the last. The order of the list is not documented: where it is newest first and more came since
    the last pull than a page holds, the oldest of those are on no page. So pull often.
    """
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    status, rows = text_of(found.get("status")), found.get("transactions")
    if status != OK:
        raise Unanswered(status[:20] or "?", text_of(found.get("error"))[:200])
    if not isinstance(rows, list):
        raise Rejected("malformed", "no list of transactions")
    try:
        claims = tuple(feed_claim(_as_webhook(row)) for row in rows)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    numbers = {int(claim.transaction) for claim in claims}
    return Pulled(claims=claims, next_position=str(max(numbers)) if len(numbers) > 1 else None)


def _as_webhook(row: object) -> Mapping[str, object]:
    """A row of the list in the words of the webhook."""
    if not isinstance(row, dict):
        raise ValueError("a transaction that is none")  # noqa: TRY004 - bad input
    came, went = (amount_text_of(row.get(name)) for name in ("amount_in", "amount_out"))
    goes_out = bool(_ZERO.fullmatch(came)) and not _ZERO.fullmatch(went)
    if not goes_out and not _ZERO.fullmatch(went):
        raise ValueError("money that came and went at once")
    amount_text = went if goes_out else came
    amount_vnd = whole_vnd(amount_text)
    return {
        "id": row.get("id"),
        "gateway": row.get("bank_brand_name"),
        "transactionDate": row.get("transaction_date"),
        "accountNumber": row.get("account_number"),
        "code": row.get("code"),
        "content": row.get("transaction_content"),
        "transferType": "out" if goes_out else "in",
        "transferAmount": amount_text if amount_vnd is None else str(amount_vnd),
        "subAccount": row.get("sub_account"),
        "referenceCode": row.get("reference_number"),
    }
