"""Render everything that goes wrong as application/problem+json, in Vietnamese or English.

One renderer for refusals, Litestar's own exceptions, a database that is away, and the unexpected.
Internals never leave the house: an unexpected error is logged and told without its words.
"""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

import msgspec
import sqlalchemy.exc
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

from service.errors import (
    Busy,
    FieldError,
    Forbidden,
    IdempotencyKeyMissing,
    InvalidRequest,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    Refusal,
    TooLarge,
    Unauthenticated,
    Unexpected,
    UnsupportedMediaType,
)

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
ERRORS_SHOWN_MAX: Final = 50
TEXT_SHOWN_MAX: Final = 500

MISSING: Final = re.compile(r"Missing required (?P<source>\w+) parameter '(?P<key>[^']+)'")
IDEMPOTENCY_KEY: Final = "header: idempotency-key"

Language: TypeAlias = Literal["vi", "en"]
# A handler's principal is read from the scope, so the request's own type of user says nothing.
AnyRequest: TypeAlias = Request[object, object, State]

# SQLSTATE classes and codes that mean "try again": connection, resources, shutdown, lock timeout,
# serialization, deadlock, cancelled by a statement timeout, read-only after a failover.
TRY_AGAIN: Final = re.compile(r"^(08|53|57|55P03|40001|40P01|25006)")
BAD_DATA: Final = re.compile(r"^22")

log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong; `type` is the address of a page about it (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    errors: list[FieldError] = []


def language_of(accept_language: str) -> Language:
    """`en` where English is wanted more than Vietnamese; Vietnamese in every other case."""
    wanted: dict[str, float] = {}
    for part in accept_language[:200].split(","):
        name, _, weight = part.strip().partition(";")
        found = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight)
        value = float(found[1]) if found else (0.0 if weight else 1.0)
        primary = name.strip().lower().partition("-")[0]
        wanted[primary] = max(value, wanted.get(primary, 0.0))
    return "en" if wanted.get("en", 0.0) > wanted.get("vi", 0.0) else "vi"


def problem_type(kind: type[Refusal]) -> str:
    """The address of the page about a refusal."""
    return f"/problems/{kind.code}"


def refusals(*kinds: type[Refusal]) -> dict[int, ResponseSpec]:
    """What a handler's `responses=` says in the reference about the refusals it may give."""
    by_status: dict[int, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(f"`{kind.code}`: {kind.title_en}.")
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=" ".join(told),
            media_type=PROBLEM_JSON,
        )
        for status, told in by_status.items()
    }


def render(request: AnyRequest, error: Exception) -> Response[bytes]:
    """The answer to any exception; a handler for all of them."""
    refusal = as_refusal(error)
    kind = type(refusal)
    if kind is Unexpected:
        log.error("unexpected", path=route_of(request), exc_info=error)
    elif kind is Busy:
        log.warning("busy", path=route_of(request), why=type(error).__name__)
    in_english = language_of(request.headers.get("accept-language", "")) == "en"
    problem = Problem(
        type=problem_type(kind),
        title=kind.title_en if in_english else kind.title_vi,
        status=kind.status,
        detail=refusal.detail[:TEXT_SHOWN_MAX],
        errors=list(refusal.errors[:ERRORS_SHOWN_MAX]),
    )
    return Response(
        msgspec.json.encode(problem),
        status_code=kind.status,
        media_type=PROBLEM_JSON,
        headers=headers_of(refusal, error) | {"Content-Language": "en" if in_english else "vi"},
    )


def headers_of(refusal: Refusal, error: Exception) -> dict[str, str]:
    """Headers that belong to a refusal: when to come back, how to authenticate, what is allowed."""
    found = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    if isinstance(refusal, Busy):
        found["Retry-After"] = str(refusal.retry_after_s or RETRY_AFTER_S)
    elif refusal.retry_after_s is not None:
        found["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowedException) and error.headers:
        found |= {name.title(): value for name, value in error.headers.items()}
    return found


def as_refusal(error: Exception) -> Refusal:
    """Any exception in our own words."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        return of_litestar(error)
    if isinstance(error, SerializationException | UnicodeError):
        return MalformedRequest("the body or address is not readable text or JSON")
    if isinstance(error, sqlalchemy.exc.SQLAlchemyError):
        return of_database(error)
    state = getattr(error, "sqlstate", None)  # raised by the driver itself
    driver_away = isinstance(state, str) and TRY_AGAIN.match(state)
    return (
        Busy() if driver_away or isinstance(error, TimeoutError | ConnectionError) else Unexpected()
    )


def of_litestar(error: HTTPException) -> Refusal:
    """Litestar's exceptions in our own words; its `detail` may quote the input and is not told."""
    if isinstance(error, ValidationException):
        return of_fields(list(field_errors(error)))
    if isinstance(error, NotFoundException):
        return NotFound()
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed()
    by_status: dict[int, type[Refusal]] = {
        HTTPStatus.UNAUTHORIZED: Unauthenticated,
        HTTPStatus.FORBIDDEN: Forbidden,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaType,
        HTTPStatus.SERVICE_UNAVAILABLE: Busy,
    }
    if kind := by_status.get(error.status_code):
        return kind()
    if isinstance(error, ClientException):
        return MalformedRequest("the body or address is not readable")
    return Unexpected()


def of_fields(errors: Sequence[FieldError]) -> Refusal:
    """What does not fit; a key that is missing has a name of its own."""
    if any(told.field.lower() == IDEMPOTENCY_KEY for told in errors):
        return IdempotencyKeyMissing(errors=errors)
    return InvalidRequest(errors=errors)


def of_database(error: sqlalchemy.exc.SQLAlchemyError) -> Refusal:
    """A database that is away is `busy`; a value it cannot hold is the caller's; else ours."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):  # no connection free in the pool
        return Busy()
    if not isinstance(error, sqlalchemy.exc.DBAPIError):
        return Unexpected()
    state = getattr(error.orig, "sqlstate", None) or ""
    if BAD_DATA.match(state):
        return InvalidRequest("a value is outside what can be stored")
    if (
        error.connection_invalidated
        or TRY_AGAIN.match(state)
        or isinstance(error, sqlalchemy.exc.InterfaceError | sqlalchemy.exc.OperationalError)
    ):
        return Busy()
    return Unexpected()


def field_errors(error: ValidationException) -> Iterable[FieldError]:
    """Litestar's list of `{message, key, source}`, or its one sentence, as field errors."""
    if found := MISSING.match(error.detail):
        yield FieldError(field=f"{found['source']}: {found['key']}", message="is required")
    if not isinstance(error.extra, list):
        return
    for told in error.extra:
        key = str(told.get("key", ""))
        source = told.get("source", "body")
        where = str(getattr(source, "value", source))
        message = str(told.get("message", ""))
        if message == f"'{key}'":
            message = "is required"
        field = "body" if key == "data" else key
        if where == "header":
            field = field.replace("_", "-")
        yield FieldError(field=field if where == "body" else f"{where}: {field}", message=message)


def route_of(request: AnyRequest) -> str:
    """The template of the route (`/v1/fee-notices/{id}`), never the values or the query string."""
    return str(request.scope.get("path_template", ""))


EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {Exception: render, HTTPException: render}
