"""The payment platform's own side: callbacks, and answers to INIT, QUERY and receipt questions.

Where the platform's rule is not known this acts by the merchant's options, as the adapter reads.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from providers.acting import Order, Payment, Shop
from providers.contract import Answer, Call, Status, Terms
from providers.dvcqg_dialect import CURRENCY, DONE, INIT, QUERY, Dialect, Kind, dialect_of
from providers.dvcqg_reading import WRAPPED_DONE, signed_texts
from providers.dvcqg_sending import TEXT_CHARS_MAX, addresses
from providers.untrusted import (
    compact_time,
    json_object,
    key_of,
    plain_ascii,
    text_of,
    whole_vnd,
    written_compactly,
)

FAILED: Final = "99"
_JSON = "application/json"


class DvcqgActing:
    """What the adapter can do as the platform: see `providers.acting`."""

    # A guess: whether the platform calls again, and when, is not public.
    retry_waits: Sequence[timedelta] = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60))

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The callback about `payment`; ValueError without an order, or for a status untold.

        By default only `paid` and `failed` are told; `code_meanings` may name more.
        """
        del now  # a callback does not say when it was sent
        dialect = dialect_of(terms)
        fields = _of_payment(payment, dialect)
        told = {
            "LoaiBanTin": min(dialect.confirm_types),
            "MaLoi": _code_of(payment.status, dialect.code_meanings, FAILED),
            **fields,
        }
        body = _signed(told, "confirm", dialect, terms)
        if not payment.amount_text:
            body["SoTien"] = payment.amount_vnd  # a number, as seen; its text is what is signed
        return Call(
            method="POST",
            path=f"/callbacks/dvcqg/{terms.merchant}",
            headers=(("Content-Type", _JSON),),
            body=_dumped(body),
        )

    def accepts(self, status: int, body: bytes) -> bool:
        """HTTP 200 with MaLoi 00."""
        try:
            found = json_object(body)
        except ValueError:
            return False
        return status == HTTPStatus.OK and text_of(found.get("MaLoi")) == DONE

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """INIT, QUERY and the question for a receipt, told apart by LoaiBanTin."""
        dialect = dialect_of(terms)
        paths = {urlsplit(address).path or "/" for address in addresses(dialect, terms)}
        if call.method != "POST" or (call.path or "/") not in paths:
            return Answer(status=404, media_type="text/plain", body=b"")
        try:
            asked = json_object(call.body)
            fields = _asked(asked, dialect, terms)
        except ValueError as refusal:
            return _refused(str(refusal))
        kind = text_of(asked.get("LoaiBanTin"))
        if kind == INIT:
            return _open(fields, shop, now)
        if kind == QUERY:
            return _tell(fields["MaThamChieu"], shop, dialect, terms)
        return _receipt(fields["MaThamChieu"], shop)


def _asked(asked: Mapping[str, object], dialect: Dialect, terms: Terms) -> Mapping[str, str]:
    """The signed fields of a request; ValueError, in the platform's words, for an untrue one."""
    kind = text_of(asked.get("LoaiBanTin"))
    if kind not in {INIT, QUERY, dialect.texts["receipt_type"]}:
        raise ValueError("Loại bản tin không hợp lệ")
    covered: Kind = "init" if kind == INIT else "query"
    fields = signed_texts(asked, dialect.fields[covered])
    given = text_of(asked.get("MaXacThuc"))
    if not dialect.is_checked(covered, fields, given, terms.secrets[:1]):
        raise ValueError("Mã xác thực không đúng")
    if fields.get("MaDoiTac") != dialect.partner:
        raise ValueError("Đối tác không tồn tại")
    return fields


def _of_payment(payment: Payment, dialect: Dialect) -> dict[str, str]:
    if payment.order_code is None:
        raise ValueError("the platform tells of orders alone")
    unnumbered = payment.transaction == f"0/{payment.order_code}"
    return {
        "MaDoiTac": dialect.partner,
        "MaThamChieu": payment.order_code,
        "SoTien": payment.amount_text or str(payment.amount_vnd),
        "MaTienTe": CURRENCY,
        "MaGiaoDich": "" if unnumbered else payment.transaction,
        "MaNganHang": payment.bank_brand or "VCB",
        "ThoiGianGD": written_compactly(payment.paid_at),
        "ThongTinGiaoDich": payment.memo or f"THANH TOAN HO SO {payment.order_code}",
    }


