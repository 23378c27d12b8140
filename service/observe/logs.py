"""Log lines: JSON for machines or a line for people, without secrets and without personal data.

An exception's message may quote what a payer or a provider sent, so it is never logged: the type,
the SQLSTATE and where it happened are (the message too at level debug, which is for a desk only).
Logs go to standard error; standard output belongs to the commands.
"""

import logging
import logging.config
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TypeAlias

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Form: TypeAlias = Literal["console", "json"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]

FRAMES_MAX: Final = 12
CAUSES_MAX: Final = 5
QUIET: Final = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "asyncio",
    "sqlalchemy",
    "granian.access",
)
"""Loggers whose ordinary lines name addresses with queries, or repeat our own."""

GRANIAN: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        "_granian": {"handlers": [], "level": "INFO", "propagate": True},
        "granian.access": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
"""Granian's `log_dictconfig`, so that the server's own lines look like ours."""


def configure(form: Form, level: Level = "info") -> None:
    """Set up logging for this process, the libraries' included; may be called again."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Failures(with_messages=level == "debug"),
    ]
    renderer = _renderer(form)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, _first_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _renderer(form: Form) -> Processor:
    if form == "json":
        return _as_json
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


class _Failures:
    """Turn an exception into where it happened, without what it says."""

    def __init__(self, *, with_messages: bool) -> None:
        self._with_messages = with_messages

    def __call__(
        self, _: WrappedLogger, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Replace `exc_info` by `failure`, a text of a few lines."""
        given = event.pop("exc_info", None)
        if given is True:
            given = sys.exc_info()
        error = given[1] if isinstance(given, tuple) else given
        if isinstance(error, BaseException):
            event["failure"] = describe(error, with_messages=self._with_messages)
        return event


def describe(error: BaseException, *, with_messages: bool = False) -> str:
    """Say what kind of failure it was and where, cause by cause, the last first."""
    lines: list[str] = []
    current: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if current is None:
            break
        state = getattr(current, "sqlstate", None)
        name = type(current).__name__ + (f" ({state})" if isinstance(state, str) else "")
        lines.append(f"{name}: {current}" if with_messages else name)
        frames = traceback.extract_tb(current.__traceback__)[-FRAMES_MAX:]
        lines += [f"  {f.filename}:{f.lineno} {f.name}" for f in reversed(frames)]
        current = current.__cause__ or current.__context__
    return "\n".join(lines)


def _first_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep the first line of what a library says; asyncio adds an exception's repr below it."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event
