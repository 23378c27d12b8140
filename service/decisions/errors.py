"""Why a decision is refused."""

from service.errors import Refusal


class NotAPerson(Refusal):
    """Only people decide about money: an API key can be neither maker nor checker.

    Sign in with `POST /v1/sessions` and send the session's token.
    """

    status, code = 403, "not-a-person"
    title_vi, title_en = "Chỉ con người được quyết định", "Only people may decide this"


class SamePerson(Refusal):
    """Who proposed something may not approve or reject it, and nobody is counted twice.

    Another person with the role `checker` has to look at it.
    """

    status, code = 403, "same-person"
    title_vi, title_en = (
        "Người lập không được tự duyệt",
        "The same person may not propose and decide",
    )


class NothingProposed(Refusal):
    """Nothing is waiting for a decision here: it was decided already, or never proposed."""

    status, code = 409, "nothing-proposed"
    title_vi, title_en = "Không có đề nghị đang chờ duyệt", "Nothing is waiting for a decision"


class AlreadyProposed(Refusal):
    """Somebody has proposed this already; it has to be decided first."""

    status, code = 409, "already-proposed"
    title_vi, title_en = "Đã có đề nghị đang chờ duyệt", "It is proposed already"
