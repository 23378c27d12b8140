"""The refund calls: parse, ask the action or the query, answer."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncConnection

from service import decisions
from service.access import Principal, allow
from service.decisions.attempts import Attempt, attempted
from service.decisions.errors import AlreadyProposed, NotAPerson, NothingProposed, SamePerson
from service.errors import BookNotCovered, IdempotencyKeyReused, InvalidCursor, NotFound
from service.problems import refusals
from service.refunds import actions, queries
from service.refunds.actions import Desk
from service.refunds.errors import NothingToRefund, RefundExceeds, RefundState, SeveralMoneys
from service.refunds.messages import (
    NewOutcome,
    NewRefund,
    NewReturn,
    Refund,
    RefundPage,
    RefundStatus,
    Rejection,
    Verdict,
)
from service.strict_json import StrictJSON
from service.web.calls import ASKED, WITH_BODY, Cursor, Limit
from service.web.idempotency import Done, OptionalKey

TAGS: Final = ["refunds"]
DECIDING: Final = (
    *WITH_BODY,
    NotFound,
    BookNotCovered,
    NotAPerson,
    SamePerson,
    NothingProposed,
    RefundExceeds,
    RefundState,
    IdempotencyKeyReused,
)

CallerRequest = Request[Principal, object, State]


def _desk(caller: Principal, state: State, now: datetime) -> Desk:
    return Desk(caller=caller, sealer=state.sealer, settings=state.settings, now=now)


async def _decided(
    state: State, attempt: Attempt, verdict: decisions.Verdict, reason: str | None
) -> Response[Refund]:
    """Count what a checker says about a refund, or about its outcome."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        desk = _desk(attempt.caller, state, now)
        return await actions.decide(connection, desk, attempt.subject_id, verdict, reason)

    return await attempted(state, attempt, act, Refund)


@post(
    "/v1/fee-notices/{notice_id:uuid}/refunds",
    operation_id="askForRefund",
    summary="Give money back",
    description=(
        "With a maker's session this is a proposal for a checker; with the one-stop's key it is a"
        " wish that a maker has to take up. Nothing is booked and nothing is sent before it is"
        " approved. Two proposals cannot have the same money."
    ),
    tags=TAGS,
    opt=allow("refunds:ask", "refunds:propose"),
    dto=StrictJSON[NewRefund],
    return_dto=None,
    responses=refusals(
        *WITH_BODY,
        NotFound,
        BookNotCovered,
        NotAPerson,
        NothingToRefund,
        SeveralMoneys,
        RefundExceeds,
        IdempotencyKeyReused,
    ),
)
async def ask_for_refund(
    notice_id: FromPath[UUID],
    data: JSONBody[NewRefund],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Refund]:
    """Wish for a refund, or propose it."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await actions.ask(connection, _desk(request.user, state, now), notice_id, data)

    attempt = Attempt(request.user, notice_id, "refunds", data, idempotency_key)
    return await attempted(state, attempt, act, Refund)


@post(
    "/v1/refunds",
    operation_id="giveMoneyBack",
    summary="Give back money that belongs to no notice",
    description=(
        "A transfer that nobody can explain, or that was never ours: a maker proposes, a checker"
        " approves. `movement_id` is the `subject_id` of its case on the unmatched list."
    ),
    tags=TAGS,
    opt=allow("refunds:propose"),
    dto=StrictJSON[NewReturn],
    return_dto=None,
    responses=refusals(
        *WITH_BODY,
        NotFound,
        BookNotCovered,
        NotAPerson,
        NothingToRefund,
        RefundExceeds,
        IdempotencyKeyReused,
    ),
)
async def give_money_back(
    data: JSONBody[NewReturn],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Refund]:
    """Propose to give back money without a notice."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await actions.give_back(connection, _desk(request.user, state, now), data)

    attempt = Attempt(request.user, data.movement_id, "refunds", data, idempotency_key)
    return await attempted(state, attempt, act, Refund)


