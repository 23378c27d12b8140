"""What payOS signs, and what it says of a transfer: the same in webhooks and in answers.

payOS signs `data` alone, written anew as `key=value` pairs in order, joined by `&` without any
escaping. So a claim is read from exactly those texts, never from what else the JSON may hold: two
bodies that are signed alike say the same.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from providers import json_texts
from providers.contract import Claim, Secret
from providers.signing import hmac_sha256, same
from providers.untrusted import (
    KEY_CHARS_MAX,
    YEAR_MAX,
    YEAR_MIN,
    NumberText,
    clean,
    key_of,
    spaced_time,
    whole_vnd,
)

ORDER_CODE_MAX: Final = 2**53 - 1
"""payOS' order codes are numbers of JavaScript."""

PROBE: Final = "123"
"""The order of the message by which payOS tries a new address; no order of ours has it."""

DONE: Final = "00"

_KEYS: Final = frozenset(
    {
        "accountNumber",
        "amount",
        "code",
        "counterAccountBankId",
        "counterAccountNumber",
        "currency",
        "orderCode",
        "paymentLinkId",
        "reference",
        "transactionDateTime",
        "virtualAccountNumber",
    }
)
_TEXTS: Final = frozenset(
    {"counterAccountBankName", "counterAccountName", "desc", "description", "virtualAccountName"}
)
# `description=A&orderCode=1` may be one value or two: what could be read in two ways is refused.
_SECOND_FIELD = re.compile(f"&(?:{'|'.join(sorted(_KEYS | _TEXTS))})=")
_ORDER_CODE = re.compile(r"[0-9]{1,16}", re.ASCII)
_OTHER_ORDER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_EMPTY: Final = frozenset({"null", "undefined"})

Fields = Mapping[str, str]


class Ambiguous(ValueError):
    """A signed text that could have been made of other fields."""


def signed_fields(
    data: Mapping[str, object], signature: object, secrets: Sequence[Secret]
) -> Fields | None:
    """The texts of `data` that `signature` proves; None when it proves none.

    Compared exactly, as the official clients do: capitals are another signature. Raises Ambiguous.
    """
    if not isinstance(signature, str):
        return None
    for fields in _readings(data):
        message = message_of(fields)
        for secret in secrets:
            if secret and same(signature, hmac_sha256(secret, message)):
                _check_unambiguous(fields)
                return fields
    return None


def sign(data: Mapping[str, object], secret: Secret) -> str:
    """The signature of payOS over `data`, as its official clients make it."""
    return hmac_sha256(secret, message_of(next(_readings(data))))


def message_of(fields: Fields) -> bytes:
    """The signed text."""
    ordered = json_texts.sorted_by_key(fields)
    return json_texts.utf8("&".join(f"{key}={value}" for key, value in ordered.items()))


def texts_of(data: Mapping[str, object]) -> Fields:
    """The texts of an object as they came, signed or not."""
    return {key: _text(value, _plainly) for key, value in data.items()}


def _readings(data: Mapping[str, object]) -> Iterator[Fields]:
    """`data` as the programs around payOS write it, the likeliest first.

    Numbers as they came, then as JavaScript prints them (`50000.0` as `50000`); lists as the
    official Node client writes them, then as the Python client does.
    """
    seen: list[Fields] = []
    printed = {key: json_texts.with_javascript_numbers(value) for key, value in data.items()}
    for found in (data, printed) if printed != data else (data,):
        for in_list in (_as_node, _plainly):
            try:
                fields = {key: _text(value, in_list) for key, value in found.items()}
            except _NodeStumbles:
                continue
            if fields not in seen:
                seen.append(fields)
                yield fields


class _NodeStumbles(Exception):
    """The official Node client cannot sign this."""


