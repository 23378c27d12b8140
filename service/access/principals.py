"""The names of what may be done, who has them, and the principal a handler is given."""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

from service.errors import BookNotCovered

Scope: TypeAlias = Literal[
    "notices:read",
    "notices:write",
    "requests:read",
    "requests:write",
    "counter:write",
    "events:read",
    "ledger:read",
    "statements:read",
    "statements:write",
    "settlements:read",
    "settlements:write",
    "runs:read",
    "runs:write",
    "unmatched:read",
    "unmatched:propose",
    "unmatched:decide",
    "days:read",
    "days:close",
    "audit:read",
    "access:manage",
    "session:own",
]
Role: TypeAlias = Literal["viewer", "maker", "checker", "admin", "auditor"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
ROLES: Final[tuple[Role, ...]] = get_args(Role)

STAFF_ONLY: Final[frozenset[Scope]] = frozenset(
    {
        "unmatched:propose",
        "unmatched:decide",
        "days:close",
        "audit:read",
        "access:manage",
        "session:own",
    }
)
"""What only people may do: a key can be neither maker nor checker (invariant 7)."""

KEY_SCOPES: Final[tuple[Scope, ...]] = tuple(scope for scope in SCOPES if scope not in STAFF_ONLY)

READS: Final[frozenset[Scope]] = frozenset(
    {
        "session:own",
        "notices:read",
        "requests:read",
        "events:read",
        "ledger:read",
        "statements:read",
        "settlements:read",
        "runs:read",
        "unmatched:read",
        "days:read",
    }
)

ROLE_SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    "viewer": READS,
    "maker": READS
    | {"statements:write", "settlements:write", "runs:write", "counter:write", "unmatched:propose"},
    "checker": READS | {"unmatched:decide", "days:close"},
    "admin": READS | {"access:manage"},
    "auditor": READS | {"audit:read"},
}


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """What people with these roles may do."""
    return frozenset(scope for role in roles for scope in ROLE_SCOPES[role])


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: a machine by its key, or a person by a session."""

    kind: Literal["api_key", "staff"]
    id: UUID
    name: str
    books: frozenset[int]
    scopes: frozenset[Scope]
    roles: frozenset[Role] = frozenset()

    @property
    def actor(self) -> str:
        """How facts name this caller: the kind and the id, never a person's name."""
        return f"{self.kind}:{self.id}"

    @property
    def book_list(self) -> list[int]:
        """The books in order, as a statement's parameter."""
        return sorted(self.books)

    def cover(self, book_id: int) -> None:
        """Refuse a book that is not among this caller's; raises BookNotCovered."""
        if book_id not in self.books:
            raise BookNotCovered
