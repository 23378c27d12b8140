"""A query or a form as pieces between ampersands, each decoded only where that is asked for."""

from urllib.parse import quote_plus, unquote_plus


def pieces(raw: bytes) -> list[str]:
    """The pieces as they stand; none for an empty text."""
    return raw.decode("latin-1").split("&") if raw else []


def joined(parts: list[str]) -> bytes:
    """The pieces put together again."""
    return "&".join(parts).encode("latin-1")


def decoded(piece: str) -> tuple[str, str]:
    """Key and value of a piece; what is no UTF-8 becomes U+FFFD."""
    key, _, value = piece.partition("=")
    return unquote_plus(key, errors="replace"), unquote_plus(value, errors="replace")


def encoded(key: str, value: str) -> str:
    """A piece, as browsers write it."""
    return f"{quote_plus(key)}={quote_plus(value)}"
