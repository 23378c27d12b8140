"""What every call of the API has in common: page parameters, and the refusals any call may give."""

from typing import Annotated, Final, TypeAlias

from litestar.params import QueryParameter

from service.errors import (
    Busy,
    Forbidden,
    InvalidRequest,
    MalformedRequest,
    Refusal,
    TooLarge,
    Unauthenticated,
)
from service.web.paging import CURSOR_LENGTH_MAX, PAGE_MAX

ASKED: Final[tuple[type[Refusal], ...]] = (
    MalformedRequest,
    Unauthenticated,
    Forbidden,
    InvalidRequest,
    Busy,
)
"""What any authenticated call may be refused with."""
WITH_BODY: Final[tuple[type[Refusal], ...]] = (*ASKED, TooLarge)
"""The same, for a call that carries a body."""

Cursor: TypeAlias = Annotated[
    str | None,
    QueryParameter(
        description="`next_cursor` of the page before.",
        min_length=1,
        max_length=CURSOR_LENGTH_MAX,
    ),
]
Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX, description="Rows of a page.")]
