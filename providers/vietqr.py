"""VietQR: write and read the EMVCo payload of a bank transfer through NAPAS 247.

Source: NAPAS "QR Format T&C" 1.5.2. It pre-fills the payer's app and confirms nothing: what arrived
is told by a bank feed or a statement. Drawing the picture is not done here.
"""

import binascii
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from providers.contract import AMOUNT_VND_MAX
from providers.untrusted import whole_vnd

NAPAS_GUID: Final = "A000000727"
PURPOSE_CHARS_MAX = 25
"""NAPAS' limit of each sub-field of 62; bank apps cut or refuse longer ones."""

PAYLOAD_CHARS_MAX = 512
"""EMVCo's limit of the whole."""

VALUE_CHARS_MAX = 99
AMOUNT_CHARS_MAX = 13
CRC_CHARS = 8  # "6304" and four digits

Service = Literal["QRIBFTTA", "QRIBFTTC"]
Why = Literal["malformed", "bad_crc", "bad_amount", "bad_currency", "bad_account"]

_BIN = re.compile(r"[0-9]{6}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,19}", re.ASCII)
_PURPOSE = re.compile(rf"[A-Z0-9 ]{{1,{PURPOSE_CHARS_MAX}}}", re.ASCII)
_CRC = re.compile(r"[0-9A-Fa-f]{4}", re.ASCII)
_TAG_AND_LENGTH = re.compile(r"([0-9]{2})([0-9]{2})", re.ASCII)


class UnreadableQr(ValueError):
    """A payload no transfer should be made from; `why` is a code."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(f"{why}: {detail}")
        self.why = why


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer to ask for. Without an amount the payload is static: the payer types it."""

    bin: str
    account: str
    amount_vnd: int | None = None
    purpose: str = ""
    bill_number: str = ""
    service: Service = "QRIBFTTA"


class QrPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload says; without `bin` it is a payment code of another scheme."""

    init_method: str | None
    bin: str | None
    account: str | None
    service: str | None
    amount_vnd: int | None
    purpose: str | None
    bill_number: str | None

    @property
    def is_vietqr(self) -> bool:
        """Whether it asks for a transfer to a bank account or card."""
        return self.bin is not None


def write(transfer: Transfer) -> str:
    """The payload of `transfer`.

    ValueError where an app might change or refuse it: BIN of 6 digits, account of 1 to 19 letters
    and digits, positive amount, texts of at most 25 of `A-Z`, `0-9` and blank.
    """
    if not _BIN.fullmatch(transfer.bin) or not _ACCOUNT.fullmatch(transfer.account):
        raise ValueError("no BIN or no account")
    amount_vnd = transfer.amount_vnd
    if amount_vnd is not None and not 0 < amount_vnd < min(10**AMOUNT_CHARS_MAX, AMOUNT_VND_MAX):
        raise ValueError("the amount does not fit")
    for text in (transfer.purpose, transfer.bill_number):
        if text and not _PURPOSE.fullmatch(text):
            raise ValueError("a text holds more than 25 characters, or other than A-Z, 0-9, blank")
    beneficiary = _field("00", transfer.bin) + _field("01", transfer.account)
    account = _field("00", NAPAS_GUID) + _field("01", beneficiary) + _field("02", transfer.service)
    additional = _field("01", transfer.bill_number) + _field("08", transfer.purpose)
    body = "".join(
        (
            _field("00", "01"),
            _field("01", "11" if amount_vnd is None else "12"),
            _field("38", account),
            _field("53", "704"),
            _field("54", "" if amount_vnd is None else str(amount_vnd)),
            _field("58", "VN"),
            _field("62", additional),
            "6304",
        )
    )
    return body + _crc(body)


def read(payload: str) -> QrPayload:
    """What `payload` says; UnreadableQr when its check value, its fields or its account are bad.

    Only 00 first and 63 last are fixed; unknown fields pass. A code of another scheme is read, with
    `bin` None.
    """
    if len(payload) > PAYLOAD_CHARS_MAX:
        raise UnreadableQr("malformed", "too long")
    body, check = payload[:-4], payload[-4:]
    if not body.endswith("6304") or not _CRC.fullmatch(check):
        raise UnreadableQr("malformed", "no check value at the end")
    if _crc(body) != check.upper():
        raise UnreadableQr("bad_crc", "the check value does not fit")
    fields = _fields(payload[:-CRC_CHARS])
    if next(iter(fields.items()), None) != ("00", "01"):
        raise UnreadableQr("malformed", "does not begin with 000201")
    additional = _fields(fields.get("62", ""))
    bin_, account, service = _account(fields)
    return QrPayload(
        init_method=fields.get("01"),
        bin=bin_,
        account=account,
        service=service,
        amount_vnd=_amount(fields),
        purpose=additional.get("08"),
        bill_number=additional.get("01"),
    )


def _account(fields: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    """BIN, account and service of tag 38; three times None where it is not NAPAS'."""
    if "38" not in fields:
        return None, None, None
    merchant = _fields(fields["38"])
    if merchant.get("00") != NAPAS_GUID:
        return None, None, None
    inner = _fields(merchant.get("01", ""))
    bin_, account, service = inner.get("00", ""), inner.get("01", ""), merchant.get("02", "")
    if not _BIN.fullmatch(bin_) or not _ACCOUNT.fullmatch(account):
        raise UnreadableQr("bad_account", "no BIN of 6 digits, or no account")
    if service not in {"QRIBFTTA", "QRIBFTTC"}:
        raise UnreadableQr("bad_account", "neither to an account nor to a card")
    if fields.get("53") != "704" or fields.get("58") != "VN":
        raise UnreadableQr("bad_currency", "not đồng in Vietnam")
    return bin_, account, service


def _amount(fields: Mapping[str, str]) -> int | None:
    if "54" not in fields:
        return None
    amount_vnd = whole_vnd(fields["54"])
    if amount_vnd is None or len(fields["54"]) > AMOUNT_CHARS_MAX:
        raise UnreadableQr("bad_amount", "no positive whole đồng")
    return amount_vnd


def _fields(text: str) -> dict[str, str]:
    """Tag to value, in their order; UnreadableQr when the lengths do not add up or a tag repeats.

    Lengths count characters, as the known libraries write them; for texts beyond ASCII the
    standard's bytes are tried when characters do not add up.
    """
    try:
        return _split(text)
    except UnreadableQr:
        if text.isascii():
            raise
    try:
        in_bytes = _split(text.encode().decode("latin-1"))
        return {tag: value.encode("latin-1").decode() for tag, value in in_bytes.items()}
    except UnicodeError:
        raise UnreadableQr("malformed", "a length cuts a character") from None


def _split(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        head = _TAG_AND_LENGTH.match(text, at)
        if head is None:
            raise UnreadableQr("malformed", "no tag and length")
        at = head.end() + int(head[2])
        if at > len(text) or head[1] in found:
            raise UnreadableQr("malformed", "a field is cut off or repeated")
        found[head[1]] = text[head.end() : at]
    return found


def _field(tag: str, value: str) -> str:
    """One field; nothing for an empty value."""
    if len(value) > VALUE_CHARS_MAX:
        raise ValueError(f"field {tag} is longer than 99")
    return f"{tag}{len(value):02}{value}" if value else ""


def _crc(body: str) -> str:
    """CRC-16/CCITT-FALSE over the UTF-8 bytes, in capitals."""
    return f"{binascii.crc_hqx(body.encode('utf-8', 'replace'), 0xFFFF):04X}"
