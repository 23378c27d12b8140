"""What a caller asked for and may not have. Knows no web framework: service.problems renders these.

Every refusal is a class with a fixed status, code and titles; only `detail` and `errors` vary.
422 is only for a call that does not fit its description; 409 is for a state that forbids.
A class's docstring is the page people read under /problems/<code>.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with one field; `field` is a path such as `items[2].amount_vnd`."""

    field: str
    message: str


class Refusal(Exception):
    """Something a caller asked for and may not have; never a bug of ours."""

    status: ClassVar[int]
    code: ClassVar[str]
    title_vi: ClassVar[str]
    title_en: ClassVar[str]

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail or self.title_en)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s


def every_refusal(root: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """All refusals that are defined (those with a code), in the order of their definition."""
    for kind in root.__subclasses__():
        if "code" in vars(kind):
            yield kind
        yield from every_refusal(kind)


# ---------------------------------------------------------------- calls that do not fit


class InvalidRequest(Refusal):
    """The call does not fit its description in the reference.

    A field is missing, unknown, of the wrong type or out of its limits. `errors` names the fields.
    Mend the call; sending it again unchanged will be refused again.
    """

    status, code = 422, "invalid-request"
    title_vi, title_en = "Yêu cầu không hợp lệ", "The request is not valid"


class MalformedRequest(Refusal):
    """The bytes of the call could not be read: no JSON, bad UTF-8, or nested too deeply."""

    status, code = 400, "malformed-request"
    title_vi, title_en = "Không đọc được yêu cầu", "The request could not be read"


class IdempotencyKeyMissing(Refusal):
    """This call needs an `Idempotency-Key` header of 1 to 200 printable ASCII characters.

    Take a new random key for each thing you want done, and the same key when you repeat the call.
    """

    status, code = 422, "idempotency-key-missing"
    title_vi, title_en = "Thiếu Idempotency-Key", "The Idempotency-Key header is missing"


class IdempotencyKeyReused(Refusal):
    """The same `Idempotency-Key` was used before with another body or another call.

    Nothing was changed. Use a new key for a new request.
    """

    status, code = 422, "idempotency-key-reused"
    title_vi, title_en = (
        "Idempotency-Key đã dùng cho yêu cầu khác",
        "The Idempotency-Key was used for another request",
    )


class InvalidCursor(Refusal):
    """The cursor was not made by this service, or for another list."""

    status, code = 422, "invalid-cursor"
    title_vi, title_en = "Con trỏ trang không hợp lệ", "The cursor is not valid"


class NotFound(Refusal):
    """There is nothing under this address, or nothing that your books allow you to see."""

    status, code = 404, "not-found"
    title_vi, title_en = "Không tìm thấy", "Not found"


class MethodNotAllowed(Refusal):
    """This address exists, but not for this method; `Allow` lists those it has."""

    status, code = 405, "method-not-allowed"
    title_vi, title_en = "Phương thức không được phép", "The method is not allowed here"


class EmptyFile(Refusal):
    """The file has no bytes."""

    status, code = 422, "empty-file"
    title_vi, title_en = "Tệp rỗng", "The file is empty"


class TooLarge(Refusal):
    """The body of the call is larger than this address takes."""

    status, code = 413, "too-large"
    title_vi, title_en = "Nội dung quá lớn", "The body is too large"


class UnsupportedMediaType(Refusal):
    """The body is of a media type that this address does not take."""

    status, code = 415, "unsupported-media-type"
    title_vi, title_en = "Kiểu nội dung không được hỗ trợ", "The media type is not supported"


# ---------------------------------------------------------------- who may do what


class Unauthenticated(Refusal):
    """No valid credential came with the call.

    Machines send `Authorization: Bearer <key>`; people the token of `POST /v1/sessions`. The key
    may have been revoked and the session may have ended.
    """

    status, code = 401, "unauthenticated"
    title_vi, title_en = "Chưa xác thực", "Not authenticated"


class SignInRefused(Refusal):
    """The name and password do not belong together, or the account is disabled or locked.

    After several wrong passwords an account is locked for some minutes. Which of these it was is
    not told.
    """

    status, code = 401, "sign-in-refused"
    title_vi, title_en = "Đăng nhập không thành công", "Sign-in refused"


class Forbidden(Refusal):
    """You are known, but this call needs a scope or role that you do not have."""

    status, code = 403, "forbidden"
    title_vi, title_en = "Không có quyền", "Not allowed"


class BookNotCovered(Refusal):
    """The collecting unit's book is not among those your key or account covers."""

    status, code = 403, "book-not-covered"
    title_vi, title_en = "Không có quyền với sổ của đơn vị thu", "The book is not covered"


# ---------------------------------------------------------------- fees


class NoticeCancelled(Refusal):
    """The fee notice is cancelled: nothing can be added to it, exempted from it or paid on it."""

    status, code = 409, "notice-cancelled"
    title_vi, title_en = "Thông báo phí đã hủy", "The fee notice is cancelled"


class NoticeHasMoney(Refusal):
    """Money is allocated to the fee notice, so that it can no longer be cancelled."""

    status, code = 409, "notice-has-money"
    title_vi, title_en = "Thông báo phí đã có tiền nộp", "The fee notice has money on it"


class NothingOutstanding(Refusal):
    """Nothing is left to pay or to exempt on what the call names."""

    status, code = 409, "nothing-outstanding"
    title_vi, title_en = "Không còn khoản phải nộp", "Nothing is outstanding"


class AboveOutstanding(Refusal):
    """The amount is above what is still outstanding."""

    status, code = 409, "above-outstanding"
    title_vi, title_en = "Số tiền vượt số còn phải nộp", "The amount is above what is outstanding"


class TooManyItems(Refusal):
    """A fee notice holds at most 50 items; open another notice for the dossier."""

    status, code = 409, "too-many-items"
    title_vi, title_en = "Quá nhiều khoản trong một thông báo", "The notice has too many items"


class SeveralBooks(Refusal):
    """The fee notices belong to several collecting units; one payment request serves one book."""

    status, code = 409, "several-books"
    title_vi, title_en = "Nhiều đơn vị thu trong một yêu cầu", "The notices are of several books"


class ProviderNotServing(Refusal):
    """No merchant or bank account of this provider serves the collecting unit."""

    status, code = 409, "provider-not-serving"
    title_vi, title_en = (
        "Đơn vị thu chưa mở kênh thanh toán này",
        "The provider does not serve this book",
    )


class AmountNotPayable(Refusal):
    """The provider takes no order of this amount (too small, too large, or too long in words)."""

    status, code = 409, "amount-not-payable"
    title_vi, title_en = "Kênh thanh toán không nhận số tiền này", "The amount cannot be asked for"


class ReceiptRepeated(Refusal):
    """A counter receipt of this number was recorded before in this book."""

    status, code = 409, "receipt-repeated"
    title_vi, title_en = "Số biên lai quầy đã được ghi", "The receipt number was recorded before"


# ---------------------------------------------------------------- when we cannot


class Busy(Refusal):
    """The service cannot answer right now (database away, or too much at once).

    Nothing was changed. Repeat the call, with the same `Idempotency-Key`, after `Retry-After`.
    """

    status, code = 503, "busy"
    title_vi, title_en = "Tạm thời chưa phục vụ được", "Temporarily not available"


class Unexpected(Refusal):
    """Something broke on our side. It is logged under the request id of the answer."""

    status, code = 500, "unexpected"
    title_vi, title_en = "Lỗi không mong đợi", "Unexpected error"
