"""What the national payment platform says: fields into claims, answers into facts.

Source: see docs/how-to/providers/dvcqg.md. What of it is not known is in `dvcqg_dialect`.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from providers.abilities import Checkout, CheckoutOrder, StatusQuestion
from providers.contract import Claim, Rejected, Status, Terms, Unanswered
from providers.dvcqg_dialect import CURRENCY, DONE, FREE_TEXT, PIPE, QUERY, Dialect, dialect_of
from providers.dvcqg_sending import query_address, question_fields
from providers.signing import same_hex
from providers.untrusted import (
    KEY_CHARS_MAX,
    amount_text_of,
    clean,
    compact_time,
    json_object,
    key_of,
    text_of,
    whole_vnd,
)

ANSWER_BYTES_MAX = 65_536
RECEIPT_BYTES_MAX = 4_000_000
ADDRESS_CHARS_MAX = 2_000
WRAPPED_DONE = "0"

_PDF: Final = b"%PDF-"
_READ: Final = (
    "MaLoi",
    "MaDoiTac",
    "MaThamChieu",
    "SoTien",
    "MaTienTe",
    "MaGiaoDich",
    "MaNganHang",
    "ThoiGianGD",
    FREE_TEXT,
    "TrangThaiGD",
)
"""What a claim is made of."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An electronic receipt, as its address or as the document itself."""

    url: str | None = None
    pdf: bytes | None = None


def read_checkout(body: bytes, order: CheckoutOrder, terms: Terms) -> Checkout:
    """Where the citizen pays: UrlThanhToan of the answer to INIT."""
    found = _answer(body)
    if "MaLoi" in found and text_of(found["MaLoi"]) != DONE:
        raise Unanswered(_short(found, "MaLoi"), _short(found, "MoTaLoi"))
    told = text_of(found.get("MaThamChieu"))
    if told and told != order.order_code:
        raise Rejected("forged", "the answer is about another order")
    if text_of(found.get("MaDoiTac")) not in {"", _dialect(terms).partner}:
        raise Rejected("forged", "the answer is for another partner")
    return Checkout(url=_address(found.get("UrlThanhToan")))


def read_status(body: bytes, question: StatusQuestion, terms: Terms) -> Claim | None:
    """The answer to QUERY; None where MaLoi says that there is no such order.

    It proves itself by a check code; one that carries none is believed where it came over https
    from the configured address, is about the order and partner we asked about, and does not tell
    of another amount than was asked for.
    """
    dialect = _dialect(terms)
    found = _answer(body)
    fields = _texts(found, dialect)
    proven = _is_proven(found, fields, question, dialect, terms)
    if not proven:
        _unsigned_is_enough(dialect, terms)
    elif not _over_tls(dialect, terms) or dialect.texts["query_answers"] == "signed":
        fields = {name: fields.get(name, "") for name in dialect.fields["answer"]}
    code = fields.get("MaLoi", "")
    if code in dialect.not_found_codes:
        return None
    if code != DONE:
        raise Unanswered(code[:KEY_CHARS_MAX], _short(found, "MoTaLoi"))
    if fields.get("MaThamChieu") != question.order_code:
        raise Rejected("forged", "the answer is about another order")
    if fields.get("MaDoiTac", "") not in {"", dialect.partner}:
        raise Rejected("forged", "the answer is for another partner")
    told = claim_of(
        fields, dialect.state_meanings.get(fields.get("TrangThaiGD", ""), "pending"), dialect
    )
    asked_vnd = question.amount_vnd or told.amount_vnd
    if not proven and told.status == "paid" and told.amount_vnd != asked_vnd:
        raise Rejected("forged", "unsigned, and about another amount than was asked for")
    return told


def read_receipt(body: bytes) -> Receipt:
    """The receipt; Unanswered while there is none. It books nothing, so it proves nothing."""
    if body.startswith(_PDF) and len(body) <= RECEIPT_BYTES_MAX:
        return Receipt(pdf=body)
    found = _answer(body)
    if text_of(found.get("MaLoi")) not in {"", DONE}:
        raise Unanswered(_short(found, "MaLoi"), _short(found, "MoTaLoi"))
    return Receipt(url=_address(found.get("URLBienLai")))


