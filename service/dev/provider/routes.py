"""The simulated provider over HTTP: pages for citizens, its API for us, control for tests.

Whatever is none of the fixed paths is the provider's own: a checkout link of ours, or its API.
"""

from datetime import date
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import HttpMethod, Litestar, Request, Response, get, post, put, route
from litestar.datastructures import State
from litestar.exceptions import ClientException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_400_BAD_REQUEST

from providers.acting import Order, Payment, ReadsOwnLinks, Refund
from providers.untrusted import whole_vnd
from service.dev.provider import pages, settlement
from service.dev.provider.actor import Actor, NewPayment
from service.dev.provider.courier import Courier, Told
from service.dev.provider.knobs import Knobs
from service.intake.routes import call_of

BODY_SIZE_MAX_BYTES: Final = 1_000_000
HTML: Final = "text/html; charset=utf-8"
ANY_METHOD: Final = [HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.DELETE]

AnyRequest = Request[Any, Any, State]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A payment, and how far the provider got in telling of it."""

    payment: Payment
    told: Told


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """The simulator's own list: what the books must equal."""

    provider: str
    merchant: str
    orders: list[Order]
    payments: list[Listed]
    refunds: list[Refund]
    waiting: int
    counts: dict[str, int]
    knobs: Knobs


class RefundState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a refund is to end."""

    request_id: str
    state: Literal["processing", "done", "failed"]


def create(actor: Actor, courier: Courier) -> Litestar:
    """The application of one simulated provider."""
    return Litestar(
        ROUTES,
        state=State({"actor": actor, "courier": courier}),
        openapi_config=None,
        request_max_body_size=BODY_SIZE_MAX_BYTES,
        logging_config=None,
        debug=False,
    )


@get("/", media_type=HTML)
async def home(state: State) -> str:
    """What there is."""
    actor: Actor = state.actor
    orders = list(actor.shop.orders.values())
    return pages.home(actor.adapter.name, actor.terms.merchant, orders, below=_below(actor))


@get("/pages/{code:str}", media_type=HTML)
async def page(code: FromPath[str], state: State) -> str:
    """The checkout page of an order, or of a transfer with that payment code."""
    actor: Actor = state.actor
    order = actor.shop.orders.get(code)
    if order is None and actor.money == "paid":
        raise NotFoundException(detail="no such order")
    paid = actor.shop.of_order(code)
    return pages.checkout(actor.adapter.name, order, code, paid, below=_below(actor))


@post("/pages/{code:str}", media_type=HTML, status_code=HTTP_200_OK)
async def act(code: FromPath[str], request: AnyRequest, state: State) -> str:
    """Do what a button says; the provider then tells us."""
    actor: Actor = state.actor
    form = await request.form()
    action = str(form.get("action", ""))
    new = NewPayment(order_code=code)
    if action == "other":
        amount_vnd = whole_vnd(str(form.get("amount_vnd", "")))
        if amount_vnd is None:
            raise ClientException(detail="an amount in whole đồng is missing")
        new = msgspec.structs.replace(new, amount_vnd=amount_vnd)
    elif action in {"fail", "cancel"}:
        new = msgspec.structs.replace(new, status="failed" if action == "fail" else "cancelled")
    elif action not in {"pay", "twice"}:
        raise ClientException(detail="no such button")
    for _ in range(2 if action == "twice" else 1):
        _happen(state, new)
    order = actor.shop.orders.get(code)
    paid = actor.shop.of_order(code)
    return pages.done(actor.adapter.name, order, code, paid, below=_below(actor))


@post("/control/pay")
async def pay(data: JSONBody[NewPayment], state: State) -> Listed:
    """Let somebody pay (or fail to) without a page."""
    return _happen(state, data)


@get("/control/knobs")
async def knobs(state: State) -> Knobs:
    """What goes wrong at present, and how often."""
    courier: Courier = state.courier
    return courier.knobs


@put("/control/knobs")
async def turn(data: JSONBody[Knobs], state: State) -> Knobs:
    """Set all knobs; what is not named becomes 0. Callbacks under way keep their fate."""
    courier: Courier = state.courier
    courier.knobs = data
    return data


@get("/control/list")
async def listing(state: State) -> Everything:
    """Everything the provider knows."""
    actor: Actor = state.actor
    courier: Courier = state.courier
    return Everything(
        provider=actor.adapter.name,
        merchant=actor.terms.merchant,
        orders=list(actor.shop.orders.values()),
        payments=[Listed(payment=payment, told=told) for payment, told in courier.told],
        refunds=list(actor.shop.refunds.values()),
        waiting=courier.waiting,
        counts=dict(courier.counts),
        knobs=courier.knobs,
    )


@post("/control/refunds", status_code=HTTP_200_OK)
async def end_refund(data: JSONBody[RefundState], state: State) -> RefundState:
    """End a refund now, in one way or the other."""
    actor: Actor = state.actor
    if not actor.settle_refund(data.request_id, data.state):
        raise NotFoundException(detail="no such refund")
    return data


@get("/settlement/{name:str}")
async def settle(name: FromPath[str], state: State) -> Response[bytes]:
    """The settlement file of a day, `<yyyy-mm-dd>.csv`."""
    actor: Actor = state.actor
    try:
        day = date.fromisoformat(name.removesuffix(".csv"))
    except ValueError:
        raise NotFoundException(detail="the file of a day is /settlement/2026-03-12.csv") from None
    body = settlement.of_day(actor.shop, actor.adapter.name, actor.terms.merchant, day)
    return Response(body, media_type="text/csv; charset=utf-8")


@route(["/{rest:path}"], http_method=ANY_METHOD, status_code=HTTP_200_OK)
async def provider(
    rest: FromPath[str], body: RawBody, request: AnyRequest, state: State
) -> Response[bytes]:
    """A checkout link that a citizen opens, or a request to the provider's API."""
    del rest
    actor: Actor = state.actor
    call = call_of(request.scope, body)
    name = actor.adapter.name
    if call.method == "GET" and call.raw_query and isinstance(actor.adapter, ReadsOwnLinks):
        try:
            order = actor.order_of_link(call)
        except ValueError as error:
            text, status = pages.refused(name, str(error)), HTTP_400_BAD_REQUEST
        else:
            code = order.order_code
            paid = actor.shop.of_order(code)
            text = pages.checkout(name, order, code, paid, below=_below(actor))
            status = HTTP_200_OK
        return Response(text.encode(), status_code=status, media_type=HTML)
    answer = actor.serve(call)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


def _below(actor: Actor) -> str:
    """The path of the pages as a browser sees it: others may serve beside, or stand before."""
    return urlsplit(actor.shop.page).path or "/pages"


def _happen(state: State, new: NewPayment) -> Listed:
    """Let it happen and begin to tell of it."""
    actor: Actor = state.actor
    courier: Courier = state.courier
    try:
        payment = actor.pay(new)
        told = courier.tell(payment, quiet=new.quiet)
    except ValueError as error:
        raise ClientException(detail=str(error)) from None
    return Listed(payment=payment, told=told)


ROUTES: Final[list[HTTPRouteHandler]] = [
    home,
    page,
    act,
    pay,
    knobs,
    turn,
    listing,
    end_refund,
    settle,
    provider,
]
