"""What is sent to the national payment platform: INIT, QUERY, the question for a receipt.

Source: see docs/how-to/providers/dvcqg.md. What of it is not known is in `dvcqg_dialect`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from providers.abilities import CheckoutOrder, SignedRequest, StatusQuestion
from providers.contract import AMOUNT_VND_MAX, Terms
from providers.dvcqg_dialect import CURRENCY, INIT, PIPE, QUERY, Dialect, dialect_of
from providers.untrusted import key_of, plain_ascii, written_compactly

TEXT_CHARS_MAX = 255


def checkout_request(order: CheckoutOrder, terms: Terms) -> SignedRequest:
    """INIT; ValueError for an order or options that the platform would not understand.

    The same order gives the same request. Nobody's name, number or address is in it: of the
    receipt's data only what names the dossier, the procedure and the collecting unit.
    """
    dialect = dialect_of(terms)
    if not 0 < order.amount_vnd <= AMOUNT_VND_MAX:
        raise ValueError("the amount is not payable")
    code = _sendable(key_of(order.order_code))
    text = plain_ascii(order.description, TEXT_CHARS_MAX)
    fields = {
        "LoaiBanTin": INIT,
        "PhienBan": dialect.texts["version"],
        "MaDoiTac": dialect.partner,
        "MaThamChieu": code,
        "SoTien": str(order.amount_vnd),
        "LoaiHinhThanhToan": dialect.texts["payment_kind"],
        "MaKenhThanhToan": dialect.texts["channel"],
        "MaThietBi": dialect.texts["device"],
        "NgonNgu": "vi-VN",
        "MaTienTe": CURRENCY,
        "MaNganHang": dialect.texts["bank"],
        "ThongTinGiaoDich": text,
        "ThoiGianGD": written_compactly(order.ordered_at),
        "Ip": _sendable(order.client_ip),
    }
    signed: dict[str, object] = {
        **fields,
        "ThongTinBienLai": _receipt_data(order, dialect, text),
        "MaXacThuc": _check_code(dialect, "init", fields, terms),
    }
    return _request(terms.api_address, signed, terms)


def status_request(question: StatusQuestion, terms: Terms, now: datetime) -> SignedRequest:
    """QUERY; ValueError where the options or the order cannot be sent."""
    dialect = dialect_of(terms)
    fields = question_fields(QUERY, question, dialect, now)
    signed = {**fields, "MaXacThuc": _check_code(dialect, "query", fields, terms)}
    return _request(query_address(dialect, terms), signed, terms)


def receipt_request(question: StatusQuestion, terms: Terms, now: datetime) -> SignedRequest:
    """The question for the receipt of a paid order; ValueError as `status_request`."""
    dialect = dialect_of(terms)
    fields = question_fields(dialect.texts["receipt_type"], question, dialect, now)
    signed = {**fields, "MaXacThuc": _check_code(dialect, "query", fields, terms)}
    return _request(_receipt_address(dialect, terms), signed, terms)


def question_fields(
    kind: str, question: StatusQuestion, dialect: Dialect, now: datetime
) -> dict[str, str]:
    """The signed fields of a question about an order; ValueError where it cannot be sent."""
    moment = now if dialect.texts["query_time"] == "now" else question.ordered_at
    return {
        "LoaiBanTin": kind,
        "PhienBan": dialect.texts["version"],
        "MaDoiTac": dialect.partner,
        "MaThamChieu": _sendable(key_of(question.order_code)),
        "ThoiGianGD": written_compactly(moment),
    }


def query_address(dialect: Dialect, terms: Terms) -> str:
    """Where QUERY goes; empty where nothing is configured."""
    return dialect.texts["query_address"] or terms.api_address


def addresses(dialect: Dialect, terms: Terms) -> frozenset[str]:
    """Every address of the platform's API that is configured."""
    return frozenset(
        {terms.api_address, query_address(dialect, terms), _receipt_address(dialect, terms)}
    )


def _receipt_address(dialect: Dialect, terms: Terms) -> str:
    return dialect.texts["receipt_address"] or terms.api_address


def _receipt_data(order: CheckoutOrder, dialect: Dialect, text: str) -> Mapping[str, object]:
    amount = str(order.amount_vnd)
    texts = dialect.texts
    return {
        "MaDichVu": texts["service_kind"],
        "MaTTHC": order.procedure_code,
        "MaHoSo": order.dossier_code,
        "MaDonVi": texts["unit_code"],
        "TenDonVi": texts["unit_name"],
        "TKThuHuong": texts["beneficiary_account"],
        "MaNHThuHuong": texts["beneficiary_bank"],
        "TenTKThuHuong": texts["beneficiary_name"],
        "NoiDungThanhToan": text,
        "PhiLePhi": [
            {
                "LoaiPhiLePhi": texts["fee_kind"],
                "MaPhiLePhi": order.procedure_code,
                "TenPhiLePhi": text,
                "SoTien": amount,
            }
        ],
        "DSKhoanNop": [{"NoiDung": text, "SoTien": amount}],
    }


def _check_code(
    dialect: Dialect, kind: Literal["init", "query"], fields: Mapping[str, str], terms: Terms
) -> str:
    if not terms.secrets or not terms.secrets[0]:
        raise ValueError("there is no secret to sign with")
    return dialect.check_code(kind, fields, terms.secrets[0])


def _request(address: str, fields: Mapping[str, object], terms: Terms) -> SignedRequest:
    if not address.startswith(("https://", "http://")):
        raise ValueError(
            "the address of the payment platform is not set: it differs by province (api_address)"
        )
    headers = [("Content-Type", "application/json")]
    token = terms.credentials.get("lgsp_token")
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    return SignedRequest(
        method="POST",
        url=address,
        headers=tuple(headers),
        body=json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _sendable(text: str) -> str:
    if PIPE in text:
        raise ValueError("a pipe would make the signed text ambiguous")
    return text
