"""The remittance calls: parse, ask the action or the query, answer."""

from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncConnection

from service import decisions
from service.access import Principal, allow
from service.decisions.attempts import Attempt, attempted
from service.decisions.errors import AlreadyProposed, NotAPerson, NothingProposed, SamePerson
from service.errors import (
    BookNotCovered,
    BookNotNamed,
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
)
from service.problems import refusals
from service.remittance import actions, queries, recognising
from service.remittance.actions import Desk
from service.remittance.errors import NothingToRemit, PeriodOpen, RemittanceState
from service.remittance.messages import (
    NewRecognition,
    NewRecord,
    NewRemittance,
    Recognition,
    Remittance,
    RemittancePage,
    Vote,
)
from service.strict_json import StrictJSON
from service.web.calls import ASKED, WITH_BODY, Cursor, Limit
from service.web.idempotency import Done, Once, OptionalKey, answer, once

TAGS: Final = ["remittance"]
PROPOSING: Final = (
    *WITH_BODY,
    BookNotCovered,
    BookNotNamed,
    NotAPerson,
    PeriodOpen,
    NothingToRemit,
    AlreadyProposed,
    IdempotencyKeyReused,
)
DECIDING: Final = (
    *WITH_BODY,
    NotFound,
    NotAPerson,
    SamePerson,
    NothingProposed,
    RemittanceState,
    IdempotencyKeyReused,
)

CallerRequest = Request[Principal, object, State]


def _desk(caller: Principal, state: State, now: datetime) -> Desk:
    return Desk(caller=caller, settings=state.settings, now=now)


async def _remittance_decided(
    state: State, attempt: Attempt, verdict: decisions.Verdict, reason: str | None
) -> Response[Remittance]:
    """Count what a checker says about a remittance, or about a record of it."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        desk = _desk(attempt.caller, state, now)
        return await actions.decide(connection, desk, attempt.subject_id, verdict, reason)

    return await attempted(state, attempt, act, Remittance)


async def _recognition_decided(
    state: State, attempt: Attempt, verdict: decisions.Verdict, reason: str | None
) -> Response[Recognition]:
    """Count what a checker says about a recognition."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        desk = _desk(attempt.caller, state, now)
        return await recognising.decide(connection, desk, attempt.subject_id, verdict, reason)

    return await attempted(state, attempt, act, Recognition)


def _book(request: CallerRequest, named: int | None) -> int:
    if named is not None:
        return named
    if len(request.user.books) != 1:
        raise BookNotNamed
    (only,) = request.user.books
    return only


@post(
    "/v1/remittances",
    operation_id="proposeRemittance",
    summary="Take fees apart and propose what goes to the budget",
    description=(
        "Everything of a book and a calendar that was paid until a day and not taken apart before:"
        " the retained share, rounded down to whole đồng, and the rest for the budget. The service"
        " works the amounts out; a checker approves them."
    ),
    tags=TAGS,
    opt=allow("remittances:propose"),
    dto=StrictJSON[NewRemittance],
    return_dto=None,
    responses=refusals(*PROPOSING),
)
async def propose_remittance(
    data: JSONBody[NewRemittance],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Remittance]:
    """Propose a remittance."""
    book_id = _book(request, data.book_id)

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await actions.propose(connection, _desk(request.user, state, now), book_id, data)

    call = Once(caller=request.user.id, key=idempotency_key, route="POST remittances", request=data)
    return answer(await once(state.engine, state.sealer, call, act), Remittance)


@get(
    "/v1/remittances",
    operation_id="listRemittances",
    summary="Remittances, as they were proposed",
    tags=TAGS,
    opt=allow("remittances:read"),
    responses=refusals(*ASKED, InvalidCursor),
)
async def list_remittances(
    *, request: CallerRequest, state: State, cursor: Cursor = None, limit: Limit = 50
) -> RemittancePage:
    """A page of remittances, in the order of books and of proposing."""
    async with state.engine.connect() as connection:
        return await queries.page(connection, request.user, limit, cursor)