def claim_of(fields: Mapping[str, str], status: Status, dialect: Dialect) -> Claim:
    """What the fields of a callback or answer say; Rejected where they name no order.

    The transaction is MaGiaoDich; `0/<order>` for an attempt that got none.
    """
    reference = clean(fields.get("MaThamChieu", ""))
    if not 0 < len(reference) <= KEY_CHARS_MAX:
        raise Rejected("malformed", "no order", authentic=True)
    number = fields.get("MaGiaoDich", "")
    try:
        transaction = key_of(number) if number.strip("0") else f"0/{reference}"
        amount_text = amount_text_of(fields.get("SoTien", ""))
    except ValueError as error:
        raise Rejected("malformed", str(error), authentic=True) from None
    currency = fields.get("MaTienTe", "")
    is_vnd = currency in {CURRENCY, ""}
    on_24_hours = dialect.texts["clock"] == "24"
    return Claim(
        transaction=transaction,
        status=status,
        reference=reference,
        amount_vnd=whole_vnd(amount_text) if is_vnd else None,
        amount_text=amount_text if is_vnd else f"{amount_text} {clean(currency)[:8]}",
        happened_at=compact_time(fields.get("ThoiGianGD", "")) if on_24_hours else None,
        kind="gateway",
        scope=reference,
        memo=clean(fields.get(FREE_TEXT, "")),
        bank_brand=clean(fields.get("MaNganHang", "")) or None,
    )


def signed_texts(found: Mapping[str, object], names: tuple[str, ...]) -> dict[str, str]:
    """The values under `names` exactly as written; null and absent ones are empty.

    ValueError for true, false, a list or an object: none of them has a text that can be signed.
    """
    fields = {}
    for name in names:
        value = found.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is neither text nor number")
        fields[name] = str(value) if value is not None else ""
    return fields


def _dialect(terms: Terms) -> Dialect:
    try:
        return dialect_of(terms)
    except ValueError as error:
        raise Rejected("forged", str(error)) from None


def _answer(body: bytes) -> Mapping[str, object]:
    """The fields of an answer; where an integration bus wrapped it, those inside `message`.

    Unanswered for an error of the bus.
    """
    if len(body) > ANSWER_BYTES_MAX:
        raise Rejected("malformed", "endless answer")
    try:
        found = json_object(body)
        if "error_code" not in found:
            return found
        if text_of(found["error_code"]) != WRAPPED_DONE:
            raise Unanswered(_short(found, "error_code"), _short(found, "message"))
        return json_object(text_of(found.get("message")).encode())
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None


def _texts(found: Mapping[str, object], dialect: Dialect) -> dict[str, str]:
    try:
        return signed_texts(found, tuple({*_READ, *dialect.fields["answer"]}))
    except ValueError as error:
        raise Rejected("malformed", str(error)) from None


def _is_proven(
    found: Mapping[str, object],
    fields: Mapping[str, str],
    question: StatusQuestion,
    dialect: Dialect,
    terms: Terms,
) -> bool:
    """Whether the answer carries a check code; one that does not fit is forged.

    Our own check code sent back (as in acknowledgements) is neither: it says nothing.
    """
    given = text_of(found.get("MaXacThuc"))
    if not given:
        return False
    ambiguous = any(PIPE in value for name, value in fields.items() if name != FREE_TEXT)
    if not ambiguous and dialect.is_checked("answer", fields, given, terms.secrets):
        return True
    asked = question_fields(QUERY, question, dialect, question.ordered_at)
    if any(
        secret and same_hex(given, dialect.check_code("query", asked, secret))
        for secret in terms.secrets
    ):
        return False
    raise Rejected("forged", "the check code of the answer does not fit")


def _over_tls(dialect: Dialect, terms: Terms) -> bool:
    """Whether an answer can only have come over TLS; without an address none can come at all."""
    address = query_address(dialect, terms)
    return not address or address.startswith("https://")


def _unsigned_is_enough(dialect: Dialect, terms: Terms) -> None:
    if dialect.texts["query_answers"] == "signed":
        raise Rejected("forged", "the answer carries no check code")
    if not _over_tls(dialect, terms):
        raise Rejected("forged", "the answer carries no check code and did not come over TLS")


def _address(found: object) -> str:
    """An address to send a citizen to, as the platform gave it."""
    text = text_of(found)
    usable = text.isascii() and text.isprintable() and " " not in text
    if not usable or len(text) > ADDRESS_CHARS_MAX or not text.startswith(("https://", "http://")):
        raise Rejected("malformed", "the answer holds no address")
    return text


def _short(found: Mapping[str, object], name: str) -> str:
    return text_of(found.get(name))[:KEY_CHARS_MAX]
