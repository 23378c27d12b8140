"""Refusals of this room."""

from service.errors import Refusal


class UnknownLayout(Refusal):
    """The layout is neither a name the service knows nor a usable column mapping.

    Known names: `vietcombank`. A mapping is JSON with `name`, `columns`, `date_style` and
    `thousands`; `columns` gives the headings of `booked_on`, `memo` and `debit` with `credit` (or
    a signed `amount`), and where the file has them `value_on`, `bank_reference`, `balance`,
    `counterparty_account` and `counterparty_name`.
    """

    status, code = 422, "unknown-layout"
    title_vi, title_en = "Không rõ cấu trúc tệp sao kê", "The statement's layout is not known"


class UnknownBankAccount(Refusal):
    """No bank account of your books has this bank identification number and account number."""

    status, code = 404, "unknown-bank-account"
    title_vi, title_en = "Không tìm thấy tài khoản ngân hàng", "The bank account is not known"