def _code_of(status: Status, meanings: Mapping[str, Status], failed: str) -> str:
    """The code that means `status`; ValueError where none does."""
    for code, meaning in meanings.items():
        if meaning == status:
            return code
    if status == "failed":
        return failed
    raise ValueError(f"no code is known that tells {status}")


def _signed(
    fields: Mapping[str, str], kind: Kind, dialect: Dialect, terms: Terms
) -> dict[str, object]:
    return {**fields, "MaXacThuc": dialect.check_code(kind, fields, terms.secrets[0])}


def _open(fields: Mapping[str, str], shop: Shop, now: datetime) -> Answer:
    """Open the order of an INIT; the same reference again is the same order."""
    amount_vnd = whole_vnd(fields.get("SoTien", ""))
    try:
        code = key_of(fields.get("MaThamChieu"))
    except ValueError:
        return _wrapped("1", "MaThamChieu không hợp lệ")
    if amount_vnd is None:
        return _wrapped("1", "SoTien không hợp lệ")
    known = shop.orders.setdefault(
        code,
        Order(
            order_code=code,
            amount_vnd=amount_vnd,
            opened_at=compact_time(fields.get("ThoiGianGD", "")) or now,
            description=fields.get("ThongTinGiaoDich", ""),
        ),
    )
    if known.amount_vnd != amount_vnd:
        return _wrapped("1", "MaThamChieu đã tồn tại")
    page = {"MaThamChieu": code, "UrlThanhToan": f"{shop.page}/{code}"}
    return _wrapped(WRAPPED_DONE, json.dumps(page, ensure_ascii=False))


def _tell(code: str, shop: Shop, dialect: Dialect, terms: Terms) -> Answer:
    order = shop.orders.get(code)
    payments = shop.of_order(code)
    if order is None and not payments:
        # Which code the platform has for this is not public: the first that is configured.
        return _refused("Không tìm thấy giao dịch", min(dialect.not_found_codes, default=FAILED))
    if payments:
        paid = [one for one in payments if one.status == "paid"]
        payment = (paid or payments)[-1]
        fields = _of_payment(payment, dialect)
        state = _state_of(payment.status, dialect)
    elif order is not None:
        fields = {
            "MaDoiTac": dialect.partner,
            "MaThamChieu": code,
            "SoTien": str(order.amount_vnd),
            "MaTienTe": CURRENCY,
            "MaGiaoDich": "",
            "MaNganHang": "",
            "ThoiGianGD": written_compactly(order.opened_at),
            "ThongTinGiaoDich": plain_ascii(order.description, TEXT_CHARS_MAX),
        }
        state = _state_of("pending", dialect)
    told = {"LoaiBanTin": QUERY, "MaLoi": DONE, **fields, "TrangThaiGD": state, "MoTaLoi": ""}
    return Answer(
        status=200, media_type=_JSON, body=_dumped(_signed(told, "answer", dialect, terms))
    )


def _state_of(status: Status, dialect: Dialect) -> str:
    known = set(dialect.state_meanings.values())
    return _code_of(status if status in known else "failed", dialect.state_meanings, "4")


def _receipt(code: str, shop: Shop) -> Answer:
    if not any(one.status == "paid" for one in shop.of_order(code)):
        return _refused("Chưa có biên lai")
    told = {"MaLoi": DONE, "MoTaLoi": "", "URLBienLai": f"{shop.page}/{code}/bien-lai.pdf"}
    return Answer(status=200, media_type=_JSON, body=_dumped(told))


def _refused(message: str, code: str = FAILED) -> Answer:
    return Answer(status=200, media_type=_JSON, body=_dumped({"MaLoi": code, "MoTaLoi": message}))


def _wrapped(code: str, message: str) -> Answer:
    return Answer(
        status=200, media_type=_JSON, body=_dumped({"error_code": code, "message": message})
    )


def _dumped(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
