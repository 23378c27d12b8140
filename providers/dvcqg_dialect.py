"""What a province agreed with the national payment platform, and the check code MaXacThuc.

No official text of the platform is public: what two unrelated portals do alike is the default
here, and everything else is an option. Source: see docs/how-to/providers/dvcqg.md.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from providers.contract import Secret, Status, Terms
from providers.signing import hmac_sha256, is_signed

OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "partner_code": "MaDoiTac, where it is not the name in the callback address",
        "version": "PhienBan of what we send; 1.0.6",
        "formula": "how MaXacThuc is made: sha256_pipe (default), or hmac_sha256",
        "confirm_types": "LoaiBanTin of callbacks, with commas between; CONFIRM",
        "receipt_type": "LoaiBanTin of the question for a receipt; GET_BILL",
        "init_fields": "what MaXacThuc of INIT covers, in order, with commas between",
        "query_fields": "the same for QUERY and for the question for a receipt",
        "confirm_fields": "the same for callbacks",
        "answer_fields": "the same for answers to QUERY, where they carry a MaXacThuc",
        "query_answers": "unsigned_over_tls (default): without MaXacThuc believed over https alone;"
        " signed: never without",
        "query_time": "ThoiGianGD of QUERY: ordered (default), the one of INIT; or now",
        "code_meanings": "what MaLoi of a callback means, such as 01=pending; 00=paid, all else"
        " failed",
        "state_meanings": "what TrangThaiGD means; 1=paid,3=pending,4=failed, all else pending",
        "not_found_codes": "MaLoi by which an answer says that there is no such order; none",
        "clock": "24 (default); 12: ThoiGianGD has no morning and afternoon, and is not read",
        "query_address": "where QUERY goes, where it is not the address of INIT",
        "receipt_address": "where the question for a receipt goes, where it is another one",
        "payment_kind": "LoaiHinhThanhToan; PAY",
        "channel": "MaKenhThanhToan; 1",
        "device": "MaThietBi; 1",
        "bank": "MaNganHang of INIT; PAYMENT",
        "service_kind": "MaDichVu of the receipt: 2 (default) fees of a dossier, 1 fines",
        "fee_kind": "LoaiPhiLePhi of the receipt; Phi",
        "unit_code": "MaDonVi of the receipt: the unit that collects",
        "unit_name": "TenDonVi of the receipt",
        "beneficiary_account": "TKThuHuong: the account that is to receive the money",
        "beneficiary_bank": "MaNHThuHuong: its bank",
        "beneficiary_name": "TenTKThuHuong: its name",
    }
)

_ASKED: Final = "LoaiBanTin,PhienBan,MaDoiTac,MaThamChieu,ThoiGianGD"
_TOLD: Final = (
    "LoaiBanTin,MaLoi,MaDoiTac,MaThamChieu,SoTien,MaTienTe,MaGiaoDich,MaNganHang,ThoiGianGD"
    ",ThongTinGiaoDich"
)
_DEFAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "version": "1.0.6",
        "formula": "sha256_pipe",
        "confirm_types": "CONFIRM",
        "receipt_type": "GET_BILL",
        "init_fields": "LoaiBanTin,PhienBan,MaDoiTac,MaThamChieu,SoTien,LoaiHinhThanhToan"
        ",MaKenhThanhToan,MaThietBi,NgonNgu,MaTienTe,MaNganHang,ThongTinGiaoDich,ThoiGianGD,Ip",
        "query_fields": _ASKED,
        "confirm_fields": _TOLD,
        # Ours: whether the platform signs its answers, and how, is not public.
        "answer_fields": f"{_TOLD},TrangThaiGD",
        "query_answers": "unsigned_over_tls",
        "query_time": "ordered",
        "code_meanings": "00=paid",
        "state_meanings": "1=paid,3=pending,4=failed",
        "clock": "24",
        "payment_kind": "PAY",
        "channel": "1",
        "device": "1",
        "bank": "PAYMENT",
        "service_kind": "2",
        "fee_kind": "Phi",
    }
)
_CHOICES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "formula": frozenset({"sha256_pipe", "hmac_sha256"}),
        "query_answers": frozenset({"unsigned_over_tls", "signed"}),
        "query_time": frozenset({"ordered", "now"}),
        "clock": frozenset({"24", "12"}),
    }
)
INIT: Final = "INIT"
QUERY: Final = "QUERY"
DONE: Final = "00"
CURRENCY: Final = "VND"
PIPE: Final = "|"
FREE_TEXT: Final = "ThongTinGiaoDich"
"""The one signed value that people's words may get into."""