@get(
    "/v1/remittances/{remittance_id:uuid}",
    operation_id="readRemittance",
    summary="One remittance, fee by fee",
    tags=TAGS,
    opt=allow("remittances:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_remittance(
    remittance_id: FromPath[UUID], request: CallerRequest, state: State
) -> Remittance:
    """One remittance."""
    async with state.engine.connect() as connection:
        found = await queries.remittances(connection, request.user, [remittance_id])
    if not found:
        raise NotFound
    return found[0]


@post(
    "/v1/remittances/{remittance_id:uuid}/approval",
    operation_id="approveRemittance",
    summary="Approve what another person proposed about a remittance",
    description="The remittance itself, or what happened to it at the Treasury.",
    tags=TAGS,
    status_code=200,
    opt=allow("remittances:decide"),
    dto=StrictJSON[Vote],
    return_dto=None,
    responses=refusals(*DECIDING),
)
async def approve_remittance(
    remittance_id: FromPath[UUID],
    data: JSONBody[Vote],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Remittance]:
    """Approve a remittance, or a record of it."""
    attempt = Attempt(request.user, remittance_id, "approval", data, idempotency_key)
    return await _remittance_decided(state, attempt, "approved", data.reason)


@post(
    "/v1/remittances/{remittance_id:uuid}/rejection",
    operation_id="rejectRemittance",
    summary="Reject what another person proposed about a remittance",
    tags=TAGS,
    status_code=200,
    opt=allow("remittances:decide"),
    dto=StrictJSON[Vote],
    return_dto=None,
    responses=refusals(*DECIDING),
)
async def reject_remittance(
    remittance_id: FromPath[UUID],
    data: JSONBody[Vote],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Remittance]:
    """Reject a remittance, or a record of it."""
    attempt = Attempt(request.user, remittance_id, "rejection", data, idempotency_key)
    return await _remittance_decided(state, attempt, "rejected", data.reason)


@post(
    "/v1/remittances/{remittance_id:uuid}/records",
    operation_id="proposeRemittanceRecord",
    summary="Record what happened at the Treasury",
    description="Arrival on the pending account, or the payment slip; another person confirms it.",
    tags=TAGS,
    status_code=200,
    opt=allow("remittances:propose"),
    dto=StrictJSON[NewRecord],
    return_dto=None,
    responses=refusals(*DECIDING, AlreadyProposed),
)
async def propose_record(
    remittance_id: FromPath[UUID],
    data: JSONBody[NewRecord],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Remittance]:
    """Propose a record."""

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        desk = _desk(request.user, state, now)
        return await actions.propose_record(connection, desk, remittance_id, data)

    route = f"POST {remittance_id}/records"
    call = Once(caller=request.user.id, key=idempotency_key, route=route, request=data)
    return answer(await once(state.engine, state.sealer, call, act), Remittance)


@post(
    "/v1/recognitions",
    operation_id="proposeRecognition",
    summary="Propose that retained shares become revenue",
    tags=TAGS,
    opt=allow("remittances:propose"),
    dto=StrictJSON[NewRecognition],
    return_dto=None,
    responses=refusals(*PROPOSING),
)
async def propose_recognition(
    data: JSONBody[NewRecognition],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Recognition]:
    """Propose a recognition."""
    book_id = _book(request, data.book_id)

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await recognising.propose(connection, _desk(request.user, state, now), book_id, data)

    call = Once(
        caller=request.user.id, key=idempotency_key, route="POST recognitions", request=data
    )
    return answer(await once(state.engine, state.sealer, call, act), Recognition)


@post(
    "/v1/recognitions/{recognition_id:uuid}/approval",
    operation_id="approveRecognition",
    summary="Approve that retained shares become revenue",
    tags=TAGS,
    status_code=200,
    opt=allow("remittances:decide"),
    dto=StrictJSON[Vote],
    return_dto=None,
    responses=refusals(*DECIDING),
)
async def approve_recognition(
    recognition_id: FromPath[UUID],
    data: JSONBody[Vote],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Recognition]:
    """Approve a recognition."""
    attempt = Attempt(request.user, recognition_id, "approval", data, idempotency_key)
    return await _recognition_decided(state, attempt, "approved", data.reason)


@post(
    "/v1/recognitions/{recognition_id:uuid}/rejection",
    operation_id="rejectRecognition",
    summary="Reject that retained shares become revenue",
    tags=TAGS,
    status_code=200,
    opt=allow("remittances:decide"),
    dto=StrictJSON[Vote],
    return_dto=None,
    responses=refusals(*DECIDING),
)
async def reject_recognition(
    recognition_id: FromPath[UUID],
    data: JSONBody[Vote],
    request: CallerRequest,
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[Recognition]:
    """Reject a recognition."""
    attempt = Attempt(request.user, recognition_id, "rejection", data, idempotency_key)
    return await _recognition_decided(state, attempt, "rejected", data.reason)


ROUTES: Final[list[HTTPRouteHandler]] = [
    propose_remittance,
    list_remittances,
    read_remittance,
    approve_remittance,
    reject_remittance,
    propose_record,
    propose_recognition,
    approve_recognition,
    reject_recognition,
]
