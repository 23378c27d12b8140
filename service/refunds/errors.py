"""Why a refund is refused."""

from service.errors import Refusal


class RefundExceeds(Refusal):
    """More is asked for than there is to give back.

    What other proposals have asked for is not there twice. Of a fee, what a remittance is just
    being proposed for has to wait until that is decided. `detail` says how much there is.
    """

    status, code = 409, "refund-exceeds"
    title_vi, title_en = "Vượt số tiền có thể hoàn", "There is not that much to give back"


class NothingToRefund(Refusal):
    """The notice has no money of the kind that the call names: nothing held, nothing paid."""

    status, code = 409, "nothing-to-refund"
    title_vi, title_en = "Không có tiền để hoàn", "There is nothing to give back"


class SeveralMoneys(Refusal):
    """Several payments could be meant; `movement_id` has to name one. `detail` lists them."""

    status, code = 409, "several-payments"
    title_vi, title_en = "Có nhiều khoản tiền, phải nêu rõ", "Several payments could be meant"


class RefundState(Refusal):
    """The refund is not in a state in which this can be done; `detail` names its state."""

    status, code = 409, "refund-state"
    title_vi, title_en = (
        "Trạng thái khoản hoàn không cho phép",
        "The refund is not in a state for this",
    )
