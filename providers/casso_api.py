"""A movement as Casso tells it in calls and lists, and the list of transactions.

Source: developer.casso.vn (API lấy giao dịch; not tried against the live service). V1, V2 and the
list name the same things differently, so each is looked for under all of its names.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from providers.abilities import Pulled, SignedRequest
from providers.contract import Claim, Rejected, Status, Terms, Unanswered
from providers.untrusted import (
    NumberText,
    amount_text_of,
    json_object,
    key_of,
    spaced_time,
    text_of,
    whole_vnd,
)

V1, V2 = "v1", "v2"

API: Final = "https://oauth.casso.vn/v2"
LIST: Final = "/transactions"
PAGE_ROWS: Final = 100
ANSWER_BYTES_MAX = 4_000_000
PAGES_MAX: Final = 1_000_000

TEST_REFERENCE: Final = "MA_GIAO_DICH_THU_NGHIEM"

OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pull_from": "the first day (YYYY-MM-DD) of the list; none: from the account's beginning",
        "page_rows": f"how many transactions a page of the list has; {PAGE_ROWS}",
    }
)

_ZERO = re.compile(r"-?0+(?:\.0+)?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_PAGE = re.compile(r"[0-9]{1,7}", re.ASCII)

_REFERENCE = ("reference", "tid")
_WHEN = ("transactionDateTime", "when")
_OWN_ACCOUNT = ("accountNumber", "bank_sub_acc_id", "bankSubAccId", "subAccId")
_VIRTUAL_ACCOUNT = ("virtualAccountNumber", "virtualAccount")
_BRAND = ("bankAbbreviation", "bankName", "bankCodeName")
_COUNTER_ACCOUNT = ("counterAccountNumber", "corresponsiveAccount")
_COUNTER_NAME = ("counterAccountName", "corresponsiveName")


def claim_of(found: Mapping[str, object]) -> Claim:
    """A movement of our own account; ValueError for one without any number.

    The transaction is the bank's reference, unique within Casso's own id: two connections of one
    account tell one movement under two ids. A negative amount is money that went out.
    """
    number = text_of(found.get("id"))
    reference = "".join(_first(found, _REFERENCE).split())
    transaction = _fit(reference) or key_of(number)
    amount_text = amount_text_of(found.get("amount"))
    return Claim(
        transaction=transaction,
        status=_status(amount_text),
        reference=None,
        amount_vnd=whole_vnd(amount_text.removeprefix("-")),
        amount_text=amount_text,
        happened_at=_moment(_first(found, _WHEN)),
        kind="feed",
        scope=_fit(number),
        is_test=bool(_ZERO.fullmatch(number)) or TEST_REFERENCE in {number, reference},
        memo=text_of(found.get("description")),
        bank_reference=reference or None,
        own_account=_first(found, _OWN_ACCOUNT) or None,
        virtual_account=_first(found, _VIRTUAL_ACCOUNT) or None,
        bank_brand=_first(found, _BRAND) or None,
        counterparty_account=_first(found, _COUNTER_ACCOUNT),
        counterparty_name=_first(found, _COUNTER_NAME),
    )


def _status(amount_text: str) -> Status:
    if _ZERO.fullmatch(amount_text):
        return "ignored"  # nothing moved
    return "debit" if amount_text.startswith("-") else "credit"


def _fit(text: str) -> str:
    """`text` where it is fit to be part of a key, else nothing."""
    try:
        return key_of(text)
    except ValueError:
        return ""


def _first(found: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := text_of(found.get(name)))), "")


def _moment(text: str) -> datetime | None:
    """A time on a Vietnamese clock (assumed); some banks tell Casso the day alone."""
    return spaced_time(f"{text} 00:00:00" if _DAY.fullmatch(text) else text)


def pull_request(position: str, terms: Terms) -> SignedRequest:
    """A page of the list, oldest first, so that a page once full stays as it is.

    `position` is the page's number. ValueError for no such number, or without an API key.
    """
    if position and not _PAGE.fullmatch(position):
        raise ValueError("no page of the list")
    if not terms.credentials.get("api_key"):
        raise ValueError("the merchant has no credential api_key")
    query = {
        "sort": "ASC",
        "page": position or "1",
        "pageSize": str(terms.options.get("page_rows") or PAGE_ROWS),
    }
    first_day = terms.options.get("pull_from")
    if first_day:
        if not _DAY.fullmatch(str(first_day)):
            raise ValueError("pull_from is no day")
        query["fromDate"] = str(first_day)
    return SignedRequest(
        method="GET",
        url=f"{(terms.api_address or API).rstrip('/')}{LIST}?{urlencode(query)}",
        headers=(("Authorization", f"Apikey {terms.credentials['api_key']}"),),
        body=b"",
    )


def read_pull(body: bytes) -> Pulled:
    """A page. Raises Rejected for what is no page, Unanswered for an error of Casso's."""
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    code = text_of(found.get("error"))
    if code != "0":
        raise Unanswered(code[:20] or "?", text_of(found.get("message"))[:200])
    data = found.get("data")
    records = data.get("records") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(records, list):
        raise Rejected("malformed", "no list of transactions")
    try:
        claims = tuple(claim_of(_record(one)) for one in records)
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None
    return Pulled(claims=claims, next_position=_next(data))


def _record(found: object) -> Mapping[str, object]:
    if not isinstance(found, dict):
        raise ValueError("a transaction that is none")  # noqa: TRY004 - bad input
    return found


def _next(data: Mapping[str, object]) -> str | None:
    """The number of the next page; a page that follows itself ends the list."""
    told, here = data.get("nextPage"), data.get("page")
    if not isinstance(told, NumberText) or not _PAGE.fullmatch(told) or not int(told):
        return None
    if isinstance(here, NumberText) and _PAGE.fullmatch(here) and int(told) <= int(here):
        return None
    return str(int(told))
