"""Messages signed after the Standard Webhooks specification: id, time and bytes under one key.

Source: standardwebhooks.com. HMAC-SHA256 over `{id}.{timestamp}.{payload}`; a secret is `whsec_`
and base64, and the key is what that decodes to. Stripe uses such secrets as text: another scheme.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from providers.contract import Call, Rejected, Secret
from providers.signing import is_fresh, same

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
SIGNATURES_MAX: Final = 20
"""Several while a secret is replaced; more than this are not looked at."""

_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"
# Without a full stop, which joins the parts of the signed text.
_ID = re.compile(r"[!-\-/-~]{1,100}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def key_of_secret(secret: Secret) -> bytes:
    """The key's bytes; empty where the secret is no base64, and then it proves nothing."""
    text = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def digest(secret: Secret, message: bytes) -> bytes:
    """HMAC-SHA256 of `message`; ValueError where the secret is no base64 or empty."""
    key = key_of_secret(secret)
    if not key:
        raise ValueError("the secret is not whsec_ and base64")
    return hmac.new(key, message, hashlib.sha256).digest()


def signature(secret: Secret, message_id: str, sent_at_s: int, payload: bytes) -> str:
    """`v1,<base64>`; ValueError for a secret or an id that cannot be used."""
    if not _ID.fullmatch(message_id):
        raise ValueError("an id has 1 to 100 printable characters, and no full stop")
    signed = digest(secret, f"{message_id}.{sent_at_s}.".encode() + payload)
    return _VERSION + base64.b64encode(signed).decode("ascii")


def headers(
    secret: Secret, message_id: str, sent_at_s: int, payload: bytes
) -> tuple[tuple[str, str], ...]:
    """The headers of a JSON message, signed."""
    return (
        ("Content-Type", "application/json"),
        (ID_HEADER, message_id),
        (TIMESTAMP_HEADER, str(sent_at_s)),
        (SIGNATURE_HEADER, signature(secret, message_id, sent_at_s, payload)),
    )


def is_true(
    message_id: str, timestamp: str, given: str, payload: bytes, secrets: Sequence[Secret]
) -> bool:
    """Whether any of the signatures in `given` is one of any of `secrets`; of any age."""
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return False
    message = f"{message_id}.{timestamp}.".encode() + payload
    usable = [secret for secret in secrets if key_of_secret(secret)]
    expected = [
        _VERSION + base64.b64encode(digest(secret, message)).decode("ascii") for secret in usable
    ]
    found = False
    for one in given.split(" ")[:SIGNATURES_MAX]:
        for right in expected:
            found |= same(one, right)
    return found


def check(
    call: Call, secrets: Sequence[Secret], now: datetime, freshness_s: int
) -> tuple[str, int]:
    """The id and time of a call that proves itself; Rejected, forged or stale, for any other."""
    message_id = call.header(ID_HEADER) or ""
    timestamp = call.header(TIMESTAMP_HEADER) or ""
    given = call.header(SIGNATURE_HEADER) or ""
    if not is_true(message_id, timestamp, given, call.body, secrets):
        raise Rejected("forged", "the signature does not fit")
    if not is_fresh(int(timestamp), now, freshness_s):
        raise Rejected("stale", "signed long ago")
    return message_id, int(timestamp)
