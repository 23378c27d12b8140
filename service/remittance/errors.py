"""Why a remittance is refused."""

from service.errors import Refusal


class NothingToRemit(Refusal):
    """Up to that day there is nothing that is paid and not yet taken apart (or recognised)."""

    status, code = 409, "nothing-to-remit"
    title_vi, title_en = "Không có khoản nào phải nộp", "There is nothing to remit"


class RemittanceState(Refusal):
    """The remittance is not in a state in which this can be done; `detail` names its state."""

    status, code = 409, "remittance-state"
    title_vi, title_en = (
        "Trạng thái khoản nộp không cho phép",
        "The remittance is not in a state for this",
    )


class PeriodOpen(Refusal):
    """The day is not over yet: only what is complete is taken apart."""

    status, code = 409, "period-open"
    title_vi, title_en = "Kỳ chưa kết thúc", "The period is not over yet"
