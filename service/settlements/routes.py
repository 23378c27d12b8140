"""The settlement calls: take a file, show how far it is."""

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
from service.settlements import queries
from service.settlements.errors import UnknownMapping, UnknownMerchant
from service.settlements.importing import import_when_free
from service.settlements.keeping import keep, payee
from service.settlements.messages import Settlement, SettlementPage, SettlementStatus
from service.web.background import background_of
from service.web.calls import ASKED, WITH_BODY, Cursor, Limit

TAGS: Final = ["settlements"]
FORM_BYTES_MAX: Final = 200_000
"""What the parts around the file may add to a call."""


@dataclass(frozen=True, slots=True)
class NewSettlement:
    """A multipart form: the file (CSV or XLSX), whose money it settles, and how it is laid out.

    `merchant` is `provider/merchant`. `mapping` is the name of a known mapping, or one as JSON;
    without it, the one of the merchant's settings, or else the provider's.
    """

    file: UploadFile
    merchant: str
    mapping: str = ""


@post(
    "/v1/settlements",
    operation_id="importSettlement",
    summary="Import a provider's settlement file",
    description=(
        "Keeps the file and imports it in the background; ask the resource how far it is. The same"
        " file for the same merchant is the same resource, and overlapping files count a line once."
    ),
    tags=TAGS,
    status_code=202,
    request_max_body_size=FILE_BYTES_MAX + FORM_BYTES_MAX,
    opt=allow("settlements:write"),
    responses=refusals(
        *WITH_BODY, UnsupportedMediaType, UnknownMerchant, UnknownMapping, EmptyFile
    ),
)
async def import_settlement(
    data: MultipartBody[NewSettlement],
    request: Request[Principal, object, State],
    state: State,
) -> Settlement:
    """Keep a file and begin to import it."""
    async with state.engine.connect() as connection:
        whose = await payee(connection, request.user.book_list, data.merchant)
    settings = state.get("settings")
    size_max = FILE_BYTES_MAX if settings is None else settings.file_size_max_bytes
    kept = await keep(
        state.engine, state.sealer, whose, data.mapping, data.file.read, size_max=size_max
    )
    async with state.engine.connect() as connection:
        found = await queries.settlement(connection, [kept.book_id], kept.id)
    if found is None:
        raise NotFound
    if found.status in {"received", "importing"}:
        background_of(state).start(
            f"settlement:{kept.id}", import_when_free(state.engine, state.sealer, kept)
        )
    return found


@get(
    "/v1/settlements/{settlement_id:uuid}",
    operation_id="readSettlement",
    summary="One settlement and how far its import is",
    tags=TAGS,
    opt=allow("settlements:read"),
    responses=refusals(*ASKED, NotFound),
)
async def read_settlement(
    settlement_id: FromPath[UUID], request: Request[Principal, object, State], state: State
) -> Settlement:
    """One settlement."""
    async with state.engine.connect() as connection:
        found = await queries.settlement(connection, request.user.book_list, settlement_id)
    if found is None:
        raise NotFound
    return found


@get(
    "/v1/settlements",
    operation_id="listSettlements",
    summary="Settlements",
    tags=TAGS,
    opt=allow("settlements:read"),
    responses=refusals(*ASKED, InvalidCursor),
)
async def list_settlements(
    *,
    request: Request[Principal, object, State],
    state: State,
    provider: Annotated[
        str | None, QueryParameter(max_length=64, description="Only of this provider.")
    ] = None,
    status: Annotated[SettlementStatus | None, QueryParameter(description="How they are.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SettlementPage:
    """A page of settlements, in the order of books and of arrival."""
    question = queries.PageQuestion(
        books=request.user.book_list,
        limit=limit,
        provider=provider,
        status=status,
        cursor=cursor,
    )
    async with state.engine.connect() as connection:
        return await queries.page(connection, question)


ROUTES: Final[list[HTTPRouteHandler]] = [import_settlement, read_settlement, list_settlements]
