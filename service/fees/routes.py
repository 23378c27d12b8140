"""The fee-notice calls: parse, ask the action or the query, answer."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import business_day
from service.access import Principal, allow
from service.errors import (
    AboveOutstanding,
    BookNotCovered,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    InvalidCursor,
    NotFound,
    NothingOutstanding,
    NoticeCancelled,
    NoticeHasMoney,
    TooManyItems,
)
from service.fees import actions, queries
from service.fees.codes import read_dossier
from service.fees.messages import (
    AddedItems,
    Cancellation,
    Exemption,
    FeeNotice,
    FeeNoticePage,
    FeeNoticeStatuses,
    NewFeeNotice,
    Status,
    StatusQuestion,
)
from service.problems import refusals
from service.strict_json import StrictJSON
from service.web.calls import ASKED, WITH_BODY, Cursor, Limit
from service.web.idempotency import Done, Once, OptionalKey, RequiredKey, answer, once

TAGS: Final = ["fee notices"]
CHANGES: Final = (*WITH_BODY, NotFound, NoticeCancelled, IdempotencyKeyReused)


@post(
    "/v1/fee-notices",
    operation_id="recordFeeNotice",
    summary="Record what a dossier owes",
    description=(
        "The same key with the same body has one effect and one answer, also when calls race."
    ),
    tags=TAGS,
    opt=allow("notices:write"),
    dto=StrictJSON[NewFeeNotice],
    return_dto=None,
    responses=refusals(*WITH_BODY, BookNotCovered, IdempotencyKeyMissing, IdempotencyKeyReused),
)
async def record_notice(
    data: JSONBody[NewFeeNotice],
    request: Request[Principal, object, State],
    state: State,
    idempotency_key: RequiredKey,
) -> Response[FeeNotice]:
    """Record a fee notice once."""
    caller = request.user

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        return await actions.record(connection, state.sealer, caller, data, now)

    call = Once(caller=caller.id, key=idempotency_key, route="POST fee-notices", request=data)
    return answer(await once(state.engine, state.sealer, call, act), FeeNotice)


@get(
    "/v1/fee-notices/{notice_id:uuid}",
    operation_id="readFeeNotice",
    summary="One fee notice",
    tags=TAGS,
    opt=allow("notices:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_notice(
    notice_id: FromPath[UUID], request: Request[Principal, object, State], state: State
) -> FeeNotice:
    """One fee notice with its items and counters."""
    async with state.engine.connect() as connection:
        found = await queries.notices(connection, state.sealer, request.user.book_list, [notice_id])
    if not found:
        raise NotFound
    return found[0]


@get(
    "/v1/fee-notices",
    operation_id="listFeeNotices",
    summary="Fee notices by dossier or status",
    tags=TAGS,
    opt=allow("notices:read"),
    responses=refusals(*ASKED, InvalidCursor),
)
async def list_notices(
    *,
    request: Request[Principal, object, State],
    state: State,
    dossier_code: Annotated[
        str | None,
        QueryParameter(description="In any notation.", min_length=1, max_length=40),
    ] = None,
    status: Annotated[Status | None, QueryParameter(description="How they stand.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> FeeNoticePage:
    """A page of fee notices, in the order of books and of recording."""
    dossier = None
    if dossier_code is not None:
        dossier = read_dossier(dossier_code, business_day(datetime.now(UTC)))
    question = queries.PageQuestion(
        books=request.user.book_list,
        limit=limit,
        dossier_code=None if dossier is None else dossier.text,
        dossier_key=None if dossier is None else dossier.key,
        status=status,
        cursor=cursor,
    )
    async with state.engine.connect() as connection:
        return await queries.page(connection, state.sealer, question)


@post(
    "/v1/fee-notices/status",
    operation_id="readFeeNoticeStates",
    summary="The state of up to 500 notices",
    tags=TAGS,
    status_code=200,
    opt=allow("notices:read"),
    dto=StrictJSON[StatusQuestion],
    return_dto=None,
    responses=refusals(*WITH_BODY),
)
async def read_states(
    data: JSONBody[StatusQuestion], request: Request[Principal, object, State], state: State
) -> FeeNoticeStatuses:
    """How many notices stand, in one answer."""
    async with state.engine.connect() as connection:
        return await queries.states(connection, request.user.book_list, data.notice_ids)


@post(
    "/v1/fee-notices/{notice_id:uuid}/items",
    operation_id="addFeeItems",
    summary="An additional charge",
    tags=TAGS,
    opt=allow("notices:write"),
    dto=StrictJSON[AddedItems],
    return_dto=None,
    responses=refusals(*CHANGES, TooManyItems),
)
async def add_items(
    notice_id: FromPath[UUID],
    data: JSONBody[AddedItems],
    request: Request[Principal, object, State],
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[FeeNotice]:
    """Add items to a notice, for example after appraisal."""
    caller = request.user

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        notice = await actions.lock(connection, caller, notice_id)
        return await actions.add_items(connection, state.sealer, notice, data, now)

    call = Once(
        caller=caller.id, key=idempotency_key, route=f"POST {notice_id}/items", request=data
    )
    return answer(await once(state.engine, state.sealer, call, act), FeeNotice)


@post(
    "/v1/fee-notices/{notice_id:uuid}/cancellation",
    operation_id="cancelFeeNotice",
    summary="Cancel a notice that no money is on",
    tags=TAGS,
    status_code=200,
    opt=allow("notices:write"),
    dto=StrictJSON[Cancellation],
    return_dto=None,
    responses=refusals(*CHANGES, NoticeHasMoney),
)
async def cancel_notice(
    notice_id: FromPath[UUID],
    data: JSONBody[Cancellation],
    request: Request[Principal, object, State],
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[FeeNotice]:
    """Cancel a notice."""
    caller = request.user

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        notice = await actions.lock(connection, caller, notice_id, waives=True)
        told = actions.Decided(caller=caller, now=now)
        return await actions.cancel(connection, state.sealer, notice, data, told)

    call = Once(
        caller=caller.id, key=idempotency_key, route=f"POST {notice_id}/cancellation", request=data
    )
    return answer(await once(state.engine, state.sealer, call, act), FeeNotice)


@post(
    "/v1/fee-notices/{notice_id:uuid}/exemption",
    operation_id="exemptFeeNotice",
    summary="Waive all or a part of what is outstanding",
    tags=TAGS,
    status_code=200,
    opt=allow("notices:write"),
    dto=StrictJSON[Exemption],
    return_dto=None,
    responses=refusals(*CHANGES, NothingOutstanding, AboveOutstanding),
)
async def exempt_notice(
    notice_id: FromPath[UUID],
    data: JSONBody[Exemption],
    request: Request[Principal, object, State],
    state: State,
    idempotency_key: OptionalKey = None,
) -> Response[FeeNotice]:
    """Exempt a notice or one of its items, wholly or in part."""
    caller = request.user

    async def act(connection: AsyncConnection, now: datetime) -> Done:
        notice = await actions.lock(connection, caller, notice_id, waives=True)
        told = actions.Decided(caller=caller, now=now)
        return await actions.exempt(connection, state.sealer, notice, data, told)

    call = Once(
        caller=caller.id, key=idempotency_key, route=f"POST {notice_id}/exemption", request=data
    )
    return answer(await once(state.engine, state.sealer, call, act), FeeNotice)


NOTICE_ROUTES: Final[list[HTTPRouteHandler]] = [
    record_notice,
    read_notice,
    list_notices,
    read_states,
    add_items,
    cancel_notice,
    exempt_notice,
]
