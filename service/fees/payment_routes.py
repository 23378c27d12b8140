"""The calls that bring money about: payment requests and counter receipts."""

from datetime import UTC, datetime
from typing import Annotated, Final

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, PathParameter
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access import Principal, allow
from service.errors import (
    AboveOutstanding,
    AmountNotPayable,
    IdempotencyKeyReused,
    NotFound,
    NothingOutstanding,
    NoticeCancelled,
    ProviderAway,
    ProviderNotServing,
    ProviderRefused,
    ReceiptRepeated,
    SeveralBooks,
)
from service.fees import counter, requests
from service.fees.checkouts import Opener
from service.fees.messages import (
    CounterReceipt,
    NewCounterReceipt,
    NewPaymentRequest,
    PaymentRequest,
)
from service.fees.routes import NOTICE_ROUTES
from service.problems import refusals
from service.strict_json import StrictJSON
from service.web.calls import ASKED, WITH_BODY
from service.web.idempotency import Done, Once, OptionalKey, answer, once

TAGS: Final = ["payments"]
SVG: Final = "image/svg+xml"

Reference = Annotated[
    str, PathParameter(description="A payment reference, with or without separators.")
]


@post(
    "/v1/payment-requests",
    operation_id="requestPayment",
    summary="One way to pay one or more notices of a book",
    description=(
        "Over all that the notices owe now: a VietQR payload, or a checkout link. Some providers"
        " must be asked for the link: where one does not answer, the call is refused with"
        " `provider-away`, and the same `Idempotency-Key` goes on with the same request."
    ),
    tags=TAGS,
    opt=allow("requests:write"),
    dto=StrictJSON[NewPaymentRequest],
    return_dto=None,
    responses=refusals(
        *WITH_BODY,
        SeveralBooks,
        NoticeCancelled,
        NothingOutstanding,
        ProviderNotServing,
        AmountNotPayable,
        ProviderRefused,
        ProviderAway,
        IdempotencyKeyReused,
    ),
)
async def request_payment(
    data: JSONBody[NewPaymentRequest],
    request: Request[Principal, object, State],
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[PaymentRequest]:
    """Mint a reference and a way to pay."""
    caller = request.user

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await requests.create(connection, state.sealer, state.settings, caller, data, now)

    call = Once(caller=caller.id, key=idempotency_key, route="POST payment-requests", request=data)
    done = await once(state.engine, state.sealer, call, act)
    opener = Opener(state.engine, state.sealer, state.settings, state.outbound)
    return answer(await opener.complete(data, done), PaymentRequest)


@get(
    "/v1/payment-requests/{reference:str}",
    operation_id="readPaymentRequest",
    summary="The state of a payment request",
    tags=TAGS,
    opt=allow("requests:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_request(
    reference: Reference, request: Request[Principal, object, State], state: State
) -> PaymentRequest:
    """How a payment request stands."""
    async with state.engine.connect() as connection:
        return await requests.find(connection, request.user.book_list, reference, datetime.now(UTC))


@get(
    "/v1/payment-requests/{reference:str}/qr.svg",
    operation_id="drawPaymentRequest",
    summary="The picture to scan",
    tags=TAGS,
    opt=allow("requests:read"),
    media_type=SVG,
    responses=refusals(*ASKED, NotFound),
)
async def draw_request(
    reference: Reference, request: Request[Principal, object, State], state: State
) -> bytes:
    """The QR code of a payment request as SVG."""
    async with state.engine.connect() as connection:
        found = await requests.find(
            connection, request.user.book_list, reference, datetime.now(UTC)
        )
    return requests.draw(found)


@post(
    "/v1/counter-receipts",
    operation_id="recordCounterReceipt",
    summary="Cash or card taken at the counter",
    tags=TAGS,
    opt=allow("counter:write"),
    dto=StrictJSON[NewCounterReceipt],
    return_dto=None,
    responses=refusals(
        *WITH_BODY,
        NotFound,
        NoticeCancelled,
        NothingOutstanding,
        AboveOutstanding,
        ReceiptRepeated,
        IdempotencyKeyReused,
    ),
)
async def record_receipt(
    data: JSONBody[NewCounterReceipt],
    request: Request[Principal, object, State],
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[CounterReceipt]:
    """Record a counter receipt and book its money."""
    caller = request.user

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await counter.take(connection, caller, data, now)

    call = Once(caller=caller.id, key=idempotency_key, route="POST counter-receipts", request=data)
    return answer(await once(state.engine, state.sealer, call, act), CounterReceipt)


ROUTES: Final[list[HTTPRouteHandler]] = [
    *NOTICE_ROUTES,
    request_payment,
    read_request,
    draw_request,
    record_receipt,
]
