"""A check: one statement that gives the first rows which break an invariant."""

import msgspec
import sqlalchemy as sa


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """`statement` takes :book_id and :limit; `counts` is the table whose rows are looked at.

    A row is (tbl, row_id, expected, found): a table and a row of it, what it should say, and what
    it says. `counts` is empty where there is nothing to count yet, and `note` says why. `params`
    are further constants of the statement.
    """

    invariant: int
    name: str
    statement: sa.TextClause
    counts: str
    note: str = ""
    params: dict[str, list[str] | str] = {}
