"""What each numbered invariant says, in Vietnamese and English. The numbers are DESIGN's."""

from typing import Final

import msgspec


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """One promise of the books; `number` is what tests and findings cite."""

    number: int
    vi: str
    en: str


INVARIANTS: Final = (
    Invariant(
        number=1,
        vi="mỗi dòng ghi Nợ và Có cùng sổ, số tiền dương, mã băm tính lại đúng",
        en="every line debits and credits, is positive, and every entry's hash recomputes",
    ),
    Invariant(
        number=2,
        vi="bút toán và dòng không bị sửa, xóa; đảo nhiều nhất một lần",
        en="entries and lines are never changed or deleted; reversed at most once",
    ),
    Invariant(
        number=3,
        vi="cuộc gọi đã nhận đều được giữ; mỗi khoản tiền ghi vào đúng một lần",
        en="every acknowledged call is kept; every movement is booked in exactly once",
    ),
    Invariant(
        number=4,
        vi="số dư bằng tổng các dòng, tại mọi điểm chốt và hiện nay",
        en="balances equal the sum of lines, at every checkpoint and now",
    ),
    Invariant(
        number=5,
        vi="đã thu = tổng phân bổ; còn phải thu = phải thu − miễn − đã thu ≥ 0",
        en="paid = live allocations; outstanding = amount − exempted − paid ≥ 0",
    ),
    Invariant(
        number=6,
        vi="mỗi khoản bên ngoài thuộc nhiều nhất một lần khớp",
        en="an external item is claimed by at most one live match",
    ),
    Invariant(
        number=7,
        vi="người lập và người duyệt là hai người khác nhau",
        en="no decision has the same maker and checker; both are people",
    ),
    Invariant(
        number=8,
        vi="không ghi gì vào ngày đã khóa sổ",
        en="nothing is recorded into a closed day",
    ),
    Invariant(
        number=10,
        vi="mỗi thay đổi báo cho một cửa có đúng một sự kiện, không sót",
        en="every change the one-stop must hear of has exactly one event; none is missed",
    ),
    Invariant(
        number=11,
        vi="một khóa chống lặp có một tác dụng và một câu trả lời",
        en="one idempotency key has one effect and one answer",
    ),
    Invariant(
        number=12,
        vi="1130, 1380, 1388, 3380, 3381, 3382 bằng tổng từng khoản mở; 1389 đối ứng 3389",
        en="1130, 1380, 1388, 3380, 3381, 3382 equal their open items; 1389 mirrors 3389",
    ),
    Invariant(
        number=13,
        vi="1121 từng tài khoản = đầu kỳ + các dòng sao kê",
        en="1121 per bank account = opening + signed statement lines",
    ),
)
