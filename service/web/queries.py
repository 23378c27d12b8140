"""Refuse query parameters that a call does not have: a misspelt filter must not show everything."""

from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from service.errors import FieldError, InvalidRequest, MalformedRequest

OURS: Final = "/v1/"
"""Our own calls; a provider's unknown fields pass."""
PARAMETERS_MAX: Final = 50
HANDLERS_MAX: Final = 1_000

AnyRequest: TypeAlias = Request[object, object, State]


@lru_cache(maxsize=HANDLERS_MAX)
def known_to(handler: BaseRouteHandler) -> frozenset[str]:
    """The query parameters a handler takes."""
    return frozenset(
        definition.name or name
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(definition := field.kwarg_definition, QueryParameter)
    )


async def refuse_unknown(request: AnyRequest) -> None:
    """Raise InvalidRequest for a parameter that the call does not have, or that comes twice."""
    query = request.scope.get("query_string", b"")
    if not query or not request.url.path.startswith(OURS):
        return
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:  # also what is no ASCII, and percent signs that are no UTF-8
        raise MalformedRequest("the query is not readable") from None
    known = known_to(request.route_handler)
    names = [name for name, _ in pairs]
    errors = [
        FieldError(field=f"query: {name[:100]}", message="is not a parameter of this call")
        for name in dict.fromkeys(names)
        if name not in known
    ]
    errors += [
        FieldError(field=f"query: {name}", message="is given twice")
        for name in known
        if names.count(name) > 1
    ]
    # Litestar reads the word null as nothing, and a filter that is nothing shows everything.
    errors += [
        FieldError(field=f"query: {name}", message="null is no value; leave the parameter out")
        for name, value in pairs
        if name in known and value.lower() == "null"
    ]
    if errors:
        raise InvalidRequest(errors=errors)
