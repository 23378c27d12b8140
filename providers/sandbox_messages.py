"""The JSON of the sandbox provider: how a payment is written, and how it is read.

Of our own design: see docs/how-to/providers/sandbox.md. Amounts are whole đồng.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, get_args

from providers.contract import Claim, Status
from providers.untrusted import (
    KEY_CHARS_MAX,
    VIETNAM,
    YEAR_MAX,
    YEAR_MIN,
    amount_text_of,
    key_of,
    text_of,
    whole_vnd,
)

PAYMENT, PING = "payment", "ping"
"""The kinds of message a callback may be; one of a kind we do not know is acknowledged."""

QUESTION, ORDER = "order.question", "order"
REFUND, REFUND_QUESTION, REFUND_STATE = "refund", "refund.question", "refund.state"
NOT_CALLBACKS: Final = frozenset({QUESTION, ORDER, REFUND, REFUND_QUESTION, REFUND_STATE})
"""Kinds of requests and their answers: signed with the same secret, and never callbacks."""

NOT_TOLD: Final = frozenset({"credit", "debit", "ignored"})
"""Statuses of bank feeds, and of messages that tell of no payment."""

STATUSES: Final[Mapping[str, Status]] = {
    status: status for status in get_args(Status) if status not in NOT_TOLD
}

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def dumped(fields: Mapping[str, object]) -> bytes:
    """`fields` as the sandbox writes JSON."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def written_time(moment: datetime) -> str:
    """An aware time as RFC 3339, on a Vietnamese clock."""
    return moment.astimezone(VIETNAM).isoformat()


def time_of(found: object) -> datetime | None:
    """An RFC 3339 time, in UTC; None when it is no such time."""
    text = text_of(found)
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if YEAR_MIN <= moment.year <= YEAR_MAX else None


def claim_of(found: Mapping[str, object]) -> Claim:
    """What a payment of a callback or an answer says; ValueError where it cannot be read."""
    status = STATUSES.get(text_of(found.get("status")))
    if status is None:
        raise ValueError("no status that is known")
    reference = key_of(found.get("order_code"))
    amount_text = amount_text_of(found.get("amount_vnd"))
    return Claim(
        transaction=key_of(found.get("transaction")),
        status=status,
        reference=reference,
        amount_vnd=whole_vnd(amount_text),
        amount_text=amount_text,
        happened_at=time_of(found.get("happened_at")),
        kind="gateway",
        scope=reference,
        memo=text_of(found.get("memo")),
        bank_reference=text_of(found.get("bank_reference")) or None,
        bank_brand=text_of(found.get("bank_brand")) or None,
    )


def unheard(message_id: str, status: Status = "ignored", *, is_test: bool = False) -> Claim:
    """An authentic message that tells of no payment."""
    return Claim(
        transaction=message_id[:KEY_CHARS_MAX],
        status=status,
        reference=None,
        amount_vnd=None,
        amount_text="",
        happened_at=None,
        kind="gateway",
        is_test=is_test,
    )