@get(
    "/v1/refunds",
    operation_id="listRefunds",
    summary="Refunds by how they stand",
    tags=TAGS,
    opt=allow("refunds:read"),
    responses=refusals(*ASKED, InvalidCursor),
)
async def list_refunds(
    *,
    request: CallerRequest,
    state: State,
    status: Annotated[RefundStatus | None, QueryParameter(description="How they stand.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RefundPage:
    """A page of refunds, in the order of books and of asking."""
    question = queries.PageQuestion(limit=limit, status=status, cursor=cursor)
    async with state.engine.connect() as connection:
        return await queries.page(connection, state.sealer, request.user, question)


@get(
    "/v1/refunds/{refund_id:uuid}",
    operation_id="readRefund",
    summary="One refund: its ways, and everything that was done about it",
    tags=TAGS,
    opt=allow("refunds:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_refund(refund_id: FromPath[UUID], request: CallerRequest, state: State) -> Refund:
    """One refund."""
    async with state.engine.connect() as connection:
        found = await queries.refunds(connection, state.sealer, request.user, [refund_id])
    if not found:
        raise NotFound
    return found[0]


@post(
    "/v1/refunds/{refund_id:uuid}/proposal",
    operation_id="proposeRefund",
    summary="Take up a wish as a proposal",
    tags=TAGS,
    status_code=200,
    opt=allow("refunds:propose"),
    dto=StrictJSON[Verdict],
    return_dto=None,
    responses=refusals(*DECIDING, AlreadyProposed),
)
async def propose_refund(
    refund_id: FromPath[UUID],
    data: JSONBody[Verdict],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Refund]:
    """Propose what a machine wished for."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await actions.take_up(connection, _desk(request.user, state, now), refund_id)

    attempt = Attempt(request.user, refund_id, "proposal", data, idempotency_key)
    return await attempted(state, attempt, act, Refund)


@post(
    "/v1/refunds/{refund_id:uuid}/approval",
    operation_id="approveRefund",
    summary="Approve what another person proposed",
    description="From a set amount on it takes two people's approval.",
    tags=TAGS,
    status_code=200,
    opt=allow("refunds:decide"),
    dto=StrictJSON[Verdict],
    return_dto=None,
    responses=refusals(*DECIDING),
)
async def approve_refund(
    refund_id: FromPath[UUID],
    data: JSONBody[Verdict],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Refund]:
    """Approve a refund, or its outcome."""
    attempt = Attempt(request.user, refund_id, "approval", data, idempotency_key)
    return await _decided(state, attempt, "approved", data.reason)


@post(
    "/v1/refunds/{refund_id:uuid}/rejection",
    operation_id="rejectRefund",
    summary="Reject what another person proposed, or turn a wish down",
    tags=TAGS,
    status_code=200,
    opt=allow("refunds:decide"),
    dto=StrictJSON[Rejection],
    return_dto=None,
    responses=refusals(*DECIDING),
)
async def reject_refund(
    refund_id: FromPath[UUID],
    data: JSONBody[Rejection],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Refund]:
    """Reject a refund, or its outcome."""
    attempt = Attempt(request.user, refund_id, "rejection", data, idempotency_key)
    return await _decided(state, attempt, "rejected", data.reason)


@post(
    "/v1/refunds/{refund_id:uuid}/outcome",
    operation_id="proposeRefundOutcome",
    summary="Say how a refund ended, where only people know",
    description=(
        "The Treasury's decision with its number and date; a bank debit that named nothing; what a"
        " provider told people after it stopped answering. Another person has to approve it."
    ),
    tags=TAGS,
    status_code=200,
    opt=allow("refunds:propose"),
    dto=StrictJSON[NewOutcome],
    return_dto=None,
    responses=refusals(*DECIDING, AlreadyProposed),
)
async def propose_outcome(
    refund_id: FromPath[UUID],
    data: JSONBody[NewOutcome],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Refund]:
    """Propose how a part ended."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await actions.propose_outcome(
            connection, _desk(request.user, state, now), refund_id, data
        )

    attempt = Attempt(request.user, refund_id, "outcome", data, idempotency_key)
    return await attempted(state, attempt, act, Refund)


ROUTES: Final[list[HTTPRouteHandler]] = [
    ask_for_refund,
    give_money_back,
    list_refunds,
    read_refund,
    propose_refund,
    approve_refund,
    reject_refund,
    propose_outcome,
]