def _text(value: object, in_list: Callable[[object], object]) -> str:
    """One value as it is signed: nothing for null, JSON for a list, JavaScript's word for more."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return json_texts.compact([in_list(one) for one in value])
    if isinstance(value, Mapping):
        return "[object Object]"
    text = str(value)
    return "" if text in _EMPTY and not isinstance(value, NumberText) else text


def _as_node(value: object) -> object:
    """A member of a list after Node's `Object.keys(member).sort()`, which is meant for objects."""
    if value is None:
        raise _NodeStumbles
    if isinstance(value, dict):
        return json_texts.sorted_by_key(value)
    if isinstance(value, list):
        return {str(place): one for place, one in enumerate(value)}
    if isinstance(value, NumberText | bool):
        return {}
    raw = json_texts.utf16(str(value))
    units = [raw[at : at + 2].decode("utf-16-be", "surrogatepass") for at in range(0, len(raw), 2)]
    return {str(place): unit for place, unit in enumerate(units)}


def _plainly(value: object) -> object:
    return json_texts.sorted_by_key(value) if isinstance(value, dict) else value


def _check_unambiguous(fields: Fields) -> None:
    if any("&" in key or "=" in key for key in fields):
        raise Ambiguous("a name of a field holds & or =")
    if any("&" in fields.get(key, "") for key in _KEYS):
        raise Ambiguous("a number or code holds &")
    if any(_SECOND_FIELD.search(value) for value in fields.values()):
        raise Ambiguous("a value holds the beginning of another field")


def claim_of(fields: Fields) -> Claim:
    """What `fields` say of one transfer; ValueError where they name no order, link or transfer.

    The bank's reference is the transaction: one link may be paid in several transfers.
    """
    order = _named_order(fields.get("orderCode", ""))
    code = fields.get("code", "")
    if not code:
        raise ValueError("no result")
    amount_text, currency = fields.get("amount", ""), fields.get("currency", "")
    if len(amount_text) > KEY_CHARS_MAX:
        raise ValueError("not an amount")
    is_vnd = currency in {"VND", ""}
    reference = key_of(fields.get("reference", ""))
    return Claim(
        transaction=reference,
        # A code other than 00 is documented nowhere: payOS tells of money that came.
        status="paid" if code == DONE else "failed",
        reference=order,
        amount_vnd=whole_vnd(amount_text) if is_vnd else None,
        amount_text=clean(amount_text if is_vnd else f"{amount_text} {currency[:8]}"),
        happened_at=moment_of(fields.get("transactionDateTime", "")),
        kind="gateway",
        scope=key_of(fields.get("paymentLinkId", "")),
        is_test=order == PROBE,
        memo=clean(fields.get("description", "")),
        bank_reference=reference,
        own_account=clean(fields.get("accountNumber", "")) or None,
        virtual_account=clean(fields.get("virtualAccountNumber", "")) or None,
        bank_brand=clean(fields.get("counterAccountBankName", "")) or None,
        counterparty_account=clean(fields.get("counterAccountNumber", "")),
        counterparty_name=clean(fields.get("counterAccountName", "")),
    )


def order_code_of(text: str) -> str:
    """An order code in its one form; ValueError for what is no such number."""
    if not _ORDER_CODE.fullmatch(text) or not 0 < int(text) <= ORDER_CODE_MAX:
        raise ValueError("orderCode is no number of an order")
    return str(int(text))


def _named_order(text: str) -> str:
    """The order that a transfer names; ValueError for what is no number.

    A number that no order of ours can have is an unknown order: its money came all the same.
    """
    try:
        return order_code_of(text)
    except ValueError:
        if _OTHER_ORDER.fullmatch(text):
            return str(int(text))
        raise


def moment_of(text: str) -> datetime | None:
    """A time in UTC; without a zone it is Vietnamese (assumed: payOS' page does not say)."""
    local = spaced_time(text)
    if local is not None:
        return local
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None or not YEAR_MIN <= found.year <= YEAR_MAX:
        return None
    return found.astimezone(UTC)
