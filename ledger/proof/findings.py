"""What a proof says about a row that does not hold."""

from collections.abc import AsyncIterator, Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One row that breaks an invariant, what it should be and what it is."""

    invariant: int
    book_id: int
    table: str
    row: str
    expected: str
    found: str


async def rows_of(
    connection: AsyncConnection, statement: sa.TextClause, key: Mapping[str, object]
) -> AsyncIterator[Row[tuple[object, ...]]]:
    """The rows of a statement, streamed, so that memory stays bounded."""
    result = await connection.stream(statement, key)
    try:
        async for row in result:
            yield row
    finally:
        await result.close()
