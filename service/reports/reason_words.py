"""What the codes of the taxonomy of exceptions are called, in Vietnamese and in English."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REASONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "AMBIGUOUS": ("Nhiều hồ sơ cùng phù hợp", "Several dossiers fit"),
        "AMOUNT_MISMATCH": ("Số tiền không khớp", "The amount differs"),
        "AMOUNT_UNREADABLE": ("Số tiền không đọc được", "The amount is unreadable"),
        "BALANCE_BREAK": ("Số dư không liên tục", "The balances do not follow"),
        "BANK_REVERSAL": ("Ngân hàng hoàn lại giao dịch", "The bank reversed it"),
        "CALL_NOT_BOOKED": ("Thông báo đã nhận nhưng chưa ghi sổ được", "Kept, but not booked"),
        "CALLS_NOT_BELIEVED": (
            "Nhiều thông báo về một khoản nộp không xác thực được",
            "Many calls about one payment are not believed",
        ),
        "CHARGEBACK": ("Khiếu nại, đòi hoàn qua thẻ", "Chargeback, disputed"),
        "CHARGEBACK_REVERSED": ("Khiếu nại đã được hủy", "Chargeback reversed"),
        "COMBINED_UNRESOLVED": ("Nộp gộp chưa tách được", "A combined payment, not resolved"),
        "CONTESTED": ("Có thông tin trái với kết quả đã ghép", "Later input contests the match"),
        "DUPLICATE_PAYMENT": ("Nộp trùng", "Paid twice"),
        "DUPLICATE_SETTLEMENT": ("Đối soát trùng một giao dịch", "Settled twice"),
        "FEED_NOT_READ": ("Chưa đọc được danh sách giao dịch", "A feed's list stays unread"),
        "FEE_MISMATCH": ("Phí không đúng hợp đồng", "The fee is not the contract's"),
        "HELD_BY_PROVIDER": ("Đơn vị thanh toán đang giữ tiền", "Held by the provider"),
        "NO_ANSWER": ("Đơn vị thanh toán chưa cho biết kết quả", "The provider did not tell"),
        "MISSING_CALLBACK": ("Có đối soát, không có thông báo", "Settled, never called"),
        "MISSING_SETTLEMENT": ("Quá hạn chưa được đối soát", "Overdue: not settled"),
        "ORPHAN_SETTLEMENT": ("Đối soát không rõ đơn hàng", "Settled for an unknown order"),
        "LATE_REMITTANCE": ("Chậm nộp ngân sách", "Late remittance to the budget"),
        "OUT_OF_SCOPE": ("Ngoài phạm vi thu hộ", "Out of scope"),
        "OVERPAYMENT": ("Nộp thừa", "Overpaid"),
        "PAID_AFTER_CANCEL": ("Nộp sau khi hủy", "Paid after cancelling"),
        "PAID_EXPIRED_ORDER": ("Nộp khi yêu cầu đã hết hạn", "Paid after expiry"),
        "PARTIAL_PAYMENT": ("Nộp một phần, chưa rõ khoản nào", "Part payment, unclear of what"),
        "PAYMENT_REVERSED": ("Đơn vị thanh toán đảo giao dịch", "The provider reversed it"),
        "PAYOUT_MISMATCH": ("Tiền quyết toán về không khớp", "The payout differs"),
        "PAYOUT_MISSING": ("Quá hạn chưa nhận tiền quyết toán", "Overdue: not paid out"),
        "REFUND_EXCEEDS": ("Hoàn vượt số đã nộp", "Refunds exceed the payment"),
        "REFUND_NOT_BOOKED": ("Hoàn tiền chưa có trong sổ", "Refunded, not in the books"),
        "REFUND_NO_ORIGINAL": ("Hoàn tiền không rõ khoản gốc", "Refund of an unknown payment"),
        "REFUND_FAILED": ("Hoàn tiền không thành công", "A refund failed"),
        "REFUND_RETURNED": ("Tiền hoàn bị trả lại", "A refund came back"),
        "REFUND_UNANSWERED": ("Chưa rõ kết quả hoàn tiền", "A refund was not answered"),
        "SAME_MOVEMENT_UNSURE": ("Chưa rõ có phải cùng một giao dịch", "Perhaps the same transfer"),
        "SETTLEMENT_ADJUSTMENT": ("Đơn vị thanh toán điều chỉnh", "Adjusted by the provider"),
        "SETTLEMENT_GAP": ("Thiếu tệp đối soát", "Settlement files are missing"),
        "STATEMENT_GAP": ("Thiếu sao kê", "Statements are missing"),
        "UNDERPAYMENT": ("Nộp thiếu", "Underpaid"),
        "UNIDENTIFIED_CREDIT": ("Tiền vào chưa rõ của ai", "Unidentified credit"),
        "WEAK_PROOF": (
            "Kênh báo chỉ chứng thực bằng khóa, chờ sao kê xác nhận",
            "A weak channel alone: waits for another window",
        ),
        "WRONG_ACCOUNT": ("Nộp nhầm tài khoản đơn vị khác", "Paid to another unit's account"),
    }
)


def in_vietnamese(code: str) -> str:
    """The Vietnamese words of a code; an unknown code is its own word."""
    return REASONS.get(code, (code, code))[0]
