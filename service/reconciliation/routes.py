"""The reconciliation calls: begin a run, ask how it went."""

from typing import Final
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from service.access import Principal, allow
from service.errors import BookNotCovered, NotFound
from service.problems import refusals
from service.reconciliation import runs
from service.reconciliation.errors import BookNotNamed
from service.reconciliation.messages import NewRun, Run
from service.strict_json import StrictJSON
from service.web.background import background_of
from service.web.calls import ASKED, WITH_BODY

TAGS: Final = ["reconciliation"]


@post(
    "/v1/reconciliation-runs",
    operation_id="startReconciliationRun",
    summary="Reconcile a book",
    description=(
        "Matches the money in suspense with what is owed, where the explanation is unique from"
        " both sides; everything else is on the unmatched list. It runs in the background, one run"
        " per book at a time; ask the resource how far it is. With `dry_run` it only says what"
        " would change."
    ),
    tags=TAGS,
    status_code=202,
    opt=allow("runs:write"),
    dto=StrictJSON[NewRun],
    return_dto=None,
    responses=refusals(*WITH_BODY, BookNotCovered, BookNotNamed),
)
async def start_run(
    data: JSONBody[NewRun], request: Request[Principal, object, State], state: State
) -> Run:
    """Begin a run."""
    caller = request.user
    book_id = data.book_id
    if book_id is None:
        if len(caller.books) != 1:
            raise BookNotNamed
        (book_id,) = caller.books
    caller.cover(book_id)
    run_id = await runs.begin(state.engine, book_id, data.business_date, dry_run=data.dry_run)
    async with state.engine.connect() as connection:
        begun = await runs.find(connection, [book_id], run_id)
    background_of(state).start(
        f"run:{run_id}", runs.execute(state.engine, book_id, run_id, sealer=state.sealer)
    )
    return begun


@get(
    "/v1/reconciliation-runs/{run_id:uuid}",
    operation_id="readReconciliationRun",
    summary="One run: counts, sums and what changed",
    tags=TAGS,
    opt=allow("runs:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_run(
    run_id: FromPath[UUID], request: Request[Principal, object, State], state: State
) -> Run:
    """One run."""
    async with state.engine.connect() as connection:
        return await runs.find(connection, request.user.book_list, run_id)


ROUTES: Final[list[HTTPRouteHandler]] = [start_run, read_run]
