"""The unmatched list over HTTP: the list this service exists for. Reads only."""

from datetime import UTC, datetime
from typing import Annotated, Final

from litestar import Request, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from service.access import Principal, allow
from service.errors import BookNotCovered, InvalidCursor
from service.problems import refusals
from service.reports import unmatched_queries
from service.reports.unmatched_messages import Side, UnmatchedPage
from service.reports.unmatched_queries import AGE_DAYS_MAX, Question
from service.web.calls import ASKED, Cursor, Limit


@get(
    "/v1/unmatched-transactions",
    operation_id="listUnmatchedTransactions",
    summary="What nothing explains yet",
    description=(
        "Every live case of your books, each with its reason, a comparison field by field, and"
        " ranked candidates. Resolved ones leave the list."
    ),
    tags=["reconciliation"],
    opt=allow("unmatched:read"),
    responses=refusals(*ASKED, InvalidCursor, BookNotCovered),
)
async def list_unmatched(
    *,
    request: Request[Principal, object, State],
    state: State,
    side: Annotated[Side | None, QueryParameter(description="Who told of it.")] = None,
    reason: Annotated[
        str | None,
        QueryParameter(
            pattern=r"^[A-Z_]{2,40}$", description="A code, such as `UNIDENTIFIED_CREDIT`."
        ),
    ] = None,
    min_age_days: Annotated[
        int, QueryParameter(ge=0, le=AGE_DAYS_MAX, description="At least so many days old.")
    ] = 0,
    book_id: Annotated[
        int | None,
        QueryParameter(ge=1, le=2**31 - 1, description="One book; without it, all of yours."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> UnmatchedPage:
    """A page of unmatched items, in the order of books and of opening."""
    caller = request.user
    if book_id is not None:
        caller.cover(book_id)
    question = Question(
        books=caller.book_list if book_id is None else [book_id],
        now=datetime.now(UTC),
        limit=limit,
        side=side,
        reason=reason,
        min_age_days=min_age_days,
        cursor=cursor,
    )
    async with state.engine.connect() as connection:
        return await unmatched_queries.page(connection, question)


ROUTES: Final[list[HTTPRouteHandler]] = [list_unmatched]
