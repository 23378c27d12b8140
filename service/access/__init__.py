"""Who is calling, and what they may do. Whatever is not allowed by name is refused."""

from service.access.guard import ANYONE, allow
from service.access.principals import Principal, Scope

__all__ = ["ANYONE", "Principal", "Scope", "allow"]
