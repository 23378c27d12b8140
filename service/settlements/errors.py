"""Refusals of this room."""

from service.errors import Refusal


class UnknownMapping(Refusal):
    """The mapping is neither a name the service knows nor a usable column mapping.

    Known names are those of the providers, and `generic`. A mapping is JSON; the ones that are
    shipped (`providers/settlements/mappings/`) are examples to copy and edit: no provider publishes
    its columns.
    """

    status, code = 422, "unknown-mapping"
    title_vi, title_en = "Không rõ cấu trúc tệp đối soát", "The settlement's columns are not known"


class UnknownMerchant(Refusal):
    """No live merchant of your books has this name; write `provider/merchant`."""

    status, code = 404, "unknown-merchant"
    title_vi, title_en = "Không tìm thấy điểm chấp nhận thanh toán", "The merchant is not known"
