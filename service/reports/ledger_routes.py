"""The books over HTTP: accounts, trial balance, entries. Reads only."""

from datetime import UTC, date, datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from service.access import Principal, allow
from service.database import snapshot
from service.errors import BookNotCovered, FieldError, InvalidCursor, InvalidRequest
from service.problems import refusals
from service.reports import ledger_queries
from service.reports.ledger_messages import Accounts, EntriesShown, TrialBalanceShown
from service.reports.ledger_queries import EntryQuestion, Moment
from service.web.calls import ASKED, Cursor, Limit

TAGS: Final = ["ledger"]
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

BookId: TypeAlias = Annotated[
    int | None,
    QueryParameter(
        name="book_id", ge=1, le=2**31 - 1, description="One book; without it, all of yours."
    ),
]
At: TypeAlias = Annotated[
    datetime | None,
    QueryParameter(description="What had been recorded at this instant (with its zone)."),
]
ValueDate: TypeAlias = Annotated[
    date | None, QueryParameter(description="What concerns days up to this one.")
]


def books_of(caller: Principal, book_id: int | None) -> list[int]:
    """The caller's books, or the one asked for; raises BookNotCovered."""
    if book_id is None:
        return caller.book_list
    caller.cover(book_id)
    return [book_id]


def moment_of(at: datetime | None, value_date: date | None) -> Moment:
    """The time axes asked for; raises InvalidRequest for an instant without a zone, or absurd."""
    if at is not None and (at.tzinfo is None or not EARLIEST <= at <= LATEST):
        error = FieldError(field="query: at", message="needs a zone, and a year from 2000 to 2199")
        raise InvalidRequest(errors=[error])
    return Moment(at=at, value_date=value_date)


@get(
    "/v1/ledger/accounts",
    operation_id="listAccounts",
    summary="The chart of accounts with balances",
    tags=TAGS,
    opt=allow("ledger:read"),
    responses=refusals(*ASKED, BookNotCovered),
)
async def list_accounts(
    *,
    request: Request[Principal, object, State],
    state: State,
    book_id: BookId = None,
    at: At = None,
    value_date: ValueDate = None,
) -> Accounts:
    """Every account of the books asked for."""
    moment = moment_of(at, value_date)
    books = books_of(request.user, book_id)
    async with snapshot(state.engine) as connection:
        found = await ledger_queries.trial(connection, books, moment)
    return Accounts(
        items=ledger_queries.as_accounts(found), at=moment.at, value_date=moment.value_date
    )


@get(
    "/v1/ledger/trial-balance",
    operation_id="readTrialBalance",
    summary="The trial balance, at any instant and value date",
    tags=TAGS,
    opt=allow("ledger:read"),
    responses=refusals(*ASKED, BookNotCovered),
)
async def read_trial_balance(
    *,
    request: Request[Principal, object, State],
    state: State,
    book_id: BookId = None,
    at: At = None,
    value_date: ValueDate = None,
) -> TrialBalanceShown:
    """The trial balances of the books asked for, over one snapshot."""
    moment = moment_of(at, value_date)
    books = books_of(request.user, book_id)
    async with snapshot(state.engine) as connection:
        return await ledger_queries.trial(connection, books, moment)


@get(
    "/v1/ledger/entries",
    operation_id="listEntries",
    summary="Entries with their lines",
    tags=TAGS,
    opt=allow("ledger:read"),
    responses=refusals(*ASKED, BookNotCovered, InvalidCursor),
)
async def list_entries(
    *,
    request: Request[Principal, object, State],
    state: State,
    book_id: BookId = None,
    notice_id: Annotated[UUID | None, QueryParameter(description="Those of one notice.")] = None,
    movement_id: Annotated[
        UUID | None, QueryParameter(description="Those of one movement of money.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> EntriesShown:
    """A page of entries, book after book, newest first."""
    if notice_id is not None and movement_id is not None:
        error = FieldError(field="query: movement_id", message="not together with notice_id")
        raise InvalidRequest(errors=[error])
    question = EntryQuestion(
        books=books_of(request.user, book_id),
        limit=limit,
        notice_id=notice_id,
        movement_id=movement_id,
        cursor=cursor,
    )
    async with snapshot(state.engine) as connection:
        return await ledger_queries.entries(connection, question)


ROUTES: Final[list[HTTPRouteHandler]] = [list_accounts, read_trial_balance, list_entries]
