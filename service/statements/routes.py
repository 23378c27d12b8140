"""The statement calls: take a file, show how far it is."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State, UploadFile
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, MultipartBody, QueryParameter

from service.access import Principal, allow
from service.errors import EmptyFile, InvalidCursor, NotFound, UnsupportedMediaType
from service.problems import refusals
from service.sealed_files import FILE_BYTES_MAX
from service.statements import queries
from service.statements.errors import UnknownBankAccount, UnknownLayout
from service.statements.importing import import_when_free
from service.statements.keeping import keep
from service.statements.messages import Statement, StatementPage, StatementStatus
from service.web.background import background_of
from service.web.calls import ASKED, WITH_BODY, Cursor, Limit

TAGS: Final = ["statements"]
FORM_BYTES_MAX: Final = 200_000
"""What the parts around the file may add to a call."""


@dataclass(frozen=True, slots=True)
class NewStatement:
    """A multipart form: the file, whose account it is of, and how it is laid out.

    `account` is the account's id, or bank and number as `970436-0071001234567`. `layout` is the
    name of a known layout, or a column mapping as JSON.
    """

    file: UploadFile
    account: str
    layout: str = "vietcombank"


@post(
    "/v1/statements",
    operation_id="importStatement",
    summary="Import a bank statement",
    description=(
        "Keeps the file and imports it in the background; ask the resource how far it is. The same"
        " file for the same account is the same resource, and overlapping files double no line."
    ),
    tags=TAGS,
    status_code=202,
    request_max_body_size=FILE_BYTES_MAX + FORM_BYTES_MAX,
    opt=allow("statements:write"),
    responses=refusals(
        *WITH_BODY, UnsupportedMediaType, UnknownBankAccount, UnknownLayout, EmptyFile
    ),
)
async def import_statement(
    data: MultipartBody[NewStatement],
    request: Request[Principal, object, State],
    state: State,
) -> Statement:
    """Keep a file and begin to import it."""
    async with state.engine.connect() as connection:
        account = await queries.account(connection, request.user.book_list, data.account)
    settings = state.get("settings")
    size_max = FILE_BYTES_MAX if settings is None else settings.file_size_max_bytes
    kept = await keep(
        state.engine, state.sealer, account, data.layout, data.file.read, size_max=size_max
    )
    async with state.engine.connect() as connection:
        found = await queries.statement(connection, [kept.book_id], kept.id)
    if found is None:
        raise NotFound
    if found.status in {"received", "importing"}:
        background_of(state).start(
            f"statement:{kept.id}", import_when_free(state.engine, state.sealer, kept)
        )
    return found


@get(
    "/v1/statements/{statement_id:uuid}",
    operation_id="readStatement",
    summary="One statement and how far its import is",
    tags=TAGS,
    opt=allow("statements:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_statement(
    statement_id: FromPath[UUID], request: Request[Principal, object, State], state: State
) -> Statement:
    """One statement."""
    async with state.engine.connect() as connection:
        found = await queries.statement(connection, request.user.book_list, statement_id)
    if found is None:
        raise NotFound
    return found


@get(
    "/v1/statements",
    operation_id="listStatements",
    summary="Statements",
    tags=TAGS,
    opt=allow("statements:read"),
    responses=refusals(*ASKED, InvalidCursor),
)
async def list_statements(
    *,
    request: Request[Principal, object, State],
    state: State,
    bank_account_id: Annotated[
        int | None, QueryParameter(ge=1, le=2**31 - 1, description="Only of this account.")
    ] = None,
    status: Annotated[StatementStatus | None, QueryParameter(description="How they are.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> StatementPage:
    """A page of statements, in the order of books and of arrival."""
    question = queries.PageQuestion(
        books=request.user.book_list,
        limit=limit,
        bank_account_id=bank_account_id,
        status=status,
        cursor=cursor,
    )
    async with state.engine.connect() as connection:
        return await queries.page(connection, question)


ROUTES: Final[list[HTTPRouteHandler]] = [import_statement, read_statement, list_statements]