VALUE_CHARS_MAX: Final = 1_000
NAMES_MAX: Final = 40

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}", re.ASCII)
_CODE: Final = re.compile(r"[0-9A-Za-z_.-]{1,20}", re.ASCII)

Kind = Literal["init", "query", "confirm", "answer"]


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a merchant, read."""

    partner: str
    texts: Mapping[str, str]
    """Every option that is a plain text; absent ones empty."""
    confirm_types: frozenset[str]
    fields: Mapping[Kind, tuple[str, ...]]
    code_meanings: Mapping[str, Status]
    state_meanings: Mapping[str, Status]
    not_found_codes: frozenset[str]

    def check_code(self, kind: Kind, fields: Mapping[str, str], secret: Secret) -> str:
        """MaXacThuc over `fields`, in lower-case hexadecimal; absent values count as empty."""
        message = "|".join(fields.get(name, "") for name in self.fields[kind])
        return self._digest(secret, message.encode("utf-8", "surrogatepass"))

    def is_checked(
        self, kind: Kind, fields: Mapping[str, str], given: str, secrets: Sequence[Secret]
    ) -> bool:
        """Whether `given` is the check code of `fields` under any of `secrets`."""
        message = "|".join(fields.get(name, "") for name in self.fields[kind])
        return is_signed(given, secrets, [message.encode("utf-8", "surrogatepass")], self._digest)

    def _digest(self, secret: Secret, message: bytes) -> str:
        if self.texts["formula"] == "hmac_sha256":
            return hmac_sha256(secret, message)
        return hashlib.sha256(message + b"|" + secret.encode()).hexdigest()


def dialect_of(terms: Terms) -> Dialect:
    """The options of a merchant; ValueError, with what is wrong, where they cannot be read.

    Nobody is believed, and nothing sent, under options that say something unknown.
    """
    texts = {name: _text(terms, name) for name in OPTIONS}
    for name, choices in _CHOICES.items():
        if texts[name] not in choices:
            raise ValueError(f"the option {name} is one of {', '.join(sorted(choices))}")
    confirm_types = frozenset(_split("confirm_types", texts, _NAME))
    ours = {INIT, QUERY, texts["receipt_type"]}
    if not confirm_types or confirm_types & ours:
        # Else a check code that we made for a question of ours could prove a payment.
        raise ValueError("confirm_types names a message that we send ourselves, or none")
    return Dialect(
        partner=texts["partner_code"] or terms.merchant,
        texts=MappingProxyType(texts),
        confirm_types=confirm_types,
        fields=MappingProxyType(
            {
                kind: _split(f"{kind}_fields", texts, _NAME)
                for kind in ("init", "query", "confirm", "answer")
            }
        ),
        code_meanings=_meanings("code_meanings", texts),
        state_meanings=_meanings("state_meanings", texts),
        not_found_codes=frozenset(_split("not_found_codes", texts, _CODE)),
    )


def _text(terms: Terms, name: str) -> str:
    value = terms.options.get(name)
    if value is None or value == "":
        return _DEFAULTS.get(name, "")
    if isinstance(value, bool):
        raise ValueError(f"the option {name} is a text")  # noqa: TRY004 - what people wrote is bad
    text = str(value).strip()
    if len(text) > VALUE_CHARS_MAX or "|" in text or not text.isprintable():
        raise ValueError(f"the option {name} is too long, or holds a pipe or a control character")
    return text


def _split(name: str, texts: Mapping[str, str], form: re.Pattern[str]) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in texts[name].split(",") if part.strip())
    if len(parts) > NAMES_MAX or len(set(parts)) < len(parts):
        raise ValueError(f"the option {name} repeats a name, or has too many")
    for part in parts:
        if not form.fullmatch(part):
            raise ValueError(f"the option {name} holds what is no name")
    return parts


def _meanings(name: str, texts: Mapping[str, str]) -> Mapping[str, Status]:
    """`01=pending,24=cancelled` over the default."""
    found: dict[str, Status] = {}
    for text in (_DEFAULTS[name], texts[name]):
        for part in text.split(","):
            code, _, meaning = (piece.strip() for piece in part.partition("="))
            status = _STATUSES.get(meaning)
            if not _CODE.fullmatch(code) or status is None:
                raise ValueError(f"the option {name} is written as code=meaning, such as 3=pending")
            found[code] = status
    return MappingProxyType(found)


_STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "pending": "pending",
        "paid": "paid",
        "failed": "failed",
        "cancelled": "cancelled",
        "expired": "expired",
        "held": "held",
    }
)
